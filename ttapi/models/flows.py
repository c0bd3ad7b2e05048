# SPDX-License-Identifier: Apache-2.0
"""How limits on a model's output travel to what it reads, worked out once per model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ttapi.models.graph import builder_inputs
from ttapi.models.limits import Limit, NameScope, RelationRead, SameColumn, bind_parameters
from ttapi.models.model import macro_parts
from ttapi.models.model_cache import AnalysisCache, PushdownInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ttapi.models.graph import ModelGraph
    from ttapi.models.model import Model


def pushdown_infos(
    graph: ModelGraph,
    roots: Mapping[str, tuple[str, ...] | None],
    readings: AnalysisCache | None = None,
) -> dict[str, PushdownInfo]:
    """The flow of every model of `graph`; `roots` gives the columns of raw tables.

    `readings`: what was found before, and will have been.
    """
    known = readings or AnalysisCache()
    flows = {name: PushdownInfo(columns) for name, columns in roots.items()}
    relations: dict[str, tuple[str, ...] | None] = dict(roots)
    macros: dict[str, str] = {}
    row_wise: set[str] = set()
    for name, model in graph.models.items():
        for upstream in graph.upstreams[name]:
            relations.setdefault(upstream, None)
        upstreams = sorted(graph.upstreams[name])
        meaning = [(u, relations[u], u in flows and flows[u].is_row_wise) for u in upstreams]
        names = NameScope(relations, macros, row_wise=frozenset(row_wise))
        flows[name] = known.flow_of(model, meaning, partial(_flow, model, upstreams, names))
        relations[name] = flows[name].columns
        if model.kind == "macro":
            macros[model.stem] = name
        if flows[name].is_row_wise:
            row_wise.add(model.stem)
    return {name: flow for name, flow in flows.items() if name not in roots}


def _flow(model: Model, upstreams: Iterable[str], names: NameScope) -> PushdownInfo:
    from ttapi.models.resolve import resolve  # noqa: PLC0415 - sqlglot takes 0.12 s

    parameters: tuple[str, ...] = ()
    body, is_table = model.body, True
    if model.kind == "macro":
        macro = macro_parts(model)
        parameters, body, is_table = macro.parameters, macro.body, macro.is_table
    text = body if is_table else f"select {body}"
    found = resolve(text, names, parameters=parameters)
    reads = [*found.reads, *_builder_reads(model, names)]
    told = {read.relation for read in reads}
    # Whatever was passed by is meant as a whole.
    reads += [
        RelationRead(name) for name in sorted(upstreams) if name not in told and name != model.name
    ]
    is_row_wise = not is_table and _is_row_wise(text, names.row_wise)
    return PushdownInfo(found.columns if is_table else None, parameters, tuple(reads), is_row_wise)


def _is_row_wise(text: str, row_wise: frozenset[str]) -> bool:
    """Whether `select <body>` of a scalar macro holds no aggregate outside its own subqueries."""
    from ttapi.models.barriers import may_aggregate  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.models.references import parse_statements  # noqa: PLC0415 - so does this

    try:
        return not any(
            may_aggregate(projection, row_wise)
            for statement in parse_statements(text)
            for projection in statement.expressions
        )
    except RecursionError:
        return False


def _builder_reads(model: Model, names: NameScope) -> list[RelationRead]:
    """What a builder reads; it works key by key where the table is rebuilt key by key."""
    if model.builder is None:
        return []
    from ttapi.models.resolve import resolve  # noqa: PLC0415 - sqlglot takes 0.12 s

    key = model.incremental
    outputs: dict[str, Limit] = {key: frozenset([SameColumn(key)])} if key else {}
    return [
        bind_parameters(read, outputs)
        for select in builder_inputs(model.builder).values()
        for read in resolve(select, names).reads
    ]
