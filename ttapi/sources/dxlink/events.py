# SPDX-License-Identifier: Apache-2.0
"""What a FEED_DATA message holds: events by field name, whatever form the server chose.

FULL is a list of objects. COMPACT is a list of pairs, type and flat array, whose columns are the
names the channel's FEED_CONFIG granted: reordered, fewer or more than were asked for. Texts that
stand for no number become None. What cannot be read is refused with its reason, never raised.

Time-series events put together into what they mean: whole snapshots, whole transactions.

dxLink sends a symbol's history as many events between SNAPSHOT_BEGIN and SNAPSHOT_END or SNIP,
and later changes in transactions of one or more. Nothing of either is seen before it is complete,
so a connection that breaks off leaves the state as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.market.dxfeed import TEXT_OF_NO_NUMBER, EventFlag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | int | float | bool | None
Event = dict[str, Value]
"""One event by dxFeed's field names; `eventType` and `eventSymbol` are always texts."""

_TEXTS = frozenset({"eventType", "eventSymbol", "description", "optionSymbol", "statusReason"})
"""Fields whose text is meant, even where it reads NaN."""
NO_TEXTS = frozenset({"", "\0"})
"""What dxFeed sends where it says nothing."""
YEAR_3000 = 32_503_680_000_000
"""In milliseconds since 1970: what lies beyond is no time of an event."""
_LARGEST = 2**53


@dataclass(frozen=True)
class RefusedRows:
    """One row, or one array of rows, that could not be read."""

    reason: str
    text: str
    """The vendor's, cut to 500 characters."""
    rows: int = 1
    """How many rows were lost by it."""


@dataclass
class Decoded:
    """The readable and the unreadable of one message, in its order."""

    events: list[Event] = field(default_factory=list)
    refused: list[RefusedRows] = field(default_factory=list)

    @property
    def rows_refused(self) -> int:
        """Rows lost to refusals."""
        return sum(refusal.rows for refusal in self.refused)


def decode_feed_data(data: object, granted: Mapping[str, Sequence[str]]) -> Decoded:
    """The events of `data`, a message's field of that name.

    `granted` are the field names by event type as FEED_CONFIG told them last.
    """
    decoded = Decoded()
    if not isinstance(data, list):
        decoded.refused.append(_refusal("the data of a message is no list", data))
        return decoded
    place = 0
    while place < len(data):
        item = data[place]
        if isinstance(item, dict):
            _take_row(decoded, item)
            place += 1
        elif isinstance(item, str):
            values = data[place + 1] if place + 1 < len(data) else None
            _take_array(decoded, item, values, granted.get(item))
            place += 2
        else:
            decoded.refused.append(_refusal("neither an object nor an event type", item))
            place += 1
    return decoded


