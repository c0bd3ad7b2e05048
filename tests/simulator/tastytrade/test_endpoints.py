# SPDX-License-Identifier: Apache-2.0
"""What the endpoints say: envelopes, pages, spellings, and that they agree with the market."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ttapi.simulator.derivatives.symbols import read_occ_symbol, read_streamer_symbol


def items(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["items"]


def test_every_equity_comes_once_over_all_pages(client, vendor_market):
    seen, pages, path = [], 0, "/instruments/equities?per-page=25"
    while path:
        document = client.get(path).json()
        seen += [item["symbol"] for item in document["data"]["items"]]
        path, pages = document["pagination"]["next-link"], pages + 1
    assert (pages, seen) == (3, list(vendor_market.symbols))


def test_a_page_says_where_it_stands(client):
    block = client.get("/instruments/equities?is-etf=true&per-page=4&page-offset=1").json()
    assert block["pagination"] == {
        "per-page": 4,
        "page-offset": 1,
        "item-offset": 4,
        "total-items": 9,
        "total-pages": 3,
        "current-item-count": 4,
        "previous-link": "/instruments/equities?is-etf=true&per-page=4&page-offset=0",
        "next-link": "/instruments/equities?is-etf=true&per-page=4&page-offset=2",
        "paging-link-template": None,
    }


@pytest.mark.parametrize("query", ["per-page=0", "per-page=x", "page-offset=-1", "per-page=5000"])
def test_a_page_that_cannot_be_is_told(client, query):
    answer = client.get(f"/instruments/equities?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


@pytest.mark.parametrize(
    "query", ["symbol[]=AAPL&symbol[]=BRK/B", "symbol=AAPL,BRK%2FB", "symbol=AAPL&symbol=BRK/B"]
)
def test_lists_may_be_repeated_keys_or_one_with_commas(client, query):
    found = [item["symbol"] for item in items(client, f"/instruments/equities?{query}")]
    assert found == ["AAPL", "BRK/B"]


@pytest.mark.parametrize("spelling", ["BRK/B", "BRK%2FB"])
def test_a_slash_in_a_symbol_may_be_raw_or_quoted(client, spelling):
    assert client.get(f"/instruments/equities/{spelling}").json()["data"]["symbol"] == "BRK/B"
    assert items(client, f"/option-chains/{spelling}/nested")[0]["root-symbol"] == "BRKB"
    assert items(client, f"/market-metrics?symbols={spelling}")[0]["symbol"] == "BRK/B"


@pytest.mark.parametrize(
    "path",
    [
        "/instruments/equities/NOPE",
        "/option-chains/NOPE/nested",
        "/public-watchlists/NOPE",
        "/market-data/Equity/NOPE",
        "/market-metrics/historic-corporate-events/dividends/NOPE",
        "/instruments/equity-options/NOPE",
        "/nowhere",
    ],
)
def test_what_is_not_there_is_404_with_an_error_object(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert sorted(answer.json()["error"]) == ["code", "message"]


def test_a_strangers_account_is_not_permitted(client):
    assert client.get("/accounts/5WT00000/balances").status_code == 403


@pytest.mark.parametrize(
    "kind", ["equities", "equity-options", "futures", "future-options", "cryptocurrencies"]
)
def test_all_five_lists_answer_any_symbol(client, kind):
    assert items(client, f"/instruments/{kind}?symbol[]=/ESZ6") == []


def test_the_three_forms_of_a_chain_hold_the_same_options(client):
    flat = {item["symbol"] for item in items(client, "/option-chains/SPX")}
    compact = {s for group in items(client, "/option-chains/SPX/compact") for s in group["symbols"]}
    nested = {
        strike[kind]
        for root in items(client, "/option-chains/SPX/nested")
        for expiration in root["expirations"]
        for strike in expiration["strikes"]
        for kind in ("call", "put")
    }
    assert flat == compact == nested


def test_nested_strikes_spell_one_contract_three_ways(client):
    for root in items(client, "/option-chains/F/nested"):
        for expiration in root["expirations"]:
            for strike in expiration["strikes"]:
                call = read_occ_symbol(strike["call"])
                assert call == read_streamer_symbol(strike["call-streamer-symbol"])
                assert call.strike == Decimal(strike["strike-price"])


def test_metrics_come_in_an_order_of_their_own_without_unknown_symbols(client):
    found = items(client, "/market-metrics?symbols=SPY,NOPE,AAPL,SPY")
    assert [item["symbol"] for item in found] == ["AAPL", "SPY"]


def test_metrics_mix_fractions_and_percent_as_the_vendor_does(client, vendor_market):
    (item,) = items(client, "/market-metrics?symbols=AAPL")
    index = float(item["implied-volatility-index"])
    assert index == pytest.approx(vendor_market.surface("AAPL").atm_volatility(30 / 365), abs=1e-9)
    assert float(item["implied-volatility-30-day"]) == pytest.approx(100 * index, abs=0.005)
    assert 0 <= float(item["implied-volatility-index-rank"]) <= 1
    assert isinstance(item["market-cap"], int)


def test_metrics_hold_both_settlements_of_one_date(client):
    (item,) = items(client, "/market-metrics?symbols=SPX")
    rows = item["option-expiration-implied-volatilities"]
    found = [r["settlement-type"] for r in rows if r["expiration-date"] == "2024-06-21"]
    assert sorted(found) == ["AM", "PM"]


def test_dividends_and_results_are_those_of_the_market(client, vendor_market):
    path = "/market-metrics/historic-corporate-events"
    paid = items(client, f"{path}/dividends/KO")
    assert [item["occurred-date"] for item in reversed(paid)] == [
        item.ex_date.isoformat() for item in vendor_market.dividends("KO")
    ]
    reports = items(client, f"{path}/earnings-reports/KO?start-date=2023-01-01")
    assert [(r["occurred-date"], float(r["eps"])) for r in reversed(reports)] == [
        (e.date.isoformat(), e.earnings_per_share)
        for e in vendor_market.earnings("KO")
        if e.date.year >= 2023
    ]


@pytest.mark.parametrize("query", ["equity=AAPL,SPY&index=SPX", "equity=AAPL&equity=SPY&index=SPX"])
def test_market_data_by_type_takes_commas_and_repeated_keys(client, query):
    found = items(client, f"/market-data/by-type?{query}")
    assert [(i["symbol"], i["instrument-type"]) for i in found] == [
        ("AAPL", "Equity"),
        ("SPY", "Equity"),
        ("SPX", "Index"),
    ]


def test_market_data_is_of_a_hundred_symbols_at_most(client):
    symbols = ",".join(["AAPL"] * 101)
    answer = client.get(f"/market-data/by-type?equity={symbols}")
    assert answer.status_code == 400
    assert "101" in answer.json()["error"]["message"]


def test_the_session_of_now_is_open_and_the_next_one_monday(client):
    data = client.get("/market-time/equities/sessions/current").json()["data"]
    assert (data["state"], data["open-at"]) == ("Open", "2024-06-14T13:30:00.000+00:00")
    assert data["next-session"]["session-date"] == "2024-06-17"
    assert data["previous-session"]["session-date"] == "2024-06-13"


def test_search_finds_beginnings(client):
    assert [i["symbol"] for i in items(client, "/symbols/search/sp")] == ["SPX", "SPY"]
    assert items(client, "/symbols/search/NOPE") == []
