# SPDX-License-Identifier: Apache-2.0
"""The client against the simulated feed under each fault: the truth arrives, or the gap is told."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import socket
from contextlib import aclosing, closing, suppress
from datetime import UTC, date, datetime, time

import pytest

from ttapi.errors import SourceDownError, UsageError
from ttapi.simulator.faults import FAULTS
from ttapi.sources.dxlink.candles import CandleRequest
from ttapi.sources.dxlink.client import (
    DxLinkClient,
    QuoteToken,
    Retries,
    Timing,
    _close,
    _open_socket,
)

SINCE = date(2023, 1, 1)
SYMBOLS = ("SPY", "QQQ", "AAPL", "BRK/B", "SPX", "VIX", "IWM")


class Hours:
    """A clock that stands; pauses end at once, waits when nothing more can come: the feed is mute and was heard out."""

    def __init__(self, feed=None):
        self.now = 0.0
        self.pauses = 0
        self._feed = feed
        self._frames = 0

    def hear(self):
        """A frame was read."""
        self._frames += 1

    def draw(self):
        """The chance of a pause before another connection, which takes no time."""
        self.pauses += 1
        self._frames = 0
        if self._feed:
            self._feed.muted.clear()
        return 0.0

    async def sleep(self, seconds):
        if seconds < 1:  # A complete history settles.
            await asyncio.sleep(0)
            self.now += seconds
            return
        while not self._is_over():  # noqa: ASYNC110 - set by the feed's thread, for which asyncio has no event
            await asyncio.sleep(0.005)
        self.now += seconds

    def _is_over(self):
        feed = self._feed
        return feed and feed.muted.is_set() and self._frames >= feed.texts_before_mute

    @property
    def timing(self):
        return Timing(lambda: self.now, self.sleep, self.draw)


class HearingClient(DxLinkClient):
    """Tells the clock each frame it reads."""

    def __init__(self, quote_token, hours, **options):
        super().__init__(quote_token, timing=hours.timing, **options)
        self._hours = hours

    async def _next_frame(self, socket, run):
        frame = await super()._next_frame(socket, run)
        if frame is not None:
            self._hours.hear()
        return frame


def from_time(day):
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def truth(market, symbol, since=SINCE):
    """Midnight of each session and its close, ascending."""
    return [(from_time(bar.date), bar.close) for bar in market.bars(symbol, since)]


def fetch(feed, symbols=SYMBOLS, *, hours=None, tokens=None, url=None, since=SINCE, **options):
    """By symbol what came of it, and the clock it came by."""
    hours = hours or Hours(feed)
    given = iter(tokens or [feed.token] * 9 if feed else ["any"])

    async def quote_token():
        return QuoteToken(url or feed.url, next(given))

    async def collect():
        client = HearingClient(quote_token, hours, **options)
        requests = [CandleRequest(f"{symbol}{{=1d}}", from_time(since)) for symbol in symbols]
        return [history async for history in client.candles(requests)]

    found = asyncio.run(collect())
    assert len(found) == len(symbols)
    return {h.request.symbol.partition("{")[0]: h for h in found}


def rows(history):
    return [(candle["time"], candle["close"]) for candle in history.candles if candle["close"]]


ENDS_WELL = {
    "502-upgrade": 1,
    "close-1009": 1,
    "drop-mid-snapshot": 1,
    "duplicates": 0,
    "fewer-fields": 0,
    "late-rows": 0,
    "mute": 1,
    "nan": 0,
    "one-event-per-array": 0,
    "refuse-token": 1,
    "reorder-fields": 0,
    "slow-auth": 0,
    "auto-empty-candles": 0,
}
"""Faults after which the whole truth arrives, and the pauses before another connection."""
SPECS = {"close-1009": "close-1009:bytes=420", "slow-auth": "slow-auth:s=0.05"}


def test_every_fault_of_the_feed_is_tried():
    assert {n for n, kind in FAULTS.items() if kind.source == "dxlink"} == {*ENDS_WELL, "snip"}


@pytest.mark.parametrize("fault", [None, *sorted(ENDS_WELL)])
def test_the_truth_arrives_whatever_the_server_does(feed, vendor_market, fault):
    with feed(*filter(None, [SPECS.get(fault, fault)])) as served:
        hours = Hours(served)
        found = fetch(served, hours=hours)
    assert {s: (rows(h), h.error, h.is_truncated) for s, h in found.items()} == {
        symbol: (truth(vendor_market, symbol), None, False) for symbol in SYMBOLS
    }
    assert hours.pauses == ENDS_WELL.get(fault, 0)


class MovingHours(Hours):
    """A clock that moves with every frame, as clocks do."""

    def hear(self):
        super().hear()
        self.now += 0.001


def test_a_mute_server_is_found_out_before_its_histories_are_overdue(feed, vendor_market):
    with feed("mute:after=1,times=1") as served:
        hours = MovingHours(served)
        found = fetch(served, ["SPY", "AAPL"], hours=hours)
    assert {s: (rows(h), h.error) for s, h in found.items()} == {
        symbol: (truth(vendor_market, symbol), None) for symbol in ("SPY", "AAPL")
    }
    assert (hours.pauses, hours.now > 60) == (1, True)


def test_all_faults_at_once_end_well(feed, vendor_market):
    # Cut into single events, a correction may come when the clock of this test has moved on.
    specs = [SPECS.get(fault, fault) for fault in ENDS_WELL if fault != "late-rows"]
    with feed(*specs) as served:
        found = fetch(served, in_flight=3)
    assert {s: rows(h) for s, h in found.items()} == {s: truth(vendor_market, s) for s in SYMBOLS}


def test_a_snipped_history_says_so_and_keeps_the_newest(feed, vendor_market):
    with feed("snip:at=40") as served:
        history = fetch(served, ["SPY"])["SPY"]
    assert (rows(history), history.is_truncated) == (truth(vendor_market, "SPY")[-40:], True)


def test_no_more_than_a_few_histories_are_under_way(feed):
    with feed("duplicates") as served:
        fetch(served, in_flight=2)
        first = next(symbols for what, symbols in served.asked if what == "FEED_SUBSCRIPTION")
    assert first == ("SPY{=d}", "QQQ{=d}")
    assert sorted(served.symbols_asked) == sorted(f"{symbol}{{=d}}" for symbol in SYMBOLS)


def test_an_unknown_symbol_is_empty_and_harms_nobody(feed, vendor_market):
    with feed() as served:
        found = fetch(served, ["NOSUCH", "SPY"])
    assert (found["NOSUCH"].candles, found["NOSUCH"].error) == ((), None)
    assert rows(found["SPY"]) == truth(vendor_market, "SPY")


def test_a_symbol_that_never_ends_fails_alone(feed, vendor_market):
    """Without the flags of its rows no history ends."""
    with (
        feed("drop-mid-snapshot:after=30,times=0") as served,
        pytest.raises(SourceDownError, match="gave up after 3 connections"),
    ):
        fetch(served, ["SPY", "QQQ"], retries=Retries(attempts=3))


def test_what_was_answered_stands_when_the_rest_fails(feed, vendor_market):
    with feed("drop-mid-snapshot:after=300,times=0") as served:
        hours = Hours(served)

        async def quote_token():
            return QuoteToken(served.url, served.token)

        async def collect():
            client = HearingClient(quote_token, hours, in_flight=1, retries=Retries(3))
            asked = [
                CandleRequest("QQQ{=d}", from_time(date(2024, 1, 2))),
                CandleRequest("SPY{=d}", from_time(SINCE)),
            ]
            return [history async for history in client.candles(asked)]

        first, second = asyncio.run(collect())
    assert (rows(first), first.error) == (truth(vendor_market, "QQQ", date(2024, 1, 2)), None)
    assert second.candles == ()
    assert second.error.startswith("dxLink: the connection was closed (no close frame); gave up")


def test_a_token_refused_twice_is_the_last_word(feed):
    with (
        feed() as served,
        pytest.raises(SourceDownError, match="refused the quote token twice") as said,
    ):
        fetch(served, tokens=["canary-one", "canary-two"])
    assert "canary" not in str(said.value)
    assert [what for what, _ in served.asked] == ["AUTH", "AUTH"]


def test_a_refused_token_is_renewed(feed, vendor_market):
    with feed() as served:
        found = fetch(served, ["SPY"], tokens=["stale", served.token])
    assert rows(found["SPY"]) == truth(vendor_market, "SPY")


def test_a_token_near_its_end_is_renewed_before_it_is_used(feed):
    with feed() as served:
        hours, given = Hours(served), []

        async def quote_token():
            given.append(hours.now)
            return QuoteToken(served.url, served.token)

        async def collect():
            client = HearingClient(quote_token, hours)
            for hour in (0, 22, 24):
                hours.now = hour * 3600.0
                async for _ in client.candles(
                    [CandleRequest("SPY{=d}", from_time(date(2024, 6, 3)))]
                ):
                    pass

        asyncio.run(collect())
    assert given == [0.0, 24 * 3600.0]


def test_a_reader_that_leaves_while_the_connection_closes_leaves_no_socket_open():
    """A server that never answers a close, and a client that is told to stop twice."""
    key = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    messages = asyncio.Queue()

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.splitlines()[1:-1])
        accepted = base64.b64encode(hashlib.sha1(fields[b"Sec-WebSocket-Key"] + key).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
        )
        data = b"opened"
        while data:
            try:
                data = await reader.read(65536)
            except ConnectionResetError:
                data = b""
            await messages.put(data)
        writer.close()

    async def leave():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def token():
            return QuoteToken(f"ws://127.0.0.1:{port}/realtime", "token")

        async def read():
            async with aclosing(DxLinkClient(token).candles([wanted])) as found:
                async for _ in found:
                    pass

        wanted = CandleRequest("SPY{=1d}", from_time(SINCE))
        reading = asyncio.create_task(read())
        assert await messages.get()  # it has set up
        reading.cancel()
        assert await messages.get()  # it has asked to close
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        async with asyncio.timeout(20):
            assert await messages.get() == b""
        server.close()
        await server.wait_closed()

    asyncio.run(leave())


def test_nobody_at_the_address_is_a_source_out_of_reach():
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{unused.getsockname()[1]}/realtime"
        hours = Hours()
        with pytest.raises(SourceDownError, match="cannot be reached"):
            fetch(None, hours=hours, url=url, retries=Retries(attempts=3))
    assert hours.pauses == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "nonsense", "", "ws://"])
def test_an_address_that_is_none_is_told_at_once(url):
    with pytest.raises(UsageError, match="is no WebSocket address"):
        fetch(None, url=url or " ")


def test_pauses_grow_and_are_drawn_from_their_whole_range():
    client = DxLinkClient(None, timing=Timing(random=lambda: 0.5))
    assert [client._pause_s(attempt) for attempt in (1, 2, 3, 9)] == [0.25, 0.5, 1.0, 15.0]


def test_a_farewell_that_is_called_off_leaves_no_socket(feed):
    async def call_off(url):
        socket = await _open_socket(url)
        farewell = asyncio.ensure_future(_close(socket))
        # It has said goodbye in the first turn, and waits for the answer.
        await asyncio.sleep(0)
        farewell.cancel()
        with suppress(asyncio.CancelledError):
            await farewell
        return socket.transport.is_closing()

    with feed() as served:
        assert asyncio.run(call_off(served.url))
    gc.collect()


def test_a_token_is_not_shown():
    assert "canary" not in repr(QuoteToken("wss://host", "canary"))
