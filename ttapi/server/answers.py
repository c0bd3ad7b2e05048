# SPDX-License-Identifier: Apache-2.0
"""What each route answers: the façade's operations, asked as HTTP asks and told as it is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.api import (
    Database,
    Freshness,
    PublishedRelations,
    SandboxCache,
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
from ttapi.errors import UnknownNameError, UsageError
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
from ttapi.server.tasks import RefreshQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttapi.api import LineageGraph, PublishedRelation, RowsRequest
    from ttapi.home import Home
    from ttapi.server.messages import RowsQuery
    from ttapi.server.scheduler import Scheduler

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


@dataclass(frozen=True)
class RouteReply:
    """What is answered."""

    body: Any = None
    """JSON; None with `rows` or `text`, and where there is nothing to say."""
    text: str | None = None
    rows: EncodedRows | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class ServedHome:
    """The home a daemon serves: its façade, what is published, and who refreshes it."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self.home = home
        self.database = Database(home, environ=environ)
        self.published = PublishedRelations(home, comments_of=self._macro_comments)
        self.queue = RefreshQueue(self.database)
        self.sandboxes = SandboxCache(home, environ)
        self.scheduler: Scheduler | None = None
        """None: nothing is refreshed by itself."""
        # Explanations read through the database's own connection, which belongs to one thread.
        self._questions = ThreadPoolExecutor(1, "questions")
        self._lineage: tuple[int, LineageGraph] | None = None
        self._asked_at: dict[str, tuple[object, datetime | None]] = {}
        self._lock = threading.Lock()

    def close(self, timeout_s: float) -> bool:
        """Whether all that ran has ended."""
        is_over = self.queue.close(timeout_s)
        self.database.interrupt()  # an explanation may take its time
        self._questions.shutdown(wait=is_over, cancel_futures=True)
        self.published.close()
        self.sandboxes.close()
        if is_over:
            self.database.close()
        return is_over

    def schedule(self) -> dict[str, Any]:
        """What the scheduler says of itself."""
        if self.scheduler is None:
            return {"text": "its scheduler is off"}
        return self.scheduler.document()

    def _macro_comments(self, name: str) -> Mapping[str, str]:
        model = self.database.load_environment().graph.models.get(name)
        return model.column_comments if model else {}

    def ask(self, question: Callable[[Database], Any]) -> Any:
        """What `question` answers, the newest generation read."""

        def follow_and_ask() -> Any:
            self.database.reader.follow()
            return question(self.database)

        return self._questions.submit(follow_and_ask).result()

    def lineage(self) -> LineageGraph:
        """Where everything comes from, found out once a generation."""
        newest = self.published.newest()
        if self._lineage is None or self._lineage[0] != newest:
            graph = self.ask(lambda database: database.lineage())
            self._lineage = newest, graph
        return self._lineage[1]

    def age_s(self, relation: str) -> float | None:
        """Seconds since the oldest input of `relation` was compared with the world; None: never."""
        environment = self.database.load_environment()
        state = environment.home_state
        with self._lock:
            left, asked_at = self._asked_at.get(relation, (None, None))
        if left is not state:
            try:
                (row,) = operations.status(environment, relation).rows
            except (UsageError, ValueError):  # a formula, which has no age
                age_s = None
            else:
                age_s = row.age_s
            asked_at = None if age_s is None else environment.now - timedelta(seconds=age_s)
            with self._lock:
                self._asked_at[relation] = state, asked_at
        return None if asked_at is None else (environment.now - asked_at).total_seconds()

    def visible(self, caller: Identity, name: str, generation: int | None = None) -> str:
        """The catalog's name of a relation. *Raises* UnknownNameError for one that `caller` may not see."""
        relation = self.published.relation(name, generation)
        if relation.is_private and not caller.sees_private:
            raise UnknownNameError(f"{name!r} is no relation")
        return relation.name


def list_relations(served: ServedHome, call: Call) -> RouteReply:
    """A piece of the relations, public ones unless all are asked for."""
    cursor = cursor_for(call.asked.cursor, digest_of("relations", call.asked.scope))
    generation, found = served.published.listed(cursor.generation)
    shown = [
        one
        for one in found.values()
        if (one.is_public or call.asked.scope == "all")
        and (call.caller.sees_private or not one.is_private)
    ]
    piece, following = _piece(shown, call.asked.limit, replace(cursor, generation=generation))
    document = {"generation": generation, "relations": [_relation(one) for one in piece]}
    return RouteReply({**document, "next": following}, headers=_generation(generation))


def describe_relation(served: ServedHome, call: Call) -> RouteReply:
    """One relation with its columns, their units and their comments."""
    name = served.visible(call.caller, call.path["name"], call.asked.generation)
    relation = served.published.relation(name, call.asked.generation)
    generation = call.asked.generation or served.published.newest()
    return RouteReply(
        _relation(relation), headers={**_generation(generation), **_age(served, name)}
    )


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
        if asked.where:
            where.append(asked.where)
        return _rows(served, call, rows_request(relation, asked, ";".join(where)))

    return read


