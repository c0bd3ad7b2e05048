# SPDX-License-Identifier: Apache-2.0
"""A CSV or Parquet file as columns of text, its refused lines beside them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.texts import TEXT_LIMIT, clean_name, decode, physical_lines, split_line

DELIMITERS = (",", ";", "\t", "|")
_SHOWN = 120


@dataclass(frozen=True)
class TextTable:
    """Cells as they stand.

    *Shape* `cells`: one text column per name of the header, no row blank. `lines` and `texts` say
    per row where and how it stood; `refused` holds (line, reason, text).
    """

    cells: pl.DataFrame
    lines: list[int]
    texts: list[str]
    refused: list[tuple[int, str, str]]
    notes: list[str]


def read_csv_text(content: bytes, delimiter: str | None) -> TextTable:
    """The cells of a CSV file whose first line is a header; lines of another width are refused.

    *Raises* SourceError for a file that cannot be decoded.
    """
    lines = physical_lines(decode(content))
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        return TextTable(pl.DataFrame(), [], [], [], [])
    header = numbered.pop(0)[1]
    mark = delimiter or max(DELIMITERS, key=header.count)
    found = [clean_name(cell) for cell in split_line(header, mark)]
    rows: list[list[str]] = []
    kept: list[tuple[int, str]] = []
    refused: list[tuple[int, str, str]] = []
    for number, line in numbered:
        cells = split_line(line, mark)
        is_repeated = line == header
        if len(cells) == len(found) and not is_repeated:
            rows.append(cells)
            kept.append((number, line))
            continue
        is_torn = number == len(lines)
        reason = f"wrong field count: {len(cells)}, not {len(found)}"
        reason = "repeated header" if is_repeated else "torn last line" if is_torn else reason
        refused.append((number, reason, line[:TEXT_LIMIT]))
    names, notes = _unique(found)
    cells_by_name = {
        name: pl.Series(name, [row[place] for row in rows], pl.String) for place, name in names
    }
    numbers, texts = [number for number, _ in kept], [text for _, text in kept]
    return TextTable(pl.DataFrame(cells_by_name), numbers, texts, refused, notes)


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
    texts = [
        "\t".join("" if cell is None else cell for cell in row)[:TEXT_LIMIT] for row in cells.rows()
    ]
    return TextTable(cells, list(range(1, cells.height + 1)), texts, [], notes)


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
