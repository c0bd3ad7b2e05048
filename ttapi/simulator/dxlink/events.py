# SPDX-License-Identifier: Apache-2.0
"""The market of a moment as dxFeed events: one function a type, all in `LAST_EVENTS`.

None stands for what dxFeed sends as NaN. Exchange times of quotes are 0, as tastytrade's feed
sends them for options and indices.

Candles as the feed sends them: a history newest first with its flags, or the one that forms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ttapi.errors import UsageError
from ttapi.market.dxfeed import EventFlag, event_index, parse_candle_symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttapi.simulator.events import SimCandle
    from ttapi.simulator.faults import Faults
    from ttapi.simulator.vendor_market import VendorMarket

Event = dict[str, Any]


def last_event(market: VendorMarket, event_type: str, symbol: str) -> Event | None:
    """The event of that type as of now; None where the market has none."""
    make = LAST_EVENTS.get(event_type)
    if make is None:
        return None
    event = make(market, symbol)
    if event is None:
        return None
    return {"eventType": event_type, "eventSymbol": symbol, "eventTime": 0} | event


def milliseconds(instant: datetime) -> int:
    """Since 1970, UTC."""
    return int(instant.timestamp() * 1000)


def _day_id(day: date | None) -> int:
    return 0 if day is None else (day - date(1970, 1, 1)).days


def _quote(market: VendorMarket, symbol: str) -> Event | None:
    quote = market.quote(symbol)
    if quote is None:
        return None
    return {
        "sequence": 0,
        "timeNanoPart": 0,
        "bidTime": 0,
        "bidExchangeCode": "Q",
        "bidPrice": quote.bid,
        "bidSize": float(quote.bid_size),
        "askTime": 0,
        "askExchangeCode": "Q",
        "askPrice": quote.ask,
        "askSize": float(quote.ask_size),
    }


def _trade(market: VendorMarket, symbol: str) -> Event | None:
    trade = market.trade(symbol)
    if trade is None:
        return None
    return {
        "time": milliseconds(trade.time),
        "timeNanoPart": 0,
        "sequence": 0,
        "exchangeCode": trade.exchange_code,
        "price": trade.price,
        "change": trade.change,
        "size": trade.size,
        "dayId": _day_id(trade.time.astimezone(UTC).date()),
        "dayVolume": float(trade.day_volume),
        "dayTurnover": trade.day_volume * trade.price,
        "tickDirection": "ZERO_UP" if trade.change >= 0 else "ZERO_DOWN",
        "extendedTradingHours": False,
    }


def _summary(market: VendorMarket, symbol: str) -> Event | None:
    summary = market.summary(symbol)
    if summary is None:
        return None
    return {
        "dayId": _day_id(summary.date),
        "dayOpenPrice": summary.open,
        "dayHighPrice": summary.high,
        "dayLowPrice": summary.low,
        "dayClosePrice": summary.close,
        "dayClosePriceType": "REGULAR" if summary.close is None else "FINAL",
        "prevDayId": _day_id(summary.prev_date),
        "prevDayClosePrice": summary.prev_close,
        "prevDayClosePriceType": "FINAL",
        "prevDayVolume": None if summary.prev_volume is None else float(summary.prev_volume),
        "openInterest": summary.open_interest,
    }


def _profile(market: VendorMarket, symbol: str) -> Event | None:
    profile = market.profile(symbol)
    if profile is None:
        return None
    return {
        "description": profile.description,
        "shortSaleRestriction": "INACTIVE",
        "tradingStatus": "ACTIVE",
        "statusReason": "",
        "haltStartTime": 0,
        "haltEndTime": 0,
        "highLimitPrice": None,
        "lowLimitPrice": None,
        "high52WeekPrice": profile.high_52_week,
        "low52WeekPrice": profile.low_52_week,
        "beta": profile.beta,
        "earningsPerShare": profile.earnings_per_share,
        "dividendFrequency": profile.dividends_a_year,
        "exDividendAmount": profile.ex_dividend_amount,
        "exDividendDayId": _day_id(profile.ex_dividend_date),
        "shares": profile.shares,
        "freeFloat": profile.shares,
    }


def _greeks(market: VendorMarket, symbol: str) -> Event | None:
    greeks = market.greeks(symbol)
    if greeks is None:
        return None
    return _indexed(market) | {
        "price": greeks.price,
        "volatility": greeks.volatility,
        "delta": greeks.delta,
        "gamma": greeks.gamma,
        "theta": greeks.theta,
        "rho": greeks.rho,
        "vega": greeks.vega,
    }


def _theo_price(market: VendorMarket, symbol: str) -> Event | None:
    greeks, option = market.greeks(symbol), market.find_option(symbol)
    if greeks is None or option is None:
        return None
    return _indexed(market) | {
        "price": greeks.price,
        "underlyingPrice": market.spot(option.root.underlying),
        "delta": greeks.delta,
        "gamma": greeks.gamma,
        "dividend": 0.0,
        "interest": 0.0,
    }


def _underlying(market: VendorMarket, symbol: str) -> Event | None:
    seen = market.underlying(symbol)
    if seen is None:
        return None
    return _indexed(market) | {
        "volatility": seen.volatility,
        "frontVolatility": seen.front_volatility,
        "backVolatility": seen.back_volatility,
        "callVolume": seen.call_volume,
        "putVolume": seen.put_volume,
        "optionVolume": seen.call_volume + seen.put_volume,
        "putCallRatio": seen.put_call_ratio,
    }


def _time_and_sale(market: VendorMarket, symbol: str) -> Event | None:
    trade, quote = market.trade(symbol), market.quote(symbol)
    if trade is None or quote is None:
        return None
    time = milliseconds(trade.time)
    return {
        "eventFlags": 0,
        "index": event_index(time),
        "time": time,
        "timeNanoPart": 0,
        "sequence": 0,
        "exchangeCode": trade.exchange_code,
        "price": trade.price,
        "size": trade.size,
        "bidPrice": quote.bid,
        "askPrice": quote.ask,
        "exchangeSaleConditions": "",
        "tradeThroughExempt": "\0",
        "aggressorSide": "UNDEFINED",
        "spreadLeg": False,
        "extendedTradingHours": False,
        "validTick": True,
        "type": "NEW",
        "buyer": None,
        "seller": None,
    }


def _indexed(market: VendorMarket) -> Event:
    time = milliseconds(market.now)
    return {"eventFlags": 0, "index": event_index(time), "time": time, "sequence": 0}


LAST_EVENTS: dict[str, Callable[[VendorMarket, str], Event | None]] = {
    "Quote": _quote,
    "Trade": _trade,
    "Summary": _summary,
    "Profile": _profile,
    "Greeks": _greeks,
    "TheoPrice": _theo_price,
    "Underlying": _underlying,
    "TimeAndSale": _time_and_sale,
}
"""By event type what makes one; Candle has its own module."""


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


def end_of_history(event_type: str, symbol: str, flags: int) -> Event:
    """The row that ends a history that is no candles'."""
    nothing = dict.fromkeys(("eventTime", "time", "index", "sequence"), 0)
    return {"eventType": event_type, "eventSymbol": symbol, **nothing, "eventFlags": flags}


