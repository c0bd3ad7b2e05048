# SPDX-License-Identifier: Apache-2.0
"""The dxLink protocol without a socket: frames and instants in, frames and happenings out.

    connect -> SETUP -> (server's SETUP) -> AUTH_STATE UNAUTHORIZED -> AUTH -> AUTHORIZED
            -> CHANNEL_REQUEST -> CHANNEL_OPENED -> FEED_SETUP, FEED_SUBSCRIPTION (reset, add)

What is wanted (channels, subscriptions) outlives a connection: after `connect` all of it is asked
for again, in the order the vendor enforces. `now` is any clock in seconds that runs forward.

The text frames a dxLink client sends, and the safe reading of those it gets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from ttapi.errors import SourceError
from ttapi.sources.dxlink.events import RefusedRows, decode_feed_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ttapi.sources.dxlink.events import Event

Contract = Literal["AUTO", "HISTORY", "STREAM", "TICKER"]
KEEPALIVE_S = 60
"""Silence of the server after which the connection counts as dead; it is told so in SETUP."""
PING_S = 30.0
"""Own silence after which a KEEPALIVE goes out."""
HANDSHAKE_S = 10.0
"""From connecting to AUTHORIZED."""


class Phase(Enum):
    """How far a connection is."""

    CLOSED = "closed"
    SETUP = "setup"
    AUTH = "auth"
    READY = "ready"


@dataclass(frozen=True)
class Authorized:
    """The handshake is done; what is wanted has been asked for."""


@dataclass(frozen=True)
class AuthRefused:
    """The server does not take the token."""

    message: str


@dataclass(frozen=True)
class ChannelOpened:
    """A channel answers; its subscriptions are on their way."""

    channel: int


@dataclass(frozen=True)
class ChannelClosed:
    """The server closed a channel nobody cancelled."""

    channel: int


@dataclass(frozen=True)
class FeedData:
    """What one FEED_DATA held."""

    channel: int
    events: Sequence[Event]
    refused: Sequence[RefusedRows]


@dataclass(frozen=True)
class ServerError:
    """An ERROR message: the connection may go on."""

    channel: int
    kind: str
    message: str


@dataclass(frozen=True)
class Unreadable:
    """A frame that is no message of the protocol; it changed nothing."""

    reason: str


Happening = (
    Authorized | AuthRefused | ChannelOpened | ChannelClosed | FeedData | ServerError | Unreadable
)


@dataclass(frozen=True)
class Deadline:
    """What is to be done when nothing else happened until then."""

    kind: Literal["handshake", "ping", "silence"]
    at: float


@dataclass
class _Channel:
    contract: Contract
    fields: Mapping[str, Sequence[str]]
    subscriptions: dict[tuple[str, str], Subscription] = field(default_factory=dict)
    is_open: bool = False
    granted: dict[str, tuple[str, ...]] = field(default_factory=dict)


class DxLinkProtocol:
    """One client's side of dxLink over any number of connections, one at a time."""

    def __init__(self, *, aggregation_s: float = 0.0) -> None:
        self.phase = Phase.CLOSED
        self.chunk_bytes = SUBSCRIPTION_BYTES
        """Longest subscription frame."""
        self._aggregation_s = aggregation_s
        self._channels: dict[int, _Channel] = {}
        self._outgoing: list[str] = []
        self._token = ""
        self._sent_token = False
        self._connected_at = self._sent_at = self._last_frame_at = 0.0

    def open_channel(self, contract: Contract, fields: Mapping[str, Sequence[str]]) -> int:
        """The number of a feed wanted under `contract`, with the columns wanted by event type."""
        number = 2 * len(self._channels) + 1
        self._channels[number] = _Channel(contract, fields)
        if self.phase is Phase.READY:
            self._request(number)
        return number

    def subscribe(self, channel: int, subscriptions: Iterable[Subscription]) -> None:
        """Want these too; the same type and symbol replaces what was wanted before."""
        wanted = {(item.type, item.symbol): item for item in subscriptions}
        self._channels[channel].subscriptions |= wanted
        self._subscribe(channel, add=list(wanted.values()))

    def unsubscribe(self, channel: int, subscriptions: Iterable[Subscription]) -> None:
        """Want these no longer."""
        known = self._channels[channel].subscriptions
        gone = [known.pop(key) for s in subscriptions if (key := (s.type, s.symbol)) in known]
        self._subscribe(channel, remove=gone)

    def connect(self, now: float, token: str) -> None:
        """Begin a fresh connection: whatever the last one had said is void."""
        self.phase = Phase.SETUP
        self._token, self._sent_token = token, False
        self._connected_at = self._sent_at = self._last_frame_at = now
        self._outgoing.clear()
        for channel in self._channels.values():
            channel.is_open, channel.granted = False, {}
        self._outgoing.append(setup(KEEPALIVE_S))

    def disconnect(self) -> None:
        """The connection is gone."""
        self.phase = Phase.CLOSED
        self._outgoing.clear()

    def take_outgoing(self, now: float) -> list[str]:
        """The frames to send now; each is given once."""
        taken, self._outgoing = self._outgoing, []
        if taken:
            self._sent_at = now
        return taken

    def deadlines(self) -> tuple[Deadline, ...]:
        """Those that run, the next first."""
        if self.phase is Phase.CLOSED:
            return ()
        running = [Deadline("silence", self._last_frame_at + KEEPALIVE_S)]
        if self.phase is Phase.READY:
            running.append(Deadline("ping", self._sent_at + PING_S))
        else:
            running.append(Deadline("handshake", self._connected_at + HANDSHAKE_S))
        return tuple(sorted(running, key=lambda deadline: deadline.at))

    def pass_time(self, now: float) -> Deadline | None:
        """The deadline that has passed and ends the connection, if one has; pings are sent."""
        for deadline in self.deadlines():
            if deadline.at > now:
                continue
            if deadline.kind != "ping":
                return deadline
            self._outgoing.append(frame("KEEPALIVE"))
        return None

    def receive(self, text: str | bytes, now: float) -> list[Happening]:
        """What a frame says; what must be answered is answered."""
        self._last_frame_at = now
        message = parse_frame(text)
        if isinstance(message, str):
            return [Unreadable(message)]
        handle = getattr(self, f"_on_{message['type'].lower()}", None)
        if handle is None or not message["type"].isupper():
            return []  # Kinds this client has no use for, and those of later versions.
        happening: Happening | None = handle(message)
        return [] if happening is None else [happening]

    def take_data(self, message: Message, now: float) -> Mapping[str, Sequence[str]]:
        """The columns that a FEED_DATA, which others decode, was granted; it counts as a frame."""
        self._last_frame_at = now
        channel = self._channels.get(message.get("channel", 0))
        return channel.granted if channel else {}

    def _on_setup(self, _message: Message) -> None:
        if self.phase is Phase.SETUP:
            self.phase = Phase.AUTH

    def _on_auth_state(self, message: Message) -> Happening | None:
        if message.get("state") == "AUTHORIZED":
            if self.phase is Phase.READY:
                return None
            self.phase = Phase.READY
            for number in self._channels:
                self._request(number)
            return Authorized()
        if self._sent_token:
            return AuthRefused("the token was not accepted")
        self._sent_token = True
        self._outgoing.append(frame("AUTH", token=self._token))
        return None

    def _on_channel_opened(self, message: Message) -> Happening | None:
        number = message["channel"]
        channel = self._channels.get(number)
        if channel is None or channel.is_open:
            return None
        channel.is_open = True
        self._outgoing.append(feed_setup(number, channel.fields, self._aggregation_s))
        wanted = list(channel.subscriptions.values())
        if wanted:
            self._subscribe(number, add=wanted, is_reset=True)
        return ChannelOpened(number)

    def _on_channel_closed(self, message: Message) -> Happening | None:
        channel = self._channels.get(message["channel"])
        if channel is None:
            return None
        channel.is_open, channel.granted = False, {}
        return ChannelClosed(message["channel"])

    def _on_feed_config(self, message: Message) -> Happening | None:
        channel = self._channels.get(message["channel"])
        told = message.get("eventFields")
        if channel is None or told is None:
            return None
        if not isinstance(told, dict):
            return Unreadable("eventFields is no object")
        for event_type, names in told.items():
            if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                return Unreadable(f"the fields of {event_type} are no list of names")
            channel.granted[event_type] = tuple(names)
        return None

    def _on_feed_data(self, message: Message) -> Happening | None:
        channel = self._channels.get(message["channel"])
        if channel is None:
            return None
        decoded = decode_feed_data(message.get("data"), channel.granted)
        return FeedData(message["channel"], decoded.events, decoded.refused)

    def _on_error(self, message: Message) -> Happening:
        kind, text = str(message.get("error", "UNKNOWN")), str(message.get("message", ""))
        if kind == "UNAUTHORIZED" and self.phase is not Phase.READY:
            return AuthRefused(text or "the token was not accepted")
        return ServerError(message["channel"], kind, text)

    def _request(self, number: int) -> None:
        contract = self._channels[number].contract
        self._outgoing.append(
            frame("CHANNEL_REQUEST", number, service="FEED", parameters={"contract": contract})
        )

    def _subscribe(
        self,
        number: int,
        *,
        add: Sequence[Subscription] = (),
        remove: Sequence[Subscription] = (),
        is_reset: bool = False,
    ) -> None:
        if self.phase is Phase.READY and self._channels[number].is_open:
            self._outgoing += subscription_frames(
                number, add=add, remove=remove, is_reset=is_reset, limit=self.chunk_bytes
            )


