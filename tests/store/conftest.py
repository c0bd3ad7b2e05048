# SPDX-License-Identifier: Apache-2.0
"""Homes and stores by state, and a small resource to load them with."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ttapi.home import Home
from ttapi.store import init_home, open_store

# The helper modules beside these tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

NOW = datetime(2024, 6, 14, 20, 0, tzinfo=UTC)


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def bare_home(tmp_path):
    """A home that nobody initialised."""
    return Home(tmp_path / "home")


@pytest.fixture
def home(bare_home):
    """An initialised home, nothing loaded, nothing published."""
    init_home(bare_home, now=NOW)
    return bare_home


@pytest.fixture
def fresh_store(home):
    """The open store of an initialised home."""
    with open_store(home, command="test", wait_s=0, now=NOW) as store:
        yield store
