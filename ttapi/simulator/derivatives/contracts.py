# SPDX-License-Identifier: Apache-2.0
"""Which futures and cryptocurrencies the vendor has, and what each price follows.

Contract terms are real, prices are not: index futures are what the market's index is worth then,
the others follow a price of their own, drawn as a listing's is.

The contracts of a product at a moment: months, last days, and the options on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.derivatives.chain import third_friday
from ttapi.simulator.listings import FIRST_YEAR, Listing, PriceCharacter

if TYPE_CHECKING:
    from collections.abc import Iterator

MONTHS = "FGHJKMNQUVXZ"
"""Letters of January to December."""


@dataclass(frozen=True)
class Roll:
    """When the vendor moves on to the next contract."""

    name: str
    sessions_before: int
    """Before the expiration."""


@dataclass(frozen=True)
class OptionRoots:
    """Roots of a product's options; an empty one: none such are listed."""

    with_future: str
    """Of those that expire with their future, or three sessions before its last trade."""
    weekly: str = ""
    """Of Fridays; the number of the Friday in its month follows."""
    month_end: str = ""
    step: str = "5"
    """Between strikes near the price, in the price's unit."""


@dataclass(frozen=True)
class FutureProduct:
    """One kind of future. *Source* contract specifications of CME Group and Cboe Futures Exchange."""

    code: str
    description: str
    exchange: str
    streamer_exchange: str
    """MIC, as dxFeed's symbols end."""
    follows: str
    """Symbol of the listing, or of one of `BASES`."""
    tick: float
    multiplier: int
    """USD for a move of 1."""
    months: str
    """Letters of the contract months."""
    count: int
    """Contracts listed at a time."""
    since: int
    """Year from which the market has it whole."""
    sector: str
    roll: Roll
    is_cash_settled: bool = True
    options: OptionRoots | None = None
    display_factor: str = "0.01"


PRODUCTS = (
    FutureProduct(
        "ES",
        "E Mini S&P",
        "CME",
        "XCME",
        "SPX",
        0.25,
        50,
        "HMUZ",
        5,
        1998,
        "Equity Index",
        Roll("equity_index", 4),
        options=OptionRoots("ES", "EW", "EW"),
    ),
    FutureProduct(
        "NQ",
        "E Mini Nasdaq",
        "CME",
        "XCME",
        "NDX",
        0.25,
        20,
        "HMUZ",
        5,
        2000,
        "Equity Index",
        Roll("equity_index", 4),
        options=OptionRoots("NQ", "QN", "QNE", step="25"),
    ),
    FutureProduct(
        "CL",
        "Crude Oil",
        "CME",
        "XNYM",
        "CL",
        0.01,
        1000,
        MONTHS,
        12,
        1996,
        "Energy",
        Roll("energy", 3),
        is_cash_settled=False,
        options=OptionRoots("LO", step="0.5"),
    ),
    FutureProduct(
        "VX",
        "VIX Futures",
        "CFE",
        "XCBF",
        "VIX",
        0.05,
        1000,
        MONTHS,
        9,
        2005,
        "Volatility",
        Roll("vix", 1),
    ),
)


@dataclass(frozen=True)
class Coin:
    """One cryptocurrency."""

    number: int
    """The vendor's id."""
    symbol: str
    """`BTC/USD`."""
    name: str
    follows: str

    @property
    def streamer_symbol(self) -> str:
        """As dxFeed writes it."""
        return f"{self.symbol}:CXTALP"


COINS = (
    Coin(1, "BTC/USD", "Bitcoin", "BTC"),
    Coin(2, "ETH/USD", "Ethereum", "ETH"),
)


def _base(symbol: str, kind: str, price: float, volatility: float, first_year: int) -> Listing:
    character = PriceCharacter(
        price=price,
        beta=0.2 if kind == "commodity" else 0.8,
        sector=0,
        sector_share=0.0,
        own_volatility=volatility,
        drift=0.0,
        dollar_volume=5e9,
        dividend_yield=0.0,
        report_month=0,
        first_year=first_year,
    )
    # No ticker of a share has a slash in front: nothing is drawn twice from one name.
    return Listing(f"/{symbol}", kind, symbol, "XNYM", f"/{symbol}", (), character)


BASES = {
    "CL": _base("CL", "commodity", 64.0, 0.3, FIRST_YEAR),
    "BTC": _base("BTC", "coin", 88_000.0, 0.45, 2014),
    "ETH": _base("ETH", "coin", 3_000.0, 0.55, 2017),
}
"""Prices that futures and coins follow and no share, fund or index has."""


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
