# SPDX-License-Identifier: Apache-2.0
"""Programs of Debian's packages, unpacked into the tests' cache: nothing of the machine changes."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from built_once import CACHE, made_once


def debian_program(package, program):
    """The path of a program of that package; the test is skipped where it cannot be had."""
    place = CACHE / "debian" / package
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip(f"{package} is not installed, and no Debian package can be had here")
    with made_once(place) as building:
        if building:
            building.mkdir(parents=True)
            got = subprocess.run(
                ["apt-get", "download", package],
                cwd=building, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if got.returncode:
                pytest.skip(f"{package} cannot be had: {got.stderr.strip()[-300:]}")
            (archive,) = building.glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, building], check=True)
    return str(place / program)
