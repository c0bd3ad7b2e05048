# SPDX-License-Identifier: Apache-2.0
"""A database of every model, and option quotes of a market whose volatilities are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import erf, exp, log, sqrt
from pathlib import Path

import duckdb
from calendar_in_database import load_calendar

from ttapi.models.as_of import with_as_of_forms
from ttapi.models.graph import ModelFolder, load_graph
from ttapi.models.install import install_models
from ttapi.models.model_cache import AnalysisCache
from ttapi.sources.discovery import installed_sources
from ttapi.store.schema import ensure_raw_table

ROOT = Path(__file__).resolve().parents[2]
IMPLIED = (
    "derived.option_snapshots",
    "derived.option_implied",
    "derived.expiration_implied",
    "derived.tenor_implied",
)
TAKEN_AT = datetime(2026, 3, 2, 21)
"""The close of a Monday in winter, UTC."""
RATE = 0.04


def black_scholes(spot, strike, years, volatility, option_type):
    """The price of a European option in USD, by the textbook."""
    sign = 1 if option_type == "C" else -1
    deviation = volatility * sqrt(years)
    forward = spot * exp(RATE * years)
    d1 = log(forward / strike) / deviation + deviation / 2
    cdf = [(1 + erf(sign * d / sqrt(2))) / 2 for d in (d1, d1 - deviation)]
    return sign * exp(-RATE * years) * (forward * cdf[0] - strike * cdf[1])


@dataclass(frozen=True)
class Contract:
    """One option and its quote; what is not given is that of a sound one."""

    strike: float
    option_type: str
    expiration_date: date
    bid: float | None = None
    ask: float | None = None
    more: dict = field(default_factory=dict)


def years_to(expiration_date, settlement="PM", taken_at=TAKEN_AT):
    """To the close of the date, 16:00 in New York; to its opening for AM."""
    is_summer = date(2026, 3, 8) <= expiration_date < date(2026, 11, 1)
    hour = (13 if is_summer else 14) + 0.5 if settlement == "AM" else 20 if is_summer else 21
    expires_at = datetime.combine(expiration_date, datetime.min.time()) + timedelta(hours=hour)
    return (expires_at - taken_at).total_seconds() / 31_536_000


def smile(strike, spot, years, level=0.25):
    """A volatility of its strike: a skew and a curve, higher for near terms."""
    k = log(strike / spot)
    return level - 0.1 * k + 0.2 * k * k + 0.02 * exp(-years)


def chain_of(expirations, spot=100.0, level=0.25, strikes=range(60, 145, 5), taken_at=TAKEN_AT):
    """A call and a put of each strike and expiration, quoted a cent to both sides of their value."""
    contracts = []
    for expires in expirations:
        years = years_to(expires, taken_at=taken_at)
        for strike in strikes:
            for kind in "CP":
                sigma = smile(strike, spot, years, level)
                price = black_scholes(spot, strike, years, sigma, kind)
                half = min(0.01, price / 4)
                quote = (price - half, price + half)
                contracts.append(Contract(float(strike), kind, expires, *quote, {"truth": sigma}))
    return contracts


def whole_database():
    """Every bundled model over empty raw tables, with the calendar filled."""
    con = duckdb.connect(config={"threads": 2})
    for migration in sorted((ROOT / "migrations").glob("*.sql")):
        con.execute(migration.read_text())
    for resource in bundled_resources().values():
        ensure_raw_table(con, resource)
    load_calendar(con)
    tables = con.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in ('raw', 'catalog')"
    ).fetchall()
    readings = AnalysisCache()
    folders = [ModelFolder(ROOT / "sql", is_bundled=True)]
    graph = load_graph(folders, [name for (name,) in tables], readings)
    graph = with_as_of_forms(graph, bundled_resources(), readings)
    install_models(con, graph)
    rebuild(con, graph, "derived.calendar", "derived.expiration_series")
    return con, graph


def bundled_resources():
    """What the bundled sources declare, by raw table."""
    sources = [one.source for one in installed_sources() if one.source]
    return {f"raw.{one.table}": one for source in sources for one in source.resources}


def rebuild(con, graph, *names):
    """The stored tables of these names, made anew."""
    for name in names:
        con.execute(f"delete from {name}")
        con.execute(f"insert into {name} select * from ({graph.models[name].body}) as q")


def store(con, symbol, contracts, *, spot=100.0, taken_at=TAKEN_AT, known_at=None, load_id=1):
    """Rows of raw.option_quotes: one snapshot, and the underlying's own row where `spot` is given."""
    snapshot = f"{symbol} {taken_at:%Y-%m-%dT%H:%M:%S}"
    rows = []
    for one in contracts:
        row = {
            "contract": f"{symbol:<6}{one.expiration_date:%y%m%d}{one.option_type}{round(one.strike * 1000):08d}",
            "root": symbol,
            "expiration_date": one.expiration_date,
            "contract_expiration_date": one.expiration_date,
            "settlement": "PM",
            "strike": one.strike,
            "option_type": one.option_type,
            "exercise_style": "E",
            "multiplier": 100,
            "is_adjusted": False,
            "bid": one.bid,
            "ask": one.ask,
            "volume": 10.0,
            "open_interest": 100.0,
            "quote_time": taken_at,
        }
        rows.append(row | {k: v for k, v in one.more.items() if k != "truth"})
    if spot is not None:
        rows.append({"contract": symbol, "spot": spot, "quote_time": taken_at})
    for row in rows:
        named = row | {
            "symbol": symbol,
            "snapshot": snapshot,
            "snapshot_at": taken_at,
            "unit_id": 1,
            "known_at": known_at or taken_at,
            "load_id": load_id,
            "is_current": True,
        }
        marks = ", ".join("?" for _ in named)
        con.execute(
            f"insert into raw.option_quotes ({', '.join(named)}) values ({marks})",
            list(named.values()),
        )
    return snapshot
