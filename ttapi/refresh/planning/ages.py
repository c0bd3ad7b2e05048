# SPDX-License-Identifier: Apache-2.0
"""How old the data behind a query is: since when each part that matters was last asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.formats.spans import seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ttapi.refresh.home_state import HomeState
    from ttapi.refresh.planning.datasets import Dataset, Held
    from ttapi.refresh.workspace import Workspace

_NAMED = 3
"""Keys that are named where many are loaded."""


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

    @property
    def told(self) -> str:
        """`3 min old`, `loaded in part (AAPL)`, `never loaded`."""
        if self.age_s is not None:
            return f"{seconds_text(max(0.0, self.age_s))} old"
        if self.loaded:
            return _part_told(self.loaded)
        return "loaded in part" if self.has_rows else "never loaded"


def _part_told(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"loaded in part ({', '.join(keys[:_NAMED])}{more})"


def asked_at(dataset: Dataset, left: HomeState, held: Held) -> datetime | None:
    """When the oldest wanted part of a raw dataset was last asked; None: some part never was."""
    state = left.states.get(dataset.name)
    whole = state.asked_at if state else None
    keys = held.demand(dataset.name).keys
    slices: dict[str, datetime] = {}
    for one in left.slices.get(dataset.name, ()):
        slices[one.key] = max(slices.get(one.key, one.asked_at), one.asked_at)
    if dataset.requires:
        asked = [slices.get(key) for key in (slices if keys is None else keys)]
    elif keys is None or not dataset.is_narrowable:
        return whole
    else:
        asked = [max((t for t in (slices.get(key), whole) if t), default=None) for key in keys]
    known = [instant for instant in asked if instant is not None]
    return min(known) if known and len(known) == len(asked) else None


def input_age(name: str, workspace: Workspace, held: Held) -> InputAge:
    """The age of a raw dataset, as far as it matters."""
    left = workspace.home_state
    asked = asked_at(workspace.datasets[name], left, held)
    if asked is not None:
        return InputAge(name, (workspace.now - asked).total_seconds())
    state = left.states.get(name)
    loaded = tuple(sorted({one.key for one in left.slices.get(name, ())}))
    return InputAge(name, None, loaded, has_rows=bool(state and state.rows))
