# SPDX-License-Identifier: Apache-2.0
"""One file made ready to be parsed together with others.

There are two ways. `prepare_plain` proves with a few counts over the bytes that every line has the
right number of fields and needs no care, and passes the bytes on as they are. `prepare_lines` takes
any file, line by line. Both end in the same shape, and a property test holds them equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from ttapi.errors import SourceError
from ttapi.sources.metastock.dialect import Dialect, is_header, recognise
from ttapi.sources.texts import TEXT_LIMIT, decode, physical_lines, split_line, unwrap

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATOR = "\x1f"
"""Between the fields of a prepared body that was taken line by line."""
UNPARSABLE_DATE = "unparsable date"
UNPARSABLE_CLOSE = "unparsable close"
TORN = "torn last line"

_DIGIT = re.compile(r"[0-9]")
_LINES_SHOWN = 50
_EMPTY = Dialect(columns=(), delimiter=",", has_header=True)
# Bytes that make a file need the careful way: outer blanks, quotes, control characters in use.
_CAREFUL = (b'"', b" ", b"\0", SEPARATOR.encode())


@dataclass(frozen=True)
class Reject:
    """One refused line."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Prepared:
    """The rows of one file, every one with as many fields as its dialect has columns."""

    dialect: Dialect
    body: bytes
    """UTF-8, a line end after every row, no header."""
    separator: str
    rows: int
    first_line: int = 1
    """Line of the first row, where rows stand on consecutive lines."""
    lines: tuple[int, ...] | None = None
    """Line of every row; None: consecutive from `first_line`."""
    texts: tuple[str, ...] = ()
    """The rows as they stood, beside `lines`."""
    rejects: tuple[Reject, ...] = ()
    torn_line: int | None = None
    """The last line, where no line end follows it."""
    notes: tuple[str, ...] = field(default=())

    @property
    def is_plain(self) -> bool:
        """Whether the bytes went through untouched."""
        return self.lines is None


def prepare_plain(content: bytes) -> Prepared | None:
    """The file as it is when counting proves it clean; None sends it the careful way."""
    data = unwrap(content)
    if not data or not data.isascii():
        return None
    unix = _unix_lines(data) if b"\r" in data else data
    return None if unix is None else _prepare_unix(unix)


def _prepare_unix(data: bytes) -> Prepared | None:
    if any(mark in data for mark in _CAREFUL):
        return None
    end = data.find(b"\n") + 1
    dialect = _dialect_of(data[:end])
    if dialect is None or any(d in data for d in _foreign(dialect.delimiter)):
        return None
    body = data[end:] if dialect.has_header else data
    if not body.endswith(b"\n"):
        body += b"\n"
    rows = body.count(b"\n")
    fields = (len(dialect.columns) - 1) * rows
    if body == b"\n" or body.count(dialect.delimiter.encode()) != fields:
        return None
    first = 2 if dialect.has_header else 1
    return Prepared(
        dialect,
        body,
        dialect.delimiter,
        rows,
        first,
        torn_line=None if data.endswith(b"\n") else first + rows - 1,
        notes=dialect.notes,
    )


def pick_lines(file: Prepared, lines: Sequence[int]) -> Prepared:
    """Some lines of a plain file, taken one by one."""
    rows = file.body.split(b"\n")
    numbered = [(line, rows[line - file.first_line].decode("ascii")) for line in lines]
    return _take_lines(numbered, file.dialect, file.torn_line)


def prepare_lines(content: bytes) -> Prepared:
    """Any file, taken line by line.

    *Raises* SourceError when no date or close column can be recognised.
    """
    text = decode(content)
    lines = physical_lines(text)
    torn_line = len(lines) if lines[-1].strip() else None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        return Prepared(_EMPTY, b"", SEPARATOR, 0, lines=())
    dialect = recognise([line for _, line in numbered[:_LINES_SHOWN]])
    if dialect.has_header:
        del numbered[0]
    return _take_lines(numbered, dialect, torn_line)


def _take_lines(numbered: list[tuple[int, str]], dialect: Dialect, torn: int | None) -> Prepared:
    expected = len(dialect.columns)
    kept: list[tuple[int, str, str]] = []
    rejects: list[Reject] = []
    for number, line in numbered:
        cells = split_line(line.replace(SEPARATOR, ""), dialect.delimiter)
        repeats_header = not _DIGIT.search(line) and is_header(cells)
        if len(cells) == expected and not repeats_header:
            kept.append((number, line, SEPARATOR.join(cells)))
            continue
        reason = f"wrong field count: {len(cells)}, not {expected}"
        if repeats_header:
            reason = "repeated header"
        elif number == torn:
            reason = TORN
        rejects.append(Reject(number, reason, line[:TEXT_LIMIT]))
    return Prepared(
        dialect,
        "".join(f"{row}\n" for _, _, row in kept).encode(),
        SEPARATOR,
        len(kept),
        lines=tuple(number for number, _, _ in kept),
        texts=tuple(line for _, line, _ in kept),
        rejects=tuple(rejects),
        torn_line=torn,
        notes=dialect.notes,
    )


def _unix_lines(data: bytes) -> bytes | None:
    r"""The same lines with \n ends; None when a line ends with \r alone."""
    is_usual = data.count(b"\r") == data.count(b"\r\n")
    return data.replace(b"\r\n", b"\n") if is_usual else None


def _foreign(delimiter: str) -> tuple[bytes, ...]:
    return tuple(mark for mark in (b",", b"\t") if mark != delimiter.encode())


@lru_cache(maxsize=256)
def _dialect_of(line: bytes) -> Dialect | None:
    """The dialect a first line alone decides; None when it takes more."""
    try:
        return recognise([line.decode("ascii").rstrip("\n")]) if line.strip() else None
    except SourceError:
        return None
