# SPDX-License-Identifier: Apache-2.0
"""The market behind the simulated vendors: everything they serve, from a seed and a clock.

The same seed and moment give the same answers; an advancing clock moves the session that is open
and adds days, and changes nothing before. All of it is invented, real names or not.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.derivatives.board import FuturesBoard
from ttapi.simulator.derivatives.book import Listed, OptionBook
from ttapi.simulator.derivatives.symbols import Contract, FutureOption, read_streamer_symbol
from ttapi.simulator.events import SimQuote, profile, summary, trade, underlying_volatility
from ttapi.simulator.factors import FactorYears
from ttapi.simulator.histories import Histories
from ttapi.simulator.intraday import Tape
from ttapi.simulator.listings import make_listings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.simulator.derivatives.board import Instrument
    from ttapi.simulator.derivatives.surface import Surface, VarianceHistory
    from ttapi.simulator.events import (
        DayBar,
        RootChain,
        SimCandle,
        SimGreeks,
        SimProfile,
        SimSummary,
        SimTrade,
        SimUnderlying,
    )
    from ttapi.simulator.histories import Dividend, Earnings, Past, Split, YearHistory
    from ttapi.simulator.listings import Listing

_YEARS = range(1996, 2047)
"""A year of past, and the calendar far enough ahead for every expiration."""
_HALF_SPREAD = 0.0001
"""Of an underlying's price."""


