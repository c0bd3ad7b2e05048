# SPDX-License-Identifier: Apache-2.0
"""One row explained: its formulas, what it was made of, who loaded that, what was checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ttapi.audit.implied import implied_story
from ttapi.audit.replay import filler_of, find_node, read_lineage
from ttapi.audit.row_inputs import InputRows, NoRowError, find_row, inputs_behind
from ttapi.errors import UnknownNameError, UsageError
from ttapi.models.column_trace import Trace
from ttapi.models.lineage import trace_model
from ttapi.models.model import macro_parts
from ttapi.models.references import TOO_DEEP
from ttapi.refresh.freshness import input_age
from ttapi.refresh.planner import closure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.api.database import Database
    from ttapi.audit.implied import ImpliedExplanation
    from ttapi.audit.row_inputs import FoundRow
    from ttapi.models.column_trace import InputExpression
    from ttapi.models.graph import ModelGraph
    from ttapi.models.lineage import LineageGraph
    from ttapi.refresh.environment import Environment
    from ttapi.store.reader import Reader


@dataclass(frozen=True)
class ExplainedColumn:
    """One column of the row."""

    name: str
    value: Any
    formula: str | None
    """The SQL that makes it; None: as its source said it, or passed on unchanged."""
    ingredients: Sequence[str]
    """`daily_stddev = stddev_samp(...)`: inner columns the formula names, nearest first."""
    made_in: str
    """The relation whose SQL that is, or the column it is passed on from."""
    comment: str | None


@dataclass(frozen=True)
class SourceCall:
    """One unit that said raw rows behind the row, and the load that brought them."""

    relation: str
    source: str | None
    unit: str
    lines: Sequence[int]
    """1-based lines of the shown rows; empty: the source has no lines."""
    content_hash: str | None
    load_id: int
    loaded_at: Any
    """UTC, no zone."""
    command: str | None
    """None: loaded before commands were kept."""


@dataclass(frozen=True)
class CheckSeen:
    """The latest outcome of a check on the relation or on what it reads."""

    dataset: str
    check: str
    failures: int


@dataclass(frozen=True)
class Explanation:
    """Why one row says what it says."""

    relation: str
    file: str | None
    """The model's file; None: a raw table."""
    key: Mapping[str, str]
    columns: Sequence[ExplainedColumn]
    inputs: Sequence[InputRows]
    calls: Sequence[SourceCall]
    checks: Sequence[CheckSeen]
    downstream: Sequence[str]
    """Every relation that would change with it."""
    implied: ImpliedExplanation | None = None
    """How its implied volatility came about; None: the row is no option contract."""


def explain_row(database: Database, relation: str, words: Sequence[str]) -> Explanation:
    """Why the row of `relation` that `words` name says what it says, as published.

    *Raises* UsageError for an unknown relation, a macro, or a key that names no one row.
    """
    lineage = read_lineage(database)
    environment, reader = database.load_environment(), database.reader
    graph = environment.graph
    name, column = find_node(lineage, relation, environment)
    if column is not None:
        raise UsageError(
            f"{relation!r} is a column", hint=f"ttapi why {name} KEY explains its rows"
        )
    model = graph.models.get(name)
    if model is not None and model.kind == "macro":
        call = f"{name}({', '.join(macro_parts(model).parameters)})"
        raise UsageError(f"{call} is a macro: it has no rows until it is called")
    grain = model.grain if model else _raw_grain(environment, name)
    try:
        row = find_row(reader, name, grain, words)
    except NoRowError as exc:
        hint = _what_lacks(environment, name) or exc.hint
        raise UnknownNameError(exc.message, hint=hint) from exc
    analysed = environment.installation.analysis_cache
    inputs = inputs_behind(reader, graph, lineage, name, row, analysed=analysed)
    formulas = _Formulas(graph, lineage, environment)
    behind = [*inputs, *([] if model else [_itself(name, row)])]
    return Explanation(
        name,
        model.file if model else None,
        {condition.column: condition.value for condition in row.key},
        [formulas.explained(name, c, value) for c, value in row.values.items()],
        inputs,
        [call for one in behind for call in _calls(environment, reader, one)],
        _checks(reader, [name, *(one.relation for one in inputs)]),
        _downstream(graph, lineage, name),
        implied_story(reader, row.values),
    )


def _what_lacks(environment: Environment, name: str) -> str | None:
    """What of the data behind `name` was never asked for, and what fills it; None: nothing."""
    datasets = environment.datasets
    roots = [datasets[root] for root in sorted(closure(datasets, [name]))]
    held = environment.held()
    lacking = [
        age
        for root in roots
        if root.kind == "raw" and not root.missing_setting
        if (age := input_age(root.name, environment, held)).age_s is None
    ]
    if lacking:
        told = ", ".join(f"{age.dataset} {age.claim}" for age in lacking[:2])
        more = f" and {len(lacking) - 2} more" if len(lacking) > 2 else ""
        is_recorded = all(environment.datasets[age.dataset].is_log for age in lacking)
        cure = (
            "ttapi stream SYMBOL... records it" if is_recorded else f"ttapi refresh {name} fills it"
        )
        return f"{told}{more}; {cure}"
    unset = [
        f"[sources.{root.source}] {root.missing_setting}" for root in roots if root.missing_setting
    ]
    is_empty = all(root.missing_setting for root in roots if root.kind == "raw")
    return f"not set: {', '.join(unset)}" if unset and is_empty else None


