# SPDX-License-Identifier: Apache-2.0
"""Market metrics: volatility, liquidity, dividends and results of a symbol, and their history.

Units are the vendor's: index, rank and percentile are fractions, the fields of so many days percent.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from ttapi.simulator.derivatives.chain import years_until
from ttapi.simulator.derivatives.surface import RATE
from ttapi.simulator.events import shares_outstanding
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
    from collections.abc import Sequence
    from datetime import datetime

    from ttapi.simulator.derivatives.surface import VarianceHistory
    from ttapi.simulator.listings import Listing
    from ttapi.simulator.vendor_market import VendorMarket

_MONTH = 30 / 365
_SECTORS = (
    "Technology",
    "Energy",
    "Financial",
    "Healthcare",
    "Industrial",
    "Utilities",
    "Consumer",
    "Materials",
)


def _metrics(service: TastytradeService, call: ApiCall) -> Reply:
    wanted = call.values("symbols", "symbol")
    if not wanted:
        raise ApiError(400, "validation_error", "symbols is missing")
    gone = service.missing()
    # Asked in one order, answered in another: clients must not count on it.
    known = sorted({s for s in wanted if s in service.market.symbols and s not in gone})
    return many(call, [_metrics_document(service, service.market.listing(s)) for s in known])


def _dividends(service: TastytradeService, call: ApiCall) -> Reply:
    symbol = service.listing(call.params["symbol"]).symbol
    rows = [
        {"occurred-date": item.ex_date.isoformat(), "amount": decimal(item.amount)}
        for item in reversed(service.market.dividends(symbol))
    ]
    return many(call, rows)


def _earnings(service: TastytradeService, call: ApiCall) -> Reply:
    symbol = service.listing(call.params["symbol"]).symbol
    since, until = call.day("start-date"), call.day("end-date")
    if since is None:
        raise ApiError(400, "validation_error", "start-date is missing")
    rows = [
        {"occurred-date": item.date.isoformat(), "eps": decimal(item.earnings_per_share)}
        for item in reversed(service.market.earnings(symbol))
        if since <= item.date <= (until or item.date)
    ]
    return many(call, rows)


def _margin_configuration(_service: TastytradeService, call: ApiCall) -> Reply:
    return one(call, {"risk-free-rate": str(RATE)})


def _metrics_document(service: TastytradeService, listing: Listing) -> Document:
    """One symbol; what a symbol does not have is left out."""
    market, seen = service.market, service.market.variances(listing.symbol)
    closed = market.calendar.close_utc(market.last_completed_session())
    path = market.volatility_path(listing.symbol)
    now = market.surface(listing.symbol).atm_volatility(_MONTH)
    rank = decimal(_rank(path, now), 9)
    document: Document = {
        "symbol": listing.symbol,
        "implied-volatility-index": decimal(now, 9),
        "implied-volatility-index-5-day-change": decimal(now - path[max(-6, -len(path))], 9),
        "implied-volatility-index-15-day": decimal(
            market.surface(listing.symbol).atm_volatility(15 / 365), 9
        ),
        "implied-volatility-index-rank": rank,
        "tos-implied-volatility-index-rank": rank,
        "tw-implied-volatility-index-rank": rank,
        "tos-implied-volatility-index-rank-updated-at": instant(closed),
        "implied-volatility-index-rank-source": "tos",
        "implied-volatility-percentile": decimal(_percentile(path, now), 9),
        "implied-volatility-updated-at": instant(closed),
        "option-expiration-implied-volatilities": _by_expiration(service, listing),
        "implied-volatility-30-day": decimal(100 * now),
        "historical-volatility-30-day": decimal(100 * seen.realized(30)),
        "historical-volatility-60-day": decimal(100 * seen.realized(60)),
        "historical-volatility-90-day": decimal(100 * seen.realized(90)),
        "iv-hv-30-day-difference": decimal(100 * (now - seen.realized(30))),
        "beta": decimal(listing.character.beta, 9),
        "beta-updated-at": instant(closed),
        "corr-spy-3month": decimal(_correlation(market, seen)),
        **_liquidity(listing, closed),
        **_company(service, listing),
        "listed-market": listing.listed_market,
        "lendability": "Easy To Borrow" if listing.kind != "index" else None,
        "borrow-rate": "0.0" if listing.kind != "index" else None,
        "sector": _SECTORS[listing.character.sector] if listing.kind == "equity" else None,
        "created-at": instant(closed),
        "updated-at": instant(closed),
    }
    return filled(document)


def _rank(path: Sequence[float], now: float) -> float:
    low, high = min(*path, now), max(*path, now)
    return (now - low) / (high - low) if high > low else 0.0


def _percentile(path: Sequence[float], now: float) -> float:
    return sum(value < now for value in path) / len(path)


def _by_expiration(service: TastytradeService, listing: Listing) -> list[Document]:
    market = service.market
    surface = market.surface(listing.symbol)
    return [
        {
            "expiration-date": expiration.date.isoformat(),
            "option-chain-type": root.option_chain_type,
            "settlement-type": expiration.settlement,
            "implied-volatility": decimal(
                surface.atm_volatility(years_until(expiration, market.now)), 9
            ),
        }
        for root in market.chain(listing.symbol)
        for expiration in root.expirations
    ]


def _correlation(market: VendorMarket, seen: VarianceHistory) -> float | None:
    """Of the last three months' log returns with the index's; None where there are too few."""
    if "SPX" not in market.symbols:
        return None
    sessions = 63
    x, y = (each.log_returns[-sessions:] for each in (seen, market.variances("SPX")))
    if len(x) < sessions or len(y) < sessions:
        return None
    mean_x, mean_y = sum(x) / sessions, sum(y) / sessions
    both = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    size = math.sqrt(sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y))
    return both / size if size else None


def _liquidity(listing: Listing, closed: datetime) -> Document:
    turnover = listing.character.dollar_volume or 5e9
    value = math.log10(turnover)
    rating = 1 + sum(turnover > limit for limit in (3e7, 2e8, 1e9))
    return {
        "liquidity-value": decimal(value * 100, 6),
        "liquidity-rank": decimal(min(1.0, value / 10), 9),
        "liquidity-rating": rating,
        "liquidity-running-state": {
            "sum": decimal(value * 1000, 6),
            "count": 10 + crc32(listing.symbol.encode()) % 20,
            "started-at": instant(closed - timedelta(hours=6)),
            "updated-at": instant(closed),
        },
    }


def _company(service: TastytradeService, listing: Listing) -> Document:
    """Dividends, results and size; `market-cap` is a number, and is there for indices too."""
    market, symbol = service.market, listing.symbol
    shares, price = shares_outstanding(market, symbol) or 0, market.spot(symbol)
    paid, out = market.dividends(symbol, 1)[-4:], market.earnings(symbol, 1)[-4:]
    year, next_ex = sum(item.amount for item in paid), market.next_ex_date(symbol)
    per_share = sum(item.earnings_per_share for item in out)
    document: Document = {"market-cap": round(shares * price)}
    if paid:
        document |= {
            "dividend-rate-per-share": decimal(paid[-1].amount, 4),
            "annual-dividend-per-share": decimal(year, 4),
            "dividend-yield": decimal(year / price, 9),
            "dividend-ex-date": paid[-1].ex_date.isoformat(),
            "dividend-next-date": next_ex.isoformat() if next_ex else None,
            "dividend-pay-date": (paid[-1].ex_date + timedelta(21)).isoformat(),
            "dividend-updated-at": instant(market.now),
        }
    if out:
        document |= {
            "earnings": _next_earnings(service, symbol, out[-1].earnings_per_share),
            "earnings-per-share": decimal(per_share),
            "price-earnings-ratio": decimal(price / per_share) if per_share > 0 else None,
        }
    return document


def _next_earnings(service: TastytradeService, symbol: str, last: float) -> Document:
    due = service.market.next_report(symbol)
    document = {
        "visible": due is not None,
        "estimated": True,
        "late-flag": 0,
        "actual-eps": decimal(last),
        "consensus-estimate": decimal(last * 1.02),
        "updated-at": instant(service.market.now),
    }
    if due:
        expected, time_of_day = due
        document |= {
            "expected-report-date": expected.isoformat(),
            "quarter-end-date": _quarter_end(expected).isoformat(),
            "time-of-day": time_of_day,
        }
    return filled(document)


def _quarter_end(day: date) -> date:
    """The last day of the quarter before."""
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1) - timedelta(1)


ENDPOINTS = (
    get("/market-metrics", _metrics),
    get("/market-metrics/historic-corporate-events/dividends/{symbol:.+}", _dividends),
    get("/market-metrics/historic-corporate-events/earnings-reports/{symbol:.+}", _earnings),
    get("/margin-requirements-public-configuration", _margin_configuration, is_open=True),
)
