# SPDX-License-Identifier: Apache-2.0
"""One requested file read, judged and put into a batch."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.contract import Batch, UnitReport, UnitRequest
from ttapi.sources.files.origin import origin_of
from ttapi.sources.files.rows import FileRows, judge
from ttapi.sources.files.source import FORMATS, FileSettings
from ttapi.sources.files.tables import TextTable, read_csv_text, read_parquet_text
from ttapi.sources.folder import MEMBER_LIMIT, RATIO_LIMIT
from ttapi.sources.response_body import GZIP, gunzip
from ttapi.sources.text_files import content_hash, reject_table

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
