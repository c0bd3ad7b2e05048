# SPDX-License-Identifier: Apache-2.0
"""The expiration series against dates read on exchange pages, and the macro over it."""

from __future__ import annotations

from datetime import date, datetime

import pytest


def days(year, *month_days):
    return [f"{year}-{month_day}" for month_day in month_days]


# Cboe and CFE settlement pages, Cboe Options Hub, VIX and More; (root, settlement, kind or None, dates).
ORACLE = [
    ("SPX", "AM", "monthly", days(2024, "10-18", "11-15", "12-20")),
    ("SPX", "AM", "monthly", days(2025, "01-17", "02-21", "03-21", "04-17", "05-16", "06-20", "07-18", "08-15", "09-19", "10-17", "11-21", "12-19")),
    ("SPX", "AM", "monthly", days(2026, "03-20", "04-17", "05-15", "06-18", "07-17", "08-21", "12-18")),
    ("SPX", "AM", "monthly", ["2027-06-17", "2014-04-17"]),
    ("EQUITY", "PM", "monthly", ["2026-06-18", "2014-04-17"]),
    ("VIX", "AM", "vix_monthly", ["2008-02-19", "2014-03-18"]),
    ("VIX", "AM", "vix_monthly", days(2024, "01-17", "02-14", "03-20", "04-17", "05-22", "06-18", "07-17", "08-21", "09-18", "10-16", "11-20", "12-18")),
    ("VIX", "AM", "vix_monthly", days(2025, "01-22", "02-19", "03-18", "04-16", "05-21", "06-18", "07-16", "08-20", "09-17")),
    ("VIX", "AM", "vix_monthly", days(2026, "03-18", "04-15", "05-19", "06-17", "07-22", "08-19", "09-16", "10-21", "11-18")),
    ("VIX", "AM", "vix_weekly", days(2019, "06-05", "06-12", "06-26", "07-03", "07-10", "07-24", "07-31")),
    ("VIX", "AM", "vix_weekly", ["2015-11-24"]),
    ("SPXW", "PM", "quarterly", ["2026-03-31", "2026-06-30", "2024-03-28"]),
    ("SPXW", "PM", "eom", ["2026-04-30", "2026-05-29", "2016-08-31"]),
    ("SPXW", "PM", "weekly", days(2016, "08-22", "08-24", "08-26", "08-29", "09-02", "09-06", "09-07", "09-09", "09-14")),
]  # fmt: skip
ORACLE_ROWS = [
    (root, day, settlement, kind) for root, settlement, kind, dates in ORACLE for day in dates
]
MOVED_MONTHLIES = [
    "1992-04-16", "2000-04-20", "2003-04-17", "2008-03-20", "2014-04-17",
    "2019-04-18", "2022-04-14", "2025-04-17", "2026-06-18", "2027-06-17",
]  # fmt: skip
MOVED_VIX = [
    "2008-02-19", "2014-03-18", "2019-03-19", "2022-03-15",
    "2024-06-18", "2025-03-18", "2026-05-19", "2027-05-18",
]  # fmt: skip


def column(rows):
    return [str(value) for (value,) in rows]


@pytest.mark.parametrize(("root", "day", "settlement", "kind"), ORACLE_ROWS)
def test_an_expiration_read_at_an_exchange_follows_from_the_rules(
    query, root, day, settlement, kind
):
    assert query(
        "select settlement, kind, source from expiration_series where root = ? and expiration_date = ?::date",
        root,
        day,
    ) == [(settlement, kind, "rule")]


@pytest.mark.parametrize(
    ("root", "day"),
    [
        ("SPX", "2025-04-18"),
        ("EQUITY", "2025-04-18"),
        ("VIX", "2014-03-19"),
        ("SPXW", "2016-09-05"),
        ("EQUITY", "2024-03-29"),
        ("SPX", "2027-06-18"),
        ("VIX", "2018-12-05"),
    ],
)
def test_a_date_of_a_wrong_public_list_is_no_expiration(query, root, day):
    assert (
        query(
            "select * from expiration_series where root = ? and expiration_date = ?::date",
            root,
            day,
        )
        == []
    )


@pytest.mark.parametrize("root", ["EQUITY", "SPX"])
def test_the_monthlies_that_holidays_moved(query, root):
    assert (
        column(
            query(
                "select expiration_date from expiration_series where root = ? and kind = 'monthly' and was_moved and year(expiration_date) <= 2027 order by 1",
                root,
            )
        )
        == MOVED_MONTHLIES
    )


def test_vix_monthlies_moved_to_a_tuesday(query):
    assert (
        column(
            query(
                "select expiration_date from expiration_series where kind = 'vix_monthly' and was_moved and year(expiration_date) <= 2027 order by 1"
            )
        )
        == MOVED_VIX
    )


