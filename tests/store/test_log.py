# SPDX-License-Identifier: Apache-2.0
"""Events are appended in the order of their arrival, however many records a commit has, and whatever their columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from ttapi.sources.dxlink.live import BY_RESOURCE
from ttapi.store.log import LogRecord, LogRows, LogWriter
from ttapi.store.store import open_store

RESOURCE = BY_RESOURCE["trades"].resource
NAME = f"raw.{RESOURCE.table}"
NOON = datetime(2024, 6, 14, 16, tzinfo=UTC)


@pytest.fixture
def store(whole_lab):
    with open_store(whole_lab.home, command="a test", wait_s=0, now=NOON) as one:
        yield one


def rows(*prices, at=NOON, names=("symbol", "streamer_symbol", "received_at", "price")):
    """Trades of SPY, a second apart."""
    times = [(at + timedelta(seconds=n)).replace(tzinfo=None) for n in range(len(prices))]
    columns = {
        "symbol": pa.array(["SPY"] * len(prices), pa.string()),
        "streamer_symbol": pa.array(["SPY"] * len(prices), pa.string()),
        "received_at": pa.array(times, pa.timestamp("us")),
        "price": pa.array(prices, pa.float64()),
        "size": pa.array([10.0] * len(prices), pa.float64()),
    }
    return pa.table({name: columns[name] for name in names})


def stored(store):
    with store.reading() as cursor:
        return cursor.execute(
            f"select price, size, arrival >> 24, arrival & 16777215, unit_id from {NAME} order by arrival"
        ).fetchall()


def writer(store):
    return LogWriter(store, store.next_load_id(), {NAME: RESOURCE})


def test_records_of_one_commit_keep_their_order_and_numbers(store):
    log = writer(store)
    records = [
        LogRecord(5, (LogRows(NAME, rows(1.0, 2.0)),)),
        LogRecord(6, (LogRows(NAME, rows(), refused=3),)),
        LogRecord(7, (LogRows(NAME, rows(3.0)),)),
    ]
    assert log.append(records, NOON) == 3
    ((unit,),) = {row[4:] for row in stored(store)}
    assert stored(store) == [(1.0, None, 5, 1, unit), (2.0, None, 5, 2, unit), (3.0, None, 7, 1, unit)]  # fmt: skip
    assert log.append(records, NOON) == 0, "what is stored already is passed over"
    assert log.append([LogRecord(8, (LogRows(NAME, rows(4.0)),))], NOON) == 1
    assert [row[:4] for row in stored(store)][3:] == [(4.0, None, 8, 1)]


def test_records_of_an_older_version_have_other_columns(store):
    with_sizes = ("size", "symbol", "streamer_symbol", "received_at", "price")
    log = writer(store)
    log.append(
        [
            LogRecord(1, (LogRows(NAME, rows(1.0)),)),
            LogRecord(2, (LogRows(NAME, rows(2.0, names=with_sizes)),)),
            LogRecord(3, (LogRows(NAME, rows(3.0)),)),
        ],
        NOON,
    )
    assert [row[:3] for row in stored(store)] == [(1.0, None, 1), (2.0, 10.0, 2), (3.0, None, 3)]


def test_records_of_two_sessions_are_two_units(store):
    log = writer(store)
    later = NOON + timedelta(days=3)
    log.append(
        [LogRecord(1, (LogRows(NAME, rows(1.0)),)), LogRecord(2, (LogRows(NAME, rows(2.0, at=later)),))],
        NOON,
    )  # fmt: skip
    first, second = stored(store)
    assert first[4] != second[4]
    assert log.unsettled == {(NAME, "2024-06-14"), (NAME, "2024-06-17")}
