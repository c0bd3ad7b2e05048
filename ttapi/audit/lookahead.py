# SPDX-License-Identifier: Apache-2.0
"""Whether a relation's rows up to a point in time say what could be known then: a look-ahead check.

The relation as it stands is held against itself as of that point. A row dated up to then that says
something else, or was not there, used what came later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.audit.row_inputs import column_types
from ttapi.errors import UsageError, did_you_mean
from ttapi.models.as_of import parse_as_of
from ttapi.models.as_of_relations import is_timeless
from ttapi.refresh.planner import closure
from ttapi.refresh.query import QueryRequest
from ttapi.refresh.request import as_of_catalog, as_of_request
from ttapi.sqltext import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from ttapi.api.database import Database
    from ttapi.models.as_of import AsOf
    from ttapi.models.model import Model
    from ttapi.sources.contract import Resource

SHOWN = 5
"""Rows that are told; all are counted."""
_DATED_BY = ("date", "as_of", "snapshot_at", "event_time", "quote_time", "known_at")
_SYMBOLS = ("symbol", "underlying")
_REAL = ("DOUBLE", "FLOAT")


@dataclass(frozen=True)
class EarlyRow:
    """One row that could not be known as it stands."""

    key: Mapping[str, Any]
    """By column of the grain."""
    column: str | None
    """The first column that says something else; None: there was no such row."""
    value: str | None
    """What it says; None: null, or no column."""
    value_then: str | None
    """What it could say; None: null, or no column."""


@dataclass(frozen=True)
class LateInput:
    """A raw table with rows that were known later only."""

    relation: str
    rows: int
    """How many, of the keys that were told."""
    key: Mapping[str, Any]
    """The grain of the first, without what is null."""
    known_at: datetime
    """UTC, no zone: when the first was known; of a row that was there then, when it was taken back."""


@dataclass(frozen=True)
class LookAhead:
    """What a look-ahead check found."""

    relation: str
    as_of: str
    """The point in time, in words."""
    dated_by: str
    """The column by which rows count as up to then."""
    rows: int
    """Rows up to then."""
    early: int
    """Of these, rows that could not be known as they stand."""
    examples: Sequence[EarlyRow]
    inputs: Sequence[LateInput]


def find_look_ahead(
    database: Database,
    relation: str,
    given: str | date,
    *,
    symbols: Collection[str] = (),
    dated_by: str | None = None,
) -> LookAhead:
    """What `relation` says of the time up to `given` and could not be known then.

    `symbols`: these alone; empty: all. `dated_by`: the column that dates a row; None: found by name.

    *Raises* UsageError for a relation without rows of a grain and a date, or without an as-of form.
    """
    environment = database.load_environment()
    model = _model(environment.graph.models, relation)
    as_of = parse_as_of(given, environment.now)
    plain = f"select * from {model.qualified}{_where(database, model, symbols)}"
    database.prepare(plain)
    database.reader.follow()
    request, _ = as_of_request(database.load_environment(), QueryRequest(plain), as_of)
    types = column_types(database.reader, model.qualified)
    if lacking := [name for name in model.grain if name not in types]:
        raise UsageError(f"{model.name} has no column {lacking[0]!r}, which its grain names")
    column = _date_column(model, types, dated_by)
    compared = _comparison(plain, request.sql, model.grain, types, _limit(column, types, as_of))
    counted = _rows(
        database, f"{compared} select count(*) as n, count(difference) as early from compared"
    )
    found = _rows(
        database,
        f"{compared} select * from compared where difference is not null"
        f" order by {', '.join(f'k{n}' for n in range(len(model.grain)))} limit {SHOWN}",
    )
    examples = [_example(row, model.grain) for row in found]
    return LookAhead(
        model.name,
        as_of.text,
        column,
        counted[0]["n"],
        counted[0]["early"],
        examples,
        _late_inputs(database, model, as_of, examples) if examples else (),
    )


def _model(models: Mapping[str, Model], relation: str) -> Model:
    model = models.get(relation.lower().removeprefix("main."))
    if model is None or model.kind == "macro":
        views = [name for name, one in models.items() if one.kind != "macro"]
        what = "a macro, no relation" if model else "no relation of the models"
        raise UsageError(f"{relation!r} is {what}", hint=did_you_mean(relation, views))
    if not model.grain:
        raise UsageError(
            f"{model.name} names no grain, so its rows cannot be told apart",
            hint=f"add a line to {model.file}: -- grain: symbol, date",
        )
    return model


def _where(database: Database, model: Model, symbols: Collection[str]) -> str:
    if not symbols:
        return ""
    columns = database.load_environment().datasets[model.name].columns or _SYMBOLS
    column = next((name for name in _SYMBOLS if name in columns), None)
    if column is None:
        raise UsageError(f"{model.name} has no column symbol", hint="leave --symbols out")
    return f" where {column} in ({', '.join(literal(one) for one in sorted(symbols))})"


def _date_column(model: Model, types: Mapping[str, str], wanted: str | None) -> str:
    dates = [name for name, kind in types.items() if kind in {"DATE", "TIMESTAMP"}]
    if wanted is not None:
        if wanted.lower() in dates:
            return wanted.lower()
        raise UsageError(
            f"{model.name} has no date or instant {wanted!r}", hint=did_you_mean(wanted, dates)
        )
    for name in (*_DATED_BY, *(name for name in model.grain)):
        if name in dates:
            return name
    raise UsageError(
        f"{model.name} has no column that says what time a row is of",
        hint=f"--by COLUMN names one of {', '.join(dates)}" if dates else None,
    )


def _limit(column: str, types: Mapping[str, str], as_of: AsOf) -> str:
    """The condition of rows up to `as_of`; the day of an instant is not over."""
    name = identifier(column)
    if types[column] == "TIMESTAMP":
        return f"{name} <= {as_of.limit}"
    if as_of.day is not None:
        return f"{name} <= date '{as_of.day}'"
    return f"{name} < date '{as_of.until.date()}'"


def _comparison(
    plain: str, past: str, grain: Sequence[str], types: Mapping[str, str], limit: str
) -> str:
    """A WITH clause: `compared` has a row per key, with what differs, now and then."""
    same_key = " and ".join(
        f"p.{identifier(c)} is not distinct from a.{identifier(c)}" for c in grain
    )
    keys = "".join(f"p.{identifier(c)}::varchar as k{n}, " for n, c in enumerate(grain))
    rest = [name for name in types if name not in grain]
    differs = [(name, _differs(name, types[name])) for name in rest]
    names = "".join(f" when {test} then {literal(name)}" for name, test in differs)
    values = {
        side: "".join(
            f" when {test} then {side}.{identifier(name)}::varchar" for name, test in differs
        )
        for side in ("p", "a")
    }
    return f"""with
