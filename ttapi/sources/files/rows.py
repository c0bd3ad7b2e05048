# SPDX-License-Identifier: Apache-2.0
"""Columns of text made into rows of a resource: renamed, cast, completed, judged."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.sources.dates import find_order, is_zero, parse_date
from ttapi.sources.folder import bare_name
from ttapi.sources.text_files import BLANKS, plain_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.sources.contract import Column
    from ttapi.sources.files.kinds import ResourceSpec
    from ttapi.sources.files.load import TextTable
    from ttapi.sources.folder import FilePlace

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
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00(\.0+)?)?(Z|[+]00:?00)?$", re.ASCII)
"""What spreadsheets and data frames write behind a date that is one."""


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
    table: TextTable,
    spec: ResourceSpec,
    renames: Mapping[str, str],
    origin: FilePlace,
    now: datetime,
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
    cast = [_cast(cells, column) for column in (*columns, *spec.inputs)]
    typed = pl.DataFrame([values for values, _ in cast])
    if spec.stem_column and spec.stem_column not in cells.columns:
        typed = typed.with_columns(pl.lit(origin.stem).alias(spec.stem_column))
    completed = spec.complete(typed, replace(origin, columns=frozenset(cells.columns)))
    reason = pl.select(pl.coalesce(*(why for _, why in cast), spec.refusal(completed))).to_series()
    accepted = completed.with_columns(table.lines.alias("line")).filter(reason.is_null())
    refused = (
        pl.DataFrame([table.lines.alias("line"), reason.alias("why"), table.texts.alias("text")])
        .filter(pl.col("why").is_not_null())
        .rows()
    )
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
    targets = spec.targets
    chosen: dict[str, str] = {}
    for target, name in renames.items():
        if name not in cells.columns and cells.width:
            raise SourceError(
                f"has no column {name!r}, which {target} is mapped to", hint=_has(cells)
            )
        # A text that stands for a column is read as one, whoever names it: `3M` for days.
        chosen[targets.get(bare_name(target), target)] = name
    notes = []
    for name in cells.columns:
        if name in renames.values():
            continue
        wanted = targets.get(bare_name(name))
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
    nothing = pl.Series(name, [None], pl.String).new_from_index(0, cells.height)
    if name not in cells.columns:
        return nothing.cast(_KINDS[column.type]), nothing
    if column.type == "DATE":
        return _dates(cells[name])
    if column.type == "TIMESTAMP":
        return _instants(cells[name])
    if column.type == "BOOLEAN":
        return cells[name].str.to_lowercase().replace_strict(_TRUTH, default=None), nothing
    if column.type in _NUMBERS:
        return _numbers(cells[name], column.type), nothing
    return cells[name], nothing


def _numbers(texts: pl.Series, kind: str) -> pl.Series:
    """The numbers of a column; null for what is none, and for a fraction where a whole one is wanted."""
    has_comma = texts.str.contains(",", literal=True).any()
    plain = plain_number(pl.col(texts.name)) if has_comma else pl.col(texts.name)
    number = plain.cast(pl.Float64, strict=False)
    is_good = number.is_finite() if kind == "DOUBLE" else number.is_finite() & (number % 1 == 0)
    good = pl.when(is_good).then(number).cast(_NUMBERS[kind], strict=False)
    return texts.to_frame().select(good.alias(texts.name))[texts.name]


def _dates(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    unique = {text: _MIDNIGHT.sub("", text) for text in texts.unique() if text is not None}
    order = find_order(unique.values())
    known = {text: parse_date(day, order) for text, day in unique.items()}
    wrong = {
        text: f"{texts.name} is 0" if is_zero(text) else f"unparsable {texts.name}"
        for text, day in known.items()
        if day is None
    }
    return _text(texts, known, pl.Date), _text(texts, wrong, pl.String)


def _instants(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Instants in UTC, which one without an offset is in; a date alone is its midnight."""
    known: dict[str, datetime | None] = {}
    for text in texts.unique():
        if text is not None:
            known[text] = _instant(text)
    wrong = {text: f"unparsable {texts.name}" for text, at in known.items() if at is None}
    return _text(texts, known, pl.Datetime("us")), _text(texts, wrong, pl.String)


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return (at.astimezone(UTC) if at.tzinfo else at).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _text(
    texts: pl.Series, meanings: Mapping[str, object], kind: pl.DataType | type[pl.DataType]
) -> pl.Series:
    """What each text means; null for one that means nothing."""
    if not meanings:
        return pl.Series(texts.name, [None], kind).new_from_index(0, texts.len())
    values = pl.Series(list(meanings.values()), dtype=kind)
    return texts.replace_strict(list(meanings), values, default=None, return_dtype=kind)
