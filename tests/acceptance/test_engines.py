# SPDX-License-Identifier: Apache-2.0
"""The rooms that touch the engine, on the oldest engine ttapi is tested with."""

from __future__ import annotations

import subprocess
import sys

import pytest
from outside import ROOT, plain_environ, run

pytestmark = pytest.mark.compat

OLDEST = "1.5.6"
ROOMS = (
    "store",
    "models",
    "audit",
    "refresh/test_[a-f]*.py",
    "refresh/test_[g-r]*.py",
    "refresh/test_[s-z]*.py",
)
"""The longest in parts, which run side by side."""
QUICK = ("-m", "not campaign and not compat", "-k", "not property and not receipt")
"""Without what takes minutes and is about our own code rather than the engine's."""


def test_every_test_of_these_rooms_is_in_a_part():
    parts = {file for room in ROOMS if "/" in room for file in ROOT.glob(f"tests/{room}")}
    assert parts == set(ROOT.glob("tests/refresh/test_*.py"))


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
            *(sorted(map(str, ROOT.glob(f"tests/{room}")))),
        ],
        cwd=ROOT,
        env=plain_environ(PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
