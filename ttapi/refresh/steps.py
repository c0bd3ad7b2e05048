# SPDX-License-Identifier: Apache-2.0
"""The steps of a refresh carried out: raw datasets asked, tables rebuilt, checks run.

A failing dataset is an outcome of its own; the others go on.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, TtapiError
from ttapi.models.rebuild import (
    CheckOutcome,
    Rebuilt,
    rebuild_table,
    run_check_models,
    run_header_checks,
)
from ttapi.refresh.freshness import status_rows
from ttapi.refresh.ingest import IngestTask, account_of_error, ingest
from ttapi.refresh.keyed import ingest_slices
from ttapi.refresh.planner import closure, current_versions, rebuild_reasons
from ttapi.store.catalog import (
    DatasetOutcome,
    DatasetState,
    changed_keys_since,
    mark_changed,
    read_checks,
    read_slices,
    write_changed_keys,
    write_checks,
    write_freshness,
    write_outcomes,
    write_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.refresh.datasets import Dataset, Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.plan import RefreshRequest, UnitListing
    from ttapi.refresh.writer import Progress
    from ttapi.sources.traffic import NetworkAccounts
    from ttapi.store.store import Store

log = logging.getLogger(__name__)

# Header checks of a view look at the changed keys only, unless there are more than this.
_KEYS_CHECKED_ONE_BY_ONE = 2000


@dataclass
class RefreshRun:
    """What one refresh carries from step to step."""

    store: Store
    environment: Environment
    request: RefreshRequest
    progress: Progress
    load_id: int
    states: dict[str, DatasetState]
    listings: Mapping[str, UnitListing | TtapiError]
    """By dataset; an error where the survey itself failed."""
    is_new: bool
    """True: models or sources changed, or a refresh was cut short: every check looks at everything."""
    accounts: NetworkAccounts
    """Of this refresh's network calls."""
    outcomes: list[DatasetOutcome] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    seen_units: dict[str, dict[str, tuple[int | None, int | None]]] = field(default_factory=dict)
    """Size and time of the units looked at, by dataset and key."""
    unavailable: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the sources said they have not, by dataset and key."""
    fetched_whole: set[str] = field(default_factory=set)
    """Raw datasets asked for everything they have."""


def run_step(run: RefreshRun, step: Step) -> None:
    """Carry out one step; its outcome is noted in `run`."""
    started = time.monotonic()
    dataset = run.environment.datasets[step.dataset]
    if dataset.kind == "raw":
        outcome = _run_raw(run, step, dataset)
    elif dataset.kind == "table" and step.action == "rebuild":
        outcome = _run_table(run, step, dataset)
    else:
        outcome = DatasetOutcome(step.dataset, step.verdict, step.reasons)
    outcome = replace(outcome, seconds=time.monotonic() - started)
    run.outcomes.append(outcome)
    if outcome.is_changed:
        run.changed.add(step.dataset)
    if step.action != "none":
        log.info(
            "dataset refreshed",
            extra={
                "dataset": step.dataset,
                "verdict": outcome.verdict,
                "reasons": list(outcome.reasons),
                "changed": outcome.is_changed,
                "seconds": round(outcome.seconds, 3),
                "error": outcome.error,
            },
        )


def _run_raw(run: RefreshRun, step: Step, dataset: Dataset) -> DatasetOutcome:
    found = run.listings.get(step.dataset)
    if found is None and not step.asks:
        return DatasetOutcome(
            step.dataset,
            step.verdict,
            step.reasons,
            slices_held=step.held,
            unavailable=step.unavailable,
        )
    state = run.states.get(step.dataset, DatasetState())
    if found is None:
        account, state = ingest_slices(_task(run, step, dataset), state, step)
    elif isinstance(found, TtapiError):
        account = account_of_error(found)
        state = replace(state, error=account.error, failed_at=run.environment.now)
        with run.store.transaction() as cursor:
            write_state(cursor, step.dataset, state)
            mark_changed(cursor)
    else:
        is_forced = run.request.force and step.dataset not in run.request.already_refreshed
        task, span = _task(run, step, dataset), run.request.span
        with run.store.loading():
            account, state = ingest(task, state, found, step, is_forced=is_forced, span=span)
    run.states[step.dataset] = state
    run.seen_units[step.dataset] = account.seen_units
    run.unavailable[step.dataset] = account.unavailable
    if step.keys is None and not step.asks and account.error is None:
        run.fetched_whole.add(step.dataset)
    return DatasetOutcome(
        step.dataset,
        "failed" if account.error else step.verdict,
        step.reasons,
        rows_in=account.rows_in,
        rows_accepted=account.rows_accepted,
        rows_refused=account.rows_refused,
        source_calls=account.source_calls,
        slices_asked=account.asked,
        slices_held=step.held,
        unavailable=step.unavailable,
        error=account.error,
        failed_units=tuple(account.failed_units),
        is_changed=account.is_changed,
        is_down=account.is_down,
    )


def _task(run: RefreshRun, step: Step, dataset: Dataset) -> IngestTask:
    offer = run.environment.resources[step.dataset]
    return IngestTask(
        run.store, run.environment, offer, dataset, run.load_id, run.progress, run.accounts
    )


def _run_table(run: RefreshRun, step: Step, dataset: Dataset) -> DatasetOutcome:
    state = run.states.get(step.dataset, DatasetState())
    versions = current_versions(run.environment.datasets, run.states)
    reasons = rebuild_reasons(dataset, state, versions, run.environment.clock)
    if not reasons:
        return DatasetOutcome(
            step.dataset, "fresh", (*step.reasons, "upstreams unchanged: not rebuilt")
        )
    model = run.environment.graph.models[step.dataset]
    state_before = state
    try:
        with run.store.transaction() as cursor:
            keys = _keys_to_rebuild(run, dataset, state, versions)
            rebuilt = rebuild_table(cursor, model, keys=keys, version=state.version)
            checks = run_header_checks(cursor, model)
            if failed := [c for c in checks if c.failures]:
                raise ModelError(_text(failed), file=model.file)
            state = _after_rebuild(run, dataset, state, rebuilt, versions)
            if rebuilt.is_changed or state_before.error:
                mark_changed(cursor)
            if rebuilt.is_changed:
                write_changed_keys(cursor, run.load_id, step.dataset, rebuilt.changed_keys)
            write_state(cursor, step.dataset, state)
            write_checks(cursor, run.load_id, checks, run.environment.now)
    except TtapiError as exc:
        return _table_failed(run, step, state_before, reasons, exc)
    run.states[step.dataset] = state
    run.checks.extend(checks)
    return DatasetOutcome(step.dataset, step.verdict, reasons, is_changed=rebuilt.is_changed)


def _table_failed(
    run: RefreshRun, step: Step, before: DatasetState, reasons: tuple[str, ...], exc: TtapiError
) -> DatasetOutcome:
    """The table as it was, with why it could not be rebuilt."""
    state = replace(before, error=exc.message, failed_at=run.environment.now)
    run.states[step.dataset] = state
    with run.store.transaction() as cursor:
        write_state(cursor, step.dataset, state)
        if before.error != exc.message:
            mark_changed(cursor)
    return DatasetOutcome(step.dataset, "failed", reasons, error=exc.message)


def _keys_to_rebuild(
    run: RefreshRun, dataset: Dataset, state: DatasetState, versions: Mapping[str, str]
) -> list[str] | None:
    """Changed values of the table's tracked column, or None when the whole table must be built."""
    if dataset.tracked is None or state.fingerprint != dataset.fingerprint or state.load_id is None:
        return None
    datasets = run.environment.datasets
    seen_through = closure(datasets, [dataset.through]) if dataset.through else frozenset()
    keys: set[str] = set()
    for name in closure(datasets, dataset.upstreams):
        upstream = datasets[name]
        if upstream.kind in {"view", "macro"}:
            if state.upstream_versions.get(f"code:{name}") != upstream.fingerprint:
                return None
            continue
        if state.upstream_versions.get(name) == versions[name]:
            continue
        with run.store.reading() as cursor:
            changed = changed_keys_since(cursor, name, state.load_id)
        is_told = upstream.tracked == dataset.tracked and changed is not None
        if is_told:
            keys.update(changed or ())
        elif name == dataset.through or name not in seen_through:
            return None
    return sorted(keys)


