# SPDX-License-Identifier: Apache-2.0
"""The curve of interest rates: which piece holds for a day and a tenor, and which was known when."""

from __future__ import annotations

from datetime import date, datetime

import pytest

LONG_AGO, LATER = datetime(2020, 1, 1), datetime(2024, 7, 1)


@pytest.fixture
def curve(bar_market):
    """Rates of two days; the rate on a day for a tenor, as known at an instant."""
    bar_market.con.execute("begin")
    for day, tenor, rate, known_at in (
        (date(2024, 6, 3), 30, 0.03, LONG_AGO),
        (date(2024, 6, 3), 90, 0.06, LONG_AGO),
        (date(2024, 6, 10), 30, 0.01, LONG_AGO),
        (date(2024, 6, 10), 30, 0.02, LATER),
    ):
        bar_market.insert("rates", date=day, tenor_days=tenor, rate=rate, known_at=known_at)

    def rate(day, tenor, known="2024-06-30"):
        found = bar_market.rows(
            f"""
            select rate_from + (rate_to - rate_from) * ({tenor} - tenor_from) / (tenor_to - tenor_from), source
            from derived.rates_at(timestamp '{known}')
            where date '{day}' >= date and date '{day}' < until_date and {tenor} >= tenor_from and {tenor} < tenor_to
            """
        )
        assert len(found) == 1
        return round(found[0][0], 12), found[0][1]

    yield rate
    bar_market.con.execute("rollback")


@pytest.mark.parametrize(
    ("tenor", "rate"),
    [(0, 0.03), (29, 0.03), (30, 0.03), (60, 0.045), (89, 0.0595), (90, 0.06), (3650, 0.06)],
)
def test_between_tenors_it_is_straight_and_beyond_them_flat(curve, tenor, rate):
    assert curve("2024-06-03", tenor) == (rate, "files")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-06-02", (0.04, "default")),
        ("2024-06-03", (0.03, "files")),
        ("2024-06-09", (0.03, "files")),
        ("2024-06-10", (0.01, "files")),
        ("2030-01-01", (0.01, "files")),
    ],
)
def test_a_day_has_the_rates_of_the_last_one_that_has_any(curve, day, expected):
    assert curve(day, 30) == expected


@pytest.mark.parametrize(
    ("known", "rate"),
    [("2024-06-30", 0.01), ("2024-07-01", 0.02), ("2024-07-02", 0.02)],
)
def test_of_two_rates_the_later_known_holds_from_when_it_was_known(curve, known, rate):
    assert curve("2024-06-10", 30, known)[0] == rate


def test_a_rate_that_was_replaced_held_until_then(curve, bar_market):
    bar_market.con.execute(
        "update raw.rates set replaced_at = timestamp '2024-06-20' where date = '2024-06-10' and rate = 0.01"
    )
    assert curve("2024-06-10", 30, "2024-06-19") == (0.01, "files")
    assert curve("2024-06-10", 30, "2024-06-20") == (0.03, "files")


def test_before_all_rates_the_setting_holds_and_says_so(curve, bar_market):
    bar_market.insert("constant_rates", rate=0.07, is_default=False)
    assert curve("2024-06-02", 30) == (0.07, "setting")
    assert curve("2024-06-02", 30, "2019-01-01") == (0.07, "setting")
