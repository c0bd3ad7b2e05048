# SPDX-License-Identifier: Apache-2.0
"""What a command takes for now, and instants: zone-aware UTC in Python, UTC without a zone in the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock(Protocol):
    """Asked once a statement, by a daemon once a request; nothing below holds one."""

    def now(self) -> datetime:
        """The instant taken for now, zone-aware UTC."""


@dataclass(frozen=True)
class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        """The machine's time, zone-aware UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """One that stands still."""

    instant: datetime
    """Zone-aware."""

    def now(self) -> datetime:
        """The same instant every time, in UTC."""
        return self.instant.astimezone(UTC)


_FIRST_YEAR, _LAST_YEAR = 1953, 2049
"""Whose sessions the calendars know whole."""


def clock_from(environ: Mapping[str, str]) -> Clock:
    """The clock that TTAPI_NOW stops (ISO instant, UTC when it names no zone), else the machine's.

    *Raises* UsageError for a text that is no instant.
    """
    text = environ.get("TTAPI_NOW")
    if not text:
        return SystemClock()
    try:
        instant = datetime.fromisoformat(text)
        clock = FixedClock(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
        year = clock.now().year
    except (ValueError, OverflowError) as exc:
        raise UsageError(
            f"TTAPI_NOW={text!r} is not an ISO instant", hint="2024-06-14T20:00:00Z works"
        ) from exc
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise UsageError(
            f"TTAPI_NOW={text!r} is not an instant of the years {_FIRST_YEAR} to {_LAST_YEAR}",
            hint="2024-06-14T20:00:00Z works",
        )
    return clock


def utc_instant(instant: datetime | None) -> datetime | None:
    """A naive UTC instant of the file as a zone-aware one."""
    return None if instant is None else instant.replace(tzinfo=UTC)


def stored_instant(instant: datetime) -> datetime:
    """A zone-aware instant as the file stores it: UTC, no zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)
