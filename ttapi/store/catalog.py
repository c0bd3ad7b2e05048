# SPDX-License-Identifier: Apache-2.0
"""The refresh catalog: where datasets stand, and the only SQL that writes it.

Whoever reads `live/state.json` alone loads neither Arrow nor the engine through here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from ttapi.store.catalog_rows import (
    ChangedKeyRow,
    CheckRow,
    DatasetRow,
    DecisionRow,
    DependencyRow,
    FreshnessRow,
    LineageRow,
    MetaRow,
    NoteRow,
    SliceRow,
    StateRow,
    insert_rows,
    read_rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.models.graph import ModelGraph
    from ttapi.models.rebuild import CheckOutcome
    from ttapi.refresh.datasets import Dataset
    from ttapi.refresh.freshness import StatusRow
    from ttapi.sources.contract import Resource
    from ttapi.store.arrivals import IncomingBatch
    from ttapi.store.engine import Connection

DateInterval = tuple[date | None, date | None]
EVERYTHING: DateInterval = (None, None)


@dataclass(frozen=True)
class Slice:
    """One key value asked for over one interval, and when."""

    key: str
    asked_at: datetime
    """Zone-aware UTC."""
    span: DateInterval = EVERYTHING
    is_absent: bool = False
    """The source answered that it has no such key."""


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
class DatasetOutcome:
    """What a refresh decided about one dataset and what came of it."""

    dataset: str
    verdict: str
    reasons: tuple[str, ...]
    rows_in: int = 0
    rows_accepted: int = 0
    rows_refused: int = 0
    source_calls: int = 0
    slices_asked: int = 0
    """Files or keys the source was asked for; a call may answer several keys."""
    slices_held: int = 0
    """Of a source asked key by key: wanted keys that needed no call."""
    unavailable: tuple[str, ...] = ()
    """Of those, keys that the source said it has not."""
    seconds: float = 0.0
    error: str | None = None
    failed_units: tuple[str, ...] = ()
    is_changed: bool = False
    is_down: bool = False
    """True: the source could not be reached at all."""


INSTALLED_FROM = "models_fingerprint"
"""The name of the fact from which models and sources the file was last installed."""


def read_meta(cursor: Connection, name: str) -> str | None:
    """What the file notes of itself under `name`; None: nothing."""
    found = read_rows_of(cursor, MetaRow, "name = ?", [name])
    return found[0].value if found else None


def write_meta(cursor: Connection, name: str, value: str) -> None:
    """Note `value` of the file under `name`."""
    cursor.execute("delete from catalog.meta where name = ?", [name])
    insert_rows(cursor, [MetaRow(name, value)])


def read_states(cursor: Connection) -> dict[str, DatasetState]:
    """State by dataset."""
    return {
        row.dataset: DatasetState(
            version=row.version or "",
            fingerprint=row.fingerprint or "",
            asked_at=row.asked_at,
            changed_at=row.changed_at,
            load_id=row.load_id,
            rows=row.rows,
            upstream_versions=json.loads(row.upstream_versions) if row.upstream_versions else {},
            error=row.error,
            failed_at=row.failed_at,
        )
        for row in read_rows_of(cursor, StateRow)
    }


def write_state(cursor: Connection, dataset: str, state: DatasetState) -> None:
    """`state` as the one row of `dataset`."""
    cursor.execute("delete from catalog.state where dataset = ?", [dataset])
    upstreams = json.dumps(dict(state.upstream_versions), sort_keys=True)
    known = {one.name: getattr(state, one.name) for one in fields(DatasetState)}
    insert_rows(cursor, [StateRow(dataset, **{**known, "upstream_versions": upstreams})])


def mark_changed(cursor: Connection) -> None:
    """Note, in the transaction of a change, that readers of the published file lack it.

    What is kept is the generation last numbered: publication is due until a newer one is out, also
    after a kill between commit and publication.
    """
    generation = read_meta(cursor, "generation")
    if generation is not None:
        write_meta(cursor, "changed_generation", generation)


def is_publication_due(cursor: Connection, published_generation: int) -> bool:
    """Whether something changed since generation `published_generation` came out; 0: none ever did."""
    changed = read_meta(cursor, "changed_generation")
    return published_generation == 0 or (
        changed is not None and int(changed) >= published_generation
    )


def write_declarations(
    cursor: Connection,
    datasets: Mapping[str, Dataset],
    graph: ModelGraph,
    resources: Mapping[str, Resource],
) -> None:
    """Every declaration and dependency, replacing what stood there."""
    cursor.execute("delete from catalog.datasets")
    cursor.execute("delete from catalog.dependencies")
    insert_rows(
        cursor,
        [DependencyRow(n, u) for n, dataset in datasets.items() for u in sorted(dataset.upstreams)],
    )
    insert_rows(
        cursor,
        [_declaration(dataset, graph, resources.get(n)) for n, dataset in datasets.items()],
    )


def _declaration(dataset: Dataset, graph: ModelGraph, resource: Resource | None) -> DatasetRow:
    model = graph.models.get(dataset.name)
    about = model.about if model else (resource.about if resource else None)
    grain = model.grain if model else (resource.grain if resource else ())
    return DatasetRow(
        dataset.name,
        dataset.kind,
        dataset.source,
        about,
        ", ".join(grain) or None,
        ", ".join(resource.keys) if resource else dataset.tracked,
        resource.time_column if resource else None,
        dataset.ttl,
        resource.revise if resource else None,
        dataset.max_stale,
        dataset.max_stale_on_error,
        "; ".join(str(check) for check in model.checks) if model else None,
        ", ".join(dataset.requires) or None,
        dataset.is_local,
        dataset.is_private,
    )


def write_outcomes(
    cursor: Connection, load_id: int, outcomes: Sequence[DatasetOutcome], now: datetime
) -> None:
    """The stored decisions of one refresh."""
    rows = [
        DecisionRow(
            load_id,
            outcome.dataset,
            outcome.verdict,
            json.dumps(list(outcome.reasons)),
            now,
            outcome.rows_in,
            outcome.rows_accepted,
            outcome.rows_refused,
            outcome.source_calls,
            round(outcome.seconds, 3),
            outcome.error,
        )
        for outcome in outcomes
    ]
    insert_rows(cursor, rows)


def write_checks(
    cursor: Connection, load_id: int, outcomes: Sequence[CheckOutcome], now: datetime
) -> None:
    """The latest outcome of each check."""
    for found in outcomes:
        _forget_check(cursor, found.dataset, found.check)
    rows = [CheckRow(o.dataset, o.check, o.failures, o.sample, load_id, now) for o in outcomes]
    insert_rows(cursor, rows)


def read_checks(cursor: Connection) -> dict[tuple[str, str], int]:
    """Failures by dataset and check, as last found."""
    return {(row.dataset, row.check_name): row.failures for row in read_rows_of(cursor, CheckRow)}


def forget_checks(cursor: Connection, graph: ModelGraph) -> None:
    """Drop the outcomes of checks that no file declares any more."""
    declared = {(m.name, str(c)) for m in graph.models.values() for c in m.checks}
    declared |= {(f"checks.{c.name}", c.name) for c in graph.checks}
    for dataset, name in set(read_checks(cursor)) - declared:
        _forget_check(cursor, dataset, name)


def _forget_check(cursor: Connection, dataset: str, name: str) -> None:
    cursor.execute(
        "delete from catalog.checks where dataset = ? and check_name = ?", [dataset, name]
    )


def changed_keys_since(cursor: Connection, dataset: str, load_id: int) -> list[str] | None:
    """Key values of `dataset` that changed after `load_id`; None: all may have."""
    found = read_rows_of(cursor, ChangedKeyRow, "dataset = ? and load_id > ?", [dataset, load_id])
    keys = {row.key for row in found}
    return None if None in keys else sorted(key for key in keys if key is not None)


def write_changed_keys(
    cursor: Connection, load_id: int, dataset: str, keys: Sequence[str] | None
) -> None:
    """Which keys a rebuild changed; None: all of them."""
    listed: Sequence[str | None] = [None] if keys is None else keys
    insert_rows(cursor, [ChangedKeyRow(load_id, dataset, key) for key in listed])


def write_freshness(
    cursor: Connection,
    rows: Sequence[StatusRow],
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    now: datetime,
) -> None:
    """What `status` says when a refresh ends, for readers of the snapshot."""
    cursor.execute("delete from catalog.freshness")
    found = []
    for row in rows:
        state = states.get(row.dataset, DatasetState())
        found.append(
            FreshnessRow(
                row.dataset,
                datasets[row.dataset].kind,
                row.verdict,
                "; ".join(row.reasons),
                None if row.age_s is None else now - timedelta(seconds=row.age_s),
                row.last_load_at,
                row.due_at,
                state.rows,
                state.error,
            )
        )
    insert_rows(cursor, found)


def replace_lineage(
    cursor: Connection, relations: Sequence[str], rows: Sequence[LineageRow]
) -> None:
    """Put `rows` in place of the lineage of `relations`."""
    cursor.execute(
        "delete from catalog.lineage where relation in (select unnest(?::varchar[]))",
        [list(relations)],
    )
    insert_rows(cursor, rows)


def read_slices(cursor: Connection) -> dict[str, tuple[Slice, ...]]:
    """Slices by dataset."""
    found: dict[str, list[Slice]] = {}
    for row in read_rows_of(cursor, SliceRow):
        found.setdefault(row.dataset, []).append(_slice(row))
    return {dataset: tuple(slices) for dataset, slices in found.items()}


def _slice(row: SliceRow) -> Slice:
    return Slice(row.key, row.asked_at, (row.covered_from, row.covered_to))


def write_asked(
    cursor: Connection,
    dataset: str,
    asked: Iterable[Slice],
    *,
    join: Callable[[Iterable[Slice], Slice], Iterable[Slice]],
    load_id: int,
) -> None:
    """Note that each of `asked` was answered; `join` puts it together with what was asked of its key before."""
    latest = list(asked)
    keys = sorted({one.key for one in latest})
    of_keys, parameters = "dataset = ? and key in (select unnest(?))", [dataset, keys]
    held: dict[str, list[Slice]] = {key: [] for key in keys}
    for row in read_rows_of(cursor, SliceRow, of_keys, parameters):
        held[row.key].append(_slice(row))
    for one in latest:
        held[one.key] = list(join(held[one.key], one))
    cursor.execute(f"delete from catalog.slices where {of_keys}", parameters)
    kept = [one for slices in held.values() for one in slices]
    rows = [SliceRow(dataset, one.key, *one.span, one.asked_at, load_id) for one in kept]
    insert_rows(cursor, rows)


def forget_slices(cursor: Connection, dataset: str) -> None:
    """Drop the slices of `dataset`: it was asked as a whole, or its code changed."""
    cursor.execute("delete from catalog.slices where dataset = ?", [dataset])


_NOTE = re.compile(r"([a-z][a-z _-]{1,40}): (.+)", re.DOTALL)
VANISHED = "file vanished"
"""The note code of a unit that is no longer there; its rows stay."""


def write_notes(
    cursor: Connection, dataset: str, arrivals: IncomingBatch, *, load_id: int, now: datetime
) -> None:
    """Have re-read units hold their new notes only, and units that are back no note of having gone."""
    reread = [unit.report.unit.key for unit in arrivals.units if unit.is_loaded]
    rows = [
        NoteRow(dataset, unit.report.unit.key, *_coded(note), load_id, now)
        for unit in arrivals.units
        for note in unit.report.notes
    ]
    replace_notes(cursor, dataset, reread, rows)
    there = [unit.report.unit.key for unit in arrivals.units if unit.report.error is None]
    cursor.execute(
        "delete from catalog.notes where dataset = ? and code = ?"
        " and unit in (select unnest(?::varchar[]))",
        [dataset, VANISHED, there],
    )


def replace_notes(
    cursor: Connection, dataset: str, units: Sequence[str], rows: Sequence[NoteRow]
) -> None:
    """Put `rows` in place of the notes on `units`."""
    cursor.execute(
        "delete from catalog.notes where dataset = ? and unit in (select unnest(?::varchar[]))",
        [dataset, list(units)],
    )
    insert_rows(cursor, rows)


def add_notes(cursor: Connection, rows: Sequence[NoteRow]) -> None:
    """Put `rows` beside the notes there are."""
    insert_rows(cursor, rows)


def replace_coded_notes(cursor: Connection, code: str, rows: Sequence[NoteRow]) -> None:
    """Put `rows` in place of every note of `code`."""
    cursor.execute("delete from catalog.notes where code = ?", [code])
    insert_rows(cursor, rows)


def _coded(note: str) -> tuple[str, str]:
    """A source's note as code and detail: `split suspected: AAPL on 2014-06-09` names its own code."""
    match = _NOTE.fullmatch(note)
    return (match[1], match[2]) if match else ("note", note)
