# SPDX-License-Identifier: Apache-2.0
"""Other programs run as a stranger would run them, and what they are installed into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from built_once import CACHE, ROOT, made_once

__all__ = ["CACHE", "ROOT", "made_once"]
SUPPORTED = ("1.5.6", "2.0.0", "2.0.1")
"""Engines ttapi itself runs on: one that cannot be had fails the test, an older client skips it."""


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


def install_pinned(folder, pins, *, index=CACHE / "clients"):
    """The interpreter of an environment of its own that holds `pins` and nothing else."""
    with made_once(index / folder) as building:
        if building:
            run(sys.executable, "-m", "venv", "--without-pip", building)
            python = building / "bin" / "python"
            command = [
                sys.executable,
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--python",
                python,
            ]
            command += ["install", "-q", "--no-deps", "--only-binary", ":all:", *pins]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, env=plain_environ()
            )
            if done.returncode:
                pytest.skip(f"{pins[0]} cannot be installed: {done.stderr.strip()[-300:]}")
    return index / folder / "bin" / "python"


def node_project(source, folder):
    """The folder of a Node project, installed by npm from its lock file, its probe beside it."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    place = CACHE / "node" / folder
    with made_once(place) as building:
        if building:
            building.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, building / name)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(
                command,
                check=False,
                cwd=building,
                capture_output=True,
                text=True,
                env=plain_environ(),
            )
            if done.returncode:
                pytest.skip(f"npm cannot install {folder}: {done.stderr[-300:]}")
    for probe in source.glob("probe.*"):
        shutil.copy(probe, place)
    return place


def websocket_flag():
    """Node 20 has WebSocket behind a flag, 22 without."""
    major = int(run("node", "--version").strip().lstrip("v").split(".")[0])
    return [] if major >= 22 else ["--experimental-websocket"]


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
