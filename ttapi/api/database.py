# SPDX-License-Identifier: Apache-2.0
"""`ttapi.open()`: one home as an object, whose SQL is made fresh as it is asked.

The shell, the notebook and a program use the same object; it holds no lock between statements.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ttapi.api.suggestions import as_written, with_suggestion
from ttapi.config import load_settings, now_from
from ttapi.errors import InterruptedQueryError, QueryError, UsageError
from ttapi.home import Home, find_home
from ttapi.models.resolve import default_schema
from ttapi.refresh.datasets import parse_duration
from ttapi.refresh.explain import as_table, explain_refresh
from ttapi.refresh.installation import Workspace
from ttapi.refresh.query import PreparedQuery, QueryRequest, prepare_query
from ttapi.refresh.request import explain_read_only
from ttapi.refresh.runner import run_refresh
from ttapi.store.reader import Reader, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    import polars as pl
    import pyarrow as pa

    from ttapi.errors import LockOwner
    from ttapi.formats.chart import Drawing
    from ttapi.refresh.single_flight import Progress
    from ttapi.store.statements import Statement


# Where a query parameter may stand; a text that only looks like one does no harm.
_MARKER = re.compile(r"[?$]")


@dataclass(frozen=True)
class Freshness:
    """How fresh a query wants its inputs, and what it may cost."""

    refresh: bool = True
    max_age: str | None = None
    """A duration (`5m`, `2h`, `1d`): refresh what is older, and refuse what stays so."""
    wait_s: float = 60.0
    is_budget_waived: bool = False


@dataclass(frozen=True)
class Watchers:
    """Who is told and asked while inputs are refreshed."""

    progress: Progress | None = None
    on_wait: Callable[[LockOwner | None], None] | None = None
    confirm: Callable[[str], bool] | None = None
    """Asked when the refresh would exceed its budget; None: refused then."""
    on_prepared: Callable[[PreparedQuery], None] | None = None
    """Told what was refreshed, before the statement runs."""


@dataclass(frozen=True)
class Answer:
    """What one statement gave."""

    statement: Statement
    rows: Rows | None
    """None: the statement has no answer."""
    prepared: PreparedQuery
    seconds: float
    """Of the statement itself, without the refresh before it."""
    zone: str = "America/New_York"
    """Where instants are shown to people: `[display] timezone`."""

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table. *Raises* UsageError where there are none."""
        if self.rows is None:
            raise UsageError(f"{self.statement.kind} gives no rows")
        return self.rows.table

    def pl(self) -> pl.DataFrame:
        """Return the rows as a Polars frame."""
        import polars as pl  # noqa: PLC0415 - a third of a second

        frame = pl.from_arrow(self.arrow())
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def df(self) -> Any:
        """Return the rows as a pandas frame; pandas must be installed."""
        return self.arrow().to_pandas()

    def chart(self, kind: str = "line", x: str | None = None, y: str | None = None) -> Drawing:
        """Return the rows drawn as text: line, bar, hist, scatter or candle."""
        from ttapi.formats.chart import Drawing, draw_chart  # noqa: PLC0415 - pyarrow and plotext, for charts only

        return Drawing(draw_chart(self.arrow(), kind, x, y))

    def __len__(self) -> int:
        return self.rows.total if self.rows else 0

    def _repr_html_(self) -> str:
        """Return the first rows for a notebook, saying how many there are."""
        from ttapi.formats.text import notebook_html  # noqa: PLC0415 - for notebooks only

        if self.rows is None:
            return f"<p>{self.statement.kind.lower()}: no rows</p>"
        return notebook_html(self.rows.table, self.rows.total, self.zone)

    def __repr__(self) -> str:
        """Return the first rows as a table, saying how many there are."""
        from ttapi.formats.text import prompt_text  # noqa: PLC0415 - for Python prompts only

        if self.rows is None:
            return f"{self.statement.kind.lower()}: no rows"
        return prompt_text(self.rows.table, self.rows.total, self.zone)

    def _repr_pretty_(self, printer: Any, is_cycle: bool) -> None:
        """Write the first rows where a prompt shows a value."""
        del is_cycle  # rows hold no answers
        printer.text(repr(self))


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
        self._workspace = self._fresh_workspace(None)
        self._reader: Reader | None = None
        self._schema = "main"
        self._is_closed = False

    @property
    def workspace(self) -> Workspace:
        """The installation as it is at this moment: settings, models and the instant read anew."""
        self._workspace = self._fresh_workspace(self._workspace)
        return self._workspace

    @property
    def reader(self) -> Reader:
        """The connection statements run on; opened when first used. *Raises* UsageError once closed."""
        if self._is_closed:
            raise UsageError("this database was closed", hint="ttapi.open() opens it again")
        if self._reader is None:
            self._reader = Reader(self.home)
        return self._reader

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
        last = None
        found = self.answers(sql, parameters, freshness=freshness, revalidates=False, as_of=as_of)
        for answer in found:
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
            if statement.explained is not None and as_of is None:
                yield self._explain(statement, statement.explained, freshness or Freshness())
                continue
            request = self.request(statement.sql, freshness or Freshness(), parameters)
            told = None
            if as_of is not None:
                request, told = self._as_of(request, as_of)
            prepared = replace(self._prepared(request, watchers), as_of=told)
            self.reader.follow()
            if watchers.on_prepared:
                watchers.on_prepared(prepared)
            started = time.monotonic()
            given = parameters if _MARKER.search(statement.sql) else ()
            rows = self._run(request.sql, given, keep_rows=keep_rows, written=statement.sql)
            taken = time.monotonic() - started
            self._schema = default_schema(statement.sql) or self._schema
            zone = self._workspace.settings.display_timezone
            yield Answer(statement, rows if statement.gives_rows else None, prepared, taken, zone)
            # Whoever took the answer has shown it: what it did not wait for is done now.
            if revalidates:
                self.revalidate(prepared, progress=watchers.progress)

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
        return self._prepared(request, watchers or Watchers())

    def _prepared(self, request: QueryRequest, watchers: Watchers) -> PreparedQuery:
        return prepare_query(
            self.workspace,
            request,
            progress=watchers.progress,
            on_wait=watchers.on_wait,
            confirm=watchers.confirm,
        )

    def _as_of(self, request: QueryRequest, given: str | date) -> tuple[QueryRequest, str]:
        """`request` as of the point in time that `given` means, and how it is read, in words."""
        from ttapi.models.as_of import parse_as_of  # noqa: PLC0415 - for as-of queries only
        from ttapi.refresh.request import as_of_request  # noqa: PLC0415 - so is this

        workspace = self.workspace
        past, found = as_of_request(workspace, request, parse_as_of(given, workspace.now))
        return past, found.text

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
            refresh=freshness.refresh,
            max_age=parse_duration(freshness.max_age) if freshness.max_age else None,
            wait_s=freshness.wait_s,
            is_budget_waived=freshness.is_budget_waived,
            bound=bound,
            views=self.reader.temporary_views(),
            temporary=self.reader.temporary_tables(),
            schema=self._schema,
        )

    def revalidate(self, prepared: PreparedQuery, *, progress: Progress | None = None) -> bool:
        """Carry out the refresh an answer did not wait for; whether there was one."""
        if prepared.deferred is None:
            return False
        run_refresh(self.workspace, prepared.deferred, progress=progress)
        return True

    def _explain(self, statement: Statement, query: str, freshness: Freshness) -> Answer:
        started = time.monotonic()
        slices = explain_refresh(self.workspace, self.request(query, freshness))
        if not slices and not _MARKER.search(query):
            # It reads nothing of ours: the engine says better than an empty plan what may be wrong.
            self._run(f"explain {query}")
        table = as_table(slices)
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

    def interrupt(self) -> None:
        """End the statement that runs; from another thread or a signal handler."""
        if self._reader is not None:
            self._reader.interrupt()

    def close(self) -> None:
        """Let go of the published file; temporary tables are gone."""
        self._is_closed = True
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fresh_workspace(self, before: Workspace | None) -> Workspace:
        settings = load_settings(self.home, self._environ)
        fresh = Workspace(self.home, settings, now_from(self._environ), before=before)
        if before is not None:
            # One before is enough: a chain would hold every workspace there ever was.
            before.forget_before()
        return fresh


def open_database(home: str | Path | None = None) -> Database:
    """The database at `home`: a folder; None: TTAPI_HOME, else the platform's.

    *Raises* UsageError where nothing was initialised, or for a wrong setting.
    """
    return Database(find_home(None if home is None else Path(home), os.environ))
