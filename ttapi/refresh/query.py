# SPDX-License-Identifier: Apache-2.0
"""What a query reads brought up to date before it runs, or the reason why not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import BudgetError, LockedError, StaleError
from ttapi.formats.values import amount, seconds_text
from ttapi.market.ttl import parse_ttl
from ttapi.models.resolve import Resolution, resolve
from ttapi.refresh.coverage import name_scope, raw_demands
from ttapi.refresh.freshness import Freshness, InputAge, asked_at, input_age
from ttapi.refresh.plan import broken_named, predicted_seconds, require_keys
from ttapi.refresh.planner import ASKED_FOR, closure, plan_refresh
from ttapi.refresh.request import refuse_writes
from ttapi.refresh.steps import RefreshRequest
from ttapi.refresh.writer import THIS_PROCESS, Writer
from ttapi.store.catalog import DatasetState
from ttapi.store.reader import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from ttapi.models.limits import RelationRead
    from ttapi.refresh.datasets import Dataset, PlanInputs, Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.refresh.single_flight import Progress
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
    reads: tuple[RelationRead, ...] | None = None
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
    found = Resolution(request.reads or ())
    if request.reads is None:
        found = resolve(request.sql, names, bound=request.bound)
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
    return QueryPlan(targets, held, steps, found.unresolved, environment.home_state.load_id)


def prepare_query(
    environment: Environment,
    request: QueryRequest,
    *,
    progress: Progress | None = None,
    on_wait: OnWait = None,
    confirm: Callable[[str], bool] | None = None,
    writer: Writer = THIS_PROCESS,
) -> PreparedQuery:
    """Have `writer` refresh what `request` reads and is stale; nothing at all when everything is fresh.

    `confirm` is asked on a terminal when the refresh would exceed its budget.

    *Raises* QueryError for a statement that would write; BudgetError; StaleError when data stays
    older than allowed; LockedError when the file stays locked and the snapshot is too old.
    """
    started = time.monotonic()
    plan = plan_query(environment, request)
    planned_s = time.monotonic() - started
    warnings = [f"not resolved: {doubt}" for doubt in plan.unresolved]
    is_new_code = not environment.is_installed
    outcome, later, refresh_s = None, None, 0.0
    wanted = refresh_request(plan, request)
    if request.freshness.refresh:
        require_keys(environment, wanted, plan.steps)
    if request.freshness.refresh and (plan.stale or is_new_code):
        is_patient = not is_new_code and request.freshness.age_limit is None
        if is_patient and _may_answer_first(environment, plan):
            later = wanted
            warnings.append("answered at once, within max_stale; the refresh follows the answer")
        else:
            _within_budget(environment, plan.stale, request, confirm)
            began = time.monotonic()
            try:
                outcome = writer.refresh(environment, wanted, progress=progress, on_wait=on_wait)
                environment = environment.after(outcome.left)
            except LockedError as exc:
                _require_recent(environment, plan, exc)
                warnings.append(f"{exc.message}; answered from the published snapshot")
            refresh_s = time.monotonic() - began
    if request.freshness.refresh:
        warnings += _unavailable_texts(environment, plan)
    if is_new_code and outcome is not None:
        warnings += [f"left out: {error.message}" for error in outcome.broken]
    _require_fresh_enough(environment, plan, request, outcome)
    roots = _roots(environment, plan.targets)
    ages = [input_age(name, environment, plan.held) for name in roots]
    missing = _unconfigured(environment, plan.targets)
    return PreparedQuery(
        outcome, plan.stale, ages, planned_s, missing, tuple(warnings), refresh_s, later
    )


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
        asked = asked_at(dataset, environment.home_state, held)
        if dataset.kind == "raw" and asked is not None and _is_older(environment, asked, max_age):
            found.add(name)
    return frozenset(found)


def _is_older(environment: Environment, asked: datetime, max_age: timedelta) -> bool:
    """Whether what was asked then is older than allowed; of the future nobody can tell."""
    return environment.clock.is_ahead(asked) or environment.now - asked > max_age


def _may_answer_first(environment: Environment, plan: QueryPlan) -> bool:
    """Whether all that is stale is past its TTL only, and within the dataset's `max_stale`."""
    datasets, left = environment.datasets, environment.home_state
    asks = [step for step in plan.stale if step.action == "ask"]
    if not asks or any(step.verdict != "stale" for step in plan.stale):
        return False
    for step in asks:
        dataset = datasets[step.dataset]
        asked = asked_at(dataset, left, plan.held)
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


def _require_recent(environment: Environment, plan: QueryPlan, locked: LockedError) -> None:
    """Nothing when the snapshot may answer instead; the LockedError when it is older than max_stale."""
    if not environment.home.public_file.exists():
        raise locked
    for name in _roots(environment, plan.targets):
        dataset = environment.datasets[name]
        limit = parse_ttl(dataset.max_stale or environment.settings.max_stale)
        asked = asked_at(dataset, environment.home_state, plan.held)
        if asked is None or limit.due_at(asked, environment.clock.next_close) <= environment.now:
            raise locked


