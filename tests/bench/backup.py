# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a loaded home, beside a plain copy of its file in the same run.

Run as a script with the home to copy from as its argument; `make bench` calls `lines`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import duckdb
from line import Line

LIMIT_BACKUP_S = 15.0
LIMIT_RESTORE_S = 60.0
LIMIT_PAUSE_MS = 250.0


def lines(home: Path, scratch: Path) -> list[Line]:
    """What sealing and bringing back a copy of `home` takes; `scratch` gets some three times its size."""
    copy = scratch / "home"
    copy.mkdir(mode=0o700)
    shutil.copytree(home / "live", copy / "live")
    newest = (home / "market.duckdb").resolve()
    (copy / "snapshots").mkdir()
    shutil.copy2(newest, copy / "snapshots" / newest.name)
    (copy / "market.duckdb").symlink_to(Path("snapshots") / newest.name)
    plain = _plain_copy(newest, scratch / "plain.duckdb")
    with Reading(copy / "market.duckdb") as reading:
        backup = _command(copy, "backup")
    (copy / "live" / "market.duckdb").write_bytes(b"gone")
    restore = _command(copy, "restore", "latest")
    verify = _command(copy, "verify")
    size = f"{newest.stat().st_size / 1e6:,.0f} MB; cp and fsync {plain:.1f} s"
    return [
        Line("backup, sealed and read back", backup, "s", LIMIT_BACKUP_S, None,
             f"{size}, {backup / plain:.1f} x that"),
        Line("  longest query of a reader meanwhile", reading.longest_ms, "ms", LIMIT_PAUSE_MS, None,
             f"{reading.count} queries, median {reading.median_ms:.0f} ms"),
        Line("restore, verified and published", restore, "s", LIMIT_RESTORE_S, None,
             f"{restore / plain:.1f} x cp and fsync"),
        Line("verify: every block, ledger, published against live", verify, "s", LIMIT_RESTORE_S),
    ]  # fmt: skip


class Reading:
    """A reader that asks again and again, and how long its questions took."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._is_over = threading.Event()
        self._taken: list[float] = []
        self._thread = threading.Thread(target=self._work)

    @property
    def count(self) -> int:
        return len(self._taken)

    @property
    def longest_ms(self) -> float:
        return 1e3 * max(self._taken)

    @property
    def median_ms(self) -> float:
        return 1e3 * sorted(self._taken)[len(self._taken) // 2]

    def _work(self) -> None:
        with duckdb.connect(str(self._file.resolve()), read_only=True) as connection:
            connection.execute("set threads = 1")
            (symbol,) = connection.execute("select max(symbol) from volatility_latest").fetchone()
            while not self._is_over.is_set():
                started = time.perf_counter()
                query = "select * from volatility_latest where symbol = ?"
                connection.execute(query, [symbol]).fetchall()
                self._taken.append(time.perf_counter() - started)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def _plain_copy(source: Path, target: Path) -> float:
    started = time.monotonic()
    shutil.copyfile(source, target)
    with target.open("rb") as stream:
        os.fsync(stream.fileno())
    seconds = time.monotonic() - started
    target.unlink()
    return seconds


def _command(home: Path, *arguments: str) -> float:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ttapi", *arguments], env=variables | {"TTAPI_HOME": str(home)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(
            f"ttapi {' '.join(arguments)} left with {done.returncode}: {done.stdout}{done.stderr}"
        )
    return seconds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        for line in lines(Path(sys.argv[1]), Path(folder)):
            mark = "ok" if line.is_met else "MISSED"
            print(
                f"{line.work:54} {line.limit:g} {line.unit:3} {line.measured:8.2f} {mark} {line.note}"
            )
