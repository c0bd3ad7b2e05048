# SPDX-License-Identifier: Apache-2.0
"""A home for people who are not trusted: their SQL in a sandbox, what it reads told with its age.

The doors for machines share it. What it says holds no path of this machine; where private datasets are
hidden it says nothing of them either.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ttapi.api.database import Database
from ttapi.errors import (
    BudgetError,
    BusyError,
    LicenceError,
    QueryError,
    TtapiError,
    UsageError,
    did_you_mean,
)
from ttapi.live.watch import input_versions
from ttapi.refresh.freshness import Freshness, data_age_s
from ttapi.refresh.query import QueryRequest, explain_refresh, plan_query, prepare_query
from ttapi.refresh.request import declared_instants
from ttapi.sqltext import identifier
from ttapi.store.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttapi.audit.why import Explanation
    from ttapi.home import Home
    from ttapi.live.watch import InputVersions
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.freshness import StatusRow
    from ttapi.refresh.query import PlannedSlice, PreparedQuery
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.store.rows import Rows
    from ttapi.store.sandbox import SandboxAnswer
    from ttapi.store.sandbox_protocol import SandboxLimits

_RELATIONS = """
    select d.dataset as relation, d.kind, d.grain, d.about
    from catalog.datasets as d
    where contains(lower(d.dataset || ' ' || coalesce(d.about, '')), lower(?))
    order by d.dataset
"""
_COLUMNS = """
    select
        c.column_name as name,
        c.data_type as type,
        c.comment as comment,
    from duckdb_columns() as c
    where c.database_name = 'market'
        and if(c.schema_name = 'main', '', c.schema_name || '.') || c.table_name = ?
    order by c.column_index
"""
_PARAMETERS = """
    select f.parameters
    from duckdb_functions() as f
    where f.database_name = 'market'
        and if(f.schema_name = 'main', '', f.schema_name || '.') || f.function_name = ?
