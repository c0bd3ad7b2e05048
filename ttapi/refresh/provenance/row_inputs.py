# SPDX-License-Identifier: Apache-2.0
"""The rows behind a row: its key followed up the models, and the last rows found on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.models.flows import model_flows, reads_behind
from ttapi.models.limits import Among, Read, Within
from ttapi.refresh.provenance.row_key import column_types, quoted_name, quoted_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from ttapi.models.graph import ModelGraph
    from ttapi.models.limits import Limit
    from ttapi.models.lineage_graph import LineageGraph
    from ttapi.models.readings import Flow
    from ttapi.refresh.provenance.row_key import FoundRow
    from ttapi.store.reader import Reader

SHOWN = 5


@dataclass(frozen=True)
class Inputs:
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
    reader: Reader, graph: ModelGraph, lineage: LineageGraph, relation: str, row: FoundRow
) -> list[Inputs]:
    """What `row` of `relation` was made of: nearest relation first, raw tables last.

    *Shape* relations that are stored, and those the relation reads directly. Every row that could
    matter meets the condition; of these the last up to the row's own dates are shown.
    """
    flows = model_flows(graph, _roots(lineage))
    limits = {c.column: frozenset([Among(frozenset([c.value]))]) for c in row.key}
    reads = _all_reads(reader, graph, flows, Read(relation, limits))
    dates = _date_bounds(lineage, relation, row)
    used = _columns_read(lineage, relation)
    return [
        _inputs(reader, name, ways, dates.get(name, _own_dates(row)), used.get(name, frozenset()))
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
    reader: Reader, graph: ModelGraph, flows: Mapping[str, Flow], first: Read
) -> dict[str, list[Read]]:
    """Every way each relation behind `first` is read, in order of distance.

    A stored table without a row of the key gave nothing: it and what it was made of are left out.
    """
    reads: dict[str, list[Read]] = {first.relation: [first]}
    for name in reversed(list(graph.models)):
        if name != first.relation and name in reads and graph.models[name].kind == "table":
            found = reader.run(f"select 1 from {name} where {_condition(reads[name])} limit 1")
            if found is not None and not found.table.num_rows:
                del reads[name]
        for read in reads.get(name, []):
            for behind in reads_behind(read, flows[name]):
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
    ways: Sequence[Read],
    bounds: Mapping[str, date],
    used: Collection[str],
) -> Inputs:
    types = column_types(reader, name)
    condition = _condition(ways)
    live = "is_current" if "is_current" in types and name.startswith("raw.") else "true"
    where = f"({condition}) and {live}"
    until = [
        f"{quoted_name(c)} <= {quoted_text(str(value))}"
        for c, value in bounds.items()
        if types.get(c) == "DATE" and not all(c in way.limits for way in ways)
    ]
    latest = next((c for c, kind in types.items() if kind == "DATE"), None)
    order = f" order by {quoted_name(latest)} desc nulls last" if latest else ""
    counted = reader.run(f"select count(*) as n from {name} where {where}")
    shown = " and ".join([where, *until])
    rows = reader.run(f"select * from {name} where {shown}{order} limit {SHOWN}")
    assert counted is not None
    assert rows is not None
    limited = {column for way in ways for column in way.limits}
    own = {"line", "known_at", "load_id"} if name.startswith("raw.") else set()
    return Inputs(
        name,
        _told(condition, live),
        " and ".join(until).replace('"', "") or None,
        counted.table.to_pylist()[0]["n"],
        rows.table.to_pylist(),
        [c for c in types if c in {*used, *limited, *own, latest}] if used else list(types),
    )


def _condition(ways: Sequence[Read]) -> str:
    """What holds of every row that one of the ways reads; a way within a wider one adds nothing."""
    asked = [way.limits.items() for way in ways]
    widest = [one for one in asked if not any(other < one for other in asked)]
    clauses = list(dict.fromkeys(_clause(dict(one)) for one in widest))
    if "true" in clauses:
        return "true"
    return clauses[0] if len(clauses) == 1 else " or ".join(f"({one})" for one in clauses)


def _told(condition: str, live: str) -> str:
    told = f"({condition})" if " or " in condition and live != "true" else condition
    parts = [part for part in (told, live) if part != "true"]
    return " and ".join(parts).replace('"', "") or "true"


def _clause(limits: Mapping[str, Limit]) -> str:
    parts = [part for column, limit in limits.items() for part in _atoms(column, limit)]
    return " and ".join(parts) or "true"


def _atoms(column: str, limit: Limit) -> Iterable[str]:
    name = quoted_name(column)
    for atom in limit:
        if isinstance(atom, Among):
            values = sorted(atom.values)
            if len(values) == 1:
                yield f"{name} = {quoted_text(values[0])}"
            else:
                yield f"{name} in ({', '.join(map(quoted_text, values))})"
        elif isinstance(atom, Within):
            if atom.low is not None:
                yield f"{name} {'>' if atom.is_low_out else '>='} {quoted_text(atom.low)}"
            if atom.high is not None:
                yield f"{name} {'<' if atom.is_high_out else '<='} {quoted_text(atom.high)}"
