# SPDX-License-Identifier: Apache-2.0
"""Option chains: flat, nested by root and expiration, compact."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.options.book import TICK_THRESHOLD
from ttapi.simulator.options.chain import settles_at
from ttapi.simulator.options.symbols import Contract
from ttapi.simulator.tastytrade.service import TastytradeService, get
from ttapi.simulator.tastytrade.wire import Call, Document, Reply, decimal, filled, instant, many

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from ttapi.simulator.vendor_events import ChainExpiration, Deliverable, RootChain

_EXPIRATION_TYPES = {
    "monthly": "Regular",
    "weekly": "Weekly",
    "quarterly": "Quarterly",
    "eom": "End-Of-Month",
}


def _flat(service: TastytradeService, call: Call) -> Reply:
    return many(
        call,
        [
            option_document(service, root, expiration, contract)
            for root, expiration in _expirations(service, call)
            for contract in _contracts(root, expiration)
        ],
    )


def _nested(service: TastytradeService, call: Call) -> Reply:
    listing = service.listing(call.params["symbol"])
    return many(
        call, [_nested_root(service, root) for root in service.market.chain(listing.symbol)]
    )


def _compact(service: TastytradeService, call: Call) -> Reply:
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
    service: TastytradeService, call: Call
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


ENDPOINTS = (
    get("/option-chains/{symbol:.+}/nested", _nested),
    get("/option-chains/{symbol:.+}/compact", _compact),
    get("/option-chains/{symbol:.+}", _flat),
)
