# SPDX-License-Identifier: Apache-2.0
"""Sessions against published counts, named days and two independent calendars."""

from __future__ import annotations

import runpy
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ttapi.errors import UsageError
from ttapi.market import shipped
from ttapi.market.calendar import MARKETS, sessions

XNYS = sessions("XNYS")
NEW_YORK = ZoneInfo("America/New_York")
ROOT = Path(__file__).resolve().parents[2]
COUNTS = """252 248 252 252 252 252 251 251 253 252 252 252 250 252
            252 252 252 251 251 252 253 252 251 250 252 250 251 251"""
SESSIONS_A_YEAR = dict(zip(range(2000, 2028), map(int, COUNTS.split()), strict=True))
EVERY_DAY = [date(2000, 1, 1) + timedelta(days=n) for n in range(10_227)]
pandas_warns = pytest.mark.filterwarnings("ignore")


def test_each_year_has_its_published_number_of_sessions():
    counted = {
        year: XNYS.sessions_between(date(year - 1, 12, 31), date(year, 12, 31))
        for year in SESSIONS_A_YEAR
    }
    assert counted == SESSIONS_A_YEAR
    assert sum(counted.values()) == 7_041


def test_closures_and_announced_early_closes_are_counted_as_published():
    closures = [d for d in EVERY_DAY if d.weekday() < 5 and not XNYS.is_session(d)]
    assert len(closures) == 264
    assert all(XNYS.holiday_name(d) for d in closures)
    assert sum(XNYS.is_early_close(d) for d in EVERY_DAY) == 61


@pandas_warns
def test_dates_and_early_closes_equal_exchange_calendars():
    peer = pytest.importorskip("exchange_calendars").get_calendar(
        "XNYS", start="2000-01-01", end="2027-12-31"
    )
    ours = [d for d in EVERY_DAY if XNYS.is_session(d)]
    assert [stamp.date() for stamp in peer.sessions] == ours
    assert [s.date() for s in peer.early_closes] == [d for d in ours if XNYS.is_early_close(d)]
    # The peer lacks the systems failure of 2005-06-01 and every late open.
    late = {day.date for day in shipped.late_opens()}
    for day, opened, closed in zip(ours, peer.opens, peer.closes, strict=True):
        if day != date(2005, 6, 1):
            assert XNYS.close_utc(day) == closed.to_pydatetime()
        if day not in late:
            assert XNYS.open_utc(day) == opened.to_pydatetime()


@pandas_warns
def test_every_open_and_close_equals_pandas_market_calendars():
    peer = pytest.importorskip("pandas_market_calendars").get_calendar("NYSE")
    schedule = peer.schedule("2000-01-01", "2027-12-31")
    theirs = [
        (day.date(), opened.to_pydatetime(), closed.to_pydatetime())
        for day, opened, closed in zip(
            schedule.index, schedule["market_open"], schedule["market_close"], strict=True
        )
    ]
    ours = [(d, XNYS.open_utc(d), XNYS.close_utc(d)) for d in EVERY_DAY if XNYS.is_session(d)]
    assert ours == theirs


@pandas_warns
def test_the_shipped_files_are_what_the_script_writes(tmp_path):
    pytest.importorskip("exchange_calendars")
    pytest.importorskip("pandas_market_calendars")
    main = runpy.run_path(str(ROOT / "scripts/make_calendar.py"))["main"]
    main(tmp_path)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    shipped_folder = ROOT / "ttapi/market/data"
    assert sorted(written) == ["closures.csv", "early_closes.csv", "late_opens.csv"]
    assert written == {name: (shipped_folder / name).read_bytes() for name in written}


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2001-09-11", "Terrorist attacks of September 11"),
        ("2001-09-14", "Terrorist attacks of September 11"),
        ("2004-06-11", "Day of mourning for President Reagan"),
        ("2007-01-02", "Day of mourning for President Ford"),
        ("2012-10-29", "Hurricane Sandy"),
        ("2012-10-30", "Hurricane Sandy"),
        ("2018-12-05", "Day of mourning for President George H. W. Bush"),
        ("2025-01-09", "Day of mourning for President Carter"),
        ("2022-06-20", "Juneteenth"),
        ("2023-06-19", "Juneteenth"),
        ("2024-06-19", "Juneteenth"),
        ("2025-06-19", "Juneteenth"),
        ("2026-06-19", "Juneteenth"),
        ("2027-06-18", "Juneteenth"),
        ("2026-07-03", "Independence Day"),
        ("2025-04-18", "Good Friday"),
        ("2027-12-24", "Christmas"),
        ("2025-02-17", "Washington's Birthday"),
    ],
)
def test_a_closure_has_a_name(day, name):
    assert not XNYS.is_session(date.fromisoformat(day))
    assert XNYS.holiday_name(date.fromisoformat(day)) == name


