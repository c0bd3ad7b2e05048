# SPDX-License-Identifier: Apache-2.0
"""The vendor's own clients, for Python by TLS and for JavaScript, work against the simulator as they are.

Each lives in an environment of its own: the Python one needs websockets below 12.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from outside import install_pinned, node_project, run, websocket_flag

from ttapi.simulator.accounts import AccountBook
from ttapi.simulator.derivatives.symbols import Contract
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

HERE = Path(__file__).parent
NOW = datetime(2024, 6, 14, 17, 3, 20, tzinfo=UTC)
SINCE = date(2024, 5, 1)
SDK = (
    "tastytrade-sdk==1.2.0",
    "bidict==0.22.1",
    "certifi==2026.10.18",
    "charset-normalizer==3.5.2",
    "idna==3.20",
    "injector==0.20.1",
    "requests==2.34.2",
    "StrEnum==0.4.15",
    "ujson==5.13.0",
    "urllib3==2.8.0",
    "websockets==11.0.3",
)
"""The client, and what it was tried with."""


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=30)


@pytest.fixture(scope="module")
def option(market):
    """A near call of SPY at the money."""
    expiration = market.chain("SPY")[0].expirations[5]
    strike = min(expiration.strikes, key=lambda one: abs(float(one) - market.spot("SPY")))
    return Contract("SPY", expiration.date, "C", strike)


def quotes(market, **by_symbol):
    """What a client must have read, by the name it was asked under."""
    found = {name: market.quote(streamer) for name, streamer in by_symbol.items()}
    return {name: [quote.bid, quote.ask] for name, quote in found.items()}


@pytest.mark.parametrize("faults", [(), ("one-event-per-array",), ("slow-auth",)])
def test_the_vendors_python_client_reads_and_streams_by_tls(market, option, faults, tmp_path):
    python = install_pinned("tastytrade-sdk-1.2.0", SDK)
    trusted = tmp_path / "certificate.pem"
    with VendorServer(market, tls=True, faults=faults) as server:
        trusted.write_bytes(server.certificate)
        grant = server.credentials.grant
        said = json.loads(
            run(
                python, HERE / "tastytrade_sdk_probe.py", server.tls_url.removeprefix("https://"),
                grant.login, grant.password, option.occ_symbol, "/ESU4",
                REQUESTS_CA_BUNDLE=trusted,
            )
        )  # fmt: skip
    book = AccountBook(market)
    first, second = book.accounts()
    streamed = {
        "quotes": quotes(
            market,
            **{"SPY": "SPY", option.occ_symbol: option.streamer_symbol, "/ESU4": "/ESU24:XCME"},
        ),
        "greeks": {option.occ_symbol: market.greeks(option.streamer_symbol).delta},
    }
    assert said == {
        "accounts": [first.number, second.number],
        "positions": len(book.positions(first)),
        "roots": ["SPX", "SPXW"],
        "equities": ["SPY", "BRK/B"],
        "full": streamed,
        "compact": streamed,
        "after_logout": "token_invalid",
    }


@pytest.fixture(scope="session")
def tastytrade_project():
    """The folder of the vendor's client for JavaScript."""
    return node_project(HERE / "tastytrade_js", "tastytrade-7.0.2")


def test_the_vendors_javascript_client_reads_and_streams(market, option, tastytrade_project):
    since = datetime.combine(SINCE, datetime.min.time(), UTC)
    with VendorServer(market) as server:
        grant = server.credentials.grant
        said = json.loads(
            run(
                "node", *websocket_flag(), tastytrade_project / "probe.mjs", server.base_url,
                grant.client_secret, grant.refresh_token, option.streamer_symbol,
                int(since.timestamp() * 1000),
            )
        )  # fmt: skip
    book, board = AccountBook(market), market.board
    account = book.accounts()[0]
    listed = board.contracts(board.products(NOW)[0], NOW)
    assert said["accounts"] == [one.number for one in book.accounts()]
    assert said["positions"] == [one.symbol for one in book.positions(account)]
    assert float(said["cash"][0]) == pytest.approx(float(book.cash(account)))
    assert (said["customer"], said["transactions"]) == ("me", 7)
    assert said["roots"] == [[one.root, len(one.expirations)] for one in market.chain("SPX")]
    assert (said["metrics"], said["equities"]) == (["BRK/B", "SPY"], ["SPY", "BRK/B"])
    assert said["futures"] == [one.symbol for one in listed]
    assert (said["future"], said["futureOptions"]) == ("/ESU24:XCME", [said["call"]])
    assert (said["coins"], said["coin"], said["found"]) == (["BTC/USD"], "ETH/USD", ["AAPL"])
    assert "ETFs" in said["lists"]
    streamers = ("SPY", option.streamer_symbol, "/ESU24:XCME")
    assert said["quotes"] == quotes(market, **{one: one for one in streamers})
    assert said["greeks"] == {option.streamer_symbol: market.greeks(option.streamer_symbol).delta}
    closes = [close for _, close in said["candles"]]
    forming = market.forming_bar("SPY").close
    assert closes == [forming, *(bar.close for bar in reversed(market.bars("SPY", SINCE)))]


def test_the_lock_of_the_node_project_names_no_registry():
    assert "://" not in (HERE / "tastytrade_js" / "package-lock.json").read_text()
