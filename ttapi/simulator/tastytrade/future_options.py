# SPDX-License-Identifier: Apache-2.0
"""Options on futures: chains, flat and nested, and single ones."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.derivatives.contracts import active_places
from ttapi.simulator.derivatives.symbols import FutureOption
from ttapi.simulator.tastytrade.futures import option_ticks, product_document, product_of
from ttapi.simulator.tastytrade.wire import (
    ApiCall,
    ApiError,
    Document,
    Reply,
    TastytradeService,
    get,
    instant,
    many,
    one,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from decimal import Decimal

    from ttapi.simulator.derivatives.contracts import FutureContract, FutureOptions, FutureProduct

_ROOT_KINDS = (("with_future", "Regular"), ("weekly", "Weekly"), ("month_end", "End-Of-Month"))
_FRIDAYS = range(1, 5)


def _flat(service: TastytradeService, call: ApiCall) -> Reply:
    product = _product_with_options(service, call)
    return many(call, [_option_document(service, option) for option in _every(service, product)])


def _nested(service: TastytradeService, call: ApiCall) -> Reply:
    product, market = _product_with_options(service, call), service.market
    futures = market.board.contracts(product, market.now)
    active = active_places(futures, market.now)
    by_style: dict[bool, list[FutureOptions]] = {}
    for options in market.board.options(product, market.now):
        by_style.setdefault(options.is_american, []).append(options)
    return one(
        call,
        {
            "futures": [
                _future_row(service, future, place - active) for place, future in enumerate(futures)
            ],
            "option-chains": [
                {
                    "underlying-symbol": f"/{product.code}",
                    "root-symbol": f"/{product.code}",
                    "exercise-style": "American" if is_american else "European",
                    "expirations": [_expiration_row(service, options) for options in found],
                }
                for is_american, found in by_style.items()
            ],
        },
    )


def _listed(service: TastytradeService, call: ApiCall) -> Reply:
    """Those of the symbols that are listed."""
    found = [service.market.find_other(symbol) for symbol in call.values("symbol")]
    options = [option for option in found if isinstance(option, FutureOption)]
    return many(call, [_option_document(service, option) for option in options])


def _single(service: TastytradeService, call: ApiCall) -> Reply:
    text = call.params["symbol"]
    # A path loses an unquoted `./` on its way.
    found = service.market.find_other(f"./{text.removeprefix('./')}")
    if not isinstance(found, FutureOption):
        raise ApiError(404, "not_found", f"Couldn't find {call.params['symbol']}")
    return one(call, _option_document(service, found))


def _products(service: TastytradeService, call: ApiCall) -> Reply:
    return many(call, [_root_document(*row) for row in _roots(service)])


def _product(service: TastytradeService, call: ApiCall) -> Reply:
    for product, root, kind in _roots(service):
        if (product.exchange, root) == (call.params["exchange"], call.params["root"]):
            return one(call, _root_document(product, root, kind))
    raise ApiError(404, "not_found", f"Couldn't find {call.params['root']}")


def _product_with_options(service: TastytradeService, call: ApiCall) -> FutureProduct:
    product = product_of(service, call.params["code"])
    if product.options is None:
        raise ApiError(404, "not_found", f"Couldn't find options of {product.code}")
    return product


def _every(service: TastytradeService, product: FutureProduct) -> Iterator[FutureOption]:
    market = service.market
    for options in market.board.options(product, market.now):
        for strike in market.board.strikes(options, market.now):
            for option_type in "CP":
                yield FutureOption(options, option_type, strike)


def _future_row(service: TastytradeService, future: FutureContract, place: int) -> Document:
    """A future beside the chains; `place` counts from the active one."""
    return {
        "symbol": future.symbol,
        "root-symbol": f"/{future.product.code}",
        "expiration-date": future.expires.isoformat(),
        "days-to-expiration": _days(service, future.expires),
        "active-month": place == 0,
        "next-active-month": place == 1,
        "stops-trading-at": instant(future.expires_at),
        "expires-at": instant(future.expires_at),
        # The vendor writes a zone behind this one date.
        "maturity-date": f"{future.expires.isoformat()} UTC",
        "streamer-symbol": future.streamer_symbol,
    }


def _expiration_row(service: TastytradeService, options: FutureOptions) -> Document:
    return {
        **_terms(service, options),
        "option-contract-symbol": options.code,
        "asset": options.root,
        "expiration-type": options.kind,
        "settlement-type": options.settlement,
        "tick-sizes": option_ticks(options.future.product),
        "strikes": [
            _strike_row(options, strike)
            for strike in service.market.board.strikes(options, service.market.now)
        ],
    }


def _terms(service: TastytradeService, options: FutureOptions) -> Document:
    """What an expiration and each of its options say alike."""
    product = options.future.product
    return {
        "underlying-symbol": options.future.symbol,
        "root-symbol": f"/{product.code}",
        "option-root-symbol": options.root,
        "expiration-date": options.expires.isoformat(),
        "days-to-expiration": _days(service, options.expires),
        "expires-at": instant(options.expires_at),
        "stops-trading-at": instant(options.expires_at),
        "notional-value": _notional(product),
        "display-factor": product.display_factor,
        "strike-factor": "1.0",
    }


def _strike_row(options: FutureOptions, strike: Decimal) -> Document:
    call, put = (FutureOption(options, kind, strike) for kind in "CP")
    return {
        "strike-price": _strike(strike),
        "call": call.symbol,
        "call-streamer-symbol": call.streamer_symbol,
        "put": put.symbol,
        "put-streamer-symbol": put.streamer_symbol,
    }


def _option_document(service: TastytradeService, option: FutureOption) -> Document:
    """One option as an instrument."""
    options, product = option.options, option.options.future.product
    return {
        **_terms(service, options),
        "symbol": option.symbol,
        "product-code": product.code,
        "strike-price": _strike(option.strike),
        "exchange": product.exchange,
        "exchange-symbol": f"{options.code} {option.option_type}{_strike(option.strike)}",
        "streamer-symbol": option.streamer_symbol,
        "option-type": option.option_type,
        "exercise-style": "American" if options.is_american else "European",
        "is-vanilla": True,
        "is-primary-deliverable": True,
        "future-price-ratio": "1.0",
        "multiplier": "1.0",
        "underlying-count": "1.0",
        "is-confirmed": True,
        "settlement-type": "Future",
        "maturity-date": f"{options.expires.isoformat()} UTC",
        "is-exercisable-weekly": options.kind == "Weekly",
        "last-trade-time": "0",
        "is-closing-only": False,
        "active": True,
        "security-exchange": product.streamer_exchange,
        "sx-id": "0",
        "security-id": str(crc32(option.symbol.encode()) % 10**8),
        "future-option-product": _root_document(product, options.root, options.kind),
    }


def _roots(service: TastytradeService) -> Iterator[tuple[FutureProduct, str, str]]:
    """Every root with its product and kind."""
    for product in service.market.board.products(service.market.now):
        for name, kind in _ROOT_KINDS:
            root = getattr(product.options, name, "")
            numbered = [f"{root}{week}" for week in _FRIDAYS] if name == "weekly" else [root]
            for one_root in numbered if root else ():
                yield product, one_root, kind


def _root_document(product: FutureProduct, root: str, kind: str) -> Document:
    return {
        "root-symbol": root,
        "code": root,
        "cash-settled": False,
        "display-factor": product.display_factor,
        "exchange": product.exchange,
        "product-type": "Financial" if product.is_cash_settled else "Physical",
        "product-subtype": "None",
        "expiration-type": kind,
        "settlement-delay-days": 0,
        "market-sector": product.sector,
        "clearing-code": root,
        "clearing-exchange-code": "16",
        "clearing-price-multiplier": "1.0",
        "is-rollover": False,
        "future-product": product_document(product),
    }


def _notional(product: FutureProduct) -> str:
    """USD for a hundredth of the price, as the vendor counts: 0.5 for ES."""
    return f"{product.multiplier * float(product.display_factor):g}"


def _strike(strike: Decimal) -> str:
    text = f"{strike:f}"
    return text if "." in text else f"{text}.0"


def _days(service: TastytradeService, day: date) -> int:
    return (day - service.market.today).days


ENDPOINTS = (
    get("/futures-option-chains/{code:[^/]+}/nested", _nested),
    get("/futures-option-chains/{code:[^/]+}", _flat),
    get("/instruments/future-options", _listed),
    get("/instruments/future-options/{symbol:.+}", _single),
    get("/instruments/future-option-products", _products),
    get("/instruments/future-option-products/{exchange}/{root}", _product),
)
