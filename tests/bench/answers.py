# SPDX-License-Identifier: Apache-2.0
"""What a person waits for: a one-shot query, `init`, an unchanged `refresh`, and large answers as files.

Run alone (`python tests/bench/answers.py`), or by `make bench`. A home of ten files; each command is a
process of its own, beside the least that bare Python and DuckDB can do on the same file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from line import Line
from machine import median

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
NOW = "2026-11-20T23:00:00Z"
QUERY = "select * from eod where symbol = 'T00003' order by date desc limit 20"
BARE = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchall())"
LARGE = (
    "select range::integer as n, 'T' || (range % 500) as symbol, range / 7.0 as close,"
    " date '2000-01-01' + (range % 9000)::integer as date, range * 3 as volume from range(3000000)"
)
"""Three million rows of five columns, as a bar has them."""


def lines(folder: Path, files: Sequence[Path], runs: int = 9) -> list[Line]:
    """Every line, on a home made of `files` under `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bars").mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder / "bars")
    home = folder / "home"
    fresh = (folder / f"init-{number}" for number in range(4))
    first = median(lambda: _ttapi(next(fresh), folder, "init"), 3)
    _ttapi(home, folder, "init")
    _ttapi(home, folder, "refresh")
    unchanged = median(lambda: _ttapi(home, folder, "refresh"), runs)
    file = str((home / "market.duckdb").resolve())
    one_shot = median(lambda: _ttapi(home, folder, "sql", "-c", QUERY), runs)
    bare = median(lambda: _run([sys.executable, "-c", BARE, file, QUERY], {}), runs)
    return [
        Line("one-shot sql on fresh data", one_shot, "s", 2.5, bare, "bare: Python and DuckDB on the same file"),
        Line("ttapi init", first, "s", 1.5),
        Line("ttapi refresh, nothing changed", unchanged, "s", 0.4),
        *_large(home, folder),
    ]  # fmt: skip


def _large(home: Path, folder: Path) -> list[Line]:
    """The large answer as a file, beside the engine's own COPY and its start."""
    found = []
    for kind, options in (("csv", "format csv, header"), ("json", "format json, array true")):
        out = folder / f"large.{kind}"
        bare = median(lambda o=options, f=out: _copy(o, f), 3)
        ours = median(
            lambda k=kind, f=out: _ttapi(
                home, folder, "sql", "-c", LARGE, "--format", k, "-o", str(f)
            ),
            3,
        )
        found.append(Line(f"3 M rows to {kind}", ours, "s", 3.0, bare, "beside COPY in a process"))
        out.unlink()
    return found


def _copy(options: str, out: Path) -> None:
    code = "import duckdb, sys; duckdb.connect().execute(sys.argv[1])"
    _run([sys.executable, "-c", code, f"copy ({LARGE}) to '{out}' ({options})"], {})


def _ttapi(home: Path, folder: Path, *arguments: str) -> None:
    _run(
        [sys.executable, "-m", "ttapi", *arguments],
        {
            "TTAPI_HOME": str(home),
            "TTAPI_METASTOCK_PATH": str(folder / "bars"),
            "TTAPI_NOW": NOW,
        },
    )


def _run(command: Sequence[str], more: dict[str, str]) -> None:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")} | more
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[2:])} left with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    from line import measured, report
    from run import CACHE, data_folder

    made = sorted(data_folder().glob("*.csv"))[:10]
    print(report(measured(lambda: lines(CACHE / "answers", made)), {}))
