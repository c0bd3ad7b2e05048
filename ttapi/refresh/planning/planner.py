# SPDX-License-Identifier: Apache-2.0
"""What a refresh would do and why: a pure function of declarations, states, surveys and now."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ttapi.refresh.planning.datasets import (
    Action,
    Dataset,
    DatasetState,
    Held,
    Moment,
    Step,
    Survey,
    Verdict,
    code_of,
    due_at,
    is_past_ttl,
)
from ttapi.refresh.planning.raw_step import Outside, raw_step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

ASKED_FOR = "older than asked for"
"""The reason of a dataset that is fresh by its TTL and asked all the same."""

__all__ = [
    "ASKED_FOR",
    "Action",
    "Dataset",
    "DatasetState",
    "Held",
    "Moment",
    "Step",
    "Survey",
    "Verdict",
    "closure",
    "code_of",
    "current_versions",
    "due_at",
    "is_past_ttl",
    "plan_refresh",
    "rebuild_reasons",
    "short",
    "with_staged",
]


def plan_refresh(
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    targets: Iterable[str],
    *,
    moment: Moment,
    surveys: Mapping[str, Survey] | None = None,
    held: Held | None = None,
    force: bool = False,
    ask: Collection[str] = (),
    spared: Collection[str] = (),
) -> tuple[Step, ...]:
    """One step per dataset that `targets` need, upstreams first.

    `datasets` is in build order. `held` says which slices are wanted and which are there; without
    it everything is wanted. `force` asks the raw roots again even where fresh, but those `spared`;
    `ask` the raw datasets it names.
    """
    wanted = with_staged(datasets, closure(datasets, targets))
    versions = current_versions(datasets, states)
    steps: dict[str, Step] = {}
    for name, dataset in datasets.items():
        if name not in wanted:
            continue
        state = states.get(name, DatasetState())
        if dataset.kind == "raw":
            survey = (surveys or {}).get(name)
            wish = "forced" if force and name not in spared else _asked(name, ask)
            steps[name] = raw_step(dataset, state, Outside(survey, held or Held(), wish), moment)
        else:
            steps[name] = _model_step(dataset, state, steps, versions, moment)
    return tuple(steps.values())


def closure(datasets: Mapping[str, Dataset], targets: Iterable[str]) -> frozenset[str]:
    """`targets` and everything they read, to the roots; unknown names are left out."""
    found: set[str] = set()
    waiting = [name for name in targets if name in datasets]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(u for u in datasets[name].upstreams if u in datasets)
    return frozenset(found)


def with_staged(datasets: Mapping[str, Dataset], wanted: Collection[str]) -> frozenset[str]:
    """`wanted`, and every staged table that reads a raw dataset among them, with what that reads.

    What is published of raw and staged must agree: a bar stands in one place or in the other.
    """
    roots = {name for name in wanted if datasets[name].kind == "raw"}
    staged = {
        name
        for name, dataset in datasets.items()
        if dataset.kind == "table"
        and name.startswith("staged.")
        and closure(datasets, [name]) & roots
    }
    models = {name for name in closure(datasets, staged) if datasets[name].kind != "raw"}
    return frozenset({*wanted, *models})


def current_versions(
    datasets: Mapping[str, Dataset], states: Mapping[str, DatasetState]
) -> dict[str, str]:
    """Version by dataset; a view's is a hash of its code and of what it reads."""
    versions: dict[str, str] = {}
    for name, dataset in datasets.items():
        if dataset.kind in {"raw", "table"}:
            versions[name] = states.get(name, DatasetState()).version
        else:
            parts = [dataset.fingerprint, *(versions.get(u, "") for u in sorted(dataset.upstreams))]
            versions[name] = hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()
    return versions


def rebuild_reasons(
    dataset: Dataset,
    state: DatasetState,
    versions: Mapping[str, str],
    moment: Moment,
) -> tuple[str, ...]:
    """Why a stored table must be built again, given its upstreams' versions; empty: it must not."""
    if not state.fingerprint:
        return ("never built",)
    reasons: list[str] = []
    if state.fingerprint != dataset.fingerprint:
        reasons.append("code changed")
    for upstream in sorted(dataset.upstreams):
        was, became = state.upstream_versions.get(upstream, ""), versions.get(upstream, "")
        if was != became:
            reasons.append(f"upstream changed: {upstream} {short(was)} -> {short(became)}")
    if state.error:
        reasons.append(f"last attempt failed: {state.error}")
    if not reasons and is_past_ttl(dataset, state, moment):
        reasons.append(f"ttl {dataset.ttl} passed")
    return tuple(reasons)


def short(version: str) -> str:
    """A version's first seven characters, as shown to people."""
    return version[:7] or "none"


def _asked(name: str, ask: Collection[str]) -> str | None:
    return ASKED_FOR if name in ask else None


def _model_step(
    dataset: Dataset,
    state: DatasetState,
    steps: Mapping[str, Step],
    versions: Mapping[str, str],
    moment: Moment,
) -> Step:
    reasons: list[str] = []
    verdict: Verdict = "stale"
    if dataset.kind == "table":
        reasons.extend(rebuild_reasons(dataset, state, versions, moment))
        if not state.fingerprint:
            verdict = "missing"
        elif state.error:
            verdict = "failed"
    for upstream in sorted(dataset.upstreams):
        step = steps.get(upstream)
        if step is None or step.verdict in {"fresh", "not configured"} or not step.may_change:
            continue
        reasons.append(f"upstream {step.verdict}: {upstream}")
    if not reasons:
        return Step(dataset.name, "none", "fresh", ())
    return Step(
        dataset.name, "rebuild" if dataset.kind == "table" else "none", verdict, tuple(reasons)
    )
