# SPDX-License-Identifier: Apache-2.0
"""Watchlists, symbol search, and the way to the feed."""

from __future__ import annotations

from datetime import timedelta

from ttapi.simulator.tastytrade.credentials import QUOTE_TOKEN_LIFETIME_S
from ttapi.simulator.tastytrade.service import TastytradeService, get
from ttapi.simulator.tastytrade.wire import ApiError, Call, Document, Reply, instant, many, one

_MOST_FOUND = 50


def _watchlists(service: TastytradeService, call: Call) -> Reply:
    lists = _lists(service)
    if call.flag("counts-only"):
        return many(call, [_counted(item) for item in lists])
    return many(call, lists)


def _watchlist(service: TastytradeService, call: Call) -> Reply:
    for item in _lists(service):
        if item["name"] == call.params["name"]:
            return one(call, item)
    raise ApiError(404, "not_found", f"Couldn't find watchlist {call.params['name']}")


def _lists(service: TastytradeService) -> list[Document]:
    """Lists by kind, and the most traded."""
    listings = [service.market.listing(symbol) for symbol in service.market.symbols]
    companies = [item for item in listings if item.kind == "equity"]
    busiest = sorted(companies, key=lambda item: -item.character.dollar_volume)[:50]
    named = {
        "Indices": [item.symbol for item in listings if item.kind == "index"],
        "ETFs": [item.symbol for item in listings if item.kind == "etf"],
        "Most Traded": [item.symbol for item in busiest],
        "Simulated 500": [item.symbol for item in companies[:500]],
    }
    return [
        {
            "name": name,
            "group-name": "Simulated",
            "order-index": place,
            "cms-id": f"sim-{place}",
            "watchlist-entries": [
                {"symbol": symbol, "instrument-type": "Equity"} for symbol in symbols
            ],
        }
        for place, (name, symbols) in enumerate(named.items(), start=1)
    ]


def _counted(item: Document) -> Document:
    count = len(item["watchlist-entries"])
    return {key: value for key, value in item.items() if key != "watchlist-entries"} | {
        "count": count
    }


def _search(service: TastytradeService, call: Call) -> Reply:
    """Symbols that begin with the text, ascending; one that is it comes first."""
    text = call.params["text"].upper()
    found = sorted(symbol for symbol in service.market.symbols if symbol.startswith(text))
    items = []
    for symbol in found[:_MOST_FOUND]:
        listing = service.market.listing(symbol)
        items.append(
            {
                "symbol": symbol,
                "description": listing.description,
                "listed-market": listing.listed_market,
                "price-increments": "0.01",
                "trading-hours": "0930-1600",
                "options": True,
                "instrument-type": "Index" if listing.kind == "index" else "Equity",
            }
        )
    return many(call, items)


def _quote_token(service: TastytradeService, call: Call) -> Reply:
    now = service.market.now
    return one(
        call,
        {
            "token": service.credentials.give_quote_token(),
            "dxlink-url": service.dxlink_url,
            "level": "api",
            "issued-at": instant(now),
            "expires-at": instant(now + timedelta(seconds=QUOTE_TOKEN_LIFETIME_S)),
        },
    )


ENDPOINTS = (
    get("/public-watchlists", _watchlists),
    get("/public-watchlists/{name:.+}", _watchlist),
    get("/symbols/search/{text:.+}", _search),
    get("/api-quote-tokens", _quote_token),
)
