# SPDX-License-Identifier: Apache-2.0
"""Which datasets a refresh is for: the names a user or a query gave, and the keys they must bind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.formats.nearest import did_you_mean
from ttapi.refresh.planning.planner import closure
from ttapi.sources.credentials import how_to_give

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ttapi.errors import ModelError
    from ttapi.refresh.planning.datasets import Dataset, Step
    from ttapi.refresh.running.steps import RefreshRequest
    from ttapi.refresh.workspace import Workspace


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
            hint = f"where {key} = ..."
            if key == "symbol":
                hint = (
                    "where symbol = 'SPY', --symbols, --list, or [universe] default in ttapi.toml"
                )
            raise UsageError(f"{name} is asked {key} by {key}, and none was named", hint=hint)


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
                    hint=f"{_way_to_give(workspace, match)}, or TTAPI_{source.upper()}_{missing.upper()}",
                )
            if is_named:
                _require_a_configured_root(workspace, match)
        found.extend(matches)
    return found


def _way_to_give(workspace: Workspace, name: str) -> str:
    """What a user does about the setting that the raw dataset `name` lacks."""
    missing = str(workspace.datasets[name].missing_setting)
    return how_to_give(workspace.offers[name].source, missing)


def _require_a_configured_root(workspace: Workspace, name: str) -> None:
    """UsageError for a named view of which no input is configured."""
    datasets = workspace.datasets
    stem = name.rpartition(".")[2]
    roots = [datasets[n] for n in sorted(closure(datasets, [name])) if datasets[n].kind == "raw"]
    # A source that is called as the view is the one that was meant.
    roots.sort(key=lambda root: root.source != stem)
    if roots and all(root.missing_setting for root in roots):
        raise UsageError(
            f"{name} reads {roots[0].name}, which is not configured",
            hint=_way_to_give(workspace, roots[0].name),
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
