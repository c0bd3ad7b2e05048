# SPDX-License-Identifier: Apache-2.0
"""Two invented brokerage accounts: what they did, and what they hold and are worth because of it.

Every month each account is paid into, trades shares, and opens options of the next month's
expiration, closed at the month's end. What it did stands when time goes on. Positions and cash
are the sums of the transactions, nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.market.calendar import NEW_YORK
from ttapi.simulator.derivatives.book import Listed
from ttapi.simulator.derivatives.chain import round_strike, third_friday
from ttapi.simulator.derivatives.symbols import Contract
from ttapi.simulator.events import ChainExpiration, RootChain

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from ttapi.simulator.vendor_market import VendorMarket

_FIRST_YEAR = 2023
_DEPOSIT = 25_000.0
_SHARES = ("SPY", "QQQ", "IWM", "DIA", "TLT", "GLD", "XLF", "XLE", "EEM")
"""Funds: they never split."""
_OPTION_UNDERLYINGS = ("SPY", "QQQ", "AAPL")
_COMMISSION, _CLEARING_FEE, _REGULATORY_FEE = 1.0, 0.10, 0.03
"""USD a contract; shares trade free of commission."""


@dataclass(frozen=True)
class Account:
    """One account of the invented customer."""

    number: str
    nickname: str
    account_type: str
    is_margin: bool
    opened_at: datetime


@dataclass(frozen=True)
class Transaction:
    """One booking; amounts in USD, positive to the account."""

    id: int
    kind: str
    """`Trade` or `Money Movement`."""
    sub_kind: str
    """`Buy to Open`, `Deposit`, `Dividend` and so on."""
    executed_at: datetime
    description: str
    value: float
    fees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Commission, clearing fee, regulatory fee; each paid, none negative."""
    symbol: str | None = None
    """Underlying or OCC symbol; None for money."""
    underlying: str | None = None
    contract: Contract | None = None
    quantity: float = 0.0
    price: float = 0.0

    @property
    def net_value(self) -> float:
        """Value less fees."""
        return round(self.value - sum(self.fees), 2)

    @property
    def signed_quantity(self) -> float:
        """What it adds to the position."""
        if self.kind != "Trade":
            return 0.0
        return self.quantity if self.sub_kind.startswith("Buy") else -self.quantity


@dataclass(frozen=True)
class Position:
    """What an account holds of one symbol."""

    symbol: str
    underlying: str
    contract: Contract | None
    quantity: float
    """Signed: negative when short."""
    average_open_price: float
    opened_at: datetime
    updated_at: datetime
    close_price: float
    """At the last completed session."""
    mark: float
    """USD a share, now."""

    @property
    def multiplier(self) -> int:
        """Shares a unit stands for."""
        return 100 if self.contract else 1

    @property
    def market_value(self) -> float:
        """Signed, USD."""
        return round(self.quantity * self.multiplier * self.mark, 2)


