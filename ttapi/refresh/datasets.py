# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of: declared datasets, where they stand, the clock, and the steps.

Datasets as sources and models declare them: pure functions of one resource or one model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from ttapi.market.calendar import NextClose, parse_ttl
from ttapi.refresh.coverage import Demand, SliceRequest
from ttapi.sources.contract import NarrowingSource, Resource, Source
from ttapi.store.catalog import EVERYTHING, DatasetState, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from ttapi.models.limits import RelationRead
    from ttapi.models.model import Model
    from ttapi.models.model_cache import PushdownInfo

CLOCK_SLACK = timedelta(minutes=2)
"""How far the clocks of machines that share a home may be apart."""

Verdict = Literal["fresh", "stale", "missing", "failed", "blocked", "not configured"]
Action = Literal["ask", "rebuild", "none"]


@dataclass(frozen=True)
class Dataset:
    """One declared dataset: a raw resource or a SQL model."""

    name: str
    kind: Literal["raw", "table", "view", "macro"]
    fingerprint: str
    """Hash of the code that makes it; of a raw resource `<code>.<settings of its source>`."""
    upstreams: frozenset[str] = frozenset()
    """Datasets it reads directly; empty for raw."""
    ttl: str | None = None
    source: str | None = None
    key: str | None = None
    """Of a raw dataset, the column whose values its slices are; None: it has none."""
    tracked: str | None = None
    """Column its changes are tracked by; None: as a whole."""
    through: str | None = None
    """The stored table that tells, by the same key, what every other change of its inputs touches."""
    is_local: bool = False
    is_log: bool = False
    """Whether a stream alone fills it."""
    is_private: bool = False
    is_personal: bool = False
    """Whether its licence, or that of what it reads, is for the one who has it alone; see `Resource.licence`."""
    is_timeless: bool = False
    """Whether it holds rules or settings, by which facts are read; see `Resource.is_timeless`."""
    missing_setting: str | None = None
    """The setting its source lacks; None: it is configured."""
    lost: str | None = None
    """Why its source offers it no more, so that what is held gets older and no more; None: it does."""
    max_stale: str | None = None
    """How far past its TTL it may answer at once; None: not at all."""
    max_stale_on_error: str = "5 sessions"
    requires: tuple[str, ...] = ()
    """Keys a query must bind; its slices are then values of `key`, not units of a listing."""
    is_bound_only: bool = False
    """Whether nothing is asked for who binds no key; see `Resource.is_bound_only`."""
    units_a_call: int = 1
    """How many keys one call of its source answers."""
    completes: str | None = None
    """The raw dataset it fills up; see `Resource.completes`."""
    is_narrowable: bool = False
    """Whether its source can tell which units hold given keys."""
    time_column: str | None = None
    sessions: str | None = None
    """Market outside whose sessions it has no facts."""
    revise: str | None = None
    columns: tuple[str, ...] | None = None
    """Lower case; None: not known."""
    parameters: tuple[str, ...] = ()
    """Of a macro."""
    is_row_wise: bool = False
    """Of a scalar macro: whether its value is that of one row, no aggregate."""
    reads: tuple[RelationRead, ...] = ()
    """Of a model: how limits on its columns travel to what it reads."""


@dataclass(frozen=True)
class MarketClock:
    """The instant a plan is made for, and the market clock."""

    now: datetime
    """Zone-aware UTC."""
    next_close: NextClose
    is_session: Callable[[str, date], bool] | None = None
    """Whether a market has a session on a date; None: every day counts as one."""
    asked_by: datetime | None = None
    """The latest instant at which something can have been asked; None: `now`."""

    def is_ahead(self, asked_at: datetime) -> bool:
        """Whether `asked_at` has not come yet: a clock was wrong then, or is now."""
        return asked_at > (self.asked_by or self.now) + CLOCK_SLACK


def market_clock(now: datetime) -> MarketClock:
    """The clock of the exchanges at `now`; their calendars are read when it is first asked."""
    return MarketClock(now, _next_close, _is_session)


def _next_close(instant: datetime) -> datetime:
    """The first XNYS session close strictly after `instant`."""
    from ttapi.market.calendar import sessions  # noqa: PLC0415 - reads data files

    return sessions("XNYS").next_close_after(instant)


def _is_session(market: str, day: date) -> bool:
    from ttapi.market.calendar import sessions  # noqa: PLC0415 - reads data files

    calendar = sessions(market)
    is_known = calendar.dates[0] <= day <= calendar.dates[-1]
    return calendar.is_session(day) if is_known else True


