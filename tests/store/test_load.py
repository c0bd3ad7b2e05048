# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from store_samples import BARS, DATASET, File, batch_of, rows_of

from ttapi.errors import SourceError, StoreError, UsageError
from ttapi.sources.contract import Batch, Column, Unit, UnitReport
from ttapi.store import (
    dataset_version,
    ensure_raw_table,
    load_batch,
    mark_vanished,
    read_units,
    was_loaded,
)

DAY1, DAY2 = date(2024, 6, 3), date(2024, 6, 4)
A1, A2 = ("A", DAY1, 1.0), ("A", DAY2, 2.0)


def naive(instant):
    return instant.replace(tzinfo=None)


def test_a_first_load_keeps_when_the_market_knew(loads):
    done = loads(File("a.csv", (A1, A2)))
    assert rows_of(loads.cursor) == [
        ("a.csv", *A1, datetime(2024, 6, 3, 20), 1, None, True),
        ("a.csv", *A2, datetime(2024, 6, 4, 20), 1, None, True),
    ]
    assert (done.rows_in, done.rows_added, done.rows_replaced, done.changed_keys_count) == (
        2,
        2,
        0,
        1,
    )
    unit = loads.unit()
    assert (unit.first_date, unit.last_date, unit.covered_from, unit.covered_to) == (
        DAY1, DAY2, DAY1, date(2024, 6, 5),
    )  # fmt: skip


def test_a_correction_is_known_from_now_and_a_late_row_from_its_day(loads):
    loads(File("a.csv", (A1,)))
    done = loads(File("a.csv", (("A", DAY1, 9.0), A2)))
    now = naive(loads.now(2))
    assert rows_of(loads.cursor) == [
        ("a.csv", "A", DAY1, 1.0, datetime(2024, 6, 3, 20), 1, now, False),
        ("a.csv", "A", DAY1, 9.0, now, 2, None, True),
        ("a.csv", *A2, datetime(2024, 6, 4, 20), 2, None, True),
    ]
    assert (done.rows_added, done.rows_replaced) == (2, 1)


def test_nothing_is_known_before_it_was_loaded_or_after(loads):
    future = File("a.csv", (A1, A2), known_at=(datetime(2030, 1, 1), None))
    loads(future)
    assert {row[4] for row in rows_of(loads.cursor)} == {naive(loads.now(1))}


def test_other_bytes_with_the_same_rows_leave_the_version(loads):
    loads(File("a.csv", (A1, A2), rejects=((3, "bad close", "x"),)))
    version, total = loads.unit().version, dataset_version(loads.cursor, DATASET)
    loads(File("a.csv", (A1, A2)))
    assert loads.unit().version == version
    assert loads.unit().content_hash != version
    assert dataset_version(loads.cursor, DATASET) == total
    assert loads.query("select count(*) from catalog.changed_keys where load_id = 2") == [(0,)]


def test_the_later_file_wins_a_shared_day_and_gives_it_back_when_it_stops(loads):
    loads(
        File("a.csv", (A1,), has_duplicates=False),
        File("b.csv", (("A", DAY1, 5.0), A2), has_duplicates=False),
    )
    current = "select close from raw.test_bars where is_current order by date"
    assert loads.query(current) == [(5.0,), (2.0,)]
    loads(File("b.csv", (A2,), has_duplicates=False))
    assert loads.query(current) == [(1.0,), (2.0,)]
    assert loads.query("select key from catalog.changed_keys where load_id = 2") == [("A",)]


def test_a_day_returns_to_its_only_file_when_the_other_drops_the_symbol(loads):
    loads(
        File("a.csv", (A1,), has_duplicates=False),
        File("b.csv", (("A", DAY1, 5.0), ("B", DAY2, 2.0)), has_duplicates=False),
    )
    loads(File("b.csv", (("B", DAY2, 2.0),), has_duplicates=False))
    assert loads.query("select symbol, close from raw.test_bars where is_current order by 1") == [
        ("A", 1.0),
        ("B", 2.0),
    ]


def test_swapped_lines_of_a_doubled_day_change_the_winner_and_the_version(loads):
    loads(File("a.csv", (A1, ("A", DAY1, 5.0))))
    version = loads.unit().version
    done = loads(File("a.csv", (("A", DAY1, 5.0), A1)))
    assert loads.query("select close from raw.test_bars where is_current") == [(1.0,)]
    assert (done.rows_added, done.rows_replaced, done.changed_keys_count) == (0, 0, 1)
    assert loads.unit().version != version


