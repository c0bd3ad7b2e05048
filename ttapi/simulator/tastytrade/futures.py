# SPDX-License-Identifier: Apache-2.0
"""Futures and their products.

Cryptocurrencies as instruments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.derivatives.contracts import FutureContract, active_places
from ttapi.simulator.tastytrade.wire import (
    ApiCall,
    ApiError,
    Document,
    Reply,
    TastytradeService,
    decimal,
    get,
    instant,
    many,
    one,
    paged,
)

if TYPE_CHECKING:
    from ttapi.simulator.derivatives.contracts import Coin, FutureProduct


def _futures(service: TastytradeService, call: ApiCall) -> Reply:
    symbols = {text.lstrip("/") for text in call.values("symbol")}
    codes = set() if symbols else {text.lstrip("/") for text in call.values("product-code")}
    exchange = call.value("exchange")
    found = [
        contract
        for product in service.market.board.products(service.market.now)
        if (not codes or product.code in codes) and exchange in {None, product.exchange}
        for contract in service.market.board.contracts(product, service.market.now)
        if not symbols or contract.symbol.lstrip("/") in symbols
    ]
    return paged(call, found, lambda one: future_document(service, one), per_page=1000)


def _future(service: TastytradeService, call: ApiCall) -> Reply:
    found = service.market.find_other(f"/{call.params['symbol'].lstrip('/')}")
    if not isinstance(found, FutureContract):
        raise ApiError(404, "not_found", f"Couldn't find {call.params['symbol']}")
    return one(call, future_document(service, found))


def _products(service: TastytradeService, call: ApiCall) -> Reply:
    products = service.market.board.products(service.market.now)
    return many(call, [product_document(product) for product in products])


def _product(service: TastytradeService, call: ApiCall) -> Reply:
    exchange = call.params["exchange"]
    product = product_of(service, call.params["code"])
    if product.exchange != exchange:
        raise ApiError(404, "not_found", f"Couldn't find {product.code} on {exchange}")
    return one(call, product_document(product))


def product_of(service: TastytradeService, code: str) -> FutureProduct:
    """The product of that code, with or without a slash.

    *Raises* ApiError 404 for an unknown one.
    """
    for product in service.market.board.products(service.market.now):
        if product.code == code.lstrip("/"):
            return product
    raise ApiError(404, "not_found", f"Couldn't find {code}")


def future_document(service: TastytradeService, contract: FutureContract) -> Document:
    """One future as an instrument; the vendor leaves out its instrument type."""
    product, now = contract.product, service.market.now
    listed = service.market.board.contracts(product, now)
    place, active = listed.index(contract), active_places(listed, now)
    target = listed[min(place + 1, len(listed) - 1)]
    return {
        "symbol": contract.symbol,
        "product-code": product.code,
        "contract-size": decimal(product.multiplier, 1),
        "tick-size": f"{product.tick:g}",
        "notional-multiplier": decimal(product.multiplier, 1),
        "main-fraction": "0.0",
        "sub-fraction": "0.0",
        "display-factor": product.display_factor,
        "last-trade-date": contract.expires.isoformat(),
        "expiration-date": contract.expires.isoformat(),
        "closing-only-date": contract.expires.isoformat(),
        "active": True,
        "active-month": place == active,
        "next-active-month": place == active + 1,
        "is-closing-only": False,
        "stops-trading-at": instant(contract.expires_at),
        "expires-at": instant(contract.expires_at),
        "product-group": f"{product.exchange}_{product.code}",
        "exchange": product.exchange,
        "exchange-symbol": contract.symbol.lstrip("/"),
        "roll-target-symbol": target.symbol,
        "streamer-exchange-code": product.streamer_exchange,
        "streamer-symbol": contract.streamer_symbol,
        "back-month-first-calendar-symbol": product.code == "VX",
        "is-tradeable": True,
        "security-id": str(crc32(contract.streamer_symbol.encode()) % 10**8),
        "tick-sizes": [{"value": f"{product.tick:g}"}],
        "option-tick-sizes": option_ticks(product),
        "spread-tick-sizes": [{"value": f"{product.tick:g}"}],
        "future-product": product_document(product),
    }


def product_document(product: FutureProduct) -> Document:
    """The kind of future."""
    return {
        "root-symbol": f"/{product.code}",
        "code": product.code,
        "description": product.description,
        "clearing-code": product.code,
        "clearing-exchange-code": "16",
        "clearport-code": product.code,
        "legacy-code": product.code,
        "exchange": product.exchange,
        "legacy-exchange-code": product.exchange,
        "product-type": "Financial" if product.is_cash_settled else "Physical",
        "listed-months": list(product.months),
        "active-months": list(product.months),
        "notional-multiplier": decimal(product.multiplier, 1),
        "tick-size": f"{product.tick:g}",
        "display-factor": product.display_factor,
        "streamer-exchange-code": product.streamer_exchange,
        "small-notional": False,
        "back-month-first-calendar-symbol": product.code == "VX",
        "first-notice": not product.is_cash_settled,
        "cash-settled": product.is_cash_settled,
        "security-group": product.code,
        "true-underlying-code": product.code,
        "market-sector": product.sector,
        "supported": True,
        "roll": {
            "name": product.roll.name,
            "active-count": min(3, product.count),
            "cash-settled": product.is_cash_settled,
            "business-days-offset": product.roll.sessions_before,
            "first-notice": not product.is_cash_settled,
        },
    }


def option_ticks(product: FutureProduct) -> list[Document]:
    """Of options on the product's futures."""
    return [{"value": f"{product.tick:g}"}] if product.options else []


FUTURE_ENDPOINTS = (
    get("/instruments/futures", _futures),
    get("/instruments/futures/{symbol:.+}", _future),
    get("/instruments/future-products", _products),
    get("/instruments/future-products/{exchange}/{code}", _product),
)


_VENUES = (("TALOS_SPREAD", True), ("TALOS_AUCTION", False))


def _coins(service: TastytradeService, call: ApiCall) -> Reply:
    wanted = call.values("symbol")
    coins = service.market.board.coins(service.market.now)
    return many(call, [_document(coin) for coin in coins if not wanted or coin.symbol in wanted])


def _coin(service: TastytradeService, call: ApiCall) -> Reply:
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


CRYPTOCURRENCY_ENDPOINTS = (
    get("/instruments/cryptocurrencies", _coins),
    get("/instruments/cryptocurrencies/{symbol:.+}", _coin),
)
