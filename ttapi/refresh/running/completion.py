# SPDX-License-Identifier: Apache-2.0
"""What of some asks another raw dataset does not hold already: missing keys, the tail, proven gaps.

A resource that `completes` another one is asked for no more than that. Some sessions before the
tail are asked with it, so that the price bases of the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.store.raw_table import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.refresh.planning.coverage import Ask, Span
    from ttapi.refresh.planning.datasets import Dataset

_OVERLAP = timedelta(days=21)
"""About fifteen sessions: enough to tell a constant ratio from noise."""
_DAY = timedelta(days=1)
_NEIGHBOURS = timedelta(days=10)
"""Missing sessions no further apart are asked for in one call."""
_CALLS_A_KEY = 6
"""Gaps beyond that many are asked for as one interval."""


@dataclass(frozen=True)
class Piece:
    """One call to make for an ask."""

    key: str
    span: Span
    noted: Span | None
    """What counts as asked once this call is answered; None: more calls of the same ask follow."""


@dataclass(frozen=True)
class Life:
    """What the completed dataset holds of one key."""

    last: date
    gaps: tuple[Span, ...]
    """Closed-open intervals between its first and last day that have sessions it lacks."""


def pieces_of(
    cursor: Any, completed: Dataset | None, asks: Sequence[Ask], market: str, newest: date
) -> tuple[list[Piece], list[Ask]]:
    """The calls that `asks` need, and the asks that need none.

    `completed`: the dataset that theirs completes; None: every ask is one call. `market`: whose
    sessions it should have; `newest`: the last of them that has begun.
    """
    if completed is None or completed.key is None or completed.time_column is None:
        return [Piece(ask.key, ask.span, ask.span) for ask in asks], []
    lives = _lives(cursor, completed, sorted({ask.key for ask in asks}), market)
    pieces: list[Piece] = []
    settled: list[Ask] = []
    for ask in asks:
        spans = wanted_spans(ask.span, lives.get(ask.key), newest)
        if not spans:
            settled.append(ask)
        pieces += [Piece(ask.key, span, None) for span in spans[:-1]]
        pieces += [Piece(ask.key, span, ask.span) for span in spans[-1:]]
    return pieces, settled


def wanted_spans(asked: Span, life: Life | None, newest: date) -> list[Span]:
    """The parts of `asked` to call for, ascending: all of it where nothing is held.

    `newest`: the last day of which there can be a fact.
    """
    if life is None:
        return [asked]
    tail: Span = (life.last + _DAY, newest + _DAY)
    parts = [part for gap in life.gaps if (part := _common(asked, gap)) is not None]
    if _common(asked, tail) is not None:
        start, end = asked
        overlap = life.last - _OVERLAP
        parts.append((max(start, overlap) if start else overlap, end))
    return _merged(parts)


def gaps_of(missing: Iterable[date]) -> tuple[Span, ...]:
    """Closed-open intervals around missing days, neighbours together; few, whatever it takes."""
    spans: list[tuple[date, date]] = []
    for day in sorted(missing):
        if spans and day - spans[-1][1] <= _NEIGHBOURS:
            spans[-1] = (spans[-1][0], day + _DAY)
        else:
            spans.append((day, day + _DAY))
    if len(spans) > _CALLS_A_KEY:
        spans = [(spans[0][0], spans[-1][1])]
    return tuple(spans)


def _lives(cursor: Any, completed: Dataset, keys: Sequence[str], market: str) -> Mapping[str, Life]:
    table = f"raw.{quoted(completed.name.rpartition('.')[2])}"
    key, day = quoted(str(completed.key)), quoted(str(completed.time_column))
    held = f"select distinct {key} as k, {day} as d from {table} where is_current and {key} in (select unnest(?))"
    lasts = dict(
        cursor.execute(f"select h.k, max(h.d) from ({held}) as h group by h.k", [keys]).fetchall()
    )
    rows = cursor.execute(
        f"""
        with held as ({held}),
        lives as (select h.k, min(h.d) as first_day, max(h.d) as last_day from held as h group by h.k)
        select l.k, c.date
        from lives as l
        join raw.calendar_days as c
            on c.date > l.first_day and c.date < l.last_day
            and c.market = ? and c.is_trading_day and c.is_current
        left join held as h on h.k = l.k and h.d = c.date
        where h.k is null
        """,
        [keys, market],
    ).fetchall()
    missing: dict[str, list[date]] = {}
    for symbol, lacking in rows:
        missing.setdefault(symbol, []).append(lacking)
    return {k: Life(last, gaps_of(missing.get(k, ()))) for k, last in lasts.items()}


def _common(one: Span, other: Span) -> Span | None:
    starts = [s for s in (one[0], other[0]) if s is not None]
    ends = [e for e in (one[1], other[1]) if e is not None]
    start, end = max(starts, default=None), min(ends, default=None)
    if start is not None and end is not None and start >= end:
        return None
    return start, end


def _merged(spans: Sequence[Span]) -> list[Span]:
    """`spans`, which ascend, with those that touch as one."""
    found: list[Span] = []
    for start, end in spans:
        if found and (found[-1][1] is None or (start is not None and start <= found[-1][1])):
            before = found[-1]
            last = None if before[1] is None or end is None else max(before[1], end)
            found[-1] = (before[0], last)
        else:
            found.append((start, end))
    return found
