# SPDX-License-Identifier: Apache-2.0
"""Homes and stores by state, and a small resource to load them with."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ttapi.home import Home
from ttapi.store import ensure_raw_table, init_home, load_batch, open_store, read_units

# The helper modules beside these tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

from store_samples import BARS, DATASET, batch_of

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


@pytest.fixture
def loads(fresh_store):
    """Loads batches one after the other, a day apart; `.cursor` looks at the outcome."""
    with fresh_store.transaction() as cursor:
        ensure_raw_table(cursor, BARS)

    class Loads:
        count = 0
        cursor = fresh_store.cursor()

        @staticmethod
        def now(load_id):
            return datetime(2024, 6, 10, 12, tzinfo=UTC) + timedelta(days=load_id)

        def __call__(self, *files, batch=None, resource=BARS, coverage=None):
            self.count += 1
            with fresh_store.transaction() as cursor:
                return load_batch(
                    cursor, resource, DATASET, batch or batch_of(*files), load_id=self.count,
                    batch_no=0, now=self.now(self.count), coverage=coverage,
                )  # fmt: skip

        def unit(self, key="a.csv"):
            return read_units(self.cursor, DATASET)[key]

        def query(self, sql):
            return self.cursor.execute(sql).fetchall()

    yield Loads()
    Loads.cursor.close()
