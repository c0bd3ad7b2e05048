# SPDX-License-Identifier: Apache-2.0
"""Where everything stands before a refresh, what the sources offer, and the plan that follows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.errors import SourceDownError, TtapiError, UsageError
from ttapi.refresh.planning.coverage import EVERYTHING, Demand, Slice
from ttapi.refresh.planning.planner import closure, plan_refresh
from ttapi.refresh.running.ingest import Ledger, Surveyed, survey_offer, units_holding
from ttapi.refresh.running.targets import require_keys, targets_of
from ttapi.store.ledger import UnitRecord, read_units
from ttapi.store.snapshot import open_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.refresh.planning.datasets import DatasetState, Step
    from ttapi.refresh.running.steps import RefreshRequest
    from ttapi.refresh.workspace import Workspace


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
        surveys = survey(workspace, request, standing)
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
    held = workspace.held(_demands(workspace, request))
    held = replace(held, slices=workspace.home_state.with_absences(standing.slices))
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
    other = _asked_by_other_keys(workspace, request)
    return {
        name: Demand(None if name in other else workspace.symbols, request.span)
        for name in workspace.raw_datasets
    }


def _asked_by_other_keys(workspace: Workspace, request: RefreshRequest) -> frozenset[str]:
    """Datasets whose key is no symbol, where others are asked by symbol: those are meant.

    Alone they take what `--symbols` names: `refresh future_options --symbols ES`.
    """
    targets = targets_of(workspace, request.targets, is_named=request.is_named)
    meant = closure(workspace.datasets, targets)
    keys = {
        name: dataset.requires[0]
        for name, dataset in workspace.raw_datasets.items()
        if dataset.requires and name in meant
    }
    other = frozenset(name for name, key in keys.items() if key != "symbol")
    return other if len(other) < len(keys) else frozenset()


def survey(
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
