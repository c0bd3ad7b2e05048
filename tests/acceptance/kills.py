# SPDX-License-Identifier: Apache-2.0
"""A command killed at a chosen moment, and what it was doing then; run as a script, the campaign's sum.

The command registers `faulthandler` for SIGUSR1, which the killer sends just before SIGKILL: the
stack it leaves names the phase. Nothing of ttapi is replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

from outside import CACHE, ROOT, plain_environ

RECORD = CACHE / "campaign" / "kills.jsonl"

_LAUNCH = """
import faulthandler, runpy, signal, sys
faulthandler.register(signal.SIGUSR1, file=open(sys.argv.pop(1), "w"), all_threads=False)
sys.argv[0] = "ttapi"
runpy.run_module("ttapi", run_name="__main__", alter_sys=True)
"""
_FRAME = re.compile(r'File ".*/(\w+)\.py", line \d+ in (\w+)')
# The first rule of which one frame is on the stack names the phase.
_PHASES = (
    ("migrate", {"migrate.apply_migrations", "database._create_file"}),
    ("checkpoint", {"publish._checkpoint", "database.close"}),
    ("commit", {"database._commit"}),
    ("publish", {"publish.publish", "database._close_engine"}),
    ("load", {"load.load_batch", "ingest._finish", "load.mark_vanished"}),
    ("fetch", {"ingest.ingest", "ingest.survey_offer"}),
    ("rebuild", {"steps._run_table", "steps.check_views"}),
    ("install", {"installation.install", "environment.graph"}),
    ("record", {"steps.record", "runner._leave_state"}),
    ("open", {"database.open_store"}),
    ("start or end", set()),
)
AIMS = {
    "any moment": None,
    "once locked": 0.25,
    "once logging ahead": 1.2,
    "as the log grows": 0.004,
    "while copying": 0.03,
    "once copied": 0.02,
    "within the run": None,
}
"""What to wait for, and within how many seconds after it to kill; None: of all the run takes."""


@dataclass(frozen=True)
class Kill:
    """One command killed."""

    aim: str
    phase: str
    was_running: bool
    """False: the command ended by itself before the moment came."""


def start(home, trace, *arguments, **environ):
    """A ttapi command that leaves its stack in `trace` when asked; it leads a process group."""
    return subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(trace), *arguments],
        cwd=ROOT,
        env=plain_environ(PYTHONPATH=ROOT, TTAPI_HOME=home.root, **environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process, home, trace, *, aim, dice, takes_s, whole_group):
    """Kill `process` where `aim` and `dice` say; it takes about `takes_s` when left alone.

    The whole group dies, or its leader alone, whose children must follow by themselves.
    """
    reached = _watch(home, aim, dice)
    while process.poll() is None and not reached():
        pause(0.001)
    pause(dice.uniform(0, AIMS[aim] or takes_s), process)
    was_running = process.poll() is None
    if was_running:
        process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 0.02
        while not (trace.exists() and trace.stat().st_size) and time.monotonic() < deadline:
            pause(0.0005)
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    text = trace.read_text() if trace.exists() else ""
    return Kill(aim, phase_of(text) if was_running else "it had ended", was_running)


def _watch(home, aim, dice):
    """Whether what `aim` waits for has come, asked again and again."""
    copied = set(home.snapshots.glob("*"))
    log = home.live / "market.duckdb.wal"
    growths = dice.randint(1, 8)
    seen = {0}

    def is_locked():
        return home.lock_file.exists() and home.lock_file.stat().st_size > 0

    def has_grown():
        if log.exists():
            with contextlib.suppress(FileNotFoundError):
                seen.add(log.stat().st_size)
        return len(seen) > growths

    return {
        "any moment": lambda: True,
        "once locked": is_locked,
        "once logging ahead": log.exists,
        "as the log grows": has_grown,
        "while copying": lambda: any(".tmp-" in p.name for p in home.snapshots.glob("*")),
        "once copied": lambda: any(
            ".tmp-" not in p.name for p in set(home.snapshots.glob("*")) - copied
        ),
        "within the run": is_locked,
    }[aim]


def pause(seconds, process=None):
    """Let time pass: the moment of death is what is tested. Ends early when `process` does."""
    if process is None:
        select.select([], [], [], seconds)
        return
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def phase_of(stack):
    """What a process with that stack was at."""
    frames = {f"{module}.{function}" for module, function in _FRAME.findall(stack)}
    return next(phase for phase, marks in _PHASES if marks & frames or not marks)


def survivors(group):
    """Processes of that group that still live, as `ps` tells; the dead that nobody reaped are none."""
    listing = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return [row for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def summary(kills):
    """How many kills landed in which phase, as a line of text."""
    counts = Counter(one.phase for one in kills)
    parts = ", ".join(f"{count} {phase}" for phase, count in counts.most_common())
    return f"{len(kills)} kills: {parts}"


def record(kills):
    """Add `kills` to the record of a campaign."""
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a") as stream:
        stream.writelines(json.dumps(asdict(one)) + "\n" for one in kills)


if __name__ == "__main__":
    print(summary([Kill(**json.loads(line)) for line in RECORD.read_text().splitlines()]))
