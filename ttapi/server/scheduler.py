# SPDX-License-Identifier: Apache-2.0
"""What the daemon has refreshed by itself: what is due, source after source, and option chains before a close.

A dataset that fails is asked again after a pause that doubles; what the hour's calls do not suffice for is left
alone. Neither keeps the others, or the tables made of them, from being brought up to date.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.api import RefreshRequest, operations, options_close
from ttapi.api.answer import iso_instant
from ttapi.errors import TtapiError
from ttapi.formats.values import amount
from ttapi.secret import scrubbed
from ttapi.server.kept_fresh import closing_chains, kept_fresh
from ttapi.server.problems import Problem, without_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from ttapi.api import Database, Environment, RefreshOutcome, StatusRow, Step
    from ttapi.server.kept_fresh import KeptFresh
    from ttapi.server.tasks import RefreshQueue, RefreshTask

log = logging.getLogger("ttapi.server.scheduler")

BEFORE_CLOSE = timedelta(minutes=5)
"""When option chains are asked for: early enough to have all quotes of a chain before they end."""
_SHORTEST_S, _LONGEST_S = 1.0, 900.0
_AGAIN_S, _LONGEST_AGAIN_S = 60.0, 3600.0
"""After how long what was asked is asked again at the soonest, and at the latest where it fails."""
_JITTER_S = 15.0
"""Homes that keep the same hours do not ask the same vendor in the same second."""
_HOUR_S = 3600.0
_NAMED = 3
"""Datasets that are named where many fail alike."""
_TABLES, _CHAINS = "tables", "closing chains"


@dataclass
class _Pause:
    """Until when something is not asked again, and how often it has failed by now."""

    until: float
    """Seconds of the clock."""
    failures: int = 0
    error: str = ""
    """For whoever asks."""
    reason: str = ""
    """For its owner, who may read of files and SQL."""


@dataclass(frozen=True)
class _Work:
    """One refresh to have carried out."""

    names: tuple[str, ...]
    """What it is about: datasets, `tables` or `closing chains`."""
    environment: Environment
    request: RefreshRequest


class Scheduler:
    """Looks when something is due, and has it refreshed."""

    def __init__(
        self,
        database: Database,
        queue: RefreshQueue,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`clock`: seconds that never go back; `chance`: 0 to 1, for jitter."""
        self._database, self._queue = database, queue
        self._clock, self._chance = clock, chance
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="scheduler", daemon=True)
        self._pauses: dict[str, _Pause] = {}
        self._left_alone: dict[str, str] = {}
        """Why what is due is not asked."""
        self._calls: deque[tuple[float, int]] = deque()
        self._running: dict[str, tuple[str, ...]] = {}
        self._facts: dict[str, Any] = {}
        self._trouble: str | None = None
        self._wrong: tuple[str, ...] = ()

    def wrong_settings(self) -> tuple[str, ...]:
        """What its settings name that nothing goes by, a line each; the rest is kept all the same."""
        environment = self._database.load_environment()
        return (*kept_fresh(environment).wrong, *closing_chains(environment).wrong)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ends.set()

    def look(self) -> tuple[RefreshTask | None, float]:
        """The task for what comes next, None where nothing does; and the seconds until the next look."""
        environment = self._database.load_environment()
        self._left_alone = {}
        chains, next_chains = self._closing(environment)
        work, dues = chains, []
        kept = kept_fresh(environment)
        self._wrong = (*kept.wrong, *closing_chains(environment).wrong)
        if work is None and kept.is_any:
            steps = operations.plan(environment, _request(*kept.names))
            work = self._asked(environment, steps) or self._built(environment, steps, kept)
            dues = list(self._dues(environment, steps, is_at_work=work is not None))
        pause_s = min(max(min(dues, default=_LONGEST_S), _SHORTEST_S), _LONGEST_S)
        if next_chains is not None:
            pause_s = min(
                pause_s, max(_SHORTEST_S, (next_chains - environment.now).total_seconds())
            )
        self._facts = {
            "keep_fresh": list(environment.settings.serve_keep_fresh),
            "max_calls": environment.settings.serve_max_calls,
            "next_look_at": iso_instant(environment.now + timedelta(seconds=pause_s)),
            "next_closing_chains_at": iso_instant(next_chains),
        }
        self._trouble = None
        return (self._submitted(work) if work else None), pause_s

    def settle(self, task: RefreshTask) -> None:
        """Nothing; what came of `task`, which is over, decides when its datasets are asked again."""
        outcome = task.result
        errors = _errors(outcome) if outcome else {}
        lost = "" if outcome or task.state == "cancelled" else task.error or task.state
        reason = scrubbed(str(task.failure)) if lost and task.failure else ""
        self._calls.append(
            (self._clock(), sum(d.source_calls for d in outcome.datasets) if outcome else 0)
        )
        for name in self._running.pop(task.id):
            # Chains and tables are several datasets: the first that failed speaks for them.
            is_one = name not in {_TABLES, _CHAINS}
            error = lost or (errors.get(name, "") if is_one else next(iter(errors.values()), ""))
            before = self._pauses.get(name)
            failures = (before.failures if before else 0) + 1 if error else 0
            longest = min(_AGAIN_S * 2 ** max(0, failures - 1), _LONGEST_AGAIN_S)
            pause_s = longest * (0.5 + self._chance() / 2) if error else _AGAIN_S
            until = self._clock() + pause_s
            self._pauses[name] = _Pause(until, failures, error, reason or error)

    def document(self, *, is_local: bool = False) -> dict[str, Any]:
        """What it keeps, when it looks next, what fails and what is left alone; `text` says it in a line.

        `is_local`: for its owner, who is told reasons with what they say of files.
        """
        now = self._clock()

        def shown(text: str) -> str:
            return text if is_local else without_paths(text)

        failing = {
            name: {"failures": one.failures, "error": shown(one.reason if is_local else one.error),
                   "again_in_s": max(0.0, one.until - now)}
            for name, one in sorted(self._pauses.items())
            if one.failures
        }  # fmt: skip
        found = {
            **self._facts,
            "calls_in_hour": self._calls_in_hour(),
            "refreshing": sorted({name for names in self._running.values() for name in names}),
            "failing": failing,
            "left_alone": dict(sorted(self._left_alone.items())),
            "wrong_settings": [shown(one) for one in self._wrong],
            "trouble": self._trouble if self._trouble is None else shown(self._trouble),
        }
        lines = _lines(found)
        return {**found, "text": "; ".join(lines), "lines": lines}

    def _closing(self, environment: Environment) -> tuple[_Work | None, datetime | None]:
        """The chains that are to be asked for now, and when the next ones are."""
        now, due, coming = environment.now, set(), []
        datasets = [
            name
            for name, one in environment.raw_datasets.items()
            if one.tracked == "snapshot"
            and one.requires
            and not one.missing_setting
            and not one.lost
        ]
        for symbol in closing_chains(environment).names if datasets else ():
            opens = options_close(symbol, now) - BEFORE_CLOSE
            taken = [
                one
                for name in datasets
                for one in environment.home_state.slices.get(name, ())
                if one.key == symbol and one.asked_at >= opens
            ]
            if opens > now:
                coming.append(opens)
            elif not taken:
                due.add(symbol)
        if not due or self._waits(_CHAINS):
            again = (
                now + timedelta(seconds=self._pauses[_CHAINS].until - self._clock())
                if due
                else None
            )
            return None, min([*coming, *([again] if again else [])], default=None)
        request = RefreshRequest(tuple(datasets), force=True, is_named=False, command="ttapi serve")
        work = _Work((_CHAINS,), replace(environment, symbols=frozenset(due)), request)
        return work, min(coming, default=None)

    def _asked(self, environment: Environment, steps: Sequence[Step]) -> _Work | None:
        """What is due of the first source that may be asked."""
        room = environment.settings.serve_max_calls - self._calls_in_hour()
        chosen: list[str] = []
        source = None
        for step in steps:
            if step.action != "ask" or self._waits(step.dataset):
                continue
            dataset = environment.datasets[step.dataset]
            calls = 0 if dataset.is_local else step.calls
            if calls > room:
                limit = environment.settings.serve_max_calls
                left = f"{max(0, room):,} of the hour's {limit:,} are left"
                self._left_alone[step.dataset] = f"{amount(calls, 'source call')}, and {left}"
            elif source in {None, dataset.source}:
                source = dataset.source
                room -= calls
                chosen.append(step.dataset)
        if not chosen:
            return None
        return _Work(tuple(chosen), environment, _request(*chosen))

    def _built(
        self, environment: Environment, steps: Sequence[Step], kept: KeptFresh
    ) -> _Work | None:
        """The tables that can be made of what is there, whatever cannot be asked now."""
        if self._waits(_TABLES):
            return None
        alone = frozenset(step.dataset for step in steps if step.action == "ask")
        request = replace(_request(*kept.names), left_alone=alone, survey_local=False)
        if alone:
            steps = operations.plan(environment, request)
        is_due = any(step.action == "rebuild" for step in steps) or not environment.is_installed
        return _Work((_TABLES,), environment, request) if is_due else None

    def _dues(
        self, environment: Environment, steps: Sequence[Step], *, is_at_work: bool
    ) -> Iterator[float]:
        """In how many seconds each thing is to be looked at again."""
        # What is due already and asks for nothing, as a log that nobody records, is none to look for.
        rows = [
            row
            for row in operations.status(environment).rows
            if row.due_at is not None and row.due_at.astimezone(UTC) > environment.now
        ]
        yield seconds_to_next(rows, environment.now) + self._chance() * _JITTER_S
        waiting = {step.dataset for step in steps if step.action != "none"} | {_TABLES}
        for name in waiting & self._pauses.keys():
            yield max(0.0, self._pauses[name].until - self._clock()) or _LONGEST_S
        if is_at_work:
            yield _SHORTEST_S

    def _waits(self, name: str) -> bool:
        pause = self._pauses.get(name)
        return pause is not None and pause.until > self._clock()

    def _calls_in_hour(self) -> int:
        while self._calls and self._calls[0][0] <= self._clock() - _HOUR_S:
            self._calls.popleft()
        return sum(calls for _, calls in self._calls)

    def _submitted(self, work: _Work) -> RefreshTask:
        def carry_out(task: RefreshTask) -> RefreshOutcome:
            return operations.refresh(work.environment, work.request, progress=task)

        targets = work.request.targets
        task = self._queue.submit(targets, asked_by="scheduler", work=carry_out)
        self._running[task.id] = work.names
        return task

    def _watch(self) -> None:
        while not self._ends.is_set():
            try:
                task, pause_s = self.look()
                if task is not None:
                    self._await(task)
                    pause_s = self._chance() * _SHORTEST_S
            except (TtapiError, Problem) as exc:
                log.warning("the scheduler could not look", extra={"error": str(exc)})
                self._trouble = str(exc)
                pause_s = _AGAIN_S
            self._ends.wait(pause_s)

    def _await(self, task: RefreshTask) -> None:
        while not task.over.wait(_SHORTEST_S):
            if self._ends.is_set():
                return
        self.settle(task)


