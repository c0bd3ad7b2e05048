# SPDX-License-Identifier: Apache-2.0
"""What sockets are told beside live events: queries that are watched, and how the daemon stands.

`watch:DIGEST`, `grid` and `health` are answers of SQL, run in the sandbox when something they read has
changed: a snapshot, then the rows that differ. `tasks` and `system` are the daemon's own state. Equal
texts share one run; nothing is looked at while nobody is there.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from ttapi import __version__
from ttapi.api import (
    Freshness,
    Missed,
    WatchedAnswer,
    WatchedQuery,
    operations,
    picked_rows,
    publication_mark,
    stream_trouble,
)
from ttapi.errors import BusyError, QueryError, TtapiError
from ttapi.server.problems import problem_of, without_paths
from ttapi.server.rows import json_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.api import RowDifference, Rows, SandboxedDatabase
    from ttapi.server.auth import Identity
    from ttapi.server.served_home import ServedHome

log = logging.getLogger("ttapi.server")

LOOK_S = 0.25
"""How often it is looked whether something has changed."""
WATCHES = 5
"""Queries that a caller may have watched."""
KEPT_CHANGES = 16
"""Changes of a topic that are kept for who reads slowly; who is further behind gets a snapshot."""
_RUNS = 2
"""Queries that run at a time."""
_QUERIES: Mapping[str, str] = {
    "grid": "select * from market_grid order by symbol",
    "health": "select * from health",
}
_WATCH = "watch:"
_OF_FEED = ("source", "phase", "since", "connections", "losses", "events", "refused")


_Sight = tuple[bool, bool]
"""Whether a caller sees what is private, and what is licensed to its owner: who see alike share a run."""


@dataclass(frozen=True)
class _Change:
    """What a topic has to say."""

    kind: str
    """Type of the message."""
    data: bytes
    whole: bytes | None = None
    """What who comes later is told instead; None: as before."""


class _Document(Protocol):
    """What a topic is about."""

    def look(self) -> _Change | None:
        """What has changed since the last look; None: nothing. The first tells all."""
        ...


@dataclass
class _Topic:
    """One topic that somebody is subscribed to."""

    name: str
    about: _Document
    sequence: int = 0
    changes: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=KEPT_CHANGES))
    whole: bytes | None = None
    watchers: int = 0
    is_looking: bool = False

    def put(self, change: _Change) -> None:
        """Number and keep a message."""
        self.sequence += 1
        self.whole = change.whole or self.whole
        self.changes.append((self.sequence, self._message(change.kind, change.data)))

    def snapshot(self) -> bytes | None:
        """How it stands; None: it was never looked at."""
        return None if self.whole is None else self._message("snapshot", self.whole)

    def _message(self, kind: str, data: bytes) -> bytes:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        head = {"type": kind, "topic": self.name, "sequence": self.sequence, "timestamp": now}
        return orjson.dumps(head)[:-1] + b',"data":' + data + b"}"


class Topics:
    """All topics of a daemon that are no live events; threads may share them."""

    def __init__(self, served: ServedHome, clock: Callable[[], float] = monotonic) -> None:
        """`clock`: seconds that never go back, by which the cost of queries is told."""
        self._served, self._clock = served, clock
        self._topics: dict[tuple[str, _Sight], _Topic] = {}
        self._watches: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def of(self, caller: Identity) -> CallerTopics:
        """The topics as `caller` may have them."""
        return CallerTopics(self, caller, self._served.sees_personal(caller))

    def join(self, name: str, sql: str | None, who: CallerTopics) -> tuple[int, bytes | None]:
        """Number and snapshot of a topic that is watched from here on."""
        key = (name, who.sight)
        with self._lock:
            if key not in self._topics:
                self._topics[key] = _Topic(name, self._document(name, sql, who.sight))
            topic = self._topics[key]
            topic.watchers += 1
            self._watches[who.caller.name] += name.startswith(_WATCH)
            snapshot = topic.snapshot()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="topics", daemon=True)
                self._thread.start()
        self._woken.set()
        return topic.sequence, snapshot

    def leave(self, name: str, who: CallerTopics) -> None:
        """Let go of a topic; what nobody watches is forgotten."""
        key = (name, who.sight)
        with self._lock:
            topic = self._topics[key]
            topic.watchers -= 1
            self._watches[who.caller.name] -= name.startswith(_WATCH)
            if not topic.watchers:
                del self._topics[key]
        self._woken.set()

    def missed(self, name: str, sight: _Sight, sequence: int) -> Missed:
        """What a topic told after message `sequence`: all of it, or a snapshot."""
        with self._lock:
            topic = self._topics[name, sight]
            found = tuple(message for number, message in topic.changes if number > sequence)
            if len(found) < topic.sequence - sequence and (snapshot := topic.snapshot()):
                found = (snapshot,)
            return Missed(found, topic.sequence)

    def watches_of(self, caller: Identity) -> int:
        """How many queries `caller` has watched, over all sockets."""
        return self._watches[caller.name]

    def _document(self, name: str, sql: str | None, sight: _Sight) -> _Document:
        if name == "tasks":
            return _Tasks(self._served)
        if name == "system":
            return _System(self._served)
        text = _QUERIES.get(name) or sql or ""
        return _Answer(self._served, text, sight, self._clock)

    def _work(self) -> None:
        """Look at every topic again and again, until there is none."""
        with ThreadPoolExecutor(_RUNS, "topics") as pool:
            while True:
                with self._lock:
                    if not self._topics:
                        self._thread = None
                        return
                    idle = [one for one in self._topics.values() if not one.is_looking]
                    for topic in idle:
                        topic.is_looking = True
                for topic in idle:
                    pool.submit(self._look, topic)
                self._woken.wait(LOOK_S)
                self._woken.clear()

    def _look(self, topic: _Topic) -> None:
        change: _Change | None = _error("the daemon's log tells why")
        try:
            change = topic.about.look()
        except BusyError:
            change = None  # every worker is taken: the next look asks again
        except QueryError as exc:
            change = _error(exc.message)
        except TtapiError as exc:
            change = _error(without_paths(problem_of(exc).detail))
        except Exception:
            log.exception("a topic failed", extra={"topic": topic.name})
        with self._lock:
            topic.is_looking = False
            if change is not None:
                topic.put(change)


def _error(detail: str) -> _Change:
    return _Change("error", orjson.dumps({"detail": detail}))


class CallerTopics:
    """The topics as one caller may have them, asked as a hub is."""

    def __init__(self, topics: Topics, caller: Identity, sees_personal: bool) -> None:
        self._topics, self.caller, self.sees_personal = topics, caller, sees_personal
        self.sight: _Sight = (caller.sees_private, sees_personal)

    def refusal(self, name: str) -> str | None:
        """Why the topic cannot be had; None: it can."""
        if name == "tasks" and not self.caller.may("analyst"):
            return "this needs role analyst"
        if name.startswith(_WATCH) and self._topics.watches_of(self.caller) >= WATCHES:
            return f"{WATCHES} queries are watched already"
        return None

    def watch(self, name: str, sql: str | None = None) -> tuple[int, bytes | None]:
        """Number and snapshot of a topic that is watched from here on."""
        return self._topics.join(name, sql, self)

    def unwatch(self, name: str) -> None:
        """Let go of a topic that was watched."""
        self._topics.leave(name, self)

    def missed(self, name: str, sequence: int) -> Missed:
        """What a topic told after message `sequence`."""
        return self._topics.missed(name, self.sight, sequence)


def topic_of(sql: str) -> str:
    """The topic of a query: equal texts have one."""
    return _WATCH + hashlib.sha256(sql.strip().encode()).hexdigest()[:16]


class _Answer:
    """The answer of one query, and how it differs from the one before."""

    def __init__(
        self, served: ServedHome, sql: str, sight: _Sight, clock: Callable[[], float]
    ) -> None:
        self._sandbox: SandboxedDatabase = served.sandboxes.of(*sight)
        self._sql, self._head = sql, dict[str, Any]()
        self._watched = WatchedQuery(
            lambda: publication_mark(served.home),
            lambda: self._sandbox.input_versions(sql),
            self._run,
            clock,
        )

    def _run(self) -> WatchedAnswer:
        found = self._sandbox.sql(self._sql, freshness=Freshness(refresh=False))
        self._head = {
            "generation": found.answer.generation,
            "is_truncated": found.answer.is_truncated,
            "columns": [
                {"name": name, "type": column.type.text}
                for name, column in zip(found.rows.unique_names, found.rows.columns, strict=True)
            ],
        }
        return WatchedAnswer(found.rows, found.answer.seconds)

    def look(self) -> _Change | None:
        """What has changed."""
        found = self._watched.look()
        rows, before = self._watched.rows, self._watched.before
        if found is None or rows is None or not (found or before is None):
            return None
        whole = self._data({"rows": json_rows(rows)})
        if before is None or before.columns != rows.columns:
            return _Change("snapshot", whole, whole)
        return _Change("change", self._data(_difference(before, rows, found)), whole)

    def _data(self, parts: Mapping[str, bytes]) -> bytes:
        written = b"".join(b',"%s":%s' % (name.encode(), part) for name, part in parts.items())
        return orjson.dumps(self._head)[:-1] + written + b"}"


def _difference(before: Rows, after: Rows, found: RowDifference) -> dict[str, bytes]:
    """The rows of a difference by what became of them; `before` and `after` in the same order."""
    return {
        "gone": json_rows(picked_rows(before, found.gone)),
        "before": json_rows(picked_rows(before, [place for place, _ in found.changed])),
        "after": json_rows(picked_rows(after, [place for _, place in found.changed])),
        "added": json_rows(picked_rows(after, found.added)),
    }


class _Tasks:
    """Refreshes: all that are remembered, then those that have moved on."""

    def __init__(self, served: ServedHome) -> None:
        self._queue = served.queue
        self._last: list[dict[str, Any]] | None = None

    def look(self) -> _Change | None:
        """What has changed."""
        before, self._last = self._last, [task.document() for task in self._queue.tasks()]
        whole = orjson.dumps({"tasks": self._last})
        if before is None:
            return _Change("snapshot", whole, whole)
        moved = [task for task in self._last if task not in before]
        return _Change("status", orjson.dumps({"tasks": moved}), whole) if moved else None


class _System:
    """The daemon itself: what is published, what is streamed, how many refreshes there are."""

    def __init__(self, served: ServedHome) -> None:
        self._served = served
        self._last: bytes | None = None

    def look(self) -> _Change | None:
        """What has changed."""
        before, self._last = self._last, orjson.dumps(self._document())
        if before == self._last:
            return None
        return _Change("snapshot" if before is None else "status", self._last, self._last)

    def _document(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "generation": self._served.published.newest(),
            "refresh_tasks": self._served.queue.counts(),
            "stream": _stream(operations.stream_state(self._served.home)),
            "stream_trouble": _trouble(stream_trouble(self._served.home)),
        }


def _stream(state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What may be told of a recorder: not what a vendor's error says."""
    if state is None:
        return None
    feeds = [{name: one.get(name) for name in _OF_FEED} for one in state.get("sources", ())]
    return {name: state.get(name) for name in ("published_at", "counts")} | {"sources": feeds}


def _trouble(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Since when a stream does not run, and when it is tried again; not what a vendor's error says."""
    return None if found is None else {name: found[name] for name in ("since", "again_at")}
