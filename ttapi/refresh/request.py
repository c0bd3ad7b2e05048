# SPDX-License-Identifier: Apache-2.0
"""A query made one about what was known at a point in time: `ttapi sql --as-of T`.

A statement that would change the published file, answered with what works instead.

What a statement says of the answer and of those after it: instants it passes on, the schema it sets.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ttapi.clock import stored_instant
from ttapi.errors import InterruptedQueryError, QueryError
from ttapi.models.limits import Resolution
from ttapi.models.model_cache import PushdownInfo
from ttapi.refresh.coverage import name_scope
from ttapi.sources.contract import Column
from ttapi.sqltext import first_words
from ttapi.store.engine import attached
from ttapi.store.reader import published_file
from ttapi.store.schema import former_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.models.as_of import AsOf
    from ttapi.models.as_of_query import AsOfQuery
    from ttapi.models.as_of_relations import AsOfCatalog, FormerResource
    from ttapi.models.limits import Write
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.query import QueryRequest
    from ttapi.sources.contract import ColumnType, Resource
    from ttapi.store.schema import FormerTable


def as_of_request(
    environment: Environment, request: QueryRequest, as_of: AsOf
) -> tuple[QueryRequest, AsOfQuery]:
    """`request` for what was known at `as_of`, and how it was rewritten.

    *Raises* UsageError for another statement than one SELECT, and for a relation without an as-of
    form; ModelError for a relation whose file is wrong.
    """
    from ttapi.models.as_of_query import rewrite_as_of  # noqa: PLC0415 - sqlglot takes 0.12 s

    installed = as_of_catalog(environment, request)
    former = _former_resources(environment, as_of)
    installed = replace(installed, former=former)
    found = rewrite_as_of(request.sql, installed, as_of, request.bound)
    ends = {read.relation for read in found.reads}
    texts = [f"{name} -> {one.text}" for name, one in former.items() if name in ends]
    # What the query itself names has been told with it.
    unsaid = [text for text in texts if text not in found.text]
    found = replace(found, text="; ".join([found.text, *unsaid]))
    past = Resolution(tuple(found.reads))
    return replace(request, sql=found.sql, resolution=past, until=as_of.until), found


def _former_resources(environment: Environment, as_of: AsOf) -> dict[str, FormerResource]:
    """The raw datasets whose columns changed after `as_of`, as they were then."""
    with attached(published_file(environment.home)) as connection:
        tables = former_tables(connection)
    then = tables_then(tables, stored_instant(as_of.until))
    offers = environment.resources
    return {name: _former(offers[name].resource, then[name]) for name in then if name in offers}


def tables_then(
    tables: Mapping[str, Sequence[FormerTable]], instant: datetime
) -> dict[str, FormerTable]:
    """By dataset, the table that another took the place of after `instant`; none where today's stood."""
    after = {name: [one for one in kept if one.until > instant] for name, kept in tables.items()}
    return {name: kept[0] for name, kept in after.items() if kept}


def _former(resource: Resource, table: FormerTable) -> FormerResource:
    from ttapi.models.as_of_relations import FormerResource  # noqa: PLC0415 - sqlglot takes 0.12 s

    today = {column.name: str(column.type) for column in resource.columns}
    columns = tuple(
        Column(name, cast("ColumnType", kind), "") for name, kind in table.columns.items()
    )
    has_grain = set(resource.grain) <= table.columns.keys()
    kept = replace(
        resource,
        table=table.table,
        columns=columns,
        grain=resource.grain if has_grain else (),
        keys=tuple(name for name in resource.keys if name in table.columns),
    )
    return FormerResource(
        kept,
        lacking=tuple(c for c in resource.columns if c.name not in table.columns),
        lost=tuple(name for name, kind in table.columns.items() if today.get(name) != kind),
    )


