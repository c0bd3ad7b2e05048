# SPDX-License-Identifier: Apache-2.0
"""A refresh carried out in the open file: steps run in order, data published, state written.

The file brought to what the code says: raw tables, models, lineage and declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import ModelError
from ttapi.models.install import install_models
from ttapi.models.model_cache import readings_document
from ttapi.models.rebuild import prove_checks
from ttapi.refresh.home_state import HomeState, Unavailable, read_home_state, write_home_state
from ttapi.refresh.installation import migrated_tables
from ttapi.refresh.plan import RefreshRequest, StoredState, require_keys, settle_plan
from ttapi.refresh.planner import rules_of
from ttapi.refresh.steps import RefreshRun, check_views, record_decisions, run_step
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
from ttapi.store.files import is_as_published, write_document
from ttapi.store.ledger import UnitRecord, read_units
from ttapi.store.publish import publish, published_generation
from ttapi.store.schema import ensure_raw_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.models.rebuild import CheckOutcome
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.plan import Ledger
    from ttapi.refresh.writer import Progress
    from ttapi.store.export import ExportOutcome
    from ttapi.store.store import Store


def install(store: Store, environment: Environment) -> tuple[Environment, bool]:
    """Raw tables, models and declarations as the code says, and whether the file lacked them.

    A model of a plugin or the user that the engine refuses is left out of the environment.

    *Raises* ModelError for one of ttapi's own, UsageError: nothing is changed then.
    """
    with store.reading() as cursor:
        installed = read_meta(cursor, INSTALLED_FROM)
    if installed == environment.installation.fingerprint:
        return environment, False
    while True:
        try:
            _install(store, environment)
        except ModelError as exc:
            environment = environment.without(exc)
        else:
            break
    told = environment.installation.analysis_cache
    if told.is_news:
        write_document(environment.home.readings_file, readings_document(told))
    return environment, True


def _install(store: Store, environment: Environment) -> None:
    from ttapi.models.lineage import install_lineage  # noqa: PLC0415 - what is installed already needs none

    graph, wanted = environment.graph, environment.installation.fingerprint
    resources = {name: offer.resource for name, offer in environment.resources.items()}
    migrated = migrated_tables()
    with store.transaction() as cursor:
        for resource in resources.values():
            ensure_raw_table(cursor, resource, migrated=migrated, now=environment.now)
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
    broken_sources: tuple[str, ...] = ()
    """Why sources were left out."""
    home_state: HomeState | None = field(default=None, repr=False)
    """What it left in `live/state.json`, for whoever goes on; None: that must be read."""

    @property
    def exit_code(self) -> int:
        """0; 3 when all that failed was out of reach and nothing else worked; 1 for any other failure."""
        failed = [d for d in self.datasets if d.error or d.failed_units]
        if not failed:
            return 0
        asked = [d for d in self.datasets if d.source_calls or d.is_down]
        return 3 if asked and all(d.is_down for d in asked) else 1


def refresh_store(
    store: Store, environment: Environment, request: RefreshRequest, progress: Progress
) -> RefreshOutcome:
    """`request` carried out in the open file, published where something changed, its state left.

    *Raises* UsageError and ModelError before anything is changed. A failing dataset is an outcome,
    not an exception.
    """
    seen = environment.home_state.load_id
    environment = environment.after(read_home_state(environment.home))
    request = _joined(environment.home_state, request, seen)
    was_cut_short = _is_due(store, environment)
    environment, is_changed = install(store, environment)
    is_new = is_changed or was_cut_short
    stored, accounts = _stored_state(store), environment.accounts()
    planned = None if is_new else _plan_that_holds(store, request, seen)
    steps, listings = settle_plan(environment, request, stored, planned, accounts)
    require_keys(environment, request, steps)
    states = dict(stored.states)
    load_id = store.next_load_id()
    run = RefreshRun(
        store, environment, request, progress, load_id, states, listings, is_new, accounts
    )
    for step in steps:
        run_step(run, step)
    check_views(run)
    record_decisions(run)
    if _is_due(store, environment):
        publish(store, keep=environment.settings.snapshots_kept)
    return RefreshOutcome(
        run.load_id,
        store.generation,
        tuple(run.outcomes),
        tuple(c for c in run.checks if c.failures),
        broken=tuple(environment.broken.values()),
        broken_sources=tuple(one.error for one in environment.sources if one.error),
        home_state=_leave_state(run),
    )


def _is_due(store: Store, environment: Environment) -> bool:
    home = environment.home
    generation = published_generation(home) if is_as_published(home) else 0
    with store.reading() as cursor:
        return is_publication_due(cursor, generation)


def _stored_state(store: Store) -> StoredState:
    with store.reading() as cursor:
        return StoredState(read_states(cursor), read_slices(cursor), _live_ledger(store))


def _plan_that_holds(store: Store, request: RefreshRequest, seen: int) -> tuple[Step, ...] | None:
    """The plan that `request` brings, where nothing was written since; `seen`: the last load before."""
    with store.reading() as cursor:
        last_load = int(read_meta(cursor, "last_load_id") or 0)
    return request.planned if request.planned_after == last_load == seen else None


def _joined(state: HomeState, request: RefreshRequest, seen: int) -> RefreshRequest:
    """`request` without what another command asked while this one waited; `seen`: the last load before."""
    joined = frozenset(name for name, load_id in state.fetched_by.items() if load_id > seen)
    return replace(request, already_refreshed=joined, refetch=request.refetch - joined)


def _leave_state(run: RefreshRun) -> HomeState:
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
        environment.installation.fingerprint,
        run.store.generation,
        environment.datasets,
        run.states,
        {**before.seconds, **{d.dataset: d.seconds for d in worked}},
        slices,
        {**before.calls, **{d.dataset: d.source_calls for d in worked}},
        touched,
        run.load_id,
        {**before.fetched_by, **dict.fromkeys(run.fetched_whole, run.load_id)},
        {**before.traffic, **run.accounts.as_documents()},
        {
            **{n: t for n, t in before.partial_failures.items() if n not in run.seen_units},
            **_partly(run),
        },
        environment.broken,
        _absences(run, before),
    )
    write_home_state(environment.home, state)
    return state


def _is_telling(done: DatasetOutcome, before: HomeState) -> bool:
    """Whether predictions go by this run from now on.

    A few calls say little of thousands: most of their time is what it takes to begin.
    """
    if not done.source_calls:
        return done.is_changed
    return 2 * done.source_calls >= before.calls.get(done.dataset, 0)


def _absences(run: RefreshRun, before: HomeState) -> dict[str, dict[str, Unavailable]]:
    """What the sources have not: as they say now, and as they said while that holds."""
    environment = run.environment
    found: dict[str, dict[str, Unavailable]] = {}
    for name in sorted(before.unavailable.keys() | run.unavailable.keys()):
        dataset = environment.datasets.get(name)
        if dataset is None:
            continue
        due_at = rules_of(dataset, environment.clock).due_at
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
