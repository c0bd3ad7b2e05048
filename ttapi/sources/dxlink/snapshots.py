# SPDX-License-Identifier: Apache-2.0
"""Time-series events put together into what they mean: whole snapshots, whole transactions.

dxLink sends a symbol's history as many events between SNAPSHOT_BEGIN and SNAPSHOT_END or SNIP,
and later changes in transactions of one or more. Nothing of either is seen before it is complete,
so a connection that breaks off leaves the state as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttapi.market.dxfeed import EventFlag

if TYPE_CHECKING:
    from ttapi.sources.dxlink.decode import Event, Value

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


class SnapshotAssembler:
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