class AccountBook:
    """The accounts of one market."""

    def __init__(self, market: VendorMarket) -> None:
        self._market = market
        self._month = lru_cache(maxsize=None)(self._draw_month)

    def accounts(self) -> tuple[Account, ...]:
        """A margin account and a cash account."""
        opened = datetime(self._first_year(), 1, 3, 15, 30, tzinfo=UTC)
        number = 10_000 + crc32(f"{self._market.seed}/account".encode()) % 80_000
        return (
            Account(f"5SX{number}", "Individual", "Individual", True, opened),
            Account(f"5SX{number + 7}", "Retirement", "Roth IRA", False, opened),
        )

    def find(self, number: str) -> Account | None:
        """The account of that number."""
        return next((account for account in self.accounts() if account.number == number), None)

    def transactions(self, account: Account) -> list[Transaction]:
        """All up to now, ascending."""
        now = self._market.now
        found: list[Transaction] = []
        today = now.astimezone(NEW_YORK).date()
        for year in range(account.opened_at.year, today.year + 1):
            for month in range(1, 13):
                if (year, month) <= (today.year, today.month):
                    found += self._month(account.number, year, month)
        found += self._dividends(account, found)
        found.sort(key=lambda item: (item.executed_at, item.id))
        return [item for item in found if item.executed_at <= now]

    def positions(self, account: Account) -> list[Position]:
        """What is held now, ascending by symbol; closed ones left out."""
        trades: dict[str, list[Transaction]] = defaultdict(list)
        for item in self.transactions(account):
            if item.kind == "Trade" and item.symbol:
                trades[item.symbol].append(item)
        found = [self._position(rows) for _, rows in sorted(trades.items())]
        return [position for position in found if position.quantity]

    def cash(self, account: Account) -> float:
        """The sum of all that was booked, USD."""
        return round(sum(item.net_value for item in self.transactions(account)), 2)

    def _first_year(self) -> int:
        return min(_FIRST_YEAR, self._market.today.year - 1)

    def _position(self, rows: list[Transaction]) -> Position:
        first, last = rows[0], rows[-1]
        quantity = sum(row.signed_quantity for row in rows)
        opening = [row for row in rows if row.sub_kind.endswith("Open")]
        weight = sum(row.quantity for row in opening)
        now = self._market.now
        closed_at = self._market.calendar.close_utc(self._market.last_completed_session())
        return Position(
            symbol=str(first.symbol),
            underlying=str(first.underlying),
            contract=first.contract,
            quantity=quantity,
            average_open_price=round(sum(r.quantity * r.price for r in opening) / weight, 4),
            opened_at=first.executed_at,
            updated_at=last.executed_at,
            close_price=self._price(str(first.underlying), first.contract, closed_at)
            if quantity
            else 0.0,
            mark=self._price(str(first.underlying), first.contract, now) if quantity else 0.0,
        )

    def _price(self, underlying: str, contract: Contract | None, at: datetime) -> float:
        if contract is None:
            return self._market.tape.spot(self._market.listing(underlying), at)
        return max(
            0.01, round(self._market.book.greeks(_listed(contract, underlying), at).price, 2)
        )

    def _draw_month(self, number: str, year: int, month: int) -> tuple[Transaction, ...]:
        """The whole month, what is still to come too: it must not depend on when it is asked for."""
        rng = self._market.tape.past.random("account", number, year, month)
        calendar = self._market.calendar
        first = calendar.session_on_or_after(date(year, month, 1))
        booked = [
            Transaction(0, "Money Movement", "Deposit", _at(first, 10), "ACH DEPOSIT", _DEPOSIT)
        ]
        for symbol in rng.sample(_SHARES, 4):
            booked += self._share_trades(symbol, first, rng)
        for place, symbol in enumerate(_OPTION_UNDERLYINGS):
            is_long = (place + month) % 2 == 0
            booked += self._option_trades(symbol, first, rng, is_long=is_long)
        start = (year * 100 + month) * 1000 + crc32(number.encode()) % 7 * 10**9
        return tuple(replace(item, id=start + place) for place, item in enumerate(booked))

    def _share_trades(self, symbol: str, first: date, rng: random.Random) -> Iterable[Transaction]:
        """A purchase, and mostly a sale of some of it later in the month."""
        bought = self._market.calendar.add_sessions(first, rng.randrange(1, 8))
        sold = self._market.calendar.add_sessions(bought, rng.randrange(1, 9))
        quantity = rng.choice((10, 20, 50))
        yield from self._share_trade(symbol, bought, "Buy to Open", quantity)
        if rng.random() < 0.8:
            yield from self._share_trade(symbol, sold, "Sell to Close", quantity)

    def _share_trade(
        self, symbol: str, day: date, action: str, quantity: float
    ) -> Iterable[Transaction]:
        at = _at(day, 11)
        if self._is_traded(symbol, day):
            price = self._price(symbol, None, at)
            yield _trade(action, symbol, None, at=at, quantity=quantity, price=price)

    def _is_traded(self, symbol: str, day: date) -> bool:
        """Whether the symbol has been listed for a year at least."""
        market = self._market
        return symbol in market.symbols and market.listing(symbol).first_year < day.year

    def _option_trades(
        self, symbol: str, first: date, rng: random.Random, *, is_long: bool
    ) -> Iterable[Transaction]:
        """A long call or a short put of the next month's expiration, closed on its first session."""
        calendar = self._market.calendar
        opened = _at(first, 12)
        closed = _at(calendar.session_on_or_after(_next_month(first)), 12)
        quantity = rng.randrange(1, 4)
        if not self._is_traded(symbol, first):
            return
        spot = self._market.tape.spot(self._market.listing(symbol), opened)
        expires = calendar.session_on_or_before(third_friday(first.year, first.month + 1))
        strike = round_strike(spot * (1.03 if is_long else 0.97))
        contract = Contract(symbol, expires, "C" if is_long else "P", strike)
        opening, closing = (
            ("Buy to Open", "Sell to Close") if is_long else ("Sell to Open", "Buy to Close")
        )
        price = self._price(symbol, contract, opened)
        yield _trade(opening, symbol, contract, at=opened, quantity=quantity, price=price)
        price = self._price(symbol, contract, closed)
        yield _trade(closing, symbol, contract, at=closed, quantity=quantity, price=price)

    def _dividends(self, account: Account, booked: list[Transaction]) -> list[Transaction]:
        """Cash of the shares held at each ex-date's open."""
        held: dict[str, list[Transaction]] = defaultdict(list)
        for item in booked:
            if item.kind == "Trade" and item.contract is None and item.symbol:
                held[item.symbol].append(item)
        found = []
        for symbol, trades in held.items():
            for dividend in self._market.dividends(symbol):
                if dividend.ex_date.year < account.opened_at.year:
                    continue
                at = _at(dividend.ex_date, 8)
                shares = sum(t.signed_quantity for t in trades if t.executed_at < at)
                number = crc32(f"{account.number}/{symbol}/{dividend.ex_date}".encode())
                if shares:
                    found.append(
                        Transaction(
                            10**11 + number,
                            "Money Movement",
                            "Dividend",
                            at,
                            f"{symbol} DIVIDEND",
                            round(shares * dividend.amount, 2),
                            symbol=symbol,
                            underlying=symbol,
                        )
                    )
        return found


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(32)).replace(day=1)


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), NEW_YORK).astimezone(UTC)


def _trade(
    action: str,
    symbol: str,
    contract: Contract | None,
    *,
    at: datetime,
    quantity: float,
    price: float,
) -> Transaction:
    multiplier = 100 if contract else 1
    sign = -1 if action.startswith("Buy") else 1
    opens = action.endswith("Open")
    fees = (
        (_COMMISSION * quantity if opens else 0.0, _CLEARING_FEE * quantity, _REGULATORY_FEE)
        if contract
        else (0.0, 0.01, _REGULATORY_FEE)
    )
    name = contract.occ_symbol if contract else symbol
    verb = "Bought" if sign < 0 else "Sold"
    return Transaction(
        id=0,
        kind="Trade",
        sub_kind=action,
        executed_at=at,
        description=f"{verb} {quantity:g} {name} @ {price:.2f}",
        value=round(sign * quantity * multiplier * price, 2),
        fees=fees,
        symbol=name,
        underlying=symbol,
        contract=contract,
        quantity=quantity,
        price=price,
    )


def _listed(contract: Contract, underlying: str) -> Listed:
    root = RootChain(contract.root, underlying, "Standard", 100, "American", (), ())
    return Listed(contract, root, ChainExpiration(contract.expiration, "PM", "monthly", ()))
