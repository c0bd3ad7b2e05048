# SPDX-License-Identifier: Apache-2.0
"""Volatility over whole histories, from the published file, beside Polars reading the same bars from it.

Run alone (`python tests/bench/volatility.py FILE [SYMBOLS]`), or by `make bench`. Polars is given the
fastest form known: sorted once (the engine promises no order), no grouping, terms null on a symbol's
first bar, so that no rolling window reaches over it.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from child import run_alone
from line import Line

if TYPE_CHECKING:
    import duckdb

LOOKBACKS = (5, 10, 20, 60, 252)
SYMBOLS = 3_700
"""Of 1,780 bars each: 6.6 million bars, 33 million rows of five lookbacks."""
OLDEST = "1.2.2"
"""The oldest client the file is for."""
TWO = "avg(v.close_to_close), avg(v.parkinson)"
ALL = (
    TWO + ", avg(v.garman_klass), avg(v.garman_klass_yang_zhang), avg(v.rogers_satchell), avg(v.yang_zhang),"
    " avg(v.ewma), avg(v.n_obs), avg(v.n_gaps), max(v.quality)"
)  # fmt: skip


def lines(market: Path, folder: Path, symbols: int = SYMBOLS) -> list[Line]:
    """Every line, on the first `symbols` symbols of the file `market`."""
    two, one, least = (
        _timed(sys.executable, market, kind, symbols) for kind in ("two", "all", "polars")
    )
    _alike(two["answer"], least["answer"])
    work = f"volatility of {symbols:,} whole histories, {len(LOOKBACKS)} lookbacks, two columns averaged"
    found = [
        Line(work, two["seconds"], "s", 1.3, least["seconds"], "beside Polars"),
        Line("  peak memory of two columns", two["peak_mb"] / 1e3, "GB", 3.0, None, f"Polars {least['peak_mb'] / 1e3:.1f} GB"),
        Line("  every volatility column", one["seconds"], "s", 4.5, two["seconds"], "beside two columns"),
    ]  # fmt: skip
    if python := _oldest(folder / "oldest"):
        old = _timed(python, market, "two", symbols)
        work = f"  two volatility columns by DuckDB {OLDEST}"
        # Before 2.0 the engine computes window columns that nobody reads.
        found.append(
            Line(work, old["seconds"], "s", 2.0, one["seconds"], "beside every column by ours")
        )
    return found


def _alike(ours: Any, theirs: Any) -> None:
    """Leave where the two answers are not the same."""
    apart = max(
        abs(a - b)
        for mine, other in zip(ours, theirs, strict=True)
        for a, b in zip(mine, other, strict=True)
    )
    if apart > 1e-9:
        sys.exit(f"Polars averages otherwise, by {apart}: {ours} and {theirs}")


def _timed(python: str, market: Path, kind: str, symbols: int) -> dict[str, Any]:
    """Seconds of the query alone, the best of two, its answer, and the peak of its process."""
    command = [python, __file__, "--one", kind, str(market), str(symbols)]
    done = run_alone(command, {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")})
    if done.code:
        sys.exit(f"{' '.join(command[1:])} left with {done.code}: {done.err}")
    return {**json.loads(done.out), "peak_mb": done.peak_mb}


def _oldest(folder: Path) -> str | None:
    """The interpreter of an environment that holds the oldest client; None where it cannot be had."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "-q",
             "--no-deps", "--only-binary", ":all:", f"duckdb=={OLDEST}"],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            return None
    return str(python)


def _one(kind: str, market: str, symbols: int) -> dict[str, object]:
    """Best seconds of two runs in this process, and the answer."""
    import time

    import duckdb

    connection = duckdb.connect(market, read_only=True)
    connection.execute("set enable_progress_bar = false")
    (last,) = connection.execute(
        "select max(q.symbol) from (select distinct e.symbol from eod as e order by 1 limit ?) as q",
        [symbols],
    ).fetchall()[0]

    def ours(columns: str) -> list[tuple[object, ...]]:
        rows = connection.execute(
            f"select v.lookback, {columns} from volatility as v"
            f" where v.lookback in {LOOKBACKS} and v.symbol <= '{last}' group by v.lookback order by 1"
        ).fetchall()
        return [row[1:3] for row in rows]

    def work() -> list[tuple[object, ...]]:
        return (
            _polars(connection, last) if kind == "polars" else ours(TWO if kind == "two" else ALL)
        )

    taken = []
    for _ in range(2):
        started = time.perf_counter()
        answer = work()
        taken.append(time.perf_counter() - started)
    return {"seconds": min(taken), "answer": answer}


def _polars(connection: duckdb.DuckDBPyConnection, last: str) -> list[tuple[object, ...]]:
    """The same two columns of the same adjusted bars, averaged a lookback."""
    import polars as pl

    bars = connection.sql(
        "select b.symbol, b.date, b.adj_high as high, b.adj_low as low, b.adj_close as close"
        f" from derived.eod_adjusted as b where b.symbol <= '{last}'"
    ).pl()
    is_same = pl.col("symbol") == pl.col("symbol").shift(1)
    terms = (
        bars.lazy()
        .sort("symbol", "date")
        .with_columns(
            pl.when(is_same)
            .then((pl.col("close") / pl.col("close").shift(1)).log())
            .alias("change"),
            pl.when(is_same).then((pl.col("high") / pl.col("low")).log() ** 2).alias("range"),
        )
    )
    means = [
        column
        for n in LOOKBACKS
        for column in (
            (pl.col("change").rolling_std(n) * math.sqrt(252)).mean().alias(f"close_{n}"),
            (pl.col("range").rolling_mean(n) * 252 / (4 * math.log(2))).sqrt().mean().alias(f"range_{n}"),
        )
    ]  # fmt: skip
    found = terms.select(means).collect().row(0)
    return [found[n : n + 2] for n in range(0, len(found), 2)]


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(json.dumps(_one(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        from line import measured, report

        count = int(sys.argv[2]) if len(sys.argv) > 2 else SYMBOLS
        scratch = Path(".cache/bench/volatility")
        print(report(measured(lambda: lines(Path(sys.argv[1]), scratch, count)), {}))
