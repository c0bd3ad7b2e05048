# SPDX-License-Identifier: Apache-2.0
"""`ttapi.open()`: one home as an object, whose SQL is made fresh as it is asked.

The shell, the notebook and a program use the same object; it holds no lock between statements.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ttapi.config import Home, find_home, load_settings, now_from
from ttapi.errors import QueryError, UsageError
from ttapi.refresh.query import Prepared, QueryRequest, prepare_query
from ttapi.refresh.status import status_rows
from ttapi.refresh.ttl import parse_duration
from ttapi.refresh.workspace import Workspace
from ttapi.store.engine import Connection, connect_snapshot
from ttapi.store.reader import Reader, Rows, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa

    from ttapi.errors import LockOwner
    from ttapi.refresh.progress import Progress


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
    on_prepared: Callable[[Prepared], None] | None = None
    """Told what was refreshed, before the statement runs."""


@dataclass(frozen=True)
class Answer:
    """What one statement gave."""

    statement: Statement
    rows: Rows | None
    """None: the statement has no answer."""
    prepared: Prepared
    seconds: float
    """Of the statement itself, without the refresh before it."""

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

    def __len__(self) -> int:
        return self.rows.total if self.rows else 0


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
        self._workspace = self._fresh_workspace()
        self._reader: Reader | None = None

    @property
    def workspace(self) -> Workspace:
        """The installation as it is at this moment: settings, models and the instant read anew."""
        self._workspace = self._fresh_workspace()
        return self._workspace

    @property
    def reader(self) -> Reader:
        """The connection statements run on; opened when first used."""
        if self._reader is None:
            self._reader = Reader(self.home)
        return self._reader

    def sql(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        freshness: Freshness | None = None,
    ) -> Answer:
        """Run `sql` on inputs made fresh first; the answer of its last statement.

        *Raises* QueryError, StaleError, BudgetError, LockedError, SourceDownError.
        """
        last = None
        for answer in self.answers(sql, parameters, freshness=freshness):
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
    ) -> Iterator[Answer]:
        """Run the statements of `sql` one after the other, the inputs of each made fresh first."""
        watchers = watchers or Watchers()
        for statement in self.reader.split(sql):
            prepared = self.prepare(statement.sql, freshness=freshness, watchers=watchers)
            self.reader.follow()
            if watchers.on_prepared:
                watchers.on_prepared(prepared)
            started = time.monotonic()
            rows = self.reader.run(statement.sql, parameters, keep_rows=keep_rows)
            taken = time.monotonic() - started
            yield Answer(statement, rows if statement.gives_rows else None, prepared, taken)

    def prepare(
        self,
        sql: str,
        *,
        freshness: Freshness | None = None,
        watchers: Watchers | None = None,
    ) -> Prepared:
        """Make what `sql` reads as fresh as asked, without running it."""
        watchers = watchers or Watchers()
        return prepare_query(
            self.workspace,
            self.request(sql, freshness or Freshness()),
            progress=watchers.progress,
            on_wait=watchers.on_wait,
            confirm=watchers.confirm,
        )

    def request(self, sql: str, freshness: Freshness) -> QueryRequest:
        """The request that `sql` makes of the planner, the session's temporary views included."""
        max_age = parse_duration(freshness.max_age) if freshness.max_age else None
        request = QueryRequest(sql, freshness.refresh, max_age, freshness.wait_s)
        return replace(request, is_budget_waived=freshness.is_budget_waived)

    def interrupt(self) -> None:
        """End the statement that runs; from another thread or a signal handler."""
        if self._reader is not None:
            self._reader.interrupt()

    def close(self) -> None:
        """Let go of the published file; temporary tables are gone."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fresh_workspace(self) -> Workspace:
        settings = load_settings(self.home, self._environ)
        return Workspace(self.home, settings, now_from(self._environ))


def open_database(home: str | Path | None = None) -> Database:
    """The database at `home`: a folder; None: TTAPI_HOME, else the platform's.

    *Raises* UsageError where nothing was initialised, or for a wrong setting.
    """
    return Database(find_home(None if home is None else Path(home), os.environ))


def connect_published(home: str | Path | None = None) -> Connection:
    """A plain read-only DuckDB connection on the published file; nothing is refreshed.

    Warns once when data it holds is past its TTL. The caller closes it.

    *Raises* UsageError where nothing is published.
    """
    database = open_database(home)
    workspace = database.workspace
    connection = connect_snapshot(workspace.home.public_file)
    left = workspace.home_state
    rows = status_rows(
        workspace.datasets, left.states, moment=workspace.moment, held=workspace.held()
    )
    stale = [row.dataset for row in rows if row.verdict in {"stale", "missing", "failed"}]
    if stale:
        named = ", ".join(stale[:3]) + (f" and {len(stale) - 3} more" if len(stale) > 3 else "")
        warnings.warn(
            f"past their TTL: {named}; ttapi refresh brings them up to date", stacklevel=3
        )
    return connection
