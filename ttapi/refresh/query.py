# SPDX-License-Identifier: Apache-2.0
"""What a query reads brought up to date before it runs, or the reason why not.

`explain refresh <query>`: what would be fetched and rebuilt for it, why, and how long it takes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import BudgetError, DiskFullError, LockedError, ReadOnlyHomeError
from ttapi.formats.values import amount
from ttapi.market.calendar import parse_ttl
from ttapi.refresh.availability import (
    is_older,
    require_built,
    require_fresh_enough,
    require_recent,
    roots_of,
    unavailable_texts,
    unconfigured,
)
from ttapi.refresh.coverage import name_scope, raw_demands
from ttapi.refresh.freshness import Freshness, InputAge, asked_at, input_age
from ttapi.refresh.plan import (
    RefreshRequest,
    broken_named,
    dry_run,
    predicted_seconds,
    require_keys,
)
from ttapi.refresh.planner import ASKED_FOR, closure, plan_refresh
from ttapi.refresh.request import refuse_writes
from ttapi.refresh.writer import Writer, writer_for
from ttapi.store.files import is_as_published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    import pyarrow as pa

    from ttapi.models.limits import NameScope, Resolution
    from ttapi.refresh.datasets import PlanInputs, Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.writer import Progress
    from ttapi.store.lock import OnWait

# What `status` and `doctor` show: asking about staleness refreshes nothing.
_ABOUT_DATA = frozenset({"freshness", "health", "rejects"})


@dataclass(frozen=True)
class QueryRequest:
    """A query and how fresh it wants its inputs."""

    sql: str
    freshness: Freshness = field(default_factory=Freshness)
    bound: Mapping[str, object] = field(default_factory=dict)
    """Values of query parameters, by name or 1-based position."""
    views: Mapping[str, str] = field(default_factory=dict)
    """The session's temporary views: their SELECT by name."""
    temporary: frozenset[str] = frozenset()
    """The session's temporary tables."""
    schema: str = "main"
    """Where unqualified names are looked up first."""
    resolution: Resolution | None = None
    """What `sql` reads, where that is known; None: it is resolved."""
    until: datetime | None = None
    """The query is about what was known by then, zone-aware UTC: what was asked since is fresh."""


@dataclass(frozen=True)
class QueryPlan:
    """What a query depends on, and what would be done about it."""

    targets: tuple[str, ...]
    """Datasets it reads directly."""
    held: PlanInputs
    steps: tuple[Step, ...]
    """One per dataset reached, upstreams first."""
    unresolved: tuple[str, ...] = ()
    """What was not understood; its inputs are meant as a whole."""
    load_id: int = 0
    """The last load that the plan knows of."""
    reads_catalog: bool = False
    """Whether it reads what says how data stands, or what is no dataset: every publication changes that."""

    @property
    def stale(self) -> tuple[Step, ...]:
        """The steps that would do something."""
        return tuple(step for step in self.steps if step.action != "none")


@dataclass(frozen=True)
class PreparedQuery:
    """A query's inputs, made as fresh as asked."""

    outcome: RefreshOutcome | None
    """None: nothing was stale, or refreshing was not wanted."""
    steps: tuple[Step, ...]
    """What was found stale before; empty when all was fresh."""
    ages: Sequence[InputAge]
    planned_s: float
    unconfigured: tuple[str, ...] = ()
    """Root inputs that nothing fills, each with the setting that would."""
    warnings: tuple[str, ...] = ()
    refresh_s: float = 0.0
    """What the refresh took, from asking for the lock to publication."""
    deferred: RefreshRequest | None = None
    """A refresh that may follow the answer: its inputs are within `max_stale`."""
    as_of: str | None = None
    """The point in time the query is answered as of, and how each relation is read; None: now."""

    @property
    def slices_fetched(self) -> int:
        """Of all its inputs; those of which nothing came are not among them."""
        done = self.outcome.datasets if self.outcome else ()
        return sum(d.slices_asked - len(d.failed_units) for d in done if not d.error)


def plan_query(environment: Environment, request: QueryRequest) -> QueryPlan:
    """What `request` reads, which slices of it matter, and what is stale of them; nothing is done.

    *Raises* QueryError for a statement that would write; UsageError for an unknown universe;
    ModelError for a relation whose file is wrong.
    """
    datasets = environment.datasets
    names = name_scope(
        datasets,
        views=request.views,
        temporary=request.temporary,
        schema=request.schema,
        broken=environment.broken,
    )
    found = request.resolution or _resolved(environment, request, names)
    for read in found.reads:
        if read.relation not in datasets and (error := broken_named(environment, read.relation)):
            raise error
    own = request.temporary | {name.lower() for name in request.views}
    refuse_writes(found.writes, own=own, sql_folder=environment.home.sql)
    reads = [read for read in found.reads if read.relation not in _ABOUT_DATA]
    targets = tuple(sorted({read.relation for read in reads}))
    held = environment.held(raw_demands(reads, datasets))
    states = environment.home_state.states
    clock = environment.clock
    if request.until is not None:
        clock = replace(clock, now=min(clock.now, request.until), asked_by=clock.now)
    limit = request.freshness.age_limit
    refetch = _older_than(environment, closure(datasets, targets), held, limit)
    steps = plan_refresh(datasets, states, targets, clock=clock, held=held, refetch=refetch)
    reads_catalog = any(
        read.relation in _ABOUT_DATA or read.relation not in datasets for read in found.reads
    )
    load_id = environment.home_state.load_id
    return QueryPlan(targets, held, steps, found.unresolved, load_id, reads_catalog)


