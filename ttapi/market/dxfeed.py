# SPDX-License-Identifier: Apache-2.0
"""What dxFeed says an event is: the fields of each type, the bits of its flags, its index.

*Source* the dxLink specification and the dxFeed API's documentation of its event classes.
"""

from __future__ import annotations

from enum import IntFlag

TEXT_OF_NO_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})
"""How dxLink writes what JSON has no number for."""

_EVERY = ("eventType", "eventSymbol", "eventTime")
_SERIES = (*_EVERY, "eventFlags", "index", "time")
_PRINT = (
    *(*_SERIES, "timeNanoPart", "sequence", "exchangeCode", "price", "size", "bidPrice"),
    *("askPrice", "exchangeSaleConditions", "tradeThroughExempt", "aggressorSide", "spreadLeg"),
    *("extendedTradingHours", "validTick", "type", "buyer", "seller"),
)
_TRADE = (
    *(*_EVERY, "time", "timeNanoPart", "sequence", "exchangeCode", "price", "change", "size"),
    *("dayId", "dayVolume", "dayTurnover", "tickDirection", "extendedTradingHours"),
)

EVENT_FIELDS: dict[str, tuple[str, ...]] = {
    "Quote": (
        *(*_EVERY, "sequence", "timeNanoPart", "bidTime", "bidExchangeCode", "bidPrice"),
        *("bidSize", "askTime", "askExchangeCode", "askPrice", "askSize"),
    ),
    "Trade": _TRADE,
    "TradeETH": _TRADE,
    "Summary": (
        *(*_EVERY, "dayId", "dayOpenPrice", "dayHighPrice", "dayLowPrice", "dayClosePrice"),
        *("dayClosePriceType", "prevDayId", "prevDayClosePrice", "prevDayClosePriceType"),
        *("prevDayVolume", "openInterest"),
    ),
    "Profile": (
        *(*_EVERY, "description", "shortSaleRestriction", "tradingStatus", "statusReason"),
        *("haltStartTime", "haltEndTime", "highLimitPrice", "lowLimitPrice", "high52WeekPrice"),
        *("low52WeekPrice", "beta", "earningsPerShare", "dividendFrequency"),
        *("exDividendAmount", "exDividendDayId", "shares", "freeFloat"),
    ),
    "Greeks": (
        *(*_SERIES, "sequence", "price", "volatility", "delta", "gamma", "theta", "rho", "vega"),
    ),
    "TheoPrice": (
        *(*_SERIES, "sequence", "price", "underlyingPrice", "delta", "gamma", "dividend"),
        "interest",
    ),
    "Underlying": (
        *(*_SERIES, "sequence", "volatility", "frontVolatility", "backVolatility"),
        *("callVolume", "putVolume", "putCallRatio"),
    ),
    "Series": (
        *(*_SERIES, "sequence", "expiration", "volatility", "callVolume", "putVolume"),
        *("putCallRatio", "forwardPrice", "dividend", "interest"),
    ),
    "Candle": (
        *(*_SERIES, "sequence", "count", "open", "high", "low", "close", "volume", "VWAP"),
        *("bidVolume", "askVolume", "impVolatility", "openInterest"),
    ),
    "TimeAndSale": _PRINT,
    "OptionSale": (*_PRINT, "underlyingPrice", "volatility", "delta", "optionSymbol"),
}
"""By event type its fields, in the order a server sends them that was not asked for another."""

TIME_SERIES = frozenset({"Candle", "Greeks", "TheoPrice", "TimeAndSale", "Underlying"})
"""Types that can be asked for from an instant on."""

_SEQUENCE_BITS = 22


class EventFlag(IntFlag):
    """The bits of `eventFlags`."""

    TX_PENDING = 0x01
    """More events of this transaction follow: nothing is applied before one without the bit."""
    REMOVE = 0x02
    """The row of this index is no more."""
    SNAPSHOT_BEGIN = 0x04
    """All rows of the symbol follow: the old ones are void once the snapshot ends."""
    SNAPSHOT_END = 0x08
    SNAPSHOT_SNIP = 0x10
    """As SNAPSHOT_END, and older rows were not sent for want of room."""
    SNAPSHOT_MODE = 0x40
    """Of publishers only."""


def event_index(time_ms: int, sequence: int = 0) -> int:
    """The index of a time-series event: seconds, then milliseconds, then its sequence."""
    seconds, part = divmod(time_ms, 1000)
    return (seconds << 32) | (part << _SEQUENCE_BITS) | sequence
