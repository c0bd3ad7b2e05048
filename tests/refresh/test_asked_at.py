# SPDX-License-Identifier: Apache-2.0
"""Since when what is wanted of a raw dataset was asked: the oldest part counts, one never asked ends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ttapi.refresh.coverage import Demand
from ttapi.refresh.datasets import Dataset, PlanInputs, market_clock
from ttapi.refresh.freshness import asked_at
from ttapi.refresh.home_state import NOTHING
from ttapi.store.catalog import EVERYTHING, DatasetState, Slice

NOON = datetime(2024, 6, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEYED = Dataset("raw.x", "raw", "c", key="symbol", requires=("symbol",))
FILES = Dataset("raw.x", "raw", "c", key="symbol", is_narrowable=True)
WHOLE = Dataset("raw.x", "raw", "c", key="symbol")
A, B = Slice("A", NOON - 2 * HOUR), Slice("B", NOON - HOUR)
A_AGAIN, AHEAD = Slice("A", NOON - HOUR / 2), Slice("A", NOON + 24 * HOUR)


def found(dataset, keys, slices=(), whole=None):
    """Hours before noon; None: some part was never asked."""
    states = {"raw.x": DatasetState(asked_at=whole)} if whole else {}
    left = replace(NOTHING, states=states, slices={"raw.x": slices} if slices else {})
    wanted = None if keys is None else frozenset(keys)
    inputs = PlanInputs({"raw.x": Demand(wanted, EVERYTHING)})
    asked = asked_at(dataset, left, inputs, market_clock(NOON))
    return None if asked is None else (NOON - asked) / HOUR


@pytest.mark.parametrize(
    ("dataset", "keys", "slices", "whole", "hours"),
    [
        (KEYED, "A", [A, B], None, 2),
        (KEYED, "B", [A, B], None, 1),
        (KEYED, "AB", [A, B], None, 2),
        (KEYED, None, [A, B], None, 2),
        (KEYED, "A", [A, A_AGAIN], None, 0.5),
        (KEYED, "A", [A_AGAIN, A], None, 0.5),
        (KEYED, "ABC", [A, B], None, None),
        (KEYED, "C", [A, B], None, None),
        (KEYED, "A", [], None, None),
        (KEYED, None, [], None, None),
        (KEYED, "", [A], None, None),
        (FILES, "A", [A], None, 2),
        (FILES, "A", [A], NOON - 3 * HOUR, 2),
        (FILES, "A", [A], NOON - HOUR, 1),
        (FILES, "AB", [A], NOON - 3 * HOUR, 3),
        (FILES, "AB", [A], None, None),
        (FILES, None, [A, B], None, None),
        (FILES, None, [A], NOON - 3 * HOUR, 3),
        (WHOLE, "A", [A], NOON - 3 * HOUR, 3),
        (WHOLE, "A", [A], None, None),
        # By a clock that was ahead: what was asked since counts, and alone it is told as it is.
        (KEYED, "A", [A, AHEAD], None, 2),
        (KEYED, "A", [AHEAD], None, -24),
        (FILES, "A", [A], NOON + 24 * HOUR, 2),
    ],
)
def test_the_oldest_wanted_part_counts(dataset, keys, slices, whole, hours):
    assert found(dataset, keys, slices, whole) == hours
