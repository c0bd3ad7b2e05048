# SPDX-License-Identifier: Apache-2.0
"""`/api/v1/stream`: live events over a WebSocket, to whoever shows a token first.

The first message authenticates, or a subprotocol `bearer.TOKEN` beside `ttapi`. Then topics are
subscribed to: a snapshot each, then what changes, at most ten times a second. Who is slow gets the
newest of what says how something stands, and is told how many prints it missed. A query is subscribed
to by its text, `{"watch": "select ..."}`; the answer names its topic. What is sent by itself is sent by
`fanout.py`; here is what a client says, and what it is answered.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

from ttapi.server.auth import RateLimit
from ttapi.server.fanout import Fanout
from ttapi.server.frames import frame_of, writer_of
from ttapi.server.topics import topic_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from ttapi.api import Hub
    from ttapi.server.auth import Identity
    from ttapi.server.frames import FrameWriter
    from ttapi.server.served_home import ServedHome
    from ttapi.server.topics import CallerTopics, Topics

    Identify = Callable[[str | None], Identity | None]

AUTH_S = 10.0
"""How long a client may take to say who it is."""
_LOOKS = 5
"""Looks at a client from one at its token to the next: what is taken back ends within a second."""
HEARTBEAT_S = 15.0
"""Silence after which a heartbeat goes out."""
STUCK_S = 10.0
"""How long a client may take in nothing of what waits for it."""
MESSAGE_BYTES = 64 * 1024
MOST_UNREAD = 16 * 1024 * 1024
"""Bytes of answers that may wait for a client that asks on and on and reads nothing."""
_TOPIC = re.compile(
    r"(quote|trade|greeks|tick):[^\s:]{1,40}( *[^\s:]{1,20})?|bar:[^\s:]{1,40}:time:60"
)
_STANDING = re.compile(r"grid|health|tasks|system|watch:[0-9a-f]{16}")
"""Topics that are no live events."""
_EXAMPLES = (
    "quote:SPY, trade:SPY, greeks:OCC, tick:SPY, bar:SPY:time:60, grid, health, tasks, system"
)
_PROTOCOL, _BEARER = "ttapi", "bearer."
_POLICY, _TOO_BIG, _AGAIN = 1008, 1009, 1013
_UNKNOWN = "a bearer token that is good is needed"
HIDDEN = "what vendors stream is licensed to its owner alone: [serve] share_personal"


class StreamSockets:
    """All sockets of a daemon."""

    def __init__(
        self,
        identify: Identify,
        hub: Hub | None,
        served: ServedHome,
        topics: Topics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hub`: None where nothing is streamed. `clock`: seconds that never go back."""
        self._identify, self._hub, self._served = identify, hub, served
        self._topics, self._clock = topics, clock
        self._fanout = Fanout(hub, clock)
        self._most, self._messages = served.settings.serve_sockets, served.settings.serve_messages
        self._open: Counter[str] = Counter()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it leaves, or breaks a rule."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(_PROTOCOL if _PROTOCOL in offered else None)
        writer = writer_of(socket.scope)
        with suppress(WebSocketDisconnect):
            caller = await self._caller(socket, writer, offered)
            if caller is None:
                address = socket.client.host if socket.client else ""
                self._served.audit.note_refusal("stream", "refused", address)
                writer.close(_POLICY, _UNKNOWN)
            elif self._open[caller.name] >= self._most:
                writer.close(_AGAIN, f"{self._most} sockets are open already")
            else:
                await self._converse(socket, writer, caller)

    async def _converse(self, socket: WebSocket, writer: FrameWriter, caller: Identity) -> None:
        self._open[caller.name] += 1
        topics = self._topics.of(caller)
        client = _Client(
            writer, self._identify, topics, hub=self._hub, served=self._served, fanout=self._fanout,
            clock=self._clock,
        )  # fmt: skip
        self._fanout.join(client)
        pace = RateLimit(self._messages, 2 * self._messages, self._clock)
        try:
            client.tell("status", {"action": "authenticated"})
            while True:
                message = await _received(socket, writer)
                if wait_s := pace.wait_s(""):
                    await asyncio.sleep(wait_s)
                    pace.wait_s("")
                client.heed(message)
        finally:
            self._open[caller.name] -= 1
            self._fanout.leave(client)
            client.leave_all()

    async def _caller(
        self, socket: WebSocket, writer: FrameWriter, offered: list[str]
    ) -> Identity | None:
        """Who the client is; None: nobody."""
        for protocol in offered:
            if protocol.startswith(_BEARER):
                return self._identify(f"Bearer {protocol.removeprefix(_BEARER)}")
        try:
            message = await asyncio.wait_for(_received(socket, writer), AUTH_S)
        except TimeoutError:
            return None
        if not isinstance(message, dict) or message.get("type") != "auth":
            return None
        return _identified(self._identify, message)


