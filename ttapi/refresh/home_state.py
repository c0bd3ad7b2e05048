# SPDX-License-Identifier: Apache-2.0
"""`live/state.json`: declarations, states and verdict inputs, readable without opening a database.

`status` and the fresh path of `sql` read only this; it is written atomically after each refresh.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from ttapi.errors import ModelError, StoreError
from ttapi.models.predicates import reads_from_json, reads_to_json
from ttapi.refresh.datasets import Dataset
from ttapi.store.catalog import DatasetState, Slice
from ttapi.store.files import read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.home import Home

_FORMAT = 7


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


def require_state(home: Home) -> None:
    """Nothing, or StoreError where the state file is there and tells nothing: damaged, or of another ttapi."""
    if read_state(home) and read_home_state(home) is NOTHING:
        raise StoreError(
            f"{home.state_file} is damaged or of another ttapi: what was loaded when cannot be told from it",
            hint="the next ttapi sql or ttapi refresh mends it, and so does ttapi restore live",
        )


def read_home_state(home: Home) -> HomeState:
    """The state left by the last refresh; an empty one where there is none or it is damaged."""
    document = read_state(home)
    if document.get("format") != _FORMAT:
        return NOTHING
    try:
        datasets = {entry["name"]: _dataset(entry) for entry in document["datasets"]}
        states = {name: _state(entry) for name, entry in document["states"].items()}
        slices = {
            name: tuple(_slice(entry) for entry in entries)
            for name, entries in document["slices"].items()
        }
        return HomeState(
            document["fingerprint"],
            document["generation"],
            datasets,
            states,
            document["seconds"],
            slices,
            document["calls"],
            {
                name: {key: (size, time) for key, (size, time) in units.items()}
                for name, units in document["touched"].items()
            },
            document["load_id"],
            document["asked_by"],
            document["traffic"],
            document["partly"],
            {name: _error(entry) for name, entry in document["broken"].items()},
            {
                name: {
                    key: Unavailable(datetime.fromisoformat(at), told) for key, at, told in entries
                }
                for name, entries in document["absent"].items()
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
            "datasets": [_dataset_entry(dataset) for dataset in state.datasets.values()],
            "states": {name: _state_entry(entry) for name, entry in state.states.items()},
            "seconds": {name: round(seconds, 3) for name, seconds in state.seconds.items()},
            "calls": dict(state.calls),
            "load_id": state.load_id,
            "asked_by": dict(state.fetched_by),
            "traffic": dict(state.traffic),
            "partly": dict(state.partial_failures),
            "broken": {name: _error_entry(error) for name, error in state.broken.items()},
            "absent": {
                name: [[key, one.asked_at.isoformat(), one.reason] for key, one in keys.items()]
                for name, keys in state.unavailable.items()
            },
            "touched": {name: dict(units) for name, units in state.seen_units.items() if units},
            "slices": {
                name: [_slice_entry(one) for one in slices] for name, slices in state.slices.items()
            },
        },
    )


def _dataset_entry(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "fingerprint": dataset.fingerprint,
        "upstreams": sorted(dataset.upstreams),
        "ttl": dataset.ttl,
        "source": dataset.source,
        "key": dataset.key,
        "tracked": dataset.tracked,
        "through": dataset.through,
        "is_bound_only": dataset.is_bound_only,
        "is_local": dataset.is_local,
        "is_private": dataset.is_private,
        "max_stale": dataset.max_stale,
        "max_stale_on_error": dataset.max_stale_on_error,
        "requires": list(dataset.requires),
        "units_a_call": dataset.units_a_call,
        "completes": dataset.completes,
        "is_narrowable": dataset.is_narrowable,
        "time_column": dataset.time_column,
        "sessions": dataset.sessions,
        "revise": dataset.revise,
        "columns": None if dataset.columns is None else list(dataset.columns),
        "parameters": list(dataset.parameters),
        "is_row_wise": dataset.is_row_wise,
        "reads": reads_to_json(dataset.reads),
    }


def _dataset(entry: dict[str, Any]) -> Dataset:
    columns = entry["columns"]
    typed = {
        "upstreams": frozenset(entry["upstreams"]),
        "requires": tuple(entry["requires"]),
        "columns": None if columns is None else tuple(columns),
        "parameters": tuple(entry["parameters"]),
        "reads": reads_from_json(entry["reads"]),
    }
    return Dataset(**{**entry, **typed})


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


def _state_entry(state: DatasetState) -> dict[str, Any]:
    return {
        "version": state.version,
        "fingerprint": state.fingerprint,
        "asked_at": _text(state.asked_at),
        "changed_at": _text(state.changed_at),
        "load_id": state.load_id,
        "rows": state.rows,
        "upstream_versions": dict(state.upstream_versions),
        "error": state.error,
        "failed_at": _text(state.failed_at),
    }


def _state(entry: dict[str, Any]) -> DatasetState:
    instants = {name: _instant(entry[name]) for name in ("asked_at", "changed_at", "failed_at")}
    return DatasetState(**{**entry, **instants})


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
