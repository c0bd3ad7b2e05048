# SPDX-License-Identifier: Apache-2.0
"""How old the data behind a query is: since when each part that matters was last asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ttapi.refresh.home_state import HomeState
    from ttapi.refresh.planning.datasets import Dataset, Held
    from ttapi.refresh.workspace import Workspace


@dataclass(frozen=True)
class InputAge:
    """How old one root input of a query is."""

    dataset: str
    age_s: float | None
    """None: never asked."""


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


def input_ages(workspace: Workspace, roots: Iterable[str], held: Held) -> list[InputAge]:
    """The age of each of `roots`, as far as it matters."""
    found = []
    for name in roots:
        asked = asked_at(workspace.datasets[name], workspace.home_state, held)
        age_s = None if asked is None else (workspace.now - asked).total_seconds()
        found.append(InputAge(name, age_s))
    return found
