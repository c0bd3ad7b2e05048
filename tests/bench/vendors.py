# SPDX-License-Identifier: Apache-2.0
"""507 symbols of metrics and chains from the simulated vendor: cold, bounded by its rate, and warm.

The seed needed 52 s cold, answered 85 % of its requests from caches, and was 294 times as fast warm.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from child import run_alone
from line import Line

from ttapi.api import Database
from ttapi.home import Home
from ttapi.refresh.home_state import read_home_state
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
RATE = 40.0
"""Requests a second that the simulator allows, and ttapi keeps to: what two cores serve beside it."""
QUERY = "select symbol, beta from market_metrics where liquidity_value > {least}"


def lines(folder: Path) -> list[Line]:
    """Cold and warm, with what bounds the cold."""
    market = VendorMarket(7, NOW)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    home = Home(folder / "home")
    _command({"TTAPI_HOME": str(home.root), "TTAPI_NOW": NOW.isoformat()}, "init")
    with VendorServer(market, requests_per_s=RATE) as server:
        environ = _environ(server, home)
        ours = [symbol.replace("/", ".") for symbol in market.symbols]
        targets = ("raw.tastytrade_market_metrics", "raw.tastytrade_chains")
        seconds, peak_mb = _command(environ, "refresh", *targets, "--symbols", ",".join(ours))
        asked, throttled = server.counters.asked, server.counters.throttled
        account = read_home_state(home).traffic["tastytrade"]
        fetching = sum(read_home_state(home).seconds[name] for name in targets)
        server.counters.reset()
        warm = _warm(home, environ, len(ours))
        note = f"{server.counters.asked} requests"
    rate = asked / fetching
    return [
        Line("507 symbols, metrics and chains, cold", seconds, "s", 52.0, None,
             f"{asked} requests, {throttled} of them 429; the seed 52 s"),
        Line("  requests a second achieved, of those allowed", rate / RATE, "x", 1.05, None,
             f"{rate:.0f} of {RATE:g}; at most {account['in_flight_most']} in flight"),
        Line("  requests in flight at most", account["in_flight_most"], "", 100.0),
        Line("  its peak memory", peak_mb, "MB", 300.0),
        Line("507 symbols of metrics, warm", 1e3 * warm, "ms", 50.0, None,
             f"{note}; {seconds / warm:.0f} times as fast as cold, the seed 294 times"),
    ]  # fmt: skip


def _environ(server: VendorServer, home: Home) -> dict[str, str]:
    grant = server.credentials.grant
    return {
        "TTAPI_HOME": str(home.root),
        "TTAPI_NOW": NOW.isoformat(),
        "TTAPI_TASTYTRADE_BASE_URL": server.base_url,
        "TTAPI_TASTYTRADE_CLIENT_SECRET": grant.client_secret,
        "TTAPI_TASTYTRADE_REFRESH_TOKEN": grant.refresh_token,
        "TTAPI_TASTYTRADE_REQUESTS_PER_S": str(RATE),
    }


def _lean_python() -> str:
    """An interpreter with what a user installs and no more: Arrow loads pandas wherever it is found."""
    told = hashlib.blake2b((ROOT / "pyproject.toml").read_bytes(), digest_size=4).hexdigest()
    folder = ROOT / ".cache" / "bench" / f"lean-{told}"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", ROOT], check=True)
        (folder / "installed").touch()
    return str(python)


def _command(environ: Mapping[str, str], *arguments: str) -> tuple[float, float]:
    """Seconds and peak resident MB of one command alone."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    others["PYTHONPATH"] = str(ROOT)
    done = run_alone([_lean_python(), "-m", "ttapi", *arguments], {**others, **environ})
    if done.code:
        sys.exit(f"ttapi {arguments[0]} left with {done.code}: {done.err}")
    return done.seconds, done.peak_mb


def _warm(home: Home, environ: Mapping[str, str], count: int) -> float:
    """Median seconds to plan and run a query about all symbols, in a process that has done so before."""
    taken = []
    with Database(home, environ=dict(environ)) as database:
        for number in range(12):
            started = time.perf_counter()
            rows = database.sql(QUERY.format(least=-number)).arrow().num_rows
            taken.append(time.perf_counter() - started)
            assert rows == count
    return statistics.median(taken[2:])


if __name__ == "__main__":
    for one in lines(Path(".cache/bench/vendors")):
        print(f"{one.work:50} {one.measured:9.2f} {one.unit:3} limit {one.limit:g} {one.note}")
