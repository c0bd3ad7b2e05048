# SPDX-License-Identifier: Apache-2.0
"""What futures, their options and coins are worth and quoted at, worked out from what they follow.

They trade when shares do: the market has no nights. A product is listed where what it follows had
prices a year ago; a market of stored bars has those that follow a stored index.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.market.calendar import NEW_YORK
from ttapi.simulator.derivatives.book import Terms, value_option
from ttapi.simulator.derivatives.chain import last_turn, strike_ladder
from ttapi.simulator.derivatives.contracts import (
    BASES,
    COINS,
    PRODUCTS,
    Coin,
    FutureContract,
    FutureOptions,
    contracts_of,
    options_of,
)
from ttapi.simulator.derivatives.surface import RATE
from ttapi.simulator.derivatives.symbols import FutureOption, read_future_option
from ttapi.simulator.events import DayBar, SimGreeks, SimQuote, SimSummary, SimTrade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from ttapi.simulator.derivatives.book import OptionBook
    from ttapi.simulator.derivatives.contracts import FutureProduct
    from ttapi.simulator.intraday import Tape
    from ttapi.simulator.listings import Listing

Instrument = FutureContract | FutureOption | Coin
_YEAR = timedelta(days=365)
_BACKWARDATION = -0.04
"""Of energy, a year, log."""
_CALM, _REVERSION = 20.0, 2.5
"""Where volatility futures return to, and how fast, a year."""
_HALF_SPREAD = 0.0005
"""Of a coin's price."""


@dataclass(frozen=True)
class _Scale:
    """How a price that is followed becomes the instrument's."""

    listing: Listing
    tick: float
    level: Callable[[float], float]


