# SPDX-License-Identifier: Apache-2.0
"""The calendar relation: numbers, neighbours, period ends and expiration flags."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from ttapi.market.calendar import MARKETS, sessions

XNYS = sessions("XNYS")


def dates(*texts):
    return [(date.fromisoformat(text),) for text in texts]


def test_every_date_of_every_market_stands_once(query):
    assert query(
        "select market, count(*), count(distinct date), min(date), max(date) from calendar group by 1 order by 1"
    ) == [
        (market, 27_759, 27_759, date(1953, 1, 1), date(2028, 12, 31)) for market in sorted(MARKETS)
    ]


@pytest.mark.parametrize("market", MARKETS)
def test_numbers_neighbours_and_instants_equal_the_sessions_in_code(query, market):
    ours = sessions(market)
    rows = query(
        "select date, is_trading_day, session_no, prev_session, next_session, session_on_or_before, open_utc, close_utc,"
        " is_early_close, is_late_open, holiday_name from calendar"
        " where market = ? and date between date '1999-12-01' and date '2028-06-30' order by date",
        market,
    )
    expected = []
    for day, *_ in rows:
        is_session = ours.is_session(day)
        instants = (ours.open_utc(day), ours.close_utc(day)) if is_session else (None, None)
        expected.append(
            (
                day,
                is_session,
                ours.session_no(day),
                ours.previous_session(day),
                ours.next_session(day),
                ours.session_on_or_before(day),
                *(at and at.replace(tzinfo=None) for at in instants),
                ours.is_early_close(day),
                ours.is_late_open(day),
                ours.holiday_name(day),
            )
        )
    assert rows == expected


def test_the_ends_of_the_calendar_have_no_neighbour_beyond(query):
    last_no = len([d for d in XNYS.dates if d.year <= 2028])
    assert query(
        "select date, session_no, prev_session, next_session, session_on_or_before, is_week_start, is_week_end from calendar"
        " where market = 'XNYS' and (date < date '1953-01-03' or date > date '2028-12-28') order by date"
    ) == [
        (date(1953, 1, 1), 0, None, date(1953, 1, 2), None, False, False),
        (date(1953, 1, 2), 1, None, date(1953, 1, 5), date(1953, 1, 2), False, True),
        (date(2028, 12, 29), last_no, date(2028, 12, 28), None, date(2028, 12, 29), False, True),
        (date(2028, 12, 30), last_no, date(2028, 12, 29), None, date(2028, 12, 29), False, False),
        (date(2028, 12, 31), last_no, date(2028, 12, 29), None, date(2028, 12, 29), False, False),
    ]


def test_a_week_ends_on_thursday_where_friday_is_a_holiday(query):
    assert query(
        "select date from calendar where market = 'XNYS' and is_week_end and iso_dow = 4 and year(date) in (2025, 2026) order by 1"
    ) == dates(
        "2025-04-17",
        "2025-07-03",
        "2026-04-02",
        "2026-06-18",
        "2026-07-02",
        "2026-12-24",
        "2026-12-31",
    )


@pytest.mark.parametrize("period", ["week", "month", "quarter", "year"])
def test_a_period_has_one_first_and_one_last_session(query, period):
    assert query(
        f"with p as (select date_trunc('{period}', date) as p, * from calendar where market = 'XNYS' and is_trading_day)"
        f" select count(*) from (select p, list(date order by date) filter (where is_{period}_start) as firsts,"
        f" list(date order by date) filter (where is_{period}_end) as lasts, min(date) as first, max(date) as last"
        f" from p where p > date '1953-01-01' group by p)"
        " where firsts is distinct from [first] or lasts is distinct from [last]"
    ) == [(0,)]


def test_period_ends_fall_on_sessions_only(query):
    flags = [f"is_{p}_{e}" for p in ("week", "month", "quarter", "year") for e in ("start", "end")]
    assert query(
        f"select count(*) from calendar where not is_trading_day and ({' or '.join(flags)})"
    ) == [(0,)]


def test_month_and_quarter_end_before_good_friday(query):
    assert query(
        "select date, is_month_end, is_quarter_end, is_year_end from calendar"
        " where market = 'XNYS' and date between date '2024-03-27' and date '2024-03-29' order by date"
    ) == [
        (date(2024, 3, 27), False, False, False),
        (date(2024, 3, 28), True, True, False),
        (date(2024, 3, 29), False, False, False),
    ]


def test_standard_monthlies_and_quad_witching_of_2025(query):
    assert query(
        "select date, is_quad_witching from calendar where market = 'XNYS' and is_standard_monthly and year(date) = 2025 order by 1"
    ) == [
        (date.fromisoformat(day), quad)
        for day, quad in [
            ("2025-01-17", False), ("2025-02-21", False), ("2025-03-21", True), ("2025-04-17", False),
            ("2025-05-16", False), ("2025-06-20", True), ("2025-07-18", False), ("2025-08-15", False),
            ("2025-09-19", True), ("2025-10-17", False), ("2025-11-21", False), ("2025-12-19", True),
        ]
    ]  # fmt: skip


def test_flags_of_expirations_equal_the_series(query):
    assert query(
        "select count(*) from calendar c where c.market = 'XNYS' and c.date >= date '1990-01-01' and c.is_standard_monthly"
        " <> exists (from expiration_series e where e.root = 'SPX' and e.expiration_date = c.date)"
    ) == [(0,)]
    assert query(
        "select count(*) from calendar c where c.market = 'XNYS' and c.date > date '2015-10-08' and c.is_vix_weekly"
        " <> exists (from expiration_series e where e.root = 'VIX' and e.expiration_date = c.date)"
    ) == [(0,)]
    assert query(
        "select count(*) from calendar c where c.market = 'XNYS' and c.date > date '2004-05-01' and c.is_vix_expiration"
        " <> exists (from expiration_series e where e.root = 'VIX' and e.kind = 'vix_monthly' and e.expiration_date = c.date)"
    ) == [(0,)]


def test_index_options_close_later_on_a_short_day(query):
    assert query(
        "select market, close_utc from calendar where date = date '2024-07-03' order by 1"
    ) == [
        ("CBOE_IDX", datetime.fromisoformat("2024-07-03T17:15")),
        ("CFE", datetime.fromisoformat("2024-07-03T17:15")),
        ("XNYS", datetime.fromisoformat("2024-07-03T17:00")),
    ]
