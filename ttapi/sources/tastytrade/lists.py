# SPDX-License-Identifier: Apache-2.0
"""What the vendor lists for everybody, read: instruments, public watchlists, what a search finds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ttapi.sources.tastytrade.api import PER_PAGE
from ttapi.sources.tastytrade.fields import Document, FieldError, fields
from ttapi.sources.tastytrade.market_tables import EQUITY_FIELDS
from ttapi.sources.tastytrade.rows import Content

if TYPE_CHECKING:
    from ttapi.sources.tastytrade.api import TastytradeApi

EQUITIES = "equities"
PUBLIC = "public"
_LIST_FIELDS = fields("""
    name!                  text  of the list
    group-name             text  the vendor's group of lists
    watchlist-entries!     json  the members
""")
_SEARCH_FIELDS = fields("""
    symbol!                text  the vendor's text
    description            text  name
    listed-market          text  market identifier code
    instrument-type        text  kind
    options=has_options    flag  true: options are listed on it
""")


def our_symbol(vendor: str) -> str:
    """The symbol as ttapi writes it: `BRK/B` is `BRK.B`."""
    return vendor.strip().upper().replace("/", ".")


def vendor_symbol(ours: str) -> str:
    """The symbol as the vendor writes it: `BRK.B` is `BRK/B`."""
    return ours.strip().upper().replace(".", "/")


async def read_symbols(api: TastytradeApi) -> Content:
    """A row an instrument, of all pages."""
    items, response = await api.many("/instruments/equities", params=[("per-page", PER_PAGE)])

    def complete(row: Document, _: Document) -> list[Document]:
        return [{**row, "vendor_symbol": row["symbol"], "symbol": our_symbol(row["symbol"])}]

    content = Content()
    with api.reading(response):
        content.read(items, EQUITY_FIELDS, complete=complete)
    return content


async def read_watchlists(api: TastytradeApi) -> Content:
    """A row a list and member."""
    items, response = await api.many("/public-watchlists")
    content = Content()
    with api.reading(response):
        content.read(items, _LIST_FIELDS, complete=_members)
    return content


async def read_search(api: TastytradeApi, prefix: str) -> Content:
    """A row a symbol found for the text."""
    path = f"/symbols/search/{quote(vendor_symbol(prefix), safe='')}"
    items, response = await api.many(path, "/symbols/search/{text}")
    content = Content()
    with api.reading(response):
        content.read(items, _SEARCH_FIELDS, complete=lambda row, _: [{**row, "prefix": prefix}])
    return content


def _members(row: Document, document: Document) -> list[Document]:
    entries = document["watchlist-entries"]
    if not isinstance(entries, list):
        raise FieldError("watchlist-entries", "is no list")
    found: dict[str, Document] = {}
    for entry in entries:
        symbol = entry.get("symbol") if isinstance(entry, dict) else None
        if not isinstance(symbol, str) or not symbol:
            raise FieldError("watchlist-entries[].symbol", "is missing")
        found[our_symbol(symbol)] = {
            "name": row["name"],
            "symbol": our_symbol(symbol),
            "group_name": row["group_name"],
            "instrument_type": entry.get("instrument-type"),
        }
    return list(found.values())