def _resolved(environment: Environment, request: QueryRequest, names: NameScope) -> Resolution:
    """What `request` reads: as it was told when it was last asked, else by the parser."""

    def by_parser() -> Resolution:
        from ttapi.models.resolve import resolve  # noqa: PLC0415 - sqlglot takes 0.12 s

        return resolve(request.sql, names, bound=request.bound)

    if request.bound or request.views or request.temporary:
        return by_parser()
    return environment.installation.statement_cache.resolution(request.sql, names, by_parser)


def prepare_query(
    environment: Environment,
    request: QueryRequest,
    *,
    progress: Progress | None = None,
    on_wait: OnWait = None,
    confirm: Callable[[str], bool] | None = None,
    writer: Writer | None = None,
) -> PreparedQuery:
    """Have `writer` refresh what `request` reads and is stale; nothing at all when everything is fresh.

    `writer`: None: the daemon of the home where one serves it, else this process. `confirm` is asked on a
    terminal when the refresh would exceed its budget.

    *Raises* QueryError for a statement that would write; BudgetError; StaleError when data stays
    older than allowed; QueryError for a table that was never built; LockedError, ReadOnlyHomeError and
    DiskFullError when nothing can be written and the snapshot is too old.
    """
    started = time.monotonic()
    plan = plan_query(environment, request)
    planned_s = time.monotonic() - started
    is_new_code, is_changed = not environment.is_installed, not is_as_published(environment.home)
    warnings = _doubts(environment, plan, is_changed=is_changed)
    outcome, later, refresh_s = None, None, 0.0
    wanted = refresh_request(plan, request)
    if request.freshness.refresh:
        require_keys(environment, wanted, plan.steps)
    if request.freshness.refresh and (plan.stale or is_new_code or is_changed):
        if not is_changed and _may_answer_first(environment, plan, request):
            later = wanted
            warnings.append("answered at once, within max_stale; the refresh follows the answer")
        else:
            _within_budget(environment, plan.stale, request, confirm)
            began = time.monotonic()
            try:
                outcome = (writer or writer_for(environment.home)).refresh(
                    environment, wanted, progress=progress, on_wait=on_wait
                )
                environment = environment.after(outcome.home_state)
            except (LockedError, ReadOnlyHomeError, DiskFullError) as exc:
                require_recent(environment, plan, exc)
                warnings.append(f"{exc.message}; answered from the published snapshot")
            refresh_s = time.monotonic() - began
    warnings += _warnings_after(environment, plan, request, outcome if is_new_code else None)
    require_built(environment, plan, request, outcome)
    require_fresh_enough(environment, plan, request, outcome)
    ages = [input_age(name, environment, plan.held) for name in roots_of(environment, plan.targets)]
    missing, told = unconfigured(environment, plan.targets), tuple(warnings)
    return PreparedQuery(outcome, plan.stale, ages, planned_s, missing, told, refresh_s, later)


def _warnings_after(
    environment: Environment,
    plan: QueryPlan,
    request: QueryRequest,
    outcome: RefreshOutcome | None,
) -> list[str]:
    """What is missing, and of a refresh that installed other code what was left out."""
    found = [f"left out: {error.message}" for error in outcome.broken] if outcome else []
    return [*(unavailable_texts(environment, plan) if request.freshness.refresh else ()), *found]


def _doubts(environment: Environment, plan: QueryPlan, *, is_changed: bool) -> list[str]:
    found = [f"not resolved: {doubt}" for doubt in plan.unresolved]
    if is_changed:
        file = environment.home.public_file
        found.append(f"{file} was changed since it was published; a refresh publishes it anew")
    return found


def refresh_request(plan: QueryPlan, request: QueryRequest) -> RefreshRequest:
    """The refresh that would make everything `plan` wants fresh."""
    refetch = {step.dataset for step in plan.steps if ASKED_FOR in step.reasons}
    # As of an instant less is stale than now, and what reads nothing of ours is no plan to carry out.
    holds = bool(plan.targets) and request.until is None
    return RefreshRequest(
        targets=plan.targets or ("calendar",),
        refetch=frozenset(refetch),
        planned=plan.steps if holds else None,
        planned_after=plan.load_id,
        is_named=False,
        survey_local=False,
        demands=plan.held.demands,
        wait_s=request.freshness.wait_s,
        command="ttapi sql",
    )


