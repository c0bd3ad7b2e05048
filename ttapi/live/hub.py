# SPDX-License-Identifier: Apache-2.0
"""The hub: the newest events of each topic, numbered, for those who want them at once.

Topics are `quote:SPY`, `trade:SPY`, `greeks:SPY`, `tick:SPY` and `bar:SPY:time:60`. Of what says how
something stands the newest event counts, and is encoded when somebody asks, once for all who do; of
prints every one, where somebody watches: the last of them stay, so that who was away can go on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pyarrow as pa

    from ttapi.sources.contract import StreamBatch

KINDS: Mapping[str, str] = {
    "quotes": "quote",
    "trades": "trade",
    "greeks": "greeks",
    "time_and_sales": "tick",
    "minutes": "bar",
}
"""By the name of a log resource, the type of its messages and the beginning of its topics."""
KEPT = 2048
"""Messages of a topic that are kept for those who come back, and for who reads slowly."""
AWAY_S = 60.0
"""How long they are kept after the last of those who watched has left."""
_PUBLIC: Mapping[str, Mapping[str, str]] = {
    "quote": {"bid_exchange": "market_center", "ask_exchange": "ask_market_center"},
    "trade": {"exchange": "market_center"},
    "tick": {"exchange": "market_center"},
    "greeks": {"volatility": "implied_volatility"},
    "bar": {"event_time": "start", "count": "trade_count"},
}
"""By type, columns of the log that have another name in the relation users query."""
_OF_ALL = {"sequence": "vendor_sequence"}
"""What is called sequence there is the number of arrival; a message has its topic's own."""
_OF_BARS = ":time:60"
_PRINT, _BAR = "tick", "bar"
"""The kinds of which every event counts, and the newest of every minute."""


@dataclass
class _Topic:
    """What is known of one symbol's events of one kind."""

    kind: str
    name: str
    is_newest_alone: bool = False
    """Whether an event takes the place of the one before."""
    sequence: int = 0
    newest: tuple[pa.RecordBatch, int] | None = None
    """Batch and row of the newest event."""
    messages: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=KEPT))
    """With their numbers; where the newest alone counts, the one that was asked for last."""
    minute: datetime | None = None
    """Of the newest bar: another of the same minute takes its place among the messages."""
    watchers: int = 0
    left_at: float | None = None
    """When the last watcher left; None: somebody watches, or nobody ever has."""

    def message(self, kind: str | None = None) -> bytes:
        """The newest event as it is sent; `kind`: instead of its own."""
        assert self.newest is not None
        rows, place = self.newest
        return encoded(kind or self.kind, self.name, self.sequence, rows, place)

    def since(self, sequence: int) -> tuple[bytes, ...]:
        """The messages there are after event number `sequence`, the oldest first."""
        if self.is_newest_alone and self.newest is not None and self.sequence != sequence:
            if not self.messages or self.messages[-1][0] != self.sequence:
                self.messages.clear()
                self.messages.append((self.sequence, self.message()))
            return (self.messages[-1][1],)
        recent = takewhile(lambda one: one[0] > sequence, reversed(self.messages))
        return tuple(message for _, message in recent)[::-1]


@dataclass(frozen=True)
class Missed:
    """What a watcher has not seen of a topic."""

    messages: tuple[bytes, ...]
    sequence: int
    """Of the newest."""
    lost: int = 0
    """Prints between what was seen and the first of these."""


