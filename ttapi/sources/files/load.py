# SPDX-License-Identifier: Apache-2.0
"""One requested file read, judged and put into a batch.

A CSV or Parquet file as columns of text, its refused lines beside them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.contract import Batch, UnitReport, UnitRequest
from ttapi.sources.files.rows import FileRows, judge
from ttapi.sources.files.source import FORMATS, FileSettings
from ttapi.sources.folder import MEMBER_LIMIT, RATIO_LIMIT, origin_of
from ttapi.sources.response_body import GZIP, gunzip
from ttapi.sources.text_files import (
    TEXT_LIMIT,
    clean_name,
    content_hash,
    decode,
    physical_lines,
    reject_table,
    split_line,
    split_lines,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ttapi.sources.files.kinds import ResourceSpec
    from ttapi.sources.folder import FolderTree


def load_file(
    tree: FolderTree,
    request: UnitRequest,
    spec: ResourceSpec,
    settings: FileSettings,
    now: datetime,
) -> Batch:
    """The batch of one file; an error in its report when it cannot be read as a whole."""
    unit, origin = request.unit, origin_of(tree.root, request.unit.key)
    read_by = (settings.renames, settings.delimiter, settings.format)
    try:
        content = tree.read(unit)
        # Where its place says something of the rows, the same bytes elsewhere are other content.
        placed = (spec.symbol_of_place(origin),) if spec.symbol_of_place else ()
        digest = content_hash(content, repr((*read_by, *placed)))
        if digest == request.known_hash:
            return Batch((UnitReport(unit, digest, is_unchanged=True),))
        table = _read(content, unit.key, settings)
        found = judge(table, spec, settings.renames, origin, now)
    except SourceError as exc:
        text = str(exc) if str(exc).startswith(unit.key) else f"{unit.key}: {exc}"
        return Batch((UnitReport(unit, error=text),))
    report = _report(UnitReport(unit, digest), found, spec.resource.time_column)
    rejects = reject_table((0, line, why, text) for line, why, text in found.refused)
    return Batch((report,), _rows(found.rows, spec) if found.rows.height else None, rejects)


def _read(content: bytes, key: str, settings: FileSettings) -> TextTable:
    if content.startswith(GZIP):
        content = gunzip(content, max_bytes=MEMBER_LIMIT, max_ratio=RATIO_LIMIT)
    kind = settings.format or ("parquet" if key.lower().endswith(FORMATS["parquet"]) else "csv")
    if kind == "parquet":
        return read_parquet_text(content)
    return read_csv_text(content, settings.delimiter)


def _report(report: UnitReport, found: FileRows, time_column: str | None) -> UnitReport:
    days = found.rows[time_column] if time_column else pl.Series([], dtype=pl.Date)
    first, last = days.min(), days.max()
    return replace(
        report,
        rows_in=found.rows.height + len(found.refused),
        rows_accepted=found.rows.height,
        rows_refused=len(found.refused),
        first_date=first if isinstance(first, date) else None,
        last_date=last if isinstance(last, date) else None,
        has_duplicates=found.has_duplicates,
        notes=tuple(found.notes),
    )


def _rows(rows: pl.DataFrame, spec: ResourceSpec) -> pa.Table:
    names = [column.name for column in spec.resource.columns]
    with_unit = rows.with_columns(pl.lit(0, pl.Int32).alias("unit"))
    return with_unit.select(*names, "unit", "line", "known_at").to_arrow()


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
