# SPDX-License-Identifier: Apache-2.0
"""The calendar source: what it lists, yields and knows since when."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from ttapi.market import shipped
from ttapi.sources.calendar import CalendarSource, last_calendar_date
from ttapi.sources.contract import Source, SourceContext, Unit, UnitRequest

SOURCE = CalendarSource()
DAYS, HORIZONS, UNIVERSES = SOURCE.resources
NOW = SourceContext(settings={}, now=datetime(2026, 11, 21, tzinfo=UTC))
ARROW = {
    "VARCHAR": pa.large_string(),
    "DATE": pa.date32(),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "TIMESTAMP": pa.timestamp("us"),
}


def fetch(resource, key, context=NOW, known_hash=None):
    (batch,) = SOURCE.fetch(resource, [UnitRequest(Unit(key), known_hash=known_hash)], context)
    return batch


def test_it_is_a_source_that_needs_no_setting():
    assert isinstance(SOURCE, Source)
    assert [SOURCE.missing_setting(r, NOW) for r in SOURCE.resources] == [None, None, None]
    assert [u.key for u in SOURCE.survey(DAYS, NOW)] == ["XNYS", "CBOE_IDX", "CFE"]
    assert [u.key for u in SOURCE.survey(HORIZONS, NOW)] == ["listing_horizons"]


@pytest.mark.parametrize(
    ("resource", "key"), [(DAYS, "CFE"), (HORIZONS, "listing_horizons"), (UNIVERSES, "universes")]
)
def test_a_batch_has_the_declared_columns_and_counts_its_rows(resource, key):
    batch = fetch(resource, key)
    declared = {column.name: ARROW[column.type] for column in resource.columns}
    own = {"unit": pa.int32(), "line": pa.int32(), "known_at": pa.timestamp("us")}
    assert {field.name: field.type for field in batch.rows.schema} == declared | own
    (report,) = batch.units
    rows = batch.rows.num_rows
    assert (report.rows_in, report.rows_accepted, report.rows_refused) == (rows, rows, 0)
    grain = {tuple(row[name] for name in resource.grain) for row in batch.rows.to_pylist()}
    assert len(grain) == rows
    assert all(value is not None for key in grain for value in key)


def test_days_hold_every_date_of_a_market():
    batch = fetch(DAYS, "XNYS")
    dates = batch.rows["date"].to_pylist()
    assert dates == [
        date.fromordinal(n)
        for n in range(date(1953, 1, 1).toordinal(), date(2029, 1, 1).toordinal())
    ]
    assert (batch.units[0].first_date, batch.units[0].last_date) == (dates[0], dates[-1])
    assert set(batch.rows["market"].to_pylist()) == {"XNYS"}


def test_three_days_of_january_2025_in_full():
    rows = {row["date"]: row for row in fetch(DAYS, "CBOE_IDX").rows.to_pylist()}
    always = datetime.fromisoformat("1953-01-01T00:00")
    common = {
        "market": "CBOE_IDX",
        "is_early_close": False,
        "is_late_open": False,
        "unit": 0,
        "line": None,
    }
    closed = {"is_trading_day": False, "open_utc": None, "close_utc": None}
    assert rows[date(2025, 1, 8)] == common | {
        "date": date(2025, 1, 8),
        "is_trading_day": True,
        "open_utc": datetime.fromisoformat("2025-01-08T14:30"),
        "close_utc": datetime.fromisoformat("2025-01-08T21:15"),
        "holiday_name": None,
        "known_at": always,
    }
    assert rows[date(2025, 1, 9)] == common | closed | {
        "date": date(2025, 1, 9),
        "holiday_name": "Day of mourning for President Carter",
        "known_at": datetime.fromisoformat("2025-01-09T05:00"),
    }
    assert rows[date(2025, 1, 11)] == common | closed | {
        "date": date(2025, 1, 11),
        "holiday_name": None,
        "known_at": always,
    }


def test_early_closes_and_late_opens_are_flagged():
    rows = {row["date"]: row for row in fetch(DAYS, "XNYS").rows.to_pylist()}
    assert rows[date(2025, 7, 3)]["is_early_close"]
    assert rows[date(2002, 9, 11)]["is_late_open"]
    assert not rows[date(2005, 6, 1)]["is_early_close"]
    assert rows[date(2005, 6, 1)]["close_utc"] == datetime.fromisoformat("2005-06-01T19:56")


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2014-06-02", "2028-12-31"),
        ("2026-12-31", "2028-12-31"),
        ("2027-01-02", "2029-12-31"),
        ("2049-05-01", "2050-12-31"),
    ],
)
def test_days_reach_two_years_ahead_but_never_less_than_2028(now, last):
    instant = datetime.fromisoformat(now).replace(hour=12, tzinfo=UTC)
    assert last_calendar_date(instant) == date.fromisoformat(last)
    batch = fetch(DAYS, "XNYS", SourceContext(settings={}, now=instant))
    assert batch.units[0].last_date == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("resource", "key"), [(DAYS, "XNYS"), (HORIZONS, "listing_horizons"), (UNIVERSES, "universes")]
)
def test_known_content_is_answered_without_rows(resource, key):
    first = fetch(resource, key).units[0]
    again = fetch(resource, key, known_hash=first.content_hash)
    assert (again.rows, again.units[0].is_unchanged) == (None, True)
    assert again.units[0].content_hash == first.content_hash


def test_content_changes_when_the_calendar_grows_by_a_year():
    later = SourceContext(settings={}, now=datetime(2027, 6, 1, tzinfo=UTC))
    assert (
        fetch(DAYS, "XNYS").units[0].content_hash
        != fetch(DAYS, "XNYS", later).units[0].content_hash
    )


def test_an_unknown_unit_fails_alone():
    batches = list(SOURCE.fetch(DAYS, [UnitRequest(Unit("XLON")), UnitRequest(Unit("XNYS"))], NOW))
    assert [b.units[0].error for b in batches] == ["the calendar has no unit 'XLON' in days", None]
    assert [b.rows is None for b in batches] == [True, False]


def test_every_listing_programme_has_one_horizon_and_a_reference():
    horizons = shipped.listing_horizons()
    assert {h.root for h in horizons} == {"EQUITY", "SPX", "SPXW", "SPY", "QQQ", "VIX"}
    assert all((h.days_ahead is None) != (h.months_ahead is None) for h in horizons)
    assert all(h.reference and h.listed_since <= h.first_expiration for h in horizons)
    lines = fetch(HORIZONS, "listing_horizons").rows["line"].to_pylist()
    assert lines == list(range(3, 3 + len(horizons)))


def test_shipped_lists_have_as_many_members_as_their_names_say():
    rows = fetch(UNIVERSES, "universes").rows.to_pylist()
    counts = {}
    for row in rows:
        counts[row["name"]] = counts.get(row["name"], 0) + 1
    # The Nasdaq-100 holds two share classes of Alphabet.
    assert counts == {
        "dow_30": 30, "index_etfs": 3, "indices": 7, "nasdaq_100": 101, "sector_etfs": 11,
    }  # fmt: skip
    assert {(r["name"], r["as_of"]) for r in rows if r["name"] == "dow_30"} == {
        ("dow_30", date(2024, 11, 8))
    }
