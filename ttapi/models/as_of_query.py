# SPDX-License-Identifier: Apache-2.0
"""A query rewritten so that it answers as it could have been answered at a point in time.

A relation R is read
(a) through its macro `R_asof`, where there is one and the query binds the macro's other parameter;
(b) of a raw table: as the rows that were known then (`raw_as_of`);
(c) of a view, a stored table or a table macro: by its definition, over (a) to (c);
and as it is where nothing behind it depends on what was known when, as the calendar. Whatever has
no such form is refused by name. The text of the query and of every definition stays as written,
but for the names of what it reads: those become common table expressions in front of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from ttapi.errors import QueryError, UsageError
from ttapi.models.as_of_relations import AsOfCatalog, AsOfRewriter, NoAsOfFormError
from ttapi.models.limits import bind_parameters, upstream_reads
from ttapi.models.portability import volatile_parts
from ttapi.models.references import parse_statements
from ttapi.models.resolve import resolve
from ttapi.models.sql_edit import prepend_ctes, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ttapi.models.as_of import AsOf
    from ttapi.models.limits import RelationRead
    from ttapi.models.model_cache import PushdownInfo


@dataclass(frozen=True)
class AsOfQuery:
    """A query as of a point in time."""

    sql: str
    text: str
    """What was read how, for a person: `as of 2014-06-06 20:00 UTC: eod -> eod_asof`."""
    reads: tuple[RelationRead, ...]
    """What it reads: raw tables, macros, and what is read as it is."""


def rewrite_as_of(
    sql: str, installed: AsOfCatalog, as_of: AsOf, bound: Mapping[str, object] | None = None
) -> AsOfQuery:
    """`sql`, one SELECT, as of a point in time.

    *Raises* UsageError for another statement, and for a relation that has no as-of form.
    """
    _require_select(sql, as_of)
    found = resolve(sql, installed.names, bound=bound)
    if found.unresolved:
        raise UsageError(f"as of {as_of.text}: {found.unresolved[0]}", hint="name what it reads")
    layers = AsOfRewriter(installed, as_of, all_reads(found.reads, installed.flows))
    try:
        text = layers.text(sql, installed.names)
    except NoAsOfFormError as exc:
        hint = exc.hint or _with_form(installed, as_of)
        raise UsageError(f"as of {as_of.text}: {exc}", hint=hint) from exc
    told = [*layers.texts.values(), *(f"{part} as of now" for part in volatile_parts(sql))]
    return AsOfQuery(
        prepend_ctes(text, layers.tables),
        f"as of {as_of.text}: {', '.join(told) or 'nothing is read'}",
        tuple(layers.ends),
    )


def _require_select(sql: str, as_of: AsOf) -> None:
    first = next(iter(tokens_of(sql)), None)
    try:
        # `explain` is taken off before parsing.
        is_explained = first is not None and first.text.lower() == "explain"
        parsed = () if is_explained else parse_statements(sql)
    except QueryError as exc:
        raise UsageError(f"as of {as_of.text}: {exc.message}") from exc
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query | exp.Values):
        raise UsageError(
            f"as of {as_of.text} only a SELECT is answered, one at a time",
            hint="leave --as-of out for anything else",
        )


def all_reads(
    reads: Iterable[RelationRead], flows: Mapping[str, PushdownInfo]
) -> dict[str, list[RelationRead]]:
    """Every way each relation behind `reads` is read, themselves included."""
    found: dict[str, list[RelationRead]] = {}
    waiting = [bind_parameters(read, {}, {}) for read in reads]
    visited: set[RelationRead] = set()
    while waiting:
        read = waiting.pop()
        if read in visited:
            continue
        visited.add(read)
        found.setdefault(read.relation, []).append(read)
        if read.relation in flows:
            behind = upstream_reads(read, flows[read.relation])
            waiting += [bind_parameters(one, {}, {}) for one in behind]
    return found


def _with_form(installed: AsOfCatalog, as_of: AsOf) -> str:
    """The public relations that have an as-of form, as a hint."""
    having = []
    # One rewriter for all: each relation is rewritten once, however many are built on it.
    rewriter = AsOfRewriter(installed, as_of, {})
    for name, model in installed.graph.models.items():
        if model.schema != "main" or model.kind == "macro":
            continue
        with suppress(NoAsOfFormError):
            rewriter.relation(name)
            having.append(name)
    return f"relations that have one: {', '.join(sorted(having))}"
