# SPDX-License-Identifier: Apache-2.0
"""A refresh carried out: the lock taken, steps run in order, data published, state written.

The file brought to what the code says: raw tables, models, lineage and declarations.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError
from ttapi.models.install import install_models, prove_checks
from ttapi.models.model_cache import readings_document
from ttapi.refresh.home_state import HomeState, Unavailable, read_home_state, write_home_state
from ttapi.refresh.maintenance import export_after_publication, export_formats
from ttapi.refresh.plan import StoredState, require_keys, settle_plan
from ttapi.refresh.planner import rules_of
from ttapi.refresh.single_flight import NoProgress, Progress, ProgressReader, ProgressWriter
from ttapi.refresh.steps import RefreshRequest, RefreshRun, check_views, record_decisions, run_step
from ttapi.store.catalog import (
    INSTALLED_FROM,
    DatasetOutcome,
    forget_checks,
    is_publication_due,
    mark_changed,
    read_meta,
    read_slices,
    read_states,
    write_declarations,
    write_meta,
)
from ttapi.store.files import write_document
from ttapi.store.ledger import UnitRecord, read_units
from ttapi.store.publish import publish, published_generation
from ttapi.store.schema import ensure_raw_table
from ttapi.store.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.errors import LockOwner
    from ttapi.models.install import CheckOutcome
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.ingest import Ledger
    from ttapi.refresh.installation import Environment
    from ttapi.store.export import ExportOutcome


def install(store: Store, environment: Environment) -> bool:
    """Raw tables, models and declarations as the code says; False when the file has them.

    A model of a plugin or the user that the engine refuses is left out.

    *Raises* ModelError for one of ttapi's own, UsageError: nothing is changed then.
    """
    with store.reading() as cursor:
        installed = read_meta(cursor, INSTALLED_FROM)
    if installed == environment.installation_fingerprint:
        return False
    while True:
        try:
            _install(store, environment)
        except ModelError as exc:
            environment.without(exc)
        else:
            break
    if environment.analysis_cache.is_news:
        write_document(
            environment.home.readings_file, readings_document(environment.analysis_cache)
        )
    return True


def _install(store: Store, environment: Environment) -> None:
    from ttapi.models.lineage import install_lineage  # noqa: PLC0415 - sqlglot takes 0.2 s and 15 MB

    graph, wanted = environment.graph, environment.installation_fingerprint
    resources = {name: offer.resource for name, offer in environment.resources.items()}
    with store.transaction() as cursor:
        for resource in resources.values():
            ensure_raw_table(cursor, resource)
        install_models(cursor, graph)
        prove_checks(cursor, graph)
        macros = {n: d.columns for n, d in environment.datasets.items() if d.kind == "macro"}
        install_lineage(cursor, graph, macros)
        write_declarations(cursor, environment.datasets, graph, resources)
        write_meta(cursor, INSTALLED_FROM, wanted)
        forget_checks(cursor, graph)
        mark_changed(cursor)


@dataclass(frozen=True)
class RefreshOutcome:
    """What a refresh did."""

    load_id: int
    generation: int
    datasets: tuple[DatasetOutcome, ...]
    failed_checks: tuple[CheckOutcome, ...] = ()
    exports: tuple[ExportOutcome, ...] = ()
    """What `[export] datasets` wrote after the publication."""
    broken: tuple[ModelError, ...] = ()
    """Why models of plugins and the user were left out."""

    @property
    def exit_code(self) -> int:
        """0; 3 when all that failed was out of reach and nothing else worked; 1 for any other failure."""
        failed = [d for d in self.datasets if d.error or d.failed_units]
        if not failed:
            return 0
        asked = [d for d in self.datasets if d.source_calls or d.is_down]
        return 3 if asked and all(d.is_down for d in asked) else 1


def run_refresh(
    environment: Environment,
    request: RefreshRequest,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[LockOwner | None], None] | None = None,
) -> RefreshOutcome:
    """Bring the request's datasets and all they read up to date, and publish what changed.

    *Raises* LockedError past `wait_s`; UsageError and ModelError before anything is changed;
    StoreError when the file cannot be used. A failing dataset is an outcome, not an exception.
    """
    # A wrong setting is told before the lock is waited for.
    _ = environment.resources
    export_formats(environment.settings.export_formats)
    outcome = _refresh_under_lock(environment, request, progress or NoProgress(), on_wait)
    changed = {d.dataset for d in outcome.datasets if d.is_changed}
    if not changed or not environment.settings.export_datasets:
        return outcome
    exports = export_after_publication(environment, changed, load_id=outcome.load_id)
    return replace(outcome, exports=tuple(exports))


def _refresh_under_lock(
    environment: Environment,
    request: RefreshRequest,
    progress: Progress,
    on_wait: Callable[[LockOwner | None], None] | None,
) -> RefreshOutcome:
    seen = environment.home_state.load_id
    listener, announcer = (
        ProgressReader(progress, environment.home),
        ProgressWriter(progress, environment.home),
    )
    with (
        open_store(
            environment.home,
            command=request.command,
            wait_s=request.wait_s,
            on_wait=on_wait,
            pause=listener.pause,
            now=environment.now,
            memory_limit=environment.settings.memory_limit,
        ) as store,
        closing(announcer),
    ):
        listener.close()
        request = _joined(environment, request, seen)
        with store.reading() as cursor:
            was_cut_short = is_publication_due(cursor, published_generation(environment.home))
        is_new = install(store, environment) or was_cut_short
        stored = _stored_state(store)
        planned = None if is_new else _plan_that_holds(store, request, seen)
        steps, listings = settle_plan(environment, request, stored, planned)
        require_keys(environment, request, steps)
        load_id = store.next_load_id()
        run = RefreshRun(
            store, environment, request, announcer, load_id, dict(stored.states), listings, is_new
        )
        for step in steps:
            run_step(run, step)
        check_views(run)
        record_decisions(run)
        with store.reading() as cursor:
            is_due = is_publication_due(cursor, published_generation(environment.home))
        if is_due:
            publish(store, keep=environment.settings.snapshots_kept)
        _leave_state(run)
        return RefreshOutcome(
            run.load_id,
            store.generation,
            tuple(run.outcomes),
            tuple(c for c in run.checks if c.failures),
            broken=tuple(environment.broken.values()),
        )


def _stored_state(store: Store) -> StoredState:
    with store.reading() as cursor:
        return StoredState(read_states(cursor), read_slices(cursor), _live_ledger(store))


def _plan_that_holds(store: Store, request: RefreshRequest, seen: int) -> tuple[Step, ...] | None:
    """The plan that `request` brings, where nothing was written since; `seen`: the last load before."""
    with store.reading() as cursor:
        last_load = int(read_meta(cursor, "last_load_id") or 0)
    return request.planned if request.planned_after == last_load == seen else None


def _joined(environment: Environment, request: RefreshRequest, seen: int) -> RefreshRequest:
    """`request` without what another command asked while this one waited; `seen`: the last load before."""
    environment.home_state = read_home_state(environment.home)
    asked_by = environment.home_state.fetched_by
    joined = frozenset(name for name, load_id in asked_by.items() if load_id > seen)
    return replace(request, already_refreshed=joined, refetch=request.refetch - joined)


def _leave_state(run: RefreshRun) -> None:
    environment = run.environment
    before = environment.home_state
    worked = [d for d in run.outcomes if _is_telling(d, before)]
    with run.store.reading() as cursor:
        slices = read_slices(cursor)
    touched = {} if before.generation != run.store.generation else dict(before.seen_units)
    if before.generation == run.store.generation:
        for name, units in run.seen_units.items():
            touched[name] = {**touched.get(name, {}), **units}
    state = HomeState(
        environment.installation_fingerprint,
        run.store.generation,
        environment.datasets,
        run.states,
        {**before.seconds, **{d.dataset: d.seconds for d in worked}},
        slices,
        {**before.calls, **{d.dataset: d.source_calls for d in worked}},
        touched,
        run.load_id,
        {**before.fetched_by, **dict.fromkeys(run.fetched_whole, run.load_id)},
        {**before.traffic, **_accounts(environment)},
        {
            **{n: t for n, t in before.partial_failures.items() if n not in run.seen_units},
            **_partly(run),
        },
        environment.broken,
        _absences(run, before),
    )
    write_home_state(environment.home, state)
    environment.home_state = state


def _is_telling(done: DatasetOutcome, before: HomeState) -> bool:
    """Whether predictions go by this run from now on.

    A few calls say little of thousands: most of their time is what it takes to begin.
    """
    if not done.source_calls:
        return done.is_changed
    return 2 * done.source_calls >= before.calls.get(done.dataset, 0)


def _accounts(environment: Environment) -> dict[str, dict[str, Any]]:
    return {
        name: traffic.as_document()
        for name, traffic in environment.traffic.items()
        if traffic.requests or traffic.refusal
    }


def _absences(run: RefreshRun, before: HomeState) -> dict[str, dict[str, Unavailable]]:
    """What the sources have not: as they say now, and as they said while that holds."""
    environment = run.environment
    found: dict[str, dict[str, Unavailable]] = {}
    for name in sorted(before.unavailable.keys() | run.unavailable.keys()):
        dataset = environment.datasets.get(name)
        if dataset is None:
            continue
        due_at = rules_of(dataset, environment.moment).due_at
        answered = run.seen_units.get(name, {})
        held = {
            key: one
            for key, one in before.unavailable.get(name, {}).items()
            if key not in answered and due_at(one.asked_at) > environment.now
        }
        said = {
            key: Unavailable(environment.now, told)
            for key, told in run.unavailable.get(name, {}).items()
        }
        if held or said:
            found[name] = {**held, **said}
    return found


def _partly(run: RefreshRun) -> dict[str, str]:
    """Of the datasets asked now: how many of their units failed, and the first of them."""
    return {
        d.dataset: f"{len(d.failed_units):,} of {d.slices_asked:,} failed: {d.failed_units[0]}"
        for d in run.outcomes
        if d.failed_units and not run.states[d.dataset].error
    }


def _live_ledger(store: Store) -> Ledger:
    def ledger(dataset: str) -> Mapping[str, UnitRecord]:
        with store.reading() as cursor:
            return read_units(cursor, dataset)

    return ledger