def test_refused_rows_are_kept_with_file_line_and_reason_until_reread(loads):
    loads(File("a.csv", (A1,), rejects=((7, "bad close", "A,20240603,x"), (8, "torn", "A,"))))
    live = (
        "select file, line, reason, text from raw.rejects where replaced_at is null order by line"
    )
    assert loads.query(live) == [
        ("a.csv", 7, "bad close", "A,20240603,x"),
        ("a.csv", 8, "torn", "A,"),
    ]
    assert (loads.unit().rows_in, loads.unit().rows_refused) == (3, 2)
    loads(File("a.csv", (A1,), rejects=((8, "torn", "A,"),)))
    assert loads.query(live) == [("a.csv", 8, "torn", "A,")]
    assert loads.query("select count(*) from raw.rejects") == [(3,)]


def test_a_failed_reading_keeps_the_rows_and_says_why(loads):
    loads(File("a.csv", (A1,), rejects=((2, "torn", "A"),)))
    before, known = rows_of(loads.cursor), loads.unit()
    done = loads(File("a.csv", (), error="no row was accepted", rejects=((1, "bad close", "A,x"),)))
    assert rows_of(loads.cursor) == before
    assert (done.units_failed, done.rows_refused) == (1, 1)
    failed = loads.unit()
    assert (failed.error, failed.rows_accepted, failed.rows_refused) == (
        "no row was accepted",
        1,
        2,
    )
    assert (failed.version, failed.content_hash, failed.size) == (
        known.version,
        known.content_hash,
        known.size,
    )
    loads(File("a.csv", (), error="no row was accepted", rejects=((1, "bad close", "A,y"),)))
    assert loads.unit().rows_refused == 2  # what the attempt before was refused is not there twice
    loads(batch=Batch((UnitReport(Unit("a.csv", 1, 5), is_unchanged=True),)))
    healed = loads.unit()
    assert (healed.error, healed.rows_refused, healed.mtime_ns) == (None, 1, 5)
    assert rows_of(loads.cursor) == before


def test_a_unit_that_fails_first_is_in_the_ledger_and_loads_later(loads):
    loads(File("a.csv", (), error="cannot be read: permission denied"))
    assert (loads.unit().version, loads.unit().error) == (None, "cannot be read: permission denied")
    loads(File("a.csv", (A1,)))
    assert (loads.unit().error, loads.unit().rows_accepted) == (None, 1)
    assert len(rows_of(loads.cursor)) == 1


def test_a_vanished_unit_keeps_its_rows_and_returns_without_a_note(loads):
    loads(File("a.csv", (A1,)))
    before = rows_of(loads.cursor)
    for expected in (1, 0):
        assert (
            mark_vanished(loads.cursor, DATASET, ["a.csv"], load_id=2, now=loads.now(2)) == expected
        )
    assert rows_of(loads.cursor) == before
    assert loads.query("select unit, code, detail from catalog.notes") == [
        ("a.csv", "file vanished", "a.csv is gone; its 1 rows are kept")
    ]
    loads(batch=Batch((UnitReport(Unit("a.csv", 1, 1), is_unchanged=True),)))
    assert loads.query("select count(*) from catalog.notes") == [(0,)]
    assert not loads.unit().is_vanished


def test_notes_of_a_reread_unit_replace_its_old_ones(loads):
    loads(File("a.csv", (A1,), notes=("mixed tickers: A, B", "Odd")))
    assert loads.query("select code, detail from catalog.notes order by 1") == [
        ("mixed tickers", "A, B"),
        ("note", "Odd"),
    ]
    loads(File("a.csv", (A2,), notes=("descending",)))
    assert loads.query("select code, detail from catalog.notes") == [("note", "descending")]


def test_coverage_grows_where_it_touches_and_never_claims_a_gap(loads):
    merge = replace(BARS, mode="merge")

    def ask(first, last):
        loads(
            File("a.csv", ()),
            resource=merge,
            coverage={"a.csv": (date(2024, 1, first), date(2024, 1, last))},
        )
        return loads.unit().covered_from.day, loads.unit().covered_to.day

    assert ask(10, 12) == (10, 12)
    assert ask(12, 15) == (10, 15)
    assert ask(5, 11) == (5, 15)
    assert ask(20, 22) == (20, 22)
    assert loads.unit().rows_in == 0


