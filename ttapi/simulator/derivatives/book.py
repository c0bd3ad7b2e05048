# SPDX-License-Identifier: Apache-2.0
"""What the options of every listing are worth at a moment, and what is quoted for them.

European options by Black's formula on the forward: price and Greeks.

*Source* Black (1976); with F = S exp((r - q) t) it is Black, Scholes and Merton (1973).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.derivatives.chain import (
    ADJUSTED_CASH,
    ADJUSTED_SHARES,
    ListingOutlook,
    last_turn,
    make_chain,
    unsettled,
    years_until,
)
from ttapi.simulator.derivatives.surface import RATE, Surface, VarianceHistory, variance_history
from ttapi.simulator.events import ChainExpiration, RootChain, SimGreeks, SimQuote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ttapi.simulator.derivatives.symbols import Contract
    from ttapi.simulator.histories import Split
    from ttapi.simulator.intraday import Tape
    from ttapi.simulator.listings import Listing

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
_DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Terms:
    """One option and what its price depends on."""

    option_type: str
    """`C` or `P`."""
    spot: float
    strike: float
    years: float
    """To settlement, above 0."""
    rate: float
    """Continuous, a year."""
    dividend_yield: float
    """Continuous, a year."""
    volatility: float
    """Annual fraction, above 0."""


@dataclass(frozen=True)
class Valuation:
    """A price and its derivatives.

    *Units* theta per calendar day; vega and rho per percent point.
    """

    price: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def normal_cdf(x: float) -> float:
    """The standard normal distribution; of full relative accuracy in the left tail."""
    return 0.5 * math.erfc(-x / _ROOT_2)


def value_option(terms: Terms) -> Valuation:
    """Price and Greeks; both tails are computed directly, neither as the rest to 1."""
    sign = 1.0 if terms.option_type == "C" else -1.0
    discount = math.exp(-terms.rate * terms.years)
    carry = math.exp(-terms.dividend_yield * terms.years)
    deviation = terms.volatility * math.sqrt(terms.years)
    log_moneyness = math.log(terms.spot * carry / (terms.strike * discount))
    d1 = log_moneyness / deviation + deviation / 2
    d2 = d1 - deviation
    spot_part = terms.spot * carry * normal_cdf(sign * d1)
    strike_part = terms.strike * discount * normal_cdf(sign * d2)
    density = math.exp(-d1 * d1 / 2) / _ROOT_2_PI
    decay = terms.spot * carry * density * terms.volatility / (2 * math.sqrt(terms.years))
    theta = -decay + sign * (terms.dividend_yield * spot_part - terms.rate * strike_part)
    return Valuation(
        price=max(0.0, sign * (spot_part - strike_part)),
        delta=sign * carry * normal_cdf(sign * d1),
        gamma=carry * density / (terms.spot * deviation),
        theta=theta / _DAYS_A_YEAR,
        vega=terms.spot * carry * density * math.sqrt(terms.years) / 100,
        rho=sign * terms.years * strike_part / 100,
    )


_LOOKBACK = timedelta(days=3 * 365)
_PENNY_ROOTS = frozenset({"SPY", "QQQ", "IWM"})
_INDEX_TICKS, _STOCK_TICKS = (0.05, 0.10), (0.01, 0.05)
TICK_THRESHOLD = 3.0
"""USD: at and above, the second tick size holds."""


@dataclass(frozen=True)
class Listed:
    """A contract with what it belongs to."""

    contract: Contract
    root: RootChain
    expiration: ChainExpiration


class OptionBook:
    """Chains, surfaces and values; `listings` by symbol, `stored` chains instead of made ones."""

    def __init__(
        self,
        tape: Tape,
        listings: Mapping[str, Listing],
        stored: Mapping[str, tuple[RootChain, ...]],
    ) -> None:
        self._stored = stored
        self._tape = tape
        self._listings = listings
        self._by_root = {root: item for item in listings.values() for root in item.roots}
        self._other = list(listings)[-1]
        self._paths = lru_cache(maxsize=2048)(self._find_path)
        self._variances = lru_cache(maxsize=4096)(self._find_variances)
        self._chains = lru_cache(maxsize=1024)(self._make_chain)
        self._surfaces = lru_cache(maxsize=2048)(self._make_surface)

    def chain(self, listing: Listing, now: datetime) -> tuple[RootChain, ...]:
        """What is listed and not settled; strikes as of the last close."""
        return self._chains(listing, last_turn(now))

    def surface(self, listing: Listing, now: datetime) -> Surface:
        """The surface of the moment, to the second."""
        return self._surfaces(listing, now.replace(microsecond=0))

    def variances(self, listing: Listing, now: datetime) -> VarianceHistory:
        """Three years of them, up to the last completed session."""
        return self._variances(listing, sessions("XNYS").last_completed_session(now))

    def volatility_path(self, listing: Listing, now: datetime) -> tuple[float, ...]:
        """Implied volatility of 30 days after each of the last 253 sessions, ascending."""
        return self._paths(listing, sessions("XNYS").last_completed_session(now))

    def find(self, contract: Contract, now: datetime) -> Listed | None:
        """The contract in its chain; None when it is not listed now."""
        listing = self._by_root.get(contract.root)
        for root in self.chain(listing, now) if listing else ():
            if root.root != contract.root:
                continue
            for expiration in root.expirations:
                if expiration.date == contract.expiration and contract.strike in expiration.strikes:
                    return Listed(contract, root, expiration)
        return None

    def greeks(self, listed: Listed, now: datetime) -> SimGreeks:
        """Theoretical value; the contract must not have settled."""
        contract, underlying = listed.contract, self._by_root[listed.contract.root]
        years = max(years_until(listed.expiration, now), 1 / 365 / 24 / 60)
        surface = self.surface(underlying, now)
        strike, basket = float(contract.strike), self._basket(listed.root, surface, now)
        volatility = surface.volatility(strike * surface.spot / basket, years)
        value = value_option(
            Terms(
                contract.option_type,
                basket,
                strike,
                years,
                RATE,
                surface.dividend_yield,
                volatility,
            )
        )
        return SimGreeks(
            price=value.price,
            volatility=volatility,
            delta=value.delta,
            gamma=value.gamma,
            theta=value.theta,
            rho=value.rho,
            vega=value.vega,
        )

    def quote(self, listed: Listed, now: datetime) -> SimQuote:
        """Both sides around the theoretical price, on the tick; a bid of 0 where nobody bids."""
        price = self.greeks(listed, now).price
        small, large = self.ticks(listed.root)
        tick = small if price < TICK_THRESHOLD else large
        half = max(tick / 2, price * 0.008)
        bid = max(0.0, math.floor((price - half) / tick + 1e-9) * tick)
        ask = max(tick, math.ceil((price + half) / tick - 1e-9) * tick)
        noise = crc32(listed.contract.occ_symbol.encode())
        sizes = 1 + noise % 60, 1 + noise // 61 % 60
        return SimQuote(round(bid, 2), round(ask, 2), sizes[0] if bid else 0, sizes[1])

    def open_interest(self, listed: Listed, now: datetime) -> int:
        """Contracts outstanding since the session before: most at round strikes near the price."""
        surface = self.surface(self._by_root[listed.root.root], now)
        years = max(years_until(listed.expiration, now), 1 / 365)
        distance = math.log(float(listed.contract.strike) / surface.spot)
        depth = distance / math.sqrt(surface.atm_variance(years))
        noise = 0.4 + crc32(listed.contract.occ_symbol.encode()) % 1000 / 700
        return int(4000 * math.exp(-depth * depth / 2) * noise / (1 + years))

    def ticks(self, root: RootChain) -> tuple[float, float]:
        """USD below and from TICK_THRESHOLD on."""
        if root.root in _PENNY_ROOTS:
            return 0.01, 0.01
        return _INDEX_TICKS if root.exercise_style == "European" else _STOCK_TICKS

    def _basket(self, root: RootChain, surface: Surface, now: datetime) -> float:
        """What one contract delivers, USD per unit of 100."""
        if root.option_chain_type == "Standard":
            return surface.spot
        other = self._tape.spot(self._listings[self._other], now)
        return surface.spot + (ADJUSTED_SHARES * other + float(ADJUSTED_CASH)) / 100

    def _make_surface(self, listing: Listing, now: datetime) -> Surface:
        today = now.astimezone(NEW_YORK).date()
        due = tuple(
            (day - today).days / 365
            for year in (today.year, today.year + 1)
            for day, _ in self._tape.past.reports(listing, year)
            if day >= today
        )
        spot = self._tape.spot(listing, now)
        return self.variances(listing, now).surface(listing, spot, due)

    def _find_path(self, listing: Listing, last: date) -> tuple[float, ...]:
        seen = self._variances(listing, last)
        count = min(253, len(seen.short_variances))
        return tuple(
            seen.surface(listing, 1.0, back=back).atm_volatility(30 / 365)
            for back in range(count - 1, -1, -1)
        )

    def _find_variances(self, listing: Listing, last: date) -> VarianceHistory:
        since = last - _LOOKBACK
        closed = sessions("XNYS").close_utc(last)
        bars = self._tape.bars(listing, closed, since)
        splits: list[Split] = []
        for year in range(since.year, last.year + 1):
            splits += self._tape.past.year(listing, year).splits
        return variance_history(bars, splits)

    def _make_chain(self, listing: Listing, now: datetime) -> tuple[RootChain, ...]:
        if listing.symbol in self._stored:
            return tuple(unsettled(root, now) for root in self._stored[listing.symbol])
        calendar = sessions("XNYS")
        last = calendar.last_completed_session(now)
        close = self._tape.spot(listing, calendar.close_utc(last))
        surface = self.variances(listing, now).surface(listing, close)
        return make_chain(
            listing, ListingOutlook(close, surface.atm_volatility(0.25)), now, self._other
        )