def _require_fresh_enough(
    environment: Environment,
    plan: QueryPlan,
    request: QueryRequest,
    outcome: RefreshOutcome | None,
) -> None:
    failures = {d.dataset: d.error for d in outcome.datasets if d.error} if outcome else {}
    for name in _roots(environment, plan.targets):
        dataset = environment.datasets[name]
        asked = asked_at(dataset, environment.home_state, plan.held)
        hint = f"ttapi refresh {name}"
        at_most = request.freshness.age_limit
        if at_most is not None and (asked is None or _is_older(environment, asked, at_most)):
            age = input_age(name, environment, plan.held).text
            told = f"is {age}, more than --max-age" if asked else f"is {age}, and --max-age is set"
            raise StaleError(f"{name} {told}", hint=hint)
        absent = (
            _absent_key(environment, plan, name)
            if request.freshness.refresh and asked is None
            else None
        )
        failure = failures.get(name) or (absent and _unavailable_text(environment, name, absent))
        if failure is None or (asked is None and _answers_without(environment, plan, dataset)):
            continue
        limit = parse_ttl(dataset.max_stale_on_error)
        if asked is None:
            age = input_age(name, environment, plan.held).text
            again = f"{hint} --symbols {absent} --force" if absent else hint
            hint = f"{again} tries again, --no-refresh answers from what is there"
            raise StaleError(f"{name} is {age}: {failure}", hint=hint)
        is_ahead = environment.clock.is_ahead(asked)
        if is_ahead or limit.due_at(asked, environment.clock.next_close) <= environment.now:
            age = seconds_text((environment.now - asked).total_seconds())
            told = f"{name} is {age} old, more than {dataset.max_stale_on_error}: {failure}"
            raise StaleError(told, hint=hint)


def _absent_key(environment: Environment, plan: QueryPlan, name: str) -> str | None:
    """The first of the wanted keys that the source of `name` has not; None: it has said so of none."""
    wanted = plan.held.demand(name).keys or frozenset()
    return min(wanted & environment.home_state.unavailable.get(name, {}).keys(), default=None)


def _unavailable_text(environment: Environment, name: str, key: str) -> str:
    absence = environment.home_state.unavailable.get(name, {}).get(key)
    return f"{key}: {absence.reason}" if absence else key


def _unavailable_texts(environment: Environment, plan: QueryPlan) -> list[str]:
    """What is known to be had of nobody: said once a command, not asked again."""
    told = []
    for step in plan.steps:
        if step.unavailable:
            more = f", and {len(step.unavailable) - 1:,} more" if len(step.unavailable) > 1 else ""
            text = _unavailable_text(environment, step.dataset, step.unavailable[0])
            told.append(f"{step.dataset}: {text}{more}")
    return told


def _answers_without(environment: Environment, plan: QueryPlan, dataset: Dataset) -> bool:
    """Whether there is a part of an answer, though what was just asked of `dataset` failed.

    Some of the wanted keys were answered before, or the dataset that this one fills up has them.
    """
    keys = plan.held.demand(dataset.name).keys
    slices = environment.home_state.slices.get(dataset.name, ())
    if any(keys is None or one.key in keys for one in slices):
        return True
    completed = environment.datasets.get(dataset.completes or "")
    if completed is None or completed.missing_setting:
        return False
    if keys is None:
        return bool(environment.home_state.states.get(completed.name, DatasetState()).rows)
    found = read_rows(
        environment.home,
        f"select 1 from {completed.name} where {completed.key} in (select unnest(?)) limit 1",
        [sorted(keys)],
    )
    return bool(found)


def _roots(environment: Environment, targets: Sequence[str]) -> list[str]:
    return sorted(
        name
        for name in closure(environment.datasets, targets)
        if environment.datasets[name].kind == "raw"
        and (
            not environment.datasets[name].missing_setting or name in environment.home_state.states
        )
    )


def _unconfigured(environment: Environment, targets: Sequence[str]) -> tuple[str, ...]:
    """Empty roots of `targets` with the setting that would fill them, one text a setting."""
    states = environment.home_state.states
    served, missing = set(), []
    for name in sorted(closure(environment.datasets, targets)):
        dataset = environment.datasets[name]
        if dataset.kind != "raw" or dataset.completes:
            continue
        one_of = environment.resources[name].resource.one_of
        if not dataset.missing_setting or (name in states and states[name].rows):
            served.add(one_of)
        else:
            missing.append((one_of, f"[sources.{dataset.source}] {dataset.missing_setting}", name))
    by_setting: dict[str, list[str]] = {}
    for one_of, setting, name in missing:
        if one_of is None or one_of not in served:
            by_setting.setdefault(setting, []).append(name)
    return tuple(f"{', '.join(names)} ({missing})" for missing, names in by_setting.items())
