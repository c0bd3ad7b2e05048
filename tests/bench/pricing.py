# SPDX-License-Identifier: Apache-2.0
"""A million contracts: implied volatility and Greeks by the macros in the file, beside py_vollib_vectorized."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from line import Line

COUNT = 1_000_000
PEER = (
    "py_vollib_vectorized==0.1.1",
    "py_vollib==1.0.1",
    "py_lets_be_rational==1.0.1",
    "setuptools<81",
)
"""Newer py_lets_be_rational breaks its typing; it imports pkg_resources, which newer setuptools lack."""
TERMS = "spot, strike, years, rate, dividend_yield"
# Both out of the money, as quotes are; a day to two years, volatility of 5 to 150 %.
DRAWN = f"""
create table drawn as
select 100::double as spot, 100 * exp(hash(r.i) / 2.0 ** 64 - 0.5) as strike,
    (1 + hash(r.i, 1) % 730)::double / 365 as years, 0.04::double as rate, 0.01::double as dividend_yield,
    0.05 + 1.45 * (hash(r.i, 2) / 2.0 ** 64) as volatility,
    case when hash(r.i) / 2.0 ** 64 > 0.5 then 'C' else 'P' end as option_type
from range({COUNT * 11 // 10}) as r(i)
"""


def lines(file: Path, folder: Path) -> list[Line]:
    """Macros of the published `file`; the peer's environment and contracts lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute(f"attach '{file}' as market (read_only)")
    _make(connection)
    peer = _peer(connection, folder)
    theirs = peer["implied"] + peer["greeks"]
    ours = _seconds(
        connection,
        f"select sum(i.volatility), sum(i.greeks.price), sum(i.greeks.delta), sum(i.greeks.gamma), sum(i.greeks.vega),"
        f" sum(i.greeks.theta), sum(i.greeks.rho) from (select bsm_implied({TERMS}, price, option_type) as i from memory.main.contracts)",
    )
    alone = _seconds(
        connection, f"select sum(bsm_iv({TERMS}, price, option_type)) from memory.main.contracts"
    )
    greeks = _seconds(
        connection,
        f"select sum(g.price), sum(g.delta), sum(g.gamma), sum(g.vega), sum(g.theta), sum(g.rho)"
        f" from (select bsm_greeks({TERMS}, volatility, option_type) as g from memory.main.contracts)",
    )
    worst = connection.execute(
        f"select max(abs(bsm_iv({TERMS}, price, option_type) - volatility)) from memory.main.contracts where vega > 1e-4"
    ).fetchall()[0][0]
    note = f"py_vollib_vectorized {theirs:.2f} s, ratio {ours / theirs:.2f}; worst error {worst:.1e}, theirs {peer['worst']:.1e}"
    return [
        Line("1 M contracts, implied volatility and Greeks", ours, "s", 1.5, None, note),
        Line("  implied volatility alone", alone, "s", 1.5, None,
             f"py_vollib_vectorized {peer['implied']:.2f} s, ratio {alone / peer['implied']:.2f}"),
        Line("  price and Greeks alone", greeks, "s", 1.0, None,
             f"py_vollib_vectorized {peer['greeks']:.2f} s, ratio {greeks / peer['greeks']:.2f}"),
    ]  # fmt: skip


def _make(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set enable_progress_bar = false")
    connection.execute(DRAWN)
    connection.execute("use market")
    connection.execute(
        f"create table memory.main.contracts as select * from (select *, bsm_price({TERMS}, volatility, option_type) as price,"
        f" bsm_vega_raw({TERMS}, volatility, option_type) as vega from memory.main.drawn) where price > 1e-6 limit {COUNT}"
    )


def _seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """Median of five, after a warm one."""
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        connection.execute(sql).fetchall()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def _peer(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, float]:
    contracts = folder / "contracts"
    shutil.rmtree(contracts, ignore_errors=True)
    contracts.mkdir()
    asked = f"select {TERMS}, volatility, price, if(option_type = 'C', 1, -1)::double as side from memory.main.contracts"
    for name, column in connection.execute(asked).fetchnumpy().items():
        column.tofile(contracts / name)
    python = _peer_python(folder / "peer")
    done = subprocess.run(
        [str(python), str(Path(__file__).with_name("pricing_peer.py")), str(contracts)],
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(contracts)
    if done.returncode:
        sys.exit(f"py_vollib_vectorized left with {done.returncode}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _peer_python(folder: Path) -> Path:
    """The interpreter of an environment that holds the peer; made once."""
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(partial)], check=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python",
             str(partial / "bin" / "python"), "install", "-q", *PEER],
            check=True,
        )  # fmt: skip
        partial.rename(folder)
    return folder / "bin" / "python"


if __name__ == "__main__":
    for one in lines(Path(sys.argv[1]), Path(".cache/bench/pricing")):
        print(f"{one.work:50} {one.measured:9.2f} {one.unit:3} limit {one.limit:g} {one.note}")
