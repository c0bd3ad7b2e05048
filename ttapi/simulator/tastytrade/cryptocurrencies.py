# SPDX-License-Identifier: Apache-2.0
"""Cryptocurrencies as instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.service import TastytradeService, get
from ttapi.simulator.tastytrade.wire import ApiError, Call, Document, Reply, many, one

if TYPE_CHECKING:
    from ttapi.simulator.futures.products import Coin

_VENUES = (("TALOS_SPREAD", True), ("TALOS_AUCTION", False))


def _coins(service: TastytradeService, call: Call) -> Reply:
    wanted = call.values("symbol")
    coins = service.market.board.coins(service.market.now)
    return many(call, [_document(coin) for coin in coins if not wanted or coin.symbol in wanted])


def _coin(service: TastytradeService, call: Call) -> Reply:
    for coin in service.market.board.coins(service.market.now):
        if coin.symbol == call.params["symbol"]:
            return one(call, _document(coin))
    raise ApiError(404, "not_found", f"Couldn't find {call.params['symbol']}")


def _document(coin: Coin) -> Document:
    return {
        "id": coin.number,
        "symbol": coin.symbol,
        "instrument-type": "Cryptocurrency",
        "short-description": coin.name,
        "description": f"{coin.name} to USD",
        "is-closing-only": False,
        "active": True,
        "tick-size": "0.01",
        "streamer-symbol": coin.streamer_symbol,
        "destination-venue-symbols": [
            {
                "id": 10 * coin.number + place,
                "symbol": coin.symbol.replace("/", "-"),
                "destination-venue": venue,
                "max-quantity-precision": 8,
                "max-price-precision": 8,
                "routable": is_routable,
            }
            for place, (venue, is_routable) in enumerate(_VENUES)
        ],
    }


ENDPOINTS = (
    get("/instruments/cryptocurrencies", _coins),
    get("/instruments/cryptocurrencies/{symbol:.+}", _coin),
)
