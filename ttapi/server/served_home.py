# SPDX-License-Identifier: Apache-2.0
"""The home a daemon serves, as its routes are handed it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.api import Database, PublishedRelations, SandboxCache, operations
from ttapi.errors import UnknownNameError, UsageError
from ttapi.server.accounts import Accounts
from ttapi.server.audit_trail import AuditTrail
from ttapi.server.auth import LoginPace
from ttapi.server.tasks import RefreshQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.api import LineageGraph
    from ttapi.home import Home
    from ttapi.server.auth import Identity


class ServedHome:
    """The home a daemon serves: its façade, what is published, and who refreshes it."""

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str],
        *,
        accounts: Accounts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accounts`: of its users; None: those of the home. `clock`: seconds that never go back."""
        self.home = home
        self.accounts = accounts or Accounts(home.accounts)
        self.audit = AuditTrail(home.logs)
        self.login_pace = LoginPace(clock)
        self.database = Database(home, environ=environ)
        self.published = PublishedRelations(home, comments_of=self._macro_comments)
        self.queue = RefreshQueue(self.database)
        self.sandboxes = SandboxCache(home, environ)
        # Explanations read through the database's own connection, which belongs to one thread.
        self._questions = ThreadPoolExecutor(1, "questions")
        self._lineage: tuple[int, LineageGraph] | None = None
        self._asked_at: dict[str, tuple[object, datetime | None]] = {}
        self._lock = threading.Lock()

    def close(self, timeout_s: float) -> bool:
        """Whether all that ran has ended."""
        is_over = self.queue.close(timeout_s)
        self._questions.shutdown(wait=is_over, cancel_futures=True)
        self.published.close()
        self.sandboxes.close()
        if is_over:
            self.database.close()
        return is_over

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