def test_vix_monthly_is_not_the_third_wednesday(query):
    other = column(
        query(
            "select expiration_date from expiration_series where kind = 'vix_monthly' and year(expiration_date) between 2019 and 2026"
            " and not (isodow(expiration_date) = 3 and day(expiration_date) between 15 and 21) order by 1"
        )
    )
    assert len(other) == 16
    assert {"2019-02-13", "2019-05-22", "2024-02-14", "2025-01-22"} <= set(other)


def test_a_friday_holiday_gives_thursday_and_a_monday_holiday_tuesday(query):
    thursdays = ["2024-03-28", "2025-07-03", "2026-04-02", "2026-07-02", "2027-12-23"]
    assert query(
        "select expiration_date::varchar, kind, was_moved, scheduled_date - expiration_date from expiration_series"
        " where root = 'EQUITY' and expiration_date::varchar in (select unnest(?)) order by 1",
        thursdays,
    ) == [(day, "weekly", True, 1) for day in thursdays]
    assert query(
        "select kind, was_moved, scheduled_date from expiration_series where root = 'SPXW' and expiration_date = date '2016-09-06'"
    ) == [("weekly", True, date(2016, 9, 5))]


def test_a_weekly_of_its_own_day_wins_over_one_moved_there(query):
    assert query(
        "select was_moved, scheduled_date from expiration_series where root = 'SPXW' and expiration_date = date '2025-07-03'"
    ) == [(False, date(2025, 7, 3))]


def test_two_spx_series_expire_on_a_third_friday(query):
    assert query(
        "select root, settlement, kind, last_trade_date, settle_utc from expiration_series"
        " where underlying = 'SPX' and expiration_date = date '2014-04-17' order by 1"
    ) == [
        ("SPX", "AM", "monthly", date(2014, 4, 16), datetime.fromisoformat("2014-04-17T13:30")),
        ("SPXW", "PM", "monthly", date(2014, 4, 17), datetime.fromisoformat("2014-04-17T20:00")),
    ]


def test_options_on_vix_last_trade_the_session_before(query):
    assert query(
        "select last_trade_date, settle_utc from expiration_series where root = 'VIX' and expiration_date = date '2008-02-19'"
    ) == [(date(2008, 2, 15), datetime.fromisoformat("2008-02-19T14:30"))]


def test_a_short_day_settles_early(query):
    assert query(
        "select settle_utc from expiration_series where root = 'SPY' and expiration_date = date '2025-07-03'"
    ) == [(datetime.fromisoformat("2025-07-03T17:00"),)]


def test_each_root_has_its_kinds_settlement_and_style(query):
    assert query(
        "select root, underlying, exercise_style, settlement, list(distinct kind order by kind) from expiration_series group by all order by root, settlement"
    ) == [
        ("EQUITY", None, "A", "PM", ["monthly", "weekly"]),
        ("QQQ", "QQQ", "A", "PM", ["monthly", "quarterly", "weekly"]),
        ("SPX", "SPX", "E", "AM", ["monthly"]),
        ("SPXW", "SPX", "E", "AM", ["weekly"]),
        ("SPXW", "SPX", "E", "PM", ["eom", "monthly", "quarterly", "weekly"]),
        ("SPY", "SPY", "A", "PM", ["monthly", "quarterly", "weekly"]),
        ("VIX", "VIX", "E", "AM", ["vix_monthly", "vix_weekly"]),
    ]


def test_leaps_are_the_january_monthlies(query):
    assert column(
        query(
            "select expiration_date from expiration_series where root = 'EQUITY' and is_leaps and year(expiration_date) >= 2023 order by 1"
        )
    ) == ["2023-01-20", "2024-01-19", "2025-01-17", "2026-01-16", "2027-01-15", "2028-01-21"]


def test_a_key_has_one_row_and_dates_stand_in_order(query):
    assert query(
        "select count(*) from (select 1 from expiration_series group by root, expiration_date, settlement having count(*) > 1)"
    ) == [(0,)]
    assert query(
        "select count(*) from expiration_series e left join calendar c on c.market = 'XNYS' and c.date = e.expiration_date where not c.is_trading_day"
        " or c.session_no <> e.session_no or e.listed_from > e.last_trade_date or e.last_trade_date > e.expiration_date"
    ) == [(0,)]
    assert query(
        "select count(*) from expiration_series e left join calendar c on c.market = 'XNYS' and c.date = e.listed_from where c.is_trading_day is not true"
    ) == [(0,)]
    assert query("select max(abs(scheduled_date - expiration_date)) from expiration_series") == [
        (1,)
    ]


