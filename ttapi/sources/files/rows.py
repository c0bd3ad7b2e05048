# SPDX-License-Identifier: Apache-2.0
"""Columns of text made into rows of a resource: renamed, cast, completed, judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.columns import BLANKS, plain_number
from ttapi.sources.dates import find_order, is_zero, parse_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ttapi.sources.contract import Column
    from ttapi.sources.files.specs import ResourceSpec
    from ttapi.sources.files.tables import TextTable

_NUMBERS: dict[str, type[pl.DataType]] = {
    "DOUBLE": pl.Float64,
    "BIGINT": pl.Int64,
    "INTEGER": pl.Int32,
}
_KINDS: dict[str, pl.DataType | type[pl.DataType]] = {
    **_NUMBERS,
    "VARCHAR": pl.String,
    "DATE": pl.Date,
    "BOOLEAN": pl.Boolean,
    "TIMESTAMP": pl.Datetime("us"),
}
_TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "1"), True),
    **dict.fromkeys(("false", "f", "no", "0"), False),
}


@dataclass(frozen=True)
class FileRows:
    """What became of one file.

    *Shape* `rows`: the declared columns, line, known_at. `refused`: (line, reason, text), by line.
    """

    rows: pl.DataFrame
    refused: list[tuple[int, str, str]]
    notes: list[str]
    has_duplicates: bool


def judge(
    table: TextTable, spec: ResourceSpec, renames: Mapping[str, str], stem: str, now: datetime
) -> FileRows:
    """The rows of one file as `spec` takes them; `renames` says which source name each target has.

    *Raises* SourceError when a required column is missing.
    """
    cells, notes = _choose(table.cells, spec, renames)
    columns = spec.resource.columns
    if table.cells.is_empty():
        empty = pl.DataFrame(schema={column.name: _KINDS[column.type] for column in columns})
        notes += [] if table.refused else ["no_rows: the file holds no rows"]
        nothing = empty.with_columns(
            pl.lit(None, pl.Int32).alias("line"), pl.lit(None, pl.Datetime("us")).alias("known_at")
        )
        return FileRows(nothing, table.refused, [*table.notes, *notes], has_duplicates=False)
    cast = [_cast(cells, column) for column in columns]
    typed = pl.DataFrame([values for values, _ in cast])
    if spec.stem_column and spec.stem_column not in cells.columns:
        typed = typed.with_columns(pl.lit(stem).alias(spec.stem_column))
    completed = spec.complete(typed)
    reason = pl.select(pl.coalesce(*(why for _, why in cast), spec.refusal(completed))).to_series()
    accepted = completed.with_columns(pl.Series("line", table.lines, pl.Int32)).filter(
        reason.is_null()
    )
    refused = [
        (line, why, text)
        for line, why, text in zip(table.lines, reason, table.texts, strict=True)
        if why is not None
    ]
    return FileRows(
        rows=accepted.with_columns(spec.known_at(accepted, now).alias("known_at")),
        refused=sorted(table.refused + refused),
        notes=[*table.notes, *notes],
        has_duplicates=bool(accepted.select(spec.resource.grain).is_duplicated().any()),
    )


def _choose(
    cells: pl.DataFrame, spec: ResourceSpec, renames: Mapping[str, str]
) -> tuple[pl.DataFrame, list[str]]:
    """The cells under their target names, blank ones null, and notes on columns nobody asked for."""
    targets = {column.name for column in spec.resource.columns}
    chosen: dict[str, str] = {}
    for target, name in renames.items():
        if name not in cells.columns and cells.width:
            raise SourceError(
                f"has no column {name!r}, which {target} is mapped to", hint=_has(cells)
            )
        chosen[target] = name
    notes = []
    for name in cells.columns:
        if name in renames.values():
            continue
        wanted = name if name in targets else spec.aliases.get(name)
        if wanted is None or wanted in chosen:
            notes.append(f"unknown_column: column {name!r} is not read")
        else:
            chosen[wanted] = name
    for group in spec.required:
        if cells.width and not any(target in chosen for target in group):
            raise SourceError(f"has no column {' or '.join(group)}", hint=_has(cells))
    stripped = (pl.col(name).str.strip_chars(BLANKS).alias(to) for to, name in chosen.items())
    picked = cells.select(stripped)
    return picked.with_columns(pl.when(pl.all() != "").then(pl.all())), notes


def _has(cells: pl.DataFrame) -> str:
    return (
        f"its columns are {', '.join(cells.columns)}; <resource>_columns = target=source maps them"
    )


def _cast(cells: pl.DataFrame, column: Column) -> tuple[pl.Series, pl.Series]:
    """A column's values, and per row why its text is refused; numbers that are none are null."""
    name = column.name
    nothing = pl.Series(name, [None] * cells.height, pl.String)
    if name not in cells.columns:
        return nothing.cast(_KINDS[column.type]), nothing
    if column.type == "DATE":
        return _dates(cells[name])
    if column.type == "TIMESTAMP":
        instants = cells[name].str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
        unread = pl.select(
            pl.when(cells[name].is_not_null() & instants.is_null()).then(
                pl.lit(f"unparsable {name}")
            )
        ).to_series()
        return instants.dt.replace_time_zone(None), unread
    if column.type == "BOOLEAN":
        return cells[name].str.to_lowercase().replace_strict(_TRUTH, default=None), nothing
    if column.type in _NUMBERS:
        number = plain_number(pl.col(name)).cast(pl.Float64, strict=False)
        finite = pl.when(number.is_finite()).then(number).cast(_NUMBERS[column.type], strict=False)
        return cells.select(finite.alias(name))[name], nothing
    return cells[name], nothing


def _dates(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    order = find_order(text for text in texts if text is not None)
    known = {text: parse_date(text, order) for text in texts.unique() if text is not None}
    days = pl.Series(texts.name, [known.get(text) for text in texts], pl.Date)
    reasons = [
        None
        if text is None or known[text]
        else f"{texts.name} is 0"
        if is_zero(text)
        else f"unparsable {texts.name}"
        for text in texts
    ]
    return days, pl.Series(texts.name, reasons, pl.String)
