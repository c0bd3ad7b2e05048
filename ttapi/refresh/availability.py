# SPDX-License-Identifier: Apache-2.0
"""Whether what is there may answer a query: old enough to be refused, never built, or told with its age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import NotLoadedError, QueryError, StaleError
from ttapi.formats.values import seconds_text
from ttapi.market.calendar import parse_ttl
from ttapi.refresh.freshness import asked_at, input_age
from ttapi.refresh.planner import closure
from ttapi.store.catalog import DatasetState
from ttapi.store.reader import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from ttapi.errors import TtapiError
    from ttapi.refresh.datasets import Dataset
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.query import QueryPlan, QueryRequest
    from ttapi.refresh.runner import RefreshOutcome


_SYMBOLS_NAMED = 5


def is_older(environment: Environment, asked: datetime, max_age: timedelta) -> bool:
    """Whether what was asked then is older than allowed; of the future nobody can tell."""
    return environment.clock.is_ahead(asked) or environment.now - asked > max_age


def require_recent(environment: Environment, plan: QueryPlan, error: TtapiError) -> None:
    """Nothing when the snapshot may answer instead; `error`, which kept it old, when it is older than max_stale."""
    if not environment.home.public_file.exists():
        raise error
    for name in roots_of(environment, plan.targets):
        dataset = environment.datasets[name]
        limit = parse_ttl(dataset.max_stale or environment.settings.max_stale)
        asked = asked_at(dataset, environment.home_state, plan.held, environment.clock)
        if asked is None or limit.due_at(asked, environment.clock.next_close) <= environment.now:
            error.hint = "; ".join(
                filter(None, [error.hint, "--no-refresh answers from what is there"])
            )
            raise error


def require_built(
    environment: Environment,
    plan: QueryPlan,
    request: QueryRequest,
    outcome: RefreshOutcome | None,
) -> None:
    """Nothing, or QueryError where a table that is read could not be built: its rows are not none, but unknown.

    Who refreshes nothing is answered from what is there, unless building it was tried and failed.
    """
    failures = {d.dataset: d.error for d in outcome.datasets if d.error} if outcome else {}
    states = environment.home_state.states
    if not states:
        return  # damaged, or of another ttapi: nothing can be told from it
    for name in sorted(closure(environment.datasets, plan.targets)):
        if environment.datasets[name].kind != "table":
            continue
        state = states.get(name, DatasetState())
        why = failures.get(name) or state.error
        if not state.fingerprint and (why or request.freshness.refresh):
            raise QueryError(
                f"{name} was never built{f': {why}' if why else ''}",
                hint=f"ttapi refresh {name} builds it" if not why else "ttapi doctor says more",
            )


def require_fresh_enough(
    environment: Environment,
    plan: QueryPlan,
    request: QueryRequest,
    outcome: RefreshOutcome | None,
) -> None:
    """Nothing, or StaleError where a root input is older than `--max-age`, or failed and is too old to answer.

    *Raises* QueryError with the cause where it failed and what is wanted of it was never there.
    """
    failures = {d.dataset: d.error for d in outcome.datasets if d.error} if outcome else {}
    for name in roots_of(environment, plan.targets):
        dataset = environment.datasets[name]
        if dataset.is_log and request.freshness.refresh:
            _require_recorded(environment, dataset)
        asked = asked_at(dataset, environment.home_state, plan.held, environment.clock)
        hint = dataset.lost or _what_fills(dataset, plan)
        at_most = request.freshness.age_limit
        if at_most is not None and (asked is None or is_older(environment, asked, at_most)):
            age = input_age(name, environment, plan.held).claim
            why = "more than --max-age" if asked else "and --max-age is set"
            raise StaleError(f"{name} {age}, {why}", hint=hint)
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
            age = input_age(name, environment, plan.held).claim
            again = f"{hint} --symbols {absent} --force" if absent else hint
            hint = f"{again} tries again, --no-refresh answers from what is there"
            raise NotLoadedError(f"{name} {age}: {failure}", hint=hint)
        is_ahead = environment.clock.is_ahead(asked)
        if is_ahead or limit.due_at(asked, environment.clock.next_close) <= environment.now:
            age = seconds_text((environment.now - asked).total_seconds())
            told = f"{name} is {age} old, more than {dataset.max_stale_on_error}: {failure}"
            raise StaleError(told, hint=hint)


def _what_fills(dataset: Dataset, plan: QueryPlan) -> str:
    """The command that brings newer rows: nothing can be asked for a log."""
    if not dataset.is_log:
        return f"ttapi refresh {dataset.name}"
    symbols = sorted(plan.held.demand(dataset.name).keys or ())
    named = " ".join(symbols) if 0 < len(symbols) <= _SYMBOLS_NAMED else "SYMBOL..."
    return f"ttapi stream {named} records newer ones"


def _require_recorded(environment: Environment, dataset: Dataset) -> None:
    """Nothing, or QueryError where no stream ever filled the log: its rows are not none, but unknown."""
    state = environment.home_state.states.get(dataset.name, DatasetState())
    if state.asked_at is None:
        raise QueryError(
            f"{dataset.name} was never recorded",
            hint="ttapi stream SYMBOL... records it; --no-refresh answers from what is there",
        )


def _absent_key(environment: Environment, plan: QueryPlan, name: str) -> str | None:
    """The first of the wanted keys that the source of `name` has not; None: it has said so of none."""
    wanted = plan.held.demand(name).keys or frozenset()
    return min(wanted & environment.home_state.unavailable.get(name, {}).keys(), default=None)


def _unavailable_text(environment: Environment, name: str, key: str) -> str:
    absence = environment.home_state.unavailable.get(name, {}).get(key)
    return f"{key}: {absence.reason}" if absence else key


def unavailable_texts(environment: Environment, plan: QueryPlan) -> list[str]:
    """What is known to be had of nobody: said once a command, not asked again."""
    told = []
    for step in plan.steps:
        if lost := environment.datasets[step.dataset].lost:
            told.append(f"{step.dataset}: {lost}")
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


def roots_of(environment: Environment, targets: Sequence[str]) -> list[str]:
    """The raw datasets behind `targets` that are configured, or hold something."""
    return sorted(
        name
        for name in closure(environment.datasets, targets)
        if environment.datasets[name].kind == "raw"
        and (
            not environment.datasets[name].missing_setting or name in environment.home_state.states
        )
    )


def unconfigured(environment: Environment, targets: Sequence[str]) -> tuple[str, ...]:
    """Empty roots of `targets` with the setting that would fill them, one text a setting."""
    states = environment.home_state.states
    served, missing = set(), []
    for name in sorted(closure(environment.datasets, targets)):
        dataset = environment.datasets[name]
        if dataset.kind != "raw" or dataset.completes or dataset.lost:
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
