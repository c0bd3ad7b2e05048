# SPDX-License-Identifier: Apache-2.0
"""Sessions of the markets ttapi knows: which days trade, from when to when.

XNYS is the New York Stock Exchange. CBOE_IDX (index options of Cboe) and CFE (VIX futures) have
the sessions of XNYS; they close at 16:15 New York time, and on a day XNYS cuts short 15 minutes
after XNYS. Where trading broke off unannounced (2005-06-01 at 15:56), `close_utc` of XNYS is the
last minute of trading, yet the day is no early close and the other markets are not touched.

How long a dataset stays fresh: durations (`7d`, `5m`) and market time (`next close + 45m`).

Market time counts session closes, so weekends and holidays make nothing stale.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.errors import UsageError
from ttapi.market import shipped

if TYPE_CHECKING:
    import polars as pl


NEW_YORK = ZoneInfo("America/New_York")
MARKETS = ("XNYS", "CBOE_IDX", "CFE")
FIRST_DATE = date(1953, 1, 1)
"""The first day known: before 1953 XNYS traded on Saturdays."""
LAST_DATE = date(2050, 12, 31)
"""The last day known."""


@dataclass(frozen=True)
class MarketPhase:
    """Whether a market trades at an instant."""

    is_open: bool
    until: datetime
    """The close that ends it, or the next open; zone-aware UTC, exclusive."""


@dataclass(frozen=True, eq=False)
class Sessions:
    """The sessions of one market, from FIRST_DATE to LAST_DATE, both inclusive.

    *Units* dates are session dates of New York; instants are zone-aware UTC.
    *Raises* UsageError for a date out of that range.
    """

    market: str
    dates: tuple[date, ...]
    """Every session date, ascending."""
    closures: dict[date, shipped.SpecialDay] = field(repr=False)
    early_closes: dict[date, shipped.SpecialDay] = field(repr=False)
    """Announced short days, and the halts that struck this market."""
    late_opens: dict[date, shipped.SpecialDay] = field(repr=False)
    hours: tuple[shipped.Hours, ...] = field(repr=False)

    def is_session(self, day: date) -> bool:
        """Whether the market trades on `day`."""
        number = self.session_no(day)
        return number > 0 and self.dates[number - 1] == day

    def session_no(self, day: date) -> int:
        """How many sessions there were from FIRST_DATE to `day`, inclusive."""
        if not FIRST_DATE <= day <= LAST_DATE:
            raise UsageError(
                f"{day} is outside the {self.market} calendar",
                hint=f"it knows {FIRST_DATE} to {LAST_DATE}",
            )
        return bisect_right(self.dates, day)

    def previous_session(self, day: date) -> date:
        """The last session before `day`."""
        return self._session(self.session_no(day) - self.is_session(day), f"before {day}")

    def next_session(self, day: date) -> date:
        """The first session after `day`."""
        return self._session(self.session_no(day) + 1, f"after {day}")

    def session_on_or_before(self, day: date) -> date:
        """`day` itself where it is a session, else the last one before."""
        return self._session(self.session_no(day), f"on or before {day}")

    def session_on_or_after(self, day: date) -> date:
        """`day` itself where it is a session, else the next one."""
        return day if self.is_session(day) else self.next_session(day)

    def sessions_between(self, after: date, until: date) -> int:
        """How many sessions lie in (after, until]; negative when `until` is the earlier date."""
        return self.session_no(until) - self.session_no(after)

    def add_sessions(self, day: date, count: int) -> date:
        """The session `count` sessions after the one on or before `day`; earlier when negative."""
        return self._session(self.session_no(day) + count, f"{count} from {day}")

    def holiday_name(self, day: date) -> str | None:
        """Why the market is closed on the weekday `day`; None on sessions and weekends."""
        closure = self.closures.get(day)
        return closure.name if closure else None

    def is_early_close(self, day: date) -> bool:
        """Whether `day` was announced to be short; a halt in mid-session is none."""
        short = self.early_closes.get(day)
        return short is not None and short.kind != "halt"

    def is_late_open(self, day: date) -> bool:
        """Whether trading on `day` began after its time."""
        return day in self.late_opens

    def open_utc(self, day: date) -> datetime:
        """When the session `day` opens."""
        return self._local_open(self._required(day)).replace(tzinfo=NEW_YORK).astimezone(UTC)

    def close_utc(self, day: date) -> datetime:
        """When the session `day` closes."""
        return self._local_close(self._required(day)).replace(tzinfo=NEW_YORK).astimezone(UTC)

    def last_completed_session(self, now: datetime) -> date:
        """The last session whose close is at or before `now`."""
        day = self.session_on_or_before(now.astimezone(NEW_YORK).date())
        return day if self.close_utc(day) <= now else self.previous_session(day)

    def next_close_after(self, instant: datetime) -> datetime:
        """The first close strictly after `instant`."""
        day = self.session_on_or_after(instant.astimezone(NEW_YORK).date())
        close = self.close_utc(day)
        return close if close > instant else self.close_utc(self.next_session(day))

    def phase_at(self, instant: datetime) -> MarketPhase:
        """Whether the market is open at `instant`, and until when that is so."""
        day = self.session_on_or_after(instant.astimezone(NEW_YORK).date())
        if instant >= self.close_utc(day):
            day = self.next_session(day)
        is_open = self.open_utc(day) <= instant
        return MarketPhase(is_open, self.close_utc(day) if is_open else self.open_utc(day))

    def close_utc_by_date(self) -> pl.DataFrame:
        """Every session with its instants, for joining many dates at once; made once a process.

        *Shape* date, open_utc, close_utc (Datetime[us], UTC, no zone), one ascending row a session.
        """
        return _session_frame(self)

    def _session(self, number: int, wanted: str) -> date:
        if not 1 <= number <= len(self.dates):
            raise UsageError(f"the {self.market} calendar knows no session {wanted}")
        return self.dates[number - 1]

    def _required(self, day: date) -> date:
        if not self.is_session(day):
            reason = self.holiday_name(day) or "a weekend"
            raise UsageError(f"{day} is no session of {self.market}: {reason}")
        return day

    def _hours_on(self, day: date) -> shipped.Hours:
        return self.hours[bisect_right(self._eras, day) - 1]

    @cached_property
    def _eras(self) -> list[date]:
        """The first date of each of `hours`."""
        return [era.from_date for era in self.hours]

    def _local_open(self, day: date) -> datetime:
        late = self.late_opens.get(day)
        at = late.at if late and late.at else self._hours_on(day).open
        return datetime.combine(day, at)

    def _local_close(self, day: date) -> datetime:
        hours = self._hours_on(day)
        short = self.early_closes.get(day)
        if short is None or short.at is None:
            return datetime.combine(day, hours.close)
        return datetime.combine(day, short.at) + timedelta(minutes=hours.early_close_lag_min)


@cache
def sessions(market: str = "XNYS") -> Sessions:
    """The sessions of `market`; the same object every time.

    *Raises* UsageError for a market that is not in MARKETS.
    """
    if market not in MARKETS:
        raise UsageError(f"unknown market {market!r}", hint=f"known: {', '.join(MARKETS)}")
    closed = {day.date: day for day in shipped.closures()}
    return Sessions(
        market=market,
        dates=_session_dates(frozenset(closed)),
        closures=closed,
        early_closes={
            day.date: day
            for day in shipped.early_closes()
            if market == "XNYS" or day.kind != "halt"
        },
        late_opens={day.date: day for day in shipped.late_opens()},
        hours=shipped.regular_hours()[market],
    )


def options_market(underlying: str) -> str:
    """The market whose closes end the trading of an underlying's options: CBOE_IDX of an index, else XNYS."""
    is_index = underlying in shipped.EUROPEAN_INDICES or underlying == shipped.AMERICAN_INDEX
    return "CBOE_IDX" if is_index else "XNYS"