def _take_array(
    decoded: Decoded, event_type: str, values: object, names: Sequence[str] | None
) -> None:
    if not isinstance(values, list):
        decoded.refused.append(_refusal(f"no array follows {event_type}", values))
        return
    if not names:
        decoded.refused.append(_refusal(f"no fields were granted for {event_type}", values))
        return
    width = len(names)
    if len(values) % width:
        reason = f"{len(values)} values of {event_type} are no rows of {width} fields"
        lost = -(-len(values) // width)
        decoded.refused.append(_refusal(reason, values, lost))
        return
    for start in range(0, len(values), width):
        row = dict(zip(names, values[start : start + width], strict=True))
        row.setdefault("eventType", event_type)
        _take_row(decoded, row)


def _take_row(decoded: Decoded, row: Mapping[str, Any]) -> None:
    for name in ("eventType", "eventSymbol"):
        if not isinstance(row.get(name), str) or not row[name]:
            decoded.refused.append(_refusal(f"{name} is no text", row))
            return
    event: Event = {}
    for name, value in row.items():
        if isinstance(value, list | dict):
            decoded.refused.append(_refusal(f"{name} is no single value", row))
            return
        event[name] = _plain(name, value)
    decoded.events.append(event)


def _plain(name: str, value: Value) -> Value:
    if isinstance(value, str):
        return None if value in TEXT_OF_NO_NUMBER and name not in _TEXTS else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _refusal(reason: str, text: object, rows: int = 1) -> RefusedRows:
    return RefusedRows(reason, str(text)[:500], rows)


Key = tuple["Value", ...]
_ENDS = EventFlag.SNAPSHOT_END | EventFlag.SNAPSHOT_SNIP


@dataclass(frozen=True)
class Change:
    """What one complete snapshot or transaction does to the rows of a symbol."""

    symbol: str
    is_snapshot: bool
    """True: `rows` are all there is of the symbol; what stood before is void."""
    is_truncated: bool
    """The snapshot ended for want of room: older rows exist and were not sent."""
    rows: dict[Key, Event]
    """To be put in place, by their key."""
    removed: frozenset[Key]
    """To be taken away; always empty for a snapshot."""


@dataclass
class _Gathering:
    """What came of a symbol and is not complete."""

    events: list[Event] = field(default_factory=list)
    in_snapshot: bool = False
    is_ended: bool = False
    is_truncated: bool = False


class EventAssembler:
    """Fed with events in the order they came; gives changes as they become complete.

    `key` names the fields that tell the rows of a symbol apart. Symbols may interleave.
    """

    def __init__(self, key: tuple[str, ...] = ("time",)) -> None:
        self._key = key
        self._gathering: dict[str, _Gathering] = {}

    @property
    def incomplete(self) -> frozenset[str]:
        """Symbols of which something is held back."""
        return frozenset(self._gathering)

    def drop(self) -> None:
        """Forget what is incomplete: the connection it came by is gone."""
        self._gathering.clear()

    def take(self, event: Event) -> Change | None:
        """The change that `event` completes, if it completes one."""
        symbol = str(event["eventSymbol"])
        flags = event_flags(event)
        if flags & EventFlag.SNAPSHOT_BEGIN:
            self._gathering[symbol] = _Gathering(in_snapshot=True)
        held = self._gathering.setdefault(symbol, _Gathering())
        held.events.append(event)
        if held.in_snapshot and flags & _ENDS:
            held.is_ended = True
            held.is_truncated = bool(flags & EventFlag.SNAPSHOT_SNIP)
        is_waiting = flags & EventFlag.TX_PENDING or (held.in_snapshot and not held.is_ended)
        if is_waiting:
            return None
        del self._gathering[symbol]
        return self._change(symbol, held)

    def _change(self, symbol: str, held: _Gathering) -> Change:
        rows: dict[Key, Event] = {}
        removed: set[Key] = set()
        for event in held.events:
            key = tuple(event.get(name) for name in self._key)
            if event_flags(event) & EventFlag.REMOVE:
                rows.pop(key, None)
                removed.add(key)
            else:
                rows[key] = event
                removed.discard(key)
        if held.in_snapshot:
            removed.clear()
        return Change(symbol, held.in_snapshot, held.is_truncated, rows, frozenset(removed))


def event_flags(event: Event) -> EventFlag:
    """The flags of an event; none where the field is missing or no number."""
    flags = event.get("eventFlags")
    return EventFlag(flags) if isinstance(flags, int) and flags >= 0 else EventFlag(0)


@dataclass
class Series:
    """The rows of one symbol as its changes left them."""

    rows: dict[Key, Event] = field(default_factory=dict)
    is_complete: bool = False
    """A snapshot has been applied."""
    is_truncated: bool = False
    """The last snapshot lacks older rows."""

    def apply(self, change: Change) -> None:
        """Take `change` in, as a whole."""
        if change.is_snapshot:
            self.rows = dict(change.rows)
            self.is_complete, self.is_truncated = True, change.is_truncated
            return
        for key in change.removed:
            self.rows.pop(key, None)
        self.rows |= change.rows


def number_of(value: Any) -> float | None:
    """A finite number, or None: for NaN, the infinities and what is none."""
    if type(value) is not float and type(value) is not int:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_of(value: Any) -> int | None:
    """A whole number of 64 bits, or None."""
    if type(value) is int:
        return value if abs(value) < 2**63 else None
    return int(value) if type(value) is float and abs(value) < _LARGEST else None


def text_of(value: Any) -> str | None:
    """A text that says something, or None."""
    return value if type(value) is str and value not in NO_TEXTS else None


def instant_of(several: Sequence[Any]) -> int | None:
    """Microseconds of the latest of what are instants."""
    latest = max((one for value in several if (one := whole_of(value)) is not None), default=0)
    return 1000 * latest if 0 < latest < YEAR_3000 else None
