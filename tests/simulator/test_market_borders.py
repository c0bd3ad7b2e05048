# SPDX-License-Identifier: Apache-2.0
"""The invented market at the instants where a session begins and ends, and at the first day asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ttapi.simulator.vendor_market import VendorMarket

OPEN, CLOSE = (datetime(2024, 6, 14, *at, tzinfo=UTC) for at in ((13, 30), (20, 0)))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("now", "is_forming", "bars_end"),
    [
        (OPEN - SECOND, False, date(2024, 6, 13)),
        (OPEN, True, date(2024, 6, 13)),
        (CLOSE - SECOND, True, date(2024, 6, 13)),
        (CLOSE, False, date(2024, 6, 14)),
    ],
)
def test_a_bar_is_forming_from_the_open_until_before_the_close(now, is_forming, bars_end):
    market = VendorMarket(7, now, symbols=30)
    assert (market.forming_bar("SPY") is not None) == is_forming
    assert market.bars("SPY", date(2024, 6, 10))[-1].date == bars_end


def test_what_is_asked_since_a_day_begins_with_it():
    market = VendorMarket(7, CLOSE, symbols=30)
    days = [date(2024, 6, day) for day in (12, 13, 14)]
    assert [bar.date for bar in market.bars("SPY", days[0])] == days
    midnight = datetime(2024, 6, 12, tzinfo=UTC)
    for since, expected in ((midnight, days), (midnight + SECOND, days[1:])):
        assert [one.time.date() for one in market.candles("SPY", "d", since)] == expected


def test_the_minutes_of_a_session_end_with_it():
    market = VendorMarket(7, CLOSE, symbols=30)
    hours = market.candles("SPY", "h", OPEN)
    assert [one.time for one in hours] == [OPEN + n * timedelta(hours=1) for n in range(7)]
    (day,) = market.bars("SPY", date(2024, 6, 14))
    assert (hours[0].open, hours[-1].close) == (day.open, day.close)
    assert sum(one.volume for one in hours) == day.volume


def test_the_last_candle_of_an_open_session_knows_nothing_of_what_comes():
    market = VendorMarket(7, OPEN + timedelta(minutes=90), symbols=30)
    forming = market.forming_bar("SPY")
    hours = market.candles("SPY", "h", OPEN)
    assert [one.time for one in hours] == [OPEN, OPEN + timedelta(hours=1)]
    assert (hours[-1].close, sum(one.volume for one in hours)) == (forming.close, forming.volume)
