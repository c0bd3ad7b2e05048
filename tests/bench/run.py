# SPDX-License-Identifier: Apache-2.0
"""`make bench`: ttapi beside bare engines, measured in one run on one generated directory.

TTAPI_BENCH_FILES (15798) and TTAPI_BENCH_DATA (.cache/bench/data) make it smaller or reuse files.
Ratios against a baseline of the same run are what counts; shared machines are noisy.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from answers import lines as answer_lines
from backup import lines as backup_lines
from chains import lines as chain_lines
from child import Ended, run_alone
from line import Line, keep, measured, read_kept, report
from machine import median, reference
from planning import planned
from pricing import lines as pricing_lines
from shell import measure
from streams import lines as stream_lines
from subscribers import lines as subscriber_lines
from vendors import lines as vendor_lines
from volatility import lines as volatility_lines

from ttapi.models.model import read_model

ROOT = Path(__file__).resolve().parents[2]
SQL = ROOT / "sql"
CACHE = ROOT / ".cache" / "bench"
FILES = int(os.environ.get("TTAPI_BENCH_FILES", "15798"))
ROWS = 1780
HEADER = b"<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
HOME = CACHE / "home"
KEPT = Path(__file__).with_name("kept.json")
NOW = "2026-11-20T23:00:00Z"


def data_folder() -> Path:
    """The generated directory; made once."""
    given = os.environ.get("TTAPI_BENCH_DATA")
    folder = Path(given) if given else CACHE / f"data-{FILES}"
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_files(partial)
        partial.rename(folder)
    return folder


def _write_files(folder: Path) -> None:
    from ttapi.market.calendar import sessions

    days = [d for d in sessions("XNYS").dates if date(2019, 1, 1) <= d <= date(2026, 11, 20)][
        -ROWS:
    ]
    texts = pl.Series("date", [f"{d:%Y%m%d}" for d in days])
    noise = pl.Series(range(FILES + ROWS)).hash(seed=7).cast(pl.Float64) / 2.0**64 - 0.5
    for number in range(FILES):
        steps = noise.slice(number, ROWS) * 0.04
        close = (50.0 * steps.cum_sum().exp()).round(2).clip(lower_bound=0.5)
        wiggle = (steps.abs() * close).round(2)
        name = f"T{number:05d}"
        frame = pl.DataFrame(
            {
                "t": [name] * ROWS, "p": ["D"] * ROWS, "d": texts, "z": ["000000"] * ROWS, "o": close,
                "h": (close + wiggle).round(2), "l": (close - wiggle).round(2), "c": close,
                "v": (noise.slice(number, ROWS).abs() * 1e7).cast(pl.Int64), "i": [0] * ROWS,
            }
        )  # fmt: skip
        with (folder / f"{name}.csv").open("wb") as stream:
            stream.write(HEADER)
            frame.write_csv(stream, include_header=False)


def ttapi(*arguments: str, folder: Path) -> Ended:
    """One command on the home of this run."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    variables |= {"TTAPI_HOME": str(HOME), "TTAPI_METASTOCK_PATH": str(folder), "TTAPI_NOW": NOW}
    done = run_alone([sys.executable, "-m", "ttapi", *arguments], variables)
    if done.code:
        sys.exit(f"ttapi {' '.join(arguments)} left with {done.code}: {done.err}")
    return done


def bare_import(folder: Path) -> tuple[float, duckdb.DuckDBPyConnection]:
    """DuckDB alone: read_csv with explicit types into a table, checkpointed."""
    file = CACHE / "bare.duckdb"
    file.unlink(missing_ok=True)
    connection = duckdb.connect(str(file), config={"storage_compatibility_version": "v1.2.0"})
    types = {"ticker": "VARCHAR", "per": "VARCHAR", "date": "VARCHAR", "time": "VARCHAR"}
    types |= dict.fromkeys(("open", "high", "low", "close", "volume", "open_interest"), "DOUBLE")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
    started = time.monotonic()
    connection.execute(
        f"create table bars as select * from read_csv('{folder}/*.csv', header = true, auto_detect = false,"
        f" delim = ',', columns = {{{columns}}})"
    )
    connection.execute("checkpoint")
    return time.monotonic() - started, connection


