# SPDX-License-Identifier: Apache-2.0
"""The `tastytrade` client of PyPI, unmodified, reads everything it models from the simulator.

It runs in a process of its own: importing it brings pandas and its warnings.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest

from ttapi.simulator.accounts import AccountBook
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

PROBE = Path(__file__).with_name("tastytrade_probe.py")
NOW = datetime(2024, 6, 14, 17, 3, 20, tzinfo=UTC)

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(
        find_spec("tastytrade") is None, reason="the tastytrade client is not installed (dev extra)"
    ),
]


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW)


@pytest.fixture(scope="module")
def adjusted(market):
    """The company with an adjusted root."""
    return next(
        symbol
        for symbol in market.symbols
        if any(root.option_chain_type != "Standard" for root in market.chain(symbol))
    )


@pytest.fixture(scope="module")
def found(market, adjusted):
    """What the client read."""
    with VendorServer(market) as server:
        grant = server.credentials.grant
        done = subprocess.run(
            [
                sys.executable,
                PROBE,
                server.base_url,
                grant.client_secret,
                grant.refresh_token,
                adjusted,
            ],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_logs_in_and_knows_the_customer(found):
    assert (found["customer"], found["is_valid"]) == ("me", True)


def test_accounts_balances_and_positions_are_those_of_the_market(found, market):
    book = AccountBook(market)
    first, second = book.accounts()
    assert found["accounts"] == [first.number, second.number]
    assert Decimal(found["cash"]) == pytest.approx(Decimal(str(book.cash(first))))
    assert found["positions"] == [
        [p.symbol, "Long" if p.quantity > 0 else "Short", f"{abs(p.quantity):g}"]
        for p in book.positions(first)
    ]
    assert found["kinds"] == ["Equity", "Equity Option"]


def test_it_walks_all_pages_of_transactions_and_they_add_up_to_the_cash(found, market):
    book = AccountBook(market)
    expected = len(book.transactions(book.accounts()[0]))
    assert found["transactions"] == found["transactions_read"] == expected > 250
    assert Decimal(found["booked"]) == Decimal(found["cash"])


def test_it_reads_chains_of_two_roots_of_adjusted_contracts_and_of_a_share_class(
    found, market, adjusted
):
    assert found["roots"] == [[r.root, len(r.expirations)] for r in market.chain("SPX")]
    assert [row[0] for row in found["roots"]] == ["SPX", "SPXW"]
    assert found["adjusted"] == [[adjusted, "Standard", 1], [f"{adjusted}1", "Non-standard", 3]]
    assert found["brk_call"].startswith("BRKB  ")
    strikes = sum(len(e.strikes) for e in market.chain("F")[0].expirations)
    assert found["flat"] == 2 * strikes
    assert found["option"][1].startswith(f".{adjusted}1")


def test_it_reads_metrics_with_volatility_by_expiration(found, market):
    assert sorted(found["metrics"]) == ["AAPL", "BRK/B", "SPX", "SPY"]
    for symbol, (index, expirations, has_earnings) in found["metrics"].items():
        surface = market.surface(symbol)
        assert float(index) == pytest.approx(surface.atm_volatility(30 / 365), abs=1e-9)
        assert expirations == sum(len(r.expirations) for r in market.chain(symbol))
        assert has_earnings == bool(market.earnings(symbol))


def test_it_reads_every_equity_over_all_pages(found):
    assert (found["equities"], found["active"], found["one"]) == (507, 507, "BRK/B")


def test_it_reads_the_rest(found, market):
    assert found["quotes"][:3] == ["AAPL", "SPY", "SPX"]
    assert len(found["quotes"]) == 4
    assert found["dividends"] == len(market.dividends("AAPL"))
    assert found["earnings"] == sum(e.date.year >= 2020 for e in market.earnings("AAPL"))
    assert (found["rate"], found["found"], found["sessions"]) == ("0.04", ["AAPL"], ["Open"])
    assert "ETFs" in found["watchlists"]


def test_it_reads_futures_their_options_and_coins(found, market):
    board, now = market.board, market.now
    products = board.products(now)
    symbols = {p.code: [c.symbol for c in board.contracts(p, now)] for p in products}
    assert found["futures"] == [symbol for listed in symbols.values() for symbol in listed]
    assert (found["nasdaq"], found["products"]) == (symbols["NQ"], [p.code for p in products])
    assert found["future"] == ["/ESU24:XCME", "2024-09-20", True]
    assert (found["product"], found["option_product"]) == ("VIX Futures", "Weekly")
    assert found["option_roots"] == 13
    options = board.options(products[0], now)
    contracts = sum(2 * len(board.strikes(one, now)) for one in options)
    codes = sorted(one.code for one in options)
    assert found["future_chain"] == [codes, contracts, contracts, sorted(symbols["ES"])]
    symbol, streamer, underlying = found["future_option"]
    assert underlying in symbols["ES"]
    assert symbol.startswith(f"./{underlying[1:]} ")
    assert streamer.endswith(":XCME")
    assert (found["coins"], found["coin"]) == (["BTC/USD", "ETH/USD"], "ETH/USD:CXTALP")
    assert found["others"] == [
        ["/ESU4", "Future", True],
        [symbol, "Future Option", True],
        ["BTC/USD", "Cryptocurrency", True],
    ]
