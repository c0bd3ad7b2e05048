# SPDX-License-Identifier: Apache-2.0
"""The rows behind a row: its key followed up the models, and the last rows found on the way.

A row of a relation found by its key, as a person types it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError, UnknownNameError, UsageError
from ttapi.models.flows import pushdown_infos
from ttapi.models.limits import RelationRead, ValueRange, ValueSet, upstream_reads
from ttapi.sqltext import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from ttapi.models.graph import ModelGraph
    from ttapi.models.limits import Limit
    from ttapi.models.lineage import LineageGraph
    from ttapi.models.model_cache import AnalysisCache, PushdownInfo
    from ttapi.store.reader import Reader

_LISTED = 20
_NEAREST = 5
_ORDERED = re.compile(r"DATE|TIMESTAMP|INTEGER|BIGINT|SMALLINT|HUGEINT|DOUBLE|FLOAT|DECIMAL")


class NoRowError(UnknownNameError):
    """No row has the key."""


@dataclass(frozen=True)
class Condition:
    """One column and the text it must equal."""

    column: str
    value: str


@dataclass(frozen=True)
class FoundRow:
    """The one row a key names."""

    key: tuple[Condition, ...]
    values: Mapping[str, Any]
    """By column, in order."""
    types: Mapping[str, str]
    """The engine's type of each column."""


def find_row(reader: Reader, relation: str, grain: Sequence[str], words: Sequence[str]) -> FoundRow:
    """The row of `relation` that `words` name: values of the grain in order, or column=value.

    *Raises* UsageError for words that are no key, listing the keys that match where several do;
    NoRowError with the nearest where none does.
    """
    types = column_types(reader, relation)
    conditions = _conditions(relation, grain, words, types)
    where = " and ".join(f"{identifier(c.column)} = {_literal(c, types)}" for c in conditions)
    rows = _rows(reader, f"select * from {relation} where {where or 'true'} limit {_LISTED + 1}")
    if not rows:
        raise NoRowError(
            f"{relation} has no row with {key_text(conditions)}",
            hint=_nearest(reader, relation, conditions, types),
        )
    if len(rows) > 1:
        total = _rows(reader, f"select count(*) as n from {relation} where {where or 'true'}")
        told = f"have {key_text(conditions)}" if conditions else "are there"
        raise UsageError(
            f"{total[0]['n']:,} rows of {relation} {told}; name one",
            hint=_listed(rows, [name for name in grain if name in types] or list(types)),
        )
    return FoundRow(tuple(conditions), rows[0], types)


def column_types(reader: Reader, relation: str) -> dict[str, str]:
    """The engine's type by column, in order."""
    rows = _rows(reader, f"describe select * from {relation}")
    return {str(row["column_name"]).lower(): str(row["column_type"]) for row in rows}


def key_text(conditions: Sequence[Condition]) -> str:
    """`symbol AAPL, lookback 20`."""
    return ", ".join(f"{c.column} {c.value}" for c in conditions) or "a key"


def _conditions(
    relation: str, grain: Sequence[str], words: Sequence[str], types: Mapping[str, str]
) -> list[Condition]:
    named, plain = [], []
    for word in words:
        before, equals, after = word.partition("=")
        if equals and before.strip().lower() in types:
            named.append(Condition(before.strip().lower(), after.strip()))
        elif equals and before.strip().isidentifier():
            raise UsageError(
                f"{relation} has no column {before.strip()!r}", hint=f"it has {', '.join(types)}"
            )
        else:
            plain.append(word)
    taken = {condition.column for condition in named}
    free = [name for name in grain if name not in taken and name in types]
    if len(plain) > len(free):
        keys = ", ".join(grain)
        told = f"its key is {keys}" if keys else "it names no grain: give column=value"
        raise UsageError(
            f"{relation}: {len(plain)} values are more than the key has places", hint=told
        )
    return [*(Condition(c, v) for c, v in zip(free, plain, strict=False)), *named]


def _literal(condition: Condition, types: Mapping[str, str]) -> str:
    return f"{literal(condition.value)}::{types[condition.column]}"


def _nearest(
    reader: Reader, relation: str, conditions: Sequence[Condition], types: Mapping[str, str]
) -> str:
    """The values nearest to the first one that leaves no row."""
    kept: list[str] = []
    for condition in conditions:
        column = identifier(condition.column)
        test = f"{column} = {_literal(condition, types)}"
        where = " and ".join([*kept, test])
        if _rows(reader, f"select 1 as one from {relation} where {where} limit 1"):
            kept.append(test)
            continue
        before = " and ".join(kept) or "true"
        far = _distance(condition, types)
        rows = _rows(
            reader,
            f"select {column}::varchar as value from {relation} where {before} and {column} is not null"
            f" group by {column} order by {far}, 1 limit {_NEAREST}",
        )
        near = ", ".join(str(row["value"]) for row in rows)
        return f"nearest {condition.column}: {near}" if near else f"{relation} is empty there"
    return f"{relation} is empty"


