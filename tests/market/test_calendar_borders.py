# SPDX-License-Identifier: Apache-2.0
"""The calendar at the instants and days where one answer gives way to the next."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ttapi.errors import UsageError
from ttapi.market.calendar import (
    FIRST_DATE,
    LAST_DATE,
    MarketPhase,
    expiration_session,
    sessions,
)

XNYS = sessions("XNYS")
FRI, MON = date(2024, 6, 14), date(2024, 6, 17)
CLOSE, NEXT = datetime(2024, 6, 14, 20, tzinfo=UTC), datetime(2024, 6, 17, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_next_close_lies_strictly_after_an_instant():
    assert [XNYS.next_close_after(at) for at in (CLOSE - SECOND, CLOSE, CLOSE + SECOND)] == [CLOSE, NEXT, NEXT]  # fmt: skip


def test_a_session_is_completed_at_its_close():
    found = [XNYS.last_completed_session(at) for at in (CLOSE - SECOND, CLOSE, NEXT - SECOND, NEXT)]
    assert found == [date(2024, 6, 13), FRI, FRI, MON]


def test_a_market_is_open_from_its_open_until_before_its_close():
    opened, opens_next = datetime(2024, 6, 14, 13, 30, tzinfo=UTC), datetime(2024, 6, 17, 13, 30, tzinfo=UTC)  # fmt: skip
    found = [XNYS.phase_at(at) for at in (opened - SECOND, opened, CLOSE - SECOND, CLOSE)]
    assert found == [MarketPhase(False, opened), MarketPhase(True, CLOSE), MarketPhase(True, CLOSE), MarketPhase(False, opens_next)]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "opened", "closed"),
    [
        (date(1974, 9, 30), "14:00", "19:30"),
        (date(1974, 10, 1), "14:00", "20:00"),  # half an hour longer, from this day on
        (date(1985, 9, 26), "14:00", "20:00"),
        (date(1985, 9, 30), "13:30", "20:00"),  # half an hour earlier, from this day on
    ],
)
def test_new_hours_hold_from_their_first_day_on(day, opened, closed):
    told = (XNYS.open_utc(day), XNYS.close_utc(day))
    assert tuple(f"{at:%H:%M}" for at in told) == (opened, closed)
    frame = XNYS.close_utc_by_date().row(XNYS.session_no(day) - 1)
    assert frame == (day, *(at.replace(tzinfo=None) for at in told))


def test_neighbours_of_a_session_and_of_a_weekend():
    saturday = date(2024, 6, 15)
    assert (XNYS.previous_session(MON), XNYS.next_session(FRI)) == (FRI, MON)
    assert (XNYS.previous_session(saturday), XNYS.next_session(saturday)) == (FRI, MON)
    assert (XNYS.session_on_or_before(saturday), XNYS.session_on_or_after(saturday)) == (FRI, MON)
    assert (XNYS.session_on_or_before(FRI), XNYS.session_on_or_after(FRI)) == (FRI, FRI)
    assert [XNYS.sessions_between(*pair) for pair in ((FRI, MON), (FRI, saturday), (FRI, FRI), (MON, FRI))] == [1, 0, 0, -1]  # fmt: skip
    assert [XNYS.add_sessions(FRI, n) for n in (-1, 0, 1)] == [date(2024, 6, 13), FRI, MON]


def test_the_first_and_the_last_day_are_known_and_none_beyond():
    first, last = XNYS.dates[0], XNYS.dates[-1]
    assert XNYS.session_no(FIRST_DATE) == (first == FIRST_DATE)
    assert XNYS.session_no(LAST_DATE) == len(XNYS.dates)
    assert XNYS.add_sessions(last, 1 - len(XNYS.dates)) == first
    for call in (
        lambda: XNYS.session_no(FIRST_DATE - timedelta(days=1)),
        lambda: XNYS.session_no(LAST_DATE + timedelta(days=1)),
        lambda: XNYS.previous_session(first),
        lambda: XNYS.next_session(last),
    ):
        with pytest.raises(UsageError):
            call()


@pytest.mark.parametrize(
    ("day", "session"),
    [
        (date(2024, 6, 22), date(2024, 6, 21)),
        (FRI, FRI),
        (LAST_DATE, date(2050, 12, 30)),
        (date(1900, 1, 6), date(1900, 1, 6)),
        (date(2100, 1, 2), date(2100, 1, 2)),
    ],
)  # fmt: skip
def test_a_saturday_stands_for_the_session_before(day, session):
    assert expiration_session(day) == session
