# SPDX-License-Identifier: Apache-2.0
"""What each route answers: the façade's operations, asked as HTTP asks and told as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from ttapi.api import (
    Freshness,
    Watchers,
    find_node,
    operations,
)
from ttapi.api import RefreshRequest as Refresh
from ttapi.api.answer import (
    explanation_document,
    iso_instant,
    lineage_document,
    plan_document,
    status_document,
)
from ttapi.errors import UsageError
from ttapi.server.auth import NOBODY, Identity
from ttapi.server.problems import Problem
from ttapi.server.rows import (
    Cursor,
    EncodedRows,
    chosen_type,
    condition_text,
    cursor_for,
    digest_of,
    encoded,
    rows_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttapi.api import PublishedRelation, RowsRequest
    from ttapi.server.messages import RowsQuery
    from ttapi.server.served_home import ServedHome
    from ttapi.server.tasks import RefreshTask

# What the thin routes by symbol read: relation, column of the symbol, column of from and to.
SERIES: Mapping[str, tuple[str, str | None]] = {
    "eod": ("symbol", "date"),
    "volatility": ("symbol", "date"),
    "returns_stddev": ("symbol", "expiration_date"),
    "chain": ("underlying", "expiration_date"),
    "quotes": ("symbol", None),
    "bars": ("symbol", "session_date"),
}


@dataclass(frozen=True)
class Call:
    """One request that was let in, its parameters read."""

    path: Mapping[str, str]
    asked: Any
    """The route's request model."""
    caller: Identity = NOBODY
    accept: str = "*/*"
    if_none_match: str = ""
    url: str = ""
    """Path and query, in the order they came."""
    address: str = ""
    """Where it comes from."""
    request_id: str = ""
    noted: dict[str, object] = field(default_factory=dict)
    """What the audit log is to say of it."""


@dataclass(frozen=True)
class RouteReply:
    """What is answered."""

    body: Any = None
    """JSON; None with `rows` or `text`, and where there is nothing to say."""
    text: str | None = None
    rows: EncodedRows | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    aged: str | None = None
    """The relation whose age a header says at the instant of the answer; None: none does."""
    is_lasting: bool = False
    """Whether all who may see as much and ask the same are answered alike, until something is published."""

    @property
    def content(self) -> bytes:
        """What of it was encoded by its operation."""
        return b"" if self.rows is None else self.rows.content


def list_relations(served: ServedHome, call: Call) -> RouteReply:
    """A piece of the relations, public ones unless all are asked for."""
    cursor = cursor_for(call.asked.cursor, digest_of("relations", call.asked.scope))
    generation, found = served.published.listed(cursor.generation)
    sees = served.sight_of(call.caller)
    shown = [
        one
        for one in found.values()
        if (one.is_public or call.asked.scope == "all") and sees(one.name, one.is_private)
    ]
    piece, following = _piece(shown, call.asked.limit, replace(cursor, generation=generation))
    if not call.caller.sees_private:
        piece = [one.without_accounts() for one in piece]
    document = {"generation": generation, "relations": [_relation(one) for one in piece]}
    return RouteReply({**document, "next": following}, headers=_generation(generation))


def describe_relation(served: ServedHome, call: Call) -> RouteReply:
    """One relation with its columns, their units and their comments."""
    name = served.visible(call.caller, call.path["name"], call.asked.generation)
    relation = served.published.relation(name, call.asked.generation)
    generation = call.asked.generation or served.published.newest()
    if not call.caller.sees_private:
        relation = relation.without_accounts()
    return RouteReply(_relation(relation), headers=_generation(generation), aged=name)


def read_rows(served: ServedHome, call: Call) -> RouteReply:
    """Rows of one relation."""
    return _rows(served, call, rows_request(call.path["name"], call.asked))


def read_series(relation: str) -> Callable[[ServedHome, Call], RouteReply]:
    """The operation that reads rows of one symbol of `relation`."""
    symbol_column, date_column = SERIES[relation]

    def read(served: ServedHome, call: Call) -> RouteReply:
        asked = call.asked
        where = [condition_text(symbol_column, "eq", asked.symbol.strip().upper())]
        for operator, day in (("ge", asked.start), ("lt", asked.end)):
            if day is not None and date_column is None:
                raise UsageError(f"{relation} has one row a symbol: from and to choose nothing")
            if day is not None:
                where.append(condition_text(str(date_column), operator, day))
        return _rows(served, call, rows_request(relation, asked, where))

    return read


def read_expirations(served: ServedHome, call: Call) -> RouteReply:
    """The expirations of a root that are listed on a day."""
    symbol = call.asked.symbol.strip().upper()
    environment = served.database.load_environment()
    day = _day(call.asked.as_of) or operations.last_session(environment.now).isoformat()
    has_own = rows_request("expiration_series", _OneRow(), [condition_text("root", "eq", symbol)])
    generation = call.asked.generation
    root = symbol
    if not served.published.rows(replace(has_own, generation=generation)).total:
        root = "EQUITY"
    request = replace(rows_request("expirations", call.asked), arguments=(day, root))
    return _rows(served, call, request)


