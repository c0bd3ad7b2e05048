# SPDX-License-Identifier: Apache-2.0
"""The refresh catalog's rows as values, read from and written to the live file.

The slices of the catalog: read, and replaced in the transaction that stores their rows.

Notes: the oddities of a unit that a person should hear of, as of its last load.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.clock import stored_instant, utc_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ttapi.models.graph import ModelGraph
    from ttapi.models.install import CheckOutcome
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


def read_states(cursor: Any) -> dict[str, DatasetState]:
    """State by dataset."""
    rows = cursor.execute(
        "select dataset, version, fingerprint, asked_at, changed_at, load_id, rows, upstream_versions, error,"
        " failed_at from catalog.state"
    ).fetchall()
    return {
        row[0]: DatasetState(
            version=row[1] or "",
            fingerprint=row[2] or "",
            asked_at=utc_instant(row[3]),
            changed_at=utc_instant(row[4]),
            load_id=row[5],
            rows=row[6],
            upstream_versions=json.loads(row[7]) if row[7] else {},
            error=row[8],
            failed_at=utc_instant(row[9]),
        )
        for row in rows
    }


def mark_changed(cursor: Any) -> None:
    """Note, in the transaction of a change, that readers of the published file lack it.

    What is kept is the generation last numbered: publication is due until a newer one is out, also
    after a kill between commit and publication.
    """
    cursor.execute("delete from catalog.meta where name = 'changed_generation'")
    cursor.execute(
        "insert into catalog.meta select 'changed_generation', m.value"
        " from catalog.meta as m where m.name = 'generation'"
    )


def is_publication_due(cursor: Any, published_generation: int) -> bool:
    """Whether something changed since generation `published_generation` came out; 0: none ever did."""
    rows = cursor.execute(
        "select value from catalog.meta where name = 'changed_generation'"
    ).fetchall()
    return published_generation == 0 or (bool(rows) and int(rows[0][0]) >= published_generation)


def write_state(cursor: Any, dataset: str, state: DatasetState) -> None:
    """`state` as the one row of `dataset`."""
    cursor.execute("delete from catalog.state where dataset = ?", [dataset])
    cursor.execute(
        "insert into catalog.state (dataset, version, fingerprint, load_id, changed_at, asked_at, rows,"
        " upstream_versions, error, failed_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            dataset,
            state.version,
            state.fingerprint,
            state.load_id,
            stored_instant(state.changed_at) if state.changed_at else None,
            stored_instant(state.asked_at) if state.asked_at else None,
            state.rows,
            json.dumps(dict(state.upstream_versions), sort_keys=True),
            state.error,
            stored_instant(state.failed_at) if state.failed_at else None,
        ],
    )


def write_declarations(
    cursor: Any,
    datasets: Mapping[str, Dataset],
    graph: ModelGraph,
    resources: Mapping[str, Resource],
) -> None:
    """Every declaration and dependency, replacing what stood there."""
    cursor.execute("delete from catalog.datasets")
    cursor.execute("delete from catalog.dependencies")
    pairs = [(name, u) for name, dataset in datasets.items() for u in sorted(dataset.upstreams)]
    cursor.execute(
        "insert into catalog.dependencies select unnest(?::varchar[]), unnest(?::varchar[])",
        [[name for name, _ in pairs], [upstream for _, upstream in pairs]],
    )
    declared = [
        _declaration(dataset, graph, resources.get(name)) for name, dataset in datasets.items()
    ]
    _insert(cursor, "catalog.datasets", declared)


def _declaration(dataset: Dataset, graph: ModelGraph, resource: Resource | None) -> list[Any]:
    model = graph.models.get(dataset.name)
    about = model.about if model else (resource.about if resource else None)
    grain = model.grain if model else (resource.grain if resource else ())
    checks = "; ".join(str(check) for check in model.checks) if model else None
    return [
        dataset.name,
        dataset.kind,
        dataset.source,
        about,
        ", ".join(grain) or None,
        ", ".join(resource.keys) if resource else dataset.tracked,
        resource.time_column if resource else None,
        dataset.ttl,
        resource.revise if resource else None,
        None,
        dataset.max_stale_on_error,
        checks,
        None,
        dataset.is_local,
        dataset.is_private,
    ]


def write_outcomes(
    cursor: Any, load_id: int, outcomes: Sequence[DatasetOutcome], now: datetime
) -> None:
    """The stored decisions of one refresh."""
    rows = [
        (
            load_id,
            outcome.dataset,
            outcome.verdict,
            json.dumps(list(outcome.reasons)),
            stored_instant(now),
            outcome.rows_in,
            outcome.rows_accepted,
            outcome.rows_refused,
            outcome.source_calls,
            round(outcome.seconds, 3),
            outcome.error,
        )
        for outcome in outcomes
    ]
    _insert(cursor, "catalog.decisions", rows)


def _insert(cursor: Any, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Add whole rows in one statement: of a hundred, each one alone takes longer than all at once."""
    if not rows:
        return
    described = cursor.execute(f"describe {table}").fetchall()
    lists = ", ".join(f"unnest(?::{kind}[])" for _, kind, *_ in described)
    cursor.execute(
        f"insert into {table} select {lists}", [list(column) for column in zip(*rows, strict=True)]
    )


