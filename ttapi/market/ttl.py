# SPDX-License-Identifier: Apache-2.0
"""How long a dataset stays fresh: durations (`7d`, `5m`) and market time (`next close + 45m`).

Market time counts session closes, so weekends and holidays make nothing stale.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ttapi.errors import UsageError

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
