# SPDX-License-Identifier: Apache-2.0
"""What a refresh would do and why: a pure function of declarations, states, listings and now.

One raw dataset planned: as a whole, by the units of a listing, or slice by slice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.market.calendar import parse_duration, parse_ttl
from ttapi.refresh.coverage import CoverageRules, SliceRequest, missing_slices
from ttapi.refresh.datasets import (
    Dataset,
    ListingDiff,
    MarketClock,
    PlanInputs,
    Step,
    Verdict,
    code_of,
    is_past_ttl,
    step_of_what_is_not_asked,
)
from ttapi.store.catalog import DatasetState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ttapi.store.catalog import Slice

_EXCHANGE = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class StepInputs:
    """What a plan knows of a raw dataset beside its own state."""

    survey: ListingDiff | None
    """How its folder differs from the ledger; None: not looked at."""
    held: PlanInputs
    force_reason: str | None
    """Why it shall be asked though nothing says it must; None: nobody wishes it."""


def raw_step(
    dataset: Dataset, state: DatasetState, outside: StepInputs, clock: MarketClock
) -> Step:
    """What to do about `dataset`, and why."""
    if dataset.lost or dataset.missing_setting or dataset.is_log:
        return step_of_what_is_not_asked(dataset, state, clock)
    if dataset.requires:
        return _keyed_step(dataset, state, outside, clock)
    verdict, reasons = _whole_reasons(dataset, state, clock)
    is_reset = any(reason.endswith(" changed") for reason in reasons[:1])
    keys = outside.held.demand(dataset.name).keys if dataset.is_narrowable else None
    if is_reset:
        keys = None
    elif keys is not None and reasons and outside.force_reason != "forced":
        keys = _stale_keys(keys, dataset, state, outside, clock)
        if not keys:
            verdict, reasons = "fresh", []
    if outside.survey and dataset.is_local:
        reasons += _survey_reasons(outside.survey)
    if outside.force_reason:
        reasons.append(outside.force_reason)
    if not reasons:
        return Step(dataset.name, "none", "fresh", ())
    everything = outside.force_reason == "forced" or is_reset
    survey = outside.survey
    slices = (survey.every if everything else survey.to_fetch) if survey else ()
    calls = len(slices) if survey else len(keys or ()) if dataset.is_local else 1
    may_change = survey is None or bool(slices)
    found: Verdict = "stale" if verdict == "fresh" else verdict
    return Step(dataset.name, "ask", found, tuple(reasons), slices, calls, may_change, keys=keys)


def rules_of(dataset: Dataset, clock: MarketClock) -> CoverageRules:
    """What decides how much of a held slice of `dataset` still counts."""
    ttl = parse_ttl(dataset.ttl or "next close")
    market, is_session = dataset.sessions, clock.is_session
    return CoverageRules(
        due_at=lambda at: clock.now if clock.is_ahead(at) else ttl.due_at(at, clock.next_close),
        now=clock.now,
        today=clock.now.astimezone(_EXCHANGE).date(),
        revise=parse_duration(dataset.revise) if dataset.revise else timedelta(days=1),
        has_time=dataset.time_column is not None,
        is_session=(lambda day: is_session(market, day)) if market and is_session else None,
    )


def _whole_reasons(
    dataset: Dataset, state: DatasetState, clock: MarketClock
) -> tuple[Verdict, list[str]]:
    """The verdict on `dataset` as a whole, and why it must be asked; no reason: it must not."""
    verdict: Verdict = "stale"
    reasons: list[str] = []
    if state.asked_at is None and not state.fingerprint:
        verdict = "missing"
        reasons.append("never loaded")
    elif code_of(state.fingerprint) != code_of(dataset.fingerprint):
        reasons.append("code changed")
    elif state.fingerprint != dataset.fingerprint:
        reasons.append("settings changed")
    elif state.asked_at is None:
        reasons.append("asked in part only")
    elif clock.is_ahead(state.asked_at):
        reasons.append("asked in the future")
    elif is_past_ttl(dataset, state, clock):
        reasons.append(f"ttl {dataset.ttl} passed")
    if state.error:
        verdict = "failed"
        reasons.append(f"last attempt failed: {state.error}")
    return ("fresh" if not reasons else verdict), reasons


def _stale_keys(
    wanted: frozenset[str],
    dataset: Dataset,
    state: DatasetState,
    outside: StepInputs,
    clock: MarketClock,
) -> frozenset[str]:
    """Those of `wanted` that were not asked alone within the TTL."""
    if state.fingerprint not in {"", dataset.fingerprint}:
        return wanted
    rules = rules_of(dataset, clock)
    fresh = {
        one.key
        for one in outside.held.slices.get(dataset.name, ())
        if rules.due_at(one.asked_at) > clock.now
    }
    return wanted - fresh


def _keyed_step(
    dataset: Dataset, state: DatasetState, outside: StepInputs, clock: MarketClock
) -> Step:
    """A dataset asked key by key: which keys, and which intervals of each."""
    held = outside.held.slices.get(dataset.name, ())
    keys = _wanted_keys(dataset, outside.held, held)
    told = (f"last attempt failed: {state.error}",) if state.error else ()
    is_unbound = outside.held.demand(dataset.name).keys is None
    is_left_alone = dataset.is_bound_only and is_unbound and outside.force_reason is None
    if keys is None or is_left_alone:
        return _unasked_step(dataset, told, has_slices=bool(held), is_left_alone=is_left_alone)
    rules = rules_of(dataset, clock)
    is_reset = state.fingerprint not in {"", dataset.fingerprint}
    by_key: dict[str, list[Slice]] = {}
    for one in held:
        if not one.is_absent or rules.due_at(one.asked_at) > clock.now:
            by_key.setdefault(one.key, []).append(one)
    asks: list[SliceRequest] = []
    for key in sorted(keys):
        known = [] if is_reset or outside.force_reason == "forced" else by_key.get(key, [])
        asks += _slices_to_ask(dataset, key, known, outside, rules)
    already_refreshed = keys - {ask.key for ask in asks}
    covered = len(already_refreshed)
    absent = tuple(
        key for key in sorted(already_refreshed) if any(s.is_absent for s in by_key.get(key, ()))
    )
    if not asks:
        return Step(dataset.name, "none", "fresh", told, held=covered, unavailable=absent)
    reasons = [*_slice_reasons(asks, outside.force_reason, is_reset=is_reset), *told]
    verdict: Verdict = "failed" if state.error else "stale" if held else "missing"
    slices = tuple(map(str, asks))
    return Step(
        dataset.name,
        "ask",
        verdict,
        tuple(reasons),
        slices,
        -(-len(asks) // dataset.units_a_call),
        asks=tuple(asks),
        held=covered,
        unavailable=absent,
    )


def _unasked_step(
    dataset: Dataset, causes: tuple[str, ...], *, has_slices: bool, is_left_alone: bool
) -> Step:
    """Of a dataset of which nobody says a key: nothing is asked, so nothing downstream can differ for it."""
    lacking = (*causes, _lacking(dataset.requires[0]))
    if is_left_alone:
        verdict: Verdict = "failed" if causes else "fresh" if has_slices else "missing"
        return Step(dataset.name, "none", verdict, lacking, may_change=False)
    if dataset.completes:
        return Step(dataset.name, "none", "failed" if causes else "fresh", causes, may_change=False)
    return Step(dataset.name, "none", "missing", lacking, may_change=False)


def _slices_to_ask(
    dataset: Dataset,
    key: str,
    known: Sequence[Slice],
    outside: StepInputs,
    rules: CoverageRules,
) -> Iterable[SliceRequest]:
    """What of one key is to ask; where the dataset is asked anyway, the whole of what is wanted."""
    span = outside.held.demand(dataset.name).span
    found = missing_slices(key, span, known, rules)
    return missing_slices(key, span, [], rules) if outside.force_reason and not found else found


def _wanted_keys(
    dataset: Dataset, held: PlanInputs, slices: Sequence[Slice]
) -> frozenset[str] | None:
    """The keys to look at: those bound, else the universe, else those held; None: nobody says."""
    bound = held.demand(dataset.name).keys
    if bound is not None:
        return bound
    known = frozenset(one.key for one in slices if not one.is_absent)
    # A universe is a list of symbols; other keys are for a query to bind.
    if held.universe is not None and dataset.requires[0] == "symbol":
        return held.universe | known
    return known or None


def _lacking(key: str) -> str:
    if key != "symbol":
        return f"needs {key}: bind it (where {key} = ...)"
    return "needs symbol: bind it, name a list, or set [universe] default"


def _slice_reasons(
    asks: Sequence[SliceRequest], force_reason: str | None, *, is_reset: bool
) -> list[str]:
    if force_reason:
        return [force_reason]
    if is_reset:
        return ["code or settings changed"]
    reasons: dict[str, int] = {}
    for ask in asks:
        reasons[ask.reason] = reasons.get(ask.reason, 0) + 1
    return [f"{count} slice{'s' if count > 1 else ''} {why}" for why, count in reasons.items()]


def _survey_reasons(survey: ListingDiff) -> list[str]:
    reasons = []
    for count, word in (
        (len(survey.new), "new"),
        (len(survey.changed), "changed"),
        (len(survey.vanished), "vanished"),
    ):
        if count:
            reasons.append(f"{count} file{'s' if count > 1 else ''} {word}")
    return reasons


ASKED_FOR = "older than asked for"
"""The reason of a dataset that is fresh by its TTL and asked all the same."""


def plan_refresh(
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    targets: Iterable[str],
    *,
    clock: MarketClock,
    listings: Mapping[str, ListingDiff] | None = None,
    held: PlanInputs | None = None,
    force: bool = False,
    refetch: Collection[str] = (),
    already_refreshed: Collection[str] = (),
) -> tuple[Step, ...]:
    """One step per dataset that `targets` need, upstreams first.

    `datasets` is in build order. `held` says which slices are wanted and which are there; without
    it everything is wanted. `force` asks the raw roots again even where fresh, but those `already_refreshed`;
    `refetch` the raw datasets it names.
    """
    wanted = with_staged(datasets, closure(datasets, targets))
    versions = current_versions(datasets, states)
    steps: dict[str, Step] = {}
    for name, dataset in datasets.items():
        if name not in wanted:
            continue
        state = states.get(name, DatasetState())
        if dataset.kind == "raw":
            survey = (listings or {}).get(name)
            force_reason = (
                "forced" if force and name not in already_refreshed else _asked(name, refetch)
            )
            steps[name] = raw_step(
                dataset, state, StepInputs(survey, held or PlanInputs(), force_reason), clock
            )
        else:
            steps[name] = _model_step(dataset, state, steps, versions, clock)
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
    clock: MarketClock,
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
    if not reasons and is_past_ttl(dataset, state, clock):
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
    clock: MarketClock,
) -> Step:
    reasons: list[str] = []
    verdict: Verdict = "stale"
    if dataset.kind == "table":
        reasons.extend(rebuild_reasons(dataset, state, versions, clock))
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
