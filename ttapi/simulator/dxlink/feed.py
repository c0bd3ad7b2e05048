# SPDX-License-Identifier: Apache-2.0
"""One channel of the service FEED: what it was asked for, and messages in the form it granted.

A market faster than one that is made as it goes: frames made beforehand, sent at a rate.

What was sent is kept as counts and sums, so that whoever recorded it can be held to it.
"""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from ttapi.market.dxfeed import EVENT_FIELDS, TIME_SERIES, normalise_candle_symbol
from ttapi.simulator.dxlink.events import (
    LAST_EVENTS,
    PrintHistory,
    candle_history,
    empty_history,
    end_of_history,
    forming_candle,
    last_event,
    milliseconds,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from ttapi.simulator.dxlink.events import Event
    from ttapi.simulator.faults import Faults
    from ttapi.simulator.vendor_market import VendorMarket


Message = dict[str, Any]
CONTRACTS = ("AUTO", "HISTORY", "STREAM", "TICKER")
_ROWS = 500
"""Events in one message at most."""
_SPELLINGS = {"vwap": "VWAP"}
"""Names clients ask for, and dxFeed's."""
_TEXTS = frozenset({"bidExchangeCode", "askExchangeCode", "exchangeCode", "description"})
_NULLS = frozenset({"buyer", "seller"})
"""Texts that are null where there are none."""


@dataclass(frozen=True)
class Close:
    """The connection ends here."""

    code: int | None
    """None: it breaks, without a close frame."""
    reason: str = ""


class BadActionError(Exception):
    """A request the channel cannot fulfil; its text goes to the client."""


@dataclass
class Wanted:
    """One subscription."""

    type: str
    symbol: str
    """As the client wrote it."""
    from_time: int | None
    last: Event | None = None
    """The event sent last, so that only changes are sent."""

    @property
    def echo(self) -> str:
        """The symbol events bear."""
        return normalise_candle_symbol(self.symbol) if self.type == "Candle" else self.symbol


@dataclass
class FeedChannel:
    """Subscriptions, columns and form of one channel."""

    number: int
    contract: str
    market: VendorMarket
    faults: Faults
    is_compact: bool = False
    aggregation_s: float = 0.0
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By event type the columns granted."""
    wanted: dict[tuple[str, str], Wanted] = field(default_factory=dict)
    is_configured: bool = False
    is_mid_history: bool = False
    """More of a history follows the message made last."""
    prints: PrintHistory | None = None
    """What is kept of numbered prints; None: of a print only the last is."""

    def configure(self, message: Message) -> Message:
        """Take a FEED_SETUP; the FEED_CONFIG that answers it."""
        if message.get("acceptDataFormat") in {"FULL", "COMPACT"}:
            self.is_compact = message["acceptDataFormat"] == "COMPACT"
        period = message.get("acceptAggregationPeriod")
        if isinstance(period, int | float) and period >= 0:
            self.aggregation_s = period
        accepted = message.get("acceptEventFields") or {}
        if not isinstance(accepted, dict):
            raise BadActionError("acceptEventFields is no object")
        for event_type, names in accepted.items():
            if event_type not in EVENT_FIELDS or not isinstance(names, list):
                raise BadActionError(f"cannot serve fields of {event_type}")
            # No names: those of the server's choice.
            chosen = tuple(map(str, names)) or EVENT_FIELDS[event_type]
            self.fields[event_type] = self._granted(chosen)
        return self._config()

    def _config(self) -> Message:
        self.is_configured = True
        return {
            "type": "FEED_CONFIG",
            "channel": self.number,
            "aggregationPeriod": self.aggregation_s,
            "dataFormat": "COMPACT" if self.is_compact else "FULL",
            "eventFields": {kind: list(names) for kind, names in self.fields.items()},
        }

    def _granted(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if self.faults.active("fewer-fields"):
            names = tuple(n for n in names if n not in {"VWAP", "vwap", "impVolatility"})
        if self.faults.active("reorder-fields"):
            names = names[::-1]
        return names

    def change(self, message: Message) -> Iterator[Message]:
        """Take a FEED_SUBSCRIPTION; what answers it, made as it is sent, histories in turns.

        *Raises* BadActionError, nothing changed.
        """
        added = [self._wanted(entry) for entry in _entries(message, "add")]
        removed = [(str(e.get("type")), str(e.get("symbol"))) for e in _entries(message, "remove")]
        if message.get("reset"):
            self.wanted.clear()
        for key in removed:
            self.wanted.pop(key, None)
        self.wanted |= {(one.type, one.symbol): one for one in added}
        missing = {one.type for one in added} - self.fields.keys()
        self.fields |= {kind: self._granted(EVENT_FIELDS[kind]) for kind in sorted(missing)}
        is_config_due = bool(added) and (bool(missing) or not self.is_configured)
        config = [self._config()] if is_config_due else []
        return chain(config, _in_turns([self._first(one) for one in added]))

    def _wanted(self, entry: Message) -> Wanted:
        kind, symbol, from_time = entry.get("type"), entry.get("symbol"), entry.get("fromTime")
        if not isinstance(kind, str) or not isinstance(symbol, str) or not symbol:
            raise BadActionError("a subscription needs type and symbol")
        if kind != "Candle" and kind not in LAST_EVENTS:
            raise BadActionError(f"event type {kind} is not served")
        if symbol == "*":
            raise BadActionError("no wildcard is served")
        if from_time is not None and not _is_finite(from_time):
            raise BadActionError("fromTime is no number")
        if self.contract == "HISTORY" and kind not in TIME_SERIES:
            raise BadActionError(f"{kind} has no history")
        return Wanted(kind, symbol, None if from_time is None else int(from_time))

    def _first(self, one: Wanted) -> Iterator[Message]:
        events = self._history(one)
        if events is None:
            event = self._now(one)
            events = [] if event is None else self._first_events(event)
            one.last = event
        elif one.type == "Candle":
            one.last = forming_candle(self.market, one.echo)
        yield from self.messages(one.type, events)

    def _first_events(self, event: Event) -> list[Event]:
        if event["eventType"] == "Quote" and self.faults.active("nan"):
            return [event | {"bidPrice": None, "askPrice": None}, event]
        return [event]

    def _history(self, one: Wanted) -> list[Event] | None:
        """The snapshot the contract calls for; None: last values only."""
        if one.type not in TIME_SERIES or one.from_time is None or self.contract == "TICKER":
            return None
        if one.type != "Candle":
            return self._single(one)
        if self.contract == "AUTO" and self.faults.active("auto-empty-candles"):
            return empty_history(one.echo, one.from_time)
        return candle_history(self.market, one.echo, one.from_time, self.faults)

    def _single(self, one: Wanted) -> list[Event]:
        """A history of what is kept of these types: the last one, of numbered prints those kept."""
        if one.type == "TimeAndSale" and self.prints is not None and one.from_time is not None:
            return self.prints.since(one.echo, one.from_time)
        event = one.last = self._now(one)
        end = end_of_history(one.type, one.echo, 0x0A if event else 0x0E)
        return [event | {"eventFlags": 0x04}, end] if event else [end]

    def _now(self, one: Wanted) -> Event | None:
        if one.type == "Candle":
            return forming_candle(self.market, one.echo)
        return last_event(self.market, one.type, one.echo)

    def updates(self) -> Iterator[Message]:
        """What has changed since it was sent, one message a type."""
        changed: dict[str, list[Event]] = {}
        for one in self.wanted.values():
            event = self._now(one)
            if event is not None and not _is_same(event, one.last):
                one.last = event
                changed.setdefault(one.type, []).append(event)
        for event_type, events in changed.items():
            yield from self.messages(event_type, events)

    def messages(self, event_type: str, events: Sequence[Event]) -> Iterator[Message]:
        """FEED_DATA with these events of one type; none for none, for an empty list kills clients."""
        step = 1 if self.faults.active("one-event-per-array") else _ROWS
        names = self.fields[event_type]
        if event_type == "Candle" and (drop := self.faults.active("drop-mid-snapshot")):
            step = min(step, int(drop.number("after")))
        for start in range(0, len(events), step):
            self.is_mid_history = event_type == "Candle" and start + step < len(events)
            part = events[start : start + step]
            if self.is_compact:
                data: list[Any] = [event_type, [_cell(e, n) for e in part for n in names]]
            else:
                data = [{"eventType": event_type} | {n: _cell(e, n) for n in names} for e in part]
            yield {"type": "FEED_DATA", "channel": self.number, "data": data}


def _in_turns(sources: list[Iterator[Message]]) -> Iterator[Message]:
    """One message of each in turn until all have ended."""
    waiting = deque(sources)
    while waiting:
        source = waiting.popleft()
        message = next(source, None)
        if message is not None:
            yield message
            waiting.append(source)


def _entries(message: Message, name: str) -> list[Message]:
    entries = message.get(name) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadActionError(f"{name} is no list of subscriptions")
    return entries


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_same(event: Event, last: Event | None) -> bool:
    if last is None:
        return False
    passing = {"time", "index"} if event["eventType"] not in {"Candle", "TimeAndSale"} else set()
    return all(event[name] == last.get(name) for name in event.keys() - passing)


def _cell(event: Event, name: str) -> Any:
    value = event.get(_SPELLINGS.get(name, name))
    if value is None and name not in _NULLS:
        return "" if name in _TEXTS else "NaN"
    return value


_FRAMES = 64
"""Frames made of each channel and type; they are sent over and over."""
PRICED = {
    "Quote": ("bidPrice", "askPrice"),
    "TimeAndSale": ("price",),
    "Trade": ("price",),
    "Greeks": ("price",),
}
"""Of the types that are sent, the fields that move."""


@dataclass(frozen=True)
class Frame:
    """A text ready to be sent, and the truth about it."""

    text: str
    event_type: str
    events: int
    cents: int
    """Sum of the first of the fields that move, in cents."""
    channel: int = 0
    names: tuple[str, ...] = ()
    """The columns granted."""
    rows: tuple[Event, ...] = ()
    """The events, of a type that is numbered as it is sent; (): the text is as it is."""


@dataclass
class FirehoseTruth:
    """What all connections were sent, by event type."""

    events: Counter[str] = field(default_factory=Counter)
    cents: Counter[str] = field(default_factory=Counter)

    def add(self, frame: Frame) -> None:
        """Count a frame that was sent."""
        self.events[frame.event_type] += frame.events
        self.cents[frame.event_type] += frame.cents


@dataclass
class Firehose:
    """How fast, how much, and what was sent."""

    per_s: float = 0.0
    """Events a second over each connection; 0: as many as it takes."""
    frame_events: int = 100
    limit: int | None = None
    """Events of a connection after which no more are sent; None: no end."""
    channels: int = 1
    """Channels of a connection that must want something before anything is sent."""
    nan_share: float = 0.0
    """Share of events whose first price is NaN."""
    truth: FirehoseTruth = field(default_factory=FirehoseTruth)
    is_numbered: bool = False
    """Whether each print has a number and a time of its own, and is kept for who missed it."""
    kept_prints: int = 100_000
    """Numbered prints that are kept."""
    history: PrintHistory | None = None
    """The prints numbered so far; None: none is."""

    def happened(self, frame: Frame) -> Frame:
        """`frame` as it is sent, counted as the truth."""
        self.truth.add(frame)
        if self.history is None or not frame.rows:
            return frame
        events = [self.history.number(event) for event in frame.rows]
        flat = [_cell(event, name) for event in events for name in frame.names]
        return replace(frame, text=_frame_text(frame.channel, frame.event_type, flat))

    def frames(self, market: VendorMarket, channels: Iterable[FeedChannel]) -> list[Frame]:
        """Frames of everything these channels want that the firehose has, in turns of type."""
        rng = market.tape.past.random("firehose")
        if self.is_numbered and self.history is None:
            self.history = PrintHistory(milliseconds(market.now), self.kept_prints)
        kinds = [
            (channel, event_type, events)
            for channel in channels
            for event_type, wanted in _by_type(channel)
            if (events := _last_events(market, event_type, wanted))
        ]
        return [
            self._frame(channel, event_type, events, rng)
            for _ in range(_FRAMES)
            for channel, event_type, events in kinds
        ]

    def due(self, sent: int, elapsed_s: float) -> int:
        """How many more events should be on their way, so long after the first."""
        due = int(elapsed_s * self.per_s) if self.per_s else sent + 50 * self.frame_events
        return (due if self.limit is None else min(due, self.limit)) - sent

    def _frame(
        self, channel: FeedChannel, event_type: str, last: Sequence[Event], rng: random.Random
    ) -> Frame:
        names, (first, *others) = channel.fields[event_type], PRICED[event_type]
        flat: list[object] = []
        rows: list[Event] = []
        cents = 0
        for event in rng.choices(last, k=self.frame_events):
            price = max(1, round(100 * (event[first] or 1)) + rng.randint(-50, 50))
            values = event | {"index": None, first: price / 100}
            values |= dict.fromkeys(others, (price + 1) / 100)
            if rng.random() < self.nan_share:
                values[first], price = None, 0
            row = [values.get(name) for name in names]
            flat += ["NaN" if value is None else value for value in row]
            rows.append(values)
            cents += price
        text = _frame_text(channel.number, event_type, flat)
        is_numbered = self.is_numbered and event_type == "TimeAndSale"
        kept = tuple(rows) if is_numbered else ()
        return Frame(text, event_type, self.frame_events, cents, channel.number, names, kept)


def _frame_text(channel: int, event_type: str, flat: list[Any]) -> str:
    message = {"type": "FEED_DATA", "channel": channel, "data": [event_type, flat]}
    return json.dumps(message, separators=(",", ":"))


def _last_events(market: VendorMarket, event_type: str, wanted: list[Wanted]) -> list[Event]:
    events = (last_event(market, event_type, one.symbol) for one in wanted)
    return [event for event in events if event is not None]


def _by_type(channel: FeedChannel) -> Iterator[tuple[str, list[Wanted]]]:
    for event_type in PRICED:
        wanted = [one for (kind, _), one in channel.wanted.items() if kind == event_type]
        if wanted and channel.is_compact:
            yield event_type, wanted
