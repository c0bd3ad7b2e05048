# SPDX-License-Identifier: Apache-2.0
"""Option chains: flat, nested by root and expiration, compact.

Instruments: shares, funds and indices; single options.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.derivatives.book import TICK_THRESHOLD
from ttapi.simulator.derivatives.chain import settles_at
from ttapi.simulator.derivatives.symbols import Contract, read_occ_symbol
from ttapi.simulator.tastytrade.wire import (
    ApiCall,
    ApiError,
    Document,
    Reply,
    TastytradeService,
    decimal,
    filled,
    get,
    instant,
    many,
    one,
    paged,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from ttapi.simulator.events import ChainExpiration, Deliverable, RootChain
    from ttapi.simulator.listings import Listing

_EXPIRATION_TYPES = {
    "monthly": "Regular",
    "weekly": "Weekly",
    "quarterly": "Quarterly",
    "eom": "End-Of-Month",
}


def _flat(service: TastytradeService, call: ApiCall) -> Reply:
    return many(
        call,
        [
            option_document(service, root, expiration, contract)
            for root, expiration in _expirations(service, call)
            for contract in _contracts(root, expiration)
        ],
    )


def _nested(service: TastytradeService, call: ApiCall) -> Reply:
    listing = service.listing(call.params["symbol"])
    return many(
        call, [_nested_root(service, root) for root in service.market.chain(listing.symbol)]
    )


def _compact(service: TastytradeService, call: ApiCall) -> Reply:
    items = []
    for root, expiration in _expirations(service, call):
        contracts = list(_contracts(root, expiration))
        items.append(
            {
                "underlying-symbol": root.underlying,
                "root-symbol": root.root,
                "option-chain-type": root.option_chain_type,
                "settlement-type": expiration.settlement,
                "shares-per-contract": root.shares_per_contract,
                "expiration-type": _EXPIRATION_TYPES[expiration.kind],
                "deliverables": _deliverables(root),
                "symbols": [contract.occ_symbol for contract in contracts],
                "streamer-symbols": [contract.streamer_symbol for contract in contracts],
            }
        )
    return many(call, items)


def option_document(
    service: TastytradeService, root: RootChain, expiration: ChainExpiration, contract: Contract
) -> Document:
    """One option as an instrument."""
    stops = _stops_trading(service, expiration)
    return {
        "symbol": contract.occ_symbol,
        "instrument-type": "Equity Option",
        "active": True,
        "listed-market": None,
        "strike-price": _strike(contract.strike),
        "root-symbol": root.root,
        "underlying-symbol": root.underlying,
        "expiration-date": expiration.date.isoformat(),
        "exercise-style": root.exercise_style,
        "shares-per-contract": root.shares_per_contract,
        "option-type": contract.option_type,
        "option-chain-type": root.option_chain_type,
        "expiration-type": _EXPIRATION_TYPES[expiration.kind],
        "settlement-type": expiration.settlement,
        "stops-trading-at": stops,
        "expires-at": instant(settles_at(expiration)),
        "market-time-instrument-collection": "Cash Settled Equity Option"
        if root.exercise_style == "European"
        else "Equity Option",
        "days-to-expiration": _days(service, expiration),
        "is-closing-only": False,
        "streamer-symbol": contract.streamer_symbol,
    }


def _nested_root(service: TastytradeService, root: RootChain) -> Document:
    small, large = service.market.book.ticks(root)
    return {
        "underlying-symbol": root.underlying,
        "root-symbol": root.root,
        "option-chain-type": root.option_chain_type,
        "shares-per-contract": root.shares_per_contract,
        "tick-sizes": [
            {"value": f"{small:g}", "threshold": decimal(TICK_THRESHOLD, 1)},
            {"value": f"{large:g}"},
        ],
        "deliverables": _deliverables(root),
        "expirations": [
            {
                "expiration-type": _EXPIRATION_TYPES[expiration.kind],
                "expiration-date": expiration.date.isoformat(),
                "days-to-expiration": _days(service, expiration),
                "settlement-type": expiration.settlement,
                "strikes": [_strike_row(root, expiration, strike) for strike in expiration.strikes],
            }
            for expiration in root.expirations
        ],
    }


def _strike_row(root: RootChain, expiration: ChainExpiration, strike: Decimal) -> Document:
    call, put = (Contract(root.root, expiration.date, kind, strike) for kind in "CP")
    return {
        "strike-price": _strike(strike),
        "call": call.occ_symbol,
        "call-streamer-symbol": call.streamer_symbol,
        "put": put.occ_symbol,
        "put-streamer-symbol": put.streamer_symbol,
    }


def _deliverables(root: RootChain) -> list[Document]:
    return [_deliverable(root, place, item) for place, item in enumerate(root.deliverables)]


def _deliverable(root: RootChain, place: int, item: Deliverable) -> Document:
    amount = f"{item.amount:f}"
    what = f"{amount} shares of {item.symbol}" if item.symbol else f"{amount} USD in cash"
    return filled(
        {
            "id": crc32(f"{root.root}/{place}".encode()) % 10**6,
            "root-symbol": root.root,
            "deliverable-type": "Shares" if item.symbol else "Cash",
            "description": what,
            "amount": amount,
            "symbol": item.symbol,
            "instrument-type": "Equity" if item.symbol else None,
            "percent": "100",
        }
    )


def _expirations(
    service: TastytradeService, call: ApiCall
) -> Iterator[tuple[RootChain, ChainExpiration]]:
    listing = service.listing(call.params["symbol"])
    for root in service.market.chain(listing.symbol):
        for expiration in root.expirations:
            yield root, expiration


def _contracts(root: RootChain, expiration: ChainExpiration) -> Iterator[Contract]:
    for strike in expiration.strikes:
        for option_type in "CP":
            yield Contract(root.root, expiration.date, option_type, strike)


def _strike(strike: Decimal) -> str:
    """With a decimal at least: `150.0`, `412.5`, `48.75`."""
    text = f"{strike:f}"
    return f"{text}.0" if "." not in text else text


def _days(service: TastytradeService, expiration: ChainExpiration) -> int:
    return (expiration.date - service.market.today).days


def _stops_trading(service: TastytradeService, expiration: ChainExpiration) -> str:
    """The settlement itself (PM), or the close of the session before (AM)."""
    settles = settles_at(expiration)
    if expiration.settlement == "PM":
        return instant(settles)
    before = service.market.calendar.previous_session(expiration.date)
    # Index options trade 15 minutes longer than shares.
    return instant(service.market.calendar.close_utc(before) + timedelta(minutes=15))


CHAIN_ENDPOINTS = (
    get("/option-chains/{symbol:.+}/nested", _nested),
    get("/option-chains/{symbol:.+}/compact", _compact),
    get("/option-chains/{symbol:.+}", _flat),
)


_PENNY: list[Document] = [{"value": "0.0001", "threshold": "1.0"}, {"value": "0.01"}]
_OPTION_TICKS: list[Document] = [{"value": "0.01", "threshold": "3.0"}, {"value": "0.05"}]


def _equities(service: TastytradeService, call: ApiCall) -> Reply:
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


def _equity(service: TastytradeService, call: ApiCall) -> Reply:
    return one(call, equity_document(service.listing(call.params["symbol"])))


def _options(service: TastytradeService, call: ApiCall) -> Reply:
    found = []
    for symbol in call.values("symbol"):
        contract = read_occ_symbol(symbol)
        listed = service.market.find_contract(contract) if contract else None
        if listed:
            found.append(option_document(service, listed.root, listed.expiration, listed.contract))
    return many(call, found)


def _option(service: TastytradeService, call: ApiCall) -> Reply:
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


INSTRUMENT_ENDPOINTS = (
    get("/instruments/equities", _equities),
    get("/instruments/equities/active", _equities),
    get("/instruments/equities/{symbol:.+}", _equity),
    get("/instruments/equity-options", _options),
    get("/instruments/equity-options/{symbol:.+}", _option),
)
