# SPDX-License-Identifier: Apache-2.0
"""What a refresh would do and why: a pure function of declarations, states, surveys and now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ttapi.refresh.ttl import NextClose, parse_ttl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

Verdict = Literal["fresh", "stale", "missing", "failed", "blocked", "not configured"]
Action = Literal["ask", "rebuild", "none"]


@dataclass(frozen=True)
class Dataset:
    """One declared dataset: a raw resource or a SQL model."""

    name: str
    kind: Literal["raw", "table", "view", "macro"]
    fingerprint: str
    """Hash of the code that makes it; of a raw resource `<code>.<settings of its source>`."""
    upstreams: frozenset[str] = frozenset()
    """Datasets it reads directly; empty for raw."""
    ttl: str | None = None
    source: str | None = None
    key: str | None = None
    """Column its changes are tracked by; None: as a whole."""
    is_local: bool = False
    is_private: bool = False
    missing_setting: str | None = None
    """The setting its source lacks; None: it is configured."""
    max_stale_on_error: str = "5 sessions"


@dataclass(frozen=True)
class DatasetState:
    """Where a dataset stands, as the catalog says."""

    version: str = ""
    """Hash of its content; '' before the first load."""
    fingerprint: str = ""
    asked_at: datetime | None = None
    """When the world was last compared (raw) or the table last made sure of; None: never."""
    changed_at: datetime | None = None
    load_id: int | None = None
    """The load that last changed it."""
    rows: int | None = None
    upstream_versions: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True)
class Moment:
    """The instant a plan is made for, and the market clock."""

    now: datetime
    """Zone-aware UTC."""
    next_close: NextClose


@dataclass(frozen=True)
class Survey:
    """How a local folder differs from the ledger."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    every: tuple[str, ...] = ()
    """All units that exist now: what a forced step would read."""

    @property
    def to_fetch(self) -> tuple[str, ...]:
        """What must be read: new and changed units."""
        return (*self.new, *self.changed)


@dataclass(frozen=True)
class Step:
    """One considered dataset: what to do with it and why."""

    dataset: str
    action: Action
    verdict: Verdict
    reasons: tuple[str, ...]
    slices: tuple[str, ...] = ()
    """Units to fetch; empty means all that the source has, or nothing."""
    calls: int = 0
    """Source calls this step would make; files read count, directory listings do not."""
    may_change: bool = True
    """False: it is known already that nothing downstream can differ."""


def plan_refresh(
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    targets: Iterable[str],
    *,
    moment: Moment,
    surveys: Mapping[str, Survey] | None = None,
    force: bool = False,
    ask: Collection[str] = (),
) -> tuple[Step, ...]:
    """One step per dataset that `targets` need, upstreams first.

    `datasets` is in build order. `force` asks the raw roots again even where fresh, `ask` the raw
    datasets it names.
    """
    wanted = closure(datasets, targets)
    versions = current_versions(datasets, states)
    steps: dict[str, Step] = {}
    for name, dataset in datasets.items():
        if name not in wanted:
            continue
        state = states.get(name, DatasetState())
        if dataset.kind == "raw":
            survey = (surveys or {}).get(name)
            steps[name] = _raw_step(
                dataset, state, survey, moment, "forced" if force else _asked(name, ask)
            )
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


def is_past_ttl(dataset: Dataset, state: DatasetState, moment: Moment) -> bool:
    """Whether `dataset` was last asked longer ago than its TTL allows."""
    due = due_at(dataset, state, moment)
    return due is not None and due <= moment.now


def due_at(dataset: Dataset, state: DatasetState, moment: Moment) -> datetime | None:
    """From when on `dataset` is stale by TTL; None without a TTL or before the first load."""
    if dataset.ttl is None or state.asked_at is None:
        return None
    return parse_ttl(dataset.ttl).due_at(state.asked_at, moment.next_close)


def code_of(fingerprint: str) -> str:
    """The part of a raw resource's fingerprint that its settings do not touch."""
    return fingerprint.partition(".")[0]


def short(version: str) -> str:
    """A version's first seven characters, as shown to people."""
    return version[:7] or "none"


def _raw_step(
    dataset: Dataset,
    state: DatasetState,
    survey: Survey | None,
    moment: Moment,
    wish: str | None,
) -> Step:
    if dataset.missing_setting:
        reason = f"[sources.{dataset.source}] {dataset.missing_setting} is not set"
        return Step(dataset.name, "none", "not configured", (reason,))
    reasons: list[str] = []
    verdict: Verdict = "stale"
    if state.asked_at is None:
        verdict = "missing"
        reasons.append("never loaded")
    elif code_of(state.fingerprint) != code_of(dataset.fingerprint):
        reasons.append("code changed")
    elif state.fingerprint != dataset.fingerprint:
        reasons.append("settings changed")
    elif is_past_ttl(dataset, state, moment):
        reasons.append(f"ttl {dataset.ttl} passed")
    if state.error:
        verdict = "failed"
        reasons.append(f"last attempt failed: {state.error}")
    if survey:
        reasons.extend(_survey_reasons(survey))
    if wish:
        reasons.append(wish)
    if not reasons:
        return Step(dataset.name, "none", "fresh", ())
    everything = wish == "forced" or any(reason.endswith(" changed") for reason in reasons[:1])
    slices = (survey.every if everything else survey.to_fetch) if survey else ()
    calls = len(slices) if survey else (0 if dataset.is_local else 1)
    may_change = survey is None or bool(slices)
    return Step(dataset.name, "ask", verdict, tuple(reasons), slices, calls, may_change)


def _asked(name: str, ask: Collection[str]) -> str | None:
    return "older than asked for" if name in ask else None


def _survey_reasons(survey: Survey) -> Sequence[str]:
    reasons = []
    for count, word in (
        (len(survey.new), "new"),
        (len(survey.changed), "changed"),
        (len(survey.vanished), "vanished"),
    ):
        if count:
            reasons.append(f"{count} file{'s' if count > 1 else ''} {word}")
    return reasons


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


def _is_unfed(dataset: Dataset, steps: Mapping[str, Step]) -> bool:
    """Whether everything a model reads is not configured."""
    verdicts = {steps[u].verdict for u in dataset.upstreams if u in steps}
    return verdicts == {"not configured"}
