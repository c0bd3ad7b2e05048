# SPDX-License-Identifier: Apache-2.0
"""Text files as people save them: encodings, line ends, quoted cells.

Columns on their way from text to Arrow: numbers, and words that repeat.

Words go out as Arrow dictionaries: DuckDB takes them as fast as plain text (28 ms against 30 ms a
million rows), and a rule for them is applied once per word instead of once per row.

What every source of files puts into its batches alike: content hashes and refused lines.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import polars as pl

TEXT_LIMIT = 500
"""Characters of a refused line that are kept."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_PADDING = b"\0\x1a"


def decode(content: bytes) -> str:
    """The text of a file: UTF-16 or UTF-8 where its bytes say so, else Latin-1, without NULs.

    *Raises* SourceError for a UTF-16 file that ends inside a character.
    """
    encoding = _utf16(content)
    try:
        text = content.decode(encoding) if encoding else _utf8_or_latin1(unwrap(content))
    except UnicodeDecodeError as exc:
        raise SourceError(f"not readable as {encoding}: {exc.reason} at byte {exc.start}") from exc
    return text.removeprefix("\ufeff").rstrip("\0\x1a").replace("\0", "")


def unwrap(content: bytes) -> bytes:
    """The content without byte order mark and without the padding DOS programs leave at the end."""
    data = content.removeprefix(codecs.BOM_UTF8)
    return data.rstrip(_PADDING) if data.endswith((b"\0", b"\x1a")) else data


def physical_lines(text: str) -> list[str]:
    """The lines of a text, whichever line ends it mixes; the last is '' after a final line end."""
    return _LINE_END.split(text) if "\r" in text else text.split("\n")


def split_line(line: str, delimiter: str) -> list[str]:
    """The cells of one physical line; quotes never reach over its end."""
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return line.split(delimiter)


def split_lines(lines: list[str], delimiter: str) -> list[list[str]]:
    """The cells of each of many lines, as `split_line` gives them; a fifth of its time."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        rows = []
    # A quote left open would have joined two lines.
    return rows if len(rows) == len(lines) else [split_line(line, delimiter) for line in lines]


def clean_name(cell: str) -> str:
    """A header cell without quotes, brackets, case and outer blanks."""
    return " ".join(cell.strip(" \t\0\"'").strip("<>[]").lower().split())


def _utf8_or_latin1(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _utf16(content: bytes) -> str | None:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = content[:200]
    if len(head) >= 4 and not head[1::2].strip(b"\0") and head[::2].strip(b"\0"):
        return "utf-16-le"
    if len(head) >= 4 and not head[::2].strip(b"\0") and head[1::2].strip(b"\0"):
        return "utf-16-be"
    return None


WORD = pa.dictionary(pa.int32(), pa.string())
BLANKS = " \t\u00a0"
_LONG_RUNS = 8
"""Rows a run of equal words must reach on average for runs to be cheaper than a hash table."""


class DictionaryColumn:
    """A text column as codes into the distinct words a rule makes of it."""

    def __init__(self, texts: pl.Series, rule: Callable[[str | None], str | None]) -> None:
        import polars as pl  # noqa: PLC0415 - 30 MB that a source without texts does not pay

        runs = texts.rle_id()
        count = 0 if runs.is_empty() else int(runs[-1]) + 1
        if count * _LONG_RUNS <= texts.len():
            found = texts.rle().struct.field("value")
            codes = runs
        else:
            found = texts.unique(maintain_order=True)
            order = pl.DataFrame({"word": found}).with_row_index("code")
            codes = pl.DataFrame({"word": texts}).join(
                order, on="word", how="left", nulls_equal=True, maintain_order="left"
            )["code"]
        words = [rule(text) for text in found]
        self.values = list(dict.fromkeys(word for word in words if word is not None))
        """The distinct words, in order of first appearance."""
        number = {word: code for code, word in enumerate(self.values)}
        new_codes = [None if word is None else number[word] for word in words]
        self.codes = pl.Series(new_codes, dtype=pl.Int32).gather(codes)
        """Per row the place in `values`; null where the rule gave None."""

    def to_arrow(self) -> pa.Array:
        """The column as an Arrow dictionary of strings."""
        indices = self.codes.to_arrow()
        return pa.DictionaryArray.from_arrays(indices, pa.array(self.values, pa.string()))


def plain_number(text: pl.Expr) -> pl.Expr:
    """The text with a point as decimal mark and no thousands marks.

    One comma and no point: the comma is the decimal mark. Several commas: thousands. Both: the
    later one is the decimal mark.
    """
    import polars as pl  # noqa: PLC0415 - as above

    has_point = text.str.contains(".", literal=True)
    commas = text.str.count_matches(",", literal=True)
    comma_last = text.str.contains(r"\..*,[^.]*$")
    return (
        pl.when(commas == 0)
        .then(text)
        .when(comma_last)
        .then(text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .when(has_point | (commas > 1))
        .then(text.str.replace_all(",", "", literal=True))
        .otherwise(text.str.replace(",", ".", literal=True))
    )


REJECT_SCHEMA = pa.schema(
    [("unit", pa.int32()), ("line", pa.int32()), ("reason", pa.string()), ("text", pa.string())]
)


def content_hash(content: bytes, reading: str = "") -> str:
    """A hash of bytes and of the settings they are read by, 32 hexadecimal digits."""
    person = hashlib.blake2b(reading.encode(), digest_size=16).digest() if reading else b""
    return hashlib.blake2b(content, digest_size=16, person=person).hexdigest()


def reject_table(refused: Iterable[tuple[int, int, str, str]]) -> pa.Table | None:
    """The rejects of a batch from (unit, line, reason, text); None when nothing was refused."""
    rows = list(refused)
    if not rows:
        return None
    units, lines, reasons, texts = zip(*rows, strict=True)
    arrays = [units, lines, reasons, [text[:TEXT_LIMIT] for text in texts]]
    return pa.table(
        {
            field.name: pa.array(values, field.type)
            for field, values in zip(REJECT_SCHEMA, arrays, strict=True)
        }
    )
