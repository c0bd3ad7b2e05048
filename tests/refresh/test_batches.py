# SPDX-License-Identifier: Apache-2.0
"""Joined batches hold what the single ones held."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.refresh.batches import OF_FILES, Bounds, joined
from ttapi.sources.contract import Batch, Unit, UnitReport


def _batch(sizes, first):
    """A batch of one unit per size; None: a failed unit."""
    units, rows, rejects = [], [], []
    for number, size in enumerate(sizes):
        key = f"u{first + number}"
        count = size or 0
        units.append(
            UnitReport(
                Unit(key),
                rows_in=count,
                rows_accepted=count,
                error=None if size is not None else "broken",
            )
        )
        rows += [(number, line, key) for line in range(count)]
        rejects += [(number, line, "why", key) for line in range(count % 3)]
    names = ["unit", "line", "symbol"]
    table = pa.table(
        [
            pa.array([r[i] for r in rows], t)
            for i, t in enumerate([pa.int32(), pa.int32(), pa.string()])
        ],
        names,
    )
    refused = pa.table(
        [
            pa.array([r[i] for r in rejects], t)
            for i, t in enumerate([pa.int32(), pa.int32(), pa.string(), pa.string()])
        ],
        ["unit", "line", "reason", "text"],
    )
    return Batch(tuple(units), table if rows else None, refused if rejects else None)


def _content(batches):
    """(unit key, line) of every row and reject, in order."""
    rows, rejects, units = [], [], []
    for batch in batches:
        units += [u.unit.key for u in batch.units]
        if batch.rows is not None:
            rows += [
                (batch.units[r["unit"]].unit.key, r["line"], r["symbol"])
                for r in batch.rows.to_pylist()
            ]
        if batch.rejects is not None:
            rejects += [
                (batch.units[r["unit"]].unit.key, r["line"], r["text"])
                for r in batch.rejects.to_pylist()
            ]
    return units, rows, rejects


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=100), max_size=12
    )
)
def test_joining_keeps_every_unit_row_and_reject_in_order(sizes):
    batches, first = [], 0
    for group in sizes:
        batches.append(_batch(group, first))
        first += len(group)
    together = list(joined(batches, OF_FILES))
    assert _content(together) == _content(batches)
    assert all(key == symbol for key, _, symbol in _content(together)[1])
    assert all(len(b.units) <= 256 for b in together)
    assert len(together) <= max(1, sum(map(len, sizes)) // 128 + 1) or not sizes


def test_what_came_before_a_failure_is_passed_on_first():
    def source():
        yield _batch([1], 0)
        yield _batch([2], 1)
        raise OSError("gone")

    seen = []
    with pytest.raises(OSError, match="gone"):
        seen.extend(joined(source(), OF_FILES))
    stream = joined(source(), OF_FILES)
    assert _content([next(stream)])[0] == ["u0", "u1"]


def test_answers_that_come_slowly_are_not_waited_for():
    clock = iter([0.0, 0.0, 0.4, 0.9, 5.0, 5.0, 6.0])
    batches = [_batch([1], n) for n in range(6)]
    bounds = Bounds(units=64, rows=1000, seconds=0.9)
    together = joined(batches, bounds, lambda: next(clock, 6.0))
    assert [[u.unit.key for u in batch.units] for batch in together] == [
        ["u0", "u1", "u2"],
        ["u3", "u4"],
        ["u5"],
    ]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Bounds(units=2, rows=100, seconds=float("inf")), [["u0", "u1"], ["u2"]]),
        (Bounds(units=9, rows=4, seconds=float("inf")), [["u0", "u1"], ["u2"]]),
        (Bounds(units=9, rows=3, seconds=float("inf")), [["u0"], ["u1"], ["u2"]]),
    ],
)
def test_a_bound_is_what_still_fits(bounds, expected):
    batches = [_batch([2], n) for n in range(3)]
    assert [[u.unit.key for u in batch.units] for batch in joined(batches, bounds)] == expected
