# SPDX-License-Identifier: Apache-2.0
"""A dataset asked key by key: each slice a plan names is fetched and noted with its rows.

Several intervals of one key are asked one after the other, so that nothing between them is.

What of some asks another raw dataset does not hold already: missing keys, the tail, proven gaps.

A resource that `completes` another one is asked for no more than that. Some sessions before the
tail are asked with it, so that the price bases of the two can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ttapi.refresh.coverage import coverage_after
from ttapi.refresh.ingest import IngestResult, failures_recorded, fetch_and_load, rows_held
from ttapi.refresh.planner import rules_of
from ttapi.sources.contract import Unit, UnitRequest
from ttapi.sqltext import identifier
from ttapi.store.catalog import Slice, forget_slices, mark_changed, write_asked, write_state
from ttapi.store.ledger import read_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ttapi.refresh.coverage import SliceRequest
    from ttapi.refresh.datasets import Dataset, Step
    from ttapi.refresh.ingest import IngestTask
    from ttapi.store.catalog import DatasetState, DateInterval
    from ttapi.store.engine import Connection
    from ttapi.store.ledger import UnitRecord

_OVERLAP = timedelta(days=21)
"""About fifteen sessions: enough to tell a constant ratio from noise."""
_DAY = timedelta(days=1)
_NEIGHBOURS = timedelta(days=10)
"""Missing sessions no further apart are asked for in one call."""
_CALLS_A_KEY = 6
"""Gaps beyond that many are asked for as one interval."""


@dataclass(frozen=True)
class Gap:
    """One call to make for an ask."""

    key: str
    span: DateInterval
    noted: DateInterval | None
    """What counts as asked once this call is answered; None: more calls of the same ask follow."""


@dataclass(frozen=True)
class Lifetime:
    """What the completed dataset holds of one key."""

    last: date
    gaps: tuple[DateInterval, ...]
    """Closed-open intervals between its first and last day that have sessions it lacks."""


def find_gaps(
    cursor: Connection,
    completed: Dataset | None,
    asks: Sequence[SliceRequest],
    market: str,
    newest: date,
) -> tuple[list[Gap], list[SliceRequest]]:
    """The calls that `asks` need, and the asks that need none.

    `completed`: the dataset that theirs completes; None: every ask is one call. `market`: whose
    sessions it should have; `newest`: the last of them that has begun.
    """
    if completed is None or completed.key is None or completed.time_column is None:
        return [Gap(ask.key, ask.span, ask.span) for ask in asks], []
    lives = _lives(cursor, completed, sorted({ask.key for ask in asks}), market)
    pieces: list[Gap] = []
    settled: list[SliceRequest] = []
    for ask in asks:
        spans = wanted_spans(ask.span, lives.get(ask.key), newest)
        if not spans:
            settled.append(ask)
        pieces += [Gap(ask.key, span, None) for span in spans[:-1]]
        pieces += [Gap(ask.key, span, ask.span) for span in spans[-1:]]
    return pieces, settled


def wanted_spans(asked: DateInterval, life: Lifetime | None, newest: date) -> list[DateInterval]:
    """The parts of `asked` to call for, ascending: all of it where nothing is held.

    `newest`: the last day of which there can be a fact.
    """
    if life is None:
        return [asked]
    tail: DateInterval = (life.last + _DAY, newest + _DAY)
    parts = [part for gap in life.gaps if (part := _common(asked, gap)) is not None]
    if _common(asked, tail) is not None:
        start, end = asked
        overlap = life.last - _OVERLAP
        parts.append((max(start, overlap) if start else overlap, end))
    return _merged(parts)


def gaps_of(missing: Iterable[date]) -> tuple[DateInterval, ...]:
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


def _lives(
    cursor: Connection, completed: Dataset, keys: Sequence[str], market: str
) -> Mapping[str, Lifetime]:
    table = f"raw.{identifier(completed.name.rpartition('.')[2])}"
    key, day = identifier(str(completed.key)), identifier(str(completed.time_column))
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
    return {k: Lifetime(last, gaps_of(missing.get(k, ()))) for k, last in lasts.items()}


def _common(one: DateInterval, other: DateInterval) -> DateInterval | None:
    starts = [s for s in (one[0], other[0]) if s is not None]
    ends = [e for e in (one[1], other[1]) if e is not None]
    start, end = max(starts, default=None), min(ends, default=None)
    if start is not None and end is not None and start >= end:
        return None
    return start, end


def _merged(spans: Sequence[DateInterval]) -> list[DateInterval]:
    """`spans`, which ascend, with those that touch as one."""
    found: list[DateInterval] = []
    for start, end in spans:
        if found and (found[-1][1] is None or (start is not None and start <= found[-1][1])):
            before = found[-1]
            last = None if before[1] is None or end is None else max(before[1], end)
            found[-1] = (before[0], last)
        else:
            found.append((start, end))
    return found


def ingest_slices(
    task: IngestTask, state: DatasetState, step: Step
) -> tuple[IngestResult, DatasetState]:
    """Fetch and load the slices of `step`; the account, and the state as committed.

    Slices that fail leave the others standing; it is an error only when none was answered.
    """
    if state.fingerprint not in {"", task.dataset.fingerprint}:
        with task.store.transaction() as cursor:
            forget_slices(cursor, task.dataset.name)
    with task.store.reading() as cursor:
        known = read_units(cursor, task.dataset.name, sorted({ask.key for ask in step.asks}))
        pieces, settled = find_gaps(
            cursor,
            task.environment.datasets.get(task.dataset.completes or ""),
            step.asks,
            task.dataset.sessions or "",
            _newest_session(task),
        )
    account = IngestResult()
    now = task.environment.now
    _note(task, [Slice(ask.key, now, ask.span) for ask in settled])
    with failures_recorded(account):
        for round_ in _rounds(pieces):
            requests = [_request(piece, known.get(piece.key), task, state) for piece in round_]
            asked = {
                piece.key: Slice(piece.key, now, piece.noted or piece.span) for piece in round_
            }
            state = fetch_and_load(task, state, requests, account, asked)
    account.fail_if_nothing_was_answered()
    return account, _finish(task, state, account)


def _newest_session(task: IngestTask) -> date:
    """The last session that has begun; today where the dataset knows none."""
    rules = rules_of(task.dataset, task.environment.clock)
    day = rules.today
    while rules.is_session is not None and not rules.is_session(day):
        day -= timedelta(days=1)
    return day


def _note(task: IngestTask, settled: Sequence[Slice]) -> None:
    """Note what needs no call as asked: another dataset holds it."""
    if not settled:
        return
    rules = rules_of(task.dataset, task.environment.clock)
    with task.store.transaction() as cursor:
        write_asked(
            cursor,
            task.dataset.name,
            settled,
            join=partial(coverage_after, rules=rules),
            load_id=task.load_id,
        )


def _rounds(pieces: Sequence[Gap]) -> Iterator[list[Gap]]:
    """`pieces` in rounds that name a key once each."""
    waiting = list(pieces)
    while waiting:
        first: dict[str, Gap] = {}
        for piece in waiting:
            first.setdefault(piece.key, piece)
        yield list(first.values())
        chosen = set(map(id, first.values()))
        waiting = [piece for piece in waiting if id(piece) not in chosen]


def _request(
    ask: Gap, known: UnitRecord | None, task: IngestTask, state: DatasetState
) -> UnitRequest:
    # A hash speaks for a unit's whole content, so only where the unit is asked as a whole.
    is_whole = task.dataset.time_column is None and state.fingerprint == task.dataset.fingerprint
    known_hash = known.content_hash if known and is_whole else None
    return UnitRequest(Unit(ask.key), known_hash, *ask.span)


def _finish(task: IngestTask, state: DatasetState, account: IngestResult) -> DatasetState:
    name, now = task.dataset.name, task.environment.now
    with task.store.transaction() as cursor:
        if account.error != state.error:
            mark_changed(cursor)
        if account.error:
            state = replace(state, error=account.error, failed_at=now)
        else:
            state = replace(
                state,
                fingerprint=task.dataset.fingerprint,
                asked_at=now,
                error=None,
                failed_at=None,
            )
        state = replace(state, rows=rows_held(cursor, name))
        write_state(cursor, name, state)
    return state