def read_expirations(served: ServedHome, call: Call) -> RouteReply:
    """The expirations of a root that are listed on a day."""
    symbol = call.asked.symbol.strip().upper()
    environment = served.database.load_environment()
    day = call.asked.as_of or operations.last_session(environment.now).isoformat()
    has_own = rows_request("expiration_series", _OneRow(), condition_text("root", "eq", symbol))
    generation = call.asked.generation
    root = symbol
    if not served.published.rows(replace(has_own, generation=generation)).total:
        root = "EQUITY"
    request = replace(rows_request("expirations", call.asked), arguments=(day, root))
    return _rows(served, call, request)


class _OneRow:
    """A request for one row, as the model of a query says it."""

    columns = where = order = generation = cursor = None
    offset, limit, refresh = 0, 1, False


def _rows(served: ServedHome, call: Call, request: RowsRequest) -> RouteReply:
    query: RowsQuery = call.asked
    media_type = chosen_type(call.accept)
    digest = digest_of(request.relation, *map(str, _of_request(request)))
    if query.cursor:
        if query.offset or query.generation:
            raise UsageError("a cursor says offset and generation itself: leave them out")
        cursor = cursor_for(query.cursor, digest)
        request = replace(request, offset=cursor.offset, generation=cursor.generation)
    name = served.visible(call.caller, request.relation, request.generation)
    if query.refresh:
        _refresh(served, call, request)
    with served.published.reading(request.generation) as held:
        etag = f'"{held.number}-{digest_of(call.url, media_type)}"'
        headers = {**_generation(held.number), **_age(served, name), "etag": etag}
        if etag in {one.strip() for one in call.if_none_match.split(",")}:
            return RouteReply(status=304, headers=headers)
        found = served.published.rows_in(held, request)
        end = request.offset + found.rows.total
        following = None
        if found.rows.total and end < found.total:
            held.is_promised = True
            following = Cursor(held.number, end, digest).text
        return RouteReply(rows=encoded(found, media_type, following), headers=headers)


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
    shown = [one for one in found.values() if call.caller.sees_private or not one.is_private]
    piece, following = _piece(shown, call.asked.limit, replace(cursor, generation=generation))
    datasets = [
        {
            "dataset": one.name,
            "kind": one.kind,
            "about": one.about,
            "source": one.source,
            "ttl": one.ttl,
            "grain": list(one.grain),
            "is_private": one.is_private,
        }
        for one in piece
    ]
    document = {"generation": generation, "datasets": datasets, "next": following}
    return RouteReply(document, headers=_generation(generation))


def read_status(served: ServedHome, call: Call) -> RouteReply:
    """How fresh every dataset is, or one."""
    environment = served.database.load_environment()
    name = call.path.get("dataset")
    rows = [status_document(row) for row in operations.status(environment, name).rows]
    if name is not None:
        return RouteReply(rows[0])
    generation = served.published.newest()
    now = iso_instant(environment.now)
    document = {"generation": generation, "now": now, "datasets": rows}
    return RouteReply(document, headers=_generation(generation))


def read_plan(served: ServedHome, call: Call) -> RouteReply:
    """What a refresh would do."""
    request = Refresh(tuple(call.asked.dataset), force=call.asked.force)
    steps = operations.plan(served.database.load_environment(), request)
    return RouteReply({"steps": plan_document(steps)})


def ask_for_refresh(served: ServedHome, call: Call) -> RouteReply:
    """The task that refreshes what is named, or everything."""
    asked, datasets = call.asked, call.asked.datasets
    symbols = frozenset(one.strip().upper() for one in asked.symbols) or None
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
    return RouteReply({"tasks": [task.document() for task in piece], "next": following})


def read_task(served: ServedHome, call: Call) -> RouteReply:
    """One refresh, and how far it is."""
    return RouteReply(served.queue.task(call.path["task"]).document())


def cancel_task(served: ServedHome, call: Call) -> RouteReply:
    """The refresh that shall end: at once where it waits, between two batches where it runs."""
    return RouteReply(served.queue.cancel(call.path["task"]).document(), status=202)


def read_lineage(served: ServedHome, call: Call) -> RouteReply:
    """Where a relation, or one column of it, comes from."""
    graph = served.lineage()
    environment = served.database.load_environment()
    node = find_node(graph, call.path["relation"], environment)
    served.visible(call.caller, node[0])
    return RouteReply(lineage_document(graph, node, environment))


def explain_row(served: ServedHome, call: Call) -> RouteReply:
    """One row explained, up to the lines of the files it comes from."""
    name = served.visible(call.caller, call.path["relation"])
    found = served.ask(lambda database: database.why(name, call.asked.key))
    return RouteReply(explanation_document(found))


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


def _age(served: ServedHome, relation: str) -> dict[str, str]:
    age_s = served.age_s(relation)
    return {} if age_s is None else {"x-ttapi-data-age-s": f"{max(0.0, age_s):.3f}"}
