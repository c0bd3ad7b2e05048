# SPDX-License-Identifier: Apache-2.0
"""One command in a process of its own: how long it took, and the memory it alone had at most.

A process counts as its own peak what its parent held when it was started (Linux keeps the figure over
exec), so the command is started by a small process in between.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BETWEEN = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(child.pid, 0)
with open(sys.argv[1], "w") as report:
    report.write(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}")
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    seconds: float
    """From its start, with some 20 ms of the process in between."""
    peak_mb: float
    code: int
    out: str
    err: str


def run_alone(command: Sequence[str], environ: Mapping[str, str]) -> Ended:
    """`command` run to its end."""
    with tempfile.NamedTemporaryFile("r") as report:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BETWEEN, report.name, *command],
            env=dict(environ), capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - started
        code, peak_kb = report.read().split()
    return Ended(seconds, int(peak_kb) / 1e3, int(code), done.stdout, done.stderr)
