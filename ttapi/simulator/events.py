# SPDX-License-Identifier: Apache-2.0
"""What the vendor market says of a symbol at one moment, as values; the protocols dress them.

Prices are USD, None where the market has none. Nothing here is a real price.

Trade, summary, profile and option activity of a symbol, put together from the market's parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal

    from ttapi.simulator.vendor_market import VendorMarket


class DayBar(NamedTuple):
    """One XNYS session as traded: raw, rounded to cents."""

    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    """Shares; None for an index."""


@dataclass(frozen=True)
class SimQuote:
    """Both sides of the book."""

    bid: float | None
    """None: not quoted (an index); 0: nobody bids."""
    ask: float | None
    bid_size: int
    ask_size: int


@dataclass(frozen=True)
class SimTrade:
    """The last trade."""

    time: dt.datetime
    """UTC."""
    price: float
    size: int
    change: float
    """Against the previous close."""
    day_volume: int
    exchange_code: str


@dataclass(frozen=True)
class SimSummary:
    """The session of now, or the last one, and the one before it."""

    date: dt.date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    """None while the session lasts."""
    prev_date: dt.date
    prev_close: float
    prev_volume: int | None
    open_interest: int


@dataclass(frozen=True)
class SimProfile:
    """What changes seldom."""

    description: str
    high_52_week: float | None
    low_52_week: float | None
    beta: float | None
    earnings_per_share: float | None
    """Of the last four quarters."""
    dividends_a_year: int
    ex_dividend_amount: float | None
    ex_dividend_date: dt.date | None
    shares: int | None


@dataclass(frozen=True)
class SimGreeks:
    """An option's theoretical price and its derivatives, from the surface.

    *Units* theta per calendar day; vega and rho per percent point; volatility a fraction.
    """

    price: float
    volatility: float
    delta: float
    gamma: float
    theta: float
    rho: float
    vega: float


@dataclass(frozen=True)
class SimUnderlying:
    """An underlying seen through its options."""

    volatility: float
    """Of 30 days, a fraction."""
    front_volatility: float
    back_volatility: float
    call_volume: int
    put_volume: int
    put_call_ratio: float


@dataclass(frozen=True)
class SimCandle:
    """One aggregated candle."""

    time: dt.datetime
    """UTC; its beginning, midnight UTC of the session date from a day on."""
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    count: int
    vwap: float


@dataclass(frozen=True)
class Deliverable:
    """What one contract of an adjusted root delivers."""

    symbol: str | None
    """None: cash."""
    amount: Decimal
    """Shares, or USD."""


@dataclass(frozen=True)
class ChainExpiration:
    """One expiration of a root."""

    date: dt.date
    settlement: str
    """`AM` or `PM`."""
    kind: str
    """`monthly`, `quarterly`, `eom` or `weekly`."""
    strikes: tuple[Decimal, ...]
    """USD, ascending."""


@dataclass(frozen=True)
class RootChain:
    """The options of one root."""

    root: str
    underlying: str
    option_chain_type: str
    """`Standard` or `Non-standard` (adjusted)."""
    shares_per_contract: int
    exercise_style: str
    """`American` or `European`."""
    deliverables: tuple[Deliverable, ...]
    expirations: tuple[ChainExpiration, ...]
    """Ascending by date, AM before PM."""


_FRONT, _BACK, _USUAL = 20 / 365, 50 / 365, 30 / 365
"""Years: where the front, back and quoted volatility are read off the surface."""
_YEAR = timedelta(days=365)


def trade(market: VendorMarket, streamer_symbol: str) -> SimTrade | None:
    """The last trade: now in a session, else at the last close."""
    option = market.find_option(streamer_symbol)
    noise = crc32(streamer_symbol.encode())
    if option:
        price = round(market.book.greeks(option, market.now).price, 2)
        volume = market.book.open_interest(option, market.now) // 7
        return SimTrade(market.tape.traded_at(market.now), price, 1 + noise % 9, 0.0, volume, "C")
    listing = market.find_listing(streamer_symbol)
    if listing is None:
        other = market.find_other(streamer_symbol)
        return market.board.trade(other, market.now) if other else None
    before, bar = market.tape.last_bars(listing, market.now)
    change = round(bar.close - before.close, 2) if before else 0.0
    size = 0 if listing.kind == "index" else 1 + noise % 200
    traded_at = market.tape.traded_at(market.now)
    return SimTrade(traded_at, bar.close, size, change, bar.volume or 0, "Q")


def summary(market: VendorMarket, streamer_symbol: str) -> SimSummary | None:
    """The session that is open or was last, and the one before."""
    option = market.find_option(streamer_symbol)
    if option:
        price = round(market.book.greeks(option, market.now).price, 2)
        last = market.last_completed_session()
        interest = market.book.open_interest(option, market.now)
        day = market.tape.open_session(market.now) or last
        before = market.calendar.previous_session(day)
        return SimSummary(day, None, None, None, None, before, price, None, interest)
    listing = market.find_listing(streamer_symbol)
    if listing is None:
        other = market.find_other(streamer_symbol)
        return market.board.summary(other, market.now) if other else None
    previous, bar = market.tape.last_bars(listing, market.now)
    is_open = market.tape.open_session(market.now) is not None
    earlier = previous or bar
    return SimSummary(
        date=bar.date,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=None if is_open else bar.close,
        prev_date=earlier.date,
        prev_close=earlier.close,
        prev_volume=earlier.volume,
        open_interest=0,
    )


def profile(market: VendorMarket, streamer_symbol: str) -> SimProfile | None:
    """Description, the year's range, results and dividends."""
    option = market.find_option(streamer_symbol)
    if option:
        return _bare_profile(f"{option.root.underlying} {option.contract.occ_symbol[6:]}")
    listing = market.find_listing(streamer_symbol)
    if listing is None:
        other = market.find_other(streamer_symbol)
        return _bare_profile(market.board.description(other)) if other else None
    since = market.last_completed_session() - _YEAR
    bars = market.bars(listing.symbol, since) or market.bars(listing.symbol)
    reports, dividends = (
        market.earnings(listing.symbol, 1)[-4:],
        market.dividends(listing.symbol, 1),
    )
    paid = dividends[-1] if dividends else None
    return SimProfile(
        description=listing.description,
        high_52_week=max(bar.high for bar in bars),
        low_52_week=min(bar.low for bar in bars),
        beta=round(listing.character.beta, 2),
        earnings_per_share=round(sum(r.earnings_per_share for r in reports), 2)
        if reports
        else None,
        dividends_a_year=4 if paid else 0,
        ex_dividend_amount=paid.amount if paid else None,
        ex_dividend_date=paid.ex_date if paid else None,
        shares=shares_outstanding(market, listing.symbol),
    )


def _bare_profile(description: str) -> SimProfile:
    return SimProfile(description, None, None, None, None, 0, None, None, None)


def shares_outstanding(market: VendorMarket, symbol: str) -> int | None:
    """Shares of a company or fund, invented; None for an index."""
    listing = market.listing(symbol)
    if listing.kind == "index":
        return None
    # A usual session turns over half a percent of the company.
    return int(listing.character.dollar_volume / listing.character.price / 0.005)


def underlying_volatility(market: VendorMarket, streamer_symbol: str) -> SimUnderlying | None:
    """Volatilities off the surface, and invented option volumes."""
    listing = market.find_listing(streamer_symbol)
    if listing is None:
        return None
    surface = market.book.surface(listing, market.now)
    noise = crc32(f"{streamer_symbol}/{market.last_completed_session()}".encode())
    calls, puts = 500 + noise % 9000, 500 + noise // 9001 % 9000
    return SimUnderlying(
        volatility=surface.atm_volatility(_USUAL),
        front_volatility=surface.atm_volatility(_FRONT),
        back_volatility=surface.atm_volatility(_BACK),
        call_volume=calls,
        put_volume=puts,
        put_call_ratio=puts / calls,
    )