def _day(text: str | None) -> str | None:
    """The date that `text` says, as the engine reads it. *Raises* UsageError for what is none."""
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as exc:
        raise UsageError(f"as_of: {text!r} is no DATE", hint="2024-06-14 works") from exc


class _OneRow:
    """A request for one row, as the model of a query says it."""

    columns = order = generation = cursor = None
    where = ()
    offset, limit, refresh = 0, 1, False


def _rows(served: ServedHome, call: Call, request: RowsRequest) -> RouteReply:
    query: RowsQuery = call.asked
    if query.limit > served.settings.serve_window_rows:
        raise UsageError(f"limit is at most {served.settings.serve_window_rows}")
    media_type = chosen_type(call.accept)
    digest = digest_of(request.relation, *map(str, _of_request(request)))
    if query.cursor:
        if query.offset or query.generation:
            raise UsageError("a cursor says offset and generation itself: leave them out")
        cursor = cursor_for(query.cursor, digest)
        request = replace(request, offset=cursor.offset, generation=cursor.generation)
    name = served.visible(call.caller, request.relation, request.generation)
    request = replace(request, hides_accounts=not call.caller.sees_private)
    if query.refresh:
        _refresh(served, call, request)
    with served.published.reading(request.generation) as held:
        etag = f'"{held.number}-{digest_of(call.url, media_type)}"'
        headers = {**_generation(held.number), "etag": etag}
        if is_held_by_caller(etag, call.if_none_match):
            return RouteReply(status=304, headers=headers, aged=name)

        def piece() -> EncodedRows:
            found = served.published.rows_in(held, request)
            end = request.offset + found.rows.total
            goes_on = found.rows.total and end < found.total
            following = Cursor(held.number, end, digest).text if goes_on else None
            return encoded(found, media_type, following)

        rows = served.rows.made((held.number, request, media_type, served.second()), piece)
        held.is_promised |= rows.next is not None
        is_lasting = not query.refresh and query.generation is None and query.cursor is None
        if not rows.total and (never := _never_loaded(served, call, name)):
            notes = [f"never loaded: {', '.join(never['x-ttapi-never-loaded'].split(','))}"]
            rows = encoded(served.published.rows_in(held, request), media_type, None, notes)
            return RouteReply(rows=rows, headers=headers | never, is_lasting=is_lasting)
        return RouteReply(rows=rows, headers=headers, aged=name, is_lasting=is_lasting)


def is_held_by_caller(etag: str, if_none_match: str) -> bool:
    """Whether the caller has the answer of that ETag already.

    Compared weakly, as RFC 9110 (13.1.2) says: a proxy that compresses marks it with W/.
    """
    said = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return bool({etag, "*"} & said)


def _of_request(request: RowsRequest) -> Sequence[object]:
    """All of it that the pieces of one reading have in common."""
    return request.columns, request.conditions, request.order, request.arguments


def _refresh(served: ServedHome, call: Call, request: RowsRequest) -> None:
    if not call.caller.may("analyst"):
        raise Problem(403, "refresh=true needs role analyst")
    if request.generation is not None:
        raise UsageError("a pinned generation is never refreshed: leave out generation or refresh")
    sql, values = served.published.select(request)
    served.queue.run(
        lambda progress: served.database.prepare(
            sql, values, freshness=Freshness(), watchers=Watchers(progress=progress)
        )
    )


def list_datasets(served: ServedHome, call: Call) -> RouteReply:
    """A piece of the datasets, as they are declared."""
    cursor = cursor_for(call.asked.cursor, digest_of("datasets"))
    generation, found = served.published.listed(cursor.generation)
    sees = served.sight_of(call.caller, is_data=False)
    shown = [one for one in found.values() if sees(one.name, one.is_private)]
    piece, following = _piece(shown, call.asked.limit, replace(cursor, generation=generation))
    declared = served.database.load_environment().datasets
    shareable = {name for name, one in declared.items() if not one.is_personal}
    datasets = [
        {
            "dataset": one.name,
            "kind": one.kind,
            "about": one.about,
            "source": one.source,
            "ttl": one.ttl,
            "grain": list(one.grain),
            "is_private": one.is_private,
            "licence": "shared" if one.name in shareable else "personal",
        }
        for one in piece
    ]
    document = {"generation": generation, "datasets": datasets, "next": following}
    return RouteReply(document, headers=_generation(generation))


def read_status(served: ServedHome, call: Call) -> RouteReply:
    """How fresh every dataset is, or one."""
    environment = served.database.load_environment()
    name = call.path.get("dataset")
    if name is not None:
        served.require_shown(call.caller, name)
    sees = served.sight_of(call.caller, is_data=False)
    found = operations.status(environment, name).rows
    rows = [status_document(row) for row in found if sees(row.dataset, False)]
    if name is not None:
        return RouteReply(rows[0])
    generation = served.published.newest()
    now = iso_instant(environment.now)
    document = {"generation": generation, "now": now, "datasets": rows}
    return RouteReply(document, headers=_generation(generation))


