# SPDX-License-Identifier: Apache-2.0
"""What a person writes for a point in time, and what it means: days as a whole, instants as they are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ttapi.errors import UsageError
from ttapi.models.as_of import AsOf, parse_as_of

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)


def utc(*parts):
    return datetime(2024, 6, *parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "until", "day"),
    [
        ("2024-06-13", utc(14), date(2024, 6, 13)),
        (" 2024-06-14 ", utc(15), date(2024, 6, 14)),
        (date(2024, 6, 13), utc(14), date(2024, 6, 13)),
        ("2024-06-13T20:00", utc(13, 20), None),
        ("2024-06-13T16:00-04:00", utc(13, 20), None),
        ("2024-06-13 20:00:30", utc(13, 20, 0, 30), None),
        ("2024-06-14T22:00", utc(14, 22), None),
        ("2024-06-13T00:00", utc(13), date(2024, 6, 12)),
        ("2024-06-12T20:00-04:00", utc(13), date(2024, 6, 12)),
        (datetime(2024, 6, 13, 20), utc(13, 20), None),
        (datetime(2024, 6, 13, 16, tzinfo=timezone(-timedelta(hours=4))), utc(13, 20), None),
    ],
)
def test_a_text_means_a_day_or_an_instant(given, until, day):
    assert parse_as_of(given, NOW) == AsOf(until, day)


@pytest.mark.parametrize(
    "given",
    ["2024-06-15", "2024-06-14T22:00:01", "2024-06-15T00:00", "9999-12-31", datetime(2030, 1, 1)],
)
def test_what_lies_ahead_is_refused(given):
    with pytest.raises(UsageError, match="is later than now, 2024-06-14 22:00:00 UTC"):
        parse_as_of(given, NOW)


def test_today_is_new_york_s():
    late = datetime(2024, 6, 15, 3, 59, tzinfo=UTC)
    with pytest.raises(UsageError):
        parse_as_of("2024-06-15", late)
    assert parse_as_of("2024-06-15", late + timedelta(minutes=1)).day == date(2024, 6, 15)


@pytest.mark.parametrize("given", ["noon", "", "2024-13-01", "0001-01-01T00:00+14:00"])
def test_what_is_no_point_in_time_is_refused(given):
    with pytest.raises(UsageError, match="is no point in time"):
        parse_as_of(given, NOW)


def test_a_point_in_time_is_told_in_sql_and_in_words():
    day, instant = AsOf(utc(14), date(2024, 6, 13)), AsOf(utc(13, 20))
    assert (day.limit, instant.limit) == ("timestamp '2024-06-14 00:00:00'", "timestamp '2024-06-13 20:00:00'")  # fmt: skip
    assert (day.argument, instant.argument) == ("date '2024-06-13'", "timestamp '2024-06-13 20:00:00'")  # fmt: skip
    assert (day.text, instant.text) == ("2024-06-13 (until midnight UTC)", "2024-06-13 20:00 UTC")
    assert AsOf(utc(13, 20, 0, 30)).text == "2024-06-13 20:00:30 UTC"
