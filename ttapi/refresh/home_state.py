# SPDX-License-Identifier: Apache-2.0
"""`live/state.json`: declarations, states and verdict inputs, readable without opening a database.

`status` and the fresh path of `sql` read only this; it is written atomically after each refresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError, StoreError
from ttapi.models.limits import reads_from_json, reads_to_json
from ttapi.refresh.datasets import Dataset
from ttapi.store.catalog import DatasetState, Slice
from ttapi.store.files import read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.home import Home

_FORMAT = 8
_NAMES_OF_7 = {
    "touched": "seen_units",
    "asked_by": "fetched_by",
    "partly": "partial_failures",
    "absent": "unavailable",
}
"""What format 7 called some parts; the next refresh writes format 8."""


@dataclass(frozen=True)
class Unavailable:
    """That a source said it has no such key."""

    asked_at: datetime
    """Zone-aware UTC."""
    reason: str


@dataclass(frozen=True)
class HomeState:
    """What the last refresh left behind."""

    fingerprint: str
    """Of models and sources as installed; '' when nothing was."""
    generation: int
    datasets: Mapping[str, Dataset]
    """In build order."""
    states: Mapping[str, DatasetState]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each dataset's last refresh that did something took: what a plan predicts."""
    slices: Mapping[str, Sequence[Slice]] = field(default_factory=dict)
    """By dataset: what was asked alone since it was last asked as a whole."""
    calls: Mapping[str, int] = field(default_factory=dict)
    """Source calls that refresh made."""
    seen_units: Mapping[str, Mapping[str, tuple[int | None, int | None]]] = field(
        default_factory=dict
    )
    """By dataset and unit: size and time as looked at since the ledger was last published."""
    load_id: int = 0
    """Of the last refresh."""
    fetched_by: Mapping[str, int] = field(default_factory=dict)
    """By raw dataset: the refresh that last asked its source for everything."""
    traffic: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By source: the account of its network calls in the last command that made some."""
    partial_failures: Mapping[str, str] = field(default_factory=dict)
    """By raw dataset: what its last refresh could not get, where it got the rest."""
    broken: Mapping[str, ModelError] = field(default_factory=dict)
    """Models of plugins and the user that were left out, and why."""
    unavailable: Mapping[str, Mapping[str, Unavailable]] = field(default_factory=dict)
    """By raw dataset and key: what its source said it has not, until its TTL has passed."""

    def with_absences(self, slices: Mapping[str, Sequence[Slice]]) -> Mapping[str, Sequence[Slice]]:
        """`slices` and, as slices of nothing, what the sources have not."""
        found = dict(slices)
        for name, keys in self.unavailable.items():
            nothing = [Slice(key, one.asked_at, is_absent=True) for key, one in keys.items()]
            found[name] = (*found.get(name, ()), *nothing)
        return found


NOTHING = HomeState("", 0, {}, {})


def require_state(home: Home, state: HomeState) -> None:
    """Nothing, or StoreError where the file that `state` was read from tells nothing: damaged, or of another ttapi."""
    if state is NOTHING and read_state(home):
        raise StoreError(
            f"{home.state_file} is damaged or of another ttapi: what was loaded when cannot be told from it",
            hint="the next ttapi sql or ttapi refresh mends it, and so does ttapi restore live",
        )


def read_home_state(home: Home) -> HomeState:
    """The state left by the last refresh; an empty one where there is none or it is damaged."""
    document = read_state(home)
    if document.get("format") == 7:
        document = {_NAMES_OF_7.get(name, name): part for name, part in document.items()}
    elif document.get("format") != _FORMAT:
        return NOTHING
    try:
        return HomeState(
            fingerprint=document["fingerprint"],
            generation=document["generation"],
            datasets={entry["name"]: dataset_from_json(entry) for entry in document["datasets"]},
            states={name: _state(entry) for name, entry in document["states"].items()},
            seconds=document["seconds"],
            slices={
                name: tuple(_slice(entry) for entry in entries)
                for name, entries in document["slices"].items()
            },
            calls=document["calls"],
            seen_units={
                name: {key: (size, time) for key, (size, time) in units.items()}
                for name, units in document["seen_units"].items()
            },
            load_id=document["load_id"],
            fetched_by=document["fetched_by"],
            traffic=document["traffic"],
            partial_failures=document["partial_failures"],
            broken={name: _error(entry) for name, entry in document["broken"].items()},
            unavailable={
                name: {
                    key: Unavailable(datetime.fromisoformat(at), reason)
                    for key, at, reason in entries
                }
                for name, entries in document["unavailable"].items()
            },
        )
    except (KeyError, TypeError, ValueError):
        return NOTHING


def write_home_state(home: Home, state: HomeState) -> None:
    """Replace the state file atomically."""
    write_state(
        home,
        {
            "format": _FORMAT,
            "fingerprint": state.fingerprint,
            "generation": state.generation,
            "datasets": [dataset_to_json(dataset) for dataset in state.datasets.values()],
            "states": {name: _state_to_json(entry) for name, entry in state.states.items()},
            "seconds": {name: round(seconds, 3) for name, seconds in state.seconds.items()},
            "calls": dict(state.calls),
            "load_id": state.load_id,
            "fetched_by": dict(state.fetched_by),
            "traffic": dict(state.traffic),
            "partial_failures": dict(state.partial_failures),
            "broken": {name: _error_entry(error) for name, error in state.broken.items()},
            "unavailable": {
                name: [[key, one.asked_at.isoformat(), one.reason] for key, one in keys.items()]
                for name, keys in state.unavailable.items()
            },
            "seen_units": {name: dict(units) for name, units in state.seen_units.items() if units},
            "slices": {
                name: [_slice_entry(one) for one in slices] for name, slices in state.slices.items()
            },
        },
    )


def dataset_to_json(dataset: Dataset) -> dict[str, Any]:
    """`dataset` as a document, each field under its own name."""
    entry = {one.name: getattr(dataset, one.name) for one in fields(Dataset)}
    # A tuple is a list in JSON, and a set has no order.
    return entry | {"upstreams": sorted(dataset.upstreams), "reads": reads_to_json(dataset.reads)}


def dataset_from_json(entry: Mapping[str, Any]) -> Dataset:
    """The dataset that `dataset_to_json` gave as `entry`."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    values["upstreams"] = frozenset(entry["upstreams"])
    values["reads"] = reads_from_json(entry["reads"])
    return Dataset(**values)


def _error_entry(error: ModelError) -> list[str | int | None]:
    return [error.reason, error.file, error.line, error.hint]


def _error(entry: Sequence[Any]) -> ModelError:
    reason, file, line, hint = entry
    return ModelError(reason, file=file, line=line, hint=hint)


def _slice_entry(one: Slice) -> list[str | None]:
    start, end = one.span
    return [
        one.key,
        one.asked_at.isoformat(),
        start.isoformat() if start else None,
        end.isoformat() if end else None,
    ]


def _slice(entry: Sequence[str]) -> Slice:
    key, asked_at, start, end = entry
    span = (date.fromisoformat(start) if start else None, date.fromisoformat(end) if end else None)
    return Slice(key, datetime.fromisoformat(asked_at), span)


def _state_to_json(state: DatasetState) -> dict[str, Any]:
    found = {one.name: getattr(state, one.name) for one in fields(DatasetState)}
    return {n: _text(v) if isinstance(v, datetime) else v for n, v in found.items()}


def _state(entry: Mapping[str, Any]) -> DatasetState:
    values: dict[str, Any] = {
        name: _instant(value) if name.endswith("_at") else value for name, value in entry.items()
    }
    return DatasetState(**values)


def _text(instant: datetime) -> str:
    return instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
