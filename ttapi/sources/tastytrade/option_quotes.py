# SPDX-License-Identifier: Apache-2.0
"""A snapshot of one underlying's options: its chain, and then the quotes of every contract in it.

A snapshot is one unit, and counts as one call where calls are predicted; it takes two, and one more
for every further hundred contracts.
"""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import TYPE_CHECKING, Any

from ttapi.market.shipped import AMERICAN_INDEX, EUROPEAN_INDICES
from ttapi.sources.tastytrade.fields import Content, Document, FieldError
from ttapi.sources.tastytrade.instruments import read_chain, vendor_symbol
from ttapi.sources.tastytrade.market_fields import QUOTE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ttapi.sources.http import Response
    from ttapi.sources.tastytrade.api import TastytradeApi

_A_CALL = 100
"""Symbols of all types together that the vendor answers in one call."""
_CALLS_AT_ONCE = 4
"""Of one chain: what waits for its turn at the vendor's pace is given up as if it did not answer."""
_PATH = "/market-data/by-type"
_KNOWN = frozenset({"symbol", "instrument-type"})


async def read_option_quotes(api: TastytradeApi, symbol: str, now: datetime) -> Content:
    """A row a contract of `symbol` that the vendor quotes, and one of itself; all of the instant `now`."""
    chain = await read_chain(api, symbol)
    terms = _terms_by_contract(symbol, chain.rows)
    has_shares = any(_delivers_shares(row) for row in chain.rows)
    kinds = ("equity", "index") if has_shares or not chain.rows else ("index", "equity")
    asked_at = now.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    head = {
        "symbol": symbol,
        "snapshot": f"{symbol} {asked_at.isoformat()}",
        "snapshot_at": asked_at,
    }
    answers = await _answers(api, vendor_symbol(symbol), kinds, list(terms))
    content = Content(rejects=list(chain.rejects))
    known = {**terms, vendor_symbol(symbol): {"contract": symbol}}

    def complete(row: Document, document: Mapping[str, Any]) -> list[Document]:
        name = document.get("symbol")
        if not isinstance(name, str) or name not in known:
            raise FieldError("symbol", f"is {name!r}, which was not asked for")
        return [{**head, **known[name], **row}]

    for items, response in answers:
        with api.reading(response):
            content.read(items, QUOTE_FIELDS, known=_KNOWN, complete=complete)
    told = {name for items, _ in answers for name in _names(items)}
    lacking = [name for name in known if name not in told]
    if lacking:
        what = f"{len(lacking)} of {len(known)} symbols asked for, such as {lacking[-1]}"
        content.notes.append(f"no quote: the vendor has none of {what}")
    return content


async def _answers(
    api: TastytradeApi, underlying: str, kinds: Sequence[str], contracts: Sequence[str]
) -> list[tuple[list[Any], Response]]:
    """What the vendor says of the contracts, and of the underlying: of the first kind, or the second."""
    first = contracts[: _A_CALL - 1]
    groups = [contracts[at : at + _A_CALL] for at in range(len(first), len(contracts), _A_CALL)]
    calls = [[(kinds[0], underlying), *_options(first)], *map(_options, groups)]
    turn = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def answer(params: list[tuple[str, str]]) -> tuple[list[Any], Response]:
        async with turn:
            return await api.many(_PATH, params=params)

    answers = list(await asyncio.gather(*map(answer, calls)))
    if underlying not in _names(answers[0][0]):
        answers.append(await api.many(_PATH, params=[(kinds[1], underlying)]))
    return answers


def _names(items: Sequence[Any]) -> set[str]:
    """The symbols that an answer is about."""
    return {
        item["symbol"]
        for item in items
        if isinstance(item, dict) and isinstance(item.get("symbol"), str)
    }


def _options(contracts: Sequence[str]) -> list[tuple[str, str]]:
    return [("equity-option", ",".join(contracts))] if contracts else []


def _terms_by_contract(symbol: str, strikes: Sequence[Document]) -> dict[str, Document]:
    """What the chain says of each contract, by its OCC symbol."""
    found: dict[str, Document] = {}
    for row in strikes:
        terms = {
            "root": row["root"],
            "expiration_date": row["expiration_date"],
            "contract_expiration_date": row["vendor_expiration_date"],
            "settlement": row["settlement_type"],
            "strike": row["strike"],
            "exercise_style": _exercise_style(symbol, row),
            "multiplier": row["shares_per_contract"],
            "is_adjusted": row["option_chain_type"] != "Standard",
        }
        for option_type, contract in (("C", row["call"]), ("P", row["put"])):
            if contract is not None:
                found[contract] = {"contract": contract, "option_type": option_type, **terms}
    return found


def _exercise_style(symbol: str, row: Document) -> str | None:
    if _delivers_shares(row) or symbol == AMERICAN_INDEX:
        return "A"
    return "E" if symbol in EUROPEAN_INDICES else None


def _delivers_shares(row: Document) -> bool:
    return '"Shares"' in (row["deliverables"] or "")
