# SPDX-License-Identifier: Apache-2.0
"""A refresh carried out: the lock taken, steps run in order, data published, state written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ttapi.errors import LockOwner, ModelError, SourceDownError, TtapiError, UsageError
from ttapi.formats.nearest import did_you_mean
from ttapi.models.build import install_models
from ttapi.models.checks import prove_checks
from ttapi.models.lineage import install_lineage
from ttapi.refresh.catalog import (
    DatasetOutcome,
    forget_checks,
    is_publication_due,
    mark_changed,
    read_states,
    write_declarations,
)
from ttapi.refresh.exports import export_after_publication, export_formats
from ttapi.refresh.home_state import HomeState, read_home_state, write_home_state
from ttapi.refresh.planning.coverage import EVERYTHING, Demand, Slice
from ttapi.refresh.planning.planner import closure, plan_refresh
from ttapi.refresh.planning.slices import read_slices
from ttapi.refresh.running.flight import Announcer, Listener
from ttapi.refresh.running.ingest import Ledger, Surveyed, survey_offer, units_holding
from ttapi.refresh.running.progress import Progress, Silence
from ttapi.refresh.running.steps import RefreshRequest, Run, check_views, record, run_step
from ttapi.store.database import Store, open_store
from ttapi.store.ledger import UnitRecord, read_units
from ttapi.store.publish import publish, published_generation
from ttapi.store.raw_table import ensure_raw_table
from ttapi.store.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.models.checks import CheckOutcome
    from ttapi.refresh.planning.datasets import Dataset, DatasetState, Step
    from ttapi.refresh.workspace import Workspace
    from ttapi.store.export import ExportOutcome


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
    workspace: Workspace,
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
    _ = workspace.offers
    export_formats(workspace.settings.export_formats)
    outcome = _refresh_under_lock(workspace, request, progress or Silence(), on_wait)
    changed = {d.dataset for d in outcome.datasets if d.is_changed}
    if not changed or not workspace.settings.export_datasets:
        return outcome
    exports = export_after_publication(workspace, changed, load_id=outcome.load_id)
    return replace(outcome, exports=tuple(exports))


def _refresh_under_lock(
    workspace: Workspace,
    request: RefreshRequest,
    progress: Progress,
    on_wait: Callable[[LockOwner | None], None] | None,
) -> RefreshOutcome:
    seen = workspace.home_state.load_id
    listener, announcer = Listener(progress, workspace.home), Announcer(progress, workspace.home)
    with (
        open_store(
            workspace.home,
            command=request.command,
            wait_s=request.wait_s,
            on_wait=on_wait,
            pause=listener.pause,
            now=workspace.now,
            memory_limit=workspace.settings.memory_limit,
        ) as store,
        closing(announcer),
    ):
        listener.close()
        request = _joined(workspace, request, seen)
        with store.reading() as cursor:
            was_cut_short = is_publication_due(cursor, published_generation(workspace.home))
        is_new = install(store, workspace) or was_cut_short
        with store.reading() as cursor:
            states, slices = read_states(cursor), read_slices(cursor)
        standing = Standing(states, slices, _live_ledger(store))
        surveys = _surveys(workspace, request, standing)
        steps = plan(workspace, request, standing, surveys)
        require_keys(workspace, request, steps)
        load_id = store.next_load_id()
        run = Run(store, workspace, request, announcer, load_id, states, surveys, is_new)
        for step in steps:
            run_step(run, step)
        check_views(run)
        record(run)
        with store.reading() as cursor:
            is_due = is_publication_due(cursor, published_generation(workspace.home))
        if is_due:
            publish(store, keep=workspace.settings.snapshots_kept)
        _leave_state(run)
        return RefreshOutcome(
            run.load_id,
            store.generation,
            tuple(run.outcomes),
            tuple(c for c in run.checks if c.failures),
            broken=tuple(workspace.broken.values()),
        )


def _joined(workspace: Workspace, request: RefreshRequest, seen: int) -> RefreshRequest:
    """`request` without what another command asked while this one waited; `seen`: the last load before."""
    workspace.home_state = read_home_state(workspace.home)
    asked_by = workspace.home_state.asked_by
    joined = frozenset(name for name, load_id in asked_by.items() if load_id > seen)
    return replace(request, spared=joined, ask=request.ask - joined)


def _leave_state(run: Run) -> None:
    workspace = run.workspace
    before = workspace.home_state
    worked = [d for d in run.outcomes if d.source_calls or d.is_changed]
    with run.store.reading() as cursor:
        slices = read_slices(cursor)
    touched = {} if before.generation != run.store.generation else dict(before.touched)
    if before.generation == run.store.generation:
        for name, units in run.touched.items():
            touched[name] = {**touched.get(name, {}), **units}
    state = HomeState(
        workspace.installation_fingerprint,
        run.store.generation,
        workspace.datasets,
        run.states,
        {**before.seconds, **{d.dataset: d.seconds for d in worked}},
        slices,
        {**before.calls, **{d.dataset: d.source_calls for d in worked}},
        touched,
        run.load_id,
        {**before.asked_by, **dict.fromkeys(run.asked_whole, run.load_id)},
        {**before.traffic, **_accounts(workspace)},
        {**{n: t for n, t in before.partly.items() if n not in run.touched}, **_partly(run)},
        workspace.broken,
    )
    write_home_state(workspace.home, state)
    workspace.home_state = state


def _accounts(workspace: Workspace) -> dict[str, dict[str, Any]]:
    return {
        name: traffic.as_document()
        for name, traffic in workspace.traffic.items()
        if traffic.requests or traffic.refusal
    }


def _partly(run: Run) -> dict[str, str]:
    """Of the datasets asked now: how many of their units failed, and the first of them."""
    return {
        d.dataset: f"{len(d.failed_units):,} of {d.source_calls:,} failed: {d.failed_units[0]}"
        for d in run.outcomes
        if d.failed_units and not d.error
    }


@dataclass(frozen=True)
class Standing:
    """Where everything stands: as the live file says, or as the last refresh left it."""

    states: Mapping[str, DatasetState]
    slices: Mapping[str, Sequence[Slice]]
    ledger: Ledger


def plan_only(workspace: Workspace, request: RefreshRequest) -> tuple[Step, ...]:
    """What `run_refresh` would do, with nothing fetched or rebuilt and no lock taken.

    *Raises* UsageError for wrong names and settings, ModelError.
    """
    left = workspace.home_state
    with closing(open_snapshot(workspace.home)) as connection:

        def ledger(dataset: str) -> Mapping[str, UnitRecord]:
            found = read_units(connection, dataset)
            for key, (size, mtime_ns) in left.touched.get(dataset, {}).items():
                if key in found:
                    found[key] = replace(found[key], size=size, mtime_ns=mtime_ns)
            return found

        standing = Standing(left.states, left.slices, ledger)
        surveys = _surveys(workspace, request, standing)
        steps = plan(workspace, request, standing, surveys)
    require_keys(workspace, request, steps)
    return tuple(_narrowed(workspace, step, surveys.get(step.dataset)) for step in steps)


def _narrowed(workspace: Workspace, step: Step, found: Surveyed | TtapiError | None) -> Step:
    """`step` with only those units that may hold the keys it is for."""
    if step.keys is None or not isinstance(found, Surveyed):
        return step
    units = [unit for unit in found.units if unit.key in set(step.slices)]
    chosen = units_holding(workspace, workspace.offers[step.dataset], units, step.keys)
    slices = tuple(key for key in step.slices if key in chosen)
    return replace(step, slices=slices, calls=len(slices), may_change=bool(slices))


def plan(
    workspace: Workspace,
    request: RefreshRequest,
    standing: Standing,
    surveys: Mapping[str, Surveyed | TtapiError],
) -> tuple[Step, ...]:
    """The steps of `request` against where everything stands, and these surveys."""
    differences = {
        name: found.difference for name, found in surveys.items() if isinstance(found, Surveyed)
    }
    held = replace(workspace.held(_demands(workspace, request)), slices=standing.slices)
    return plan_refresh(
        workspace.datasets,
        standing.states,
        targets_of(workspace, request.targets, is_named=request.is_named),
        moment=workspace.moment,
        surveys=differences,
        held=held,
        force=request.force,
        ask=request.ask,
        spared=request.spared,
    )


def _demands(workspace: Workspace, request: RefreshRequest) -> Mapping[str, Demand]:
    """What is wanted of each raw dataset: as a query says, or as `--symbols`, `--from` and `--to` do."""
    if request.demands is not None:
        return request.demands
    if workspace.symbols is None and request.span == EVERYTHING:
        return {}
    return {name: Demand(workspace.symbols, request.span) for name in workspace.raw_datasets}


def require_keys(workspace: Workspace, request: RefreshRequest, steps: Iterable[Step]) -> None:
    """Nothing, or UsageError when a dataset that was asked for by name, or by a query, lacks its key.

    A target that has other inputs too does without the one that lacks its key.
    """
    datasets = workspace.datasets
    lacking = {
        step.dataset
        for step in steps
        if datasets[step.dataset].requires and step.verdict == "missing" and step.action == "none"
    }
    if not request.targets or not lacking:
        return
    for target in request.targets:
        meant = targets_of(workspace, [target], is_named=request.is_named)
        roots = {n for n in closure(datasets, meant) if datasets[n].kind == "raw"}
        usable = {name for name in roots if not datasets[name].missing_setting}
        if usable and usable <= lacking:
            name = min(usable)
            key = datasets[name].requires[0]
            raise UsageError(
                f"{name} is asked {key} by {key}, and none was named",
                hint=f"where {key} = 'SPY', --symbols, --list, or [universe] default in ttapi.toml",
            )


def targets_of(
    workspace: Workspace, names: Sequence[str], *, is_named: bool = True
) -> Iterable[str]:
    """Dataset names meant by `names`: a dataset, its last part, or a source; none: all.

    *Raises* UsageError for a name nobody knows and, when a user named them (`is_named`), for what
    is not configured.
    """
    datasets = workspace.datasets
    if not names:
        return list(datasets)
    found: list[str] = []
    for name in names:
        matches = _matches(name.lower(), datasets)
        if not matches and (error := broken_named(workspace, name.lower())) is not None:
            raise error
        if not matches:
            known = [*datasets, *(n.rpartition(".")[2] for n in datasets)]
            hint = did_you_mean(name, known) or "ttapi status lists them"
            raise UsageError(f"{name!r} is no dataset", hint=hint)
        for match in matches:
            missing = datasets[match].missing_setting
            if missing and is_named:
                source = str(datasets[match].source)
                raise UsageError(
                    f"{match} is not configured: [sources.{source}] {missing} is not set",
                    hint=f"set it in ttapi.toml, or TTAPI_{source.upper()}_{missing.upper()}",
                )
            if is_named:
                _require_a_configured_root(match, datasets)
        found.extend(matches)
    return found


def _require_a_configured_root(name: str, datasets: Mapping[str, Dataset]) -> None:
    """UsageError for a named view of which no input is configured."""
    stem = name.rpartition(".")[2]
    roots = [datasets[n] for n in sorted(closure(datasets, [name])) if datasets[n].kind == "raw"]
    # A source that is called as the view is the one that was meant.
    roots.sort(key=lambda root: root.source != stem)
    if roots and all(root.missing_setting for root in roots):
        raise UsageError(
            f"{name} reads {roots[0].name}, which is not configured",
            hint=f"set [sources.{roots[0].source}] {roots[0].missing_setting} in ttapi.toml",
        )


def broken_named(workspace: Workspace, name: str) -> ModelError | None:
    """Why the model that `name` means was left out; None where it means no such model."""
    for broken, error in workspace.broken.items():
        if name in {broken, broken.rpartition(".")[2]}:
            return error
    return None


def _matches(name: str, datasets: Mapping[str, Dataset]) -> list[str]:
    if name in datasets:
        return [name]
    stems = [n for n in datasets if n.rpartition(".")[2] == name]
    return stems or [n for n, d in datasets.items() if d.source == name]


def install(store: Store, workspace: Workspace) -> bool:
    """Raw tables, models and declarations as the code says; False when the file has them.

    A model of a plugin or the user that the engine refuses is left out.

    *Raises* ModelError for one of ttapi's own, UsageError: nothing is changed then.
    """
    with store.reading() as cursor:
        found = cursor.execute(
            "select value from catalog.meta where name = 'models_fingerprint'"
        ).fetchall()
    wanted = workspace.installation_fingerprint
    if found and found[0][0] == wanted:
        return False
    while True:
        try:
            _install(store, workspace)
        except ModelError as exc:
            workspace.leave_out(exc)
        else:
            return True


def _install(store: Store, workspace: Workspace) -> None:
    graph, wanted = workspace.graph, workspace.installation_fingerprint
    resources = {name: offer.resource for name, offer in workspace.offers.items()}
    with store.transaction() as cursor:
        for resource in resources.values():
            ensure_raw_table(cursor, resource)
        install_models(cursor, graph)
        prove_checks(cursor, graph)
        install_lineage(cursor, graph)
        write_declarations(cursor, workspace.datasets, graph, resources)
        cursor.execute("delete from catalog.meta where name = 'models_fingerprint'")
        cursor.execute("insert into catalog.meta values ('models_fingerprint', ?)", [wanted])
        forget_checks(cursor, graph)
        mark_changed(cursor)


def _live_ledger(store: Store) -> Ledger:
    def ledger(dataset: str) -> Mapping[str, UnitRecord]:
        with store.reading() as cursor:
            return read_units(cursor, dataset)

    return ledger


def _surveys(
    workspace: Workspace, request: RefreshRequest, standing: Standing
) -> dict[str, Surveyed | TtapiError]:
    """Surveys of the raw datasets the request reaches: local ones, or all that are about to be asked."""
    wanted = closure(
        workspace.datasets, targets_of(workspace, request.targets, is_named=request.is_named)
    )
    steps = plan(workspace, request, standing, {})
    asked = {step.dataset for step in steps if step.action == "ask"}
    surveys: dict[str, Surveyed | TtapiError] = {}
    for name, offer in workspace.offers.items():
        dataset = workspace.datasets[name]
        if name not in wanted or dataset.missing_setting or dataset.requires:
            continue
        if name in asked or (dataset.is_local and request.survey_local):
            try:
                surveys[name] = survey_offer(workspace, offer, standing.ledger)
            except UsageError as exc:
                held = standing.states.get(name)
                if request.is_named or held is None or not held.rows:
                    raise
                # A query reads on from what was loaded, such as while a share is not mounted.
                surveys[name] = SourceDownError(exc.message, hint=exc.hint)
            except TtapiError as exc:
                surveys[name] = exc
    return surveys
