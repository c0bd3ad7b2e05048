# SPDX-License-Identifier: Apache-2.0
"""Interval arithmetic of slices, held against sets of days."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ttapi.models.limits import ValueRange, ValueSet
from ttapi.refresh.coverage import (
    CoverageRules,
    Demand,
    SliceRequest,
    coverage_after,
    demand_of,
    merged,
    missing,
    missing_slices,
)
from ttapi.store.catalog import Slice

FIRST = date(2024, 1, 1)
DAYS = [FIRST + timedelta(days=i) for i in range(12)]
ends = st.one_of(st.none(), st.sampled_from(DAYS))
spans = st.tuples(ends, ends)


def days_of(span):
    """The days of DAYS in a closed-open interval."""
    low, high = span
    return {d for d in DAYS if (low is None or low <= d) and (high is None or d < high)}


def rules(now_day, **changes):
    now = datetime.combine(now_day, datetime.min.time(), UTC) + timedelta(hours=22)
    settings = {"due_at": lambda asked: asked + timedelta(days=1), "now": now, "today": now_day}
    return CoverageRules(**{**settings, **changes})


@given(st.lists(spans, max_size=5))
def test_merged_intervals_hold_the_same_days_and_never_touch(held):
    joined = merged(held)
    assert set().union(*map(days_of, joined)) == set().union(*map(days_of, held))
    for (_, end), (start, _) in itertools.pairwise(joined):
        assert end is not None
        assert start is not None
        assert end < start


@given(spans, st.lists(spans, max_size=5))
def test_what_is_missing_is_what_is_wanted_and_not_held(wanted, held):
    found = missing(wanted, held)
    expected = days_of(wanted) - set().union(*map(days_of, held))
    assert set().union(*map(days_of, found)) == expected
    assert sum(len(days_of(one)) for one in found) == len(expected)


@given(st.lists(st.tuples(st.sampled_from(DAYS), spans), min_size=1, max_size=6))
def test_a_history_of_asking_leaves_nothing_wanted_unasked_and_nothing_settled_asked_twice(history):
    asked: dict[date, date] = {}
    slices: list[Slice] = []
    for today, wanted in sorted(history, key=lambda item: item[0]):
        current = rules(today)
        asks = missing_slices("A", wanted, slices, current)
        due = {d for d in days_of(wanted) if d <= today}
        for ask in asks:
            for day in days_of(ask.span):
                # A day is asked again only when it was not over, or not yet there, when last asked.
                assert day not in asked or asked[day] <= day, (day, asked[day], str(ask))
            slices = coverage_after(slices, Slice("A", current.now, ask.span), current)
        for ask in asks:
            asked |= {day: today for day in days_of(ask.span) if day <= today}
        assert due <= asked.keys()
        assert missing_slices("A", wanted, slices, current) == []


def test_an_open_end_stays_fresh_until_the_ttl_and_then_asks_from_the_day_of_asking():
    first = rules(DAYS[3])
    held = coverage_after([], Slice("A", first.now, (None, None)), first)
    later = rules(DAYS[3], now=first.now + timedelta(hours=5))
    assert missing_slices("A", (None, None), held, later) == []
    (ask,) = missing_slices("A", (None, None), held, rules(DAYS[5]))
    assert ask.span == (DAYS[3], None)
    (ask,) = missing_slices("A", (None, None), held, rules(DAYS[5], revise=timedelta(days=3)))
    assert ask.span == (DAYS[1], None)
    assert missing_slices("A", (None, DAYS[2]), held, rules(DAYS[5])) == []


def test_what_was_asked_anew_takes_the_place_of_what_it_holds():
    first, later = rules(DAYS[3]), rules(DAYS[3], now=rules(DAYS[3]).now + timedelta(hours=5))
    part, whole = Slice("A", first.now, (DAYS[2], None)), Slice("A", later.now, (DAYS[1], None))
    assert coverage_after([part], whole, later) == [whole]
    assert coverage_after([whole], part, first) == [whole, part]


def test_a_slice_without_time_is_held_whole_until_its_ttl():
    held = coverage_after([], Slice("A", rules(DAYS[0]).now), rules(DAYS[0], has_time=False))
    assert missing_slices("A", (None, None), held, rules(DAYS[0], has_time=False)) == []
    (ask,) = missing_slices("A", (None, None), held, rules(DAYS[2], has_time=False))
    assert (ask.span, ask.reason) == ((None, None), "ttl passed")


def test_an_ask_names_its_first_and_last_day():
    spans = [(None, None), (DAYS[1], None), (None, DAYS[3]), (DAYS[1], DAYS[3])]
    assert [str(SliceRequest("A", span, "gap")) for span in spans] == [
        "A",
        "A 2024-01-02..",
        "A ..2024-01-03",
        "A 2024-01-02..2024-01-03",
    ]


def test_of_several_slices_without_time_the_newest_counts_until_the_instant_it_is_due():
    now = rules(DAYS[5]).now
    old, new = Slice("A", now - timedelta(days=3)), Slice("A", now - timedelta(hours=23))
    timeless = rules(DAYS[5], has_time=False)
    assert missing_slices("A", (None, None), [old, new], timeless) == []
    assert missing_slices("A", (None, None), [new, old], timeless) == []
    due = Slice("A", now - timedelta(days=1))
    assert missing_slices("A", (None, None), [due], timeless) == [
        SliceRequest("A", (None, None), "ttl passed")
    ]


def test_what_was_never_there_is_a_gap_and_what_is_due_is_told_so():
    now = rules(DAYS[5])
    held = [Slice("A", now.now - timedelta(days=2), (DAYS[2], None))]
    assert missing_slices("A", (DAYS[0], None), held, now) == [
        SliceRequest("A", (DAYS[0], DAYS[2]), "gap"),
        SliceRequest("A", (DAYS[3], None), "ttl passed"),
    ]
    # Of what is not due yet nothing is asked, and a gap beside it is no tail.
    fresh = [
        Slice("A", now.now, (DAYS[2], DAYS[4])),
        Slice("A", rules(DAYS[3]).now, (DAYS[0], DAYS[1])),
    ]
    assert missing_slices("A", (DAYS[0], DAYS[4]), fresh, now) == [
        SliceRequest("A", (DAYS[1], DAYS[2]), "gap")
    ]


def test_an_interval_that_ends_yesterday_keeps_its_end_and_one_that_holds_today_has_none():
    now = rules(DAYS[5])
    assert [missing_slices("A", (DAYS[3], DAYS[n]), [], now)[0].span for n in (4, 5, 6, 7)] == [
        (DAYS[3], DAYS[4]),
        (DAYS[3], DAYS[5]),
        (DAYS[3], None),
        (DAYS[3], None),
    ]
    assert missing_slices("A", (DAYS[6], None), [], now) == []


def test_the_demand_of_two_readers_holds_both():
    one = Demand(frozenset("A"), (DAYS[1], DAYS[3]))
    other = Demand(frozenset("B"), (DAYS[5], None))
    assert one.joined(other) == Demand(frozenset("AB"), (DAYS[1], None))
    assert other.joined(one) == one.joined(other)
    assert one.joined(Demand(None, (DAYS[2], DAYS[4]))) == Demand(None, (DAYS[1], DAYS[4]))


def test_days_without_a_session_are_trimmed_and_alone_never_asked():
    weekdays = {"is_session": lambda day: day.weekday() < 5}
    (ask,) = missing_slices(
        "A", (date(2024, 1, 6), date(2024, 1, 9)), [], rules(DAYS[11], **weekdays)
    )
    assert ask.span == (date(2024, 1, 8), date(2024, 1, 9))
    assert (
        missing_slices("A", (date(2024, 1, 6), date(2024, 1, 8)), [], rules(DAYS[11], **weekdays))
        == []
    )


def test_limits_become_keys_and_closed_open_dates():
    def demand(**limits):
        return demand_of({k: frozenset(v) for k, v in limits.items()}, "symbol", "date")

    assert demand() == Demand(None, (None, None))
    assert demand(symbol=[ValueSet(frozenset("AB")), ValueSet(frozenset("BC"))]).keys == frozenset(
        "B"
    )
    assert demand(date=[ValueSet(frozenset({"2024-01-02"}))]).span == (DAYS[1], DAYS[2])
    assert demand(date=[ValueRange("2024-01-02", "2024-01-04")]).span == (DAYS[1], DAYS[4])
    out = [
        ValueRange("2024-01-02", None, is_low_out=True),
        ValueRange(None, "2024-01-04", is_high_out=True),
    ]
    assert demand(date=out).span == (DAYS[2], DAYS[3])
    instants = [
        ValueRange("2024-01-02 10:00:00", "2024-01-04 10:00:00", is_low_out=True, is_high_out=True)
    ]
    assert demand(date=instants).span == (DAYS[1], DAYS[4])
    assert demand(date=[ValueSet(frozenset({"yesterday"})), ValueRange("soon", None)]).span == (
        None,
        None,
    )
    assert demand(date=[ValueSet(frozenset({"2024-01-02", "soon"}))]).span == (None, None)
    assert demand(symbol=[]).keys is None
    assert demand(date=[ValueSet(frozenset({"2024-01-02", "2024-01-05"}))]).span == (
        DAYS[1],
        DAYS[5],
    )
    assert demand_of({"symbol": frozenset([ValueSet(frozenset("A"))])}, None, None) == Demand()
