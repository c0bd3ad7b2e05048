# SPDX-License-Identifier: Apache-2.0
"""The market behind the simulated vendors: everything they serve, from a seed and a clock.

The same seed and moment give the same answers; an advancing clock moves the session that is open
and adds days, and changes nothing before. All of it is invented, real names or not.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.climate import Climate
from ttapi.simulator.histories import Histories
from ttapi.simulator.listings import FIRST_YEAR, make_listings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.simulator.histories import Dividend, Earnings, Split
    from ttapi.simulator.listings import Listing
    from ttapi.simulator.vendor_events import DayBar


class VendorMarket:
    """507 symbols, their past since 1995, their options, at the moment `now` says."""

    def __init__(
        self, seed: int, now: Callable[[], datetime] | datetime, symbols: int = 507
    ) -> None:
        self.seed = seed
        self._now = now
        self._calendar = sessions("XNYS")
        self._listings = {listing.symbol: listing for listing in make_listings(seed, symbols)}
        self._histories = Histories(Climate(seed))

    @property
    def now(self) -> datetime:
        """The market's moment, zone-aware UTC."""
        moment = self._now() if callable(self._now) else self._now
        return moment.astimezone(UTC)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every underlying: indices, funds, companies."""
        return tuple(self._listings)

    def listing(self, symbol: str) -> Listing:
        """What `symbol` is.

        *Raises* UsageError for a symbol the vendor does not list.
        """
        if symbol not in self._listings:
            raise UsageError(f"{symbol!r} is not listed", hint="VendorMarket.symbols names all")
        return self._listings[symbol]

    def last_completed_session(self) -> date:
        """The last session that has closed."""
        return self._calendar.last_completed_session(self.now)

    def open_session(self) -> date | None:
        """The session that is open now; None between sessions."""
        day = self.now.astimezone(NEW_YORK).date()
        if not self._calendar.is_session(day):
            return None
        is_open = self._calendar.open_utc(day) <= self.now < self._calendar.close_utc(day)
        return day if is_open else None

    def bars(self, symbol: str, since: date | None = None) -> tuple[DayBar, ...]:
        """Daily bars from `since`, or the listing's first year, to the last completed session."""
        listing, last = self.listing(symbol), self.last_completed_session()
        first = since.year if since else FIRST_YEAR
        bars = [
            bar
            for year in range(first, last.year + 1)
            for bar in self._histories.year(listing, year).bars
        ]
        while bars and bars[-1].date > last:
            bars.pop()
        return tuple(bar for bar in bars if bar.date >= since) if since else tuple(bars)

    def dividends(self, symbol: str) -> tuple[Dividend, ...]:
        """Cash dividends whose ex-date has opened, ascending."""
        listing, today = self.listing(symbol), self._today()
        return tuple(
            dividend
            for year in range(FIRST_YEAR, today.year + 1)
            for dividend in self._histories.year(listing, year).dividends
            if dividend.ex_date <= today
        )

    def splits(self, symbol: str) -> tuple[Split, ...]:
        """Splits whose ex-date has come, ascending."""
        listing, today = self.listing(symbol), self._today()
        return tuple(
            split
            for year in range(FIRST_YEAR, today.year + 1)
            for split in self._histories.year(listing, year).splits
            if split.ex_date <= today
        )

    def earnings(self, symbol: str) -> tuple[Earnings, ...]:
        """Results that are out, ascending."""
        listing, today = self.listing(symbol), self._today()
        return tuple(
            report
            for year in range(FIRST_YEAR, today.year + 1)
            for report in self._histories.year(listing, year).earnings
            if report.date < today
        )

    def _today(self) -> date:
        return self.now.astimezone(NEW_YORK).date()
