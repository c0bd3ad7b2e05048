# SPDX-License-Identifier: Apache-2.0
"""The instant of an as-of query: what a person writes, and what it means in SQL.

A bare date is the whole of that day, New York's session day, as in `eod_asof`: its bars are known
at the close, before midnight UTC. An instant is UTC unless it has an offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ttapi.errors import UsageError

_EXCHANGE = ZoneInfo("America/New_York")
_WANTED = "a day as 2014-06-06, or an instant as 2014-06-06T20:00 (UTC) or 2014-06-06T16:00-04:00"


@dataclass(frozen=True)
class AsOf:
    """A point in time that a query is answered as of."""

    until: datetime
    """Zone-aware UTC; what was known then, this instant included, counts."""
    day: date | None = None
    """The day that is meant as a whole; None: an instant."""

    @property
    def limit(self) -> str:
        """`until` as a SQL literal."""
        return f"timestamp '{_plain(self.until)}'"

    @property
    def argument(self) -> str:
        """What an `..._asof` macro takes for it, which reads midnight as a whole day."""
        return self.limit if self.day is None else f"date '{self.day}'"

    @property
    def told(self) -> str:
        """For a person: `2014-06-06 20:00 UTC`, `2014-06-06 (until midnight UTC)`."""
        if self.day is not None:
            return f"{self.day} (until midnight UTC)"
        text = _plain(self.until)
        return f"{text.removesuffix(':00')} UTC"


def parse_as_of(given: str | date, now: datetime) -> AsOf:
    """The point in time that `given` means.

    *Raises* UsageError for a text that is none, and for one later than `now`.
    """
    found = _of_day(given, now) if _is_day(given) else _of_instant(_instant(given))
    if found is None or (found.day is None and found.until > now):
        raise UsageError(
            f"--as-of {given} is later than now, {_plain(now)} UTC",
            hint="what will be known then nobody knows",
        )
    return found


def _is_day(given: str | date) -> bool:
    if not isinstance(given, str):
        return not isinstance(given, datetime)
    try:
        date.fromisoformat(given.strip())
    except ValueError:
        return False
    return True


def _of_day(given: str | date, now: datetime) -> AsOf | None:
    """The whole of a day; None: New York has not come to it."""
    day = date.fromisoformat(given.strip()) if isinstance(given, str) else given
    if day > now.astimezone(_EXCHANGE).date():
        return None
    return AsOf(datetime.combine(day + timedelta(days=1), time(), UTC), day)


def _of_instant(instant: datetime) -> AsOf:
    if instant.time() == time():
        # Midnight is where the day before ends; a macro would take it for the day that begins.
        return AsOf(instant, instant.date() - timedelta(days=1))
    return AsOf(instant)


def _instant(given: str | date) -> datetime:
    try:
        found = datetime.fromisoformat(given.strip()) if isinstance(given, str) else given
        assert isinstance(found, datetime)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise UsageError(f"--as-of {given!r} is no point in time", hint=_WANTED) from exc


def _plain(instant: datetime) -> str:
    return str(instant.astimezone(UTC).replace(tzinfo=None))