def _downstream(graph: ModelGraph, lineage: LineageGraph, name: str) -> Sequence[str]:
    """Every relation that would change with a row of `name`.

    Models read the relation beneath a public view of the same stem, not the view.
    """
    readers = set(lineage.readers(name))
    stem = name.rpartition(".")[2]
    for upstream in graph.upstreams.get(name, ()):
        if upstream.rpartition(".")[2] == stem:
            readers |= set(lineage.readers(upstream))
    return sorted(readers - {name})


def _raw_grain(environment: Environment, name: str) -> tuple[str, ...]:
    offer = environment.resources.get(name)
    return offer.resource.grain if offer else ()


def _itself(name: str, row: FoundRow) -> InputRows:
    return InputRows(name, "true", None, 1, [row.values], list(row.values))


class _Formulas:
    """The formulas behind the columns of a relation; each model is taken apart once."""

    def __init__(self, graph: ModelGraph, lineage: LineageGraph, environment: Environment) -> None:
        self._graph = graph
        self._resources = environment.resources
        self._lineage = lineage
        self._traces: dict[str, Trace | None] = {}
        self._known = {name: lineage.columns(name) for name in lineage.relations}
        self._macros = {m.stem: m.name for m in graph.models.values() if m.kind == "macro"}

    def explained(self, relation: str, column: str, value: Any) -> ExplainedColumn:
        """A column with the first formula behind it that does more than pass a column on."""
        try:
            return self._explained(relation, column, value)
        except RecursionError:
            return ExplainedColumn(column, value, TOO_DEEP, (), relation, None)

    def _explained(self, relation: str, column: str, value: Any) -> ExplainedColumn:
        at, name = relation, column
        comment = None
        while (trace := self._trace(at)) is not None:
            comment = comment or self._graph.models[at].column_comments.get(name)
            above = self._lineage.upstreams((at, name))
            if not trace.is_passed_on(name) or len(above) != 1 or above[0][1] is None:
                break
            at, name = above[0][0], above[0][1]
        if trace is None:
            comment = comment or self._raw_comment(at, name)
            return ExplainedColumn(column, value, None, (), f"{at}.{name}", comment)
        formula, rest = _first_formula(trace.expression(name), trace.ingredients(name))
        made = [f"{one.name} = {one.expression}" for one in rest]
        return ExplainedColumn(column, value, formula, made, at, comment)

    def _raw_comment(self, relation: str, column: str) -> str | None:
        """What the source says of a column that views pass on by a star."""
        offer = self._resources.get(relation)
        declared = offer.resource.columns if offer else ()
        return next((one.comment for one in declared if one.name == column), None)

    def _trace(self, relation: str) -> Trace | None:
        if relation not in self._traces:
            model = self._graph.models.get(relation)
            traced = trace_model(model, self._known, self._macros) if model else None
            self._traces[relation] = traced if isinstance(traced, Trace) else None
        return self._traces[relation]


def _first_formula(
    written: str, ingredients: Sequence[InputExpression]
) -> tuple[str, Sequence[InputExpression]]:
    """A mere name of an inner column gives way to what makes that."""
    if not ingredients or not _NAME.fullmatch(written):
        return written, ingredients
    name = ingredients[0].name
    same = list(takewhile(lambda one: one.name == name, ingredients))
    return " | ".join(one.expression for one in same), ingredients[len(same) :]


def _calls(environment: Environment, reader: Reader, inputs: InputRows) -> Iterable[SourceCall]:
    """The units behind the shown raw rows of one relation."""
    lines: dict[tuple[int, int], list[int]] = {}
    for row in inputs.rows:
        if "unit_id" in row and inputs.relation.startswith("raw."):
            said = lines.setdefault((row["unit_id"], row["load_id"]), [])
            said.extend([row["line"]] if row["line"] is not None else [])
    filler = filler_of(environment, inputs.relation)
    for (unit_id, load_id), at in sorted(lines.items()):
        known = _one(
            reader,
            f"""
            select
                u.key,
                (
                    select arg_max(v.content_hash, v.load_id) from catalog.unit_versions as v
                    where v.unit_id = u.unit_id and v.load_id <= {load_id}
                ) as content_hash,
                (
                    select max(l.loaded_at) from catalog.loads as l
                    where l.load_id = {load_id} and l.dataset = u.dataset
                ) as loaded_at,
                (select max(c.command) from catalog.commands as c where c.load_id = {load_id}) as command
            from catalog.units as u
            where u.unit_id = {unit_id}
            """,
        )
        yield SourceCall(
            inputs.relation,
            filler.source if filler else None,
            str(known.get("key", "?")),
            sorted(at),
            known.get("content_hash"),
            load_id,
            known.get("loaded_at"),
            known.get("command"),
        )


def _checks(reader: Reader, relations: Iterable[str]) -> list[CheckSeen]:
    names = set(relations)
    found = reader.run(
        "select dataset, check_name, failures from catalog.checks order by dataset, check_name"
    )
    assert found is not None
    return [
        CheckSeen(row["dataset"], row["check_name"], row["failures"])
        for row in found.table.to_pylist()
        if row["dataset"] in names
    ]


def _one(reader: Reader, sql: str) -> Mapping[str, Any]:
    found = reader.run(sql)
    assert found is not None
    rows: list[dict[str, Any]] = found.table.to_pylist()
    return rows[0] if rows else {}


_NAME = re.compile(r"\w+(\.\w+)?")
