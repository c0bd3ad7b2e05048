# SPDX-License-Identifier: Apache-2.0
"""The home a daemon serves, as its routes are handed it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.api import Database, PublishedRelations, SandboxLimits, operations
from ttapi.errors import LicenceError, UnknownNameError, UsageError
from ttapi.server.accounts import OWNER, Accounts
from ttapi.server.audit_trail import AuditTrail
from ttapi.server.auth import LoginPace
from ttapi.server.readiness import Readiness
from ttapi.server.rows import EncodedRows, Kept
from ttapi.server.sandboxes import SandboxCache
from ttapi.server.tasks import RefreshQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ttapi.api import Environment, LineageGraph, SandboxedDatabase
    from ttapi.config import Settings
    from ttapi.home import Home
    from ttapi.server.auth import Identity
    from ttapi.server.handlers import RouteReply
    from ttapi.server.scheduler import Scheduler
    from ttapi.server.tasks import RefreshTask

_OF_HEADERS = 4_000
"""Bytes that an answer takes beside its content, with what was asked."""
_RECENT_S = 1.0
"""How exact the age of data is told, at least."""
_OLDEST_S = 5.0
"""The same, where looking takes its time."""


@dataclass(frozen=True)
class RelationAge:
    """How old the rows of a relation are."""

    asked_at: datetime | None
    """When the oldest of its inputs was compared with the world; None: never, or it has no age."""
    never_loaded: tuple[str, ...] = ()
    """The raw datasets that would fill it, where none of them was ever asked."""
    due_at: datetime | None = None
    """When that is to be looked at anew."""

    def headers(self, now: datetime) -> dict[str, str]:
        """What says it beside an answer."""
        if self.asked_at is None:
            return {}
        age_s = (now - self.asked_at).total_seconds()
        return {"x-ttapi-data-age-s": f"{max(0.0, age_s):.3f}"}


@dataclass(frozen=True)
class FoundReply:
    """An answer that was given."""

    reply: RouteReply
    again: Callable[[], object]
    """Finds and keeps the answer as it is by then."""


@dataclass(frozen=True)
class _Recent:
    """The installation and its state as they were found."""

    at: float
    """When, by the clock of the home."""
    environment: Environment
    fingerprint: str
    """Of its models and sources."""


class ServedHome:
    """The home a daemon serves: its façade, what is published, and who refreshes it."""

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str],
        *,
        accounts: Accounts | None = None,
        is_open: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accounts`: of its users; None: those of the home. `is_open`: others reach it from their machines.

        `clock`: seconds that never go back.
        """
        self.home = home
        self.accounts = accounts or Accounts(home.accounts)
        self.is_open = is_open
        self.audit = AuditTrail(home.logs, clock=clock)
        self.database = Database(home, environ=environ)
        self.readiness = Readiness(home)
        self.published = PublishedRelations(
            home, comments_of=self._macro_comments, newest=self.readiness.newest
        )
        self.queue = RefreshQueue(self.database, self._note_refresh)
        self.settings = self.database.load_environment().settings
        self.login_pace = LoginPace(self.settings.serve_logins, clock)
        self.sandboxes = SandboxCache(home, environ, _limits(self.settings))
        self.scheduler: Scheduler | None = None
        """None: nothing is refreshed by itself."""
        # Explanations read through the database's own connection, which belongs to one thread.
        self._questions = ThreadPoolExecutor(1, "questions")
        self._lineage: tuple[int, LineageGraph] | None = None
        self._clock = clock
        self._recent: _Recent | None = None
        self._is_loading = False
        self._ages: dict[str, tuple[object, RelationAge]] = {}
        self.rows: Kept[EncodedRows] = Kept(lambda rows: len(rows.content))
        """Pieces that were read lately: what many ask at once is read once."""
        self.replies: Kept[FoundReply] = Kept(lambda given: _OF_HEADERS + len(given.reply.content))
        self._aged: set[str] = set()
        """Relations whose age was asked lately."""
        self._lock, self._looking = threading.Lock(), threading.Lock()

    def close(self, timeout_s: float) -> bool:
        """Whether all that ran has ended."""
        is_over = self.queue.close(timeout_s)
        self.database.interrupt()  # an explanation may take its time
        self._questions.shutdown(wait=is_over, cancel_futures=True)
        self.readiness.close()
        self.published.close()
        self.sandboxes.close()
        if is_over:
            self.database.close()
        return is_over

    def schedule(self, *, is_local: bool = False) -> dict[str, Any]:
        """What the scheduler says of itself; `is_local`: to its owner."""
        if self.scheduler is None:
            return {"text": "its scheduler is off"}
        return self.scheduler.document(is_local=is_local)

    def _note_refresh(self, task: RefreshTask) -> None:
        about = {"task": task.id, "datasets": ",".join(task.datasets) or "all"}
        self.audit.note("refresh ended", task.state, who=task.asked_by, about=about)

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

    def age(self, relation: str) -> RelationAge:
        """How old `relation` is, as its inputs say."""
        environment = self._recent_environment()
        self._aged.add(relation)
        found = self._known_age(relation, environment)
        if found is None:
            with self._looking:  # one finds it out; the others see it then
                found = self._known_age(relation, environment) or self._find_age(
                    relation, environment
                )
        return found

    def _find_age(self, relation: str, environment: Environment) -> RelationAge:
        now = environment.now
        try:
            (row,) = operations.status(environment, relation).rows
        except (UsageError, ValueError):  # a formula, which has no age
            found = RelationAge(None)
        else:
            asked_at = None if row.age_s is None else now - timedelta(seconds=row.age_s)
            due_at = row.due_at if row.due_at is not None and row.due_at > now else None
            found = RelationAge(asked_at, row.never_loaded, due_at)
        with self._lock:
            self._ages[relation] = environment.home_state, found
        return found

    def _known_age(self, relation: str, environment: Environment) -> RelationAge | None:
        with self._lock:
            state, found = self._ages.get(relation, (None, RelationAge(None)))
        is_due = found.due_at is not None and found.due_at <= environment.now
        return None if is_due or state is not environment.home_state else found

    def age_headers(self, relation: str | None) -> dict[str, str]:
        """What says beside an answer how old `relation` is; None: nothing does."""
        return {} if relation is None else self.age(relation).headers(self.now())

    def known_age_headers(self, relation: str | None) -> dict[str, str] | None:
        """As `age_headers`, where that is known already; None: it has to be looked at."""
        recent = self._known()
        if relation is None or recent is None:
            return None if recent is None else {}
        self._aged.add(relation)
        found = self._known_age(relation, recent.environment)
        return None if found is None else found.headers(recent.environment.now)

    def stamp(self) -> tuple[int, str, int] | None:
        """Generation, models and second: in them a question has one answer; None: they have to be looked at first."""
        recent = self._known()
        if recent is None:
            return None
        return self.published.newest(), recent.fingerprint, self.second()

    def second(self) -> int:
        """The number of the second: a relation may tell how old something is by the clock."""
        return int(self._clock() // _RECENT_S)

    def now(self) -> datetime:
        """The instant by which ages are told."""
        return self._recent_environment().now

    def _known(self) -> _Recent | None:
        """What was found lately, which is looked at anew beside that; None: it has to be looked at first."""
        with self._lock:
            recent, now = self._recent, self._clock()
            if recent is None or now - recent.at >= _OLDEST_S:
                return None
            is_old = now - recent.at >= _RECENT_S and not self._is_loading
            self._is_loading = self._is_loading or is_old
        if is_old:
            self.readiness.submit(self._load_environment)
        return recent

    def _recent_environment(self) -> Environment:
        """The installation and its state, some seconds old at most: whether they changed is looked at by one.

        A stream leaves another state every two seconds, which takes longer to read than a request may last.
        """
        with self._lock:
            recent, now = self._recent, self._clock()
            most = _OLDEST_S if self._is_loading else _RECENT_S
            if recent is not None and now - recent.at < most:
                return recent.environment
            self._is_loading = True
        return self._load_environment()

    def _load_environment(self) -> Environment:
        try:
            environment = self.database.load_environment()
            # Made of every model file: here, not where the loop asks for it.
            fingerprint = environment.installation.fingerprint
            with self._lock:
                aged, self._aged = self._aged, set()
            # Before anybody takes the other state, so that nobody waits for what is asked again and again.
            for relation in tuple(aged):  # who asks at that moment may add one
                if self._known_age(relation, environment) is None:
                    self._find_age(relation, environment)
            with self._lock:
                self._recent = _Recent(self._clock(), environment, fingerprint)
        finally:
            self._is_loading = False
        return environment

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """What is published in the block is answered from once what was asked lately is answered of it."""
        self.readiness.hold_back()
        try:
            yield
        except BaseException:
            self.readiness.let_go()
            raise
        self.readiness.go_on(self.published.reading, self._load_environment)

    def visible(self, caller: Identity, name: str, generation: int | None = None) -> str:
        """The catalog's name of a relation.

        *Raises* UnknownNameError for one that is private, LicenceError for one that `caller` may know of.
        """
        relation = self.published.relation(name, generation)
        if self.sight_of(caller)(relation.name, relation.is_private):
            return relation.name
        if self.sight_of(caller, is_data=False)(relation.name, relation.is_private):
            raise LicenceError(name)
        raise UnknownNameError(f"{name!r} is no relation")

    def sight_of(self, caller: Identity, *, is_data: bool = True) -> Callable[[str, bool], bool]:
        """Says of a dataset, and of what a generation says of it (private), whether `caller` sees it.

        `is_data`: its rows and columns; else how it stands, which a licence hides from nobody.
        """
        sees_private = caller.sees_private
        sees_personal = not is_data or self.sees_personal(caller)
        if sees_private and sees_personal:
            return lambda _name, _private: True
        datasets = self.database.load_environment().datasets

        def sees(name: str, is_private: bool) -> bool:
            dataset = datasets.get(name)
            if not sees_personal and (dataset is None or dataset.is_personal):
                return False
            is_private = is_private or (dataset is not None and dataset.is_private)
            return sees_private or not is_private

        return sees

    def require_shown(self, caller: Identity, *names: str) -> None:
        """Nothing, or UnknownNameError for a dataset that is there and that `caller` may not see."""
        sees = self.sight_of(caller, is_data=False)
        for name in names:
            if name in self.database.load_environment().datasets and not sees(name, False):
                raise UnknownNameError(f"{name!r} is no dataset")

    def sees_personal(self, caller: Identity) -> bool:
        """Whether `caller` sees what is licensed to its owner alone.

        That is who shows the daemon's own token, and the only user; nobody where others reach the
        daemon, unless `[serve] share_personal` says so.
        """
        if self.settings.serve_share_personal:
            return True
        if self.is_open:
            return False
        return caller.name == OWNER or self.accounts.count() < 2

    def sandbox(self, caller: Identity) -> SandboxedDatabase:
        """Where SQL of `caller` runs."""
        return self.sandboxes.of(caller.sees_private, self.sees_personal(caller))


def _limits(settings: Settings) -> SandboxLimits:
    return SandboxLimits(
        timeout_s=settings.serve_max_seconds,
        max_rows=settings.serve_max_rows,
        max_bytes=settings.serve_max_bytes,
    )