def as_of_catalog(environment: Environment, request: QueryRequest | None = None) -> AsOfCatalog:
    """What there is to read, in the session that `request` comes from."""
    from ttapi.models.as_of_relations import AsOfCatalog  # noqa: PLC0415 - sqlglot takes 0.12 s

    datasets = environment.datasets
    return AsOfCatalog(
        graph=environment.graph,
        names=name_scope(
            datasets,
            views=request.views if request else None,
            temporary=request.temporary if request else frozenset(),
            schema=request.schema if request else "main",
            broken=environment.broken,
        ),
        flows={
            name: PushdownInfo(d.columns, d.parameters, d.reads) for name, d in datasets.items()
        },
        resources={name: offer.resource for name, offer in environment.resources.items()},
    )


def declared_instants(
    environment: Environment, sql: str, declared: Callable[[frozenset[str]], frozenset[str]]
) -> frozenset[str]:
    """Columns under which `sql` passes on, as they are, what the file declares as instants.

    `declared`: those of some relations of the published file.
    """

    def by_parser() -> frozenset[str]:
        from ttapi.models.references import unchanged_columns  # noqa: PLC0415 - sqlglot takes 0.12 s

        return unchanged_columns(sql, declared)

    # What the file declares is what the models say only where it was made from them.
    if not environment.is_installed:
        return by_parser()
    return environment.installation.statement_cache.columns(sql, by_parser)


def schema_set_by(sql: str) -> str | None:
    """The schema that a statement makes the default; None: it is about something else."""
    if first_words(sql, 1) not in (["use"], ["set"]):
        return None
    from ttapi.models.resolve import default_schema  # noqa: PLC0415 - sqlglot takes 0.12 s

    return default_schema(sql)


_SCHEMAS = frozenset({"", "main", "raw", "staged", "derived", "catalog", "market"})
"""Schemas of the published file, and its name; any other is of a database the user attached."""
_READ_ONLY = re.compile(r"on database \"market\" which is attached in read-only mode")


def refuse_writes(writes: Iterable[Write], *, own: Collection[str], sql_folder: Path) -> None:
    """Nothing, or QueryError for what would change the published file, before anything is fetched.

    `own`: the session's temporary tables and views. Where it cannot be told whose a name is, the
    engine tells: it opens the file for reading only.
    """
    refused = sorted(write for write in writes if _is_of_file(write, own))
    if not refused:
        return
    first = refused[0]
    what = f"an index on {first.name}" if first.kind == "index" else first.name
    what = f"schema {what}" if first.kind == "schema" else what
    raise QueryError(
        f"{what} cannot be written: the published file is read-only",
        hint=_instead(first, sql_folder),
    )


def explain_read_only(error: QueryError, sql: str) -> QueryError:
    """`error` in words about the published file where the engine says it is read-only."""
    if isinstance(error, InterruptedQueryError) or not _READ_ONLY.search(error.message):
        return error
    hint = "what is temporary can be changed: create temp table mine as from eod"
    words = first_words(sql, 6)
    if words[:1] == ["create"] and "type" in words:
        hint = "create temp type NAME lasts for this session"
    return QueryError("this would change the published file, which is read-only", hint=hint)


def _is_of_file(write: Write, own: Collection[str]) -> bool:
    schema = write.name.rpartition(".")[0]
    return write.name not in own and (write.kind == "schema" or schema in _SCHEMAS)


def _instead(write: Write, sql_folder: Path) -> str:
    name = write.name.rpartition(".")[2]
    if write.kind == "schema":
        return "what is temporary needs none: create temp table mine as from eod"
    if write.kind == "index":
        return (
            f"queries need none here; create temp table mine as from {write.name}"
            " makes a copy that can have one"
        )
    if not write.is_new:
        return (
            f"create temp table mine as from {write.name} makes a copy to change, for this session"
        )
    if write.kind == "sequence":
        return (
            f"create temp sequence {name} lasts for this session; row_number() over () counts too"
        )
    if write.kind == "macro":
        return f"create temp macro {name} lasts for this session; one to keep is a file in {sql_folder / 'macros'}"
    return (
        f"create temp {write.kind} {name} lasts for this session; a view to keep is a file in"
        f" {sql_folder / 'views'}"
    )
