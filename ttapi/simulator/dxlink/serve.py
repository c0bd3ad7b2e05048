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

    from ttapi.simulator.dxlink.firehose import Firehose, Frame
    from ttapi.simulator.vendor_market import VendorMarket

_POUR_S = 0.005
"""How often a firehose looks at the clock."""
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
    firehose: Firehose | None = None
    """Sends frames made beforehand instead of what the market changes; None: the market alone."""
    on_mute: Callable[[int], None] | None = None
    """Called once a connection has fallen silent by its fault, with the texts it had sent."""


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
        self._texts_sent = 0

    async def run(self, request: web.Request) -> None:
        pouring = self._service.firehose
        clock = asyncio.create_task(
            self._pour(request, pouring) if pouring else self._tick(request)
        )
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

    async def _pour(self, request: web.Request, firehose: Firehose) -> None:
        """Send what was made beforehand, at its rate, once all that was asked for is served."""
        wanted: tuple[int, ...] = ()
        frames: list[Frame] = []
        began, sent, count = monotonic(), 0, 0
        while not self._socket.closed:
            asked = self._session.wanted
            if asked != wanted and len(asked) >= firehose.channels:
                wanted, frames = asked, self._session.frames(firehose)
                began = began if sent else monotonic()
            is_due = firehose.due(sent, monotonic() - began) >= firehose.frame_events
            if frames and is_due and not self._session.is_mute:
                frame = frames[count % len(frames)]
                with suppress(ConnectionError):
                    await self._socket.send_str(frame.text)
                    firehose.truth.add(frame)
                sent, count = sent + frame.events, count + 1
                self._fail_live(count, request)
            if not (frames and is_due) or not firehose.per_s:
                await asyncio.sleep(_POUR_S if firehose.per_s or not frames else 0)
                self._session.pass_time(monotonic())
                await self._flush(request)

    def _fail_live(self, count: int, request: web.Request) -> None:
        """Let faults have their way after so many frames of the firehose."""
        faults = self._service.faults
        drop, mute = faults.active("drop-feed"), faults.active("mute")
        if drop and count >= drop.number("after"):
            faults.strike("drop-feed")
            if request.transport is not None:
                request.transport.abort()
        elif mute and count >= mute.number("after"):
            faults.strike("mute")
            self._session.is_mute = True

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
                self._service.on_mute(self._texts_sent)

    async def _send(self, item: str | Close, request: web.Request) -> None:
        if isinstance(item, str):
            await self._socket.send_str(item)
            self._texts_sent += 1
        elif item.code is not None:
            await self._socket.close(code=item.code, message=item.reason.encode())
        elif request.transport is not None:
            request.transport.abort()
