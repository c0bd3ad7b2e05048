# SPDX-License-Identifier: Apache-2.0
"""What the settings of a daemon say it is to keep fresh, and which of their names are wrong.

A wrong name costs itself alone: it is told, and the rest is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.api import RefreshRequest, operations
from ttapi.errors import UsageError

if TYPE_CHECKING:
    from ttapi.api import Environment


@dataclass(frozen=True)
class KeptFresh:
    """What the settings say is kept fresh."""

    names: tuple[str, ...]
    """Empty: everything."""
    is_any: bool
    wrong: tuple[str, ...]
    """Names that nothing goes by, told."""


@dataclass(frozen=True)
class ClosingChains:
    """Whose option chains are asked for before a close."""

    names: tuple[str, ...]
    """Underlyings, upper case."""
    wrong: tuple[str, ...]
    """Those that a source does not know, told."""


def kept_fresh(environment: Environment) -> KeptFresh:
    """What `[serve] keep_fresh` names, and which of its names are wrong."""
    given = [one for one in environment.settings.serve_keep_fresh if one]
    if given in ([], ["none"]):
        return KeptFresh((), False, ())
    if "all" in given:
        return KeptFresh((), True, ())
    names, wrong = [], []
    for name in given:
        try:
            operations.plan(
                environment, RefreshRequest((name,), is_named=False, survey_local=False)
            )
        except UsageError as exc:
            wrong.append(f"{_place(environment, 'keep_fresh')}: {exc}")
        else:
            names.append(name)
    return KeptFresh(tuple(names), bool(names), tuple(wrong))


def closing_chains(environment: Environment) -> ClosingChains:
    """What `[serve] closing_chains` names: what is no list is a symbol, in any case."""
    found: dict[str, None] = {}
    for name in environment.settings.serve_closing_chains:
        try:
            found |= dict.fromkeys([name] if name.isupper() else sorted(environment.members(name)))
        except UsageError:
            found[name.upper()] = None
    sources = [
        (one.source, environment.home_state.unavailable.get(dataset, ()))
        for dataset, one in environment.raw_datasets.items()
        if one.tracked == "snapshot"
    ]
    place = _place(environment, "closing_chains")
    wrong = [
        f"{place}: {source} does not know {symbol}"
        for symbol in found
        for source, unknown in sources
        if symbol in unknown
    ]
    return ClosingChains(tuple(symbol for symbol in found if symbol), tuple(wrong))


def _place(environment: Environment, key: str) -> str:
    """Where a setting of `[serve]` was made: the variable, or its name."""
    place = environment.settings.places.get(f"serve_{key}", "")
    return place if place.startswith("TTAPI_") else f"[serve] {key}"