def _older_than(
    environment: Environment, names: Iterable[str], held: PlanInputs, max_age: timedelta | None
) -> frozenset[str]:
    """Raw datasets of which something wanted was asked longer ago than `max_age`; None: none is."""
    if max_age is None:
        return frozenset()
    found = set()
    for name in names:
        dataset = environment.datasets[name]
        asked = asked_at(dataset, environment.home_state, held, environment.clock)
        if dataset.kind == "raw" and asked is not None and is_older(environment, asked, max_age):
            found.add(name)
    return frozenset(found)


def _may_answer_first(environment: Environment, plan: QueryPlan, request: QueryRequest) -> bool:
    """Whether all that is stale is past its TTL only, and within the dataset's `max_stale`."""
    datasets, left = environment.datasets, environment.home_state
    asks = [step for step in plan.stale if step.action == "ask"]
    is_urgent = not environment.is_installed or request.freshness.max_age is not None
    if is_urgent or not asks or any(step.verdict != "stale" for step in plan.stale):
        return False
    for step in asks:
        dataset = datasets[step.dataset]
        asked = asked_at(dataset, left, plan.held, environment.clock)
        if dataset.max_stale is None or asked is None or dataset.ttl is None:
            return False
        due = parse_ttl(dataset.ttl).due_at(asked, environment.clock.next_close)
        limit = parse_ttl(dataset.max_stale).due_at(due, environment.clock.next_close)
        if limit <= environment.now:
            return False
    return True


def _within_budget(
    environment: Environment,
    stale: Sequence[Step],
    request: QueryRequest,
    confirm: Callable[[str], bool] | None,
) -> None:
    settings = environment.settings
    calls = sum(step.calls for step in stale)
    seconds = sum(predicted_seconds(environment, step) or 0.0 for step in stale)
    is_within = calls <= settings.max_calls and seconds <= settings.max_seconds
    if request.freshness.is_budget_waived or is_within:
        return
    estimate = f"this query would make {amount(calls, 'source call')} and take about {seconds:.0f} s to refresh"
    if confirm is not None and confirm(f"{estimate}. Go on?"):
        return
    raise BudgetError(estimate, hint="--yes goes on, --no-refresh answers from what is there")


@dataclass(frozen=True)
class PlannedSlice:
    """One slice a query depends on."""

    dataset: str
    slice: str | None
    """A file, or a key and its dates; None: the dataset as a whole."""
    verdict: str
    action: str
    """ask, rebuild, or none."""
    reasons: tuple[str, ...]
    calls: int
    """Source calls it would make."""
    seconds: float | None
    """Predicted from its last run; None: it never ran."""


def explain_refresh(environment: Environment, request: QueryRequest) -> tuple[PlannedSlice, ...]:
    """Every slice `request` depends on, upstreams first; nothing is fetched and no lock taken.

    *Raises* what `plan_query` raises.
    """
    plan = plan_query(environment, request)
    steps = {step.dataset: step for step in plan.steps}
    # The folders of local sources are looked at, as the refresh itself would.
    looked_at = dry_run(environment, refresh_request(plan, request)) if plan.stale else plan.steps
    slices: list[PlannedSlice] = []
    for step in looked_at:
        if step.dataset in steps:
            slices += _slices_of(environment, step)
    return tuple(slices)


def _slices_of(environment: Environment, step: Step) -> list[PlannedSlice]:
    seconds = None if step.action == "none" else predicted_seconds(environment, step)
    parts: Sequence[str | None] = step.slices or (None,)
    calls = 1 if step.slices else step.calls
    each = seconds / len(parts) if seconds is not None else None
    return [
        PlannedSlice(step.dataset, part, step.verdict, step.action, step.reasons, calls, each)
        for part in parts
    ]


def slices_table(slices: Sequence[PlannedSlice]) -> pa.Table:
    """`slices` as rows: dataset, slice, verdict, action, reasons, calls, seconds."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    # Of thousands of files each takes less than a millisecond; together they must add up.
    seconds = [None if s.seconds is None else round(s.seconds, 6) for s in slices]
    return pa.table(
        {
            "dataset": pa.array([s.dataset for s in slices], pa.string()),
            "slice": pa.array([s.slice for s in slices], pa.string()),
            "verdict": pa.array([s.verdict for s in slices], pa.string()),
            "action": pa.array([s.action for s in slices], pa.string()),
            "reasons": pa.array(["; ".join(s.reasons) for s in slices], pa.string()),
            "calls": pa.array([s.calls for s in slices], pa.int64()),
            "seconds": pa.array(seconds, pa.float64()),
        }
    )
