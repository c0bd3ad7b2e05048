# SPDX-License-Identifier: Apache-2.0
"""Many candle histories asked for a few at a time, without a socket.

A history counts as answered a moment after its snapshot is complete: a correction that follows on
its heels is part of it. A symbol that gets no answer fails alone.

One history of daily candles as a batch: rows checked, dated and refused one by one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ttapi.market.calendar import NEW_YORK
from ttapi.market.dxfeed import EventFlag, normalise_candle_symbol
from ttapi.sources.contract import Batch, UnitReport, UnitRequest
from ttapi.sources.dxlink.events import EventAssembler, RefusedRows, Series, event_flags
from ttapi.sources.dxlink.protocol import KEEPALIVE_S, Subscription
from ttapi.sources.instants import known_at_close, session_today
from ttapi.sources.text_files import reject_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.sources.dxlink.events import Event

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
    refused: tuple[RefusedRows, ...] = ()
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
    refused: list[RefusedRows] = field(default_factory=list)
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
        self._assembler = EventAssembler(("time",))

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

    def take(self, events: Sequence[Event], refused: Sequence[RefusedRows], now: float) -> None:
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
            flight.refused.append(RefusedRows("time is no whole number", str(event)[:500]))
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


_PRICES = {"open": "open", "high": "high", "low": "low", "close": "close"}
_FIGURES = {
    **_PRICES,
    "volume": "volume",
    "VWAP": "vwap",
    "bidVolume": "bid_volume",
    "askVolume": "ask_volume",
    "impVolatility": "imp_volatility",
    "openInterest": "open_interest",
}
"""dxFeed's field of each column of numbers."""
_COUNTS = {"sequence": "sequence", "count": "count"}
_ENDS = EventFlag.SNAPSHOT_END | EventFlag.SNAPSHOT_SNIP


class _RefusedError(Exception):
    """A candle that cannot be a row; its text is the reason."""


@dataclass(frozen=True)
class _Series:
    """What all rows of a unit share."""

    request: UnitRequest
    streamer_symbol: str
    tho: bool
    now: datetime

    def holds(self, day: date) -> bool:
        """Whether `day` was asked for."""
        low, high = self.request.from_date, self.request.to_date
        return (low is None or day >= low) and (high is None or day < high)


def candle_batch(
    request: UnitRequest, history: CandleHistory, streamer_symbol: str, now: datetime, *, tho: bool
) -> Batch:
    """The rows of one symbol within the dates asked for, with one report."""
    if history.error is not None:
        return Batch((UnitReport(request.unit, error=history.error),))
    series = _Series(request, streamer_symbol, tho, now)
    rows: list[dict[str, object]] = []
    refused = [(0, 0, refusal.reason, refusal.text) for refusal in history.refused]
    for event in history.candles:
        try:
            row = _row(event, series)
        except _RefusedError as exc:
            refused.append((0, 0, str(exc), str(event)))
        else:
            rows += [] if row is None else [row]
    report = UnitReport(
        request.unit,
        rows_in=len(rows) + len(refused),
        rows_accepted=len(rows),
        rows_refused=len(refused),
        first_date=rows[0]["date"] if rows else None,  # type: ignore[arg-type] # _row puts a date there
        last_date=rows[-1]["date"] if rows else None,  # type: ignore[arg-type] # the same
        has_duplicates=False,
        truncated_before=rows[0]["date"] if history.is_truncated and rows else None,  # type: ignore[arg-type] # the same
        notes=_notes(history, rows),
    )
    return Batch((report,), _table(rows, now), _without_lines(reject_table(refused)))


def _row(event: Event, series: _Series) -> dict[str, object] | None:
    """The candle as a row; None for the row that ends a history, and outside the dates asked for."""
    if event.get("close") is None and event_flags(event) & _ENDS:
        return None
    began = _instant(event.get("time"))
    day = session_date(began)
    if not series.holds(day):
        return None
    if day > session_today(series.now):
        raise _RefusedError(f"{day} lies in the future")
    figures = {column: _number(event, field) for field, column in _FIGURES.items()}
    if figures["close"] is None:
        raise _RefusedError("close is missing")
    for column in _PRICES.values():
        price = figures[column]
        if price is not None and price <= 0:
            raise _RefusedError(f"{column} is not above 0")
    return {
        "symbol": series.request.unit.key,
        "streamer_symbol": series.streamer_symbol,
        "tho": series.tho,
        "period": "d",
        "date": day,
        "time": began,
        **{column: _whole(event, field) for field, column in _COUNTS.items()},
        **figures,
    }


def session_date(began: datetime) -> date:
    """The session a daily candle is of: midnight UTC names it, any other instant New York's date."""
    if began.timetz() == time(tzinfo=UTC):
        return began.date()
    return began.astimezone(NEW_YORK).date()


def _instant(milliseconds: object) -> datetime:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)  # type: ignore[call-overload] # anything that is no number raises, as it should
    except (TypeError, ValueError, OverflowError, OSError):
        raise _RefusedError(f"time {milliseconds!r} is no instant") from None


def _number(event: Event, field: str) -> float | None:
    value = event.get(field)
    if value is None:
        return None
    if isinstance(value, bool | str):
        raise _RefusedError(f"{field} is no number")
    try:
        return float(value)
    except OverflowError:
        raise _RefusedError(f"{field} is too large") from None


def _whole(event: Event, field: str) -> int | None:
    value = _number(event, field)
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**62 else None


def _notes(history: CandleHistory, rows: list[dict[str, object]]) -> tuple[str, ...]:
    notes = []
    if not history.refused and all(event.get("close") is None for event in history.candles):
        notes.append("no candle came: unknown symbol, or none in the interval")
    if history.is_truncated and rows:
        notes.append(
            f"history is truncated: the feed sent nothing before {rows[0]['date']}, its limit of candles"
        )
    if history.rows_unread:
        notes.append(f"{history.rows_unread} rows of unknown symbols could not be read meanwhile")
    return tuple(notes)


def _table(rows: list[dict[str, object]], now: datetime) -> pa.Table:
    def column(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([row[name] for row in rows], kind)

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    known_at = known_at_close(pl.Series([row["date"] for row in rows], dtype=pl.Date), now)
    return pa.table(
        {
            "symbol": column("symbol", text),
            "streamer_symbol": column("streamer_symbol", text),
            "tho": column("tho", pa.bool_()),
            "period": column("period", text),
            "date": column("date", pa.date32()),
            "time": pa.array(
                [row["time"].replace(tzinfo=None) for row in rows],  # type: ignore[attr-defined] # _row puts an instant there
                pa.timestamp("us"),
            ),
            **{name: column(name, whole) for name in _COUNTS.values()},
            **{name: column(name, number) for name in _FIGURES.values()},
            "unit": pa.array([0] * len(rows), pa.int32()),
            "line": pa.nulls(len(rows), pa.int32()),
            "known_at": known_at.to_arrow(),
        }
    )


def _without_lines(rejects: pa.Table | None) -> pa.Table | None:
    """Rejects of a stream: they stand on no line."""
    if rejects is None:
        return None
    place = rejects.schema.get_field_index("line")
    return rejects.set_column(place, "line", pa.nulls(rejects.num_rows, pa.int32()))
