# SPDX-License-Identifier: Apache-2.0
"""Refreshes, one after the other in one thread: asked for, watched, cancelled."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.api import RefreshRequest, Watchers, allow_reading, interrupt_reading, operations
from ttapi.api.answer import iso_instant, outcome_document
from ttapi.clock import SystemClock
from ttapi.errors import TtapiError, UnknownNameError
from ttapi.server.problems import Problem, defect, problem_of, without_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ttapi.api import Database, Progress, RefreshOutcome

log = logging.getLogger("ttapi.server.tasks")

_TASKS_KEPT = 200
_QUEUED = 50
_OVER = frozenset({"done", "failed", "cancelled"})


_LOGGED = "the daemon's log tells why, under the task's id"


class _Cancelled(KeyboardInterrupt):
    """Ends a refresh between two batches, as an interrupt does: what was committed stands."""


@dataclass(eq=False)
class RefreshTask:
    """One refresh that was asked for."""

    id: str
    datasets: tuple[str, ...]
    """Empty: all."""
    force: bool
    asked_by: str
    asked_at: datetime
    state: str = "queued"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: dict[str, list[int]] = field(default_factory=dict)
    """Units done and in all, by what is worked on."""
    outcome: dict[str, Any] | None = None
    error: str | None = None
    is_cancelled: bool = False
    """Whether it shall end."""
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    symbols: frozenset[str] | None = None
    """None: all that is wanted."""
    work: Callable[[RefreshTask], RefreshOutcome] | None = field(default=None, repr=False)
    """What carries it out; None: a refresh of `datasets`."""
    on_event: Callable[[dict[str, Any]], object] | None = field(default=None, repr=False)
    """Told of progress, and by nothing (`{}`) of the end."""
    result: RefreshOutcome | None = field(default=None, repr=False)
    failure: BaseException | None = field(default=None, repr=False)
    """What it raised."""

    def document(self) -> dict[str, Any]:
        """The task as JSON."""
        return {
            "id": self.id,
            "state": self.state,
            "datasets": list(self.datasets),
            "symbols": sorted(self.symbols or ()),
            "force": self.force,
            "asked_by": self.asked_by,
            "asked_at": iso_instant(self.asked_at),
            "started_at": iso_instant(self.started_at),
            "finished_at": iso_instant(self.finished_at),
            "progress": {what: list(parts) for what, parts in list(self.progress.items())},
            "outcome": self.outcome,
            "error": self.error,
        }

    # What the refresh tells while it runs.

    def started(self, what: str, total: int) -> None:
        """Work on `what` begins, unless it shall not."""
        self._go_on()
        self.progress[what] = [0, total]
        self.tell({"started": [what, total]})

    def advanced(self, what: str, done: int) -> None:
        """`done` units are finished; here it can end."""
        self.progress[what][0] = done
        self.tell({"advanced": [what, done]})
        self._go_on()

    def finished(self, what: str) -> None:
        """Work on `what` is over; how far it came stays."""
        self.tell({"finished": [what]})

    def tell(self, event: dict[str, Any]) -> None:
        """Pass `event` on to whoever watches."""
        if self.on_event:
            self.on_event(event)

    def _go_on(self) -> None:
        if self.is_cancelled:
            raise _Cancelled


class RefreshQueue:
    """The one thread that refreshes, and what waits for it."""

    def __init__(
        self, database: Database, on_end: Callable[[RefreshTask], object] = lambda _: None
    ) -> None:
        """`on_end`: told of each refresh that is over."""
        self._database, self._on_end = database, on_end
        self._tasks: OrderedDict[str, RefreshTask] = OrderedDict()
        self._waiting: deque[Callable[[], None]] = deque()
        self._condition = threading.Condition()
        self._is_closed = False
        self._watcher: RefreshTask | None = None
        self._thread = threading.Thread(target=self._work, name="refreshes", daemon=True)
        self._thread.start()

    def submit(
        self,
        datasets: Sequence[str] = (),
        *,
        symbols: frozenset[str] | None = None,
        force: bool = False,
        asked_by: str,
        work: Callable[[RefreshTask], RefreshOutcome] | None = None,
        on_event: Callable[[dict[str, Any]], object] | None = None,
    ) -> RefreshTask:
        """The task that refreshes these; one that waits already for the same, unless it has `work` of its own.

        *Raises* Problem where too many wait, or the daemon ends.
        """
        wanted = tuple(datasets)
        asked = ("queued", wanted, symbols, force)
        with self._condition:
            for task in self._tasks.values():
                is_same = (task.state, task.datasets, task.symbols, task.force) == asked
                if is_same and work is None and task.work is None:
                    return task
            task = RefreshTask(
                secrets.token_hex(8), wanted, force, asked_by, SystemClock().now(),
                symbols=symbols, work=work, on_event=on_event,
            )  # fmt: skip
            self._put(lambda: self._carry_out(task))
            self._tasks[task.id] = task
            self._forget_old_ones()
        return task

    def run(self, work: Callable[[Progress], object]) -> None:
        """Nothing, once `work` was done in the thread that refreshes; *raises* what it raises."""
        done: Future[object] = Future()
        now = SystemClock().now()
        watcher = RefreshTask("", (), force=False, asked_by="a query", asked_at=now)

        def carry_out() -> None:
            watcher.is_cancelled = self._is_closed
            self._watcher = watcher
            if not self._is_closed:
                allow_reading(threading.current_thread())
            try:
                done.set_result(work(watcher))
            except KeyboardInterrupt:
                done.set_exception(_ending())
            except BaseException as exc:  # noqa: BLE001 - raised again where it is waited for
                done.set_exception(exc)

        with self._condition:
            self._put(carry_out)
        done.result()

    def task(self, task_id: str) -> RefreshTask:
        """The task of that id. *Raises* UnknownNameError."""
        with self._condition:
            task = self._tasks.get(task_id)
        if task is None:
            raise UnknownNameError("no task has that id", hint="the list of tasks has them")
        return task

    def tasks(self) -> list[RefreshTask]:
        """All that are remembered, the newest first."""
        with self._condition:
            return list(reversed(self._tasks.values()))

    def cancel(self, task_id: str) -> RefreshTask:
        """The task, which ends: at once where it waits, between two batches where it runs.

        *Raises* UnknownNameError; Problem where it is over.
        """
        task = self.task(task_id)
        with self._condition:
            if task.state in _OVER:
                raise Problem(409, f"the task is {task.state}: there is nothing to cancel")
            task.is_cancelled = True
            if task.state == "queued":
                self._end(task, "cancelled")
            else:
                self._interrupt()
        return task

    def counts(self) -> dict[str, int]:
        """How many of the remembered tasks are in each state."""
        found = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
        for task in self.tasks():
            found[task.state] += 1
        return found

    def close(self, timeout_s: float) -> bool:
        """Whether what ran has ended: what waits is cancelled, what runs ends between two batches."""
        with self._condition:
            self._is_closed = True
            if self._watcher is not None:
                self._watcher.is_cancelled = True
            for task in self._tasks.values():
                task.is_cancelled = True
                if task.state == "queued":
                    self._end(task, "cancelled")
            self._interrupt()
            self._condition.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_closed(self) -> bool:
        """Whether the daemon ends."""
        return self._is_closed

    def _interrupt(self) -> None:
        """End what the refresh waits for: a source may be silent for minutes."""
        interrupt_reading(self._thread)

    def _put(self, work: Callable[[], None]) -> None:
        if self._is_closed:
            raise _ending()
        if len(self._waiting) >= _QUEUED:
            raise Problem(503, f"{_QUEUED} refreshes wait already", {"retry-after": "10"})
        self._waiting.append(work)
        self._condition.notify_all()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                work = self._waiting.popleft()
            work()

    def _carry_out(self, task: RefreshTask) -> None:
        with self._condition:
            if task.state != "queued":
                return
            task.state, task.started_at = "running", SystemClock().now()
            if not self._is_closed:
                allow_reading(threading.current_thread())
        log.info("refresh began", extra={"task": task.id, "asked_by": task.asked_by})
        try:
            outcome = task.result = (task.work or self._refresh)(task)
        except KeyboardInterrupt as exc:
            task.failure = exc
            self._end(task, "cancelled")
        except TtapiError as exc:
            log.warning("refresh failed", extra={"task": task.id, "error": str(exc)})
            task.failure = exc
            detail = problem_of(exc).detail
            error = _LOGGED if detail == defect().detail else without_paths(detail)
            self._end(task, "failed", error=error)
        except Exception as exc:
            log.exception("refresh failed", extra={"task": task.id})
            task.failure = exc
            self._end(task, "failed", error=_LOGGED)
        else:
            task.outcome = _without_paths(outcome_document(outcome))
            self._end(task, "failed" if outcome.exit_code else "done")

    def _refresh(self, task: RefreshTask) -> RefreshOutcome:
        if task.symbols is not None:
            environment = self._database.load_environment(symbols=task.symbols)
            request = RefreshRequest(task.datasets, force=task.force, command="ttapi serve")
            return operations.refresh(environment, request, progress=task)
        return self._database.refresh(
            *task.datasets,
            force=task.force,
            command="ttapi serve",
            watchers=Watchers(progress=task),
        )

    def _end(self, task: RefreshTask, state: str, error: str | None = None) -> None:
        task.error, task.finished_at = error, SystemClock().now()
        task.state = state
        self._on_end(task)
        task.over.set()
        task.tell({})

    def _forget_old_ones(self) -> None:
        for task in list(self._tasks.values()):
            if len(self._tasks) <= _TASKS_KEPT:
                return
            if task.state in _OVER:
                del self._tasks[task.id]


def _ending() -> Problem:
    return Problem(503, "the daemon is about to end", {"retry-after": "10"})


def _without_paths(outcome: dict[str, Any]) -> dict[str, Any]:
    """What a vendor or the file system said of a dataset may name files."""
    for one in outcome["datasets"]:
        one["error"] = without_paths(one["error"]) if one["error"] else None
        one["reasons"] = [without_paths(reason) for reason in one["reasons"]]
    return outcome
