# SPDX-License-Identifier: Apache-2.0
"""Slices: which part of a dataset a query needs, which part is held, and what must be asked.

Pure functions over closed-open intervals of dates; None is without end on that side. Intervals say
what was asked, not what was found: an empty answer covers its interval too.

Which part of which raw dataset can matter to a query: its limits followed down to the roots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from ttapi.models.limits import (
    Limit,
    NameScope,
    ValueRange,
    ValueSet,
    bind_parameters,
    upstream_reads,
    values_of,
)
from ttapi.models.model_cache import PushdownInfo
from ttapi.store.catalog import EVERYTHING, DateInterval, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ttapi.models.limits import RelationRead
    from ttapi.refresh.datasets import Dataset
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Demand:
    """The part of a raw dataset that can matter to a query."""

    keys: frozenset[str] | None = None
    """Values of its key; None: all of them."""
    span: DateInterval = EVERYTHING
    """Dates of its time column, closed-open."""

    def joined(self, other: Demand) -> Demand:
        """The smallest demand that holds both."""
        keys = None if self.keys is None or other.keys is None else self.keys | other.keys
        return Demand(keys, _hull(self.span, other.span))


@dataclass(frozen=True)
class SliceRequest:
    """One key value to ask for over one interval."""

    key: str
    span: DateInterval
    reason: str

    def __str__(self) -> str:
        start, end = self.span
        if start is None and end is None:
            return self.key
        return f"{self.key} {start or ''}..{end - _DAY if end else ''}"


@dataclass(frozen=True)
class CoverageRules:
    """What decides how much of a held slice still counts."""

    due_at: Callable[[datetime], datetime]
    """From when on something asked at an instant is stale."""
    now: datetime
    today: date
    """The session date of now."""
    revise: timedelta = _DAY
    """How much of the tail, seen from the day of asking, is asked again."""
    has_time: bool = True
    """False: the dataset has no time column, a slice is held whole or not at all."""
    is_session: Callable[[date], bool] | None = None
    """None: facts may exist on any day."""


def demand_of(limits: dict[str, Limit], key: str | None, time_column: str | None) -> Demand:
    """What limits on columns mean for a raw dataset of this key and time column."""
    keys = values_of(limits[key]) if key and key in limits else None
    span = _span_of(limits[time_column]) if time_column and time_column in limits else EVERYTHING
    return Demand(keys, span)


def missing_slices(
    key: str, wanted: DateInterval, held: Iterable[Slice], rules: CoverageRules
) -> list[SliceRequest]:
    """What of `wanted` must be asked for `key`, given what is held of it."""
    slices = list(held)
    if not slices:
        first = _known_sessions(_until_today(wanted, rules), rules)
        return (
            [SliceRequest(key, _open_ended(first, rules), "never asked")]
            if first is not None
            else []
        )
    if not rules.has_time:
        is_stale = rules.due_at(max(s.asked_at for s in slices)) <= rules.now
        return [SliceRequest(key, EVERYTHING, "ttl passed")] if is_stale else []
    due = [s for s in slices if rules.due_at(s.asked_at) <= rules.now]
    asks = []
    for piece in missing(_until_today(wanted, rules), [_still_held(s, rules) for s in slices]):
        trimmed = _known_sessions(piece, rules)
        if trimmed is not None:
            is_tail = any(_overlap(trimmed, s.span) for s in due)
            asks.append(
                SliceRequest(key, _open_ended(trimmed, rules), "ttl passed" if is_tail else "gap")
            )
    return asks


def coverage_after(held: Iterable[Slice], asked: Slice, rules: CoverageRules) -> list[Slice]:
    """The slices of one key once `asked` was answered: settled intervals joined, one open end."""
    if not rules.has_time:
        return [asked]
    settled: list[DateInterval] = []
    tails: list[Slice] = []
    for one in (*held, asked):
        end = _settled_end(one, rules)
        is_tail = one.span[1] is None or one.span[1] > end
        if is_tail and (one == asked or rules.due_at(one.asked_at) > rules.now):
            tails.append(one)
        elif is_tail:
            settled.append((one.span[0], end))
        else:
            settled.append(one.span)
    joined = [Slice(asked.key, asked.asked_at, span) for span in merged(settled)]
    kept = [one for one in joined if not any(_contains(tail.span, one.span) for tail in tails)]
    return [*kept, *(t for t in tails if t == asked or not _contains(asked.span, t.span))]


def missing(wanted: DateInterval, held: Iterable[DateInterval]) -> list[DateInterval]:
    """The parts of `wanted` in none of `held`, in order."""
    start, end = _low(wanted[0]), _high(wanted[1])
    found: list[tuple[date, date]] = []
    for one in merged(held):
        low, high = _low(one[0]), _high(one[1])
        if low > start:
            found.append((start, min(low, end)))
        start = max(start, high)
        if start >= end:
            break
    if start < end:
        found.append((start, end))
    return [_span(low, high) for low, high in found if low < high]


def merged(spans: Iterable[DateInterval]) -> list[DateInterval]:
    """`spans` with those that touch joined, in order; empty ones left out."""
    ordered = sorted((_low(s[0]), _high(s[1])) for s in spans)
    joined: list[tuple[date, date]] = []
    for low, high in ordered:
        if low >= high:
            continue
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return [_span(low, high) for low, high in joined]


def _still_held(one: Slice, rules: CoverageRules) -> DateInterval:
    """What of a slice counts: all of it until its TTL passes, then what was settled when it was asked."""
    if rules.due_at(one.asked_at) > rules.now:
        return one.span
    return (one.span[0], min(_high(one.span[1]), _settled_end(one, rules)))


def _settled_end(one: Slice, rules: CoverageRules) -> date:
    """The first day that could still change when `one` was asked."""
    asked_on = one.asked_at.date()
    return asked_on + _DAY - rules.revise


def _until_today(wanted: DateInterval, rules: CoverageRules) -> DateInterval:
    """`wanted` up to and including today: nothing is known of tomorrow."""
    return (wanted[0], min(_high(wanted[1]), rules.today + _DAY)) if rules.has_time else EVERYTHING


def _open_ended(span: DateInterval, rules: CoverageRules) -> DateInterval:
    """An interval that reaches today is asked without an end."""
    end = span[1]
    return (span[0], None) if end is None or end > rules.today else span


def _known_sessions(span: DateInterval, rules: CoverageRules) -> DateInterval | None:
    """`span` from its first session to its last; None where the calendar says it has none."""
    start, end = span
    if start is not None and end is not None and start >= end:
        return None
    if rules.is_session is None or start is None or end is None or not rules.has_time:
        return span
    days = [start + timedelta(days=i) for i in range((end - start).days)]
    sessions = [day for day in days if rules.is_session(day)]
    return (sessions[0], sessions[-1] + _DAY) if sessions else None


def _span_of(limit: Limit) -> DateInterval:
    """The dates a limit allows; a text that is no date says nothing."""
    low, high = date.min, date.max
    for atom in limit:
        if isinstance(atom, ValueSet):
            days = [_day(text) for text in atom.values]
            known = [day for day in days if day is not None]
            if known and len(known) == len(days):
                low, high = max(low, min(known)), min(high, _after(max(known)))
        elif isinstance(atom, ValueRange):
            start, end = _day(atom.low), _day(atom.high)
            if start is not None:
                is_out = atom.is_low_out and _is_whole_day(atom.low)
                low = max(low, _after(start) if is_out else start)
            if end is not None:
                is_out = atom.is_high_out and _is_whole_day(atom.high)
                high = min(high, end if is_out else _after(end))
    return _span(low, high)


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def _is_whole_day(text: str | None) -> bool:
    return text is not None and len(text.strip()) <= len("2024-01-02")


def _after(day: date) -> date:
    return day + _DAY if day < date.max else day


def _hull(one: DateInterval, other: DateInterval) -> DateInterval:
    return _span(min(_low(one[0]), _low(other[0])), max(_high(one[1]), _high(other[1])))


def _overlap(one: DateInterval, other: DateInterval) -> bool:
    return _low(one[0]) < _high(other[1]) and _low(other[0]) < _high(one[1])


def _contains(outer: DateInterval, inner: DateInterval) -> bool:
    return _low(outer[0]) <= _low(inner[0]) and _high(inner[1]) <= _high(outer[1])


def _span(low: date, high: date) -> DateInterval:
    return (None if low == date.min else low, None if high == date.max else high)


def _low(day: date | None) -> date:
    return date.min if day is None else day


def _high(day: date | None) -> date:
    return date.max if day is None else day


def name_scope(
    datasets: Mapping[str, Dataset],
    *,
    views: Mapping[str, str] | None = None,
    temporary: frozenset[str] = frozenset(),
    schema: str = "main",
    broken: Iterable[str] = (),
) -> NameScope:
    """What names mean in SQL on this installation, in a session with these objects of its own.

    `broken`: names of models that were left out; who reads one is told so.
    """
    macros = {name.rpartition(".")[2]: name for name, d in datasets.items() if d.kind == "macro"}
    relations = {name: dataset.columns for name, dataset in datasets.items()}
    for name in broken:
        macros.setdefault(name.rpartition(".")[2], name)
        relations.setdefault(name, None)
        # `highs` means derived.highs where nothing else is called so.
        relations.setdefault(name.rpartition(".")[2], None)
    row_wise = frozenset(
        bare for bare, name in macros.items() if name in datasets and datasets[name].is_row_wise
    )
    return NameScope(relations, macros, views or {}, temporary, schema, row_wise)


def raw_demands(
    reads: Iterable[RelationRead], datasets: Mapping[str, Dataset]
) -> dict[str, Demand]:
    """The demand on each raw dataset behind `reads`.

    Every path from a read to a root counts; what two paths want is joined.
    """
    found: dict[str, Demand] = {}
    waiting = [bind_parameters(read, {}, {}) for read in reads]
    visited: set[RelationRead] = set()
    while waiting:
        read = waiting.pop()
        dataset = datasets.get(read.relation)
        if dataset is None or read in visited:
            continue
        visited.add(read)
        if dataset.kind == "raw":
            wanted = demand_of(dict(read.limits), dataset.key, dataset.time_column)
            known = found.get(dataset.name)
            found[dataset.name] = known.joined(wanted) if known else wanted
            continue
        flow = PushdownInfo(dataset.columns, dataset.parameters, dataset.reads)
        waiting += [bind_parameters(behind, {}, {}) for behind in upstream_reads(read, flow)]
    return found


def for_symbols(demands: Mapping[str, Demand], symbols: frozenset[str] | None) -> dict[str, Demand]:
    """`demands` for these keys alone; None: as they are."""
    if symbols is None:
        return dict(demands)
    return {name: replace(demand, keys=symbols) for name, demand in demands.items()}
