# SPDX-License-Identifier: Apache-2.0
"""The client's connection: tokens refused, renewed and hidden, addresses of nobody, sockets let go."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import socket
from contextlib import aclosing, closing, suppress
from datetime import date

import pytest
from clocked_client import SINCE, HearingClient, Hours, fetch, from_time, rows, truth

from ttapi.errors import SourceDownError, UsageError
from ttapi.sources.dxlink.candles import CandleRequest
from ttapi.sources.dxlink.client import (
    DxLinkClient,
    QuoteToken,
    Retries,
    Timing,
    close_socket,
    open_socket,
)


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
        socket = await open_socket(url)
        farewell = asyncio.ensure_future(close_socket(socket))
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
