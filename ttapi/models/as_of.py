# SPDX-License-Identifier: Apache-2.0
"""The instant of an as-of query: what a person writes, and what it means in SQL.

A bare date is the whole of that day, New York's session day, as in `eod_asof`: its bars are known
at the close, before midnight UTC. An instant is UTC unless it has an offset.

A raw table as it stood at a point in time, as one SELECT.

Rows are never deleted: each says since when it was known and when it stopped being said. Of the
rows of one grain the current one is chosen by the rule the store settles by, with the ledger's
units as they then reached.

Stored as-of forms: the macro `R_asof(as_of, key)` that the header of a relation R asks for.

It is R's definition as `ttapi sql --as-of` expands it, the instant and the key being parameters:
any client calls it in the published file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.errors import ModelError, UsageError
from ttapi.models.limits import NameScope, RelationRead, ValueSet
from ttapi.models.model import form_body, macro_parts
from ttapi.models.model_cache import PushdownInfo
from ttapi.sqltext import identifier, literal
from ttapi.store.current_rows import current_order
from ttapi.store.schema import STORE_COLUMNS, raw_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ttapi.models.as_of_relations import AsOfCatalog
    from ttapi.models.graph import ModelGraph
    from ttapi.models.model import Model
    from ttapi.models.model_cache import AnalysisCache
    from ttapi.sources.contract import Column, Resource


_EXCHANGE = ZoneInfo("America/New_York")
_WANTED = "a day as 2014-06-06, or an instant as 2014-06-06T20:00 (UTC) or 2014-06-06T16:00-04:00"


@dataclass(frozen=True)
class AsOf:
    """A point in time that a query is answered as of."""

    until: datetime
    """Zone-aware UTC; what was known then, this instant included, counts."""
    day: date | None = None
    """The day that is meant as a whole; None: an instant."""

    @property
    def limit(self) -> str:
        """`until` as a SQL literal."""
        return f"timestamp '{_plain(self.until)}'"

    @property
    def argument(self) -> str:
        """What an `..._asof` macro takes for it, which reads midnight as a whole day."""
        return self.limit if self.day is None else f"date '{self.day}'"

    @property
    def text(self) -> str:
        """For a person: `2014-06-06 20:00 UTC`, `2014-06-06 (until midnight UTC)`."""
        if self.day is not None:
            return f"{self.day} (until midnight UTC)"
        text = _plain(self.until)
        return f"{text.removesuffix(':00')} UTC"


@dataclass(frozen=True)
class AsOfParameter:
    """The point in time that a macro is called with, as its parameter `as_of`."""

    @property
    def limit(self) -> str:
        """The instant until which something was known, in SQL."""
        return f"derived.end_of_knowledge({self.argument})"

    @property
    def argument(self) -> str:
        """What an `..._asof` macro takes for it."""
        return "as_of"


def parse_as_of(given: str | date, now: datetime) -> AsOf:
    """The point in time that `given` means.

    *Raises* UsageError for a text that is none, and for one later than `now`.
    """
    is_day = _is_day(given)
    found = _of_day(given, now) if is_day else _of_instant(_instant(given))
    # The end of today lies ahead, and is meant by today; an instant ahead is not.
    if found is None or (not is_day and found.until > now):
        raise UsageError(
            f"--as-of {given} is later than now, {_plain(now)} UTC",
            hint="what will be known then nobody knows",
        )
    return found


def _is_day(given: str | date) -> bool:
    if not isinstance(given, str):
        return not isinstance(given, datetime)
    try:
        date.fromisoformat(given.strip())
    except ValueError:
        return False
    return True


def _of_day(given: str | date, now: datetime) -> AsOf | None:
    """The whole of a day; None: New York has not come to it."""
    day = date.fromisoformat(given.strip()) if isinstance(given, str) else given
    if day > now.astimezone(_EXCHANGE).date():
        return None
    return AsOf(datetime.combine(day + timedelta(days=1), time(), UTC), day)


def _of_instant(instant: datetime) -> AsOf:
    if instant.time() == time():
        # Midnight is where the day before ends; a macro would take it for the day that begins.
        return AsOf(instant, instant.date() - timedelta(days=1))
    return AsOf(instant)


def _instant(given: str | date) -> datetime:
    try:
        found = datetime.fromisoformat(given.strip()) if isinstance(given, str) else given
        assert isinstance(found, datetime)
        instant = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise UsageError(f"--as-of {given!r} is no point in time", hint=_WANTED) from exc
    if instant.date() == date.min:  # its midnight would be the end of a day before
        raise UsageError(f"--as-of {given!r} is no point in time", hint=_WANTED)
    return instant


def _plain(instant: datetime) -> str:
    return str(instant.astimezone(UTC).replace(tzinfo=None))


def key_of(resource: Resource) -> str | None:
    """The key by which rows may be left out before the current ones are chosen; None: there is none.

    Rows of one grain share it, and its values are texts.
    """
    key = resource.keys[0] if resource.keys else None
    types = {column.name: column.type for column in resource.columns}
    return key if key in resource.grain and types[key] == "VARCHAR" else None


def raw_rows_as_of(
    resource: Resource,
    as_of: AsOf | AsOfParameter,
    keys: Collection[str] | None,
    lacking: Sequence[Column] = (),
) -> str:
    """SELECT of the rows of a raw table that were there at `as_of`, with the columns it has.

    Rows that had been replaced by then are among them, as they are in the table. `keys`: values of
    the resource's key; rows of others are left out. None: all. `lacking`: columns that it got later,
    null then.
    """
    limit = as_of.limit
    is_known = f"rows.known_at <= {limit}"
    if keys is not None:
        listed = ", ".join(literal(key) for key in sorted(keys))
        is_known += (
            f" and rows.{identifier(str(key_of(resource)))} in ({listed})"
            if listed
            else " and false"
        )
    is_standing = f"(rows.replaced_at is null or rows.replaced_at > {limit})"
    current, contested = is_standing, ""
    if resource.grain:
        current += " and coalesce(settled.wins, rows.is_current)"
        contested = _settled(resource, as_of, is_known, is_standing)
    later = "".join(f",\n    null::{c.type} as {identifier(c.name)}" for c in lacking)
    return f"""select
    {_columns(resource, as_of, current)}{later}
