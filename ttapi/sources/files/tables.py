# SPDX-License-Identifier: Apache-2.0
"""A CSV or Parquet file as columns of text, its refused lines beside them.

What a file says of its rows beside them: the symbol and the day in its place, its columns.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.dates import parse_date
from ttapi.sources.text_files import (
    TEXT_LIMIT,
    clean_name,
    decode,
    physical_lines,
    split_line,
    split_lines,
)

if TYPE_CHECKING:
    from datetime import date

DELIMITERS = (",", ";", "\t", "|")
_LINE, _TEXT, _WIDTH, _CELLS = "line", "text", "width", "cells"


@dataclass(frozen=True)
class TextTable:
    """Cells as they stand.

    *Shape* `cells`: one text column per name of the header, no row blank. `lines` (Int32) and `texts`
    say per row where and how it stood; `refused` holds (line, reason, text).
    """

    cells: pl.DataFrame
    lines: pl.Series
    texts: pl.Series
    refused: list[tuple[int, str, str]]
    notes: list[str]


def read_csv_text(content: bytes, delimiter: str | None) -> TextTable:
    """The cells of a CSV file whose first line is a header; lines of another width are refused.

    *Raises* SourceError for a file that cannot be decoded.
    """
    every = pl.DataFrame({_TEXT: physical_lines(decode(content))}, schema={_TEXT: pl.String})
    numbered = every.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias(_LINE), _TEXT)
    filled = numbered.filter(pl.col(_TEXT).str.contains(r"\S"))
    if filled.is_empty():
        return TextTable(pl.DataFrame(), filled[_LINE], filled[_TEXT], [], [])
    header, lines = filled[_TEXT][0], filled[1:]
    mark = delimiter or max(DELIMITERS, key=header.count)
    found = [clean_name(cell) for cell in split_line(header, mark)]
    is_repeated = pl.col(_TEXT) == header
    refused = [(line, "repeated header", text) for line, text in lines.filter(is_repeated).rows()]
    rows, others = _split(lines.filter(~is_repeated), mark, len(found))
    for line, text, width in others:
        is_torn = line == every.height
        reason = f"wrong field count: {width}, not {len(found)}"
        refused.append((line, "torn last line" if is_torn else reason, text))
    names, notes = _unique(found)
    cells = rows.select(pl.col(f"{place}").alias(name) for place, name in names)
    kept = [(line, reason, text[:TEXT_LIMIT]) for line, reason, text in sorted(refused)]
    return TextTable(cells, rows[_LINE], rows[_TEXT], kept, notes)


def _split(
    lines: pl.DataFrame, mark: str, width: int
) -> tuple[pl.DataFrame, list[tuple[int, str, int]]]:
    """Lines of `width` cells, a column a place beside line and text; the others with their width.

    What no quote stands in is split all at once: some hundred thousand lines a second otherwise.
    """
    is_quoted = pl.col(_TEXT).str.contains('"', literal=True)
    places = [str(place) for place in range(width)]
    plain = lines.filter(~is_quoted).with_columns(
        pl.col(_TEXT).str.count_matches(mark, literal=True).add(1).cast(pl.Int32).alias(_WIDTH)
    )
    split = pl.col(_TEXT).str.split_exact(mark, width - 1).struct.rename_fields(places)
    rows = plain.filter(pl.col(_WIDTH) == width).select(_LINE, _TEXT, split.alias(_CELLS))
    others = plain.filter(pl.col(_WIDTH) != width).rows()
    quoted = lines.filter(is_quoted)
    cells = split_lines(quoted[_TEXT].to_list(), mark)
    is_whole = [len(row) == width for row in cells]
    widths = zip(quoted.rows(), cells, is_whole, strict=True)
    others += [(*row, len(found)) for row, found, is_right in widths if not is_right]
    columns = zip(
        *(row for row, is_right in zip(cells, is_whole, strict=True) if is_right), strict=True
    )
    unquoted = quoted.filter(is_whole).with_columns(
        pl.Series(name, column, pl.String) for name, column in zip(places, columns, strict=False)
    )
    parts = [rows.unnest(_CELLS), unquoted] if any(is_whole) else [rows.unnest(_CELLS)]
    return pl.concat(parts).sort(_LINE), others


def read_parquet_text(content: bytes) -> TextTable:
    """The cells of a Parquet file as text; the line is the row's number.

    *Raises* SourceError for a file that is no Parquet file.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(content))
        cells = frame.with_columns(
            pl.col(pl.Datetime).dt.to_string("iso:strict"), pl.col(pl.Date).dt.to_string("iso")
        ).cast(pl.String)
    except (pl.exceptions.PolarsError, OSError, ValueError) as exc:
        raise SourceError(f"not a readable Parquet file: {exc}") from exc
    names, notes = _unique([clean_name(name) for name in cells.columns])
    cells = cells.select(pl.nth(place).alias(name) for place, name in names)
    told = pl.concat_str(pl.all().fill_null(""), separator="\t").str.slice(0, TEXT_LIMIT)
    texts = (
        cells.select(told.alias(_TEXT))[_TEXT] if cells.width else pl.Series(_TEXT, [], pl.String)
    )
    return TextTable(
        cells, pl.int_range(1, cells.height + 1, dtype=pl.Int32, eager=True), texts, [], notes
    )


def _unique(names: list[str]) -> tuple[list[tuple[int, str]], list[str]]:
    """The place of each name; of two alike the first, with a note about the other."""
    first: dict[str, int] = {}
    notes = []
    for place, name in enumerate(names):
        if name in first:
            notes.append(f"duplicate_header: column {name!r} stands twice, the first is read")
        elif name:
            first[name] = place
    return [(place, name) for name, place in first.items()], notes


_DAY = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)", re.ASCII)
_TICKER = re.compile(r"[A-Z][A-Z0-9]{0,5}([./-][A-Z]{1,2})?", re.ASCII)


@dataclass(frozen=True)
class FilePlace:
    """Where rows come from."""

    stem: str
    """The file's name without its endings."""
    folder: str
    """Name of the folder it lies in."""
    columns: frozenset[str] = frozenset()
    """The columns it has, by the names they are taken under."""


def origin_of(root: Path, key: str) -> FilePlace:
    """The place of the file that is called `key` below `root`."""
    path = Path(os.path.abspath(root / key))  # noqa: PTH100 - `resolve` would follow links
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return FilePlace(Path(name).stem, path.parent.name)


def symbol_of_place(origin: FilePlace) -> str | None:
    """The symbol a file is about: `AAPL/20140602.csv`, `options/AAPL.csv`, `AAPL_2014-06-02.csv`.

    The folder's name goes first where it is written as a symbol, in capitals; then what the file's
    name says beside a day, then either in any case.
    """
    beside_day = _DAY.sub("", origin.stem).strip(" _-.")
    names = [name for name in (origin.folder, beside_day) if name]
    any_case = [name.upper() for name in reversed(names)]
    found = (name for name in (*names, *any_case) if _TICKER.fullmatch(name))
    symbol = next(found, None)
    return symbol.replace("/", ".").replace("-", ".") if symbol else None


def day_of_place(origin: FilePlace) -> date | None:
    """The day in the file's name: eight digits, or year, month and day with - _ or . between."""
    match = _DAY.search(origin.stem)
    return parse_date(f"{match[1]}{match[3]}{match[4]}") if match else None


def bare_name(name: str) -> str:
    """A column's name in lower case without what vendors put between words: `openinterest`."""
    return "".join(letter for letter in name.lower() if letter not in " _-.")
