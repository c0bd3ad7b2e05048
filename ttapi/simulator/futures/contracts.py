# SPDX-License-Identifier: Apache-2.0
"""The contracts of a product at a moment: months, last days, and the options on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.futures.products import MONTHS
from ttapi.simulator.options.expirations import third_friday

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.simulator.futures.products import FutureProduct

_WEEKS = 6
"""How many Fridays ahead weekly options are listed."""
_MONTH_ENDS = 3
_OPTION_MONTHS = 6
"""Nearest futures that have options."""
_PIT_CLOSE = time(14, 30)
"""Of energy futures, New York."""


@dataclass(frozen=True)
class FutureContract:
    """One future."""

    product: FutureProduct
    year: int
    month: int
    """Of the contract, not of its expiration."""
    expires: date
    expires_at: datetime
    """UTC: when it stops trading."""

    @property
    def letter(self) -> str:
        """Of the contract month."""
        return MONTHS[self.month - 1]

    @property
    def symbol(self) -> str:
        """As the vendor's REST interface writes it: `/ESZ6`."""
        return f"/{self.product.code}{self.letter}{self.year % 10}"

    @property
    def streamer_symbol(self) -> str:
        """As dxFeed writes it: `/ESZ26:XCME`."""
        year = f"{self.year % 100:02d}"
        return f"/{self.product.code}{self.letter}{year}:{self.product.streamer_exchange}"


@dataclass(frozen=True)
class FutureOptions:
    """The options of one future that expire on one date."""

    future: FutureContract
    root: str
    """`EW3`, `LO`."""
    kind: str
    """`Regular`, `Weekly` or `End-Of-Month`."""
    settlement: str
    """`AM` or `PM`."""
    is_american: bool
    month: int
    year: int
    """Month and year that the option's code names."""
    expires: date
    expires_at: datetime

    @property
    def code(self) -> str:
        """`EW3N4`."""
        return f"{self.root}{MONTHS[self.month - 1]}{self.year % 10}"

    @property
    def streamer_code(self) -> str:
        """`EW3N24`."""
        return f"{self.root}{MONTHS[self.month - 1]}{self.year % 100:02d}"


def contracts_of(product: FutureProduct, now: datetime) -> tuple[FutureContract, ...]:
    """What is listed and trades, ascending by expiration."""
    found: list[FutureContract] = []
    today = now.astimezone(NEW_YORK).date()
    month = today.year * 12 + today.month - 1
    while len(found) < product.count:
        year, place = divmod(month, 12)
        month += 1
        if MONTHS[place] not in product.months:
            continue
        contract = _contract(product, year, place + 1)
        if contract.expires_at > now:
            found.append(contract)
    return tuple(found)


def options_of(futures: tuple[FutureContract, ...], now: datetime) -> tuple[FutureOptions, ...]:
    """Every listed expiration of options on `futures`, which are of one product; ascending."""
    roots = futures[0].product.options
    if roots is None:
        return ()
    found = {one.expires: one for one in _with_futures(futures[:_OPTION_MONTHS])}
    if roots.month_end:
        for day in _month_ends(now):
            found.setdefault(day, _between(futures, roots.month_end, "End-Of-Month", day))
    if roots.weekly:
        for day in _fridays(now, futures[0].product.months):
            root = f"{roots.weekly}{(day.day - 1) // 7 + 1}"
            session = sessions("XNYS").session_on_or_before(day)
            found.setdefault(session, _between(futures, root, "Weekly", session))
    return tuple(one for _, one in sorted(found.items()) if one.expires_at > now)


def active_places(futures: tuple[FutureContract, ...], now: datetime) -> int:
    """Place of the contract the vendor calls active: the next to expire that need not be rolled yet."""
    today = now.astimezone(NEW_YORK).date()
    ahead = sessions("XNYS").add_sessions(today, futures[0].product.roll.sessions_before)
    return next((n for n, one in enumerate(futures) if one.expires > ahead), len(futures) - 1)


def _contract(product: FutureProduct, year: int, month: int) -> FutureContract:
    day, at = _expiration(product, year, month)
    return FutureContract(product, year, month, day, at)


def _expiration(product: FutureProduct, year: int, month: int) -> tuple[date, datetime]:
    """Last day and instant. *Source* the products' rules: CME 358 and 359, NYMEX 200, CFE 12."""
    calendar = sessions("XNYS")
    if product.code == "CL":
        before = date(year - (month == 1), (month - 2) % 12 + 1, 25)
        day = calendar.add_sessions(calendar.session_on_or_before(before), -3)
        at = datetime.combine(day, _PIT_CLOSE, NEW_YORK)
        return day, at.astimezone(UTC)
    if product.code == "VX":
        friday = third_friday(year, month + 1)
        day = friday - timedelta(30)
        if not calendar.is_session(day) or not calendar.is_session(friday):
            day = calendar.previous_session(day)
        return day, calendar.open_utc(day)
    day = calendar.session_on_or_before(third_friday(year, month))
    return day, calendar.open_utc(day)


def _with_futures(futures: tuple[FutureContract, ...]) -> Iterator[FutureOptions]:
    """Options that expire with their future; of what is delivered, three sessions before."""
    calendar = sessions("XNYS")
    for future in futures:
        roots = future.product.options
        if roots is None:
            continue
        day, at, settlement = future.expires, future.expires_at, "AM"
        if not future.product.is_cash_settled:
            day = calendar.add_sessions(future.expires, -3)
            at = datetime.combine(day, _PIT_CLOSE, NEW_YORK).astimezone(UTC)
            settlement = "PM"
        yield FutureOptions(
            future,
            roots.with_future,
            "Regular",
            settlement,
            True,
            future.month,
            future.year,
            day,
            at,
        )


def _between(futures: tuple[FutureContract, ...], root: str, kind: str, day: date) -> FutureOptions:
    """Options on the first future that is still there on `day`."""
    future = next(one for one in futures if one.expires >= day)
    at = sessions("XNYS").close_utc(day)
    return FutureOptions(future, root, kind, "PM", False, day.month, day.year, day, at)


def _fridays(now: datetime, months: str) -> Iterator[date]:
    """The next Fridays that have a root: the first to the fourth of their month, without a future's own."""
    today = now.astimezone(NEW_YORK).date()
    first = today + timedelta((4 - today.weekday()) % 7)
    for week in range(_WEEKS):
        day = first + timedelta(7 * week)
        is_futures_own = (
            day == third_friday(day.year, day.month) and MONTHS[day.month - 1] in months
        )
        session = sessions("XNYS").session_on_or_before(day)
        if day.day <= 28 and not is_futures_own and session >= today:
            yield day


def _month_ends(now: datetime) -> Iterator[date]:
    today = now.astimezone(NEW_YORK).date()
    for ahead in range(1, _MONTH_ENDS + 1):
        year, month = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        yield sessions("XNYS").previous_session(date(year, month + 1, 1))