def imports(folder: Path) -> tuple[list[Line], duckdb.DuckDBPyConnection]:
    """First import, import again, a hundred changed files."""
    shutil.rmtree(HOME, ignore_errors=True)
    ttapi("init", folder=folder)
    baseline, bare = bare_import(folder)
    done = ttapi("refresh", "raw.metastock_bars", "--json", folder=folder)
    bars = _dataset(done, "raw.metastock_bars")
    lines = [
        Line("import the directory, dedupe, checks, commit", bars["seconds"], "s", 1.4, baseline,
             f"{bars['rows_accepted']:,} rows; with start, view checks and publication {done.seconds:.1f} s"),
        Line("  its peak memory", done.peak_mb / 1e3, "GB", 1.5),
    ]  # fmt: skip
    again = ttapi("refresh", "raw.metastock_bars", folder=folder)
    lines.append(Line("import again, nothing changed", again.seconds, "s", 1.0))
    _correct(folder, 100)
    done = ttapi("refresh", "raw.metastock_bars", "--json", folder=folder)
    bars = _dataset(done, "raw.metastock_bars")
    note = f"{bars['source_calls']} files; with publication {done.seconds:.1f} s"
    lines.append(Line("100 changed files", bars["seconds"], "s", 3.0, None, note))
    return lines, bare


def _dataset(done: Ended, name: str) -> Any:
    """What `refresh --json` said of one dataset."""
    return next(d for d in json.loads(done.out)["datasets"] if d["dataset"] == name)


def _correct(folder: Path, count: int) -> None:
    """Another last volume in `count` files, another one each time."""
    stamp = str(time.time_ns() % 10**7).encode()
    for path in sorted(folder.glob("*.csv"))[:count]:
        head, _, last = path.read_bytes().rstrip(b"\n").rpartition(b"\n")
        cells = last.split(b",")
        cells[8] = stamp
        path.write_bytes(head + b"\n" + b",".join(cells) + b"\n")


def queries(folder: Path, bare: duckdb.DuckDBPyConnection) -> list[Line]:
    """Series on the published file, after everything is built."""
    done = ttapi("refresh", "--json", folder=folder)
    built = {d["dataset"]: d["seconds"] for d in json.loads(done.out)["datasets"]}
    live = duckdb.connect(str(HOME / "market.duckdb"), read_only=True)
    (symbol,) = live.execute("select max(symbol) from volatility_latest").fetchone()
    symbols = [
        row[0]
        for row in live.execute(
            "select symbol from volatility_latest where lookback = 5 order by 1 limit 507"
        ).fetchall()
    ]
    listed = ", ".join(f"'{s}'" for s in symbols)
    seed = "select ticker, stddev_pop(close), avg(close), count(*) from bars group by 1 having count(*) > 30"
    return [
        Line("seed volatility query over all rows", median(lambda: live.execute("from symbol_summary").fetchall(), 5), "s", 1.2,
             median(lambda: bare.execute(seed).fetchall(), 5)),
        Line("latest volatility row of every symbol", median(lambda: live.execute("from volatility_latest").fetchall(), 3), "s", 1.0,
             None, f"built in {built['derived.volatility_latest']:.1f} s"),
        Line("volatility of one symbol and lookback, whole history", 1e3 * median(
            lambda: live.execute("select * from volatility where symbol = ? and lookback = 20", [symbol]).fetchall(), 20), "ms", 20.0),
        Line("returns_stddev, one symbol", 1e3 * median(
            lambda: live.execute("select * from returns_stddev where symbol = ?", [symbol]).fetchall(), 20), "ms", 100.0,
            None, f"built for all in {built['derived.returns_stddev']:.1f} s"),
        Line("returns_stddev_asof, one symbol, computed", 1e3 * median(
            lambda: live.execute("select * from returns_stddev_asof('2026-11-20', ?)", [symbol]).fetchall(), 10), "ms", 100.0),
        Line("returns_stddev, 507 symbols, computed", _definition(live, listed), "s", 10.0),
        Line("returns_stddev, 507 symbols, stored", median(
            lambda: live.execute(f"select * from returns_stddev where symbol in ({listed})").fetchall(), 3), "s", 10.0),
    ]  # fmt: skip


