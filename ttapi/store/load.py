# SPDX-License-Identifier: Apache-2.0
"""Loading: one batch of whole units into its raw table, with ledger, rejects and notes.

Everything here runs in the caller's transaction, so rows and what the catalog says of them become
visible together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.clock import stored_instant
from ttapi.errors import QueryError, SourceError
from ttapi.sqltext import identifier
from ttapi.store.arrivals import store_rejects
from ttapi.store.catalog import VANISHED, replace_notes, write_notes
from ttapi.store.catalog_rows import NoteRow, UnitVersionRow, insert_rows
from ttapi.store.current_rows import (
    AFFECTED_KEYS,
    choose_current,
    find_conflicting,
    start_affected_keys,
)
from ttapi.store.engine import Connection, engine_errors
from ttapi.store.ledger import (
    Coverage,
    UnitChange,
    UnitRecord,
    failed,
    loaded,
    never_loaded,
    read_units,
    unchanged,
    write_units,
)
from ttapi.store.row_difference import (
    LoadStamp,
    append_rows,
    follow_lines,
    merge_rows,
    registered,
    replace_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ttapi.sources.contract import Batch, Resource
    from ttapi.store.arrivals import IncomingBatch, IncomingUnit


@dataclass(frozen=True)
class LoadResult:
    """What one batch did; rows_in = rows_accepted + rows_refused over the units it brought."""

    rows_in: int
    rows_accepted: int
    rows_refused: int
    rows_added: int
    rows_replaced: int
    units_loaded: int
    units_unchanged: int
    units_failed: int
    changed_keys_count: int
    """Keys under which a reader of current rows could see a difference; 0: none at all."""


@dataclass(frozen=True)
class _Load:
    """Where a batch goes and under which number."""

    cursor: Connection
    resource: Resource
    dataset: str
    load_id: int
    batch_no: int
    now: datetime
    coverage: Mapping[str, Coverage]


def load_batch(
    cursor: Connection,
    resource: Resource,
    dataset: str,
    batch: Batch,
    *,
    load_id: int,
    batch_no: int,
    now: datetime,
    coverage: Mapping[str, Coverage] | None = None,
) -> LoadResult:
    """Store the rows, rejects, notes and ledger of every unit in `batch`.

    `coverage`: the interval asked of each unit, by unit key; where it says nothing, the dates of
    the accepted rows stand for it.

    *Raises* SourceError for a batch that contradicts itself or cannot be stored; the caller's transaction then undoes
    what was written.
    """
    load = _Load(cursor, resource, dataset, load_id, batch_no, now, coverage or {})
    try:
        with engine_errors():
            return _load(load, batch)
    except QueryError as exc:
        first = exc.message.strip().splitlines()[0]
        raise SourceError(f"{dataset}: its rows cannot be stored: {first}") from exc


def _load(load: _Load, batch: Batch) -> LoadResult:
    cursor, resource, dataset = load.cursor, load.resource, load.dataset
    from ttapi.store.arrivals import check_batch  # noqa: PLC0415 - Arrow's compute functions take 0.4 s

    arrivals = check_batch(batch, resource, _records(load, batch))
    start_affected_keys(cursor)
    changes = _store_rows(load, arrivals)
    # What was contested before matters only where something known can have changed.
    is_all_new = all(unit.is_first for unit in arrivals.units)
    contested = set() if is_all_new else find_conflicting(cursor, resource, dataset)
    _write_unit_keys(load, arrivals)
    changes = _with_refusals(load, arrivals, changes)
    _write_ledger(load, arrivals, changes)
    contested |= find_conflicting(cursor, resource, dataset)
    moved = choose_current(cursor, resource, dataset, contested, since=_since(load, arrivals))
    if moved and any(change.has_moved_lines for change in changes.values()):
        changes = {
            unit: replace(change, is_changed=change.is_changed or change.has_moved_lines)
            for unit, change in changes.items()
        }
        _write_ledger(load, arrivals, changes)
    keys = _note_changed_keys(load, moved)
    _write_unit_versions(load, arrivals, changes)
    write_notes(cursor, dataset, arrivals, load_id=load.load_id, now=load.now)
    result = _result(arrivals, changes, keys)
    _write_load(load, result)
    return result


def was_loaded(cursor: Connection, dataset: str, *, load_id: int, batch_no: int) -> bool:
    """Whether that batch was committed: the answer to a CommitUnknownError after a reopen."""
    with engine_errors():
        rows = cursor.execute(
            "select count(*) from catalog.loads where dataset = ? and load_id = ? and batch_no = ?",
            [dataset, load_id, batch_no],
        ).fetchall()
    return bool(rows[0][0])


def mark_vanished(
    cursor: Connection, dataset: str, unit_keys: Sequence[str], *, load_id: int, now: datetime
) -> int:
    """Note that units are no longer there; how many were not known to be gone. Their rows stay."""
    instant = stored_instant(now)
    gone = [
        record
        for record in read_units(cursor, dataset, unit_keys).values()
        if not record.is_vanished
    ]
    with engine_errors():
        write_units(
            cursor, [replace(record, is_vanished=True, checked_at=instant) for record in gone]
        )
        notes = {r.key: f"{r.key} is gone; its {r.rows_accepted} rows are kept" for r in gone}
        rows = [NoteRow(dataset, key, VANISHED, text, load_id, now) for key, text in notes.items()]
        replace_notes(cursor, dataset, list(notes), rows)
    return len(gone)


def _records(load: _Load, batch: Batch) -> dict[str, UnitRecord]:
    """The ledger's record of every unit in the batch; unknown ones get the next free numbers."""
    keys = [report.unit.key for report in batch.units]
    records = read_units(load.cursor, load.dataset, keys)
    free = int(
        load.cursor.execute("select coalesce(max(unit_id), 0) + 1 from catalog.units").fetchall()[
            0
        ][0]
    )
    for key in keys:
        if key not in records:
            records[key] = never_loaded(free, load.dataset, key, load.now)
            free += 1
    return records


