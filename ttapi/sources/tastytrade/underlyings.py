# SPDX-License-Identifier: Apache-2.0
"""What the vendor says of single underlyings, read: chains, metrics, what has happened."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ttapi.market.calendar import expiration_session, sessions
from ttapi.sources.tastytrade.fields import Document, FieldError, fields, row_of
from ttapi.sources.tastytrade.lists import our_symbol, vendor_symbol
from ttapi.sources.tastytrade.market_tables import (
    EXPIRATION_FIELDS,
    METRIC_FIELDS,
    ROOT_FIELDS,
    STRIKE_FIELDS,
)
from ttapi.sources.tastytrade.rows import Content, DriftError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.sources.tastytrade.api import TastytradeApi

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
