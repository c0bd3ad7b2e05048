# SPDX-License-Identifier: Apache-2.0
"""The rooms that touch the engine, on the oldest engine ttapi is tested with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from outside import ROOT, plain_environ, run

OLDEST = "1.5.6"
SHORT = {
    "store": [f"store/test_{n}.py" for n in ("database", "engine", "load", "migrate", "publish")],
    "models": [f"models/test_{n}.py" for n in ("install", "large_table")],
    "slices": ["refresh/test_slices.py"],
    "chains": ["refresh/test_chains.py"],
    "refresh": ["refresh/test_refresh.py"],
}
"""What of the rooms asks most of the engine; the whole of them is a campaign."""
WHOLE = {room: [f"{room}/test_*.py"] for room in ("store", "models", "refresh")}
QUICK = ("-m", "not campaign", "-k", "not property and not receipt and not test_history")
"""Without what takes minutes and is about our own code rather than the engine's."""


@pytest.mark.parametrize("files", SHORT.values(), ids=SHORT)
def test_it_works_on_the_oldest_engine(engine_folder, files):
    passes(engine_folder(OLDEST), files)


@pytest.mark.campaign
@pytest.mark.skipif("TTAPI_CAMPAIGN" not in os.environ, reason="make campaign runs the whole rooms")
@pytest.mark.parametrize("files", WHOLE.values(), ids=WHOLE)
def test_the_whole_room_works_on_the_oldest_engine(engine_folder, files):
    passes(engine_folder(OLDEST), files)


def passes(engine, files):
    path = f"{engine}:{ROOT}"
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
            *(str(found) for pattern in files for found in sorted(ROOT.glob(f"tests/{pattern}"))),
        ],
        cwd=ROOT,
        env=plain_environ(PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
