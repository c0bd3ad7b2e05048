# SPDX-License-Identifier: Apache-2.0
"""The simulated feed on a loopback socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from ttapi.simulator.dxlink import DXLINK, DxLinkService, serve_dxlink
from ttapi.simulator.faults import Faults
from ttapi.simulator.server import end_serving
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
"""A Friday after the close."""


class Feed:
    """A running feed: its address, its faults, what it was asked."""

    def __init__(self, market, *faults):
        self.faults = Faults(faults)
        self.market = market
        self.token = "good-token"
        self.asked = []
        self.muted = threading.Event()
        self.texts_before_mute = 0
        """Sent over the connection that fell mute last."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/realtime"

    @property
    def symbols_asked(self):
        return [s for what, symbols in self.asked if what == "FEED_SUBSCRIPTION" for s in symbols]

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(600)
        return self

    def __exit__(self, *_error):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self):
        runner = self._loop.run_until_complete(self._start())
        # Ready once the loop runs for good: a stop before that would be lost.
        self._loop.call_soon(self._ready.set)
        self._loop.run_forever()
        self._loop.run_until_complete(end_serving(runner, self._listening))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _fall_mute(self, texts_sent):
        self.texts_before_mute = texts_sent
        self.muted.set()

    async def _start(self):
        app = web.Application()
        app[DXLINK] = DxLinkService(
            self.market,
            lambda token: token == self.token,
            self.faults,
            lambda what, symbols: self.asked.append((what, symbols)),
            tick_s=0.05,
            on_mute=self._fall_mute,
        )
        app.router.add_get("/realtime", serve_dxlink)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, self._listening).start()
        self.port = self._listening.getsockname()[1]
        return runner


@pytest.fixture(scope="session")
def vendor_market():
    """Thirty symbols at one moment."""
    return VendorMarket(7, NOW, symbols=30)


@pytest.fixture
def feed(vendor_market):
    """Serves the market under faults: `with feed("snip:at=5") as served`."""

    @contextmanager
    def serve(*faults, market=vendor_market):
        with Feed(market, *faults) as served:
            yield served

    return serve
