# SPDX-License-Identifier: Apache-2.0
"""`/api/v1/stream`: live events over a WebSocket, to whoever shows a token first.

The first message authenticates, or a subprotocol `bearer.TOKEN` beside `ttapi`. Then topics are
subscribed to: a snapshot each, then what changes, ten times a second. Who is slow gets the newest of
what says how something stands, and is told how many prints it missed. A query is subscribed to by its
text, `{"watch": "select ..."}`; the answer names its topic.
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

from ttapi.server.topics import topic_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from ttapi.api import Hub
    from ttapi.server.auth import Identity
    from ttapi.server.served_home import ServedHome
    from ttapi.server.topics import CallerTopics, Topics

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
_STANDING = re.compile(r"grid|health|tasks|system|watch:[0-9a-f]{16}")
"""Topics that are no live events."""
_EXAMPLES = (
    "quote:SPY, trade:SPY, greeks:SPY, tick:SPY, bar:SPY:time:60, grid, health, tasks, system"
)
_PROTOCOL, _BEARER = "ttapi", "bearer."
_POLICY, _AGAIN = 1008, 1013
HIDDEN = "what vendors stream is licensed to its owner alone: [serve] share_personal"


class StreamSockets:
    """All sockets of a daemon."""

    def __init__(
        self, identify: Identify, hub: Hub | None, served: ServedHome, topics: Topics
    ) -> None:
        """`hub`: None where nothing is streamed."""
        self._identify, self._hub, self._served = identify, hub, served
        self._topics = topics
        self._most = served.settings.serve_sockets
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
                    topics = self._topics.of(caller)
                    await _Conversation(
                        socket, self._identify, self._hub, self._served, topics
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
        socket: WebSocket,
        identify: Identify,
        hub: Hub | None,
        served: ServedHome,
        topics: CallerTopics,
    ) -> None:
        self._socket, self._identify, self._hub = socket, identify, hub
        self._served, self._topics, self._caller = served, topics, topics.caller
        self._most = served.settings.serve_topics
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
            for topic in list(self._seen):
                self._leave(topic)

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
        if kind == "subscribe" and "watch" in asked:
            await self._watch(asked["watch"])
            return
        topics = asked.get("topics", [asked["topic"]] if "topic" in asked else None)
        if not isinstance(topics, list) or not topics or len(topics) > self._most:
            await self._tell("error", {"detail": f"data names topics, at most {self._most}"})
            return
        for topic in topics:
            if kind == "unsubscribe":
                self._leave(topic)
            elif complaint := self._refusal(topic):
                await self._tell("error", {"topic": str(topic)[:80], "detail": complaint})
            else:
                await self._join(topic, asked.get("sequence") if kind == "resume" else None)
        await self._tell("status", {"action": f"{kind}d", "topics": sorted(self._seen)})

    async def _watch(self, sql: object) -> None:
        """Subscribe to the answer of a query."""
        if not isinstance(sql, str) or not sql.strip():
            await self._tell("error", {"detail": "watch is the text of one SELECT"})
            return
        topic = topic_of(sql)
        complaint = None if topic in self._seen else self._topics.refusal(topic)
        if complaint or len(self._seen) >= self._most:
            detail = complaint or f"{self._most} topics are subscribed to already"
            await self._tell("error", {"topic": topic, "detail": detail})
            return
        if topic not in self._seen:
            self._seen[topic], snapshot = self._topics.watch(topic, sql)
            if snapshot is not None:
                await self._send(snapshot)
        topics = sorted(self._seen)
        await self._tell("status", {"action": "subscribed", "watch": topic, "topics": topics})

    def _refusal(self, topic: object) -> str | None:
        """Why `topic` cannot be had; None: it can."""
        if not isinstance(topic, str) or not (
            _TOPIC.fullmatch(topic) or _STANDING.fullmatch(topic)
        ):
            return f"no such topic: {_EXAMPLES}"
        if topic not in self._seen and len(self._seen) >= self._most:
            return f"{self._most} topics are subscribed to already"
        if _STANDING.fullmatch(topic):
            is_lost = topic.startswith("watch:") and topic not in self._seen
            return "a query is watched by its text" if is_lost else self._topics.refusal(topic)
        if not self._served.sees_personal(self._caller):
            return HIDDEN
        if self._hub is None:
            return "nothing is streamed here: ttapi serve --stream SYMBOLS"
        return None

    def _home_of(self, topic: str) -> Hub | CallerTopics:
        """Who keeps the messages of a topic."""
        if ":" not in topic or topic.startswith("watch:"):
            return self._topics
        assert self._hub is not None
        return self._hub

    async def _join(self, topic: str, after: Any) -> None:
        if topic in self._seen:
            return
        home = self._home_of(topic)
        sequence, snapshot = home.watch(topic)
        self._seen[topic] = sequence
        # Of an answer only what it is now counts: it goes on with a snapshot.
        is_number = isinstance(after, int) and not isinstance(after, bool)
        if home is self._hub and is_number and 0 <= after <= sequence:
            missed = home.missed(topic, after)
            if not missed.lost:
                self._seen[topic] = after
                return
        if snapshot is not None:
            await self._send(snapshot)

    def _leave(self, topic: object) -> None:
        if isinstance(topic, str) and self._seen.pop(topic, None) is not None:
            self._home_of(topic).unwatch(topic)

    def _out(self) -> str | None:
        """Why the client may not stay; None: it may."""
        if not self._caller.is_good():
            return "the token has ended, or was taken back"
        if not self._seen or self._served.sees_personal(self._caller):
            return None
        is_live = any(not _STANDING.fullmatch(topic) for topic in self._seen)
        return HIDDEN if is_live or self._topics.sees_personal else None

    async def _send_events(self) -> None:
        for turn in itertools.count():
            if turn % _TURNS == 0 and (why := self._out()):
                await _end(self._socket, _POLICY, why)
                return
            for topic, seen in list(self._seen.items()):
                if topic in self._seen:
                    await self._send_missed(topic, seen)
            if time.monotonic() - self._sent_at >= HEARTBEAT_S:
                await self._tell("heartbeat", {})
            await asyncio.sleep(BATCH_S)

    async def _send_missed(self, topic: str, seen: int) -> None:
        """Send what a topic told after message `seen`; of live events but prints the newest alone."""
        home = self._home_of(topic)
        missed = home.missed(topic, seen)
        if missed.sequence == seen:
            return
        self._seen[topic] = missed.sequence
        messages = missed.messages
        if topic.startswith("tick:"):
            if missed.lost:
                await self._tell("status", {"topic": topic, "lost": missed.lost})
        elif home is self._hub:
            messages = messages[-1:]
        for message in messages:
            await self._send(message)

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        message = {"type": kind, "timestamp": now, "sequence": 0, "data": data}
        await self._send(json.dumps(message).encode())

    async def _send(self, message: bytes) -> None:
        try:
            # No task of its own, as wait_for makes one: a thousand clients take ten thousand messages a second.
            async with asyncio.timeout(STUCK_S):
                await self._socket.send_text(message.decode())
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
