# SPDX-License-Identifier: Apache-2.0
"""`ttapi.open()`: one home as an object, whose SQL is made fresh as it is asked.

The shell, the notebook and a program use the same object; it holds no lock between statements.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from ttapi.api import operations
from ttapi.api.answer import Answer, Watchers, frames_in_scope
from ttapi.api.suggestions import as_written, with_suggestion
from ttapi.clock import FixedClock, clock_from
from ttapi.errors import InterruptedQueryError, QueryError, UsageError
from ttapi.home import Home, find_home
from ttapi.refresh.environment import Environment, environment_of
from ttapi.refresh.freshness import Freshness
from ttapi.refresh.installation import InstallationCache, load_installation
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.query import (
    PreparedQuery,
    QueryRequest,
    explain_refresh,
    prepare_query,
    slices_table,
)
from ttapi.refresh.request import declared_instants, explain_read_only, schema_set_by
from ttapi.store.reader import Reader
from ttapi.store.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from ttapi.api.answer import Status
    from ttapi.audit.lookahead import LookAhead
    from ttapi.audit.why import Explanation
    from ttapi.models.lineage import LineageGraph
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.writer import Progress
    from ttapi.store.statements import Statement


# Where a query parameter may stand; a text that only looks like one does no harm.
_MARKER = re.compile(r"[?$]")


class Database:
    """One home: its SQL refreshed as it is asked, its temporary tables kept until it is closed."""

    def __init__(self, home: Home, *, environ: Mapping[str, str] | None = None) -> None:
        """*Raises* UsageError where nothing was initialised, or for a wrong setting."""
        self.home = home
        self._environ = os.environ if environ is None else environ
        if not home.live_file.exists():
            raise UsageError(
                f"{home.root} holds no ttapi database",
                hint=f"ttapi --home {home.root} init makes one",
            )
        self._cache = InstallationCache()
        # A wrong setting is told when the home is opened, not by its first statement.
        _ = self.load_environment()
        # A connection, and its temporary tables, belong to the thread that asked for them, and end with it.
        self._own = threading.local()
        self._readers: WeakSet[Reader] = WeakSet()
        self._refreshing = threading.RLock()  # threads of one program refresh in turn
        self._schema = "main"
        self._is_closed = False

    def load_environment(
        self, *, now: datetime | None = None, symbols: frozenset[str] | None = None
    ) -> Environment:
        """The installation, its state and the instant as they are now: for one statement.

        `now`: another instant; `symbols`: what is named. *Raises* UsageError for a wrong setting.
        """
        installation = load_installation(self.home, self._environ, self._cache)
        clock = FixedClock(now) if now else clock_from(self._environ)
        return environment_of(installation, clock, symbols=symbols)

    @property
    def reader(self) -> Reader:
        """This thread's connection; opened when first used. *Raises* UsageError once closed."""
        if self._is_closed:
            raise UsageError("this database was closed", hint="ttapi.open() opens it again")
        reader: Reader | None = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = Reader(self.home)
            self._readers.add(reader)
        return reader

    def register(self, name: str, frame: Any) -> None:
        """Have this thread's SQL read `frame` under `name`. *Raises* UsageError for what is no frame."""
        self.reader.register(name, frame)

    def unregister(self, name: str) -> None:
        """Forget what was registered under `name`."""
        self.reader.unregister(name)

    def sql(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        freshness: Freshness | None = None,
        as_of: str | date | None = None,
    ) -> Answer:
        """Run `sql` on inputs made fresh first; the answer of the one statement that gives rows, or of the last.

        `as_of`: answered with what was known then; a day means its end, an instant without an
        offset is UTC.

        *Raises* UsageError where several statements answer, and for a relation without an as-of
        form; QueryError, StaleError, BudgetError, LockedError, SourceDownError.
        """
        if (count := self.count_answers(sql)) > 1:
            raise UsageError(
                f"{count} statements answer, sql() returns one",
                hint="ask one at a time, or go through answers()",
            )
        caller = sys._getframe(1)  # noqa: SLF001 - inspect, which says the same, takes 10 ms
        last = None
        with self.frames_in_scope(sql, caller.f_globals | caller.f_locals):
            for answer in self.answers(
                sql, parameters, freshness=freshness, revalidates=False, as_of=as_of
            ):
                if last is None or last.rows is None or answer.rows is not None:
                    last = answer
        if last is None:
            raise QueryError("no statement was given", hint="select * from volatility_latest")
        return last

    def answers(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        keep_rows: int | None = None,
        freshness: Freshness | None = None,
        watchers: Watchers | None = None,
        revalidates: bool = True,
        as_of: str | date | None = None,
    ) -> Iterator[Answer]:
        """Run the statements of `sql` one after the other, the inputs of each made fresh first.

        Where data within its `max_stale` answered at once, the refresh follows when the next answer
        is asked for; with `revalidates` False it is left to `revalidate`. `as_of` as in `sql`.
        """
        watchers = watchers or Watchers()
        for statement in self.reader.split(sql):
            # Settings, models and now are what they are when a statement begins.
            environment = self.load_environment()
            if statement.explained is not None and as_of is None:
                yield self._explain(environment, statement, freshness or Freshness())
                continue
            request = self.request(statement.sql, freshness or Freshness(), parameters)
            told = None
            if as_of is not None:
                request, told = _as_of(environment, request, as_of)
            with self._refreshing:
                prepared = replace(_prepared(environment, request, watchers), as_of=told)
            self.reader.follow()
            if watchers.on_prepared:
                watchers.on_prepared(prepared)
            started = time.monotonic()
            given = parameters if _MARKER.search(statement.sql) else ()
            rows = self._run(request.sql, given, keep_rows=keep_rows, written=statement.sql)
            taken = time.monotonic() - started
            rows = self._with_instants(environment, rows, statement.sql)
            self._schema = schema_set_by(statement.sql) or self._schema
            zone = environment.settings.display_timezone
            yield Answer(statement, rows if statement.gives_rows else None, prepared, taken, zone)
            # Whoever took the answer has shown it: what it did not wait for is done now.
            if revalidates:
                self.revalidate(prepared, progress=watchers.progress)

    def frames_in_scope(
        self, sql: str, variables: Mapping[str, Any]
    ) -> AbstractContextManager[None]:
        """Have `sql` read, inside the block, the frames among `variables` that it names.

        What the home has a relation or macro for is that; `register` gives a frame its name.
        """
        return frames_in_scope(self.reader, self.load_environment().datasets, sql, variables)

    def count_answers(self, sql: str) -> int:
        """How many statements of `sql` give rows. *Raises* QueryError with the engine's text."""
        return sum(statement.gives_rows for statement in self.reader.split(sql))

    def prepare(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        freshness: Freshness | None = None,
        watchers: Watchers | None = None,
    ) -> PreparedQuery:
        """Make what `sql` reads as fresh as asked, without running it."""
        request = self.request(sql, freshness or Freshness(), parameters)
        return _prepared(self.load_environment(), request, watchers or Watchers())

    def request(
        self,
        sql: str,
        freshness: Freshness,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
    ) -> QueryRequest:
        """The request that `sql` makes of the planner, the session's own objects included."""
        named = isinstance(parameters, Mapping)
        bound = dict(parameters) if named else {str(i): v for i, v in enumerate(parameters, 1)}
        return QueryRequest(
            sql,
            freshness,
            bound=bound,
            views=self.reader.temporary_views(),
            temporary=self.reader.temporary_tables(),
            schema=self._schema,
        )

    def revalidate(self, prepared: PreparedQuery, *, progress: Progress | None = None) -> bool:
        """Carry out the refresh an answer did not wait for; whether there was one."""
        if prepared.deferred is None:
            return False
        from ttapi.refresh.writer import (  # noqa: PLC0415 - what an answer did not wait for is rare
            run_refresh,
        )

        run_refresh(self.load_environment(), prepared.deferred, progress=progress)
        return True

    def _explain(
        self, environment: Environment, statement: Statement, freshness: Freshness
    ) -> Answer:
        started = time.monotonic()
        query = str(statement.explained)
        slices = explain_refresh(environment, self.request(query, freshness))
        if not slices and not _MARKER.search(query):
            # It reads nothing of ours: the engine says better than an empty plan what may be wrong.
            self._run(f"explain {query}")
        table = slices_table(slices)
        nothing = PreparedQuery(None, (), (), 0.0)
        taken = time.monotonic() - started
        return Answer(statement, Rows(table, table.num_rows), nothing, taken)

    def _run(
        self,
        sql: str,
        given: Sequence[Any] | Mapping[str, Any] = (),
        *,
        keep_rows: int | None = None,
        written: str | None = None,
    ) -> Rows | None:
        """The statement run; a name it gets wrong is answered with the one that was meant.

        `written`: what stands for `sql` where it was rewritten; what is wrong with it is told of that.
        """
        try:
            return self.reader.run(sql, given, keep_rows=keep_rows)
        except QueryError as exc:
            if written not in {None, sql} and not isinstance(exc, InterruptedQueryError):
                self._bind(str(written), given)
            raise with_suggestion(explain_read_only(exc, sql), sql, self._catalog_rows) from exc

    def _with_instants(self, environment: Environment, rows: Rows | None, sql: str) -> Rows | None:
        """The rows, each column that `sql` passes on from a declared instant marked as one."""
        if rows is None or not any(column.type.id == "timestamp" for column in rows.columns):
            return rows

        instants = declared_instants(environment, sql, self.reader.instant_columns)
        return rows.with_instants(instants)

    def _bind(self, sql: str, given: Sequence[Any] | Mapping[str, Any]) -> None:
        """Nothing, or the QueryError for a name that `sql` gets wrong; it is not run."""
        try:
            self.reader.run(f"explain {sql}", given)
        except QueryError as exc:
            raise with_suggestion(as_written(exc), sql, self._catalog_rows) from exc

    def _catalog_rows(self, sql: str) -> list[list[Any]]:
        found = self.reader.run(sql)
        assert found is not None
        return [list(row.values()) for row in found.table.to_pylist()]

    def refresh(
        self,
        *datasets: str,
        force: bool = False,
        wait_s: float = 60.0,
        command: str = "ttapi refresh",
        watchers: Watchers | None = None,
    ) -> RefreshOutcome:
        """What came of bringing `datasets`, or all, and what they read up to date.

        `command`: what others that wait for the lock are told. *Raises* as `operations.refresh`.
        """
        request = RefreshRequest(datasets, force=force, wait_s=wait_s, command=command)
        told = watchers or Watchers()
        return operations.refresh(
            self.load_environment(), request, progress=told.progress, on_wait=told.on_wait
        )

    def plan(self, *datasets: str, force: bool = False) -> tuple[Step, ...]:
        """What `refresh` would do; nothing is fetched or rebuilt, no lock taken."""
        return operations.plan(self.load_environment(), RefreshRequest(datasets, force=force))

    def status(self, dataset: str | None = None) -> Status:
        """How fresh every dataset is, or one. *Raises* as `operations.status`."""
        return operations.status(self.load_environment(), dataset)

    def why(self, relation: str, key: Sequence[str]) -> Explanation:
        """One row explained, up to the lines of the files it comes from.

        `key`: values of the relation's grain in order, or column=value; dates as 2024-06-21.
        *Raises* UsageError for a row or a relation that is not there.
        """
        from ttapi.audit.why import explain_row  # noqa: PLC0415 - for explanations only

        return explain_row(self, relation, key)

    def lineage(self) -> LineageGraph:
        """Where every relation and column comes from, down to what fills the raw tables."""
        from ttapi.audit.replay import read_lineage  # noqa: PLC0415 - for lineage only

        return read_lineage(self)

    def look_ahead(
        self,
        relation: str,
        as_of: str | date,
        *,
        symbols: Collection[str] = (),
        dated_by: str | None = None,
    ) -> LookAhead:
        """What `relation` says of the time up to `as_of` and could not be known then.

        `symbols`: these alone; empty: all. `dated_by`: the column that dates a row; None: found by name.
        *Raises* UsageError for a relation without rows of a grain and a date, or without an as-of form.
        """
        from ttapi.audit.lookahead import find_look_ahead  # noqa: PLC0415 - for this check only

        return find_look_ahead(self, relation, as_of, symbols=symbols, dated_by=dated_by)

    def interrupt(self) -> None:
        """End the statements that run; from another thread or a signal handler."""
        for reader in list(self._readers):
            reader.interrupt()

    def close(self) -> None:
        """Let go of the published file; temporary tables are gone."""
        self._is_closed = True
        for reader in list(self._readers):
            reader.close()
        self._readers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _prepared(environment: Environment, request: QueryRequest, watchers: Watchers) -> PreparedQuery:
    return prepare_query(
        environment,
        request,
        progress=watchers.progress,
        on_wait=watchers.on_wait,
        confirm=watchers.confirm,
    )


def _as_of(
    environment: Environment, request: QueryRequest, given: str | date
) -> tuple[QueryRequest, str]:
    """`request` as of the point in time that `given` means, and how it is read, in words."""
    from ttapi.models.as_of import parse_as_of  # noqa: PLC0415 - for as-of queries only
    from ttapi.refresh.request import as_of_request  # noqa: PLC0415 - so is this

    past, found = as_of_request(environment, request, parse_as_of(given, environment.now))
    return past, found.text


def open_database(home: str | Path | None = None) -> Database:
    """The database at `home`: a folder; None: TTAPI_HOME, else the platform's.

    *Raises* UsageError where nothing was initialised, or for a wrong setting.
    """
    return Database(find_home(None if home is None else Path(home), os.environ))
