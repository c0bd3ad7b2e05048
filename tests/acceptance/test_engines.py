# SPDX-License-Identifier: Apache-2.0
"""The rooms that touch the engine, on the oldest engine ttapi is tested with."""

from __future__ import annotations

import subprocess
import sys

import pytest
from outside import ROOT, plain_environ, run

OLDEST = "1.5.6"
ROOMS = ("store", "models", "refresh")
QUICK = ("-m", "not campaign", "-k", "not property and not receipt")
"""Without what takes minutes and is about our own code rather than the engine's."""


@pytest.mark.parametrize("room", ROOMS)
def test_the_room_works_on_the_oldest_engine(engine_folder, room):
    path = f"{engine_folder(OLDEST)}:{ROOT}"
    version = run(sys.executable, "-c", "import duckdb; print(duckdb.__version__)", PYTHONPATH=path)
    assert version == f"{OLDEST}\n"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-p",
            "no:xdist",
            "-p",
            "no:cov",
            *QUICK,
            f"tests/{room}",
        ],
        cwd=ROOT,
        env=plain_environ(PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