@dataclass
class PrintHistory:
    """The newest prints that were numbered, whether anybody was sent them or not."""

    first_time: int
    """Of the first print, milliseconds since 1970; each is a millisecond later than the one before."""
    most: int = 100_000
    """Prints that are kept."""
    prints: deque[Event] = field(default_factory=deque)
    count: int = 0
    """All there were."""

    def number(self, event: Event) -> Event:
        """`event` with a number and a time of its own: it happens now."""
        time = self.first_time + self.count
        self.count += 1
        numbered = event | {"time": time, "index": event_index(time), "sequence": 0}
        self.prints.append(numbered)
        if len(self.prints) > self.most:
            self.prints.popleft()
        return numbered

    def since(self, symbol: str, from_time: int) -> list[Event]:
        """The history of one symbol, newest first; it ends with a word that more was there, where it was."""
        kept = [
            event
            for event in reversed(self.prints)
            if event["eventSymbol"] == symbol and event["time"] >= from_time
        ]
        is_cut = self.count > len(self.prints) and self.prints[0]["time"] > from_time
        end = end_of_history("TimeAndSale", symbol, 0x12 if is_cut else 0x0A)
        if kept:
            kept[0] = kept[0] | {"eventFlags": 0x04}
        else:
            end["eventFlags"] |= 0x04
        return [*kept, end]
