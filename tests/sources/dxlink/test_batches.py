# SPDX-License-Identifier: Apache-2.0
"""How long an event waits for others: longer where batches cost much, never long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from moved_clock import MovedClock

from ttapi.sources.contract import StreamRequest
from ttapi.sources.dxlink.live import BY_RESOURCE
from ttapi.sources.dxlink.load import CUT_AFTER_S, _LiveConnection, _millis


@pytest.fixture
def connection():
    request = StreamRequest(BY_RESOURCE["quotes"].resource, ("SPY",))
    return _LiveConnection([request], lambda: datetime(2024, 6, 14, tzinfo=UTC), MovedClock(100.0))


def waited(connection):
    """Seconds that the next event waits for others."""
    fields = BY_RESOURCE["quotes"].fields
    event = ["SPY" if name == "eventSymbol" else 1 for name in fields]
    connection._columns.take(["Quote", event], {"Quote": fields}, datetime(2024, 6, 14, tzinfo=UTC))
    connection._cut_at = None
    assert list(connection.take("a frame of something else")) is not None
    return connection._cut_at - connection._clock.now


def test_what_arrived_before_the_connection_was_lost_makes_a_batch(connection):
    waited(connection)
    (batch,) = connection.left()
    assert batch.rows["symbol"].to_pylist() == ["SPY"]
    assert list(connection.left()) == []


def test_batches_that_cost_little_do_not_keep_an_event_waiting(connection):
    for _ in range(20):
        connection.note_cost(0.001)
    assert waited(connection) == pytest.approx(CUT_AFTER_S)


def test_batches_that_cost_much_are_made_of_more_events_and_soon_no_more(connection):
    connection.note_cost(0.01)
    once = waited(connection)
    for _ in range(20):
        connection.note_cost(0.01)
    assert CUT_AFTER_S < once < waited(connection)
    assert waited(connection) == pytest.approx(0.05, rel=0.01), "a fifth of the time"
    for _ in range(40):
        connection.note_cost(0.001)
    assert waited(connection) == pytest.approx(CUT_AFTER_S, rel=0.01)


def test_no_event_waits_for_longer_than_a_tenth_of_a_second(connection):
    for _ in range(50):
        connection.note_cost(60.0)
    assert waited(connection) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "asked"), [("minutes", "2024-06-14T15:30:00+00:00"), ("time_and_sales", "2024-06-14T15:30:42.500000+00:00")]
)  # fmt: skip
def test_a_minute_that_had_begun_is_asked_whole_and_prints_from_the_instant_on(name, asked):
    since = datetime(2024, 6, 14, 15, 30, 42, 500_000, UTC)
    request = StreamRequest(BY_RESOURCE[name].resource, ("SPY",), since)
    assert _millis(request.since, name) == int(datetime.fromisoformat(asked).timestamp() * 1000)
