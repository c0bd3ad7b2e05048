# SPDX-License-Identifier: Apache-2.0
"""Chains: the expirations of the rules, AM beside PM, adjusted roots, strikes one can trade."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ttapi.simulator.derivatives.chain import expirations_of, settles_at
from ttapi.simulator.derivatives.symbols import Contract
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 17, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW)


@pytest.mark.parametrize("as_of", ["2024-06-14", "2018-08-24", "2025-04-16", "2026-06-11"])
@pytest.mark.parametrize("root", ["SPX", "SPXW", "SPY", "QQQ", "EQUITY", "VIX"])
def test_expirations_are_those_of_the_sql_rules(lab, root, as_of):
    expected = lab.rows(
        "select expiration_date, settlement, replace(kind, 'vix_', '') from expiration_series"
        f" where root = '{root}' and listed_from <= date '{as_of}'"
        f" and expiration_date >= date '{as_of}' order by 1, 2"
    )
    day = date.fromisoformat(as_of)
    roots = ("VIX", "VIXW") if root == "VIX" else (root,)
    found = sorted((e.date, e.settlement, e.kind) for r in roots for e in expirations_of(r, day))
    # The series ends two years ahead; LEAPS reach further.
    last = max(row[0] for row in expected)
    assert [row for row in found if row[0] <= last] == expected


def test_companies_list_months_the_rules_do_not_know():
    ruled = {e.date for e in expirations_of("AAPL", NOW.date())}
    listed = {e.date for e in expirations_of("AAPL", NOW.date(), cycle=1)}
    assert ruled < listed


def test_the_index_has_two_settlements_on_one_date(market):
    spx, spxw = market.chain("SPX")
    day = date(2024, 6, 21)
    found = [(r.root, e.settlement) for r in (spx, spxw) for e in r.expirations if e.date == day]
    assert found == [("SPX", "AM"), ("SPXW", "PM")]


def test_a_company_has_an_adjusted_root_with_its_deliverables(market):
    symbol = next(
        s
        for s in market.symbols
        if len(market.listing(s).roots) == 2 and market.listing(s).kind == "equity"
    )
    standard, adjusted = market.chain(symbol)
    assert (standard.option_chain_type, adjusted.option_chain_type) == ("Standard", "Non-standard")
    assert adjusted.root == f"{symbol}1"
    assert [(d.symbol == symbol, d.symbol is None) for d in adjusted.deliverables] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_an_adjusted_option_is_worth_more_than_its_plain_twin(market):
    symbol = next(
        s
        for s in market.symbols
        if len(market.listing(s).roots) == 2 and market.listing(s).kind == "equity"
    )
    expiration = market.chain(symbol)[1].expirations[-1]
    strike = expiration.strikes[0]
    adjusted = Contract(f"{symbol}1", expiration.date, "C", strike)
    assert market.greeks(adjusted.streamer_symbol).price > market.spot(symbol) - float(strike)


def test_the_root_of_a_share_class_has_no_slash(market):
    assert [root.root for root in market.chain("BRK/B")] == ["BRKB"]


def test_what_has_settled_is_not_listed():
    expiration = date(2024, 6, 21)
    before, after = (
        VendorMarket(7, datetime(2024, 6, 21, 20, 0, tzinfo=UTC) + timedelta(seconds=s))
        for s in (-1, 0)
    )
    assert [
        expiration in {e.date for e in m.chain("SPY")[0].expirations} for m in (before, after)
    ] == [True, False]


def test_strikes_ascend_and_hold_the_price_between_them(market):
    for symbol in market.symbols[:60]:
        for root in market.chain(symbol):
            for expiration in root.expirations:
                strikes = expiration.strikes
                assert sorted(set(strikes)) == list(strikes)
                assert strikes[0] > 0
                assert len(strikes) >= 5
                if root.option_chain_type == "Standard":
                    assert strikes[0] < Decimal(str(market.spot(symbol))) < strikes[-1]


def test_quotes_hold_the_value_and_stand_on_the_tick(market):
    root = market.chain("AAPL")[0]
    for expiration in root.expirations:
        for strike in expiration.strikes:
            for kind in "CP":
                contract = Contract("AAPL", expiration.date, kind, strike)
                quote = market.quote(contract.streamer_symbol)
                value = market.greeks(contract.streamer_symbol).price
                assert quote.bid <= value <= quote.ask
                assert quote.bid < quote.ask
                assert Decimal(str(quote.ask)) % Decimal("0.01") == 0


def test_options_settle_at_the_open_or_the_close(market):
    spx, spxw = market.chain("SPX")
    assert settles_at(spx.expirations[0]) == datetime(2024, 6, 21, 13, 30, tzinfo=UTC)
    friday = next(e for e in spxw.expirations if e.date == date(2024, 6, 21))
    assert settles_at(friday) == datetime(2024, 6, 21, 20, 0, tzinfo=UTC)