def _distance(condition: Condition, types: Mapping[str, str]) -> str:
    column = identifier(condition.column)
    kind = types[condition.column]
    if kind == "VARCHAR":
        return f"levenshtein(upper({column}), upper({literal(condition.value)}))"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"abs(epoch({column}) - epoch({_literal(condition, types)}))"
    return f"abs({column} - {_literal(condition, types)})" if _ORDERED.match(kind) else "1"


def _listed(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    told = [" ".join(str(row[name]) for name in columns) for row in rows[:_LISTED]]
    more = "\n       ..." if len(rows) > _LISTED else ""
    return f"{', '.join(columns)}:\n       " + "\n       ".join(told) + more


def _rows(reader: Reader, sql: str) -> list[dict[str, Any]]:
    try:
        found = reader.run(sql)
    except QueryError as exc:
        first = exc.message.strip().splitlines()[0]
        if first.startswith("Conversion Error"):
            raise UsageError(first, hint="dates are written 2024-06-21") from exc
        raise
    assert found is not None
    rows: list[dict[str, Any]] = found.table.to_pylist()
    return [{name.lower(): value for name, value in row.items()} for row in rows]


SHOWN = 5
_ARRIVED = "received_at"
"""When an event of a stream arrived, in its log and in what is made of it."""


@dataclass(frozen=True)
class InputRows:
    """Rows of one relation that the explained row can depend on."""

    relation: str
    condition: str
    """What the key says of it, as SQL; 'true': no part of the key reaches it."""
    until: str | None
    """`date <= 2014-06-09`: which rows are shown first; None: it has no date that the row has."""
    total: int
    """Rows that meet the condition."""
    rows: Sequence[Mapping[str, Any]]
    """The last few of them."""
    columns: Sequence[str]
    """Those of its columns that the explained row is made of or found by."""


def inputs_behind(
    reader: Reader,
    graph: ModelGraph,
    lineage: LineageGraph,
    relation: str,
    row: FoundRow,
    *,
    analysed: AnalysisCache,
) -> list[InputRows]:
    """What `row` of `relation` was made of: nearest relation first, raw tables last.

    *Shape* relations that are stored, and those the relation reads directly. Every row that could
    matter meets the condition; of these the last up to the row's own dates are shown.

    `analysed`: what looking through the models told before.
    """
    flows = pushdown_infos(graph, _roots(lineage), analysed)
    limits = {c.column: frozenset([ValueSet(frozenset([c.value]))]) for c in row.key}
    reads = _all_reads(reader, graph, flows, RelationRead(relation, limits))
    dates = _date_bounds(lineage, relation, row)
    used = _columns_read(lineage, relation)
    arrived = row.values.get(_ARRIVED) if row.types.get(_ARRIVED) == "TIMESTAMP" else None
    return [
        _inputs(
            reader,
            name,
            ways,
            dates.get(name, _own_dates(row)),
            used.get(name, frozenset()),
            arrived=arrived,
        )
        for name, ways in reads.items()
        if name != relation and _is_shown(name, relation, graph)
    ]


def _roots(lineage: LineageGraph) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(lineage.columns(name))
        for name in lineage.relations
        if name.startswith(("raw.", "catalog."))
    }


def _all_reads(
    reader: Reader, graph: ModelGraph, flows: Mapping[str, PushdownInfo], first: RelationRead
) -> dict[str, list[RelationRead]]:
    """Every way each relation behind `first` is read, in order of distance.

    A stored table without a row of the key gave nothing: it and what it was made of are left out.
    """
    reads: dict[str, list[RelationRead]] = {first.relation: [first]}
    for name in reversed(list(graph.models)):
        if name != first.relation and name in reads and graph.models[name].kind == "table":
            found = reader.run(f"select 1 from {name} where {_condition(reads[name])} limit 1")
            if found is not None and not found.table.num_rows:
                del reads[name]
        for read in reads.get(name, []):
            for behind in upstream_reads(read, flows[name]):
                ways = reads.setdefault(behind.relation, [])
                if behind not in ways:
                    ways.append(behind)
    return reads


def _is_shown(name: str, relation: str, graph: ModelGraph) -> bool:
    model = graph.models.get(name)
    if model is None:
        return name.startswith("raw.")
    if model.kind == "macro":
        return False
    return model.kind == "table" or name in graph.upstreams.get(relation, ())