@dataclass(frozen=True)
class ListingDiff:
    """How a local folder differs from the ledger."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    every: tuple[str, ...] = ()
    """All units that exist now: what a forced step would read."""

    @property
    def to_fetch(self) -> tuple[str, ...]:
        """What must be read: new and changed units."""
        return (*self.new, *self.changed)


@dataclass(frozen=True)
class Step:
    """One considered dataset: what to do with it and why."""

    dataset: str
    action: Action
    verdict: Verdict
    reasons: tuple[str, ...]
    slices: tuple[str, ...] = ()
    """Units to fetch; empty means all that the source has, or nothing."""
    calls: int = 0
    """Source calls this step would make; files read count, directory listings do not."""
    may_change: bool = True
    """False: it is known already that nothing downstream can differ."""
    keys: frozenset[str] | None = None
    """Of a listing source: only units that may hold these keys; None: all units."""
    asks: tuple[SliceRequest, ...] = ()
    """Of a source asked key by key: what to ask."""
    held: int = 0
    """Of such a source: keys wanted that need no call."""
    unavailable: tuple[str, ...] = ()
    """Of those, keys that the source said it has not."""


@dataclass(frozen=True)
class PlanInputs:
    """What is known of slices when a plan is made."""

    demands: Mapping[str, Demand] = field(default_factory=dict)
    """By raw dataset; one that is missing here is wanted as a whole."""
    slices: Mapping[str, Sequence[Slice]] = field(default_factory=dict)
    """By raw dataset: what was asked alone since it was last asked as a whole."""
    universe: frozenset[str] | None = None
    """The default universe; None: none is set."""

    def demand(self, dataset: str) -> Demand:
        """What is wanted of `dataset`."""
        return self.demands.get(dataset, Demand(None, EVERYTHING))


def due_at(dataset: Dataset, state: DatasetState, clock: MarketClock) -> datetime | None:
    """From when on `dataset` is stale by TTL; None without a TTL or before the first load."""
    if dataset.ttl is None or state.asked_at is None:
        return None
    if clock.is_ahead(state.asked_at):
        return clock.now
    return parse_ttl(dataset.ttl).due_at(state.asked_at, clock.next_close)


def is_past_ttl(dataset: Dataset, state: DatasetState, clock: MarketClock) -> bool:
    """Whether `dataset` was last asked longer ago than its TTL allows."""
    due = due_at(dataset, state, clock)
    return due is not None and due <= clock.now


RECORDED_BY = "ttapi stream records it"
"""What there is to do about a log: nothing can be asked for it."""


def step_of_what_is_not_asked(dataset: Dataset, state: DatasetState, clock: MarketClock) -> Step:
    """Of what nobody offers any more, what is not configured, and what a stream records."""
    if dataset.lost:
        return Step(dataset.name, "none", "failed", (dataset.lost,), may_change=False)
    if dataset.missing_setting and not (dataset.is_log and state.asked_at):
        reason = f"[sources.{dataset.source}] {dataset.missing_setting} is not set"
        return Step(dataset.name, "none", "not configured", (reason,))
    return _log_step(dataset, state, clock)


def _log_step(dataset: Dataset, state: DatasetState, clock: MarketClock) -> Step:
    """A log is as old as what was recorded last; no refresh makes it newer."""
    if state.asked_at is None:
        # Who streams nothing lacks nothing.
        reasons = (f"never recorded: {RECORDED_BY}",)
        return Step(dataset.name, "none", "not configured", reasons, may_change=False)
    if clock.is_ahead(state.asked_at):
        return Step(dataset.name, "none", "stale", ("recorded in the future",), may_change=False)
    if is_past_ttl(dataset, state, clock):
        reasons = (f"ttl {dataset.ttl} passed: {RECORDED_BY}",)
        return Step(dataset.name, "none", "stale", reasons, may_change=False)
    return Step(dataset.name, "none", "fresh", (), may_change=False)


def code_of(fingerprint: str) -> str:
    """The part of a raw resource's fingerprint that its settings do not touch."""
    return fingerprint.partition(".")[0]


@dataclass(frozen=True)
class SourceResource:
    """One resource and the source that offers it."""

    source: Source
    resource: Resource

    @property
    def dataset(self) -> str:
        """The catalog's name of the raw table."""
        return f"raw.{self.resource.table}"


def after_what_it_completes(named: tuple[str, SourceResource]) -> tuple[bool, str]:
    """Sort key of named offers: what completes another is asked after it."""
    name, offer = named
    return offer.resource.completes is not None, name


def raw_dataset(offer: SourceResource, fingerprint: str, missing_setting: str | None) -> Dataset:
    """The raw table that `offer` fills; `missing_setting`: what it must be told first, None for nothing."""
    source, resource = offer.source, offer.resource
    return Dataset(
        name=offer.dataset,
        kind="raw",
        fingerprint=fingerprint,
        ttl=resource.ttl,
        source=source.name,
        key=resource.keys[0] if resource.keys else None,
        tracked=resource.tracked_by,
        is_local=resource.is_local,
        is_log=resource.storage == "log",
        is_private=resource.is_private,
        is_personal=resource.licence != "shared",  # what is misspelt is not shared
        is_timeless=resource.is_timeless,
        missing_setting=missing_setting,
        max_stale=resource.max_stale,
        max_stale_on_error=resource.max_stale_on_error,
        requires=resource.requires,
        units_a_call=resource.units_a_call,
        is_bound_only=resource.is_bound_only,
        completes=f"raw.{resource.completes}" if resource.completes else None,
        is_narrowable=isinstance(source, NarrowingSource),
        time_column=resource.time_column,
        sessions=resource.sessions,
        revise=resource.revise,
        columns=tuple(column.name.lower() for column in resource.columns),
    )


def model_dataset(
    model: Model, flow: PushdownInfo, upstreams: frozenset[str], known: Mapping[str, Dataset]
) -> Dataset:
    """What `model` builds from `upstreams`, each of which is in `known`; private if one of them is."""
    return Dataset(
        name=model.name,
        kind=model.kind,
        fingerprint=model.fingerprint,
        upstreams=upstreams,
        ttl=model.ttl,
        through=model.through,
        tracked=model.incremental,
        is_private=model.is_private or any(known[u].is_private for u in upstreams),
        is_personal=any(known[u].is_personal for u in upstreams),
        columns=flow.columns,
        parameters=flow.parameters,
        reads=flow.reads,
        is_row_wise=flow.is_row_wise,
    )
