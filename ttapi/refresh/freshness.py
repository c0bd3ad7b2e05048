# SPDX-License-Identifier: Apache-2.0
"""How fresh a query wants its inputs, and how old they are: since when each part was last asked.

Verdict, reasons and age of every dataset, from `live/state.json` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.formats.values import seconds_text
from ttapi.market.calendar import parse_duration
from ttapi.refresh.datasets import (
    CLOCK_SLACK,
    Dataset,
    MarketClock,
    PlanInputs,
    Step,
    due_at,
    is_past_ttl,
)
from ttapi.refresh.planner import closure, plan_refresh
from ttapi.store.catalog import DatasetState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from ttapi.errors import ModelError
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.home_state import HomeState

_NEVER = "never loaded"
_NAMED = 3
"""Keys that are named where many are loaded."""


@dataclass(frozen=True)
class Freshness:
    """How fresh a query wants its inputs, and what it may cost."""

    refresh: bool = True
    max_age: str | None = None
    """A duration (`5m`, `2h`, `1d`): refresh what is older, and refuse what stays so."""
    wait_s: float = 60.0
    is_budget_waived: bool = False

    @property
    def age_limit(self) -> timedelta | None:
        """`max_age` as a duration; None: none is set. *Raises* UsageError for what is none."""
        return parse_duration(self.max_age) if self.max_age else None


@dataclass(frozen=True)
class InputAge:
    """How old one root input of a query is."""

    dataset: str
    age_s: float | None
    """None: some part of it that matters was never asked."""
    loaded: tuple[str, ...] = ()
    """The keys that are there all the same, where `age_s` is None."""
    has_rows: bool = False
    """Whether some rows are there all the same."""
    is_rule: bool = False
    """Whether it holds rules that are inside their TTL: what is read by them is as old as it is itself."""

    @property
    def text(self) -> str:
        """`3 min old`, `asked in the future`, `loaded in part (AAPL)`, `never loaded`."""
        if self.age_s is not None and self.age_s < -CLOCK_SLACK.total_seconds():
            return "asked in the future"
        if self.age_s is not None:
            return f"{seconds_text(max(0.0, self.age_s))} old"
        if self.loaded:
            return _part_text(self.loaded)
        return "loaded in part" if self.has_rows else _NEVER

    @property
    def claim(self) -> str:
        """`text` as what is said of the dataset: `is 3 min old`, `was never loaded`."""
        return f"was {self.text}" if self.text == _NEVER else f"is {self.text}"


def _part_text(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"loaded in part ({', '.join(keys[:_NAMED])}{more})"


def asked_at(
    dataset: Dataset, left: HomeState, held: PlanInputs, clock: MarketClock
) -> datetime | None:
    """When the oldest wanted part of a raw dataset was last asked; None: some part never was.

    In the future only where it was not asked since as well.
    """
    state = left.states.get(dataset.name)
    whole = [state.asked_at] if state and state.asked_at else []
    keys = held.demand(dataset.name).keys
    slices: dict[str, list[datetime]] = {}
    for one in left.slices.get(dataset.name, ()):
        slices.setdefault(one.key, []).append(one.asked_at)
    if dataset.requires:
        parts = [slices.get(key, []) for key in (slices if keys is None else keys)]
    elif keys is None or not dataset.is_narrowable:
        parts = [whole]
    else:
        parts = [[*slices.get(key, []), *whole] for key in keys]
    if not parts or not all(parts):
        return None
    return min(
        max([at for at in part if not clock.is_ahead(at)] or part)  # of a true clock, if any
        for part in parts
    )


def input_age(name: str, environment: Environment, held: PlanInputs) -> InputAge:
    """The age of a raw dataset, as far as it matters."""
    left = environment.home_state
    asked = asked_at(environment.datasets[name], left, held, environment.clock)
    state = left.states.get(name)
    if asked is not None:
        is_rule = _is_rule(environment.datasets[name], state, environment.clock)
        return InputAge(name, (environment.now - asked).total_seconds(), is_rule=is_rule)
    loaded = tuple(sorted({one.key for one in left.slices.get(name, ())}))
    return InputAge(name, None, loaded, has_rows=bool(state and state.rows))


@dataclass(frozen=True)
class StatusRow:
    """One dataset as `ttapi status` shows it; instants are zone-aware UTC."""

    dataset: str
    verdict: str
    reasons: tuple[str, ...]
    age_s: float | None
    """Seconds since the oldest of its root inputs was last compared with the world; None: never, or
    nobody knows, as a clock was ahead."""
    ttl_s: float | None
    """Seconds its data is good for, from when it was asked; None: it follows its inputs."""
    last_load_at: datetime | None
    due_at: datetime | None
    """When it, or the first of its inputs, gets stale."""
    never_loaded: tuple[str, ...] = ()
    """The raw datasets of facts behind it, where none of them was ever asked."""


def status_rows(
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    *,
    clock: MarketClock,
    held: PlanInputs | None = None,
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
    steps = plan_refresh(datasets, states, wanted, clock=clock, held=held)
    shown = set(wanted)
    rows = [_row(step, datasets, states, clock) for step in steps if step.dataset in shown]
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
    found: dict[str, list[str]] = {name: [text] for name, text in left.partial_failures.items()}
    for name, keys in left.unavailable.items():
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
    name: str,
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    clock: MarketClock,
) -> float | None:
    """Age of the data behind `name`: now minus when its oldest root input was asked; None: not known.

    Rules that are inside their TTL count only where nothing else was ever asked.
    """
    found: dict[bool, list[datetime]] = {True: [], False: []}
    for root in closure(datasets, [name]):
        state = states.get(root)
        if datasets[root].kind == "raw" and state is not None and state.asked_at is not None:
            found[_is_rule(datasets[root], state, clock)].append(state.asked_at)
    asked = found[False] or found[True]
    if not asked or any(map(clock.is_ahead, asked)):
        return None
    return (clock.now - min(asked)).total_seconds()


def never_loaded(
    name: str, datasets: Mapping[str, Dataset], states: Mapping[str, DatasetState]
) -> tuple[str, ...]:
    """The raw datasets of facts behind `name`, where none of them was ever asked; empty where one was."""
    facts = [
        root
        for root in closure(datasets, [name])
        if datasets[root].kind == "raw" and not datasets[root].is_timeless
    ]
    is_loaded = any(states[root].asked_at for root in facts if root in states)
    return () if is_loaded else tuple(sorted(facts))


def data_age_s(ages: Sequence[InputAge]) -> float | None:
    """Seconds of the oldest of them; None: part of one that matters was never asked, or there are none."""
    counted = [age for age in ages if not age.is_rule] or ages
    known = [age.age_s for age in counted if age.age_s is not None]
    return max(0.0, *known) if known and len(known) == len(counted) else None


def _is_rule(dataset: Dataset, state: DatasetState | None, clock: MarketClock) -> bool:
    if state is None or not dataset.is_timeless:
        return False
    return not is_past_ttl(dataset, state, clock)


def _row(
    step: Step,
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    clock: MarketClock,
) -> StatusRow:
    name = step.dataset
    state = states.get(name, DatasetState())
    own_due = due_at(datasets[name], state, clock)
    dues = [
        due
        for member in closure(datasets, [name])
        if not datasets[member].missing_setting
        and (due := due_at(datasets[member], states.get(member, DatasetState()), clock)) is not None
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
        age_s=root_age_s(name, datasets, states, clock),
        ttl_s=(own_due - state.asked_at).total_seconds() if own_due and state.asked_at else None,
        last_load_at=max((c for c in changes if c is not None), default=None),
        due_at=min(dues, default=None),
        never_loaded=never_loaded(name, datasets, states),
    )