def write_checks(
    cursor: Any, load_id: int, outcomes: Sequence[CheckOutcome], now: datetime
) -> None:
    """The latest outcome of each check."""
    for found in outcomes:
        cursor.execute(
            "delete from catalog.checks where dataset = ? and check_name = ?",
            [found.dataset, found.check],
        )
        cursor.execute(
            "insert into catalog.checks values (?, ?, ?, ?, ?, ?)",
            [
                found.dataset,
                found.check,
                found.failures,
                found.sample,
                load_id,
                stored_instant(now),
            ],
        )


def read_checks(cursor: Any) -> dict[tuple[str, str], int]:
    """Failures by dataset and check, as last found."""
    rows = cursor.execute("select dataset, check_name, failures from catalog.checks").fetchall()
    return {(row[0], row[1]): int(row[2]) for row in rows}


def forget_checks(cursor: Any, graph: ModelGraph) -> None:
    """Drop the outcomes of checks that no file declares any more."""
    declared = {(m.name, str(c)) for m in graph.models.values() for c in m.checks}
    declared |= {(f"checks.{c.name}", c.name) for c in graph.checks}
    for dataset, name in set(read_checks(cursor)) - declared:
        cursor.execute(
            "delete from catalog.checks where dataset = ? and check_name = ?", [dataset, name]
        )


def changed_keys_since(cursor: Any, dataset: str, load_id: int) -> list[str] | None:
    """Key values of `dataset` that changed after `load_id`; None: all may have."""
    rows = cursor.execute(
        "select distinct key from catalog.changed_keys where dataset = ? and load_id > ?",
        [dataset, load_id],
    ).fetchall()
    keys = [row[0] for row in rows]
    return None if None in keys else keys


def write_changed_keys(cursor: Any, load_id: int, dataset: str, keys: Sequence[str] | None) -> None:
    """Which keys a rebuild changed; None: all of them."""
    if keys is None:
        cursor.execute("insert into catalog.changed_keys values (?, ?, null)", [load_id, dataset])
        return
    for start in range(0, len(keys), 500):
        chunk = keys[start : start + 500]
        values = ", ".join("(?, ?, ?)" for _ in chunk)
        parameters = [item for key in chunk for item in (load_id, dataset, key)]
        cursor.execute(f"insert into catalog.changed_keys values {values}", parameters)


def write_freshness(
    cursor: Any,
    rows: Sequence[StatusRow],
    datasets: Mapping[str, Dataset],
    states: Mapping[str, DatasetState],
    now: datetime,
) -> None:
    """What `status` says when a refresh ends, for readers of the snapshot."""
    cursor.execute("delete from catalog.freshness")
    written = []
    for row in rows:
        state = states.get(row.dataset, DatasetState())
        asked = None if row.age_s is None else now - timedelta(seconds=row.age_s)
        written.append(
            (
                row.dataset,
                datasets[row.dataset].kind,
                row.verdict,
                "; ".join(row.reasons),
                stored_instant(asked) if asked else None,
                stored_instant(row.last_load_at) if row.last_load_at else None,
                stored_instant(row.due_at) if row.due_at else None,
                state.rows,
                state.error,
            )
        )
    _insert(cursor, "catalog.freshness", written)


