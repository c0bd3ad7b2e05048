# SPDX-License-Identifier: Apache-2.0
"""A market faster than one that is made as it goes: frames made beforehand, sent at a rate.

What was sent is kept as counts and sums, so that whoever recorded it can be held to it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.simulator.dxlink.events import last_event

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

    from ttapi.simulator.dxlink.events import Event
    from ttapi.simulator.dxlink.feed import FeedChannel, Wanted
    from ttapi.simulator.vendor_market import VendorMarket

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

    def frames(self, market: VendorMarket, channels: Iterable[FeedChannel]) -> list[Frame]:
        """Frames of everything these channels want that the firehose has, in turns of type."""
        rng = market.tape.past.random("firehose")
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
        cents = 0
        for event in rng.choices(last, k=self.frame_events):
            price = max(1, round(100 * (event[first] or 1)) + rng.randint(-50, 50))
            values = event | {"index": None, first: price / 100}
            values |= dict.fromkeys(others, (price + 1) / 100)
            if rng.random() < self.nan_share:
                values[first], price = None, 0
            row = [values.get(name) for name in names]
            flat += ["NaN" if value is None else value for value in row]
            cents += price
        message = {"type": "FEED_DATA", "channel": channel.number, "data": [event_type, flat]}
        text = json.dumps(message, separators=(",", ":"))
        return Frame(text, event_type, self.frame_events, cents)


def _last_events(market: VendorMarket, event_type: str, wanted: list[Wanted]) -> list[Event]:
    events = (last_event(market, event_type, one.symbol) for one in wanted)
    return [event for event in events if event is not None]


def _by_type(channel: FeedChannel) -> Iterator[tuple[str, list[Wanted]]]:
    for event_type in PRICED:
        wanted = [one for (kind, _), one in channel.wanted.items() if kind == event_type]
        if wanted and channel.is_compact:
            yield event_type, wanted
