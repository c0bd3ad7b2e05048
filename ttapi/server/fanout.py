# SPDX-License-Identifier: Apache-2.0
"""What topics have to say, sent to all who are subscribed, a tenth of the topics every ten milliseconds.

One timer of the server's loop does it, without a task a client: a topic that was quiet is sent at once,
one that moves on and on every tenth of a second, and its message is made once for all of its subscribers.
Who does not take in what was sent is left out until it does, and gets the newest then, or is let go.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from ttapi.server.frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.api import Hub, Missed

TICK_S = 0.01
_TICKS = 10
"""Of one round: the topics' turns lie in it by their names, the clients' in the order they came."""
BATCH_S = TICK_S * _TICKS


class Subscriber(Protocol):
    """A client, as what is sent to all sees it."""

    seen: dict[str, int]
    """By topic the number of the event that was sent last."""

    sent_at: float
    """When something was sent last."""

    def write(self, frames: bytes) -> bool:
        """Whether the frames were taken; empty ones are where anything would be."""
        ...

    def look(self, now: float, *, is_behind: bool) -> None:
        """Ten times a second: send what is nobody else's, or end."""
        ...

    def about_lost(self, topic: str, count: int) -> bytes:
        """The message about prints that are kept no more."""
        ...


class Fanout:
    """All that is sent by itself; the loop's own thread alone uses it."""

    def __init__(self, hub: Hub | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`hub`: of live events; None: there are none. `clock`: seconds that never go back."""
        self._hub, self._clock = hub, clock
        self._subscribers: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._clients: tuple[set[Subscriber], ...] = tuple(set() for _ in range(_TICKS))
        self._held: dict[Subscriber, set[str]] = {}
        """What those who were left out have to be told."""
        self._changed: set[str] = set()
        self._sent_at: dict[str, float] = {}
        self._turn = self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0

    def join(self, client: Subscriber) -> None:
        """Have `client` looked after."""
        min(self._clients, key=len).add(client)
        self._count += 1
        if self._timer is None:
            self._next_at = self._clock()
            self._arm()

    def leave(self, client: Subscriber) -> None:
        """Let `client` go."""
        for turn in self._clients:
            turn.discard(client)
        self._held.pop(client, None)
        self._count -= 1
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def subscribe(self, client: Subscriber, topic: str, *, is_behind: bool) -> None:
        """Send `client` what a live topic comes to; `is_behind`: what came after the number it has seen, too."""
        self._subscribers[topic].add(client)
        if is_behind:
            self._held.setdefault(client, set()).add(topic)

    def unsubscribe(self, client: Subscriber, topic: str) -> None:
        """Send it no more."""
        self._subscribers[topic].discard(client)
        self._held.get(client, set()).discard(topic)
        if not self._subscribers[topic]:
            del self._subscribers[topic]
            self._changed.discard(topic)
            self._sent_at.pop(topic, None)

    def _arm(self) -> None:
        now = self._clock()
        self._next_at = max(self._next_at + TICK_S, now)
        self._timer = asyncio.get_running_loop().call_later(self._next_at - now, self._tick)

    def _tick(self) -> None:
        self._arm()
        now = self._clock()
        self._turn = (self._turn + 1) % _TICKS
        if self._hub is not None:
            self._changed |= self._hub.take_changed()
            due = [topic for topic in self._changed if self._is_due(topic, now)]
            self._changed.difference_update(due)
            for topic in due:
                self._send(topic, now)
        for client in tuple(self._clients[self._turn]):
            is_behind = not client.write(b"")
            if not is_behind:
                self._send_held(client, now)
            client.look(now, is_behind=is_behind)

    def _is_due(self, topic: str, now: float) -> bool:
        """Whether it is a topic's turn, or it was quiet for a whole round."""
        if zlib.crc32(topic.encode()) % _TICKS == self._turn:
            return True
        return now - self._sent_at.get(topic, -BATCH_S) >= BATCH_S

    def _send(self, topic: str, now: float) -> None:
        """Send what a topic has come to; those who saw as much of it get the same bytes."""
        assert self._hub is not None
        self._sent_at[topic] = now
        made: dict[int, tuple[bytes, int]] = {}
        for client in self._subscribers.get(topic, ()):
            seen = client.seen[topic]
            found = made.get(seen)
            if found is None:
                missed = self._hub.missed(topic, seen)
                found = made[seen] = _frames(client, topic, missed), missed.sequence
            if client.write(found[0]):
                client.seen[topic] = found[1]
                client.sent_at = now
            else:
                self._held.setdefault(client, set()).add(topic)

    def _send_held(self, client: Subscriber, now: float) -> None:
        for topic in self._held.pop(client, ()):
            assert self._hub is not None
            missed = self._hub.missed(topic, client.seen[topic])
            if client.write(_frames(client, topic, missed)):
                client.seen[topic] = missed.sequence
                client.sent_at = now
            else:
                self._held.setdefault(client, set()).add(topic)


def _frames(client: Subscriber, topic: str, missed: Missed) -> bytes:
    """What was missed as frames; before it how many prints are lost."""
    messages = list(missed.messages)
    if missed.lost:
        messages.insert(0, client.about_lost(topic, missed.lost))
    return b"".join(frame_of(message) for message in messages)
