# SPDX-License-Identifier: Apache-2.0
"""What a query reads brought up to date before it runs, or the reason why not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import BudgetError, LockedError, LockOwner, QueryError, StaleError
from ttapi.models.references import references_in
from ttapi.refresh.planner import DatasetState, Step, closure, plan_refresh
from ttapi.refresh.runner import RefreshOutcome, run_refresh
from ttapi.refresh.status import root_age_s
from ttapi.refresh.steps import RefreshRequest
from ttapi.refresh.ttl import parse_ttl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from ttapi.refresh.progress import Progress
    from ttapi.refresh.workspace import Workspace

_TOO_OLD = "older than --max-age"


@dataclass(frozen=True)
class QueryRequest:
    """A query and how fresh it wants its inputs."""

    sql: str
    refresh: bool = True
    max_age: timedelta | None = None
    wait_s: float = 60.0
    is_budget_waived: bool = False


@dataclass(frozen=True)
class InputAge:
    """How old one root input of a query is."""

    dataset: str
    age_s: float | None
    """None: never asked."""


@dataclass(frozen=True)
class Prepared:
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

    @property
    def source_calls(self) -> int:
        """Slices fetched for this query."""
        return sum(d.source_calls for d in self.outcome.datasets) if self.outcome else 0


def prepare_query(
    workspace: Workspace,
    request: QueryRequest,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[LockOwner | None], None] | None = None,
    confirm: Callable[[str], bool] | None = None,
) -> Prepared:
    """Refresh what `request` reads and is stale; nothing at all when everything is fresh.

    `confirm` is asked on a terminal when the refresh would exceed its budget.

    *Raises* QueryError for a statement that would write; BudgetError; StaleError when data stays
    older than allowed; LockedError when the file stays locked and the snapshot is too old.
    """
    started = time.monotonic()
    targets = _targets(workspace, request.sql)
    stale = _stale_steps(workspace, targets, request.max_age)
    planned_s = time.monotonic() - started
    is_new_code = workspace.home_state.fingerprint != workspace.installation_fingerprint
    warnings: list[str] = []
    outcome = None
    if request.refresh and (stale or is_new_code):
        _within_budget(workspace, stale, request, confirm)
        try:
            outcome = run_refresh(
                workspace,
                RefreshRequest(
                    targets=tuple(targets) or ("calendar",),
                    ask=frozenset(s.dataset for s in stale if s.reasons == (_TOO_OLD,)),
                    is_named=False,
                    survey_local=False,
                    wait_s=request.wait_s,
                    command="ttapi sql",
                ),
                progress=progress,
                on_wait=on_wait,
            )
        except LockedError as exc:
            _require_recent(workspace, targets, exc)
            warnings.append(f"{exc.message}; answered from the published snapshot")
    ages = _ages(workspace, targets)
    _require_fresh_enough(workspace, targets, request, outcome)
    missing = _unconfigured(workspace, targets)
    return Prepared(outcome, stale, ages, planned_s, missing, tuple(warnings))


def _targets(workspace: Workspace, sql: str) -> list[str]:
    found = references_in(sql)
    if found.writes:
        raise QueryError(
            f"{min(found.writes)} cannot be written: the published file is read-only",
            hint=f"a relation of your own is a file in {workspace.home.sql / 'views'}",
        )
    datasets = workspace.datasets
    named = {name for name in found.relations if name in datasets}
    named |= {f for f in found.functions if f in datasets and datasets[f].kind == "macro"}
    if {"freshness", "health"} & found.relations:
        named -= {"freshness", "health"}
    return sorted(named)


def _stale_steps(
    workspace: Workspace, targets: Sequence[str], max_age: timedelta | None
) -> tuple[Step, ...]:
    datasets, states = workspace.datasets, workspace.home_state.states
    steps = plan_refresh(datasets, states, targets, moment=workspace.moment)
    needed = [step for step in steps if step.action != "none"]
    if max_age is not None:
        asked = {step.dataset for step in needed}
        for step in steps:
            state = states.get(step.dataset, DatasetState())
            is_old = state.asked_at is not None and workspace.now - state.asked_at > max_age
            if datasets[step.dataset].kind == "raw" and is_old and step.dataset not in asked:
                needed.append(Step(step.dataset, "ask", "stale", (_TOO_OLD,), calls=1))
    return tuple(needed)


def _within_budget(
    workspace: Workspace,
    stale: Sequence[Step],
    request: QueryRequest,
    confirm: Callable[[str], bool] | None,
) -> None:
    settings = workspace.settings
    calls = sum(step.calls for step in stale)
    seconds = sum(workspace.home_state.seconds.get(step.dataset, 0.0) for step in stale)
    if request.is_budget_waived or (
        calls <= settings.max_calls and seconds <= settings.max_seconds
    ):
        return
    estimate = (
        f"this query would make {calls} source calls and take about {seconds:.0f} s to refresh"
    )
    if confirm is not None and confirm(f"{estimate}. Go on?"):
        return
    raise BudgetError(estimate, hint="--yes goes on, --no-refresh answers from what is there")


def _require_recent(workspace: Workspace, targets: Sequence[str], locked: LockedError) -> None:
    """Nothing when the snapshot may answer instead; the LockedError when it is older than max_stale."""
    limit = parse_ttl(workspace.settings.max_stale)
    states = workspace.home_state.states
    if not workspace.home.public_file.exists():
        raise locked
    for name in _roots(workspace, targets):
        asked = states.get(name, DatasetState()).asked_at
        if asked is None or limit.due_at(asked, workspace.next_close) <= workspace.now:
            raise locked


def _require_fresh_enough(
    workspace: Workspace,
    targets: Sequence[str],
    request: QueryRequest,
    outcome: RefreshOutcome | None,
) -> None:
    failures = {d.dataset: d.error for d in outcome.datasets if d.error} if outcome else {}
    states = workspace.home_state.states
    for name in _roots(workspace, targets):
        dataset, state = workspace.datasets[name], states.get(name, DatasetState())
        if request.max_age is not None and (
            state.asked_at is None or workspace.now - state.asked_at > request.max_age
        ):
            age = (
                "was never loaded"
                if state.asked_at is None
                else f"is {workspace.now - state.asked_at} old"
            )
            raise StaleError(f"{name} {age}, more than --max-age", hint=f"ttapi refresh {name}")
        if name not in failures:
            continue
        limit = parse_ttl(dataset.max_stale_on_error)
        if state.asked_at is None:
            raise StaleError(
                f"{name} was never loaded: {failures[name]}", hint=f"ttapi refresh {name}"
            )
        if limit.due_at(state.asked_at, workspace.next_close) <= workspace.now:
            raise StaleError(
                f"{name} is {workspace.now - state.asked_at} old, more than"
                f" {dataset.max_stale_on_error}: {failures[name]}",
                hint=f"ttapi refresh {name}",
            )


def _roots(workspace: Workspace, targets: Sequence[str]) -> list[str]:
    return sorted(
        name
        for name in closure(workspace.datasets, targets)
        if workspace.datasets[name].kind == "raw"
        and (not workspace.datasets[name].missing_setting or name in workspace.home_state.states)
    )


def _unconfigured(workspace: Workspace, targets: Sequence[str]) -> tuple[str, ...]:
    datasets = workspace.datasets
    roots = [datasets[name] for name in sorted(closure(datasets, targets))]
    return tuple(
        f"{d.name} ([sources.{d.source}] {d.missing_setting})"
        for d in roots
        if d.missing_setting and not workspace.home_state.states.get(d.name, DatasetState()).rows
    )


def _ages(workspace: Workspace, targets: Sequence[str]) -> list[InputAge]:
    states = workspace.home_state.states
    return [
        InputAge(name, root_age_s(name, workspace.datasets, states, workspace.now))
        for name in _roots(workspace, targets)
    ]
