# SPDX-License-Identifier: Apache-2.0
"""The chains of a whole market: 500 underlyings, 200,000 contracts, loaded, computed, read."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from line import Line

MARKET = """
with underlyings as (
    select chr(65 + (i // 676)::integer) || chr(65 + (i // 26 % 26)::integer) || chr(65 + (i % 26)::integer) as symbol, 50.0 + i * 37 % 400 as spot, 0.15 + i % 40 / 100.0 as level
    from range(500) as t(i)
),
terms as (
    select unnest([11, 18, 25, 46, 74, 108, 200, 291, 319, 472]) as days
),
drawn as (
    select u.symbol, u.spot, date '2026-03-02' + t.days::integer as expires, round(u.spot * exp((i - 10) * 0.04), 2) as strike,
        unnest(['C', 'P']) as kind, u.level - 0.1 * (i - 10) * 0.04 + 0.2 * (i - 10) * (i - 10) * 0.0016 as volatility,
        t.days / 365.0 as years
    from underlyings as u, terms as t, range(20) as k(i)
),
priced as (
    select d.*, bsm_price(d.spot, d.strike, d.years, 0.04, 0, d.volatility, d.kind) as price from drawn as d
)
select symbol, timestamp '2026-03-02 21:00:00' as snapshot_at, expires as expiration_date, strike, kind as option_type,
    price - least(0.01, price / 4) as bid, price + least(0.01, price / 4) as ask, 10 as volume, 100 as open_interest, spot
from priced
"""


def lines(macros: Path, folder: Path) -> list[Line]:
    """`macros`: a published file whose macros draw the market; the home is made in `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute(f"attach '{macros}' as market (read_only)")
    connection.execute("use market")
    connection.execute(f"copy ({MARKET}) to '{folder / 'quotes.parquet'}' (format parquet)")
    connection.close()
    home = folder / "home"
    environ = os.environ | {
        "TTAPI_HOME": str(home),
        "TTAPI_FILES_OPTION_QUOTES_PATH": str(folder / "quotes.parquet"),
        "TTAPI_NOW": "2026-03-02T22:00:00Z",
    }
    for words in (("init",), ("refresh", "chain", "surface", "iv_history")):
        subprocess.run(
            [sys.executable, "-m", "ttapi", *words], env=environ, check=True, capture_output=True
        )
    market = duckdb.connect(str((home / "market.duckdb").resolve()), read_only=True)
    market.execute("set enable_progress_bar = false")
    count = market.execute("select count(implied_volatility) from chain").fetchall()[0][0]
    computed = _seconds(
        market,
        "select sum(i.implied_volatility), sum(i.bid_iv), sum(i.ask_iv), sum(i.greeks.delta), sum(i.greeks.gamma),"
        " sum(i.greeks.vega), sum(i.greeks.theta), sum(i.greeks.rho)"
        " from derived.implied_at(timestamp '9999-12-31', null) as i",
        3,
    )
    surface = _seconds(market, "select count(implied_volatility) from surface", 5)
    one = _seconds(market, "select * from chain where underlying = 'AEF'", 20)
    as_of = _seconds(market, "select * from chain_asof('AEF', '2026-03-02')", 5)
    return [
        Line("surface of 500 underlyings, 200,000 contracts", surface, "s", 2.0, None, f"{count:,} have a volatility"),
        Line("  their forwards, mid, bid and ask volatility, Greeks from raw quotes", computed, "s", 4.0),
        Line("chain of one underlying, 400 contracts", 1e3 * one, "ms", 50.0),
        Line("  chain_asof of one, computed from raw", 1e3 * as_of, "ms", 1000.0),
    ]  # fmt: skip


def _seconds(connection: duckdb.DuckDBPyConnection, sql: str, times: int) -> float:
    """Median, after a warm one."""
    taken = []
    for _ in range(times + 1):
        started = time.perf_counter()
        connection.execute(sql).fetchall()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    for one in lines(Path(sys.argv[1]), Path(".cache/bench/chains")):
        print(f"{one.work:70} {one.measured:9.2f} {one.unit:3} limit {one.limit:g} {one.note}")
