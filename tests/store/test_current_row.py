# SPDX-License-Identifier: Apache-2.0
"""Which of several units says the current row of a grain, when they come and go together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pytest
from store_samples import BARS, DATASET, KEYLESS, File, rows_of

from ttapi.sources.contract import Batch, Unit, UnitReport
from ttapi.store import mark_vanished
from ttapi.store.arrivals import key_changes

DAY1, DAY2 = date(2024, 6, 3), date(2024, 6, 4)
CURRENT = "select symbol, date, close from raw.test_bars where is_current order by symbol, date"


def bar(symbol, close, day=DAY1):
    return symbol, day, close


def single(key, *rows):
    """A unit no two rows of which share a grain."""
    return File(key, rows, has_duplicates=False)


def test_a_row_comes_back_when_its_winner_leaves_beside_a_new_unit(loads):
    loads(single("a1.txt", bar("AAA", 1.0)), single("a2.txt", bar("AAA", 2.0)))
    assert loads.query(CURRENT) == [bar("AAA", 2.0)]
    loads(single("a2.txt", bar("BBB", 2.0)), single("c.txt", bar("CCC", 3.0)))
    assert loads.query(CURRENT) == [bar("AAA", 1.0), bar("BBB", 2.0), bar("CCC", 3.0)]


def test_the_unit_whose_last_date_is_later_wins_whatever_its_name(loads):
    loads(
        single("z.txt", bar("AAA", 1.0)),
        single("a.txt", bar("AAA", 2.0), bar("AAA", 5.0, DAY2)),
    )
    assert loads.query(CURRENT) == [bar("AAA", 2.0), bar("AAA", 5.0, DAY2)]


def test_the_later_line_of_one_unit_wins(loads):
    loads(File("a.txt", (bar("AAA", 1.0), bar("AAA", 2.0))))
    assert loads.query(CURRENT) == [bar("AAA", 2.0)]


def test_the_last_date_there_is_ends_the_interval_it_covers(loads):
    loads(File("a.txt", (bar("AAA", 1.0, date.max),), known_at=(None,)))
    unit = loads.unit("a.txt")
    assert (unit.covered_from, unit.covered_to, unit.rows_accepted) == (date.max, date.max, 1)
    assert loads.query(CURRENT) == [bar("AAA", 1.0, date.max)]


def test_without_a_key_two_units_of_one_grain_still_have_one_current_row(loads):
    loads(single("a.txt", bar("AAA", 1.0)), resource=KEYLESS)
    loads(single("b.txt", bar("AAA", 2.0)), resource=KEYLESS)
    assert loads.query(CURRENT) == [bar("AAA", 2.0)]


def test_an_appended_row_of_the_same_instant_takes_the_place_of_the_one_before(loads):
    events = replace(BARS, mode="append")
    loads(single("a", bar("AAA", 1.0)), resource=events)
    loads(single("a", bar("AAA", 2.0), bar("AAA", 3.0, DAY2)), resource=events)
    assert loads.query(CURRENT) == [bar("AAA", 2.0), bar("AAA", 3.0, DAY2)]
    assert [row[3] for row in rows_of(loads.cursor) if not row[-1]] == [1.0]


def test_an_appended_row_without_an_instant_takes_the_place_of_another_such(loads):
    events = replace(BARS, mode="append")
    loads(single("a", bar("AAA", 1.0, None)), resource=events)
    loads(single("a", bar("AAA", 2.0, None), bar("AAA", 3.0)), resource=events)
    assert loads.query(CURRENT) == [bar("AAA", 3.0), bar("AAA", 2.0, None)]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_units_that_reach_as_far_the_later_name_wins(loads, order):
    units = [single("a.txt", bar("AAA", 1.0)), single("b.txt", bar("AAA", 2.0))]
    loads(*(units[n] for n in order))
    assert loads.query(CURRENT) == [bar("AAA", 2.0)]


def test_the_later_name_wins_though_its_line_is_the_earlier(loads):
    loads(single("a.txt", bar("OTH", 1.0), bar("AAA", 1.0)), single("b.txt", bar("AAA", 2.0)))
    assert loads.query(CURRENT) == [bar("AAA", 2.0), bar("OTH", 1.0)]


def test_a_merged_row_follows_its_known_at_and_not_its_line(loads):
    early, late = datetime(2024, 6, 3, 12), datetime(2024, 6, 3, 18)
    loads(
        File("a", (bar("AAA", 1.0), bar("AAA", 2.0)), known_at=(late, early)),
        resource=replace(BARS, mode="merge"),
    )
    assert [(row[3], row[-1]) for row in rows_of(loads.cursor)] == [(1.0, True), (2.0, False)]


def test_of_new_facts_that_follow_each_other_the_first_is_known_since_its_day(loads):
    early, later = datetime(2024, 6, 3, 12), datetime(2024, 6, 3, 18)
    loads(
        File("a", (bar("AAA", 1.0), bar("AAA", 2.0)), known_at=(early, later)),
        resource=replace(BARS, mode="merge"),
    )
    now = loads.now(1).replace(tzinfo=None)
    assert [(row[3], row[4], row[-1]) for row in rows_of(loads.cursor)] == [
        (1.0, early, False),
        (2.0, now, True),
    ]


def test_what_an_unchanged_unit_says_of_its_rows_is_not_counted_again(loads):
    loads(File("a.csv", (bar("AAA", 1.0),), rejects=((2, "torn", "x"),)))
    report = UnitReport(Unit("a.csv", 1, 1), is_unchanged=True, rows_in=2, rows_accepted=1, rows_refused=1)  # fmt: skip
    done = loads(batch=Batch((report,)))
    assert (done.units_unchanged, done.rows_in, done.rows_added) == (1, 0, 0)
    assert (loads.unit().rows_accepted, loads.unit().rows_refused) == (1, 1)


def test_a_merge_that_ends_where_it_began_says_nothing(loads):
    merged = replace(BARS, mode="merge")
    loads(single("a", bar("AAA", 1.0)), resource=merged)
    done = loads(File("a", (bar("AAA", 2.0), bar("AAA", 1.0))), resource=merged)
    assert (done.rows_added, done.rows_replaced, done.changed_keys_count) == (0, 0, 0)
    assert len(rows_of(loads.cursor)) == 1


def test_rows_without_a_key_are_merged_too(loads):
    merged = replace(BARS, mode="merge")
    loads(single("a", (None, DAY1, 1.0)), resource=merged)
    loads(single("a", (None, DAY1, 2.0), bar("AAA", 5.0)), resource=merged)
    assert loads.query(CURRENT) == [bar("AAA", 5.0), (None, DAY1, 2.0)]


def test_doubled_rows_are_told_apart_by_their_number(loads):
    twice = (bar("AAA", 1.0), bar("AAA", 1.0))
    loads(File("a.txt", twice))
    assert len(rows_of(loads.cursor)) == 2
    done = loads(File("a.txt", (*twice, bar("AAA", 1.0))))
    assert (done.rows_added, done.rows_replaced) == (1, 0)
    done = loads(File("a.txt", twice[:1]))
    assert (done.rows_added, done.rows_replaced) == (0, 2)
    assert [row[-1] for row in rows_of(loads.cursor)].count(True) == 1


def test_a_slice_that_refuses_the_same_again_refuses_it_once(loads):
    merged = replace(BARS, mode="merge")
    refused = File("a", (bar("AAA", 1.0),), has_duplicates=False, rejects=((2, "torn", "x"),))
    loads(refused, resource=merged)
    loads(refused, resource=merged)
    assert loads.query("select count(*) from raw.rejects") == [(1,)]
    assert loads.unit("a").rows_refused == 1
    loads(replace(refused, rejects=((2, "torn", "other"),)), resource=merged)
    assert loads.unit("a").rows_refused == 2


def test_a_file_that_came_back_and_cannot_be_read_is_still_noted_as_gone(loads):
    loads(File("a.csv", (bar("AAA", 1.0),)))
    mark_vanished(loads.cursor, DATASET, ["a.csv"], load_id=2, now=loads.now(2))
    loads(File("a.csv", (), error="cannot be read"))
    assert loads.query("select code from catalog.notes") == [("file vanished",)]
    loads(File("a.csv", (bar("AAA", 1.0),)))
    assert loads.query("select code from catalog.notes") == []


@pytest.mark.parametrize(
    ("keys", "starts"),
    [
        (["A", "A", "B", "B", "A"], [0, 2, 4]),
        ([None, None, "A"], [0, 1, 2]),
        (["A", None, "A"], [0, 1, 2]),
        (["A"], [0]),
    ],
)
def test_a_row_stands_for_those_that_repeat_its_key(keys, starts):
    rows = pa.table(
        {
            "unit_id": pa.array([1] * len(keys), pa.int32()),
            "symbol": pa.array(keys).dictionary_encode(),
        }
    )
    assert key_changes(rows, BARS)["symbol"].to_pylist() == [keys[n] for n in starts]