def options_close(underlying: str, now: datetime) -> datetime:
    """The next close of an underlying's options, strictly after `now`; half days are known."""
    return sessions(options_market(underlying)).next_close_after(now)


def expiration_session(day: date) -> date:
    """The session on which an option of this date last trades: Saturdays stand for the session before.

    Outside the calendar it is `day` itself.
    """
    calendar = sessions("XNYS")
    is_known = calendar.dates[0] <= day <= LAST_DATE
    return calendar.session_on_or_before(day) if is_known else day


@cache
def _session_dates(closed: frozenset[date]) -> tuple[date, ...]:
    every_day = map(date.fromordinal, range(FIRST_DATE.toordinal(), LAST_DATE.toordinal() + 1))
    return tuple(day for day in every_day if day.weekday() < 5 and day not in closed)


@cache
def _session_frame(calendar: Sessions) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half of this module's users need dates only

    local = pl.DataFrame(
        {
            "date": calendar.dates,
            "open_utc": [calendar._local_open(day) for day in calendar.dates],  # noqa: SLF001 - same module
            "close_utc": [calendar._local_close(day) for day in calendar.dates],  # noqa: SLF001 - same module
        },
        schema={"date": pl.Date, "open_utc": pl.Datetime("us"), "close_utc": pl.Datetime("us")},
    )
    instants = pl.col("open_utc", "close_utc")
    return local.with_columns(
        instants.dt.replace_time_zone("America/New_York")
        .dt.convert_time_zone("UTC")
        .dt.replace_time_zone(None)
    )


