# SPDX-License-Identifier: Apache-2.0
"""One client's connection to the simulated feed, without a socket: texts and instants in and out.

What comes before the state allows it is kept and done when it does: some clients wait a tenth of
a second for an answer and go on regardless.

`app[DXLINK] = DxLinkService(...)`, `app.router.add_get("/realtime", serve_dxlink)`: on a route of aiohttp's.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from ttapi.simulator.dxlink.feed import CONTRACTS, BadActionError, Close, FeedChannel
from ttapi.simulator.faults import Faults, LiveFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ttapi.simulator.dxlink.feed import Firehose, Frame, Message
    from ttapi.simulator.vendor_market import VendorMarket


VERSION = "1.0-0.1-ttapi-simulator"
KEEPALIVE_S = 60
"""Silence the server allows itself and its client."""
_LARGEST = 1_000_000
"""Bytes of a client's message."""
_BEFORE_AUTH = frozenset({"SETUP", "AUTH", "KEEPALIVE", "ERROR"})


class DxLinkSession:
    """The server's side of one connection."""

    def __init__(
        self,
        market: VendorMarket,
        accepts_token: Callable[[str], bool],
        faults: Faults,
        now: float,
        log: Callable[[str, tuple[str, ...]], None] | None = None,
        *,
        firehose: Firehose | None = None,
    ) -> None:
        self.is_mute = False
        self.is_closed = False
        self._firehose = firehose
        self._market, self._accepts_token, self._faults = market, accepts_token, faults
        self._log = log or (lambda _what, _symbols: None)
        self._outgoing: list[str | Close] = []
        self._held: list[Message] = []
        self._is_set_up = self._is_authorized = False
        self._authorized_at: float | None = None
        self._channels: dict[int, FeedChannel] = {}
        self._client_timeout_s: float = KEEPALIVE_S
        self._last_frame_at = self._sent_at = now
        self._updated_at: datetime | None = None
        self._data_sent = 0
        self._serving: deque[tuple[FeedChannel, Iterator[Message]]] = deque()

    def receive(self, text: str | bytes, now: float) -> None:
        """Take one message of the client."""
        self._last_frame_at = now
        limit = fault.number("bytes") if (fault := self._faults.active("close-1009")) else _LARGEST
        size = len(text.encode()) if isinstance(text, str) else len(text)
        if size > limit:
            self._faults.strike("close-1009")
            self._close(1009, "Message too big")
            return
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            self._error("INVALID_MESSAGE", "Message is no JSON object with a type")
            return
        self._take(message, now)

    def take_outgoing(self, now: float) -> list[str | Close]:
        """What is to be sent next, in order; call again until there is nothing."""
        while self._serving and not (self._outgoing or self.is_mute or self.is_closed):
            self._pump()
        taken, self._outgoing = self._outgoing, []
        if taken:
            self._sent_at = now
        return taken

    def pass_time(self, now: float) -> None:
        """Do what is due: delayed authorisation, keepalive, the client's timeout."""
        if self._authorized_at is not None and now >= self._authorized_at:
            self._authorize(now)
        if now - self._last_frame_at > self._client_timeout_s:
            self._error("TIMEOUT", "No message from the client in time")
            self._close(1000, "Timeout")
        elif self._is_set_up and now - self._sent_at >= KEEPALIVE_S / 2:
            self._send({"type": "KEEPALIVE", "channel": 0})

    @property
    def wanted(self) -> tuple[int, ...]:
        """How much each channel wants that wants something; empty while some of it is not answered."""
        if self._serving or self._outgoing:
            return ()
        return tuple(len(one.wanted) for one in self._channels.values() if one.wanted)

    def expire(self) -> None:
        """Have the token end: what is sent from here on is not meant for this client."""
        self._state("UNAUTHORIZED")
        self._is_authorized = False

    def frames(self, firehose: Firehose) -> list[Frame]:
        """What `firehose` has of everything that is wanted over this connection."""
        return firehose.frames(self._market, self._channels.values())

    def update(self) -> None:
        """Serve what the market has changed, once what was asked for is served."""
        if self._serving or self._market.now == self._updated_at:
            return
        self._updated_at = self._market.now
        self._serving.extend((one, one.updates()) for one in self._channels.values())

    def _take(self, message: Message, now: float) -> None:
        kind = message["type"]
        if self._must_wait(kind):
            self._held.append(message)
        elif kind == "SETUP":
            self._on_setup(message, now)
        elif kind == "AUTH":
            self._on_auth(message, now)
        elif kind not in {"KEEPALIVE", "ERROR"}:
            self._on_channel_message(kind, message)

    def _must_wait(self, kind: str) -> bool:
        if not self._is_set_up:
            return kind != "SETUP"
        if self._authorized_at is not None:
            return kind not in {"SETUP", "KEEPALIVE"}
        return not self._is_authorized and kind not in _BEFORE_AUTH

    def _release(self, now: float) -> None:
        held, self._held = self._held, []
        for message in held:
            self._take(message, now)

    def _on_setup(self, message: Message, now: float) -> None:
        if not str(message.get("version", "")).startswith("0.1"):
            self._error("UNSUPPORTED_PROTOCOL", "Version 0.1 is spoken here")
            self._close(1000, "Unsupported protocol")
            return
        promised = message.get("keepaliveTimeout")
        if isinstance(promised, int | float) and promised > 0:
            self._client_timeout_s = promised
        timeouts = dict.fromkeys(("keepaliveTimeout", "acceptKeepaliveTimeout"), KEEPALIVE_S)
        self._send({"type": "SETUP", "channel": 0, "version": VERSION, **timeouts})
        if not self._is_set_up:
            self._is_set_up = True
            self._state("UNAUTHORIZED")
            self._release(now)

    def _on_auth(self, message: Message, now: float) -> None:
        token = message.get("token")
        is_good = isinstance(token, str) and self._accepts_token(token)
        if is_good and self._faults.strike("refuse-token"):
            is_good = False
        self._log("AUTH", ())
        if not is_good:
            self._error("UNAUTHORIZED", "Token is not valid")
            self._state("UNAUTHORIZED")
            self._close(1000, "Unauthorized")
        elif slow := self._faults.strike("slow-auth"):
            self._authorized_at = now + slow.number("s")
        else:
            self._authorize(now)

    def _authorize(self, now: float) -> None:
        self._authorized_at, self._is_authorized = None, True
        self._state("AUTHORIZED")
        self._release(now)

    def _on_channel_message(self, kind: str, message: Message) -> None:
        number = message.get("channel")
        if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
            self._error("INVALID_MESSAGE", f"{kind} needs a channel")
            return
        channel = self._channels.get(number)
        try:
            if kind == "CHANNEL_REQUEST":
                self._open(number, message)
            elif channel is None:
                self._error("BAD_ACTION", f"Channel {number} is not open", number)
            elif kind == "CHANNEL_CANCEL":
                del self._channels[number]
                self._send({"type": "CHANNEL_CLOSED", "channel": number})
            elif kind == "FEED_SETUP":
                self._send(channel.configure(message))
            elif kind == "FEED_SUBSCRIPTION":
                added = message.get("add") or []
                if isinstance(added, list):
                    self._log(
                        kind, tuple(str(e.get("symbol")) for e in added if isinstance(e, dict))
                    )
                self._serving.append((channel, channel.change(message)))
            else:
                self._error("INVALID_MESSAGE", f"{kind} is unknown", number)
        except BadActionError as exc:
            self._error("BAD_ACTION", str(exc), number)

    def _open(self, number: int, message: Message) -> None:
        parameters = message.get("parameters") or {}
        contract = parameters.get("contract", "AUTO") if isinstance(parameters, dict) else None
        if number in self._channels:
            raise BadActionError(f"channel {number} is open already")
        if number % 2 == 0:
            raise BadActionError("clients open channels of odd numbers")
        if message.get("service") != "FEED":
            raise BadActionError(f"service {message.get('service')} is not served")
        if contract not in CONTRACTS:
            raise BadActionError(f"contract {contract} is not served")
        kept = self._firehose.history if self._firehose else None
        self._channels[number] = FeedChannel(
            number, contract, self._market, self._faults, prints=kept
        )
        opened = {"type": "CHANNEL_OPENED", "channel": number, "service": "FEED"}
        self._send({**opened, "parameters": {"contract": contract}})

    def _pump(self) -> None:
        """Make the next message of what is being served, and let faults have their way."""
        channel, messages = self._serving[0]
        message = next(messages, None)
        if message is None:
            self._serving.popleft()
            return
        self._send(message)
        if message["type"] != "FEED_DATA":
            return
        self._data_sent += 1
        mute = self._faults.active("mute")
        if mute and self._data_sent >= mute.number("after"):
            self._faults.strike("mute")
            self.is_mute = True
        elif channel.is_mid_history and self._faults.strike("drop-mid-snapshot"):
            self._close(None)

    def _state(self, state: str) -> None:
        self._send({"type": "AUTH_STATE", "channel": 0, "state": state})

    def _error(self, kind: str, text: str, channel: int = 0) -> None:
        self._send({"type": "ERROR", "channel": channel, "error": kind, "message": text})

    def _close(self, code: int | None, reason: str = "") -> None:
        if not self.is_closed:
            self._outgoing.append(Close(code, reason))
            self.is_closed = True

    def _send(self, message: dict[str, Any]) -> None:
        if not self.is_closed and not self.is_mute:
            self._outgoing.append(json.dumps(message, allow_nan=False))


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
    shared = service.market, service.accepts_token, service.faults
    session = DxLinkSession(*shared, monotonic(), service.log, firehose=service.firehose)
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
        self._is_over = False
        self._live_faults = LiveFaults(service.faults)

    async def run(self, request: web.Request) -> None:
        firehose = self._service.firehose
        timed = self._pour(request, firehose) if firehose else self._tick(request)
        clock = asyncio.create_task(timed)
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
            is_sending = frames and is_due and not self._is_over
            if is_sending:
                frame = frames[count % len(frames)]
                sent, count = sent + frame.events, count + 1
                with suppress(ConnectionError):
                    for text in self._live_faults.texts(firehose.happened(frame).text, count):
                        await self._socket.send_str(text)
                await self._fail_live(count, frames, request)
            if not is_sending or not firehose.per_s:
                await asyncio.sleep(_POUR_S if firehose.per_s or not frames else 0)
                self._session.pass_time(monotonic())
                await self._flush(request)

    async def _fail_live(self, count: int, frames: list[Frame], request: web.Request) -> None:
        """Let faults have their way after so many frames of the firehose."""
        fault, firehose = self._live_faults.ending(count), self._service.firehose
        if fault is None or firehose is None:
            return
        self._session.is_mute, self._is_over = fault.name == "mute", True
        if fault.name == "expire-feed":
            self._session.expire()
            await self._flush(request)
        elif fault.name != "mute" and request.transport is not None:
            for place in range(int(fault.arguments.get("count", 0))):
                firehose.happened(frames[(count + place) % len(frames)])
            # Without a close frame: as if all had been said, or by a reset.
            is_quiet = fault.name == "close-1006"
            (request.transport.close if is_quiet else request.transport.abort)()

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
