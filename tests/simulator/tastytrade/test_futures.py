# SPDX-License-Identifier: Apache-2.0
"""Endpoints of futures, options on them and cryptocurrencies."""

from __future__ import annotations

from datetime import date

import pytest


def data(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_futures_are_those_of_the_board(client, vendor_market):
    board, now = vendor_market.board, vendor_market.now
    items = data(client, "/instruments/futures")["items"]
    assert [item["symbol"] for item in items] == [
        contract.symbol
        for product in board.products(now)
        for contract in board.contracts(product, now)
    ]
    for product in {item["product-code"] for item in items}:
        mine = [item for item in items if item["product-code"] == product]
        assert sum(item["active-month"] for item in mine) == 1
        assert sum(item["next-active-month"] for item in mine) == 1
    assert all("instrument-type" not in item for item in items)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("symbol[]=/ESU4&symbol[]=VXN4", ["/ESU4", "/VXN4"]),
        ("product-code[]=NQ&product-code[]=/ES&exchange=CME&per-page=2", ["/ESM4", "/ESU4"]),
        ("exchange=CFE&per-page=1", ["/VXM4"]),
        ("symbol=/NOPE", []),
    ],
)
def test_futures_are_chosen_by_symbol_product_and_exchange(client, query, found):
    items = data(client, f"/instruments/futures?{query}")["items"]
    assert [item["symbol"] for item in items] == found


def test_single_futures_and_products_are_found_with_and_without_a_slash(client):
    for spelling in ("ESU4", "/ESU4", "%2FESU4"):
        assert data(client, f"/instruments/futures/{spelling}")["streamer-symbol"] == "/ESU24:XCME"
    products = data(client, "/instruments/future-products")["items"]
    assert [item["code"] for item in products] == ["ES", "NQ", "CL", "VX"]
    assert data(client, "/instruments/future-products/CFE/VX")["notional-multiplier"] == "1000.0"
    roots = data(client, "/instruments/future-option-products")["items"]
    assert {"ES", "EW", "EW3", "QNE", "LO"} <= {item["root-symbol"] for item in roots}
    assert data(client, "/instruments/future-option-products/CME/EW3")["code"] == "EW3"


def test_the_nested_chain_of_a_product_holds_what_the_flat_one_does(client, vendor_market):
    nested = data(client, "/futures-option-chains/ES/nested")
    flat = data(client, "/futures-option-chains/ES")["items"]
    expirations = [row for chain in nested["option-chains"] for row in chain["expirations"]]
    assert {chain["exercise-style"] for chain in nested["option-chains"]} == {
        "American",
        "European",
    }
    listed = {
        strike[kind] for e in expirations for strike in e["strikes"] for kind in ("call", "put")
    }
    assert listed == {option["symbol"] for option in flat}
    assert len(listed) == len(flat) > 1000
    futures = {row["symbol"] for row in nested["futures"]}
    assert {row["underlying-symbol"] for row in expirations} <= futures
    assert nested["futures"][0]["maturity-date"] == "2024-06-21 UTC"
    option = flat[len(flat) // 2]
    assert data(client, f"/instruments/future-options/{option['symbol']}") == option
    single = data(client, "/instruments/future-options?symbol[]=" + option["symbol"])["items"]
    assert single == [option]


def test_cryptocurrencies_are_listed_and_found(client):
    items = data(client, "/instruments/cryptocurrencies")["items"]
    assert [(item["symbol"], item["streamer-symbol"]) for item in items] == [
        ("BTC/USD", "BTC/USD:CXTALP"),
        ("ETH/USD", "ETH/USD:CXTALP"),
    ]
    for spelling in ("ETH/USD", "ETH%2FUSD"):
        assert data(client, f"/instruments/cryptocurrencies/{spelling}") == items[1]
    assert data(client, "/instruments/cryptocurrencies?symbol[]=ETH/USD")["items"] == items[1:]


@pytest.mark.parametrize(
    "path",
    [
        "/instruments/futures/NOPE",
        "/instruments/future-products/CME/VX",
        "/instruments/future-products/CME/NOPE",
        "/futures-option-chains/NOPE/nested",
        "/futures-option-chains/VX",
        "/instruments/future-options/NOPE",
        "/instruments/future-option-products/CME/NOPE",
        "/instruments/cryptocurrencies/NOPE",
        "/market-data/Future/NOPE",
        "/market-data/Cryptocurrency/AAPL",
    ],
)
def test_what_is_not_listed_is_not_found(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_market_data_of_all_kinds_come_in_one_answer(client, vendor_market):
    option = data(client, "/futures-option-chains/CL")["items"][40]["symbol"]
    found = data(
        client,
        f"/market-data/by-type?future=/ESU4&future-option={option}&cryptocurrency=BTC/USD&equity=SPY",
    )["items"]
    assert [(item["symbol"], item["instrument-type"]) for item in found] == [
        ("SPY", "Equity"),
        ("/ESU4", "Future"),
        (option, "Future Option"),
        ("BTC/USD", "Cryptocurrency"),
    ]
    future = vendor_market.quote("/ESU24:XCME")
    assert (found[1]["bid"], found[1]["ask"]) == (f"{future.bid:.2f}", f"{future.ask:.2f}")
    assert found[1]["summary-date"] == date(2024, 6, 14).isoformat()
    assert ("open-interest" in found[1], "open-interest" in found[3]) == (True, False)
    assert data(client, "/market-data/by-type?equity=/ESU4&future=SPY")["items"] == []
