# SPDX-License-Identifier: Apache-2.0
"""What differs between two answers, and when a watched query is run again."""

from __future__ import annotations

import math
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.errors import QueryError
from ttapi.live.watch import (
    InputVersions,
    RowDifference,
    WatchedAnswer,
    WatchedQuery,
    difference_rows,
    row_difference,
)
from ttapi.store.rows import Rows

SCHEMA = pa.schema([("symbol", pa.string()), ("n", pa.int64()), ("price", pa.float64())])
ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["AAA", "BBB", "CCC", None]),
        st.integers(0, 2) | st.none(),
        st.sampled_from([1.0, 2.5, math.nan, None]),
    ),
    max_size=12,
)


def table(rows, schema=SCHEMA):
    return pa.Table.from_arrays(
        [pa.array(list(column), one.type) for column, one in zip(zip(*rows, strict=True), schema, strict=True)]
        if rows else [pa.array([], one.type) for one in schema],
        schema=schema,
    )  # fmt: skip


def counted(rows):
    """Rows as often as they are there; NaN is one value."""
    return Counter(
        tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows
    )


@given(ANSWERS, ANSWERS)
def test_the_difference_applied_to_one_answer_gives_the_other(before, after):
    found = row_difference(table(before), table(after))
    left = counted(before) - counted(before[n] for n in found.gone)
    left -= counted(before[n] for n, _ in found.changed)
    held = left + counted(after[n] for n in found.added) + counted(after[n] for _, n in found.changed)  # fmt: skip
    assert held == counted(after)
    touched = [n for n, _ in found.changed] + list(found.gone)
    assert len(touched) == sum((counted(before) - counted(after)).values())


@given(ANSWERS, st.randoms())
def test_equal_answers_in_any_order_differ_in_nothing(rows, rng):
    mixed = list(rows)
    rng.shuffle(mixed)
    assert row_difference(table(rows), table(mixed)) == RowDifference()


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ([("A", 1, 1.0), ("B", 1, 2.0)], [("B", 1, 3.0), ("C", 1, 1.0)], RowDifference((0,), (1,), ((1, 0),))),
        ([("A", 1, 1.0), ("A", 2, 2.0)], [("A", 2, 3.0), ("A", 1, 1.0)], RowDifference((), (), ((1, 0),))),
        ([("A", 1, 1.0)], [("B", 2, 2.0)], RowDifference((), (), ((0, 0),))),
        ([("A", 1, 1.0), ("A", 1, 1.0)], [("A", 1, 1.0)], RowDifference((1,), ())),
        ([("A", 1, math.nan)], [("A", 1, math.nan)], RowDifference()),
        ([("A", 1, None)], [("A", 1, math.nan)], RowDifference((), (), ((0, 0),))),
        ([], [("A", 1, 1.0)], RowDifference((), (0,))),
    ],
    ids=["by the symbol", "by two columns", "one row each", "repeated", "NaN", "NULL is not NaN", "first"],
)  # fmt: skip
def test_rows_that_share_a_key_have_changed(before, after, difference):
    assert row_difference(table(before), table(after)) == difference


def test_answers_of_other_columns_have_no_row_in_common():
    other = pa.table({"symbol": ["A"], "n": ["1"], "price": [1.0]})
    assert row_difference(table([("A", 1, 1.0)]), other) == RowDifference((0,), (0,))


def test_nested_values_and_answers_without_columns_are_compared():
    nested = [pa.table({"a": [1], "list": [[1, value]]}) for value in (2, 2, 3)]
    assert row_difference(nested[0], nested[1]) == RowDifference()
    assert row_difference(nested[0], nested[2]) == RowDifference((), (), ((0, 0),))


def test_a_difference_as_rows_says_what_became_of_each():
    before = Rows(table([("A", 1, 1.0), ("B", 1, 2.0)]), 2)
    after = Rows(table([("B", 1, 3.0), ("C", 1, 1.0)]), 2)
    found = difference_rows(before, after, row_difference(before.table, after.table))
    assert [column.name for column in found.columns] == ["difference", "symbol", "n", "price"]
    assert [tuple(row.values()) for row in found.table.to_pylist()] == [
        ("gone", "A", 1, 1.0),
        ("before", "B", 1, 2.0),
        ("after", "B", 1, 3.0),
        ("added", "C", 1, 1.0),
    ]
    whole = difference_rows(None, after, RowDifference(added=(0, 1)))
    assert whole.table["difference"].to_pylist() == ["added", "added"]


class World:
    """What a watched query is asked of: everything is set by the test."""

    def __init__(self):
        self.now, self.marked, self.cost, self.runs = 0.0, 0, 0.0, 0
        self.versions, self.rows, self.error = {"raw.a": ("1", "f")}, [("A", 1, 1.0)], None
        self.watched = WatchedQuery(
            lambda: self.marked, lambda: InputVersions(dict(self.versions)), self.run, lambda: self.now
        )  # fmt: skip

    def run(self):
        self.runs += 1
        if self.error:
            raise self.error
        return WatchedAnswer(Rows(table(self.rows), len(self.rows)), self.cost)

    def look(self, **changes):
        vars(self).update(changes)
        return self.watched.look()


def test_a_query_runs_again_only_when_an_input_has_changed():
    world = World()
    assert world.look() == RowDifference((), (0,))
    assert world.look(rows=[("A", 1, 2.0)]) is None, "nothing was published"
    assert world.look(marked=1) is None, "what was published is no input"
    assert world.look(marked=2, versions={"raw.a": ("2", "f")}) == RowDifference((), (), ((0, 0),))
    assert world.look(marked=3, versions={"raw.a": ("3", "f")}) == RowDifference()
    assert world.runs == 3


def test_runs_are_ten_times_their_cost_apart():
    world = World()
    world.look(cost=2.0)
    changes = {"marked": 1, "versions": {"raw.a": ("2", "f")}}
    assert world.look(now=19.9, **changes) is None
    assert world.look(now=20.0) == RowDifference()
    assert world.runs == 2


def test_a_run_that_failed_is_tried_again_when_something_moves():
    world = World()
    with pytest.raises(QueryError):
        world.look(error=QueryError("no such table"))
    assert world.look(error=None) is None
    assert world.look(marked=1) == RowDifference((), (0,))