class _Client:
    """One client that was let in; the loop's own thread alone uses it."""

    def __init__(
        self,
        writer: FrameWriter,
        identify: Identify,
        topics: CallerTopics,
        *,
        hub: Hub | None,
        served: ServedHome,
        fanout: Fanout,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._writer, self._identify, self._hub = writer, identify, hub
        self._served, self._topics, self._caller = served, topics, topics.caller
        self._fanout = fanout
        self._most = served.settings.serve_topics
        self.seen: dict[str, int] = {}
        self._standing: set[str] = set()
        """Of these the topics that are no live events."""
        self.sent_at = self._read_at = clock()
        self.write = writer.write
        self._looks = 0

    def heed(self, message: object) -> None:
        """Answer what the client said."""
        if not isinstance(message, dict):
            self.tell("error", {"detail": "a message is a JSON object with a type"})
            return
        kind = str(message.get("type"))
        if kind == "auth":
            renewed = _identified(self._identify, message)
            if renewed is None or renewed.name != self._caller.name:
                self._writer.close(_POLICY, _UNKNOWN)
                return
            self._caller = renewed
            self.tell("status", {"action": "authenticated"})
        elif kind in {"subscribe", "unsubscribe", "resume"}:
            self._change(kind, message.get("data"))
        elif kind != "heartbeat":
            self.tell("error", {"detail": f"{kind[:40]!r} is no type of message"})

    def _change(self, kind: str, data: object) -> None:
        """Subscribe, unsubscribe or go on; the answer names all topics there are then."""
        asked = data if isinstance(data, dict) else {}
        if kind == "subscribe" and "watch" in asked:
            self._watch(asked["watch"])
            return
        topics = asked.get("topics", [asked["topic"]] if "topic" in asked else None)
        if not isinstance(topics, list) or not topics or len(topics) > self._most:
            self.tell("error", {"detail": f"data names topics, at most {self._most}"})
            return
        for asked_topic in topics:
            topic = _canonical(asked_topic)
            if kind == "unsubscribe":
                self._leave(topic)
            elif complaint := self._refusal(topic):
                self.tell("error", {"topic": topic[:80], "detail": complaint})
            else:
                self._join(topic, asked.get("sequence") if kind == "resume" else None)
        self.tell("status", {"action": f"{kind}d", "topics": sorted(self.seen)})

    def _watch(self, sql: object) -> None:
        """Subscribe to the answer of a query."""
        if not isinstance(sql, str) or not sql.strip():
            self.tell("error", {"detail": "watch is the text of one SELECT"})
            return
        topic = topic_of(sql)
        complaint = None if topic in self.seen else self._topics.refusal(topic)
        if complaint or len(self.seen) >= self._most:
            detail = complaint or f"{self._most} topics are subscribed to already"
            self.tell("error", {"topic": topic, "detail": detail})
            return
        if topic not in self.seen:
            self._join_standing(topic, sql)
        topics = sorted(self.seen)
        self.tell("status", {"action": "subscribed", "watch": topic, "topics": topics})

    def _refusal(self, topic: str) -> str | None:
        """Why `topic` cannot be had; None: it can."""
        if not _TOPIC.fullmatch(topic) and not _STANDING.fullmatch(topic):
            return f"no topic is called that; topics are {_EXAMPLES}"
        if topic not in self.seen and len(self.seen) >= self._most:
            return f"{self._most} topics are subscribed to already"
        if _STANDING.fullmatch(topic):
            is_lost = topic.startswith("watch:") and topic not in self.seen
            return "a query is watched by its text" if is_lost else self._topics.refusal(topic)
        if not self._served.sees_personal(self._caller):
            return HIDDEN
        if self._hub is None:
            return "nothing is streamed here: ttapi serve --stream SYMBOLS"
        symbol = topic.split(":")[1]
        if self._hub.symbols is not None and symbol not in self._hub.symbols:
            return f"{symbol} is not streamed here: ttapi serve --stream {symbol}"
        return None

    def _join(self, topic: str, after: Any) -> None:
        if topic in self.seen:
            return
        if _STANDING.fullmatch(topic):
            # Of an answer only what it is now counts: it goes on with a snapshot.
            self._join_standing(topic, None)
            return
        assert self._hub is not None
        sequence, snapshot = self._hub.watch(topic)
        is_number = isinstance(after, int) and not isinstance(after, bool)
        is_behind = is_number and 0 <= after <= sequence and not self._hub.missed(topic, after).lost
        self.seen[topic] = after if is_behind else sequence
        self._fanout.subscribe(self, topic, is_behind=is_behind)
        if snapshot is not None and not is_behind:
            self._send(snapshot)

    def _join_standing(self, topic: str, sql: str | None) -> None:
        self.seen[topic], snapshot = self._topics.watch(topic, sql)
        self._standing.add(topic)
        if snapshot is not None:
            self._send(snapshot)

    def _leave(self, topic: str) -> None:
        if self.seen.pop(topic, None) is None:
            return
        if topic in self._standing:
            self._standing.remove(topic)
            self._topics.unwatch(topic)
        else:
            assert self._hub is not None
            self._fanout.unsubscribe(self, topic)
            self._hub.unwatch(topic)

    def leave_all(self) -> None:
        """Let go of every topic."""
        for topic in list(self.seen):
            self._leave(topic)

    def look(self, now: float, *, is_behind: bool) -> None:
        """Send what topics that are no live events came to, or a heartbeat; end who may not stay."""
        self._looks += 1
        if self._looks % _LOOKS == 0 and (why := self._out()):
            self._writer.close(_POLICY, why)
        elif is_behind:
            if now - self._read_at >= STUCK_S:
                self._writer.close(_AGAIN, "too slow")
        else:
            self._read_at = now
            for topic in self._standing:
                missed = self._topics.missed(topic, self.seen[topic])
                self.seen[topic] = missed.sequence
                for message in missed.messages:
                    self._send(message)
            if now - self.sent_at >= HEARTBEAT_S:
                self.tell("heartbeat", {})

    def _out(self) -> str | None:
        """Why the client may not stay; None: it may."""
        if not self._caller.is_good():
            return "the token has ended, or was taken back"
        if not self.seen or self._served.sees_personal(self._caller):
            return None
        is_live = len(self._standing) < len(self.seen)
        return HIDDEN if is_live or self._topics.sees_personal else None

    def about_lost(self, topic: str, count: int) -> bytes:
        """The message about prints that are kept no more."""
        return _message("status", {"topic": topic, "lost": count})

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Send a message of the daemon's own."""
        self._send(_message(kind, data))

    def _send(self, message: bytes) -> None:
        if self._writer.push(frame_of(message)) > MOST_UNREAD:
            self._writer.close(_AGAIN, "too slow")
        self.sent_at = self._clock()


def _canonical(asked: object) -> str:
    """A topic of live events with its symbol in capitals, as symbols are; anything else as its text."""
    topic = str(asked)
    if not _TOPIC.fullmatch(topic):
        return topic
    kind, symbol, *rest = topic.split(":")
    return ":".join((kind, symbol.upper(), *rest))


def _message(kind: str, data: dict[str, Any]) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": now, "sequence": 0, "data": data}).encode()


def _identified(identify: Identify, message: dict[str, Any]) -> Identity | None:
    data = message.get("data")
    token = data.get("token") if isinstance(data, dict) else None
    return identify(f"Bearer {token}") if isinstance(token, str) else None


async def _received(socket: WebSocket, writer: FrameWriter) -> object:
    """The next message; None for what is no JSON. *Raises* WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text") or ""  # what is no text is no JSON either
    if len(text) > MESSAGE_BYTES:
        writer.close(_TOO_BIG, f"a message has at most {MESSAGE_BYTES} bytes")
        raise WebSocketDisconnect(_TOO_BIG)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
