# SPDX-License-Identifier: Apache-2.0
"""Market data by type, and the market's hours.

Watchlists, symbol search, and the way to the feed.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from ttapi.simulator.derivatives.contracts import Coin, FutureContract
from ttapi.simulator.derivatives.symbols import FutureOption, read_occ_symbol
from ttapi.simulator.tastytrade.credentials import QUOTE_TOKEN_LIFETIME_S
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
)

if TYPE_CHECKING:
    from ttapi.simulator.events import SimQuote, SimSummary

_MOST_SYMBOLS = 100
_TYPES = {
    "equity": "Equity",
    "index": "Index",
    "equity-option": "Equity Option",
    "future": "Future",
    "future-option": "Future Option",
    "cryptocurrency": "Cryptocurrency",
}
_OTHER_TYPES = {
    "future": FutureContract,
    "future-option": FutureOption,
    "cryptocurrency": Coin,
}
"""By type what the board must know the symbol as."""
_WITH_INTEREST = ("equity-option", "future", "future-option")
_EXTENDED = timedelta(hours=4)
_PRE_MARKET = timedelta(hours=1, minutes=15)
_COLLECTIONS = ("Equity", "CFE", "CME", "Smalls")


def _by_type(service: TastytradeService, call: ApiCall) -> Reply:
    asked = {kind: call.values(kind) for kind in _TYPES}
    total = sum(map(len, asked.values()))
    if not 0 < total <= _MOST_SYMBOLS:
        raise ApiError(400, "validation_error", f"1 to {_MOST_SYMBOLS} symbols, not {total}")
    found = [_data_document(service, kind, symbol) for kind in _TYPES for symbol in asked[kind]]
    return many(call, [document for document in found if document])


def _single(service: TastytradeService, call: ApiCall) -> Reply:
    kinds = {name: kind for kind, name in _TYPES.items()}
    kind, symbol = kinds.get(call.params["kind"]), call.params["symbol"]
    document = _data_document(service, kind, symbol) if kind else None
    if document is None:
        raise ApiError(404, "not_found", f"Couldn't find {symbol}")
    return one(call, document)


def _data_document(service: TastytradeService, kind: str, symbol: str) -> Document | None:
    """One symbol; None when there is none such of that kind."""
    streamer = _streamer_symbol(service, kind, symbol)
    quote = service.market.quote(streamer) if streamer else None
    summary = service.market.summary(streamer) if streamer else None
    trade = service.market.trade(streamer) if streamer else None
    if streamer is None or quote is None or summary is None or trade is None:
        return None
    profile = service.market.profile(streamer)
    document: Document = {
        "symbol": symbol,
        "instrument-type": _TYPES[kind],
        "updated-at": instant(service.market.now),
        **_book(quote, trade.price),
        **_day(summary),
        "last": decimal(trade.price),
        "last-mkt": decimal(trade.price),
        "volume": decimal(trade.day_volume, 1),
        "open-interest": decimal(summary.open_interest, 1) if kind in _WITH_INTEREST else None,
        "beta": decimal(profile.beta) if profile and profile.beta is not None else None,
        "year-low-price": decimal(profile.low_52_week) if profile else None,
        "year-high-price": decimal(profile.high_52_week) if profile else None,
        "is-trading-halted": False,
        "halt-start-time": -1,
        "halt-end-time": -1,
    }
    return filled(document)


def _streamer_symbol(service: TastytradeService, kind: str, symbol: str) -> str | None:
    if kind == "equity-option":
        contract = read_occ_symbol(symbol)
        return contract.streamer_symbol if contract else None
    if kind in _OTHER_TYPES:
        other = service.market.find_other(symbol)
        if other is None or not isinstance(other, _OTHER_TYPES[kind]):
            return None
        return other.streamer_symbol
    if symbol not in service.market.symbols:
        return None
    listing = service.market.listing(symbol)
    return listing.streamer_symbol if (listing.kind == "index") == (kind == "index") else None


def _book(quote: SimQuote, last: float) -> Document:
    if quote.bid is None or quote.ask is None:
        return {"bid-size": "0.0", "ask-size": "0.0", "mark": decimal(last)}
    middle = (quote.bid + quote.ask) / 2
    return {
        "bid": decimal(quote.bid),
        "bid-size": decimal(quote.bid_size, 1),
        "ask": decimal(quote.ask),
        "ask-size": decimal(quote.ask_size, 1),
        "mid": decimal(middle, 4),
        "mark": decimal(middle, 4),
    }


def _day(summary: SimSummary) -> Document:
    return {
        "summary-date": summary.date.isoformat(),
        "open": decimal(summary.open),
        "day-high-price": decimal(summary.high),
        "day-low-price": decimal(summary.low),
        "close": decimal(summary.close),
        "close-price-type": "Final" if summary.close is not None else "Unknown",
        "prev-close": decimal(summary.prev_close),
        "prev-close-date": summary.prev_date.isoformat(),
        "prev-close-price-type": "Final",
    }


def _sessions_now(service: TastytradeService, call: ApiCall) -> Reply:
    wanted = call.values("instrument-collections", "instrument-collection") or ["Equity"]
    unknown = [name for name in wanted if name not in _COLLECTIONS]
    if unknown:
        raise ApiError(400, "validation_error", f"unknown instrument collection {unknown[0]}")
    return many(call, [_session_now(service, name) for name in wanted])


def _equity_session_now(service: TastytradeService, call: ApiCall) -> Reply:
    return one(call, _session_now(service, "Equity"))


def _session_list(service: TastytradeService, call: ApiCall) -> Reply:
    since, until = call.day("from-date"), call.day("to-date")
    if since is None or until is None or not since <= until <= since + timedelta(366 * 3):
        raise ApiError(400, "validation_error", "from-date and to-date must span up to three years")
    days = service.market.calendar.dates
    collection = call.value("instrument-collection") or "Equity"
    return many(call, [_session(service, d, collection) for d in days if since <= d <= until])


def _holidays(service: TastytradeService, call: ApiCall) -> Reply:
    calendar, year = service.market.calendar, service.market.today.year
    span = range(year - 2, year + 3)
    return one(
        call,
        {
            "market-holidays": [d.isoformat() for d in calendar.closures if d.year in span],
            "market-half-days": [
                d.isoformat()
                for d in calendar.early_closes
                if d.year in span and calendar.is_early_close(d)
            ],
        },
    )


def _session(service: TastytradeService, day: date, collection: str) -> Document:
    opens, closes = (
        at(day) for at in (service.market.calendar.open_utc, service.market.calendar.close_utc)
    )
    return {
        "instrument-collection": collection,
        "session-date": day.isoformat(),
        "start-at": instant(opens - _PRE_MARKET),
        "open-at": instant(opens),
        "close-at": instant(closes),
        "close-at-ext": instant(closes + _EXTENDED),
    }


def _session_now(service: TastytradeService, collection: str) -> Document:
    market, now = service.market, service.market.now
    last = market.last_completed_session()
    following = market.calendar.next_session(last)
    is_today = following == market.today
    opens, closes = market.calendar.open_utc(following), market.calendar.close_utc(last)
    state = "Closed"
    if market.tape.open_session(now):
        state = "Open"
    elif is_today and opens - _PRE_MARKET <= now:
        state = "Pre-market"
    elif now < closes + _EXTENDED:
        state = "Extended"
    current = following if is_today else last
    document = _session(service, current, collection) | {"state": state}
    document.pop("session-date")
    return document | {
        "next-session": _session(service, market.calendar.next_session(current), collection),
        "previous-session": _session(
            service, market.calendar.previous_session(current), collection
        ),
    }


QUOTE_ENDPOINTS = (
    get("/market-data/by-type", _by_type),
    get("/market-data/{kind}/{symbol:.+}", _single),
    get("/market-time/sessions/current", _sessions_now),
    get("/market-time/equities/sessions/current", _equity_session_now),
    get("/market-time/sessions", _session_list),
    get("/market-time/equities/holidays", _holidays),
)


_MOST_FOUND = 50


def _watchlists(service: TastytradeService, call: ApiCall) -> Reply:
    lists = _lists(service)
    if call.flag("counts-only"):
        return many(call, [_counted(item) for item in lists])
    return many(call, lists)


def _watchlist(service: TastytradeService, call: ApiCall) -> Reply:
    for item in _lists(service):
        if item["name"] == call.params["name"]:
            return one(call, item)
    raise ApiError(404, "not_found", f"Couldn't find watchlist {call.params['name']}")


def _lists(service: TastytradeService) -> list[Document]:
    """Lists by kind, and the most traded."""
    listings = [service.market.listing(symbol) for symbol in service.market.symbols]
    companies = [item for item in listings if item.kind == "equity"]
    busiest = sorted(companies, key=lambda item: -item.character.dollar_volume)[:50]
    named = {
        "Indices": [item.symbol for item in listings if item.kind == "index"],
        "ETFs": [item.symbol for item in listings if item.kind == "etf"],
        "Most Traded": [item.symbol for item in busiest],
        "Simulated 500": [item.symbol for item in companies[:500]],
    }
    return [
        {
            "name": name,
            "group-name": "Simulated",
            "order-index": place,
            "cms-id": f"sim-{place}",
            "watchlist-entries": [
                {"symbol": symbol, "instrument-type": "Equity"} for symbol in symbols
            ],
        }
        for place, (name, symbols) in enumerate(named.items(), start=1)
    ]


def _counted(item: Document) -> Document:
    count = len(item["watchlist-entries"])
    return {key: value for key, value in item.items() if key != "watchlist-entries"} | {
        "count": count
    }


def _search(service: TastytradeService, call: ApiCall) -> Reply:
    """Symbols that begin with the text, ascending; one that is it comes first."""
    text = call.params["text"].upper()
    found = sorted(symbol for symbol in service.market.symbols if symbol.startswith(text))
    items = []
    for symbol in found[:_MOST_FOUND]:
        listing = service.market.listing(symbol)
        items.append(
            {
                "symbol": symbol,
                "description": listing.description,
                "listed-market": listing.listed_market,
                "price-increments": "0.01",
                "trading-hours": "0930-1600",
                "options": True,
                "instrument-type": "Index" if listing.kind == "index" else "Equity",
            }
        )
    return many(call, items)


def _quote_token(service: TastytradeService, call: ApiCall) -> Reply:
    now = service.market.now
    return one(
        call,
        {
            "token": service.credentials.give_quote_token(),
            "dxlink-url": service.dxlink_url,
            "level": "api",
            "issued-at": instant(now),
            "expires-at": instant(now + timedelta(seconds=QUOTE_TOKEN_LIFETIME_S)),
        },
    )


DISCOVERY_ENDPOINTS = (
    get("/public-watchlists", _watchlists),
    get("/public-watchlists/{name:.+}", _watchlist),
    get("/symbols/search/{text:.+}", _search),
    get("/api-quote-tokens", _quote_token),
)
