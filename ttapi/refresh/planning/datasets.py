# SPDX-License-Identifier: Apache-2.0
"""What a plan is made of: declared datasets, where they stand, the moment, and the steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ttapi.refresh.planning.coverage import EVERYTHING, Ask, Demand, Slice
from ttapi.refresh.planning.ttl import NextClose, parse_ttl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from ttapi.models.limits import Read

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
    is_private: bool = False
    missing_setting: str | None = None
    """The setting its source lacks; None: it is configured."""
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
    reads: tuple[Read, ...] = ()
    """Of a model: how limits on its columns travel to what it reads."""


@dataclass(frozen=True)
class DatasetState:
    """Where a dataset stands, as the catalog says."""

    version: str = ""
    """Hash of its content; '' before the first load."""
    fingerprint: str = ""
    asked_at: datetime | None = None
    """When the world was last compared (raw) or the table last made sure of; None: never."""
    changed_at: datetime | None = None
    load_id: int | None = None
    """The load that last changed it."""
    rows: int | None = None
    upstream_versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True)
class Moment:
    """The instant a plan is made for, and the market clock."""

    now: datetime
    """Zone-aware UTC."""
    next_close: NextClose
    is_session: Callable[[str, date], bool] | None = None
    """Whether a market has a session on a date; None: every day counts as one."""


@dataclass(frozen=True)
class Survey:
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
    asks: tuple[Ask, ...] = ()
    """Of a source asked key by key: what to ask."""
    held: int = 0
    """Of such a source: keys wanted that need no call."""
    absent: tuple[str, ...] = ()
    """Of those, keys that the source said it has not."""


@dataclass(frozen=True)
class Held:
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


def due_at(dataset: Dataset, state: DatasetState, moment: Moment) -> datetime | None:
    """From when on `dataset` is stale by TTL; None without a TTL or before the first load."""
    if dataset.ttl is None or state.asked_at is None:
        return None
    return parse_ttl(dataset.ttl).due_at(state.asked_at, moment.next_close)


def is_past_ttl(dataset: Dataset, state: DatasetState, moment: Moment) -> bool:
    """Whether `dataset` was last asked longer ago than its TTL allows."""
    due = due_at(dataset, state, moment)
    return due is not None and due <= moment.now


def code_of(fingerprint: str) -> str:
    """The part of a raw resource's fingerprint that its settings do not touch."""
    return fingerprint.partition(".")[0]
