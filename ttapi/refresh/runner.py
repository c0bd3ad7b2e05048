# SPDX-License-Identifier: Apache-2.0
"""A refresh carried out: the lock taken, steps run in order, data published, state written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.errors import LockOwner, TtapiError, UsageError
from ttapi.models.build import install_models
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
from ttapi.refresh.home_state import HomeState, write_home_state
from ttapi.refresh.ingest import Surveyed, survey_offer
from ttapi.refresh.planner import Dataset, DatasetState, Step, closure, plan_refresh
from ttapi.refresh.progress import Progress, Silence
from ttapi.refresh.steps import RefreshRequest, Run, check_views, record, run_step
from ttapi.store.database import Store, open_store
from ttapi.store.publish import publish, published_generation
from ttapi.store.raw_table import ensure_raw_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.models.checks import CheckOutcome
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
    with open_store(
        workspace.home,
        command=request.command,
        wait_s=request.wait_s,
        on_wait=on_wait,
        now=workspace.now,
        memory_limit=workspace.settings.memory_limit,
    ) as store:
        with store.reading() as cursor:
            was_cut_short = is_publication_due(cursor, published_generation(workspace.home))
        is_new = install(store, workspace) or was_cut_short
        with store.reading() as cursor:
            states = read_states(cursor)
        surveys = _surveys(store, workspace, request, states)
        steps = plan(workspace, request, states, surveys)
        load_id = store.next_load_id()
        run = Run(store, workspace, request, progress, load_id, states, surveys, is_new)
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
        )


def _leave_state(run: Run) -> None:
    workspace = run.workspace
    took = {d.dataset: d.seconds for d in run.outcomes if d.source_calls or d.is_changed}
    state = HomeState(
        workspace.installation_fingerprint,
        run.store.generation,
        workspace.datasets,
        run.states,
        {**workspace.home_state.seconds, **took},
    )
    write_home_state(workspace.home, state)
    workspace.home_state = state


def plan_only(
    workspace: Workspace,
    request: RefreshRequest,
    *,
    on_wait: Callable[[LockOwner | None], None] | None = None,
) -> tuple[Step, ...]:
    """What `run_refresh` would do, with nothing fetched or rebuilt."""
    with open_store(
        workspace.home,
        command=request.command,
        wait_s=request.wait_s,
        on_wait=on_wait,
        now=workspace.now,
    ) as store:
        install(store, workspace)
        with store.reading() as cursor:
            states = read_states(cursor)
        return plan(workspace, request, states, _surveys(store, workspace, request, states))


def plan(
    workspace: Workspace,
    request: RefreshRequest,
    states: Mapping[str, DatasetState],
    surveys: Mapping[str, Surveyed | TtapiError],
) -> tuple[Step, ...]:
    """The steps of `request` against these states and surveys."""
    differences = {
        name: found.difference for name, found in surveys.items() if isinstance(found, Surveyed)
    }
    return plan_refresh(
        workspace.datasets,
        states,
        targets_of(workspace, request.targets, is_named=request.is_named),
        moment=workspace.moment,
        surveys=differences,
        force=request.force,
        ask=request.ask,
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
        if not matches:
            import difflib  # noqa: PLC0415 - only on the way to an error

            close = difflib.get_close_matches(
                name, [*datasets, *(n.rpartition(".")[2] for n in datasets)], n=1
            )
            hint = f"did you mean {close[0]}?" if close else "ttapi status lists them"
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
    roots = [datasets[n] for n in closure(datasets, [name]) if datasets[n].kind == "raw"]
    if roots and all(root.missing_setting for root in roots):
        raise UsageError(
            f"{name} reads {roots[0].name}, which is not configured",
            hint=f"set [sources.{roots[0].source}] {roots[0].missing_setting} in ttapi.toml",
        )


def _matches(name: str, datasets: Mapping[str, Dataset]) -> list[str]:
    if name in datasets:
        return [name]
    stems = [n for n in datasets if n.rpartition(".")[2] == name]
    return stems or [n for n, d in datasets.items() if d.source == name]


def install(store: Store, workspace: Workspace) -> bool:
    """Raw tables, models and declarations as the code says; False when the file has them.

    *Raises* ModelError, UsageError: nothing is changed then.
    """
    with store.reading() as cursor:
        found = cursor.execute(
            "select value from catalog.meta where name = 'models_fingerprint'"
        ).fetchall()
    wanted = workspace.installation_fingerprint
    if found and found[0][0] == wanted:
        return False
    graph = workspace.graph
    resources = {name: offer.resource for name, offer in workspace.offers.items()}
    with store.transaction() as cursor:
        for resource in resources.values():
            ensure_raw_table(cursor, resource)
        install_models(cursor, graph)
        install_lineage(cursor, graph)
        write_declarations(cursor, workspace.datasets, graph, resources)
        cursor.execute("delete from catalog.meta where name = 'models_fingerprint'")
        cursor.execute("insert into catalog.meta values ('models_fingerprint', ?)", [wanted])
        forget_checks(cursor, graph)
        mark_changed(cursor)
    return True


def _surveys(
    store: Store, workspace: Workspace, request: RefreshRequest, states: Mapping[str, DatasetState]
) -> dict[str, Surveyed | TtapiError]:
    """Surveys of the raw datasets the request reaches: local ones, or all that are about to be asked."""
    wanted = closure(
        workspace.datasets, targets_of(workspace, request.targets, is_named=request.is_named)
    )
    asked = {step.dataset for step in plan(workspace, request, states, {}) if step.action == "ask"}
    surveys: dict[str, Surveyed | TtapiError] = {}
    for name, offer in workspace.offers.items():
        dataset = workspace.datasets[name]
        if name not in wanted or dataset.missing_setting:
            continue
        if name in asked or (dataset.is_local and request.survey_local):
            try:
                surveys[name] = survey_offer(store, workspace, offer)
            except UsageError:
                raise
            except TtapiError as exc:
                surveys[name] = exc
    return surveys
