# SPDX-License-Identifier: Apache-2.0
"""What is sent to all: at once where it was quiet, ten times a second where not, nobody waited for."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import CLIENT, Protocol

from ttapi.api import Hub
from ttapi.live.hub import KEPT
from ttapi.server.fanout import Fanout
from ttapi.server.frames import frame_of
from ttapi.sources.contract import StreamBatch
from ttapi.sources.dxlink.live import LiveColumns

AT = datetime(2024, 6, 14, 20, 0, tzinfo=UTC)
FIELD = {"Quote": "bidPrice", "TimeAndSale": "price"}


def read(frames):
    """The messages of whole frames, as a client of the protocol reads them."""
    protocol = Protocol(CLIENT)
    protocol.receive_data(frames)
    found = protocol.events_received()
    assert all(one.opcode is Opcode.TEXT and one.fin for one in found)
    return [bytes(one.data) for one in found]


class Reader:
    """A subscriber that reads at once, or not at all."""

    def __init__(self, **seen):
        self.seen = {name.replace("_", ":"): number for name, number in seen.items()}
        self.messages, self.is_stuck, self.sent_at, self.looks = [], False, 0.0, Counter()

    def write(self, frames):
        if self.is_stuck:
            return False
        self.messages += [json.loads(one) for one in read(frames)]
        return True

    def look(self, now, *, is_behind):
        self.looks[is_behind] += 1

    def about_lost(self, topic, count):
        return json.dumps({"type": "status", "topic": topic, "lost": count}).encode()

    def told(self):
        """What came since this was asked last: number and price of events, counts of what is lost."""
        found, self.messages = self.messages, []
        return [m.get("lost") or (m["sequence"], m["data"]["bid" if m["type"] == "quote" else "price"]) for m in found]  # fmt: skip


class World:
    """A hub, those who are subscribed, and a clock that goes on by ticks."""

    def __init__(self, *readers):
        self.now, self.hub = 0.0, Hub()
        self.fanout = Fanout(self.hub, lambda: self.now)
        for reader in readers:
            self.fanout.join(reader)
            for topic in reader.seen:
                self.hub.watch(topic)
                self.fanout.subscribe(reader, topic, is_behind=False)

    def put(self, event_type, *prices, symbol="SPY"):
        columns = LiveColumns({symbol: symbol})
        fields = {event_type: ("eventSymbol", FIELD[event_type])}
        columns.take([event_type, [v for price in prices for v in (symbol, price)]], fields, AT)
        ((resource, rows, _),) = columns.cut()
        self.hub.put(StreamBatch(resource, rows))

    def tick(self, times=1):
        for _ in range(times):
            self.now += 0.01
            self.fanout._tick()


def in_loop(scene):
    """Run `scene` where a loop is: the timer never comes, the test ticks."""

    async def run():
        scene()

    asyncio.run(run())


@given(st.binary(max_size=200) | st.integers(120, 70_000).map(lambda size: b"x" * size))
def test_a_frame_is_read_as_the_message_it_was_made_of(message):
    assert read(frame_of(message)) == [message]
    assert read(frame_of(message) + frame_of(b"{}")) == [message, b"{}"]


def test_what_was_quiet_is_told_at_once_and_what_moves_ten_times_a_second():
    def scene():
        first, second = Reader(quote_SPY=0), Reader(quote_SPY=0)
        world = World(first, second)
        world.tick(30)
        world.put("Quote", 1.0, 2.0)
        world.tick()
        assert first.told() == second.told() == [(1, 2.0)]
        for number in range(100):
            world.put("Quote", float(number))
            world.tick()
        told = first.told()
        assert 10 <= len(told) <= 11
        assert told == sorted(told)
        assert second.told() == told

    in_loop(scene)


def test_who_reads_nothing_is_left_out_and_gets_the_newest_once_it_reads():
    def scene():
        slow, quick = Reader(quote_SPY=0, tick_SPY=0), Reader(tick_SPY=0)
        world = World(slow, quick)
        slow.is_stuck = True
        for number in range(30):
            world.put("Quote", float(number))
            world.put("TimeAndSale", *(100.0 * number + n for n in range(100)))
            world.tick(10)
        assert slow.told() == []
        assert quick.told() == [(n + 1, float(n)) for n in range(3_000)]
        slow.is_stuck = False
        world.tick(10)
        told = slow.told()
        assert (30, 29.0) in told  # the quote
        assert told[-1] == (3_000, 2_999.0) or told[-2] == (3_000, 2_999.0)
        assert 3_000 - KEPT in told
        assert len(told) == 2 + KEPT
        assert slow.looks[True] >= 29

    in_loop(scene)


def test_a_client_that_comes_back_gets_what_it_has_not_seen():
    def scene():
        reader = Reader(tick_SPY=0)
        world = World(reader)
        world.put("TimeAndSale", 1.0, 2.0, 3.0)
        world.tick()
        assert len(reader.told()) == 3
        world.fanout.unsubscribe(reader, "tick:SPY")
        world.put("TimeAndSale", 4.0)
        world.tick(20)
        assert reader.told() == []
        reader.seen["tick:SPY"] = 2
        world.fanout.subscribe(reader, "tick:SPY", is_behind=True)
        world.tick(10)
        assert reader.told() == [(3, 3.0), (4, 4.0)]

    in_loop(scene)


@pytest.mark.parametrize("count", [1, 7, 25])
def test_every_client_is_looked_at_ten_times_a_second_and_none_after_it_left(count):
    def scene():
        readers = [Reader() for _ in range(count)]
        world = World(*readers)
        world.tick(100)
        assert {reader.looks[False] for reader in readers} == {10}
        for reader in readers:
            world.fanout.leave(reader)
        assert world.fanout._timer is None
        world.fanout._tick()
        assert {reader.looks[False] for reader in readers} == {10}

    in_loop(scene)