def _request(*targets: str) -> RefreshRequest:
    """A refresh of `targets`, of everything where there are none."""
    return RefreshRequest(targets, is_named=False, command="ttapi serve")


def _errors(outcome: RefreshOutcome) -> dict[str, str]:
    """What failed wholly or in part, and the reason."""
    return {
        d.dataset: d.error or d.failed_units[0]
        for d in outcome.datasets
        if d.error or d.failed_units
    }


def _lines(found: dict[str, Any]) -> list[str]:
    """The schedule in lines: what it keeps, what is wrong with the settings, each kind of failure."""
    if "keep_fresh" not in found:
        lines = ["its scheduler has not looked yet"]
    else:
        kept = found["keep_fresh"]
        lines = [f"keeps {'nothing' if kept in (['none'], []) else ', '.join(kept)} fresh"]
    lines += found["wrong_settings"]
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, one in found["failing"].items():
        kinds.setdefault((amount(one["failures"], "time"), one["error"]), []).append(name)
    lines += [f"{_some(names)} failed {times}: {why}" for (times, why), names in kinds.items()]
    for name, why in found["left_alone"].items():
        lines.append(f"{name} is left alone: {why}")
    if found["trouble"]:
        lines.append(f"it cannot look: {found['trouble']}")
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def seconds_to_next(rows: Sequence[StatusRow], now: datetime) -> float:
    """Seconds until the first configured dataset is due, within reason: a folder's clock may be wrong."""
    dues = [
        (row.due_at.astimezone(UTC) - now).total_seconds()
        for row in rows
        if row.due_at is not None and row.verdict != "not configured"
    ]
    return min(max(min(dues, default=_LONGEST_S), _SHORTEST_S), _LONGEST_S)
