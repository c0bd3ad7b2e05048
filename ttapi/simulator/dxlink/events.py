# SPDX-License-Identifier: Apache-2.0
"""The market of a moment as dxFeed events: one function a type, all in `LAST_EVENTS`.

None stands for what dxFeed sends as NaN. Exchange times of quotes are 0, as tastytrade's feed
sends them for options and indices.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ttapi.market.dxfeed import event_index

if TYPE_CHECKING:
    from collections.abc import Callable

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
