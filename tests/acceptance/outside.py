# SPDX-License-Identifier: Apache-2.0
"""Other programs run as a stranger would run them, and what they are installed into."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
SUPPORTED = ("1.5.6", "2.0.0")
"""Engines ttapi itself runs on: one that cannot be had fails the test, an older client skips it."""


@contextmanager
def made_once(folder):
    """Yields the path to fill when `folder` is missing, else None; one process at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        building = folder.with_name(f"{folder.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        yield building
        building.rename(folder)


def install(version, *options, target=None):
    """Have pip install that duckdb alone; its own configuration says from where."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, options)]
    command += ["install", "-q", "--no-deps", "--only-binary", ":all:", f"duckdb=={version}"]
    if target is not None:
        command += ["--target", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain_environ())
    if done.returncode:
        said = f"duckdb {version} cannot be installed: {done.stderr.strip()}"
        pytest.fail(said) if version in SUPPORTED else pytest.skip(said)


def run(*command, **environ):
    """What the command said; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environ(**environ),
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def plain_environ(**more):
    """The environment without what this test run put there: coverage, its workers, other homes."""
    ours = ("COV_", "COVERAGE_", "PYTEST_", "TTAPI_", "PYTHONPATH", "PIP_PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {name: str(value) for name, value in more.items()}