def _columns_read(lineage: LineageGraph, relation: str) -> dict[str, set[str]]:
    """Every column behind the columns of `relation`, by relation."""
    found: dict[str, set[str]] = {}
    waiting = [(relation, column) for column in lineage.columns(relation)]
    seen = set(waiting)
    while waiting:
        for up, column in lineage.upstreams(waiting.pop()):
            if column is not None and (up, column) not in seen:
                seen.add((up, column))
                found.setdefault(up, set()).add(column)
                waiting.append((up, column))
    return found


def _own_dates(row: FoundRow) -> dict[str, date]:
    """Dates by name: what is joined on a date mostly calls it the same."""
    return {c: row.values[c] for c, kind in row.types.items() if kind == "DATE" and row.values[c]}


def _date_bounds(lineage: LineageGraph, relation: str, row: FoundRow) -> dict[str, dict[str, date]]:
    """By relation and column, the latest of the row's own dates that are made of that column alone."""
    found: dict[str, dict[str, date]] = {}
    for column, kind in row.types.items():
        value = row.values[column]
        if kind != "DATE" or value is None:
            continue
        at = [(relation, column)]
        while at:
            node = at.pop()
            above = lineage.upstreams(node)
            for up, name in above:
                alone = sum(1 for other, _ in above if other == up) == 1
                if name is not None and alone:
                    known = found.setdefault(up, {})
                    if name not in known or known[name] < value:
                        known[name] = value
                        at.append((up, name))
    return found


def _inputs(
    reader: Reader,
    name: str,
    ways: Sequence[RelationRead],
    bounds: Mapping[str, date],
    used: Collection[str],
    *,
    arrived: datetime | None = None,
) -> InputRows:
    """The rows of `name`; `arrived`: when the event arrived that the explained row is of, if it is of one."""
    types = column_types(reader, name)
    condition = _condition(ways)
    live = "is_current" if "is_current" in types and name.startswith("raw.") else "true"
    where = f"({condition}) and {live}"
    until = [
        f"{identifier(c)} <= {literal(str(value))}"
        for c, value in bounds.items()
        if types.get(c) == "DATE" and not all(c in way.limits for way in ways)
    ]
    if arrived is not None and types.get(_ARRIVED) == "TIMESTAMP":
        until.append(f"{identifier(_ARRIVED)} <= {literal(str(arrived))}")
    latest = next((c for c, kind in types.items() if kind == "DATE"), None)
    # Of a log's events in one instant the store has numbered the order.
    last = [latest] if latest else [c for c in (_ARRIVED, "arrival") if c in types]
    order = ", ".join(f"{identifier(c)} desc nulls last" for c in last)
    order = f" order by {order}" if order else ""
    counted = reader.run(f"select count(*) as n from {name} where {where}")
    shown = " and ".join([where, *until])
    rows = reader.run(f"select * from {name} where {shown}{order} limit {SHOWN}")
    assert counted is not None
    assert rows is not None
    limited = {column for way in ways for column in way.limits}
    own = {"line", "known_at", "load_id"} if name.startswith("raw.") else set()
    return InputRows(
        name,
        _text(condition, live),
        " and ".join(until).replace('"', "") or None,
        counted.table.to_pylist()[0]["n"],
        rows.table.to_pylist(),
        [c for c in types if c in {*used, *limited, *own, *last}] if used else list(types),
    )


def _condition(ways: Sequence[RelationRead]) -> str:
    """What holds of every row that one of the ways reads; a way within a wider one adds nothing."""
    asked = [way.limits.items() for way in ways]
    widest = [one for one in asked if not any(other < one for other in asked)]
    clauses = list(dict.fromkeys(_clause(dict(one)) for one in widest))
    if "true" in clauses:
        return "true"
    return clauses[0] if len(clauses) == 1 else " or ".join(f"({one})" for one in clauses)


def _text(condition: str, live: str) -> str:
    told = f"({condition})" if " or " in condition and live != "true" else condition
    parts = [part for part in (told, live) if part != "true"]
    return " and ".join(parts).replace('"', "") or "true"


def _clause(limits: Mapping[str, Limit]) -> str:
    parts = [part for column, limit in limits.items() for part in _atoms(column, limit)]
    return " and ".join(parts) or "true"


def _atoms(column: str, limit: Limit) -> Iterable[str]:
    name = identifier(column)
    for atom in limit:
        if isinstance(atom, ValueSet):
            values = sorted(atom.values)
            if len(values) == 1:
                yield f"{name} = {literal(values[0])}"
            else:
                yield f"{name} in ({', '.join(map(literal, values))})"
        elif isinstance(atom, ValueRange):
            if atom.low is not None:
                yield f"{name} {'>' if atom.is_low_out else '>='} {literal(atom.low)}"
            if atom.high is not None:
                yield f"{name} {'<' if atom.is_high_out else '<='} {literal(atom.high)}"