@pytest.mark.parametrize(
    ("root", "settlement", "kind", "weekday", "listed", "first"),
    [
        ("EQUITY", "PM", "monthly", 5, "1990-01-02", "1990-01-19"),
        ("EQUITY", "PM", "weekly", 5, "2010-07-01", "2010-07-02"),
        ("SPX", "AM", "monthly", 5, "1990-01-02", "1990-01-19"),
        ("SPXW", "AM", "weekly", 5, "2005-10-28", "2005-11-04"),
        ("SPXW", "PM", "weekly", 5, "2010-12-02", "2010-12-10"),
        ("SPXW", "PM", "weekly", 3, "2016-02-23", "2016-03-02"),
        ("SPXW", "PM", "weekly", 1, "2016-08-15", "2016-08-22"),
        ("SPXW", "PM", "weekly", 2, "2022-04-18", "2022-04-26"),
        ("SPXW", "PM", "weekly", 4, "2022-05-11", "2022-05-19"),
        ("SPY", "PM", "monthly", 5, "2012-01-03", "2012-01-20"),
        ("SPY", "PM", "weekly", 3, "2016-08-30", "2016-09-07"),
        ("SPY", "PM", "weekly", 1, "2018-02-16", "2018-02-26"),
        ("SPY", "PM", "weekly", 2, "2022-11-14", "2022-11-22"),
        ("QQQ", "PM", "weekly", 4, "2022-11-16", "2022-12-01"),
        ("VIX", "AM", "vix_monthly", 3, "2004-03-26", "2004-05-19"),
        ("VIX", "AM", "vix_weekly", 3, "2015-10-08", "2015-10-14"),
    ],
)
def test_no_expiration_stands_before_its_listing_start(
    query, *, root, settlement, kind, weekday, listed, first
):
    assert query(
        "select min(listed_from)::varchar, min(expiration_date)::varchar from expiration_series"
        " where root = ? and settlement = ? and kind = ? and isodow(scheduled_date) = ?",
        root, settlement, kind, weekday,
    ) == [(listed, first)]  # fmt: skip


@pytest.mark.parametrize(
    ("root", "expiration", "listed_from"),
    [
        ("SPX", "2025-05-16", "2024-05-20"),  # the session after the May expiration of 2024
        ("SPX", "2026-06-18", "2023-06-20"),  # three years ahead; 2023-06-19 was a holiday
        ("EQUITY", "2027-01-15", "2024-09-23"),  # LEAPS: after the September expiration
        ("EQUITY", "2025-04-17", "2025-02-24"),  # the two nearest months
        ("EQUITY", "2025-04-25", "2025-03-20"),  # five weeks ahead, a Thursday
        ("VIX", "2025-03-18", "2024-06-24"),  # nine months ahead
    ],
)
def test_a_series_is_listed_from_the_session_its_programme_says(
    query, root, expiration, listed_from
):
    assert query(
        "select listed_from::varchar from expiration_series where root = ? and expiration_date = ?::date",
        root,
        expiration,
    ) == [(listed_from,)]


def test_spxw_fridays_changed_settlement_in_december_2010(query):
    assert query(
        "select expiration_date::varchar, settlement from expiration_series where root = 'SPXW'"
        " and expiration_date between date '2010-11-26' and date '2010-12-10' order by 1"
    ) == [("2010-11-26", "AM"), ("2010-12-03", "AM"), ("2010-12-10", "PM")]


@pytest.mark.parametrize(
    ("as_of", "expiration", "dte_calendar", "dte_trading"),
    [
        ("2025-04-01", "2025-04-17", 16, 12),
        ("2024-12-31", "2025-01-17", 17, 11),
        ("2026-06-01", "2026-06-18", 17, 13),
        ("2024-11-25", "2024-12-20", 25, 18),
        ("2026-11-20", "2026-12-18", 28, 19),
        ("2025-04-17", "2025-04-17", 0, 0),
        ("2025-04-12", "2025-04-17", 5, 4),
    ],
)
@pytest.mark.parametrize("root", ["EQUITY", "SPX"])
def test_days_to_expiration_count_closures_out(
    query, *, root, as_of, expiration, dte_calendar, dte_trading
):
    wanted = "select dte_calendar, dte_trading from expirations({}, '{}') where expiration_date = '{}' and kind = 'monthly'"
    for text in (f"'{as_of}'", f"date '{as_of}'"):
        assert query(wanted.format(text, root, expiration)) == [(dte_calendar, dte_trading)]


def test_the_macro_lists_what_is_listed_that_day(query):
    assert query(
        "select expiration_date::varchar, kind, was_moved, is_leaps from expirations('2025-04-01', 'equity')"
    ) == [
        ("2025-04-04", "weekly", False, False),
        ("2025-04-11", "weekly", False, False),
        ("2025-04-17", "monthly", True, False),
        ("2025-04-25", "weekly", False, False),
        ("2025-05-02", "weekly", False, False),
        ("2025-05-16", "monthly", False, False),
        ("2026-01-16", "monthly", False, True),
        ("2027-01-15", "monthly", False, True),
    ]
    assert query(
        "select count(*) from expirations('2016-08-12', 'SPXW') where scheduled_date = date '2016-08-29'"
    ) == [(0,)]
    assert query(
        "select count(*) from expirations('2016-08-15', 'SPXW') where scheduled_date = date '2016-08-29'"
    ) == [(1,)]


def test_the_macro_answers_nothing_for_an_unknown_root_or_day(query):
    assert query("select * from expirations('2025-04-01', 'NOPE')") == []
    assert query("select * from expirations('1951-04-01', 'SPX')") == []
