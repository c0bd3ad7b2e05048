# SPDX-License-Identifier: Apache-2.0
"""A market replayed from files serves the days that were stored."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest

from ttapi.errors import UsageError
from ttapi.simulator.accounts import AccountBook
from ttapi.simulator.server import VendorServer
from ttapi.simulator.stored_market import market_from_folder

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
BARS = """symbol,date,open,high,low,close,volume
ABC,2024-06-11,10,11,9.5,10.5,1000
ABC,2024-06-12,10.5,10.75,10.25,10.4,1200
ABC,2024-06-13,10.4,10.9,10.1,10.8,900
ABC,2024-06-14,10.8,11.2,10.7,11,1500
SPX,2024-06-12,5400,5450,5390,5421,
SPX,2024-06-13,5421,5440,5400,5433,
SPX,2024-06-14,5433,5440,5400,5431,
NEW,2024-06-14,5,6,5,6,10
"""
CHAIN = """underlying,root,expiration,settlement,kind,strike
ABC,ABC,2024-06-14,PM,weekly,11
ABC,ABC,2024-06-21,PM,monthly,11
ABC,ABC,2024-06-21,PM,monthly,10
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bars.csv").write_text(BARS)
    return tmp_path


def test_bars_are_those_of_the_file(folder):
    market = market_from_folder(folder, NOW)
    assert market.symbols == ("ABC", "SPX")
    assert market.bars("ABC")[-1] == (date(2024, 6, 14), 10.8, 11.2, 10.7, 11.0, 1500)
    assert {bar.volume for bar in market.bars("SPX")} == {None}
    assert market.listing("SPX").kind == "index"


def test_days_after_now_are_still_to_come(folder):
    market = market_from_folder(folder, datetime(2024, 6, 14, 18, 0, tzinfo=UTC))
    assert [bar.date.day for bar in market.bars("ABC")] == [11, 12, 13]
    assert 10.7 <= market.forming_bar("ABC").close <= 11.2


def test_a_stored_chain_is_served_without_what_has_settled(folder):
    (folder / "chain.csv").write_text(CHAIN)
    (root,) = market_from_folder(folder, NOW).chain("ABC")
    assert [(e.date, e.strikes) for e in root.expirations] == [
        (date(2024, 6, 21), (Decimal(10), Decimal(11)))
    ]


def test_without_a_stored_chain_there_is_one_by_rule(folder):
    roots = market_from_folder(folder, NOW).chain("SPX")
    assert [root.root for root in roots] == ["SPX", "SPXW"]


def test_a_stored_market_is_served_by_every_endpoint(folder):
    (folder / "bars.csv").write_text(
        "\n".join(line for line in BARS.splitlines() if not line.startswith("SPX"))
    )
    with VendorServer(market_from_folder(folder, NOW)) as server, httpx.Client() as client:
        grant = server.credentials.grant
        body = {"client_secret": grant.client_secret, "refresh_token": grant.refresh_token}
        answer = client.post(
            server.base_url + "/oauth/token", json=body | {"grant_type": "refresh_token"}
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        number = AccountBook(server.market).accounts()[0].number
        paths = [
            "/instruments/equities",
            "/option-chains/ABC/nested",
            "/market-metrics?symbols=ABC",
            "/market-data/by-type?equity=ABC",
            f"/accounts/{number}/balances",
            f"/accounts/{number}/transactions",
        ]
        assert [client.get(server.base_url + path).status_code for path in paths] == [200] * 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symbol,date\n", r"bars.csv lacks the column open"),
        (BARS.replace("10.5,1000", "ten,1000"), r"bars.csv:2: could not convert"),
        (BARS.replace("2024-06-13", "13/06/24"), r"bars.csv:4: Invalid isoformat"),
        (BARS.replace("9.5", "12"), r"bars.csv:2: open 10.0, high 11.0, low 12.0"),
        ("symbol,date,open,high,low,close,volume\n", r"no symbol with 3 bars up to 2024-06-14"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(folder, text, message):
    (folder / "bars.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        market_from_folder(folder, NOW)


def test_a_wrong_chain_is_named_with_its_line(folder):
    (folder / "chain.csv").write_text(CHAIN.replace("PM,weekly", "XX,weekly"))
    with pytest.raises(UsageError, match=r"chain.csv:2: settlement 'XX'"):
        market_from_folder(folder, NOW)


def test_a_folder_without_bars_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"bars.csv cannot be read"):
        market_from_folder(tmp_path, NOW)
