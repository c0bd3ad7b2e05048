# SPDX-License-Identifier: Apache-2.0
"""Many candle histories asked for a few at a time, without a socket.

A history counts as answered a moment after its snapshot is complete: a correction that follows on
its heels is part of it. A symbol that gets no answer fails alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.market.candle_symbol import normalise_candle_symbol
from ttapi.market.dxfeed import EventFlag
from ttapi.sources.dxlink.decode import Refusal
from ttapi.sources.dxlink.frames import Subscription
from ttapi.sources.dxlink.protocol import KEEPALIVE_S
from ttapi.sources.dxlink.snapshots import Series, SnapshotAssembler, event_flags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.sources.dxlink.decode import Event

IN_FLIGHT = 16
"""Histories asked for at once: users report that a channel has a cap."""
ANSWER_S = KEEPALIVE_S + 30.0
"""Longest pause between two rows of a history, or before its first, over one connection. A mute
server is found out before it: then the connection is made again and the pause starts anew."""
SETTLE_S = 0.25
"""How long a complete history is still listened to."""


@dataclass(frozen=True)
class CandleRequest:
    """One series wanted."""

    symbol: str
    """Candle symbol, in any spelling."""
    from_time: int
    """Milliseconds since 1970, inclusive."""

    def subscription(self) -> Subscription:
        """As the feed is asked."""
        return Subscription("Candle", normalise_candle_symbol(self.symbol), self.from_time)


@dataclass(frozen=True)
class CandleHistory:
    """What came of one request."""

    request: CandleRequest
    candles: tuple[Event, ...] = ()
    """Ascending by time; removed rows and the row that ends a history are not among them."""
    is_truncated: bool = False
    """Older candles exist and were not sent."""
    refused: tuple[Refusal, ...] = ()
    """Rows of this history that could not be read."""
    rows_unread: int = 0
    """Rows of unknown symbols lost while this history was under way."""
    error: str | None = None
    """Why there is no answer; no candles then."""


@dataclass
class _Flight:
    request: CandleRequest
    due_at: float
    """When it is overdue, or settled where it is complete."""
    series: Series = field(default_factory=Series)
    refused: list[Refusal] = field(default_factory=list)
    rows_unread: int = 0


class HistoryRun:
    """The requests of one run: waiting, under way, answered."""

    def __init__(self, requests: Iterable[CandleRequest], in_flight: int = IN_FLIGHT) -> None:
        self.answered = 0
        """Histories that came, without error."""
        self.complaint = ""
        """What the server said last of something it could not do."""
        self._limit = in_flight
        self._waiting = deque(requests)
        self._flights: dict[str, _Flight] = {}
        self._assembler = SnapshotAssembler(("time",))

    @property
    def is_open(self) -> bool:
        """Something is not answered yet."""
        return bool(self._waiting or self._flights)

    def next_requests(self, now: float) -> list[Subscription]:
        """What can be asked for now; it is under way from here on."""
        asked = []
        # One series at a time: two requests for one cannot be told apart in the answers.
        for _ in range(len(self._waiting)):
            if self._under_way() >= self._limit:
                break
            request = self._waiting.popleft()
            subscription = request.subscription()
            if subscription.symbol in self._flights:
                self._waiting.append(request)
                continue
            self._flights[subscription.symbol] = _Flight(request, now + ANSWER_S)
            asked.append(subscription)
        return asked

    def _under_way(self) -> int:
        return sum(not flight.series.is_complete for flight in self._flights.values())

    def due_at(self) -> float | None:
        """When the next history is settled or overdue; None: nothing is under way."""
        return min((flight.due_at for flight in self._flights.values()), default=None)

    def take(self, events: Sequence[Event], refused: Sequence[Refusal], now: float) -> None:
        """Take in one frame's rows."""
        for flight in self._flights.values() if refused else ():
            flight.rows_unread += sum(refusal.rows for refusal in refused)
        for event in events:
            symbol = normalise_candle_symbol(str(event["eventSymbol"]))
            flight_or_none = self._flights.get(symbol)
            if flight_or_none is not None and event["eventType"] == "Candle":
                self._take_event(flight_or_none, event | {"eventSymbol": symbol}, now)

    def _take_event(self, flight: _Flight, event: Event, now: float) -> None:
        if not flight.series.is_complete:
            flight.due_at = now + ANSWER_S
        if not isinstance(event.get("time"), int) and not event_flags(event) & EventFlag.REMOVE:
            flight.refused.append(Refusal("time is no whole number", str(event)[:500]))
            # Its flags still begin or end the history; the row itself is none.
            event["eventFlags"] = int(event_flags(event) | EventFlag.REMOVE)
        change = self._assembler.take(event)
        if change is not None:
            flight.series.apply(change)
            if change.is_snapshot:
                flight.due_at = now + SETTLE_S

    def finished(self, now: float) -> list[CandleHistory]:
        """Histories settled or overdue since the last call; they are no longer under way."""
        done = []
        for symbol, flight in list(self._flights.items()):
            if flight.due_at > now:
                continue
            if flight.series.is_complete:
                self.answered += 1
                done.append(_history(flight))
            else:
                reason = f"no whole history of {symbol} came within {ANSWER_S:.0f} s"
                said = f"; the server said: {self.complaint}" if self.complaint else ""
                done.append(CandleHistory(flight.request, error=reason + said))
            del self._flights[symbol]
        return done

    def start_over(self, now: float) -> None:
        """The connection broke: what is not complete will be asked for again from its start."""
        self._assembler.drop()
        for symbol, flight in self._flights.items():
            if not flight.series.is_complete:
                self._flights[symbol] = _Flight(flight.request, now + ANSWER_S)

    def give_up(self, reason: str) -> list[CandleHistory]:
        """Failures for everything not answered."""
        requests = [flight.request for flight in self._flights.values()] + list(self._waiting)
        self._flights.clear()
        self._waiting.clear()
        return [CandleHistory(request, error=reason) for request in requests]


def _history(flight: _Flight) -> CandleHistory:
    rows = flight.series.rows
    return CandleHistory(
        flight.request,
        tuple(rows[key] for key in sorted(rows, key=lambda key: int(key[0] or 0))),
        flight.series.is_truncated,
        tuple(flight.refused),
        flight.rows_unread,
    )