from {raw_name(resource)} as rows{contested}
where {is_known}
"""


def _columns(resource: Resource, as_of: AsOf | AsOfParameter, current: str) -> str:
    """What is selected: every column, those of the store's that move with time as they were."""
    moved = {
        name: f"case when rows.replaced_at <= {as_of.limit} then rows.{name} end"
        for name in ("replaced_at", "replaced_by")
    } | {"is_current": current}
    named = {name: f"{sql} as {name}" for name, sql in moved.items()}
    if isinstance(as_of, AsOfParameter):
        # The engine stores what stands in `replace` in an order of the moment, and a star that grows.
        names = [*(column.name for column in resource.columns), *STORE_COLUMNS]
        return ",\n    ".join(named.get(name, f"rows.{identifier(name)}") for name in names)
    replaced = ",\n        ".join(named.values())
    return f"rows.* replace (\n        {replaced}\n    )"


def _settled(
    resource: Resource, as_of: AsOf | AsOfParameter, is_known: str, is_standing: str
) -> str:
    """The join that says of which rows of a contested grain one was the current one.

    Of two rows of a grain one at most is current today: only where a row stood that is not current
    today can another choice have been made.
    """
    table = raw_name(resource)
    grain = ", ".join(f"rows.{identifier(name)}" for name in resource.grain)
    same = " and ".join(
        f"lost.{identifier(name)} is not distinct from rows.{identifier(name)}"
        for name in resource.grain
    )
    return f"""
left join (
    select
        rows.rid,
        row_number() over (partition by {grain} order by {current_order(resource)}) = 1 as wins
    from (
        select rows.*, rows.rowid as rid
        from {table} as rows
        where {is_known} and {is_standing}
    ) as rows
    semi join (
        select {grain}
        from {table} as rows
        where {is_known} and {is_standing} and not rows.is_current
    ) as lost
        on {same}
    left join derived.units_asof({as_of.argument}, {literal(f"raw.{resource.table}")}) as units
        on units.unit_id = rows.unit_id
) as settled
    on settled.rid = rows.rowid"""


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