class VendorMarket:
    """507 symbols, their past since 1995, their options, at the moment `now` says.

    Fewer where `now` is so early that some are not listed yet. `listings`, `past` and `chains` are
    what somebody stored, instead of what the seed makes.

    Methods of one symbol raise UsageError for a symbol the vendor does not list; those that take
    a streamer symbol return None for one, or for what such a symbol does not have.
    """

    def __init__(
        self,
        seed: int,
        now: Callable[[], datetime] | datetime,
        symbols: int = 507,
        *,
        listings: tuple[Listing, ...] = (),
        past: Past | None = None,
        chains: Mapping[str, tuple[RootChain, ...]] = MappingProxyType({}),
    ) -> None:
        self.seed = seed
        self._now = now
        self.calendar = sessions("XNYS")
        if self.today.year not in _YEARS:
            raise UsageError(
                f"the vendor market knows nothing of {self.today}",
                hint=f"from {_YEARS[0]} to {_YEARS[-1]}",
            )
        made = listings or _listed_by(make_listings(seed, symbols), self.today.year)
        self._listings = {listing.symbol: listing for listing in made}
        self._by_streamer = {listing.streamer_symbol: listing for listing in made}
        self._past: Past = past or Histories(FactorYears(seed))
        self.tape = Tape(self._past)
        self.book = OptionBook(self.tape, self._listings, chains)
        self.board = FuturesBoard(self.tape, self.book, self._listings)

    @property
    def now(self) -> datetime:
        """The market's moment, zone-aware UTC."""
        moment = self._now() if callable(self._now) else self._now
        return moment.astimezone(UTC)

    @property
    def today(self) -> date:
        """The date in New York."""
        return self.now.astimezone(NEW_YORK).date()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every underlying: indices, funds, companies."""
        return tuple(self._listings)

    def listing(self, symbol: str) -> Listing:
        """What `symbol` is."""
        if symbol not in self._listings:
            raise UsageError(f"{symbol!r} is not listed", hint="VendorMarket.symbols names all")
        return self._listings[symbol]

    def draw_ahead(self) -> None:
        """Draw what the first question about each symbol would draw: its last years and its chain."""
        for symbol in self.symbols:
            self.volatility_path(symbol)
            self.chain(symbol)

    def last_completed_session(self) -> date:
        """The last session that has closed."""
        return self.calendar.last_completed_session(self.now)

    def bars(self, symbol: str, since: date | None = None) -> tuple[DayBar, ...]:
        """Daily bars from `since`, or the first there is, to the last completed session."""
        return tuple(self.tape.bars(self.listing(symbol), self.now, since))

    def forming_bar(self, symbol: str) -> DayBar | None:
        """The bar so far of the session that is open; None between sessions."""
        return self.tape.forming_bar(self.listing(symbol), self.now)

    def spot(self, symbol: str) -> float:
        """The price now, or the last close."""
        return self.tape.spot(self.listing(symbol), self.now)

    def dividends(self, symbol: str, years: int | None = None) -> tuple[Dividend, ...]:
        """Cash dividends whose ex-date has come, ascending; of this and so many years before, or all."""
        return tuple(
            item
            for year in self._years(symbol, years)
            for item in year.dividends
            if item.ex_date <= self.today
        )

    def splits(self, symbol: str) -> tuple[Split, ...]:
        """Splits whose ex-date has come, ascending."""
        return tuple(
            item
            for year in self._years(symbol)
            for item in year.splits
            if item.ex_date <= self.today
        )

    def earnings(self, symbol: str, years: int | None = None) -> tuple[Earnings, ...]:
        """Results that are out, ascending; of this and so many years before, or all."""
        return tuple(
            item
            for year in self._years(symbol, years)
            for item in year.earnings
            if item.date < self.today
        )

    def next_report(self, symbol: str) -> tuple[date, str] | None:
        """Date and time of day of the results expected next; None: none are."""
        due = self._due(self._past.reports, symbol)
        return min(due) if due else None

    def next_ex_date(self, symbol: str) -> date | None:
        """When the next dividend goes ex; None: none will."""
        listing = self.listing(symbol)
        years = (self.today.year, self.today.year + 1)
        due = [day for y in years for day in self._past.ex_dates(listing, y) if day > self.today]
        return min(due) if due else None

    def chain(self, symbol: str) -> tuple[RootChain, ...]:
        """Every root with its listed expirations and strikes."""
        return self.book.chain(self.listing(symbol), self.now)

    def surface(self, symbol: str) -> Surface:
        """Implied volatility of every strike and expiration."""
        return self.book.surface(self.listing(symbol), self.now)

    def volatility_path(self, symbol: str) -> tuple[float, ...]:
        """Implied volatility of 30 days after each of the last 253 sessions, ascending."""
        return self.book.volatility_path(self.listing(symbol), self.now)

    def variances(self, symbol: str) -> VarianceHistory:
        """How volatile the symbol was and was thought to be, three years back."""
        return self.book.variances(self.listing(symbol), self.now)

    def find_option(self, streamer_symbol: str) -> Listed | None:
        """The listed contract; None when there is none such."""
        contract = read_streamer_symbol(streamer_symbol)
        return self.find_contract(contract) if contract else None

    def find_contract(self, contract: Contract) -> Listed | None:
        """The contract in its chain; None when it is not listed now."""
        return self.book.find(contract, self.now)

    def find_listing(self, streamer_symbol: str) -> Listing | None:
        """The underlying of that streamer symbol; None when there is none such."""
        return self._by_streamer.get(streamer_symbol)

    def find_other(self, symbol: str) -> Instrument | None:
        """The future, option on one, or coin of a symbol, streamer's or not; None for none such."""
        return self.board.find(symbol, self.now)

    def quote(self, streamer_symbol: str) -> SimQuote | None:
        """Bid and ask; an index has neither."""
        option = self.find_option(streamer_symbol)
        if option:
            return self.book.quote(option, self.now)
        listing = self.find_listing(streamer_symbol)
        if listing:
            return self._underlying_quote(listing)
        other = self.find_other(streamer_symbol)
        return self.board.quote(other, self.now) if other else None

    def greeks(self, streamer_symbol: str) -> SimGreeks | None:
        """Theoretical price and Greeks of an option."""
        option = self.find_option(streamer_symbol)
        if option:
            return self.book.greeks(option, self.now)
        other = self.find_other(streamer_symbol)
        return self.board.greeks(other, self.now) if isinstance(other, FutureOption) else None

    def trade(self, streamer_symbol: str) -> SimTrade | None:
        """The last trade."""
        return trade(self, streamer_symbol)

    def summary(self, streamer_symbol: str) -> SimSummary | None:
        """The session's prices and the close before."""
        return summary(self, streamer_symbol)

    def profile(self, streamer_symbol: str) -> SimProfile | None:
        """Description and slow figures."""
        return profile(self, streamer_symbol)

    def underlying(self, streamer_symbol: str) -> SimUnderlying | None:
        """Volatility and option volume of an underlying."""
        return underlying_volatility(self, streamer_symbol)

    def candles(self, streamer_symbol: str, period: str, since: datetime) -> tuple[SimCandle, ...]:
        """Candles of an underlying from `since`, ascending, the forming one last; options have none."""
        listing = self.find_listing(streamer_symbol)
        return self.tape.candles(listing, period, since, self.now) if listing else ()

    def _underlying_quote(self, listing: Listing) -> SimQuote:
        if listing.kind == "index":
            return SimQuote(None, None, 0, 0)
        price = self.tape.spot(listing, self.now)
        half = max(0.005, price * _HALF_SPREAD)
        bid, ask = round(price - half, 2), round(price + half, 2)
        size = 1 + int(price * 100) % 7
        return SimQuote(bid, max(ask, round(bid + 0.01, 2)), 100 * size, 100 * (8 - size))

    def _years(self, symbol: str, years: int | None = None) -> list[YearHistory]:
        listing, last = self.listing(symbol), self.today.year
        first = listing.first_year if years is None else max(listing.first_year, last - years)
        return [self._past.year(listing, year) for year in range(first, last + 1)]

    def _due(
        self, reports: Callable[[Listing, int], tuple[tuple[date, str], ...]], symbol: str
    ) -> list[tuple[date, str]]:
        listing, today = self.listing(symbol), self.today
        return [
            row
            for y in (today.year, today.year + 1)
            for row in reports(listing, y)
            if row[0] >= today
        ]


def replaying(now: Callable[[], datetime]) -> Callable[[], datetime]:
    """A clock that is never between sessions: while the exchange is closed its last session runs anew."""

    def moment() -> datetime:
        instant, calendar = now(), sessions("XNYS")
        day = instant.astimezone(NEW_YORK).date()
        if calendar.is_session(day) and calendar.open_utc(day) <= instant < calendar.close_utc(day):
            return instant
        last = calendar.last_completed_session(instant)
        opened, closed = calendar.open_utc(last), calendar.close_utc(last)
        return opened + (instant - closed) % (closed - opened)

    return moment


def _listed_by(listings: tuple[Listing, ...], year: int) -> tuple[Listing, ...]:
    """Those with bars of an earlier year: a surface needs a past."""
    return tuple(listing for listing in listings if listing.first_year < year)
