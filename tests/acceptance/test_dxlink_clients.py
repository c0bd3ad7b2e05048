# SPDX-License-Identifier: Apache-2.0
"""Clients others wrote for dxFeed work against the simulated feed as they are."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from outside import node_project, run, websocket_flag

from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

HERE = Path(__file__).parent
NODE_PROJECT = HERE / "dxlink_js"
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
SINCE = date(2024, 1, 1)


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=30)


def an_option(market):
    """A near call of SPY, a month out."""
    chain = market.chain("SPY")[0]
    expiration = next(e for e in chain.expirations if (e.date - NOW.date()).days > 25)
    strike = min(expiration.strikes, key=lambda k: abs(float(k) - market.spot("SPY")))
    return f".SPY{expiration.date:%y%m%d}C{strike.normalize():f}"


def closes(market, symbol, echoed, since=SINCE):
    """What a client must have got: newest first."""
    midnight = datetime(1970, 1, 1).date().toordinal()
    return [
        [echoed, (bar.date.toordinal() - midnight) * 86_400_000, bar.close]
        for bar in reversed(market.bars(symbol, since))
    ]


@pytest.mark.parametrize("faults", [(), ("one-event-per-array",), ("slow-auth",)])
def test_tastytrade_streams_quotes_greeks_and_candles(market, faults):
    if importlib.util.find_spec("tastytrade") is None:
        pytest.skip("the PyPI package tastytrade is not installed")
    option = an_option(market)
    with VendorServer(market, faults=faults) as server:
        grant = server.credentials.grant
        said = json.loads(
            run(
                sys.executable, HERE / "dxlink_tastytrade.py", server.base_url, "SPY", option, SINCE,
                TT_SECRET=grant.client_secret, TT_REFRESH=grant.refresh_token,
            )
        )  # fmt: skip
    quotes = {symbol: market.quote(symbol) for symbol in ("SPY", option)}
    greeks = market.greeks(option)
    assert said == {
        "quotes": {symbol: [quote.bid, quote.ask] for symbol, quote in quotes.items()},
        "greeks": [option, greeks.delta, greeks.volatility],
        "others": ["Trade", "Summary", "Profile", "TimeAndSale"],
        "candles": closes(market, "SPY", "SPY{=d,tho=true}"),
    }


@pytest.fixture(scope="session")
def dxlink_project():
    """The folder of dxFeed's client."""
    return node_project(NODE_PROJECT, "dxlink-0.3.0")


def test_dxfeeds_own_client_gets_quotes_and_a_history(market, dxlink_project):
    option, since = an_option(market), datetime.combine(SINCE, datetime.min.time(), UTC)
    with VendorServer(market) as server:
        feed = server.addresses()["dxlink"]
        said = json.loads(
            run(
                "node", *websocket_flag(), dxlink_project / "probe.cjs", feed["url"],
                feed["token"], f"SPY,{option}", "SPY{=1d}", int(since.timestamp() * 1000),
            )
        )  # fmt: skip
    quotes = {symbol: market.quote(symbol) for symbol in ("SPY", option)}
    assert said["quotes"] == {symbol: [q.bid, q.ask] for symbol, q in quotes.items()}
    assert said["candles"] == closes(market, "SPY", "SPY{=d}")
    assert (said["flags"][0], said["flags"][-1], said["errors"]) == (4, 10, [])
    assert said["states"][-1] == "AUTHORIZED"


def test_the_lock_of_the_node_project_names_no_registry():
    assert "http" not in (NODE_PROJECT / "package-lock.json").read_text()
