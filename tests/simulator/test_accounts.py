# SPDX-License-Identifier: Apache-2.0
"""Accounts add up: positions and cash are what the transactions make of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from ttapi.simulator.accounts import AccountBook
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 17, 3, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=40)


@pytest.fixture(scope="module", params=[0, 1])
def account(request, market):
    book = AccountBook(market)
    return book, book.accounts()[request.param]


def test_positions_are_the_sums_of_the_trades(account):
    book, number = account
    held = defaultdict(float)
    for item in book.transactions(number):
        if item.kind == "Trade":
            held[item.symbol] += item.quantity * (1 if item.sub_kind.startswith("Buy") else -1)
    assert {p.symbol: p.quantity for p in book.positions(number)} == {
        symbol: quantity for symbol, quantity in held.items() if quantity
    }


def test_an_account_holds_shares_and_options_long_and_short(account):
    book, number = account
    kinds = {(p.contract is not None, p.quantity > 0) for p in book.positions(number)}
    assert kinds == {(False, True), (True, True), (True, False)}


@pytest.fixture(scope="module")
def later():
    """The same market, at whatever time `set_day` says: its past is drawn once."""
    now = [NOW]
    market = VendorMarket(7, lambda: now[0], symbols=40)

    def set_day(days):
        now[0] = NOW + timedelta(days=days)
        return market

    return set_day


@pytest.mark.parametrize("days", [0, 3, 14, 21, 30, 60])
def test_options_held_are_in_the_chain(later, days):
    market = later(days)
    book = AccountBook(market)
    for account in book.accounts():
        for position in book.positions(account):
            if position.contract:
                assert market.find_contract(position.contract), position.symbol


def test_transactions_fill_pages_and_have_ids_of_their_own(account):
    book, number = account
    found = book.transactions(number)
    assert len({item.id for item in found}) == len(found) > 250
    assert [item.executed_at for item in found] == sorted(item.executed_at for item in found)
    assert found[-1].executed_at <= NOW


@pytest.fixture(scope="module")
def much_later():
    return AccountBook(VendorMarket(7, NOW + timedelta(days=200), symbols=40))


def test_what_was_booked_stands_when_time_goes_on(account, much_later):
    book, number = account
    found = book.transactions(number)
    assert much_later.transactions(number)[: len(found)] == found


def test_a_clock_that_goes_on_books_more(later):
    book = AccountBook(later(0))
    account = book.accounts()[0]
    before = book.transactions(account)
    later(14)
    assert len(book.transactions(account)) > len(before)


def test_dividends_are_paid_on_what_is_held(account):
    book, number = account
    paid = [item for item in book.transactions(number) if item.sub_kind == "Dividend"]
    assert paid
    assert min(item.value for item in paid) > 0
