# SPDX-License-Identifier: Apache-2.0
"""Trade, summary, profile and option activity of a symbol, put together from the market's parts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.options.symbols import read_streamer_symbol
from ttapi.simulator.vendor_events import (
    SimProfile,
    SimSummary,
    SimTrade,
    SimUnderlying,
)

if TYPE_CHECKING:
    from ttapi.simulator.vendor_market import VendorMarket

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


def is_option_symbol(streamer_symbol: str) -> bool:
    """Whether the text is spelt like an option, listed or not."""
    return read_streamer_symbol(streamer_symbol) is not None