def _store_rows(load: _Load, arrivals: IncomingBatch) -> dict[int, UnitChange]:
    """Store the rows in the resource's mode: what became of each loaded unit, by unit_id."""
    stamp = LoadStamp(load.load_id, load.now)
    cursor, resource = load.cursor, load.resource
    good = [unit for unit in arrivals.units if unit.is_loaded]
    plain = [unit for unit in good if _is_plain(resource, unit)]
    rest = [unit for unit in good if not _is_plain(resource, unit)]
    changes = {unit.record.unit_id: UnitChange() for unit in good}
    rows = arrivals.rows_of(plain)
    if rows is not None:
        append_rows(cursor, resource, rows, stamp)
        added = {unit.record.unit_id: unit.rows_accepted for unit in plain}
        changes |= {unit: UnitChange(rows_added=n, is_changed=n > 0) for unit, n in added.items()}
    rows = arrivals.rows_of(rest)
    if resource.mode == "merge" and rows is not None:
        changes |= merge_rows(cursor, resource, rows, stamp)
    elif resource.mode == "replace" and rest:
        changes |= replace_rows(
            cursor, resource, rows, [unit.record.unit_id for unit in rest], stamp
        )
        ordered = [unit.record.unit_id for unit in rest if unit.report.has_duplicates]
        for unit_id in follow_lines(cursor, resource, ordered):
            changes[unit_id] = replace(changes[unit_id], has_moved_lines=True)
    return changes


def _is_plain(resource: Resource, unit: IncomingUnit) -> bool:
    """Whether the unit's rows can go in without a look at what is there."""
    if resource.mode == "append":
        return True
    return unit.is_first and not (resource.mode == "merge" and unit.report.has_duplicates)


def _write_unit_keys(load: _Load, arrivals: IncomingBatch) -> None:
    """Have catalog.unit_keys say which keys each loaded unit holds."""
    good = [unit for unit in arrivals.units if unit.is_loaded]
    if load.resource.mode == "replace":
        known = [unit.record.unit_id for unit in good if not unit.is_first]
        if known:
            load.cursor.execute(
                "delete from catalog.unit_keys where unit_id in (select unnest(?::integer[]))",
                [known],
            )
    load.cursor.execute(
        f"""
        insert into catalog.unit_keys
        select distinct ?, held.unit_id, held.key
        from {AFFECTED_KEYS} as held
        where held.is_held and not exists (
            select 1 from catalog.unit_keys as old where old.unit_id = held.unit_id and old.key = held.key
        )
        """,
        [load.dataset],
    )