VERSION = "0.1-ttapi/0.1"
"""The protocol's version, then the client's."""
SUBSCRIPTION_BYTES = 8192
"""Longest subscription frame; dxFeed's own client keeps to it too."""

Message = dict[str, Any]


@dataclass(frozen=True, order=True)
class Subscription:
    """One series or symbol wanted of a channel."""

    type: str
    """Event type: `Candle`, `Quote`."""
    symbol: str
    """As dxFeed writes it; candles normalised."""
    from_time: int | None = None
    """Milliseconds since 1970, inclusive; None: last values only."""

    def entry(self) -> Message:
        """The subscription as a message names it."""
        entry: Message = {"type": self.type, "symbol": self.symbol}
        return entry if self.from_time is None else entry | {"fromTime": self.from_time}


def frame(message_type: str, channel: int = 0, **fields: Any) -> str:
    """One message as text."""
    return _text({"type": message_type, "channel": channel, **fields})


def parse_frame(text: str | bytes) -> Message | str:
    """The message in `text`, or why there is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as exc:
        return f"no JSON: {type(exc).__name__}"
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "no object with a type"
    channel = message.setdefault("channel", 0)
    if not isinstance(channel, int) or isinstance(channel, bool):
        return "its channel is no number"
    return message


def setup(keepalive_s: float) -> str:
    """The first frame of a connection."""
    return frame(
        "SETUP", version=VERSION, keepaliveTimeout=keepalive_s, acceptKeepaliveTimeout=keepalive_s
    )


def feed_setup(channel: int, fields: Mapping[str, Sequence[str]], aggregation_s: float) -> str:
    """What is asked of a feed: its columns by event type, in compact form."""
    return frame(
        "FEED_SETUP",
        channel,
        acceptAggregationPeriod=aggregation_s,
        acceptDataFormat="COMPACT",
        acceptEventFields={event_type: list(names) for event_type, names in fields.items()},
    )


def subscription_frames(
    channel: int,
    *,
    add: Sequence[Subscription] = (),
    remove: Sequence[Subscription] = (),
    is_reset: bool = False,
    limit: int = SUBSCRIPTION_BYTES,
) -> Iterator[str]:
    """Frames of at most `limit` bytes that together say it: the reset first, in order.

    *Raises* SourceError for a symbol that fits into no frame.
    """
    empty: Message = {"type": "FEED_SUBSCRIPTION", "channel": channel}
    held, is_due = dict(empty), is_reset
    if is_reset:
        held["reset"] = True
    size = len(_text(held))
    for list_name, subscriptions in (("remove", remove), ("add", add)):
        for subscription in subscriptions:
            entry = subscription.entry()
            length = len(_text(entry)) + 1
            heading = 0 if list_name in held else len(_text({list_name: []}))
            if size + heading + length > limit and len(held) > len(empty):
                yield _text(held)
                held = dict(empty)
                size, heading = len(_text(held)), len(_text({list_name: []}))
            if size + heading + length > limit:
                raise SourceError(f"symbol {subscription.symbol[:40]!r}... fits into no message")
            held.setdefault(list_name, []).append(entry)
            size += heading + length
            is_due = True
    if is_due and len(held) > len(empty):
        yield _text(held)


def _text(message: Message) -> str:
    # Only ASCII: its characters are its bytes.
    return json.dumps(message, separators=(",", ":"), allow_nan=False)