def read_plan(served: ServedHome, call: Call) -> RouteReply:
    """What a refresh would do."""
    request = Refresh(tuple(call.asked.dataset), force=call.asked.force)
    served.require_shown(call.caller, *request.targets)
    sees = served.sight_of(call.caller, is_data=False)
    steps = operations.plan(served.database.load_environment(), request)
    shown = [step for step in steps if sees(step.dataset, False)]
    return RouteReply({"steps": plan_document(shown)})


def ask_for_refresh(served: ServedHome, call: Call) -> RouteReply:
    """The task that refreshes what is named, or everything."""
    asked, datasets = call.asked, call.asked.datasets
    symbols = frozenset(one.strip().upper() for one in asked.symbols) or None
    call.noted["datasets"] = ",".join(datasets) or "all"
    served.require_shown(call.caller, *datasets)
    # What nobody knows is told now, not by a task that fails.
    operations.plan(served.database.load_environment(symbols=symbols), Refresh(tuple(datasets)))
    task = served.queue.submit(
        datasets, symbols=symbols, force=asked.force, asked_by=call.caller.name
    )
    place = f"/api/v1/refresh/tasks/{task.id}"
    return RouteReply(task.document(), status=202, headers={"location": place})


def list_tasks(served: ServedHome, call: Call) -> RouteReply:
    """A piece of the refreshes that are remembered, the newest first."""
    cursor = cursor_for(call.asked.cursor, digest_of("tasks"))
    piece, following = _piece(served.queue.tasks(), call.asked.limit, cursor)
    tasks = [_task(served, call, task) for task in piece]
    return RouteReply({"tasks": tasks, "next": following})


def read_task(served: ServedHome, call: Call) -> RouteReply:
    """One refresh, and how far it is."""
    return RouteReply(_task(served, call, served.queue.task(call.path["task"])))


def cancel_task(served: ServedHome, call: Call) -> RouteReply:
    """The refresh that shall end: at once where it waits, between two batches where it runs."""
    task = served.queue.cancel(call.path["task"])
    return RouteReply(_task(served, call, task), status=202)


def _task(served: ServedHome, call: Call, task: RefreshTask) -> dict[str, Any]:
    """The task as `call` may see it: without what it says of datasets that are hidden."""
    document, sees = task.document(), served.sight_of(call.caller, is_data=False)
    document["datasets"] = [name for name in document["datasets"] if sees(name, False)]
    document["progress"] = {
        name: parts for name, parts in document["progress"].items() if sees(name, False)
    }
    if document["outcome"] is not None:
        parts = [one for one in document["outcome"]["datasets"] if sees(one["dataset"], False)]
        document["outcome"] = {**document["outcome"], "datasets": parts}
    return document


def read_lineage(served: ServedHome, call: Call) -> RouteReply:
    """Where a relation, or one column of it, comes from."""
    graph = served.lineage()
    environment = served.database.load_environment()
    node = find_node(graph, call.path["relation"], environment)
    served.visible(call.caller, node[0])
    document, sees = lineage_document(graph, node, environment), served.sight_of(call.caller)
    document["read_by"] = [one for one in document["read_by"] if sees(one, False)]
    return RouteReply(document)


def explain_row(served: ServedHome, call: Call) -> RouteReply:
    """One row explained, up to the lines of the files it comes from."""
    name = served.visible(call.caller, call.path["relation"])
    found = served.ask(lambda database: database.why(name, call.asked.key))
    document, sees = explanation_document(found), served.sight_of(call.caller)
    document["downstream"] = [one for one in document["downstream"] if sees(one, False)]
    return RouteReply(document)


def _piece(found: Sequence[Any], limit: int, cursor: Cursor) -> tuple[Sequence[Any], str | None]:
    """The part of a list that begins at the cursor, and the cursor of what follows it."""
    end = cursor.offset + limit
    following = replace(cursor, offset=end).text if end < len(found) else None
    return found[cursor.offset : end], following


def _relation(relation: PublishedRelation) -> dict[str, Any]:
    columns = relation.columns.values()
    return {
        "name": relation.name,
        "kind": relation.kind,
        "about": relation.about,
        "grain": list(relation.grain),
        "parameters": list(relation.parameters),
        "columns": [{"name": c.name, "type": c.type, "comment": c.comment} for c in columns],
        "source": relation.source,
        "ttl": relation.ttl,
        "is_private": relation.is_private,
    }


def _generation(number: int) -> dict[str, str]:
    return {"x-ttapi-generation": str(number)}


def _never_loaded(served: ServedHome, call: Call, relation: str) -> dict[str, str]:
    """The header that says why there are no rows, where nothing that would fill `relation` was ever asked."""
    sees = served.sight_of(call.caller, is_data=False)
    names = [one for one in served.age(relation).never_loaded if sees(one, False)]
    return {"x-ttapi-never-loaded": ",".join(names)} if names else {}
