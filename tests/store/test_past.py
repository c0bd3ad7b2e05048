# SPDX-License-Identifier: Apache-2.0
"""The raw layer as of an earlier load equals what it was then, though clocks stood still."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import duckdb
import pytest
from draws import draws
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import BARS, DATASET, KEYLESS, File, batch_of, rows_of

from ttapi.config import bundled_folder
from ttapi.errors import StoreError
from ttapi.store import ensure_raw_table, load_batch
from ttapi.store.past import read_position, show_raw_at

NOW = datetime(2024, 6, 14, 20, tzinfo=UTC)
EXAMPLES = draws(6, 500)
DAYS = [date(2024, 5, 30) + timedelta(days=n) for n in range(3)]

rows = st.tuples(
    st.sampled_from(["A", "B", None]), st.sampled_from(DAYS), st.sampled_from([1.0, 2.0])
)
# One row per grain in a file: of doubles the later line wins, and lines are not kept as they were.
contents = st.lists(rows, max_size=5, unique_by=lambda row: row[:2]).map(tuple)
files = st.builds(
    File,
    st.sampled_from(["a.csv", "b.csv", "c.csv"]),
    contents,
    has_duplicates=st.just(False),
    rejects=st.sampled_from([(), ((9, "no price", "x"),), ((8, "no date", "y"),)]),
)
histories = st.lists(
    st.lists(files, min_size=1, max_size=3, unique_by=lambda f: f.key), min_size=1, max_size=5
)


@cache
def engine():
    """A database in memory beside which another one, `market`, stands for the published file."""
    connection = duckdb.connect()
    connection.execute("set global TimeZone = 'UTC'")
    for schema in ("raw", "catalog"):
        connection.execute(f"create schema {schema}")
    connection.execute("attach ':memory:' as market")
    connection.execute("use market")
    for step in sorted(bundled_folder("migrations").glob("*.sql")):
        connection.execute(step.read_text())
    ensure_raw_table(connection, BARS)
    return connection


def start_over(connection):
    connection.execute("use market")
    for table in ("raw.test_bars", "raw.rejects"):
        connection.execute(f"delete from {table}")
    for name in ("units", "unit_versions", "unit_keys", "changed_keys", "loads", "notes"):
        connection.execute(f"delete from catalog.{name}")


def load(connection, resource, batch, load_id):
    connection.execute("begin")
    load_batch(connection, resource, DATASET, batch, load_id=load_id, batch_no=0, now=NOW)
    connection.execute("commit")


def refused(connection):
    return connection.execute(
        "select file, line, reason, load_id from raw.rejects where replaced_at is null order by all"
    ).fetchall()


@pytest.mark.parametrize("resource", [BARS, KEYLESS], ids=["keys", "no-keys"])
@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@pytest.mark.drawn
@settings(max_examples=EXAMPLES, deadline=None)
@given(history=histories)
def test_every_load_can_be_gone_back_to(resource, mode, history):
    connection, resource = engine(), replace(resource, mode=mode)
    start_over(connection)
    seen = {}
    for load_id, batch in enumerate(history, start=1):
        load(connection, resource, batch_of(*batch), load_id)
        seen[load_id] = rows_of(connection), refused(connection)
    connection.execute("use memory")
    for load_id, (rows_then, refused_then) in seen.items():
        show_raw_at(connection, {DATASET: resource}, load_id)
        assert rows_of(connection) == rows_then
        assert refused(connection) == refused_then


def test_a_table_whose_source_is_gone_is_refused_once_it_was_loaded_again():
    connection = engine()
    start_over(connection)
    load(connection, BARS, batch_of(File("a.csv", (("A", DAYS[0], 1.0),))), 1)
    load(connection, BARS, batch_of(File("a.csv", (("A", DAYS[0], 2.0),))), 2)
    connection.execute("use memory")
    show_raw_at(connection, {}, 2)
    with pytest.raises(StoreError, match=r"raw\.test_bars was loaded since by a source"):
        show_raw_at(connection, {}, 1)


def test_a_history_is_the_same_from_any_later_load_and_another_on_another_database():
    connection = engine()
    start_over(connection)

    def ask(query):
        return connection.execute(query).fetchall()

    load(connection, BARS, batch_of(File("a.csv", (("A", DAYS[0], 1.0),))), 1)
    first = read_position(ask, 1)
    load(connection, BARS, batch_of(File("a.csv", (("A", DAYS[0], 2.0),))), 2)
    assert read_position(ask, 1).history == first.history
    assert read_position(ask, 2).history != first.history
    start_over(connection)
    load(connection, BARS, batch_of(File("b.csv", ())), 1)
    assert read_position(ask, 1).history != first.history


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_row_that_a_load_replaced_is_gone_with_it_whether_or_not_that_was_noted(is_noted):
    connection = engine()
    start_over(connection)
    for load_id in (1, 2, 3):
        file = File("a.csv", (("A", DAYS[0], float(load_id)),))
        load(connection, BARS, batch_of(file), load_id)
    if not is_noted:
        connection.execute("update raw.test_bars set replaced_by = null where close = 1")
    connection.execute("use memory")
    show_raw_at(connection, {DATASET: BARS}, 2)
    found = connection.execute(
        "select close, is_current, replaced_at is null from raw.test_bars order by all"
    ).fetchall()
    assert found == [(1.0, False, False), (2.0, True, True)]
