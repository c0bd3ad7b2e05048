# SPDX-License-Identifier: Apache-2.0
"""Outside components, installed once and kept in `.cache/` beside the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The helper modules beside these tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

from outside import CACHE, install, made_once, run


@pytest.fixture(scope="session")
def client_python():
    """The interpreter of an environment that holds one version of duckdb and nothing else."""

    def find(version):
        folder = CACHE / "clients" / f"{sys.implementation.cache_tag}-{version}"
        with made_once(folder) as building:
            if building:
                run(sys.executable, "-m", "venv", "--without-pip", building)
                install(version, "--python", building / "bin" / "python")
        return folder / "bin" / "python"

    return find


@pytest.fixture(scope="session")
def engine_folder():
    """A folder that holds one version of duckdb, to stand first on PYTHONPATH."""

    def find(version):
        folder = CACHE / "engines" / f"{sys.implementation.cache_tag}-{version}"
        with made_once(folder) as building:
            if building:
                install(version, target=building)
        return folder

    return find