def _definition(live: duckdb.DuckDBPyConnection, listed: str) -> float:
    """The model's SQL on 507 symbols of the published file."""
    body = read_model(SQL / "derived" / "returns_stddev.sql", SQL, is_bundled=True).body
    started = time.perf_counter()
    live.execute(f"set variable rebuilt_keys = [{listed}]")
    live.execute(f"select count(*) from ({body}) as q").fetchall()
    live.execute("reset variable rebuilt_keys")
    return time.perf_counter() - started


def planning() -> list[Line]:
    """What a query on fresh data costs before it runs, with more than 100 datasets."""
    found = planned(CACHE / "planning")
    note = f"{found['datasets']:.0f} datasets; with settings, files and state looked at {found['prepare']:.1f} ms"
    work = "planning a query on fresh data"
    return [Line(work, found["planning"], "ms", 5.0, None, note)]


def shell() -> list[Line]:
    """The shell's two promises, on the home of this run."""
    return [
        Line(f"shell: {one.work}", 1e3 * one.seconds, "ms", 1e3 * one.limit_s)
        for one in measure(HOME)
    ]


def backups() -> list[Line]:
    """Backup, restore and verify of the home of this run."""
    scratch = CACHE / "backup"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        return backup_lines(HOME, scratch)
    finally:
        shutil.rmtree(scratch)


def commands(folder: Path) -> list[Line]:
    """Start-up of the two commands that promise to be quick."""
    return [
        Line("ttapi --help", 1e3 * median(lambda: ttapi("--help", folder=folder), 10), "ms", 150.0),
        Line("ttapi status", 1e3 * median(lambda: ttapi("status", folder=folder), 10), "ms", 200.0),
    ]


def main() -> int:
    """Run everything, print the report beside the kept run; 1 when a limit is missed on a quiet machine.

    TTAPI_BENCH_KEEP=1 keeps this run's figures in the repository, for later ones to be held against.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = data_folder()
    before = reference(CACHE)
    bare: list[duckdb.DuckDBPyConnection] = []

    def imported() -> list[Line]:
        found, connection = imports(folder)
        bare.append(connection)
        return found

    lines = measured(imported)
    lines += measured(lambda: queries(folder, bare[0]))
    for group in (planning, shell, lambda: commands(folder), backups):
        lines += measured(group)
    lines += measured(lambda: answer_lines(CACHE / "answers", sorted(folder.glob("*.csv"))[:10]))
    lines += measured(lambda: stream_lines(CACHE / "streams"))
    lines += measured(lambda: subscriber_lines(CACHE / "subscribers"))
    lines += measured(lambda: vendor_lines(CACHE / "vendors"))
    market = (HOME / "market.duckdb").resolve()
    lines += measured(lambda: pricing_lines(market, CACHE / "pricing"))
    lines += measured(lambda: chain_lines(market, CACHE / "chains"))
    lines += measured(lambda: volatility_lines(market, CACHE / "volatility"))
    after = reference(CACHE)
    for name, milliseconds in before.items():
        print(f"reference: {name:30} {milliseconds:8.2f} ms, at the end {after[name]:8.2f} ms")
    print(report(lines, read_kept(KEPT)))
    if os.environ.get("TTAPI_BENCH_KEEP"):
        keep(KEPT, before, lines)
    return 0 if all(line.is_met or not line.is_judged for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
