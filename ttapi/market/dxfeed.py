# SPDX-License-Identifier: Apache-2.0
"""What dxFeed says an event is: the fields of each type, the bits of its flags, its index.

*Source* the dxLink specification and the dxFeed API's documentation of its event classes.

Symbols of dxFeed candles: `AAPL{=5m,tho=true}` as a value, and in the form dxFeed answers with.

dxFeed normalises what it is asked for: a period of one loses its number, defaults are left out,
attributes are sorted by name. Replies are matched by that form only.
*Source* dxFeed's classes CandleSymbol, CandlePeriod, CandleAlignment, CandlePrice, CandleSession.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntFlag

from ttapi.errors import UsageError

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


PERIOD_TYPES = frozenset(
    {"t", "s", "m", "h", "d", "w", "mo", "o", "y", "v", "p", "pm", "pr"},
)
"""Ticks, seconds, minutes, hours, days, weeks, months, option expirations, years, volume, price."""

_SYMBOL = re.compile(r"(?P<base>[^{}&]+)(?:&(?P<exchange>[^{}&]))?(?:\{(?P<attributes>[^{}]*)\})?")
_PERIOD = re.compile(r"(?P<count>\d+(?:\.\d+)?)?(?P<type>[a-z]+)", re.ASCII)
_ATTRIBUTES = {
    "a": ("m", frozenset({"m", "s"})),
    "price": ("last", frozenset({"last", "bid", "ask", "mark", "s"})),
    "tho": ("false", frozenset({"false", "true"})),
}
"""By name the default, which is not written, and all values."""


@dataclass(frozen=True)
class CandleSymbol:
    """One series of candles; its text is the normalised symbol."""

    base: str
    """The streamer symbol: `AAPL`, `.SPY250117C600`, `/ESZ26:XCME`."""
    period: str = "t"
    """Type of period, one of `PERIOD_TYPES`."""
    count: float = 1
    """Periods in a candle, above 0."""
    tho: bool = False
    """Regular trading hours only."""
    price: str = "last"
    """What is drawn: last, bid, ask, mark, or s (settlement)."""
    alignment: str = "m"
    """m: candles start at midnight; s: with the trading session."""
    exchange: str = ""
    """One letter; empty: all of them."""
    price_level: str = ""
    """As given after `pl=`; empty: none."""

    def __str__(self) -> str:
        attributes = []
        if (self.period, self.count) != ("t", 1):
            attributes.append(f"={self._count_text()}{self.period}")
        if self.alignment != "m":
            attributes.append(f"a={self.alignment}")
        if self.price_level:
            attributes.append(f"pl={self.price_level}")
        if self.price != "last":
            attributes.append(f"price={self.price}")
        if self.tho:
            attributes.append("tho=true")
        exchange = f"&{self.exchange}" if self.exchange else ""
        return self.base + exchange + (f"{{{','.join(attributes)}}}" if attributes else "")

    def _count_text(self) -> str:
        if self.count == 1:
            return ""
        return str(int(self.count)) if float(self.count).is_integer() else repr(self.count)


def parse_candle_symbol(text: str) -> CandleSymbol:
    """The series `text` names; a bare symbol names ticks.

    *Raises* ValueError for what is no candle symbol, naming the part.
    """
    found = _SYMBOL.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no candle symbol: 'AAPL{{=d}}' is one")
    values = _attributes(text, found["attributes"])
    period = _PERIOD.fullmatch(values.pop("", "t"))
    if not period or period["type"] not in PERIOD_TYPES or float(period["count"] or 1) <= 0:
        raise ValueError(f"{text!r} has no period dxFeed knows: '=d', '=5m', '=mo' are such")
    level = values.pop("pl", "")
    for name, value in values.items():
        if name not in _ATTRIBUTES or value not in _ATTRIBUTES[name][1]:
            raise ValueError(f"{text!r}: attribute {name}={value} is unknown")
    known = {name: values.get(name, default) for name, (default, _) in _ATTRIBUTES.items()}
    return CandleSymbol(
        found["base"],
        period["type"],
        float(period["count"] or 1),
        known["tho"] == "true",
        known["price"],
        known["a"],
        found["exchange"] or "",
        level,
    )


def normalise_candle_symbol(text: str) -> str:
    """`text` as dxFeed answers with it; itself where it is no candle symbol."""
    try:
        return str(parse_candle_symbol(text))
    except ValueError:
        return text


def _attributes(text: str, inside: str | None) -> dict[str, str]:
    """The attributes by name; the period's name is empty, a braced nothing is refused."""
    if inside is None:
        return {}
    values: dict[str, str] = {}
    for part in inside.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not value or name in values:
            raise ValueError(f"{text!r}: {part!r} is no attribute, or stands twice")
        values[name] = value
    return values


_OCC = re.compile(r"([A-Z0-9./]{1,6}) *(\d{6})([CP])(\d{8})")

_SYMBOL_FORMS = (
    re.compile(r"[A-Z0-9./]{1,6} *\d{6}[CP]\d{8}(?<=^.{21})"),
    re.compile(r"\.[A-Z0-9/]+?\d{6}[CP]\d+(\.\d+)?"),
    re.compile(r"[./]{1,2}[A-Z0-9]+(:[A-Z0-9]+)?"),
    re.compile(r"(?![A-Z0-9./]{1,6}\d{6}[CP])[$A-Z^][A-Z0-9$^./:_-]{0,29}"),
)
"""An option in 21 characters, and as dxFeed writes it; a future and its options; anything else listed."""


def require_symbol(symbol: str) -> None:
    """Nothing, or UsageError for what is the name of nothing that could be streamed, with what would be."""
    if any(form.fullmatch(symbol) for form in _SYMBOL_FORMS):
        return
    hint = "SPY, an option in 21 characters, or as dxFeed has it: .SPY250117C600"
    if option := _OCC.fullmatch(symbol):
        root, *rest = option.groups()
        hint = f"an option has 21 characters: {root:<6}{''.join(rest)}"
    raise UsageError(f"{symbol!r} is no symbol", hint=hint)


def streamer_symbol(symbol: str) -> str:
    """DxFeed's name of an underlying or an option.

    Share classes follow a slash, `BRK.B` is `BRK/B`; `SPY   250117C00600000` is `.SPY250117C600`. What is
    written as dxFeed does stays as it is.
    """
    if option := _OCC.fullmatch(symbol):
        root, expiration, kind, strike = option.groups()
        price = f"{int(strike) / 1000:.3f}".rstrip("0").rstrip(".")
        return f".{root.replace('.', '/')}{expiration}{kind}{price}"
    return symbol if symbol.startswith((".", "/")) else symbol.replace(".", "/")