plain as (select * from ({plain}) where {limit}),
past as (select *, true as is_there from (
{past}
) where {limit}),
compared as (
    select
        {keys}case when a.is_there is null then ''{names} end as difference,
        case when a.is_there is null then null{values["p"]} end as value,
        case when a.is_there is null then null{values["a"]} end as value_then
    from plain as p
    left join past as a
        on {same_key}
)"""


def _differs(column: str, kind: str) -> str:
    """The condition under which the two sides differ; the last digits of a real number do not count."""
    p, a = f"p.{identifier(column)}", f"a.{identifier(column)}"
    differs = f"{p} is distinct from {a}"
    if kind in _REAL:
        differs += f" and coalesce(abs({p} - {a}) > 1e-9 * greatest(abs({p}), abs({a})), true)"
    return differs


def _example(row: Mapping[str, Any], grain: Sequence[str]) -> EarlyRow:
    return EarlyRow(
        key={name: row[f"k{n}"] for n, name in enumerate(grain)},
        column=row["difference"] or None,
        value=row["value"],
        value_then=row["value_then"],
    )


def _late_inputs(
    database: Database, model: Model, as_of: AsOf, examples: Sequence[EarlyRow]
) -> list[LateInput]:
    """Of each raw table behind `model`, the first row that was known after `as_of` only."""
    environment = database.load_environment()
    installed = as_of_catalog(environment)
    found: list[LateInput] = []
    for name in sorted(closure(environment.datasets, [model.name])):
        resource = installed.resources.get(name)
        if resource is not None and not is_timeless(name, installed):
            found += _late_rows(database, resource, as_of, examples)
    return sorted(found, key=lambda one: one.known_at)


def _late_rows(
    database: Database, resource: Resource, as_of: AsOf, examples: Sequence[EarlyRow]
) -> Iterable[LateInput]:
    limit, table = as_of.limit, f"raw.{resource.table}"
    columns = ", ".join(identifier(name) for name in resource.grain)
    same = "true"
    if resource.keys and (
        values := {str(row.key.get(resource.keys[0])) for row in examples} - {"None"}
    ):
        listed = ", ".join(map(literal, sorted(values)))
        same = f"{identifier(resource.keys[0])}::varchar in ({listed})"
    rows = _rows(
        database,
        f"select {columns}, case when known_at > {limit} then known_at else replaced_at end as since_,"
        f" count(*) over () as rows_ from {table}"
        f" where (known_at > {limit} and is_current or known_at <= {limit} and replaced_at > {limit})"
        f" and {same} order by since_ limit 1",
    )
    for row in rows:
        grain = {name: row[name] for name in resource.grain if row[name] is not None}
        yield LateInput(table, row["rows_"], grain, row["since_"])


def _rows(database: Database, sql: str) -> list[dict[str, Any]]:
    found = database.reader.run(sql)
    assert found is not None
    rows: list[dict[str, Any]] = found.table.to_pylist()
    return rows
