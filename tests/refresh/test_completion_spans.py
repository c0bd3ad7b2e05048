# SPDX-License-Identifier: Apache-2.0
"""Which intervals complete what is held: gaps joined, the tail overlapped, nothing asked twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from ttapi.refresh.coverage import SliceRequest
from ttapi.refresh.keyed import Gap, Lifetime, _merged, _request, find_gaps, gaps_of, wanted_spans
from ttapi.sources.contract import Unit, UnitRequest
from ttapi.store.catalog import DatasetState
from ttapi.store.ledger import never_loaded

TODAY = date(2024, 6, 14)
DAY = timedelta(days=1)


def ago(days):
    return TODAY - days * DAY


def test_missing_days_no_further_apart_than_ten_are_one_gap():
    assert gaps_of([]) == ()
    assert gaps_of([ago(50)]) == ((ago(50), ago(49)),)
    assert gaps_of([ago(39), ago(50)]) == ((ago(50), ago(38)),)  # ten days after the gap's end
    assert gaps_of([ago(38), ago(50)]) == ((ago(50), ago(49)), (ago(38), ago(37)))


def test_more_gaps_than_six_are_asked_for_as_one():
    days = [ago(20 * n) for n in range(7, 0, -1)]
    assert gaps_of(days[:6]) == tuple((day, day + DAY) for day in days[:6])
    assert gaps_of(days) == ((days[0], days[-1] + DAY),)


@pytest.mark.parametrize(
    ("asked", "last", "gaps", "expected"),
    [
        # Held to the day before: the tail, with three weeks to compare.
        ((None, None), ago(1), (), [(ago(22), None)]),
        ((ago(5), None), ago(1), (), [(ago(5), None)]),
        ((ago(30), None), ago(1), (), [(ago(22), None)]),
        # Held to the newest session: nothing is left to ask.
        ((None, None), ago(0), (), []),
        ((ago(5), ago(0) + DAY), ago(0), (), []),
        # What is asked ends before the tail begins, or with its first day.
        ((ago(30), ago(0)), ago(1), (), []),
        ((ago(30), ago(0) + DAY), ago(1), (), [(ago(22), TODAY + DAY)]),
        # Gaps as far as they were asked for.
        ((None, None), ago(0), ((ago(90), ago(80)),), [(ago(90), ago(80))]),
        ((ago(85), None), ago(0), ((ago(90), ago(80)),), [(ago(85), ago(80))]),
        ((ago(80), None), ago(0), ((ago(90), ago(80)),), []),
        ((None, ago(90)), ago(0), ((ago(90), ago(80)),), []),
        # A gap that reaches into the overlap is part of it.
        ((None, None), ago(1), ((ago(30), ago(22)),), [(ago(30), None)]),
        ((None, None), ago(1), ((ago(30), ago(23)),), [(ago(30), ago(23)), (ago(22), None)]),
    ],
)
def test_what_is_lacking_of_an_interval_is_asked_for(asked, last, gaps, expected):
    assert wanted_spans(asked, Lifetime(last, gaps), TODAY) == expected


def test_of_a_key_of_which_nothing_is_held_all_is_asked_for():
    assert wanted_spans((ago(5), None), None, TODAY) == [(ago(5), None)]


def test_intervals_that_touch_are_one():
    assert _merged([(ago(9), ago(8)), (ago(8), ago(7))]) == [(ago(9), ago(7))]
    assert _merged([(ago(9), ago(5)), (ago(8), ago(7))]) == [(ago(9), ago(5))]
    assert _merged([(None, ago(8)), (ago(8), None)]) == [(None, None)]
    assert _merged([(ago(9), None), (ago(8), ago(7))]) == [(ago(9), None)]
    assert _merged([(ago(9), ago(8)), (ago(7), ago(6))]) == [(ago(9), ago(8)), (ago(7), ago(6))]


def test_without_a_dataset_to_complete_every_ask_is_one_call():
    asks = [
        SliceRequest("A", (ago(5), None), "gap"),
        SliceRequest("B", (None, None), "never asked"),
    ]
    assert find_gaps(None, None, asks, "XNYS", TODAY) == (
        [Gap("A", (ago(5), None), (ago(5), None)), Gap("B", (None, None), (None, None))],
        [],
    )


@pytest.mark.parametrize(
    ("time_column", "fingerprint", "known_hash"),
    [(None, "f", "h"), (None, "old", None), ("date", "f", None)],
)
def test_a_hash_speaks_for_a_unit_asked_as_a_whole_by_the_code_that_made_it(
    time_column, fingerprint, known_hash
):
    unit = replace(never_loaded(1, "raw.x", "A", datetime(2024, 6, 14, tzinfo=UTC)), content_hash="h")  # fmt: skip
    task = SimpleNamespace(dataset=SimpleNamespace(time_column=time_column, fingerprint="f"))
    gap, state = Gap("A", (ago(2), None), None), DatasetState(fingerprint=fingerprint)
    assert _request(gap, unit, task, state) == UnitRequest(Unit("A"), known_hash, ago(2), None)
    assert _request(gap, None, task, state).known_hash is None
