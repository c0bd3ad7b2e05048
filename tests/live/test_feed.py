# SPDX-License-Identifier: Apache-2.0
"""A feed is kept up whatever its source does, and tells what it could not bring."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.errors import (
    CredentialError,
    SourceDownError,
    StreamLostError,
    StreamRefusedError,
    UsageError,
)
from ttapi.live.feed import Backoff, Feed, StreamGap, _KnownEvents
from ttapi.sources.contract import SourceContext, StreamBatch, StreamReady, StreamRequest
from ttapi.sources.dxlink.live import BY_RESOURCE, LiveColumns

START = datetime(2024, 6, 14, 14, 0, tzinfo=UTC)
PRINTS = BY_RESOURCE["time_and_sales"].resource
QUOTES = BY_RESOURCE["quotes"].resource


def prints(*numbered, resource=PRINTS):
    """A batch of prints (tick_id, price)."""
    names = ("eventSymbol", "index", "price")
    columns = LiveColumns({"SPY": "SPY"})
    columns.take(["TimeAndSale", [v for one in numbered for v in ("SPY", *one)]], {"TimeAndSale": names}, START)  # fmt: skip
    ((_, rows, _),) = columns.cut()
    return StreamBatch(resource, rows)


class Scripted:
    """A source whose connections bring and end as a list says."""

    name = "scripted"

    def __init__(self, *connections):
        self.connections = list(connections)
        self.asked = []

    async def stream(self, requests, context, now):
        self.asked.append([(one.resource.name, one.since) for one in requests])
        for item in self.connections.pop(0):
            if isinstance(item, BaseException):
                raise item
            yield item


class Clock:
    """Moves a second each time it is asked."""

    def __init__(self):
        self.now = START

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


def collected(source, count, pauses=None, context=None, feeds=None):
    """The first `count` things a feed brings, and the feed."""

    async def sleep(seconds):
        (pauses if pauses is not None else []).append(seconds)

    requests = [StreamRequest(PRINTS, ("SPY",)), StreamRequest(QUOTES, ("SPY",))]
    feed = Feed(source, requests, context or SourceContext({}, START), Clock(), backoff=Backoff(sleep=sleep, random=lambda: 1.0))  # fmt: skip
    if feeds is not None:
        feeds.append(feed)

    async def run():
        found = []
        async with aclosing(feed.events()) as events:
            async for event in events:
                found.append(event)
                if len(found) == count:
                    break
        return found

    return asyncio.run(run()), feed


def prices(events):
    return [p for one in events if isinstance(one, StreamBatch) for p in one.rows["price"].to_pylist()]  # fmt: skip


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (StreamLostError("it fell silent"), "it fell silent"),
        (RuntimeError("no idea"), "RuntimeError: no idea"),
        (SystemExit(3), "SystemExit: 3"),
        (SourceDownError("busy"), "busy"),
    ],
)
def test_a_stream_that_ends_in_any_way_is_connected_again_and_the_gap_told(end, told):
    source = Scripted([StreamReady(), prints((1, 1.0)), end], [StreamReady(), prints((2, 2.0))])
    events, feed = collected(source, 3)
    assert prices(events) == [1.0, 2.0]
    (gap,) = [one for one in events if isinstance(one, StreamGap)]
    assert gap.datasets == ("raw.dxlink_quotes", "raw.dxlink_time_and_sales")
    assert START < gap.lost_at < gap.back_at
    assert told in gap.reason
    assert (feed.state.losses, feed.state.connections, feed.state.events) == (1, 2, 2)


def test_of_what_counts_each_the_missed_part_is_asked_for_and_what_is_known_left_out():
    lost = [StreamReady(), prints((1, 1.0), (2, 2.0)), StreamLostError("gone")]
    source = Scripted(lost, [StreamReady(), prints((3, 3.0), (2, 2.0), (1, 1.0)), prints((4, 4.0))])
    events, _ = collected(source, 4)
    assert prices(events) == [1.0, 2.0, 3.0, 4.0]
    first, second = source.asked
    assert first == [("time_and_sales", None), ("quotes", None)]
    assert [name for name, since in second if since is not None] == ["time_and_sales"]


@pytest.mark.parametrize(
    ("name", "is_asked"),
    [
        ("quotes", False),
        ("trades", False),
        ("greeks", False),
        ("time_and_sales", True),
        ("minutes", True),
    ],
)
def test_minutes_and_prints_that_were_missed_are_asked_for_and_what_only_stands_is_not(name, is_asked):  # fmt: skip
    source = Scripted([StreamReady(), StreamLostError("gone")], [StreamReady()])
    request = StreamRequest(BY_RESOURCE[name].resource, ("SPY",))
    feed = Feed(source, [request], SourceContext({}, START), Clock(), backoff=Backoff(sleep=no_pause))  # fmt: skip

    async def first_event():
        async with aclosing(feed.events()) as events:
            return await anext(events)

    gap = asyncio.run(first_event())
    assert isinstance(gap, StreamGap)
    ((_, never),), ((_, since),) = source.asked
    assert never is None
    assert since == (gap.lost_at - timedelta(seconds=5) if is_asked else None)


async def no_pause(seconds):
    assert seconds >= 0


def test_pauses_grow_to_their_longest_and_start_anew_after_an_event():
    down = [StreamLostError("down")]
    source = Scripted(*[down] * 9, [StreamReady(), prints((1, 1.0)), *down], [prints((2, 2.0))])
    pauses = []
    collected(source, 2, pauses)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 0.5]


@pytest.mark.parametrize("end", [CredentialError("revoked"), UsageError("tho = 7")])
def test_what_another_connection_cannot_mend_ends_the_feed(end):
    source = Scripted([end])
    with pytest.raises(type(end)):
        collected(source, 1)
    assert len(source.asked) == 1


def test_a_vendor_that_refuses_three_times_in_a_row_is_left_alone():
    refused = [StreamRefusedError("403")]
    source = Scripted(refused, refused, [StreamReady(), *refused], refused, refused)
    with pytest.raises(StreamRefusedError):
        collected(source, 9)
    assert len(source.asked) == 5


def test_what_is_out_of_reach_is_tried_without_end_and_each_time_as_if_for_the_first():
    """An outage is noted for the rest of a command, with what is borrowed too: a stream asks again."""
    down = [SourceDownError("POST /oauth/token failed 8 times: no connection")]
    source = Scripted(*[down] * 40, [StreamReady(), prints((1, 1.0))])
    stream, seen = source.stream, []

    def noting(requests, context, now):
        for one in (context, context.borrowed["login"]):
            seen.append((one.traffic.unreachable, one.now > START))
            one.traffic.unreachable = "no connection"
        return stream(requests, context, now)

    source.stream = noting
    context = SourceContext({}, START, borrowed={"login": SourceContext({}, START)})
    events, feed = collected(source, 1, context=context)
    assert prices(events) == [1.0]
    assert seen == [(None, True)] * 2 * 41
    assert (feed.state.phase, feed.state.losses, feed.state.connections) == ("streaming", 0, 1)


@pytest.mark.parametrize("was_lost", [True, False])
def test_a_stream_that_is_ended_while_it_is_lost_tells_the_gap_up_to_then(was_lost):
    ends = [StreamReady(), prints((1, 1.0)), *([StreamLostError("it fell silent")] if was_lost else [])]  # fmt: skip
    source = Scripted(ends, [SourceDownError("down")], [CredentialError("over")])
    if not was_lost:
        _, feed = collected(source, 1)
        assert feed.open_gap() is None
        return
    feeds = []
    with pytest.raises(CredentialError):
        collected(source, 9, feeds=feeds)
    gap = feeds[0].open_gap()
    assert gap.reason == "down"
    assert gap.back_at - gap.lost_at > timedelta(seconds=3)


def test_a_batch_of_other_types_is_cast_and_one_of_other_columns_never_reaches_the_journal():
    rows = prints((1, 1.0)).rows
    place = rows.schema.get_field_index("size")
    whole = rows.set_column(place, "size", pa.array([7], pa.int32()))
    lacking = rows.drop_columns(["price"])
    text = rows.set_column(place, "size", pa.array(["many"]))
    source = Scripted(
        [StreamReady(), StreamBatch(PRINTS, whole), StreamBatch(PRINTS, lacking)],
        [StreamReady(), StreamBatch(PRINTS, text)],
        [StreamReady(), prints((9, 9.0))],
    )
    events, feed = collected(source, 4)
    assert [one.rows["size"].to_pylist() for one in events if isinstance(one, StreamBatch)] == [[7.0], [None]]  # fmt: skip
    reasons = [one.reason for one in events if isinstance(one, StreamGap)]
    assert all("time_and_sales: a batch is not as its log declares" in reason for reason in reasons)
    assert feed.state.losses == len(reasons) == 2


def test_what_fell_silent_was_lost_at_its_last_word_and_is_asked_for_from_before_it():
    """The silence is noticed forty seconds later: what came in them is missed too."""

    source = Scripted(
        [StreamReady(), prints((1, 1.0)), StreamLostError("mute")],
        [StreamReady(), prints((2, 2.0))],
    )
    stream = source.stream

    async def slow(requests, context, now):
        async with aclosing(stream(requests, context, now)) as events:
            try:
                async for event in events:
                    yield event
            except StreamLostError:
                for _ in range(40):
                    now()
                raise

    source.stream = slow
    events, _ = collected(source, 3)
    (gap,) = [one for one in events if isinstance(one, StreamGap)]
    assert gap.back_at - gap.lost_at > timedelta(seconds=40)
    assert gap.lost_at < START + timedelta(seconds=10)
    since = dict(source.asked[1])["time_and_sales"]
    assert since == gap.lost_at - timedelta(seconds=5)


def test_an_event_that_comes_twice_over_one_connection_is_held_once_and_a_late_one_is_held():
    sent = [
        prints((1, 1.0), (3, 3.0)),
        prints((3, 3.0), (2, 2.0)),
        prints((4, 4.0), (4, 4.0)),
        prints((2, 2.0)),
    ]
    events, feed = collected(Scripted([StreamReady(), *sent, CredentialError("over")]), 4)
    assert prices(events) == [1.0, 3.0, 2.0, 4.0]
    assert feed.state.events == 4


def test_a_correction_has_the_number_of_what_it_corrects_and_is_an_event_of_its_own():
    names = ("eventSymbol", "index", "price", "type")
    columns = LiveColumns({"SPY": "SPY"})
    told = [("SPY", 1, 1.0, "NEW"), ("SPY", 1, 1.5, "CORRECTION"), ("SPY", 1, 1.5, "CORRECTION")]
    columns.take(["TimeAndSale", [v for one in told for v in one]], {"TimeAndSale": names}, START)
    ((_, rows, _),) = columns.cut()
    events, _ = collected(Scripted([StreamReady(), StreamBatch(PRINTS, rows)]), 1)
    assert prices(events) == [1.0, 1.5]


def test_what_is_remembered_no_more_is_known_by_its_number_once_a_connection_was_lost():
    known = _KnownEvents(most=4)
    for n in range(1, 9, 2):
        known.without_known(prints((n, float(n)), (n + 1, n + 1.0)))
    assert (known.count, known.forgotten) == (4, 4)
    assert known.without_known(prints((3, 3.0))).rows.num_rows == 1, (
        "late, over the same connection"
    )
    known.has_history = True
    assert known.without_known(prints((4, 4.0), (7, 7.0), (9, 9.0))).rows[
        "tick_id"
    ].to_pylist() == [9]


@given(st.lists(st.integers(1, 30), unique=True, max_size=12), st.data())
def test_however_often_a_stream_breaks_every_print_comes_once(numbers, data):
    """The vendor sends after each break all it has; what was there before is left out."""
    numbers = sorted(numbers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(numbers)), max_size=4)))
    sent = [
        [StreamReady(), *(prints((n, float(n))) for n in reversed(numbers[:cut])), StreamLostError("x")]
        for cut in [*cuts, len(numbers)]
    ]  # fmt: skip
    source = Scripted(*sent, [CredentialError("over")])
    found = []

    async def run():
        async def sleep(seconds):
            pass

        feed = Feed(source, [StreamRequest(PRINTS, ("SPY",))], SourceContext({}, START), Clock(), backoff=Backoff(sleep=sleep))  # fmt: skip
        async for event in feed.events():
            found.append(event)  # noqa: PERF401 - what came before the end is kept

    with pytest.raises(CredentialError):
        asyncio.run(run())
    assert sorted(prices(found)) == [float(n) for n in numbers]