@pytest.mark.parametrize(
    "day",
    [
        "2020-06-19",
        "2021-06-18",
        "2010-12-31",
        "2021-12-31",
        "2015-07-02",
        "2020-07-02",
        "2026-07-02",
    ],
)
def test_a_day_that_bad_calendars_close_was_a_full_session(day):
    day = date.fromisoformat(day)
    assert (XNYS.is_session(day), XNYS.is_early_close(day), XNYS.holiday_name(day)) == (
        True,
        False,
        None,
    )
    assert XNYS.close_utc(day).astimezone(NEW_YORK).time() == time(16)


def test_early_closes_of_three_years():
    days = [d for d in EVERY_DAY if d.year >= 2025 and XNYS.is_early_close(d)]
    assert [str(d) for d in days] == [
        "2025-07-03", "2025-11-28", "2025-12-24", "2026-11-27", "2026-12-24", "2027-11-26",
    ]  # fmt: skip
    assert {XNYS.close_utc(d).astimezone(NEW_YORK).time() for d in days} == {time(13)}


def test_late_opens_and_the_halt_of_2005_show_in_the_instants_alone():
    late = {
        str(d): XNYS.open_utc(d).astimezone(NEW_YORK) for d in EVERY_DAY if XNYS.is_late_open(d)
    }
    assert {day: f"{at:%H:%M}" for day, at in late.items()} == {
        "2001-09-17": "09:33",
        "2001-10-08": "09:31",
        "2002-09-11": "12:00",
        "2003-03-20": "09:32",
        "2004-06-07": "09:32",
        "2006-12-27": "09:32",
    }
    halt = date(2005, 6, 1)
    assert f"{XNYS.close_utc(halt).astimezone(NEW_YORK):%H:%M}" == "15:56"
    assert not XNYS.is_early_close(halt)


@pytest.mark.parametrize("market", ["CBOE_IDX", "CFE"])
def test_index_options_close_a_quarter_hour_after_the_stock_exchange(market):
    ours = sessions(market)
    assert ours.dates == XNYS.dates
    closes = {
        (XNYS.is_early_close(d), f"{ours.close_utc(d).astimezone(NEW_YORK):%H:%M}")
        for d in EVERY_DAY
        if XNYS.is_session(d)
    }
    assert closes == {(False, "16:15"), (True, "13:15")}


def test_instants_follow_daylight_saving_time():
    winter, summer = date(2025, 1, 2), date(2025, 7, 2)
    assert XNYS.open_utc(winter) == datetime(2025, 1, 2, 14, 30, tzinfo=UTC)
    assert XNYS.close_utc(winter) == datetime(2025, 1, 2, 21, 0, tzinfo=UTC)
    assert XNYS.open_utc(summer) == datetime(2025, 7, 2, 13, 30, tzinfo=UTC)
    assert XNYS.close_utc(summer) == datetime(2025, 7, 2, 20, 0, tzinfo=UTC)


@pandas_warns
def test_the_bond_market_calendar_would_be_noticed():
    peer = pytest.importorskip("pandas_market_calendars").get_calendar("SIFMA_US")
    bonds = {stamp.date() for stamp in peer.valid_days("2018-01-01", "2025-12-31")}
    ours = {d for d in XNYS.dates if date(2018, 1, 1) <= d <= date(2025, 12, 31)}
    columbus, veterans = date(2024, 10, 14), date(2024, 11, 11)
    assert {columbus, veterans} <= ours - bonds
    assert {date(2018, 12, 5), date(2021, 4, 2), date(2025, 1, 9)} <= bonds - ours


def test_days_and_markets_out_of_range_are_refused_with_what_would_work():
    with pytest.raises(UsageError, match=r"unknown market 'NYSE'.*XNYS, CBOE_IDX, CFE"):
        sessions("NYSE")
    with pytest.raises(UsageError, match=r"1952-12-31 is outside.*1953-01-01 to 2050-12-31"):
        XNYS.is_session(date(1952, 12, 31))
    with pytest.raises(UsageError, match="2025-01-09 is no session of XNYS: Day of mourning"):
        XNYS.close_utc(date(2025, 1, 9))
    with pytest.raises(UsageError, match="2025-01-11 is no session of XNYS: a weekend"):
        XNYS.open_utc(date(2025, 1, 11))
    with pytest.raises(UsageError, match="knows no session before 1953-01-02"):
        XNYS.previous_session(date(1953, 1, 2))
    with pytest.raises(UsageError, match="knows no session after 2050-12-30"):
        XNYS.next_session(date(2050, 12, 30))


def test_every_market_has_regular_hours_and_every_closure_is_a_weekday():
    assert set(shipped.regular_hours()) == set(MARKETS)
    assert all(day.date.weekday() < 5 for day in shipped.closures())
    assert {day.kind for day in shipped.closures()} == {"regular", "ad-hoc"}
