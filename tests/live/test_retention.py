# SPDX-License-Identifier: Apache-2.0
"""What is kept of the logs: so many days, so many gigabytes; the oldest goes first, and it is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.clock import FixedClock
from ttapi.live.recorded_file import RecordedFile
from ttapi.sources.dxlink.live import BY_RESOURCE, LiveColumns
from ttapi.store.ledger import SessionSize, rows_to_forget
from ttapi.store.log import LogRecord, LogRows
from ttapi.store.store import open_store

PRINTS, QUOTES = "raw.dxlink_time_and_sales", "raw.dxlink_quotes"
TELLS = {"time_and_sales": ("TimeAndSale", "price"), "quotes": ("Quote", "bidPrice")}


def events(name, at, *prices):
    """Events of SPY that arrived at one instant."""
    event_type, field = TELLS[name]
    columns = LiveColumns({"SPY": "SPY"})
    columns.take([event_type, [v for price in prices for v in ("SPY", price)]], {event_type: ("eventSymbol", field)}, at)  # fmt: skip
    ((_, rows, _),) = columns.cut()
    return LogRows(f"raw.{BY_RESOURCE[name].resource.table}", pa.Table.from_batches([rows]))


def many(name, at, count):
    """So many events, of prices that do not compress."""
    rows = events(name, at, 1.0).rows
    column = "price" if "price" in rows.column_names else "bid"
    repeated = rows.take(pa.array(np.zeros(count, np.int64)))
    prices = pa.array(np.random.default_rng(7).random(count))
    place = repeated.column_names.index(column)
    return LogRows(f"raw.{BY_RESOURCE[name].resource.table}", repeated.set_column(place, column, prices))  # fmt: skip


@pytest.fixture
def keep(lab):
    """Records what arrived on some days, a record a day, and publishes; the recording is given back."""

    def run(parts, days=(0,), **settings):
        lab.environ |= {f"TTAPI_STREAM_KEEP_{name.upper()}": str(v) for name, v in settings.items()}
        environment = lab.environment()
        with open_store(lab.home, command="test", now=lab.now) as store:
            recording = RecordedFile(store, environment, FixedClock(lab.now))
            first = recording.position + 1
            for number, day in enumerate(days):
                at = lab.now - timedelta(days=day)
                recording.append([LogRecord(first + number, tuple(part(at) for part in parts))])
            recording.publish([])
            forgotten = dict(recording.forgotten)
            recording.publish([])
        return forgotten

    return run


def counts_by_day(lab, relation):
    return lab.rows(
        f"select received_at::date::varchar, count(*) from {relation} group by all order by all"
    )


def ledger(lab, dataset):
    return lab.rows(f"select key, rows_in, rows_accepted from catalog.units where dataset = '{dataset}' order by key")  # fmt: skip


def test_sessions_past_their_days_are_removed_and_told(lab, keep):
    day = [str((lab.now - timedelta(n)).date()) for n in range(40)]
    parts = [lambda at: events("time_and_sales", at, 1.0, 2.0)]
    assert keep(parts, days=(31, 30, 0)) == {}
    assert keep(parts, days=()) == {}
    assert counts_by_day(lab, "ticks") == [(day[31], 2), (day[30], 2), (day[0], 2)]
    lab.environ["TTAPI_STREAM_KEEP_DAYS"] = "30"
    assert keep(parts) == {PRINTS: 2}
    assert counts_by_day(lab, "ticks") == [(day[30], 2), (day[0], 4)]
    assert ledger(lab, PRINTS) == [(day[30], 2, 2), (day[0], 4, 4)]
    told = lab.rows("select dataset, detail from health where code = 'stream retention'")
    assert told == [(PRINTS, "2 rows removed, the oldest first: [stream] keep_days, keep_gb")]


def test_the_oldest_days_go_until_the_logs_take_no_more_than_they_may(lab, keep):
    parts = [lambda at: many("time_and_sales", at, 60_000), lambda at: many("quotes", at, 30_000)]
    keep(parts, days=(3, 2, 1, 0))
    held = bytes_held(lab)
    forgotten = keep([], days=(), gb=0.6 * held / 1e9)
    assert bytes_held(lab) <= 0.75 * held, (
        "row groups go whole: the engine keeps the one that was cut"
    )
    days = [str((lab.now - timedelta(n)).date()) for n in (3, 2, 1, 0)]
    for relation, dataset, all_rows in (("ticks", PRINTS, 60_000), ("tick_quotes", QUOTES, 30_000)):
        left = counts_by_day(lab, relation)
        # Two of four days are half; the rest of it comes off the second, ten percent for later included.
        assert [one[0] for one in left] == days[1:]
        assert [rows for _, rows in left[1:]] == [all_rows, all_rows]
        assert 0 < left[0][1] < all_rows
        assert forgotten[dataset] == 4 * all_rows - sum(rows for _, rows in left)
        assert [(key, accepted) for key, _, accepted in ledger(lab, dataset)] == left
    first = lab.rows("select min(sequence), count(*) from ticks where received_at::date = (select min(received_at)::date from ticks)")[0]  # fmt: skip
    assert first[0] & 0xFFFFFF == 60_000 - first[1] + 1, "what came first of that day is gone"
    told = lab.rows("select dataset, detail from health where code = 'stream retention' order by 1")
    assert [one[0] for one in told] == [QUOTES, PRINTS]


def test_a_day_that_is_too_large_alone_loses_its_first_events(lab, keep):
    keep([lambda at: many("time_and_sales", at, 250_000)])
    held = bytes_held(lab)
    forgotten = keep([], days=(), gb=0.5 * held / 1e9)
    ((left,),) = lab.rows("select count(*) from ticks")
    assert forgotten == {PRINTS: 250_000 - left}
    assert 0 < left < 150_000
    assert bytes_held(lab) <= 0.7 * held, (
        "row groups go whole: the engine keeps the one that was cut"
    )
    assert lab.rows("select rows from freshness where dataset = 'raw.dxlink_time_and_sales'") == [(left,)]  # fmt: skip


def bytes_held(lab):
    ((blocks,),) = lab.rows(
        "select count(distinct block_id) from (select block_id from pragma_storage_info('raw.dxlink_time_and_sales') where persistent"
        " union all select block_id from pragma_storage_info('raw.dxlink_quotes') where persistent)"
    )  # fmt: skip
    return blocks * 262_144


SESSIONS = st.lists(
    st.builds(
        SessionSize,
        st.sampled_from(["raw.a", "raw.b"]),
        st.integers(1, 5).map(lambda n: date(2024, 6, n)),
        st.integers(0, 100),
        st.floats(0, 1e6),
    ),
    unique_by=lambda one: (one.dataset, one.day),
)


@given(SESSIONS, st.floats(0, 1e7, allow_subnormal=False))
def test_no_more_goes_than_must_and_nothing_before_what_is_older(sessions, excess):
    found = rows_to_forget(sessions, excess)
    size = {(one.dataset, one.day): one.size for one in sessions if one.rows}
    gone = sum(size[key] * share for key, share in found.items())
    assert gone <= excess * (1 + 1e-9)
    if any(share < 1 for share in found.values()):
        whole = {day for (_, day), share in found.items() if share == 1}
        (cut,) = {day for (_, day), share in found.items() if share < 1}
        assert all(day < cut for day in whole)
    newest = max((day for _, day in found), default=date(1, 1, 1))
    assert all(key in found for key in size if key[1] < newest and size[key])


def test_dates_are_those_of_new_york(lab, keep):
    lab.now = datetime(2024, 6, 14, 2, 0, tzinfo=UTC)
    keep([lambda at: events("time_and_sales", at, 1.0)], days=(0,))
    assert ledger(lab, PRINTS) == [("2024-06-13", 1, 1)]
