# SPDX-License-Identifier: Apache-2.0
"""The shell's two promises: a first prompt within 300 ms, completion within 30 ms.

Run alone (`python tests/bench/shell.py HOME`), or by `make bench`, which calls `measure`.
"""

from __future__ import annotations

import os
import pty
import re
import select
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HEAVY = ("polars", "pyarrow", "sqlglot", "duckdb")
"""Nothing of these before the first prompt."""
FIRST_PROMPT_S = 0.3
COMPLETION_S = 0.03
TEXTS = (
    "select e. from eod e",
    "select * from vol",
    "select * from (select symbol, close from eod where symbol in ('SPY', 'QQQ')) t join returns r on r.",
    "with a as (select symbol, date from eod) select a. from a",
    "select " + ", ".join(f"e.close * {n} as c{n}" for n in range(400)) + " from eod e where e.",
    "select quant",
    ".describe vol",
)


@dataclass(frozen=True)
class Measured:
    """One promise."""

    work: str
    seconds: float
    limit_s: float

    @property
    def is_met(self) -> bool:
        return self.seconds <= self.limit_s


def measure(home: Path, python: str = sys.executable, runs: int = 7) -> list[Measured]:
    """Both promises, medians of `runs`."""
    prompts = [first_prompt_s(home, python) for _ in range(runs)]
    return [
        Measured("first prompt", statistics.median(prompts), FIRST_PROMPT_S),
        Measured("completion, the slowest of its kinds", completion_s(home), COMPLETION_S),
    ]


def first_prompt_s(home: Path, python: str) -> float:
    """Seconds from the start of the process to a prompt that takes keys."""
    parent, child = pty.openpty()
    environ = {**os.environ, "TTAPI_HOME": str(home), "TERM": "xterm"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [python, "-m", "ttapi", "sql"], stdin=child, stdout=child, stderr=child, env=environ
    )
    os.close(child)
    seen = b""
    try:
        while b"ttapi>" not in seen:
            ready, _, _ = select.select([parent], [], [], 20)
            if not ready:
                raise SystemExit(f"no prompt within 20 s: {seen!r}")
            seen += os.read(parent, 4096)
            if b"\x1b[6n" in seen:  # where is the cursor? a terminal answers at once
                os.write(parent, b"\x1b[1;1R")
                seen = seen.replace(b"\x1b[6n", b"")
        taken = time.perf_counter() - started
        os.write(parent, b"\x04")
        while process.poll() is None:
            if select.select([parent], [], [], 0.2)[0]:
                os.read(parent, 4096)
    except OSError:  # the other side is closed when the shell has left
        process.wait()
    finally:
        os.close(parent)
    return taken


def completion_s(home: Path) -> float:
    """The slowest median among the texts."""
    from ttapi.cli.shell.completion import candidates
    from ttapi.cli.shell.dot import COMMANDS
    from ttapi.cli.shell.names import read_catalog
    from ttapi.home import Home

    catalog = read_catalog(Home(home))
    slowest = 0.0
    for text in TEXTS:
        cursor = text.find(". ") + 1 or len(text)
        times = []
        for _ in range(9):
            started = time.perf_counter()
            candidates(text, cursor, catalog, COMMANDS)
            times.append(time.perf_counter() - started)
        slowest = max(slowest, statistics.median(times))
    return slowest


def loaded_before_prompt(python: str = sys.executable) -> list[str]:
    """Heavy packages that importing the prompt loads; there should be none."""
    code = "import ttapi.cli.entry, ttapi.cli.shell.start, ttapi.cli.shell.prompt"
    done = subprocess.run(
        [python, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    names = set(re.findall(r"\|\s+(\w+)$", done.stderr, re.MULTILINE))
    return sorted(names & set(HEAVY))


if __name__ == "__main__":
    for one in measure(Path(sys.argv[1])):
        word = "ok" if one.is_met else "MISSED"
        print(
            f"{one.work:40} {one.seconds * 1000:7.1f} ms, at most {one.limit_s * 1000:.0f} ms  {word}"
        )
    print(
        f"loaded before the prompt: {', '.join(loaded_before_prompt()) or 'none of the heavy ones'}"
    )
