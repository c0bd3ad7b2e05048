# SPDX-License-Identifier: Apache-2.0
"""Verdict, reasons and age of every dataset, from `live/state.json` alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.refresh.planning.datasets import Dataset, DatasetState, Held, Moment, Step, due_at
from ttapi.refresh.planning.planner import closure, plan_refresh

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from ttapi.errors import ModelError
    from ttapi.refresh.home_state import HomeState


@dataclass(frozen=True)
class StatusRow:
    """One dataset as `ttapi status` shows it; instants are zone-aware UTC."""

    dataset: str
    verdict: str
    reasons: tuple[str, ...]
    age_s: float | None
    """Seconds since the oldest of its root inputs was last compared with the world; None: never."""
    ttl_s: float | None
    """Seconds its data is good for, from when it was asked; None: it follows its inputs."""
    last_load_at: datetime | None
    due_at: datetime | None
    """When it, or the first of its inputs, gets stale."""


def status_rows(
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    *,
    moment: Moment,
    held: Held | None = None,
    only: Iterable[str] | None = None,
    broken: Mapping[str, ModelError] | None = None,
    remarks: Mapping[str, Sequence[str]] | None = None,
) -> Sequence[StatusRow]:
    """One row per dataset, upstreams first; `only` restricts to some names.

    Without it formulas are left out: a macro that reads no data is never stale.

    `broken`: models that were left out; they follow the others. `remarks`: further reasons by dataset.
    """
    left_out = broken or {}
    everything = (name for name in datasets if not _is_formula(name, datasets))
    wanted = list(everything if only is None else [n for n in only if n not in left_out])
    steps = plan_refresh(datasets, states, wanted, moment=moment, held=held)
    shown = set(wanted)
    rows = [_row(step, datasets, states, moment) for step in steps if step.dataset in shown]
    rows = [
        replace(row, reasons=(*row.reasons, *said))
        if (said := (remarks or {}).get(row.dataset))
        else row
        for row in rows
    ]
    told = left_out if only is None else [name for name in only if name in left_out]
    return rows + [_left_out(name, left_out[name]) for name in told]


def remarks_of(left: HomeState, datasets: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """What the last refresh could not get of each dataset, and which sources were slowed."""
    found: dict[str, list[str]] = {name: [text] for name, text in left.partly.items()}
    for name, keys in left.absent.items():
        first, *others = sorted(keys)
        more = f" and {len(others):,} more" if others else ""
        if name in datasets and name not in found:
            found[name] = [f"its source does not know {first}{more}"]
    for name, dataset in datasets.items():
        account = left.traffic.get(dataset.source or "")
        if dataset.kind != "raw" or account is None:
            continue
        allowed, pace = account["allowed_per_s"], account["pace_per_s"]
        if allowed and pace is not None and pace < allowed * 0.99:
            found.setdefault(name, []).append(
                f"slowed to {pace:g} of {allowed:g} requests/s by status 429"
            )
    return found


def _is_formula(name: str, datasets: Mapping[str, Dataset]) -> bool:
    return all(datasets[member].kind == "macro" for member in closure(datasets, [name]))


def _left_out(name: str, error: ModelError) -> StatusRow:
    return StatusRow(name, "failed", (f"left out: {error.message}",), None, None, None, None)


def root_age_s(
    name: str, datasets: Mapping[str, Dataset], states: Mapping[str, DatasetState], now: datetime
) -> float | None:
    """Age of the data behind `name`: now minus when its oldest root input was asked."""
    asked = [
        state.asked_at
        for root in closure(datasets, [name])
        if datasets[root].kind == "raw"
        and (state := states.get(root)) is not None
        and state.asked_at is not None
    ]
    return (now - min(asked)).total_seconds() if asked else None


def _row(
    step: Step, datasets: Mapping[str, Dataset], states: Mapping[str, DatasetState], moment: Moment
) -> StatusRow:
    name = step.dataset
    state = states.get(name, DatasetState())
    own_due = due_at(datasets[name], state, moment)
    dues = [
        due
        for member in closure(datasets, [name])
        if not datasets[member].missing_setting
        and (due := due_at(datasets[member], states.get(member, DatasetState()), moment))
        is not None
    ]
    changes = [
        states[member].changed_at
        for member in closure(datasets, [name])
        if member in states and states[member].changed_at is not None
    ]
    return StatusRow(
        dataset=name,
        verdict=step.verdict,
        reasons=step.reasons,
        age_s=root_age_s(name, datasets, states, moment.now),
        ttl_s=(own_due - state.asked_at).total_seconds() if own_due and state.asked_at else None,
        last_load_at=max((c for c in changes if c is not None), default=None),
        due_at=min(dues, default=None),
    )
