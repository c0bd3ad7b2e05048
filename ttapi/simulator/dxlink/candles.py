# SPDX-License-Identifier: Apache-2.0
"""Candles as the feed sends them: a history newest first with its flags, or the one that forms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.candle_symbol import parse_candle_symbol
from ttapi.market.dxfeed import EventFlag, event_index
from ttapi.simulator.dxlink.events import Event, milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.simulator.faults import Faults
    from ttapi.simulator.vendor_events import SimCandle
    from ttapi.simulator.vendor_market import VendorMarket

HISTORY_CAP = 8000
"""Candles in a snapshot; users report about so many of the live server."""
_REMOVED_END = int(EventFlag.REMOVE | EventFlag.SNAPSHOT_END)


def candle_history(
    market: VendorMarket, symbol: str, from_time: int, faults: Faults
) -> list[Event]:
    """A whole snapshot from `from_time` (milliseconds) on; unknown symbols have an empty one."""
    events = [_event(symbol, candle) for candle in reversed(_candles(market, symbol, from_time))]
    cap = int(snip.number("at")) if (snip := faults.active("snip")) else HISTORY_CAP
    if len(events) > cap:
        events = events[:cap]
        events[-1]["eventFlags"] |= int(EventFlag.SNAPSHOT_SNIP)
    elif events and events[-1]["time"] == from_time:
        # A row that says the index is void would take the candle with it.
        events[-1]["eventFlags"] |= int(EventFlag.SNAPSHOT_END)
    else:
        is_bare = bool(events) and faults.active("nan") is not None
        flags = int(EventFlag.SNAPSHOT_END) if is_bare else _REMOVED_END
        events.append(_terminator(symbol, from_time, flags))
    events[0]["eventFlags"] |= int(EventFlag.SNAPSHOT_BEGIN)
    return _spoilt(events, faults)


def empty_history(symbol: str, from_time: int) -> list[Event]:
    """What stands for a history that has nothing."""
    return [_terminator(symbol, from_time, _REMOVED_END | int(EventFlag.SNAPSHOT_BEGIN))]


def forming_candle(market: VendorMarket, symbol: str) -> Event | None:
    """The newest candle as a plain update; None where there is none."""
    # Enough for the longest weekend to hold a day's candle.
    candles = _candles(market, symbol, milliseconds(market.now) - 7 * 86_400_000)
    return _event(symbol, candles[-1]) if candles else None


def _candles(market: VendorMarket, symbol: str, from_time: int) -> Sequence[SimCandle]:
    try:
        series = parse_candle_symbol(symbol)
        since = datetime.fromtimestamp(max(0, from_time) / 1000, UTC)
        period = f"{series.count:g}{series.period}" if series.count != 1 else series.period
        found = market.candles(series.base, period, since)
    except (UsageError, ValueError, OverflowError, OSError):
        return ()
    return [candle for candle in found if milliseconds(candle.time) >= from_time]


def _event(symbol: str, candle: SimCandle) -> Event:
    time = milliseconds(candle.time)
    bought = None if candle.volume is None else candle.volume // 2
    return {
        "eventType": "Candle",
        "eventSymbol": symbol,
        "eventTime": 0,
        "eventFlags": 0,
        "index": event_index(time),
        "time": time,
        "sequence": 0,
        "count": candle.count,
        "open": candle.open,
        "high": candle.high,
        "low": candle.low,
        "close": candle.close,
        "volume": candle.volume,
        "VWAP": candle.vwap,
        "bidVolume": bought,
        "askVolume": None if bought is None else (candle.volume or 0) - bought,
        "impVolatility": None,
        "openInterest": None,
    }


def _terminator(symbol: str, time: int, flags: int) -> Event:
    return {
        "eventType": "Candle",
        "eventSymbol": symbol,
        "eventTime": 0,
        "eventFlags": flags,
        "index": event_index(max(0, time)),
        "time": time,
        "sequence": 0,
        "count": 0,
        **dict.fromkeys(("open", "high", "low", "close", "volume", "VWAP")),
        **dict.fromkeys(("bidVolume", "askVolume", "impVolatility", "openInterest")),
    }


def _spoilt(events: list[Event], faults: Faults) -> list[Event]:
    """The snapshot as faults have it arrive; what it means in the end is the same."""
    if faults.active("late-rows") and len(events) > 4:
        wrong = events[2] | {"close": (events[2]["close"] or 0) + 1}
        late, end = events[1], events[-1]
        correction = events[2] | {"eventFlags": 0}
        events = [events[0], wrong, *events[3:-1], late, end, correction]
    if faults.active("duplicates"):
        plain = int(EventFlag.SNAPSHOT_BEGIN | EventFlag.SNAPSHOT_END | EventFlag.SNAPSHOT_SNIP)
        events = [
            copy
            for event in events
            for copy in ([event] if event["eventFlags"] & plain else [event, dict(event)])
        ]
    return events