class FuturesBoard:
    """Everything beside shares, funds, indices and their options."""

    def __init__(self, tape: Tape, book: OptionBook, listings: Mapping[str, Listing]) -> None:
        self._tape, self._book, self._listings = tape, book, listings
        self._contracts = lru_cache(maxsize=256)(contracts_of)
        self._options = lru_cache(maxsize=256)(self._find_options)
        self._strikes = lru_cache(maxsize=2048)(self._find_strikes)

    def products(self, now: datetime) -> tuple[FutureProduct, ...]:
        """The kinds of futures listed now."""
        year = now.astimezone(NEW_YORK).year
        return tuple(
            one for one in PRODUCTS if one.since <= year and self._is_alive(one.follows, year)
        )

    def coins(self, now: datetime) -> tuple[Coin, ...]:
        """The cryptocurrencies listed now."""
        year = now.astimezone(NEW_YORK).year
        return tuple(coin for coin in COINS if self._is_alive(coin.follows, year))

    def contracts(self, product: FutureProduct, now: datetime) -> tuple[FutureContract, ...]:
        """The futures of a product, ascending by expiration."""
        # A chain changes at midnight, at the open and at the close; energy's stops in between.
        listed = self._contracts(product, last_turn(now))
        return tuple(one for one in listed if one.expires_at > now)

    def options(self, product: FutureProduct, now: datetime) -> tuple[FutureOptions, ...]:
        """Expirations of the options on a product's futures, ascending."""
        return tuple(one for one in self._options(product, last_turn(now)) if one.expires_at > now)

    def strikes(self, options: FutureOptions, now: datetime) -> tuple[Decimal, ...]:
        """Strikes of one expiration, ascending, as of the last turn of the market."""
        return self._strikes(options, last_turn(now))

    def find(self, symbol: str, now: datetime) -> Instrument | None:
        """What a symbol of either spelling is; None where nothing such is listed."""
        for coin in self.coins(now):
            if symbol in {coin.symbol, coin.streamer_symbol}:
                return coin
        option = read_future_option(symbol)
        if option is None and not symbol.startswith("/"):
            return None
        for product in self.products(now):
            if option is None:
                for future in self.contracts(product, now):
                    if symbol in {future.symbol, future.streamer_symbol}:
                        return future
                continue
            for options in self.options(product, now):
                found = FutureOption(options, option.option_type, option.strike)
                if symbol in {found.symbol, found.streamer_symbol}:
                    return found if option.strike in self.strikes(options, now) else None
        return None

    def price(self, instrument: Instrument, now: datetime) -> float:
        """What it is worth now, on its tick."""
        if isinstance(instrument, FutureOption):
            return round(self.greeks(instrument, now).price, 2)
        scale = self._scale(instrument, now)
        return _ticked(scale.level(self._tape.spot(scale.listing, now)), scale.tick)

    def quote(self, instrument: Instrument, now: datetime) -> SimQuote:
        """Both sides around the price."""
        price = self.price(instrument, now)
        sizes = 1 + _noise(instrument) % 40, 1 + _noise(instrument) // 41 % 40
        if isinstance(instrument, FutureOption):
            tick = instrument.options.future.product.tick
            half = max(tick, price * 0.008)
            bid = max(0.0, math.floor((price - half) / tick) * tick)
            return SimQuote(round(bid, 2), round(_up(price + half, tick), 2), *sizes)
        scale = self._scale(instrument, now)
        half = price * _HALF_SPREAD if not isinstance(instrument, FutureContract) else 0.0
        bid = _ticked(price - half, scale.tick)
        return SimQuote(bid, round(_ticked(price + half, scale.tick) + scale.tick, 2), *sizes)

    def trade(self, instrument: Instrument, now: datetime) -> SimTrade:
        """The last trade."""
        price, summary = self.price(instrument, now), self.summary(instrument, now)
        size, volume = 1 + _noise(instrument) % 9, self._volume(instrument, now)
        change = round(price - summary.prev_close, 2)
        return SimTrade(self._tape.traded_at(now), price, size, change, volume, "G")

    def summary(self, instrument: Instrument, now: datetime) -> SimSummary:
        """The session that is open or was last, and the close before."""
        interest = (
            0
            if not isinstance(instrument, FutureContract | FutureOption)
            else (self._volume(instrument, now) * 2)
        )
        if isinstance(instrument, FutureOption):
            base = self._scale(instrument.options.future, now).listing
            before, bar = self._tape.last_bars(base, now)
            day, price = (before or bar).date, self.price(instrument, now)
            return SimSummary(bar.date, None, None, None, None, day, price, None, interest)
        scale = self._scale(instrument, now)
        before, last = self._tape.last_bars(scale.listing, now)
        bar = _scaled(last, scale)
        earlier = _scaled(before or last, scale)
        close = None if self._tape.open_session(now) else bar.close
        return SimSummary(
            bar.date,
            bar.open,
            bar.high,
            bar.low,
            close,
            earlier.date,
            earlier.close,
            None,
            interest,
        )

    def greeks(self, option: FutureOption, now: datetime) -> SimGreeks:
        """Black's value on the future, off the surface of what that follows at the same moneyness."""
        options = option.options
        years = max((options.expires_at - now) / _YEAR, 1 / 365 / 24 / 60)
        future = self.price(options.future, now)
        surface = self._book.surface(self._followed(options.future.product.follows), now)
        strike = float(option.strike)
        volatility = surface.volatility(strike / future * surface.forward(years), years)
        # With a yield equal to the rate the forward is the future itself.
        terms = Terms(option.option_type, future, strike, years, RATE, RATE, volatility)
        value = value_option(terms)
        return SimGreeks(
            value.price, volatility, value.delta, value.gamma, value.theta, value.rho, value.vega
        )

    def description(self, instrument: Instrument) -> str:
        """A name for people."""
        if isinstance(instrument, FutureOption):
            return f"{instrument.options.future.product.description} option {instrument.symbol[2:]}"
        if isinstance(instrument, FutureContract):
            return f"{instrument.product.description} {instrument.symbol[1:]}"
        return f"{instrument.name} to USD"

    def _scale(self, instrument: FutureContract | Coin, now: datetime) -> _Scale:
        if not isinstance(instrument, FutureContract):
            return _Scale(self._followed(instrument.follows), 0.01, lambda price: price)
        product, years = instrument.product, (instrument.expires_at - now) / _YEAR
        listing = self._followed(product.follows)
        if product.code == "VX":
            rest = math.exp(-_REVERSION * years)
            return _Scale(listing, product.tick, lambda p: _CALM + (p - _CALM) * rest)
        carry = RATE - listing.character.dividend_yield
        growth = math.exp((carry if listing.kind == "index" else _BACKWARDATION) * years)
        return _Scale(listing, product.tick, lambda price: price * growth)

    def _followed(self, symbol: str) -> Listing:
        return BASES[symbol] if symbol in BASES else self._listings[symbol]

    def _is_alive(self, follows: str, year: int) -> bool:
        if follows not in BASES and follows not in self._listings:
            return False
        return bool(self._tape.past.year(self._followed(follows), year - 1).bars)

    def _volume(self, instrument: Instrument, now: datetime) -> int:
        """Contracts or coins, invented: most in what expires next."""
        share = 0.4 + _noise(instrument) % 1000 / 700
        if isinstance(instrument, FutureOption):
            return int(900 * share)
        if isinstance(instrument, FutureContract):
            place = self.contracts(instrument.product, now).index(instrument)
            return int(1_200_000 * share / 8**place) + 1
        return int(3_000 * share)

    def _find_options(self, product: FutureProduct, now: datetime) -> tuple[FutureOptions, ...]:
        return options_of(self.contracts(product, now), now)

    def _find_strikes(self, options: FutureOptions, now: datetime) -> tuple[Decimal, ...]:
        product = options.future.product
        years = max((options.expires_at - now) / _YEAR, 1 / 365)
        surface = self._book.surface(self._followed(product.follows), now)
        volatility = surface.atm_volatility(max(years, 0.05))
        step = product.options.step if product.options else None
        return strike_ladder(self.price(options.future, now), volatility, years, step)


def _scaled(bar: DayBar, scale: _Scale) -> DayBar:
    def at(price: float) -> float:
        return _ticked(scale.level(price), scale.tick)

    prices = at(bar.open), at(bar.high), at(bar.low), at(bar.close)
    return DayBar(bar.date, *prices, bar.volume)


def _ticked(price: float, tick: float) -> float:
    return round(max(1.0, round(price / tick)) * tick, 2)


def _up(price: float, tick: float) -> float:
    return math.ceil(price / tick) * tick


def _noise(instrument: Instrument) -> int:
    return crc32(instrument.symbol.encode())
