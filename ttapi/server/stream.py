# SPDX-License-Identifier: Apache-2.0
"""`/api/v1/stream`: live events over a WebSocket, to whoever shows a token first.

The first message authenticates, or a subprotocol `bearer.TOKEN` beside `ttapi`. Then topics are
subscribed to: a snapshot each, then what changes, ten times a second. Who is slow gets the newest of
what says how something stands, and is told how many prints it missed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect, WebSocketState

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from ttapi.api import Hub
    from ttapi.server.auth import Identity
    from ttapi.server.served_home import ServedHome

    Identify = Callable[[str | None], Identity | None]

AUTH_S = 10.0
"""How long a client may take to say who it is."""
BATCH_S = 0.1
_TURNS = 5
"""Batches from one look at the token to the next: what is taken back ends within a second."""
HEARTBEAT_S = 15.0
"""Silence after which a heartbeat goes out."""
STUCK_S = 10.0
"""How long a client may take one message in."""
MESSAGE_BYTES = 64 * 1024
_TOPIC = re.compile(
    r"(quote|trade|greeks|tick):[^\s:]{1,40}( *[^\s:]{1,20})?|bar:[^\s:]{1,40}:time:60"
)
_PROTOCOL, _BEARER = "ttapi", "bearer."
_POLICY, _AGAIN = 1008, 1013
HIDDEN = "what vendors stream is licensed to its owner alone: [server] share_personal"


class StreamSockets:
    """All sockets of a daemon."""

    def __init__(self, identify: Identify, hub: Hub | None, served: ServedHome) -> None:
        """`hub`: None where nothing is streamed."""
        self._identify, self._hub, self._served = identify, hub, served
        self._most = served.settings.server_sockets
        self._open: Counter[str] = Counter()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it leaves, or breaks a rule."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(_PROTOCOL if _PROTOCOL in offered else None)
        with suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
            caller = await self._caller(socket, offered)
            if caller is None:
                address = socket.client.host if socket.client else ""
                self._served.audit.note_refusal("stream", "refused", address)
                await _end(socket, _POLICY, "a bearer token that is good is needed")
            elif self._open[caller.name] >= self._most:
                await _end(socket, _AGAIN, f"{self._most} sockets are open already")
            else:
                self._open[caller.name] += 1
                try:
                    await _Conversation(
                        self._served, self._identify, self._hub, socket, caller
                    ).run()
                finally:
                    self._open[caller.name] -= 1

    async def _caller(self, socket: WebSocket, offered: list[str]) -> Identity | None:
        """Who the client is; None: nobody."""
        for protocol in offered:
            if protocol.startswith(_BEARER):
                return self._identify(f"Bearer {protocol.removeprefix(_BEARER)}")
        message = await asyncio.wait_for(_received(socket), AUTH_S)
        if not isinstance(message, dict) or message.get("type") != "auth":
            return None
        return _identified(self._identify, message)


class _Conversation:
    """One client that was let in."""

    def __init__(
        self,
        served: ServedHome,
        identify: Identify,
        hub: Hub | None,
        socket: WebSocket,
        caller: Identity,
    ) -> None:
        self._socket, self._identify, self._hub = socket, identify, hub
        self._served, self._topics = served, served.settings.server_topics
        self._caller = caller
        self._seen: dict[str, int] = {}
        """By topic the number of the event sent last."""
        self._sent_at = time.monotonic()

    async def run(self) -> None:
        """Answer and send until the client leaves."""
        await self._tell("status", {"action": "authenticated"})
        sending = asyncio.create_task(self._send_events())
        hearing = asyncio.create_task(self._heed())
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)
            for topic in self._seen:
                if self._hub is not None:
                    self._hub.unwatch(topic)

    async def _heed(self) -> None:
        while True:
            message = await _received(self._socket)
            if not isinstance(message, dict):
                await self._tell("error", {"detail": "a message is a JSON object with a type"})
                continue
            kind = message.get("type")
            if kind == "auth":
                renewed = _identified(self._identify, message)
                if renewed is None or renewed.name != self._caller.name:
                    await _end(self._socket, _POLICY, "a bearer token that is good is needed")
                    return
                self._caller = renewed
                await self._tell("status", {"action": "authenticated"})
            elif kind in {"subscribe", "unsubscribe", "resume"}:
                await self._change(str(kind), message.get("data"))
            elif kind != "heartbeat":
                await self._tell("error", {"detail": f"{str(kind)[:40]!r} is no type of message"})

    async def _change(self, kind: str, data: object) -> None:
        """Subscribe, unsubscribe or go on; the answer names all topics there are then."""
        asked = data if isinstance(data, dict) else {}
        topics = asked.get("topics", [asked["topic"]] if "topic" in asked else None)
        if not isinstance(topics, list) or not topics or len(topics) > self._topics:
            await self._tell("error", {"detail": f"data names topics, at most {self._topics}"})
            return
        for topic in topics:
            if kind == "unsubscribe":
                self._leave(topic)
            elif complaint := self._refusal(topic):
                await self._tell("error", {"topic": str(topic)[:80], "detail": complaint})
            else:
                await self._join(topic, asked.get("sequence") if kind == "resume" else None)
        await self._tell("status", {"action": f"{kind}d", "topics": sorted(self._seen)})

    def _refusal(self, topic: object) -> str | None:
        """Why `topic` cannot be had; None: it can."""
        if not isinstance(topic, str) or not _TOPIC.fullmatch(topic):
            return "no such topic: quote:SPY, trade:SPY, greeks:SPY, tick:SPY, bar:SPY:time:60"
        if not self._served.sees_personal(self._caller):
            return HIDDEN
        if self._hub is None:
            return "nothing is streamed here: ttapi serve --stream SYMBOLS"
        if topic not in self._seen and len(self._seen) >= self._topics:
            return f"{self._topics} topics are subscribed to already"
        return None

    async def _join(self, topic: str, after: object) -> None:
        assert self._hub is not None
        if topic in self._seen:
            return
        sequence, snapshot = self._hub.watch(topic)
        self._seen[topic] = sequence
        if isinstance(after, int) and not isinstance(after, bool) and 0 <= after <= sequence:
            missed = self._hub.missed(topic, after)
            if not missed.lost:
                self._seen[topic] = after
                return
        if snapshot is not None:
            await self._send(snapshot)

    def _leave(self, topic: object) -> None:
        if isinstance(topic, str) and self._seen.pop(topic, None) is not None and self._hub:
            self._hub.unwatch(topic)

    def _out(self) -> str | None:
        """Why the client may not stay; None: it may."""
        if not self._caller.is_good():
            return "the token has ended, or was taken back"
        return HIDDEN if self._seen and not self._served.sees_personal(self._caller) else None

    async def _send_events(self) -> None:
        for turn in itertools.count():
            if turn % _TURNS == 0 and (why := self._out()):
                await _end(self._socket, _POLICY, why)
                return
            for topic, seen in list(self._seen.items()):
                if self._hub is None or topic not in self._seen:
                    continue
                missed = self._hub.missed(topic, seen)
                if missed.sequence == seen:
                    continue
                self._seen[topic] = missed.sequence
                messages = missed.messages
                if topic.startswith("tick:"):
                    if missed.lost:
                        await self._tell("status", {"topic": topic, "lost": missed.lost})
                else:
                    messages = messages[-1:]
                for message in messages:
                    await self._send(message)
            if time.monotonic() - self._sent_at >= HEARTBEAT_S:
                await self._tell("heartbeat", {})
            await asyncio.sleep(BATCH_S)

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        message = {"type": kind, "timestamp": now, "sequence": 0, "data": data}
        await self._send(json.dumps(message).encode())

    async def _send(self, message: bytes) -> None:
        try:
            await asyncio.wait_for(self._socket.send_text(message.decode()), STUCK_S)
        except TimeoutError:
            await _end(self._socket, _AGAIN, "too slow")
            raise WebSocketDisconnect(_AGAIN) from None
        self._sent_at = time.monotonic()


def _identified(identify: Identify, message: dict[str, Any]) -> Identity | None:
    data = message.get("data")
    token = data.get("token") if isinstance(data, dict) else None
    return identify(f"Bearer {token}") if isinstance(token, str) else None


async def _received(socket: WebSocket) -> object:
    """The next message; None for what is no JSON. *Raises* WebSocketDisconnect."""
    text = await socket.receive_text()
    if len(text) > MESSAGE_BYTES:
        await _end(socket, 1009, f"a message has at most {MESSAGE_BYTES} bytes")
        raise WebSocketDisconnect(1009)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _end(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is not WebSocketState.DISCONNECTED:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(code, reason)
