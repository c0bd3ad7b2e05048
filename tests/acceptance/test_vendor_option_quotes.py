# SPDX-License-Identifier: Apache-2.0
"""Snapshots of simulated chains: every contract's quote as the market has it, each asking beside the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from vendor_home import CHAINS, NOW, outcome_of, vendor_home

from ttapi.simulator.derivatives.symbols import read_occ_symbol
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

QUOTES = "raw.tastytrade_option_quotes"
OPEN = NOW - timedelta(hours=2, minutes=30)
"""In the middle of Friday's session."""
CALLS = {"POST /oauth/token", "GET /option-chains/AAPL/nested", "GET /market-data/by-type"}


@pytest.fixture
def vendor(lab):
    with vendor_home(lab, VendorMarket(7, OPEN, symbols=28)) as vendor:
        yield vendor


def test_a_snapshot_holds_what_the_market_quotes(vendor):
    outcome = vendor.refresh(QUOTES, symbols=("AAPL",), now=OPEN)
    assert outcome.exit_code == 0
    market = vendor.server.market
    rows = vendor.lab.rows(
        f"select contract, bid, ask, root, expiration_date, strike, option_type, is_adjusted from {QUOTES}"
        " where strike is not null"
    )
    listed = {
        (root.root, expiration.date, float(strike), kind): root.option_chain_type != "Standard"
        for root in market.chain("AAPL")
        for expiration in root.expirations
        for strike in expiration.strikes
        for kind in "CP"
    }
    assert {row[3:7]: row[7] for row in rows} == listed
    for contract, bid, ask, *_ in rows:
        quote = market.quote(read_occ_symbol(contract).streamer_symbol)
        assert (bid, ask) == (quote.bid, quote.ask)
    quote = market.quote("AAPL")
    own = vendor.lab.rows(
        f"select bid, ask, mark, multiplier from {QUOTES} where contract = 'AAPL'"
    )
    assert own == [(quote.bid, quote.ask, round((quote.bid + quote.ask) / 2, 4), None)]
    asked = vendor.asked()
    assert set(asked) == CALLS
    assert asked["GET /market-data/by-type"] == -(-(len(listed) + 1) // 100)


def test_each_asking_is_a_snapshot_beside_the_others(vendor):
    times = [OPEN, OPEN + timedelta(minutes=4), OPEN + timedelta(minutes=6)]
    for now in times:
        assert vendor.refresh(QUOTES, symbols=("AAPL",), now=now).exit_code == 0
    asked_at = [at.replace(tzinfo=None) for at in (times[0], times[2])]
    rows = vendor.lab.rows(
        f"select snapshot, snapshot_at, min(known_at), count(*) = count(distinct contract), bool_and(is_current)"
        f" from {QUOTES} group by all order by 1"
    )
    assert rows == [(f"AAPL {at.isoformat()}", at, at, True, True) for at in asked_at]
    keys = vendor.lab.rows(
        f"select key from catalog.changed_keys where dataset = '{QUOTES}' order by load_id"
    )
    assert keys == [(row[0],) for row in rows]


def test_an_unknown_symbol_fails_alone_and_the_chain_is_not_loaded_by_the_way(vendor):
    outcome = vendor.refresh(QUOTES, symbols=("AAPL", "ZZZZ"), now=OPEN)
    done = outcome_of(outcome, QUOTES)
    said = "/option-chains/{symbol}/nested: the vendor does not know this symbol"
    assert (outcome.exit_code, done.failed_units) == (1, (f"ZZZZ: {said}",))
    assert vendor.lab.rows(f"select count(*) from {CHAINS}") == [(0,)]
    row = vendor.status(QUOTES, now=OPEN)
    assert row["reasons"][-1] == f"1 of 2 failed: ZZZZ: {said}"


def test_a_call_that_fails_fails_the_snapshot_and_the_one_before_stands(vendor):
    vendor.refresh(QUOTES, symbols=("AAPL",), now=OPEN)
    before = vendor.rows(QUOTES)
    vendor.server.faults.set("truncate:path=/market-data,times=0")
    outcome = vendor.refresh(QUOTES, symbols=("AAPL",), now=OPEN + timedelta(minutes=6))
    assert outcome.exit_code == 1
    assert "AAPL: /market-data/by-type: status 200: no JSON" in outcome_of(outcome, QUOTES).error
    assert vendor.rows(QUOTES) == before
