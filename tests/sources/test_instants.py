# SPDX-License-Identifier: Apache-2.0
"""When the market could know a date's facts, at the ends of the calendar and of a session."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from ttapi.sources.instants import (
    known_at_close,
    known_at_open,
    next_sessions,
    session_closes,
    session_today,
)

FRI, SAT, MON = date(2024, 6, 14), date(2024, 6, 15), date(2024, 6, 17)
OPEN, CLOSE = datetime(2024, 6, 14, 13, 30), datetime(2024, 6, 14, 20)
SECOND = timedelta(seconds=1)


def days(*values):
    return pl.Series(values, dtype=pl.Date)


@pytest.mark.parametrize(("known_at", "instant"), [(known_at_open, OPEN), (known_at_close, CLOSE)])
def test_a_fact_is_known_from_its_instant_on(known_at, instant):
    now = instant.replace(tzinfo=UTC)
    found = [known_at(days(FRI), at).to_list() for at in (now - SECOND, now)]
    assert found == [[None], [instant]]


def test_now_may_be_told_in_any_zone():
    now = datetime.fromisoformat("2024-06-14T16:00:00-04:00")
    assert known_at_close(days(FRI), now).to_list() == [CLOSE]


def test_a_day_without_session_is_known_as_a_winter_session_would_be():
    now = datetime(2024, 7, 1, tzinfo=UTC)
    assert known_at_close(days(SAT, None), now).to_list() == [datetime(2024, 6, 15, 21), None]
    assert known_at_open(days(SAT), now).to_list() == [datetime(2024, 6, 15, 14, 30)]


def test_what_lies_centuries_ahead_has_no_instant():
    first, last, beyond = date(1700, 1, 1), date(2200, 12, 31), date(2201, 1, 1)
    found = session_closes(days(first, last, beyond, date.max)).to_list()
    assert found == [datetime(1700, 1, 1, 21), datetime(2200, 12, 31, 21), None, None]


def test_the_next_session_lies_strictly_after_a_date_inside_the_calendar():
    asked = days(MON, None, FRI, SAT, date(2050, 12, 30), date(2050, 12, 29))
    assert next_sessions(asked).to_list() == [
        *(date(2024, 6, 18), None, MON, MON, None),
        date(2050, 12, 30),
    ]
    before, first, opening = date(1952, 12, 31), date(1953, 1, 1), date(1953, 1, 2)
    assert next_sessions(days(before, first, opening)).to_list() == [
        *(None, opening),
        date(1953, 1, 5),
    ]


def test_today_is_the_day_of_new_york():
    at = [datetime(2024, 6, 15, hour, minute, tzinfo=UTC) for hour, minute in ((3, 59), (4, 0))]
    assert [session_today(now) for now in at] == [FRI, SAT]
