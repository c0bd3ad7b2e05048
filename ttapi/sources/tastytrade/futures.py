# SPDX-License-Identifier: Apache-2.0
"""Futures, options on them and cryptocurrencies, read; symbols stay as the vendor writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ttapi.sources.tastytrade.api import PER_PAGE
from ttapi.sources.tastytrade.fields import Document, FieldError, row_of
from ttapi.sources.tastytrade.future_tables import (
    COIN_FIELDS,
    EXPIRATION_FIELDS,
    FUTURE_FIELDS,
    STRIKE_FIELDS,
    SUBCHAIN_FIELDS,
    UNDERLYING_FIELDS,
)
from ttapi.sources.tastytrade.rows import Content
from ttapi.sources.tastytrade.underlyings import list_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.sources.tastytrade.api import TastytradeApi

_OF_FUTURES = frozenset(
    {"root-symbol", "expires-at", "days-to-expiration", "next-active-month", "stops-trading-at"}
)
"""Keys that say what the list of futures says too, or what a date says."""
_OF_SUBCHAIN = frozenset({"underlying-symbol", "expirations"})
_OF_EXPIRATION = frozenset({"root-symbol", "days-to-expiration", "strikes"})


def our_product(text: str) -> str:
    """The product code as ttapi writes it: `/es` is `ES`."""
    return text.strip().upper().lstrip("/")


async def read_futures(api: TastytradeApi) -> Content:
    """A row a future, of all pages."""
    items, response = await api.many("/instruments/futures", params=[("per-page", PER_PAGE)])
    content = Content()
    with api.reading(response):
        content.read(items, FUTURE_FIELDS)
    return content


async def read_cryptocurrencies(api: TastytradeApi) -> Content:
    """A row a cryptocurrency."""
    items, response = await api.many("/instruments/cryptocurrencies")
    content = Content()
    with api.reading(response):
        content.read(items, COIN_FIELDS)
    return content


async def read_future_options(api: TastytradeApi, product: str) -> Content:
    """A row a strike of every expiration on the futures of `product`.

    An expiration is taken whole or refused, so that none lacks a strike.
    """
    path = f"/futures-option-chains/{quote(product, safe='')}/nested"
    data, response = await api.one(path, "/futures-option-chains/{product}/nested")
    futures, content = Content(), Content()
    try:
        listed, documents = list_at(data, "futures"), _expirations(data)
    except FieldError as exc:
        raise api.refused(response, str(exc)) from exc
    with api.reading(response):
        futures.read(listed, UNDERLYING_FIELDS, known=_OF_FUTURES)
        by_symbol = {row["underlying_symbol"]: row for row in futures.rows}

        def complete(head: Document, document: Document) -> list[Document]:
            return _strikes(head, document, by_symbol)

        content.read(documents, SUBCHAIN_FIELDS, known=_OF_SUBCHAIN, complete=complete)
    for row in content.rows:
        row["product_code"] = product
    content.rejects += futures.rejects
    return content


def _expirations(data: Document) -> list[Document]:
    """Each expiration beside what its chain says of all. *Raises* FieldError."""
    return [
        {**chain, "expirations": expiration}
        for chain in list_at(data, "option-chains")
        for expiration in list_at(chain, "expirations")
    ]


def _strikes(head: Document, document: Document, futures: Mapping[str, Document]) -> list[Document]:
    """The rows of one expiration. *Raises* FieldError."""
    expiration = document["expirations"]
    row = {**head, **row_of(expiration, EXPIRATION_FIELDS, known=_OF_EXPIRATION)}
    future = futures.get(row["underlying_symbol"], {})
    of_future = {field.column: future.get(field.column) for field in UNDERLYING_FIELDS[1:]}
    rows = []
    for strike in list_at(expiration, "strikes"):
        found = row_of(strike, STRIKE_FIELDS, known=frozenset())
        extra = found["extra"] or row["extra"] or head["extra"]
        rows.append({**row, **of_future, **found, "extra": extra})
    return rows
