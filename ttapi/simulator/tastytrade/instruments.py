# SPDX-License-Identifier: Apache-2.0
"""Instruments: shares, funds and indices; single options."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.options.symbols import read_occ_symbol
from ttapi.simulator.tastytrade.chains import option_document
from ttapi.simulator.tastytrade.service import TastytradeService, get
from ttapi.simulator.tastytrade.wire import ApiError, Call, Document, Reply, many, one, paged

if TYPE_CHECKING:
    from ttapi.simulator.listings import Listing

_PENNY: list[Document] = [{"value": "0.0001", "threshold": "1.0"}, {"value": "0.01"}]
_OPTION_TICKS: list[Document] = [{"value": "0.01", "threshold": "3.0"}, {"value": "0.05"}]


def _equities(service: TastytradeService, call: Call) -> Reply:
    wanted = call.values("symbol")
    is_index, is_etf, lendability = (
        call.flag("is-index"),
        call.flag("is-etf"),
        call.value("lendability"),
    )
    found = [
        listing
        for listing in _listings(service)
        if (not wanted or listing.symbol in wanted)
        and is_index in {None, listing.kind == "index"}
        and is_etf in {None, listing.kind == "etf"}
        and lendability in {None, _lendability(listing)}
    ]
    return paged(call, found, equity_document, per_page=1000)


def _equity(service: TastytradeService, call: Call) -> Reply:
    return one(call, equity_document(service.listing(call.params["symbol"])))


def _options(service: TastytradeService, call: Call) -> Reply:
    found = []
    for symbol in call.values("symbol"):
        contract = read_occ_symbol(symbol)
        listed = service.market.find_contract(contract) if contract else None
        if listed:
            found.append(option_document(service, listed.root, listed.expiration, listed.contract))
    return many(call, found)


def _option(service: TastytradeService, call: Call) -> Reply:
    contract = read_occ_symbol(call.params["symbol"])
    listed = service.market.find_contract(contract) if contract else None
    if listed is None:
        raise ApiError(404, "not_found", f"Couldn't find {call.params['symbol']}")
    return one(call, option_document(service, listed.root, listed.expiration, listed.contract))


def equity_document(listing: Listing) -> Document:
    """The instrument as the vendor describes it."""
    spread = crc32(listing.symbol.encode())
    return {
        "id": 1 + spread % 100_000,
        "symbol": listing.symbol,
        "instrument-type": "Equity",
        "short-description": listing.description[:20].upper(),
        "description": listing.description,
        "is-index": listing.kind == "index",
        "is-etf": listing.kind == "etf",
        "is-illiquid": False,
        "is-closing-only": False,
        "is-options-closing-only": False,
        "active": True,
        "listed-market": listing.listed_market,
        "lendability": _lendability(listing),
        "borrow-rate": "0.0",
        "market-time-instrument-collection": "Cash Settled Index"
        if listing.kind == "index"
        else "Equity",
        "streamer-symbol": listing.streamer_symbol,
        "is-fractional-quantity-eligible": listing.kind != "index",
        "is-fraud-risk": False,
        "bypass-manual-review": False,
        "overnight-trading-permitted": listing.kind == "etf",
        "country-of-incorporation": "USA",
        "country-of-taxation": "USA",
        "tick-sizes": _PENNY,
        "option-tick-sizes": _OPTION_TICKS,
    }


def _lendability(listing: Listing) -> str:
    """Invented companies of small turnover are hard to borrow."""
    if listing.kind == "index":
        return "Preborrow"
    return "Easy To Borrow" if listing.character.dollar_volume > 2e7 else "Locate Required"


def _listings(service: TastytradeService) -> list[Listing]:
    gone = service.missing()
    return [service.market.listing(s) for s in service.market.symbols if s not in gone]


ENDPOINTS = (
    get("/instruments/equities", _equities),
    get("/instruments/equities/active", _equities),
    get("/instruments/equities/{symbol:.+}", _equity),
    get("/instruments/equity-options", _options),
    get("/instruments/equity-options/{symbol:.+}", _option),
)