class Hub:
    """Fed by recorders, asked by servers, each from threads of their own."""

    def __init__(
        self,
        symbols: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`symbols`: of which events may come; None: of any. `clock`: seconds that never go back."""
        self.symbols = None if symbols is None else frozenset(symbols)
        self._clock = clock
        self._topics: dict[str, _Topic] = {}
        self._changed: set[str] = set()
        self._lock = threading.Lock()

    def put(self, batch: StreamBatch) -> None:
        """Take the events of one batch in."""
        kind = KINDS.get(batch.resource.name)
        rows = batch.rows
        if kind is None or not rows.num_rows:
            return
        ending = _OF_BARS if kind == "bar" else ""
        symbols = rows["symbol"].to_pylist()
        with self._lock:
            if kind == _BAR:
                for symbol, minute, place in _bars(symbols, rows):
                    self._add(f"{kind}:{symbol}{ending}", rows, place, minute)
            elif batch.resource.conflates_by:
                for symbol, place in {s: n for n, s in enumerate(symbols)}.items():
                    self._add(f"{kind}:{symbol}{ending}", rows, place)
            else:
                for place, symbol in enumerate(symbols):
                    self._add(f"{kind}:{symbol}{ending}", rows, place)

    def _add(
        self, name: str, rows: pa.RecordBatch, place: int, minute: datetime | None = None
    ) -> None:
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = _new_topic(name)
        before = topic.minute
        if minute is not None and before is not None and minute < before:
            return  # of what was missed, which stands in the file
        topic.sequence += 1
        topic.newest, topic.minute = (rows, place), minute
        if topic.watchers:
            self._changed.add(name)
        elif topic.left_at is None or self._clock() - topic.left_at >= AWAY_S:
            topic.messages.clear()
            topic.left_at = None
            return
        if not topic.is_newest_alone:
            if minute is not None and minute == before and topic.messages:
                topic.messages.pop()
            topic.messages.append((topic.sequence, topic.message()))

    def take_changed(self) -> set[str]:
        """The watched topics that have come to something since this was asked last."""
        with self._lock:
            found, self._changed = self._changed, set()
        return found

    def watch(self, name: str) -> tuple[int, bytes | None]:
        """Begin to keep the messages of a topic: its number now, and its newest event as a snapshot."""
        with self._lock:
            topic = self._topics.setdefault(name, _new_topic(name))
            topic.watchers += 1
            topic.left_at = None
            snapshot = topic.message("snapshot") if topic.newest is not None else None
            return topic.sequence, snapshot

    def unwatch(self, name: str) -> None:
        """Let go of a topic that was watched."""
        with self._lock:
            topic = self._topics[name]
            topic.watchers -= 1
            if not topic.watchers:
                topic.left_at = self._clock()
                if topic.newest is None:
                    del self._topics[name]

    def missed(self, name: str, sequence: int) -> Missed:
        """What came to a watched topic after event number `sequence`."""
        with self._lock:
            topic = self._topics[name]
            newest, found = topic.sequence, topic.since(sequence)
        if topic.kind != _PRINT:
            return Missed(found, newest)
        if sequence > newest:  # numbers of a daemon that is gone
            return Missed(found, newest, lost=newest - len(found))
        return Missed(found, newest, lost=newest - sequence - len(found))


def _new_topic(name: str) -> _Topic:
    kind = name.partition(":")[0]
    return _Topic(kind, name, is_newest_alone=kind not in {_PRINT, _BAR})


def _bars(symbols: Sequence[str], rows: pa.RecordBatch) -> list[tuple[str, datetime | None, int]]:
    """Symbol, minute and row of the last word on each minute, the oldest minute first."""
    minutes = rows["event_time"].to_pylist()
    last = {key: place for place, key in enumerate(zip(symbols, minutes, strict=True))}
    found = [(symbol, minute, place) for (symbol, minute), place in last.items()]
    return sorted(found, key=lambda one: (one[1] is not None, one[1]))


def encoded(kind: str, topic: str, sequence: int, rows: pa.RecordBatch, place: int) -> bytes:
    """One event as a message: type, topic, sequence, timestamp (arrival, UTC) and data.

    The names in data are those of the relation that holds such events.
    """
    public = _PUBLIC[topic.partition(":")[0]]
    data: dict[str, Any] = {}
    for number, name in enumerate(rows.schema.names):
        value = rows.column(number)[place].as_py()
        told = _utc(value) if isinstance(value, datetime) else value
        data[public.get(name) or _OF_ALL.get(name, name)] = told
    if topic.startswith("quote:"):
        both = data["bid"] is not None and data["ask"] is not None
        data["mid"] = (data["bid"] + data["ask"]) / 2 if both else None
    return orjson.dumps(
        {
            "type": kind,
            "topic": topic,
            "sequence": sequence,
            "timestamp": data.get("received_at"),
            "data": data,
        }
    )


def _utc(instant: datetime) -> str:
    return instant.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
