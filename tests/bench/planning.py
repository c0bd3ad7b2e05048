# SPDX-License-Identifier: Apache-2.0
"""What a query on fresh data costs before it runs, on an installation of more than 100 datasets."""

from __future__ import annotations

import shutil
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.api import Database
from ttapi.clock import FixedClock
from ttapi.home import Home
from ttapi.models.references import parse_statements
from ttapi.refresh.environment import environment_of
from ttapi.refresh.installation import load_installation
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import run_refresh
from ttapi.store.store import init_home

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = "2026-11-20T23:00:00Z"
VIEWS = 75
QUERY = (
    "select g.symbol, g.hv20, v.close from market_grid as g join view{n:03d} as v using (symbol)"
    " where g.symbol = 'K{n:03d}' and v.date >= '2024-01-02'"
)


def planned(folder: Path) -> dict[str, float]:
    """Milliseconds, medians of 50: a new statement planned, and all that precedes running it."""
    home = _installation(folder)
    environ = {"TTAPI_NOW": NOW, "TTAPI_METASTOCK_PATH": str(folder / "bars")}
    with Database(home, environ=environ) as database:
        database.sql("select count(*) from market_grid")
        database.sql(QUERY.format(n=0))
        datasets = len(database.load_environment().datasets)
        prepared = [database.prepare(QUERY.format(n=n)) for n in range(50)]
        assert all(one.outcome is None and not one.steps for one in prepared)
        parse_statements.cache_clear()
        whole = _medians(lambda n: database.prepare(QUERY.format(n=n)), 50)
    return {
        "datasets": datasets,
        "planning": 1e3 * statistics.median(one.planned_s for one in prepared),
        "prepare": 1e3 * whole,
    }


def _installation(folder: Path) -> Home:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bars").mkdir(parents=True)
    for n in range(VIEWS):
        lines = "".join(f"K{n:03d},D,202401{d:02d},000000,10,11,9,10,1,0\n" for d in range(2, 12))
        (folder / "bars" / f"K{n:03d}.csv").write_text(lines)
    home = Home(folder / "home")
    now = datetime.fromisoformat(NOW)
    init_home(home, now=now)
    environment = environment_of(load_installation(home, {}), FixedClock(now))
    run_refresh(environment, RefreshRequest(("calendar",)))
    views = home.sql / "views"
    views.mkdir(parents=True, exist_ok=True)
    for n in range(VIEWS):
        origin = "eod" if n % 5 == 0 else f"view{n - 1:03d}"
        (views / f"view{n:03d}.sql").write_text(
            f"select e.symbol::varchar as symbol, e.date::date as date, e.close::double as close from {origin} as e\n"
        )
    return home


def _medians(work: Callable[[int], object], times: int) -> float:
    taken = []
    for n in range(times):
        started = time.perf_counter()
        work(n)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    print(planned(Path(".cache/bench/planning")))
