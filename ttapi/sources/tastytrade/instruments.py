# SPDX-License-Identifier: Apache-2.0
"""What the vendor lists for everybody, read: instruments, public watchlists, what a search finds.

What the vendor says of single underlyings, read: chains, metrics, what has happened.

Futures, options on them and cryptocurrencies, read; symbols stay as the vendor writes them.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ttapi.market.calendar import expiration_session, sessions
from ttapi.sources.tastytrade.api import PER_PAGE
from ttapi.sources.tastytrade.fields import (
    Content,
    Document,
    DriftError,
    FieldError,
    fields,
    row_of,
)
from ttapi.sources.tastytrade.market_fields import (
    COIN_FIELDS,
    EQUITY_FIELDS,
    EXPIRATION_FIELDS,
    FUTURE_EXPIRATION_FIELDS,
    FUTURE_FIELDS,
    FUTURE_STRIKE_FIELDS,
    METRIC_FIELDS,
    ROOT_FIELDS,
    STRIKE_FIELDS,
    SUBCHAIN_FIELDS,
    UNDERLYING_FIELDS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.sources.tastytrade.api import TastytradeApi

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


_EARLIEST = "1990-01-01"
_DIVIDEND_FIELDS = fields("""
    occurred-date!=date        date    ex-date
    amount!                    number  USD per share
""")
_EARNINGS_FIELDS = fields("""
    occurred-date!=date        date    day of the report
    eps=earnings_per_share     number  USD per share
""")


async def read_chain(api: TastytradeApi, symbol: str) -> Content:
    """A row a strike of every root and expiration of `symbol`."""
    path = f"/option-chains/{quote(vendor_symbol(symbol), safe='')}/nested"
    items, response = await api.many(path, "/option-chains/{symbol}/nested")
    content = Content()
    for item in items:
        with api.reading(response):
            content.read([item], ROOT_FIELDS, known=frozenset({"expirations"}), complete=_strikes)
    for row in content.rows:
        row["symbol"] = symbol
    return content


async def read_metrics(api: TastytradeApi, symbols: Sequence[str]) -> Mapping[str, Content | str]:
    """A row each for those of `symbols` that the vendor knows, in one call; the others are absent.

    A text where a row cannot be read: why.
    """
    asked = ",".join(vendor_symbol(symbol) for symbol in symbols)
    items, response = await api.many("/market-metrics", params=[("symbols", asked)])
    found: dict[str, Content | str] = {}
    for item in items:
        name = item.get("symbol") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise api.refused(response, "field 'items[].symbol' is no text")
        content = Content()
        try:
            content.read([item], METRIC_FIELDS, complete=_with_our_symbol)
        except DriftError as exc:
            found[our_symbol(name)] = str(api.refused(response, str(exc)))
        else:
            found[our_symbol(name)] = content
    return found


async def read_events(api: TastytradeApi, symbol: str, today: date) -> Content:
    """A row a dividend and a row a report of `symbol`, known from the ex-date's open and the report's close on."""
    name = quote(vendor_symbol(symbol), safe="")
    base = "/market-metrics/historic-corporate-events"
    paid, reported = await asyncio.gather(
        api.many(f"{base}/dividends/{name}", f"{base}/dividends/{{symbol}}"),
        api.many(
            f"{base}/earnings-reports/{name}",
            f"{base}/earnings-reports/{{symbol}}",
            [("start-date", _EARLIEST)],
        ),
    )
    content = Content()
    for kind, (items, response), table in (
        ("dividend", paid, _DIVIDEND_FIELDS),
        ("earnings", reported, _EARNINGS_FIELDS),
    ):

        def complete(row: Document, _: Document, kind: str = kind) -> list[Document]:
            known_at = _known_at(row["date"], kind) if row["date"] <= today else None
            return [{**row, "symbol": symbol, "type": kind, "known_at": known_at}]

        with api.reading(response):
            content.read(items, table, complete=complete)
    return content


def _strikes(root: Document, document: Document) -> list[Document]:
    """The rows of one root. *Raises* FieldError: a chain is taken whole, so that no strike is lost."""
    rows = []
    for expiration in list_at(document, "expirations"):
        known = frozenset({"strikes", "days-to-expiration"})
        head = {**root, **row_of(expiration, EXPIRATION_FIELDS, known=known)}
        head["expiration_date"] = expiration_session(head["vendor_expiration_date"])
        for strike in list_at(expiration, "strikes"):
            row = row_of(strike, STRIKE_FIELDS, known=frozenset())
            extra = row["extra"] or head["extra"] or root["extra"]
            rows.append({**head, **row, "extra": extra})
    return rows


def list_at(document: Any, key: str) -> list[Any]:
    """The list under `key`. *Raises* FieldError where there is none."""
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, list):
        raise FieldError(key, "is no list")
    return value


def _with_our_symbol(row: Document, _: Document) -> list[Document]:
    return [{**row, "symbol": our_symbol(row["symbol"])}]


def _known_at(day: date, kind: str) -> datetime:
    """The open of an ex-date; the close of a day of report, before or after which it came."""
    calendar = sessions("XNYS")
    if not calendar.dates[0] <= day <= calendar.dates[-1]:
        return datetime.combine(day, time(21), UTC).replace(tzinfo=None)
    session = calendar.session_on_or_after(day)
    instant = calendar.open_utc(session) if kind == "dividend" else calendar.close_utc(session)
    return instant.astimezone(UTC).replace(tzinfo=None)


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
            return _future_strikes(head, document, by_symbol)

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


def _future_strikes(
    head: Document, document: Document, futures: Mapping[str, Document]
) -> list[Document]:
    """The rows of one expiration. *Raises* FieldError."""
    expiration = document["expirations"]
    row = {**head, **row_of(expiration, FUTURE_EXPIRATION_FIELDS, known=_OF_EXPIRATION)}
    future = futures.get(row["underlying_symbol"], {})
    of_future = {field.column: future.get(field.column) for field in UNDERLYING_FIELDS[1:]}
    rows = []
    for strike in list_at(expiration, "strikes"):
        found = row_of(strike, FUTURE_STRIKE_FIELDS, known=frozenset())
        extra = found["extra"] or row["extra"] or head["extra"]
        rows.append({**row, **of_future, **found, "extra": extra})
    return rows