def read_slices(cursor: Any) -> dict[str, tuple[Slice, ...]]:
    """Slices by dataset."""
    rows = cursor.execute(
        "select dataset, key, asked_at, covered_from, covered_to from catalog.slices order by all"
    ).fetchall()
    found: dict[str, list[Slice]] = {}
    for dataset, key, asked_at, start, end in rows:
        asked = utc_instant(asked_at)
        if asked is not None:
            found.setdefault(dataset, []).append(Slice(key, asked, (start, end)))
    return {dataset: tuple(slices) for dataset, slices in found.items()}


def write_asked(
    cursor: Any,
    dataset: str,
    asked: Iterable[Slice],
    *,
    join: Callable[[Iterable[Slice], Slice], Iterable[Slice]],
    load_id: int,
) -> None:
    """Note that each of `asked` was answered; `join` puts it together with what was asked of its key before."""
    latest = list(asked)
    keys = sorted({one.key for one in latest})
    rows = cursor.execute(
        "select key, asked_at, covered_from, covered_to from catalog.slices"
        " where dataset = ? and key in (select unnest(?))",
        [dataset, keys],
    ).fetchall()
    held: dict[str, list[Slice]] = {key: [] for key in keys}
    for key, naive, start, end in rows:
        if (instant := utc_instant(naive)) is not None:
            held[key].append(Slice(key, instant, (start, end)))
    for one in latest:
        held[one.key] = list(join(held[one.key], one))
    kept = [one for slices in held.values() for one in slices]
    cursor.execute(
        "delete from catalog.slices where dataset = ? and key in (select unnest(?))",
        [dataset, keys],
    )
    cursor.execute(
        "insert into catalog.slices"
        " select ?, unnest(?), unnest(?::date[]), unnest(?::date[]), unnest(?::timestamp[]), ?",
        [
            dataset,
            [one.key for one in kept],
            [one.span[0] for one in kept],
            [one.span[1] for one in kept],
            [stored_instant(one.asked_at) for one in kept],
            load_id,
        ],
    )


def forget_slices(cursor: Any, dataset: str) -> None:
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
        (unit.report.unit.key, *_coded(note))
        for unit in arrivals.units
        for note in unit.report.notes
    ]
    replace_notes(cursor, dataset, reread, rows, load_id=load_id, now=now)
    there = [unit.report.unit.key for unit in arrivals.units if unit.report.error is None]
    cursor.execute(
        "delete from catalog.notes where dataset = ? and code = ?"
        " and unit in (select unnest(?::varchar[]))",
        [dataset, VANISHED, there],
    )


def replace_notes(
    cursor: Connection,
    dataset: str,
    units: Sequence[str],
    rows: Sequence[tuple[str, str, str]],
    *,
    load_id: int,
    now: datetime,
) -> None:
    """Put `rows` (unit, code, detail) in place of the notes on `units`."""
    cursor.execute(
        "delete from catalog.notes where dataset = ? and unit in (select unnest(?::varchar[]))",
        [dataset, list(units)],
    )
    if not rows:
        return
    # Whoever reads `live/state.json` alone needs the values above, and neither Arrow nor the engine.
    import pyarrow as pa  # noqa: PLC0415 - see above

    from ttapi.store.difference import registered  # noqa: PLC0415 - see above

    table = pa.table(
        [pa.array(column, pa.string()) for column in zip(*rows, strict=True)],
        ["unit", "code", "detail"],
    )
    with registered(cursor, "noted", table):
        cursor.execute(
            "insert into catalog.notes select ?, unit, code, detail, ?, ? from noted",
            [dataset, load_id, stored_instant(now)],
        )


def _coded(note: str) -> tuple[str, str]:
    """A source's note as code and detail: `split suspected: AAPL on 2014-06-09` names its own code."""
    match = _NOTE.fullmatch(note)
    return (match[1], match[2]) if match else ("note", note)
