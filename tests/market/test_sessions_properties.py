# SPDX-License-Identifier: Apache-2.0
"""Laws that hold for every day and every instant of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.calendar import MARKETS, sessions

days = st.dates(date(1953, 2, 1), date(2050, 11, 30))
instants = st.datetimes(
    datetime.fromisoformat("1953-02-01T00:00"),
    datetime.fromisoformat("2050-11-30T00:00"),
    timezones=st.just(UTC),
)
markets = st.sampled_from(MARKETS).map(sessions)


@given(markets, days)
def test_neighbours_enclose_the_day_without_a_session_between(market, day):
    before, after = market.previous_session(day), market.next_session(day)
    assert before < day < after
    assert market.sessions_between(before, after) == 1 + market.is_session(day)
    assert market.next_session(before) == market.session_on_or_after(day)
    assert market.previous_session(after) == market.session_on_or_before(day)


@given(markets, days, days, days)
def test_counts_of_adjoining_spans_add_up(market, a, b, c):
    assert market.sessions_between(a, b) + market.sessions_between(b, c) == market.sessions_between(
        a, c
    )
    assert market.sessions_between(a, b) == -market.sessions_between(b, a)


@given(markets, days, st.integers(-15, 15))
def test_adding_sessions_is_undone_by_subtracting_them(market, day, count):
    start = market.session_on_or_before(day)
    there = market.add_sessions(start, count)
    assert market.sessions_between(start, there) == count
    assert market.add_sessions(there, -count) == start


@given(markets, days)
def test_a_session_opens_before_it_closes_within_its_own_day(market, day):
    day = market.session_on_or_before(day)
    opened, closed = market.open_utc(day), market.close_utc(day)
    assert timedelta(0) < closed - opened <= timedelta(hours=6, minutes=45)
    assert opened.date() == closed.date() == day


@given(markets, instants)
def test_an_instant_lies_between_the_last_close_and_the_next(market, instant):
    last = market.last_completed_session(instant)
    close = market.next_close_after(instant)
    assert market.close_utc(last) <= instant < close
    assert close == market.close_utc(market.next_session(last))


@given(markets, days)
def test_a_session_is_complete_from_its_close_on(market, day):
    day = market.session_on_or_before(day)
    close = market.close_utc(day)
    assert market.last_completed_session(close) == day
    assert market.last_completed_session(close - timedelta(microseconds=1)) < day
    assert market.next_close_after(close - timedelta(microseconds=1)) == close
    assert market.next_close_after(close) > close


@given(markets, st.integers(0, 24_000))
def test_the_frame_of_instants_says_what_the_day_by_day_answers_say(market, row):
    day, opened, closed = market.close_utc_by_date().row(row)
    assert opened.replace(tzinfo=UTC) == market.open_utc(day)
    assert closed.replace(tzinfo=UTC) == market.close_utc(day)


def test_the_frame_has_one_ascending_row_a_session():
    for name in MARKETS:
        frame = sessions(name).close_utc_by_date()
        assert frame.columns == ["date", "open_utc", "close_utc"]
        assert tuple(frame["date"]) == sessions(name).dates