def _after_rebuild(
    run: RefreshRun,
    dataset: Dataset,
    state: DatasetState,
    rebuilt: Rebuilt,
    versions: Mapping[str, str],
) -> DatasetState:
    datasets = run.environment.datasets
    seen = {name: versions[name] for name in closure(datasets, dataset.upstreams)}
    seen |= {
        f"code:{name}": datasets[name].fingerprint
        for name in seen
        if datasets[name].kind in {"view", "macro"}
    }
    return replace(
        state,
        version=rebuilt.version,
        fingerprint=dataset.fingerprint,
        asked_at=run.environment.now,
        changed_at=run.environment.now if rebuilt.is_changed else state.changed_at,
        load_id=run.load_id,
        rows=rebuilt.rows,
        upstream_versions=seen,
        error=None,
        failed_at=None,
    )


def check_views(run: RefreshRun) -> None:
    """Header checks of the views over what changed, and the files in `sql/checks/`.

    A check that is new, or that failed last time, looks at everything: only a passed one may be
    asked about the changed keys alone.
    """
    with run.store.reading() as cursor:
        known = read_checks(cursor)
    if not run.changed and not run.is_new:
        return
    graph, datasets = run.environment.graph, run.environment.datasets
    outcomes: list[CheckOutcome] = []
    with run.store.transaction() as cursor:
        for model in graph.models.values():
            roots = closure(datasets, [model.name]) & run.changed
            if model.kind != "view" or not model.checks or not (roots or run.is_new):
                continue
            is_passed = all(known.get((model.name, str(c))) == 0 for c in model.checks)
            keys = _changed_keys(run, roots) if is_passed and not run.is_new else None
            outcomes.extend(run_header_checks(cursor, model, keys))
        outcomes.extend(run_check_models(cursor, graph.checks))
        write_checks(cursor, run.load_id, outcomes, run.environment.now)
        if any(known.get((c.dataset, c.check)) != c.failures for c in outcomes):
            mark_changed(cursor)
    run.checks.extend(outcomes)


def _changed_keys(run: RefreshRun, roots: Iterable[str]) -> list[str] | None:
    keys: set[str] = set()
    for name in roots:
        with run.store.reading() as cursor:
            changed = changed_keys_since(cursor, name, run.load_id - 1)
        if run.environment.datasets[name].tracked != "symbol" or changed is None:
            return None
        keys.update(changed)
    return sorted(keys) if len(keys) <= _KEYS_CHECKED_ONE_BY_ONE else None


def record_decisions(run: RefreshRun) -> None:
    """Store what was decided and how fresh everything is."""
    with run.store.transaction() as cursor:
        write_outcomes(cursor, run.load_id, run.outcomes, run.environment.now)
        datasets = run.environment.datasets
        held = replace(run.environment.held(), slices=read_slices(cursor))
        rows = status_rows(datasets, run.states, clock=run.environment.clock, held=held)
        write_freshness(cursor, rows, datasets, run.states, run.environment.now)


def _text(failed: Sequence[CheckOutcome]) -> str:
    first = failed[0]
    return f"check {first.check} failed: {first.failures} bad rows, such as {first.sample}"
