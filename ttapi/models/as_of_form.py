# SPDX-License-Identifier: Apache-2.0
"""Stored as-of forms: the macro `R_asof(as_of, key)` that the header of a relation R asks for.

It is R's definition as `ttapi sql --as-of` expands it, the instant and the key being parameters:
any client calls it in the published file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ttapi.errors import ModelError
from ttapi.models.as_of import AsOfParameter
from ttapi.models.limits import NameScope, RelationRead, ValueSet
from ttapi.models.model import form_body, macro_parts
from ttapi.models.model_cache import PushdownInfo
from ttapi.sqltext import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.models.as_of_relations import AsOfCatalog
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model import Model
    from ttapi.models.model_cache import AnalysisCache
    from ttapi.sources.contract import Resource

_KEY = "\\KEY"
"""Stands for the key until its parameter does; no key of a vendor begins so."""
_UPPER = frozenset({"symbol", "underlying"})
"""Columns whose values are upper case in every relation: a caller may write them in lower case."""


def with_as_of_forms(
    graph: ModelGraph, resources: Mapping[str, Resource], readings: AnalysisCache
) -> ModelGraph:
    """`graph` with every as-of form that a header asks for written out.

    One that has none is left out with what reads it. *Raises* ModelError for one of ttapi's own.
    """
    for form in [model for model in graph.models.values() if model.form_of]:
        if form.name not in graph.models:
            continue
        try:
            graph = graph.with_macro(_written_out(form, graph, resources, readings), readings)
        except ModelError as exc:
            if form.is_bundled:
                raise
            graph = graph.without({form.name: exc})
    return graph


def _written_out(
    form: Model,
    graph: ModelGraph,
    resources: Mapping[str, Resource],
    readings: AnalysisCache,
) -> Model:
    """`form` as it is stored."""
    behind = sorted(graph.ancestors([str(form.form_of)]))
    made_of = [
        graph.models[n].fingerprint if n in graph.models else resources.get(n) for n in behind
    ]
    body = readings.form_of(
        (form.name, form.fingerprint, behind, made_of),
        lambda: _body(form, graph, resources, readings),
    )
    fingerprint = hashlib.blake2b(f"{form.about}{body}".encode(), digest_size=16).hexdigest()
    return replace(form, body=body, fingerprint=fingerprint)


def _body(
    form: Model,
    graph: ModelGraph,
    resources: Mapping[str, Resource],
    readings: AnalysisCache,
) -> str:
    """Its text, made now of the definitions behind it."""
    from ttapi.models.as_of_query import all_reads  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.models.as_of_relations import (  # noqa: PLC0415 - so does this
        AsOfRewriter,
        NoAsOfFormError,
    )
    from ttapi.models.sql_edit import prepend_ctes  # noqa: PLC0415 - and this

    relation, (_, key) = str(form.form_of), macro_parts(form).parameters
    installed = _catalog(graph, resources, readings)
    columns = installed.flows[relation].columns
    if columns is None or key not in columns:
        raise _refused(form, f"{relation} has no column {key!r} that is known")
    reads = all_reads(
        [RelationRead(relation, {key: frozenset([ValueSet(frozenset([_KEY]))])})], installed.flows
    )
    rewriter = AsOfRewriter(installed, AsOfParameter(), reads, form_of=relation)
    try:
        source = rewriter.relation(relation)
    except NoAsOfFormError as exc:
        raise _refused(form, str(exc)) from exc
    if source is None:
        raise _refused(form, f"nothing behind {relation} depends on what was known when")
    named = ",\n    ".join(f"v.{_written(column)}" for column in columns)
    order = ", ".join(f"v.{_written(name)}" for name in (key, *graph.models[relation].grain))
    select = (
        f"select\n    {named}\nfrom {source} as v\nwhere v.{_written(key)} = {literal(_KEY)}\n"
        f"order by {order}\n"
    )
    text = prepend_ctes(select, rewriter.tables)
    _require_qualified(form, text)
    parameter = f"upper({key})" if key in _UPPER else key
    return form_body(form, key, text.replace(literal(_KEY), parameter))


def _catalog(
    graph: ModelGraph, resources: Mapping[str, Resource], readings: AnalysisCache
) -> AsOfCatalog:
    from ttapi.models.as_of_relations import AsOfCatalog  # noqa: PLC0415 - sqlglot takes 0.12 s
    from ttapi.models.flows import pushdown_infos  # noqa: PLC0415 - so does this

    roots: dict[str, tuple[str, ...] | None] = {
        name: tuple(column.name for column in resource.columns)
        for name, resource in resources.items()
    }
    flows = pushdown_infos(graph, roots, readings) | {
        name: PushdownInfo(columns) for name, columns in roots.items()
    }
    macros = {model.stem: name for name, model in graph.models.items() if model.kind == "macro"}
    names = NameScope({name: flow.columns for name, flow in flows.items()}, macros)
    return AsOfCatalog(graph, names, flows, resources)


def _require_qualified(form: Model, text: str) -> None:
    """*Raises* ModelError for a bare column of the definition: a parameter would take its place."""
    from sqlglot import exp  # noqa: PLC0415 - 0.12 s

    from ttapi.models.references import parse_statements  # noqa: PLC0415 - brings the same

    _, key = macro_parts(form).parameters
    (statement,) = parse_statements(text)
    for column in statement.find_all(exp.Column):
        if not column.table and column.name.lower() == key:
            raise _refused(form, f"column {key} stands without its relation in what it is made of")


def _written(name: str) -> str:
    """`name` as a person would write it behind an alias: lineage shows it."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else identifier(name)


def _refused(form: Model, why: str) -> ModelError:
    return ModelError(f"no as-of form {form.name}: {why}", file=form.file)
