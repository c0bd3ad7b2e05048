# SPDX-License-Identifier: Apache-2.0
"""The text frames a dxLink client sends, and the safe reading of those it gets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
