# SPDX-License-Identifier: Apache-2.0
"""The simulated feed on a WebSocket route of an aiohttp application.

app[DXLINK] = DxLinkService(market, accepts_token=tokens.__contains__)
app.router.add_get("/realtime", serve_dxlink)
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from ttapi.simulator.dxlink.session import Close, DxLinkSession
from ttapi.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.simulator.vendor_market import VendorMarket

TICK_S = 0.25
"""How often the market is looked at for changes."""


@dataclass
class DxLinkService:
    """What all connections to the feed share."""

    market: VendorMarket
    accepts_token: Callable[[str], bool]
    faults: Faults = field(default_factory=Faults)
    log: Callable[[str, tuple[str, ...]], None] | None = None
    """Told what was asked (`FEED_SUBSCRIPTION`) with which symbols; tokens never."""
    tick_s: float = TICK_S
    on_mute: Callable[[], None] | None = None
    """Called once a connection has fallen silent by its fault."""


DXLINK = web.AppKey("dxlink", DxLinkService)


async def serve_dxlink(request: web.Request) -> web.StreamResponse:
    """Serve one client until it leaves or a rule ends the connection."""
    service = request.app[DXLINK]
    if service.faults.strike("502-upgrade"):
        return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>")
    socket = web.WebSocketResponse(max_msg_size=0, autoping=True)
    await socket.prepare(request)
    session = DxLinkSession(
        service.market, service.accepts_token, service.faults, monotonic(), service.log
    )
    await _Connection(service, session, socket).run(request)
    return socket


class _Connection:
    """A session and its socket: one task reads and answers, one lets time pass."""

    def __init__(
        self, service: DxLinkService, session: DxLinkSession, socket: web.WebSocketResponse
    ) -> None:
        self._service, self._session, self._socket = service, session, socket
        self._sending = asyncio.Lock()
        self._was_mute = False

    async def run(self, request: web.Request) -> None:
        clock = asyncio.create_task(self._tick(request))
        try:
            async for message in self._socket:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    self._session.receive(message.data, monotonic())
                    await self._flush(request)
        finally:
            clock.cancel()
            with suppress(asyncio.CancelledError):
                await clock

    async def _tick(self, request: web.Request) -> None:
        while not self._socket.closed:
            await asyncio.sleep(self._service.tick_s)
            self._session.pass_time(monotonic())
            self._session.update()
            await self._flush(request)

    async def _flush(self, request: web.Request) -> None:
        """Send all there is; who comes second waits, so that the order stands."""
        async with self._sending:
            with suppress(ConnectionError):
                while items := self._session.take_outgoing(monotonic()):
                    for item in items:
                        await self._send(item, request)
        if self._session.is_mute and not self._was_mute:
            self._was_mute = True
            if self._service.on_mute:
                self._service.on_mute()

    async def _send(self, item: str | Close, request: web.Request) -> None:
        if isinstance(item, str):
            await self._socket.send_str(item)
        elif item.code is not None:
            await self._socket.close(code=item.code, message=item.reason.encode())
        elif request.transport is not None:
            request.transport.abort()