def _with_refusals(
    load: _Load, arrivals: IncomingBatch, changes: dict[int, UnitChange]
) -> dict[int, UnitChange]:
    refusals = store_rejects(
        load.cursor, load.resource, load.dataset, arrivals, load_id=load.load_id, now=load.now
    )
    return {
        unit.record.unit_id: replace(
            changes.get(unit.record.unit_id, UnitChange()),
            refused_added=refusals.added[unit.record.unit_id],
            refused_retired=refusals.retired[unit.record.unit_id],
        )
        for unit in arrivals.units
    }


def _write_ledger(load: _Load, arrivals: IncomingBatch, changes: Mapping[int, UnitChange]) -> None:
    write_units(
        load.cursor, [_record(load, unit, changes[unit.record.unit_id]) for unit in arrivals.units]
    )


def _record(load: _Load, unit: IncomingUnit, change: UnitChange) -> UnitRecord:
    if unit.report.error is not None:
        return failed(unit.record, unit.report, change, load.now)
    if unit.report.is_unchanged:
        return unchanged(unit.record, unit.report, change, load.now)
    return loaded(
        unit.record,
        unit.report,
        change,
        mode=load.resource.mode,
        coverage=load.coverage.get(unit.report.unit.key),
        load_id=load.load_id,
        now=load.now,
    )


def _since(load: _Load, arrivals: IncomingBatch) -> object:
    """Where appended rows begin in time: what lies before cannot share a grain with them."""
    resource = load.resource
    if (
        resource.mode != "append"
        or resource.time_column not in resource.grain
        or arrivals.rows is None
    ):
        return None
    column = identifier(str(resource.time_column))
    data_type = next(c.type for c in resource.columns if c.name == resource.time_column)
    with registered(load.cursor, "incoming", arrivals.rows):
        rows = load.cursor.execute(
            f"select case when count(*) = count({column}) then min(cast({column} as {data_type})) end from incoming"
        ).fetchall()
    return rows[0][0]


def _note_changed_keys(load: _Load, moved: set[str]) -> int:
    """Record the keys this batch changed that its load had not changed before; how many it changed."""
    touched = load.cursor.execute(
        f"select distinct key from {AFFECTED_KEYS} where is_touched"
    ).fetchall()
    keys = sorted({key for (key,) in touched} | moved)
    named = keys if load.resource.tracked_by else ([None] if keys else [])
    load.cursor.execute(
        """
        insert into catalog.changed_keys
        select ?, ?, c.key
        from (select unnest(?::varchar[]) as key) as c
        where not exists (
            select 1 from catalog.changed_keys as old
            where old.load_id = ? and old.dataset = ? and old.key is not distinct from c.key
        )
        """,
        [load.load_id, load.dataset, named, load.load_id, load.dataset],
    )
    return len(named)


def _write_unit_versions(
    load: _Load, arrivals: IncomingBatch, changes: Mapping[int, UnitChange]
) -> None:
    rows = []
    for unit in arrivals.units:
        if not unit.is_loaded:
            continue
        report, change = unit.report, changes[unit.record.unit_id]
        row = UnitVersionRow(
            unit.record.unit_id,
            load.dataset,
            unit.record.key,
            report.content_hash,
            report.unit.size,
            report.rows_in,
            report.rows_accepted,
            report.rows_refused,
            change.rows_added,
            change.rows_replaced,
            load.load_id,
            load.now,
            _record(load, unit, UnitChange()).last_date,
        )
        rows.append(row)
    insert_rows(load.cursor, rows)


def _result(
    arrivals: IncomingBatch, changes: Mapping[int, UnitChange], changed_keys: int
) -> LoadResult:
    units = arrivals.units
    accepted = sum(unit.rows_accepted for unit in units)
    refused = sum(unit.rows_refused for unit in units)
    return LoadResult(
        rows_in=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        rows_added=sum(change.rows_added for change in changes.values()),
        rows_replaced=sum(change.rows_replaced for change in changes.values()),
        units_loaded=sum(unit.is_loaded for unit in units),
        units_unchanged=sum(unit.report.is_unchanged for unit in units),
        units_failed=sum(unit.report.error is not None for unit in units),
        changed_keys_count=changed_keys,
    )


def _write_load(load: _Load, result: LoadResult) -> None:
    load.cursor.execute(
        "insert into catalog.loads values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            load.load_id,
            load.dataset,
            load.batch_no,
            result.units_loaded + result.units_unchanged + result.units_failed,
            result.rows_in,
            result.rows_accepted,
            result.rows_refused,
            result.rows_added,
            result.rows_replaced,
            stored_instant(load.now),
        ],
    )
