# SPDX-License-Identifier: Apache-2.0
"""Loading equals its model in plain Python, whatever the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import duckdb
import pytest
from draws import draws
from hypothesis import given, settings
from hypothesis import strategies as st
from store_model import RawModel
from store_samples import BARS, DATASET, KEYLESS, TRACKED, File, batch_of, rows_of

from ttapi.config import bundled_folder
from ttapi.store import dataset_version, ensure_raw_table, load_batch

START = datetime(2024, 6, 1, 12, tzinfo=UTC)
EXAMPLES = draws(12, 500)
pytestmark = pytest.mark.drawn
LEDGER = ("units", "unit_versions", "unit_keys", "changed_keys", "loads", "notes")
DAYS = [date(2024, 5, 30) + timedelta(days=n) for n in range(4)]

rows = st.tuples(
    st.sampled_from(["A", "B", None]),
    st.sampled_from([*DAYS, None]),
    st.sampled_from([None, 1.0, 2.0]),
)


def has_repeats(content):
    return len({row[:2] for row in content}) < len(content)


@st.composite
def files(draw):
    content = tuple(draw(st.lists(rows, max_size=6)))
    claims = has_repeats(content) or draw(st.booleans())
    return File(draw(st.sampled_from(["a.csv", "b.csv", "c.csv"])), content, has_duplicates=claims)


histories = st.lists(
    st.lists(files(), min_size=1, max_size=3, unique_by=lambda f: f.key), max_size=4
)


@cache
def engine():
    connection = duckdb.connect()
    connection.execute("set global TimeZone = 'UTC'")
    for step in sorted(bundled_folder("migrations").glob("*.sql")):
        connection.execute(step.read_text())
    ensure_raw_table(connection, BARS)
    return connection


@pytest.fixture
def cursor():
    with engine().cursor() as cursor:
        yield cursor


def empty(cursor):
    for table in ("raw.test_bars", "raw.rejects", *(f"catalog.{name}" for name in LEDGER)):
        cursor.execute(f"delete from {table}")


def load(cursor, resource, batch, load_id, batch_no=0):
    cursor.execute("begin")
    done = load_batch(
        cursor, resource, DATASET, batch,
        load_id=load_id, batch_no=batch_no, now=START + timedelta(days=load_id),
    )  # fmt: skip
    cursor.execute("commit")
    return done


def naive(load_id):
    return (START + timedelta(days=load_id)).replace(tzinfo=None)


def assert_ledger_equals_data(cursor):
    wrong = cursor.execute(
        """
        select u.key from catalog.units as u
        where u.rows_accepted <> (select count(*) from raw.test_bars as r where r.unit_id = u.unit_id and r.replaced_at is null)
           or u.rows_refused <> (select count(*) from raw.rejects as r where r.unit_id = u.unit_id and r.replaced_at is null)
           or u.rows_in <> u.rows_accepted + u.rows_refused
        """
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("resource", [BARS, KEYLESS, TRACKED], ids=["keys", "no-keys", "tracked"])
@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(history=histories)
def test_any_history_equals_the_model(resource, mode, history):
    with engine().cursor() as cursor:
        empty(cursor)
        model = RawModel(mode)
        for load_id, batch in enumerate(history, start=1):
            load(cursor, replace(resource, mode=mode), batch_of(*batch), load_id)
            for file in batch:
                model.load(file, load_id, naive(load_id))
            assert rows_of(cursor) == model.table()
            assert_ledger_equals_data(cursor)


@pytest.mark.parametrize(("resource", "place"), [(BARS, 0), (TRACKED, 1)], ids=["key", "tracked"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(history=histories)
def test_changed_keys_and_versions_follow_what_readers_can_see(resource, place, history):
    with engine().cursor() as cursor:
        empty(cursor)
        seen, versions = visible(cursor), {}
        for load_id, batch in enumerate(history, start=1):
            before = dataset_version(cursor, DATASET)
            load(cursor, resource, batch_of(*batch), load_id)
            changed = {
                key
                for (key,) in cursor.execute(
                    "select key from catalog.changed_keys where load_id = ?", [load_id]
                ).fetchall()
            }
            after = visible(cursor)
            assert {str(row[place] or "") for row in after ^ seen} <= changed
            if after != seen:
                assert dataset_version(cursor, DATASET) != before
            elif not changed and not any(file.key not in versions for file in batch):
                assert dataset_version(cursor, DATASET) == before
            versions |= {file.key: True for file in batch}
            seen = after


def visible(cursor):
    return {
        (symbol, *rest)
        for symbol, *rest in cursor.execute(
            "select symbol, date, close, known_at, count(*) from raw.test_bars where is_current group by all"
        ).fetchall()
    }


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    batch=st.lists(files(), min_size=1, max_size=3, unique_by=lambda f: f.key),
    mode=st.sampled_from(["replace", "merge"]),
)
def test_loaded_twice_is_loaded_once(batch, mode):
    with engine().cursor() as cursor:
        empty(cursor)
        resource = replace(BARS, mode=mode)
        load(cursor, resource, batch_of(*batch), 1)
        once, version = rows_of(cursor), dataset_version(cursor, DATASET)
        again = load(cursor, resource, batch_of(*batch), 2)
        assert rows_of(cursor) == once
        assert (again.rows_added, again.rows_replaced, again.changed_keys_count) == (0, 0, 0)
        assert dataset_version(cursor, DATASET) == version


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
@settings(max_examples=max(EXAMPLES // 2, 1), deadline=None)
@given(
    first=histories.filter(bool),
    batch=st.lists(files(), min_size=2, max_size=3, unique_by=lambda f: f.key),
    data=st.data(),
)
def test_split_batches_and_shuffled_rows_are_one_batch(mode, first, batch, data):
    resource = replace(BARS, mode=mode)
    total = sum(len(file.rows) for file in batch)
    order = data.draw(st.permutations(range(total)))
    outcomes = []
    with engine().cursor() as cursor:
        for way in ("one", "split", "shuffled"):
            empty(cursor)
            load(cursor, resource, batch_of(*first[0]), 1)
            if way == "split":
                for number, file in enumerate(batch):
                    load(cursor, resource, batch_of(file), 2, number)
            else:
                load(
                    cursor,
                    resource,
                    batch_of(*batch, order=order if way == "shuffled" else None),
                    2,
                )
            outcomes.append((rows_of(cursor), dataset_version(cursor, DATASET)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