"""


@dataclass(frozen=True)
class SandboxedAnswer:
    """The rows of one query, and what is to be told beside them."""

    answer: SandboxAnswer
    ages: Mapping[str, str]
    """By root input, how old it is: `3 min old`, `never loaded`."""
    ages_s: Mapping[str, float | None]
    """The same in seconds; None: some part of it that matters was never asked."""
    age_s: float | None
    """Of the oldest of them, but for rules inside their TTL; None as there."""
    notes: tuple[str, ...]
    """What else the reader should know: what was not refreshed, or left out."""
    instants: frozenset[str]
    """Columns that the query passes on from a declared instant, lower case."""

    @property
    def rows(self) -> Rows:
        """The rows as every output of ttapi writes them."""
        return self.answer.rows(self.instants)


@dataclass(frozen=True)
class DescribedRelation:
    """One relation, for somebody who wants to query it."""

    name: str
    kind: str
    """raw, table, view or macro."""
    grain: str | None
    """What one row is; None: not declared."""
    about: str | None
    columns: Sequence[Mapping[str, str | None]]
    """name, type, and a comment with unit, sign and the meaning of null."""
    parameters: Sequence[str] | None
    """Of a macro; None: it is none."""
    freshness: StatusRow | None
    """None: nothing is known of it."""


class SandboxedDatabase:
    """One home, asked by people who are not trusted; threads may share it."""

    def __init__(
        self,
        home: Home,
        *,
        environ: Mapping[str, str] | None = None,
        limits: SandboxLimits | None = None,
        is_private_hidden: bool = True,
        is_personal_hidden: bool = False,
        slots: int = 2,
        spares: int = 1,
    ) -> None:
        """`slots`: queries at a time; `spares`: workers that wait for one.

        `is_personal_hidden`: what is licensed to its owner alone is not there; nor is what is private.

        *Raises* UsageError where nothing was initialised, or for a wrong setting.
        """
        self.is_private_hidden = is_private_hidden or is_personal_hidden
        self.is_personal_hidden = is_personal_hidden
        self._database = Database(home, environ=os.environ if environ is None else environ)
        self._sandbox = Sandbox(
            home,
            limits,
            is_private_hidden=self.is_private_hidden,
            hidden=self._personal if is_personal_hidden else frozenset,
            slots=slots,
            spares=spares,
        )
        self._explaining = threading.Lock()  # one connection answers one question at a time
        self._refreshing = threading.Lock()  # one process of one home refreshes once at a time

    @property
    def limits(self) -> SandboxLimits:
        """What one query may cost."""
        return self._sandbox.limits

    def sql(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        limits: SandboxLimits | None = None,
        max_calls: int | None = None,
        freshness: Freshness | None = None,
    ) -> SandboxedAnswer:
        """The answer of one SELECT, its inputs made fresh first where that may be.

        `max_calls`: source calls that a refresh may make for it; None: nothing is refreshed, and ages
        are told. `limits`: tighter ones than those of the sandbox.

        *Raises* as `Sandbox.run`; StaleError where data is older than `freshness` allows.
        """
        with self._without_paths():
            environment = self._database.load_environment()
            request = self._request(sql, parameters, freshness)
            prepared, notes = self._prepared(environment, request, max_calls)
            answer = self._sandbox.run(sql, parameters, limits)
            instants = self._instants(environment, sql, answer)
        found = () if prepared is None else prepared.ages
        ages = [age for age in found if not self._is_hidden(environment, age.dataset)]
        if answer.is_truncated:
            notes.append(f"only the first {answer.row_count:,} rows: there are more")
        return SandboxedAnswer(
            answer,
            {age.dataset: age.text for age in ages},
            {age.dataset: age.age_s for age in ages},
            data_age_s(ages),
            tuple(self._sandbox.without_paths(note) for note in notes),
            instants,
        )

    def input_versions(self, sql: str) -> InputVersions:
        """What `sql` reads, as it stands; nothing is refreshed. *Raises* QueryError."""
        with self._without_paths():
            environment = self._database.load_environment()
            return input_versions(environment, self._request(sql, (), None))

    def check(self, sql: str) -> None:
        """Nothing, or QueryError for what would be refused; nothing is read or refreshed."""
        with self._without_paths():
            self._sandbox.check(sql)

    def plan(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
    ) -> tuple[PlannedSlice, ...]:
        """What would be fetched and rebuilt for `sql`, and why; nothing is done. *Raises* QueryError."""
        with self._without_paths():
            self._sandbox.check(sql)
            environment = self._database.load_environment()
            request = self._request(sql, parameters, None)
            self._require_visible(environment, plan_query(environment, request).targets)
            return explain_refresh(environment, request)

    def relations(self, matching: str = "") -> list[dict[str, Any]]:
        """relation, kind, grain and about of everything that can be read, of those `matching` a text."""
        with self._without_paths():
            found: list[dict[str, Any]] = self._rows(_RELATIONS, matching)
        return found

    def describe(self, name: str) -> DescribedRelation:
        """All that one who queries `name` wants to know. *Raises* UsageError for one that is not there."""
        known = {one["relation"]: one for one in self.relations()}
        if name not in known:
            self._refuse_licensed(self._database.load_environment(), [name])
            hint = did_you_mean(name, known) or "list_relations lists them"
            raise UsageError(f"no relation is called {name!r}", hint=hint)
        with self._without_paths():
            columns = self._rows(_COLUMNS, name)
            macros = self._rows(_PARAMETERS, name)
            rows = self._database.status(name).rows
            one, parameters = known[name], macros[0]["parameters"] if macros else None
            if parameters is not None:
                columns = self._macro_columns(name, len(parameters))
        freshness = rows[0] if rows else None
        return DescribedRelation(
            name, one["kind"], one["grain"], one["about"], columns, parameters, freshness
        )

    def why(self, relation: str, key: Sequence[str]) -> Explanation:
        """One row explained. *Raises* UsageError for a row or a relation that is not there."""
        with self._without_paths():
            environment = self._database.load_environment()
            self._require_visible(environment, [relation.rpartition(".")[2], relation])
            with self._explaining:
                found = self._database.why(relation, key)
            self._require_visible(environment, [found.relation])
        shown = [one for one in found.downstream if not self._is_hidden(environment, one)]
        return replace(found, downstream=shown)

    def status(self) -> list[StatusRow]:
        """How fresh everything is that can be read."""
        with self._without_paths():
            environment = self._database.load_environment()
            rows = self._database.status().rows
        return [row for row in rows if not self._is_hidden(environment, row.dataset)]

    def refresh(self, datasets: Sequence[str], *, wait_s: float = 60.0) -> RefreshOutcome:
        """What came of bringing `datasets` and what they read up to date.

        *Raises* UsageError for one that is not there; LockedError, SourceDownError.
        """
        with self._without_paths(), self._refreshing:
            self._require_visible(self._database.load_environment(), datasets)
            return self._database.refresh(*datasets, wait_s=wait_s, command="a tool of ttapi mcp")

    def start(self) -> None:
        """Nothing; workers open what is published, before somebody asks."""
        self._sandbox.start()

    def follow(self) -> None:
        """Nothing; workers that wait have opened what was published last."""
        self._sandbox.follow()

    def close(self) -> None:
        """Nothing; every process of it is gone."""
        self._sandbox.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any], freshness: Freshness | None
    ) -> QueryRequest:
        if len(sql) > self.limits.max_sql:
            # Told by the sandbox in its turn: a text that long is given to no parser here.
            return QueryRequest("select 1", freshness or Freshness())
        bound = (
            dict(parameters)
            if isinstance(parameters, dict)
            else {str(i): value for i, value in enumerate(parameters, 1)}
        )
        return QueryRequest(sql, freshness or Freshness(), bound=bound)

    def _prepared(
        self, environment: Environment, request: QueryRequest, max_calls: int | None
    ) -> tuple[PreparedQuery | None, list[str]]:
        """What `request` reads made fresh as far as that may be, and what is to be told of it."""
        try:
            plan = plan_query(environment, request)
        except QueryError:
            # What is not answered here at all is told as such.
            self._sandbox.check(request.sql)
            raise
        self._refuse_licensed(environment, plan.targets)
        if any(self._is_hidden(environment, name) for name in plan.targets):
            # The engine says that there is no such relation.
            return None, []
        may_refresh = max_calls is not None and request.freshness.refresh
        calls = sum(step.calls for step in plan.stale)
        notes = []
        if may_refresh and plan.stale:
            self._sandbox.check(request.sql)
            if calls > (max_calls or 0):
                notes.append(f"not refreshed: it would take {calls} source calls of {max_calls}")
                may_refresh = False
        prepared = None
        if may_refresh:
            try:
                with self._refreshing_alone(request.freshness.wait_s):
                    prepared = prepare_query(environment, request)
            except BudgetError as exc:
                notes.append(f"not refreshed: {exc.message}")
        if prepared is None:
            as_it_is = replace(request.freshness, refresh=False)
            prepared = prepare_query(environment, replace(request, freshness=as_it_is))
            if plan.stale and not notes:
                notes.append("answered from what is held: some of what it reads is stale")
        notes += prepared.warnings
        notes += [f"nothing fills {one}" for one in prepared.unconfigured]
        return prepared, notes

    @contextmanager
    def _refreshing_alone(self, wait_s: float) -> Iterator[None]:
        """Nobody else of this home refreshes in the block. *Raises* BusyError where another does for so long."""
        if not self._refreshing.acquire(timeout=wait_s):
            raise BusyError(f"another query was refreshing for {wait_s:g} s", hint="ask again")
        try:
            yield
        finally:
            self._refreshing.release()

    def _instants(
        self, environment: Environment, sql: str, answer: SandboxAnswer
    ) -> frozenset[str]:
        if not answer.instants:
            return frozenset()

        def declared(relations: frozenset[str]) -> frozenset[str]:
            return frozenset(n for n, of in answer.instants.items() if relations & set(of))

        return declared_instants(environment, sql, declared)

    def _rows(self, sql: str, *parameters: str) -> list[Any]:
        found: list[Any] = self._sandbox.run(sql, parameters).table().to_pylist()
        return found

    def _macro_columns(self, name: str, parameters: int) -> list[Any]:
        """Of a table macro; none of a scalar one, and where the engine needs more than nulls to tell."""
        quoted = ".".join(map(identifier, name.split(".")))
        call = f"{quoted}({', '.join(['null'] * parameters)})"
        with suppress(QueryError):
            found = self._rows(f"describe select * from {call}")
            return [
                {"name": row["column_name"], "type": row["column_type"], "comment": None}
                for row in found
            ]
        return []

    def _is_hidden(self, environment: Environment, name: str) -> bool:
        dataset = environment.datasets.get(name)
        if dataset is None:
            return False
        is_hidden = self.is_personal_hidden and dataset.is_personal
        return is_hidden or (self.is_private_hidden and dataset.is_private)

    def _personal(self) -> frozenset[str]:
        datasets = self._database.load_environment().datasets
        return frozenset(name for name, one in datasets.items() if one.is_personal)

    def _refuse_licensed(self, environment: Environment, names: Sequence[str]) -> None:
        """Nothing, or LicenceError for what is hidden for its licence: that it exists is no secret."""
        for name in names:
            dataset = environment.datasets.get(name)
            if dataset is None or dataset.is_private or not dataset.is_personal:
                continue
            if self.is_personal_hidden:
                raise LicenceError(name)

    def _require_visible(self, environment: Environment, names: Sequence[str]) -> None:
        self._refuse_licensed(environment, names)
        for name in names:
            if self._is_hidden(environment, name):
                raise QueryError(f"Table with name {name} does not exist!")

    @contextmanager
    def _without_paths(self) -> Iterator[None]:
        """Have errors that leave the block say nothing of where this machine keeps its files."""
        try:
            yield
        except TtapiError as exc:
            exc.message = self._sandbox.without_paths(exc.message)
            exc.hint = None if exc.hint is None else self._sandbox.without_paths(exc.hint)
            raise