NextClose = Callable[[datetime], datetime]
"""The first XNYS session close strictly after an instant; both zone-aware UTC."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_NEXT_CLOSE = re.compile(r"next close(?:\s*\+\s*(.+))?")
_SESSIONS = re.compile(r"(\d+)\s*sessions?")
_LONGEST_DAYS = 36_500
"""A century: whatever is counted from an instant of today is still an instant."""
_MOST_SESSIONS = 2_520
"""Ten years of closes, and as many days behind one: the calendars end in 2050."""


@dataclass(frozen=True)
class Ttl:
    """A parsed time to live: `sessions` closes (0: none) plus `offset`."""

    sessions: int
    offset: timedelta

    def due_at(self, asked_at: datetime, next_close: NextClose) -> datetime:
        """The instant from which something asked at `asked_at` is stale."""
        if not self.sessions:
            return asked_at + self.offset
        close = asked_at - self.offset
        for _ in range(self.sessions):
            close = next_close(close)
        return close + self.offset


def parse_ttl(text: str) -> Ttl:
    """`7d`, `24h`, `5m`, `next close`, `next close + 45m`, `5 sessions`.

    *Raises* UsageError for anything else.
    """
    plain = text.strip().lower()
    if match := _SESSIONS.fullmatch(plain):
        if float(match[1]) > _MOST_SESSIONS:
            raise UsageError(
                f"{text!r} is no duration", hint=f"{_MOST_SESSIONS:,} sessions is the longest"
            )
        return Ttl(int(match[1]), timedelta())
    if match := _NEXT_CLOSE.fullmatch(plain):
        behind = _duration(match[1], text, _MOST_SESSIONS) if match[1] else timedelta()
        return Ttl(1, behind)
    return Ttl(0, _duration(plain, text))


def parse_duration(text: str) -> timedelta:
    """`5m`, `2h`, `1d`: clock time only. *Raises* UsageError for anything else."""
    return _duration(text.lower(), text)


def _duration(text: str, whole: str, longest_days: int = _LONGEST_DAYS) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{whole!r} is no duration", hint="7d, 24h, 5m, 5 sessions, or next close + 45m"
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > longest_days * _SECONDS["d"]:
        raise UsageError(f"{whole!r} is no duration", hint=f"{longest_days:,}d is the longest")
    return timedelta(seconds=seconds)
