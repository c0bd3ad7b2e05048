# SPDX-License-Identifier: Apache-2.0
"""Which columns a MetaStock ASCII file has, in what order, and what separates them.

With a header the names decide; without one the place of the first date does. Nothing here looks
at more than the first lines of a file.

One file made ready to be parsed together with others.

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
from ttapi.sources.dates import parse_date
from ttapi.sources.text_files import (
    TEXT_LIMIT,
    clean_name,
    decode,
    physical_lines,
    split_line,
    unwrap,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIMITERS = (";", "\t", "|", ",")
"""Tried in this order: where another character delimits, a comma may be the decimal mark."""

_NAMES = {
    "ticker": "ticker", "symbol": "ticker", "security": "ticker",
    "name": "name", "company": "name", "security name": "name",
    "per": "per", "period": "per",
    "date": "date", "dtyyyymmdd": "date", "dtyymmdd": "date", "yyyymmdd": "date", "yymmdd": "date",
    "time": "time", "hhmm": "time", "hhmmss": "time",
    "open": "open", "o": "open",
    "high": "high", "h": "high",
    "low": "low", "l": "low",
    "close": "close", "c": "close", "last": "close",
    "vol": "volume", "volume": "volume", "v": "volume",
    "openint": "open_interest", "o/i": "open_interest", "oi": "open_interest",
    "open int": "open_interest", "open interest": "open_interest",
}  # fmt: skip
_TIME_DIGITS = {"hhmm": 4, "hhmmss": 6}
_PERIOD = re.compile(r"[idwmqy]|day|daily|[0-9]{1,4}", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(
    r"0[0-9]{3}|([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", re.ASCII
)
# What follows the date in a file without header, by number of columns.
_AFTER_DATE = {
    1: ("close",),
    2: ("close", "volume"),
    4: ("open", "high", "low", "close"),
    5: ("open", "high", "low", "close", "volume"),
    6: ("open", "high", "low", "close", "volume", "open_interest"),
}


@dataclass(frozen=True)
class Dialect:
    """How the rows of one file are written."""

    columns: tuple[str, ...]
    """What each field holds; '' for a field nobody asked for."""
    delimiter: str
    has_header: bool
    time_digits: int | None = None
    """4 or 6 where the header says HHMM or HHMMSS; None: the length of each text decides."""
    notes: tuple[str, ...] = ()


def recognise(lines: Sequence[str]) -> Dialect:
    """The dialect of a file that starts with `lines` (not blank).

    *Raises* SourceError when no date or no close column can be recognised.
    """
    for delimiter in _delimiters_in(lines[0]):
        dialect = _from_header(split_line(lines[0], delimiter), delimiter)
        if dialect is not None:
            return dialect
    _refuse_unknown_header(lines[0])
    for line in lines:
        for delimiter in _delimiters_in(line):
            columns = _from_values(split_line(line, delimiter))
            if columns is not None:
                return Dialect(columns, delimiter, has_header=False)
    raise SourceError(
        f"no date and close column recognised in {lines[0][:120]!r}",
        hint="a header such as <TICKER>,<DTYYYYMMDD>,<CLOSE>, or rows such as A,20240102,1,2,1,2,9",
    )


def is_header(cells: Sequence[str]) -> bool:
    """True when the cells name a date and a close column."""
    roles = {_NAMES.get(clean_name(cell)) for cell in cells}
    return {"date", "close"} <= roles


def _delimiters_in(line: str) -> list[str]:
    return [delimiter for delimiter in DELIMITERS if delimiter in line]


def _from_header(cells: Sequence[str], delimiter: str) -> Dialect | None:
    if not is_header(cells):
        return None
    names = [clean_name(cell) for cell in cells]
    columns: list[str] = []
    notes: list[str] = []
    for name in names:
        role = _NAMES.get(name, "")
        if role and role in columns:
            notes.append(f"duplicate_header: column {name!r} stands twice, the first is read")
            role = ""
        elif not role and name:
            notes.append(f"unknown_column: column {name!r} is not read")
        columns.append(role if role != "name" else "")
    digits = next((_TIME_DIGITS[name] for name in names if name in _TIME_DIGITS), None)
    return Dialect(
        tuple(columns), delimiter, has_header=True, time_digits=digits, notes=tuple(notes)
    )


def _refuse_unknown_header(line: str) -> None:
    for delimiter in _delimiters_in(line):
        cells = split_line(line, delimiter)
        roles = {_NAMES.get(clean_name(cell)) for cell in cells} - {None}
        missing = [name for name in ("date", "close") if name not in roles]
        if len(roles) >= 2 and missing:
            raise SourceError(
                f"the header {line[:120]!r} names no {' and no '.join(missing)} column"
            )
    if not any(character.isdigit() for character in line):
        raise SourceError(
            f"no date and close column recognised in the header {line[:120]!r}",
            hint="known names: " + ", ".join(sorted(_NAMES)),
        )


def _from_values(cells: Sequence[str]) -> tuple[str, ...] | None:
    values = [cell.strip(' \t\0"') for cell in cells]
    position = _date_position(values)
    if position is None:
        return None
    rest = values[position + 1 :]
    before = _before_date(values[:position])
    has_time = len(rest) in (2, 5, 6, 7) and _CLOCK.fullmatch(rest[0]) is not None
    after = _AFTER_DATE.get(len(rest) - has_time)
    if after is None:
        return None
    return (*before, "date", *(("time",) if has_time else ()), *after)


def _date_position(values: Sequence[str]) -> int | None:
    """Where the date stands; six digits, maybe a ticker, count only when nothing better does."""
    dates = [place for place, value in enumerate(values[:4]) if parse_date(value) is not None]
    sure = [place for place in dates if len(values[place]) >= 8]
    unsure = [place for place in dates if len(values[place]) == 6]
    return next(iter(sure + unsure), None)


def _before_date(values: Sequence[str]) -> tuple[str, ...]:
    if len(values) < 2:
        return ("ticker",)[: len(values)]
    if len(values) == 2:
        return ("ticker", "per" if _PERIOD.fullmatch(values[1]) else "")
    return ("ticker", "", "per")


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
class PreparedFile:
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


def prepare_plain(content: bytes) -> PreparedFile | None:
    """The file as it is when counting proves it clean; None sends it the careful way."""
    data = unwrap(content)
    if not data or not data.isascii():
        return None
    unix = _unix_lines(data) if b"\r" in data else data
    return None if unix is None else _prepare_unix(unix)


def _prepare_unix(data: bytes) -> PreparedFile | None:
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
    return PreparedFile(
        dialect,
        body,
        dialect.delimiter,
        rows,
        first,
        torn_line=None if data.endswith(b"\n") else first + rows - 1,
        notes=dialect.notes,
    )


def pick_lines(file: PreparedFile, lines: Sequence[int]) -> PreparedFile:
    """Some lines of a plain file, taken one by one."""
    rows = file.body.split(b"\n")
    numbered = [(line, rows[line - file.first_line].decode("ascii")) for line in lines]
    return _take_lines(numbered, file.dialect, file.torn_line)


def prepare_lines(content: bytes) -> PreparedFile:
    """Any file, taken line by line.

    *Raises* SourceError when no date or close column can be recognised.
    """
    text = decode(content)
    lines = physical_lines(text)
    torn_line = len(lines) if lines[-1].strip() else None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        return PreparedFile(_EMPTY, b"", SEPARATOR, 0, lines=())
    dialect = recognise([line for _, line in numbered[:_LINES_SHOWN]])
    if dialect.has_header:
        del numbered[0]
    return _take_lines(numbered, dialect, torn_line)


def _take_lines(
    numbered: list[tuple[int, str]], dialect: Dialect, torn: int | None
) -> PreparedFile:
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
    return PreparedFile(
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
