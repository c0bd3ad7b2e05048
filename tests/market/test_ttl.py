# SPDX-License-Identifier: Apache-2.0
"""When something asked is due again, by the sessions of June 2024: closes at 20:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ttapi.errors import UsageError
from ttapi.market.calendar import Ttl, parse_duration, parse_ttl, sessions

NEXT_CLOSE = sessions("XNYS").next_close_after


def utc(text):
    return datetime.fromisoformat(f"2024-06-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("ttl", "asked_at", "due_at"),
    [
        ("next close + 45m", "14 20:10", "14 20:45"),  # the close just passed is still to be told
        ("next close + 45m", "14 20:44", "14 20:45"),
        ("next close + 45m", "14 20:45", "17 20:45"),
        ("next close + 45m", "14 19:59", "14 20:45"),
        ("next close", "14 19:59", "14 20:00"),
        ("next close", "14 20:00", "17 20:00"),
        ("next close", "15 12:00", "17 20:00"),  # a Saturday
        ("1 session", "14 19:59", "14 20:00"),
        ("3 sessions", "14 19:59", "18 20:00"),
        ("2 sessions", "17 22:00", "20 20:00"),  # the 19th was a holiday
        ("0 sessions", "14 12:00", "14 12:00"),
        ("90s", "14 12:00", "14 12:01:30"),
        ("1.5h", "14 12:00", "14 13:30"),
        ("1w", "14 12:00", "21 12:00"),
    ],
)
def test_what_was_asked_is_due_again(ttl, asked_at, due_at):
    assert parse_ttl(ttl).due_at(utc(asked_at), NEXT_CLOSE) == utc(due_at)


def test_a_ttl_is_closes_and_an_offset():
    assert parse_ttl(" Next Close + 45m ") == Ttl(1, timedelta(minutes=45))
    assert parse_ttl("next close") == Ttl(1, timedelta())
    assert parse_ttl("5 Sessions") == Ttl(5, timedelta())
    assert parse_ttl("2D") == Ttl(0, timedelta(days=2))


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m m", "next close +", "next open", "5y"])
def test_what_is_no_ttl_is_refused(text):
    with pytest.raises(UsageError, match="is no duration"):
        parse_ttl(text)


def test_a_duration_is_clock_time_alone():
    assert parse_duration("5M") == timedelta(minutes=5)
    with pytest.raises(UsageError):
        parse_duration("next close")


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("99999999999999999d", "36,500d is the longest"),
        ("36501d", "36,500d is the longest"),
        ("9" * 400 + "w", "36,500d is the longest"),
        ("9" * 5000 + " sessions", "2,520 sessions is the longest"),
        ("2521 sessions", "2,520 sessions is the longest"),
        ("next close + 2521d", "2,520d is the longest"),
    ],
)
def test_what_no_calendar_reaches_is_no_duration(text, longest):
    with pytest.raises(UsageError, match="is no duration") as refused:
        parse_ttl(text)
    assert refused.value.hint == longest


@pytest.mark.parametrize("text", ["36500d", "2520 sessions", "next close + 2520d"])
def test_the_longest_there_is_can_be_counted(text):
    assert parse_ttl(text).due_at(utc("14 12:00"), NEXT_CLOSE) > utc("14 12:00")