def test_a_committed_batch_can_be_told_from_a_lost_one(loads):
    loads(File("a.csv", (A1,)))
    assert was_loaded(loads.cursor, DATASET, load_id=1, batch_no=0)
    assert not was_loaded(loads.cursor, DATASET, load_id=1, batch_no=1)


GOOD = batch_of(File("a.csv", (A1,)))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (replace(GOOD, units=(replace(GOOD.units[0], rows_in=5),)), "do not add up"),
        (replace(GOOD, units=(replace(GOOD.units[0], rows_in=2, rows_accepted=2),)), "reports 2 rows accepted and sent 1"),
        (replace(GOOD, units=(replace(GOOD.units[0], rows_in=2, rows_refused=1),)), "reports 1 rows refused and sent 0"),
        (replace(GOOD, units=GOOD.units * 2), "is reported 2 times"),
        (replace(GOOD, units=()), "a unit that its batch does not report"),
        (replace(GOOD, rows=GOOD.rows.drop_columns(["close"])), "lacks column 'close'"),
        (Batch((UnitReport(Unit("a.csv"), is_unchanged=True),)), "was never loaded"),
    ],
)  # fmt: skip
def test_a_batch_that_contradicts_itself_is_refused_whole(loads, batch, message):
    with pytest.raises(SourceError, match=message):
        loads(batch=batch)
    assert rows_of(loads.cursor) == []
    assert read_units(loads.cursor, DATASET) == {}


def test_a_strangers_table_grows_a_column_and_begins_anew_for_other_changes(fresh_store):
    def declare(*columns):
        with fresh_store.transaction() as cursor:
            ensure_raw_table(cursor, replace(BARS, columns=columns))
            return cursor.execute(
                "select column_name, data_type, comment from duckdb_columns() where table_name = 'test_bars'"
            ).fetchall()

    declare(*BARS.columns)
    grown = declare(*BARS.columns, Column("note", "VARCHAR", "what it's about"))
    assert grown[-1] == ("note", "VARCHAR", "what it's about")
    other = declare(*BARS.columns, Column("note", "BIGINT", ""))
    assert ("note", "BIGINT", None) in other
    assert declare(*BARS.columns)[: len(BARS.columns)] == grown[: len(BARS.columns)]
    with fresh_store.reading() as cursor:
        kept = cursor.execute(
            "select table_name, data_type from duckdb_columns() where column_name = 'note' order by all"
        ).fetchall()
    assert kept == [("test_bars_v1", "VARCHAR"), ("test_bars_v2", "BIGINT")]


def test_a_table_that_migrations_made_is_never_begun_anew(fresh_store):
    other = replace(BARS, columns=(*BARS.columns, Column("note", "VARCHAR", "")))
    with fresh_store.transaction() as cursor:
        ensure_raw_table(cursor, other, migrated={"raw.test_bars"})
    with (
        pytest.raises(StoreError, match=r"raw\.test_bars\.note is not as its source declares it"),
        fresh_store.transaction() as cursor,
    ):
        ensure_raw_table(cursor, BARS, migrated={"raw.test_bars"})


@pytest.mark.parametrize(
    "change",
    [
        {"table": "x; drop table y"},
        {"columns": (*BARS.columns, Column("line", "INTEGER", ""))},
        {"columns": (*BARS.columns, Column("close", "DOUBLE", ""))},
        {"columns": (*BARS.columns, Column('a"b', "DOUBLE", ""))},
        {"grain": ("symbol", "nothing")},
    ],
)
def test_a_declaration_that_cannot_be_a_table_is_refused(fresh_store, change):
    with pytest.raises(UsageError), fresh_store.transaction() as cursor:
        ensure_raw_table(cursor, replace(BARS, **change))


def test_a_batch_may_follow_another_in_the_same_transaction(fresh_store):
    with fresh_store.transaction() as cursor:
        ensure_raw_table(cursor, BARS)
        for number, content in enumerate([(A1,), (A1, A1), (A2, A1), ()]):
            load_batch(
                cursor, BARS, DATASET, batch_of(File("a.csv", content)), load_id=1, batch_no=number,
                now=datetime(2024, 6, 10, tzinfo=UTC),
            )  # fmt: skip
        assert [row[-1] for row in rows_of(cursor)] == [False] * 3
    assert len(rows_of(fresh_store.cursor())) == 3
