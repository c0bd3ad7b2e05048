# SPDX-License-Identifier: Apache-2.0
"""The coverage ledger: what the catalog says of each unit, and how one load changes it.

`rows_accepted` always equals the unit's live rows, `rows_refused` its live rejects, `rows_in` their
sum. `load_id` is that of the last load that succeeded, 0 when none ever did. What is not to be kept of
logs goes by their units, the oldest first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from ttapi.clock import stored_instant
from ttapi.store.catalog_rows import columns_of, insert_values
from ttapi.store.engine import Connection, engine_errors
from ttapi.store.schema import raw_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.sources.contract import Resource, UnitReport

_ROOM = 0.1
"""Share of what logs may take that is free once something had to go."""
Coverage = tuple[date | None, date | None]
"""First date covered, first date after it not covered."""


@dataclass(frozen=True)
class UnitRecord:
    """One row of catalog.units."""

    unit_id: int
    dataset: str
    key: str
    size: int | None
    mtime_ns: int | None
    content_hash: str | None
    version: str | None
    covered_from: date | None
    covered_to: date | None
    first_date: date | None
    last_date: date | None
    rows_in: int
    rows_accepted: int
    rows_refused: int
    has_duplicates: bool
    load_id: int
    loaded_at: datetime
    checked_at: datetime
    is_vanished: bool
    error: str | None


@dataclass(frozen=True)
class UnitChange:
    """What one load did to one unit."""

    rows_added: int = 0
    rows_replaced: int = 0
    refused_added: int = 0
    refused_retired: int = 0
    is_changed: bool = False
    """Whether anything a reader of current rows could see is different."""
    has_moved_lines: bool = False
    """Whether rows that stayed now stand elsewhere in a file where the later line wins."""


_NAMES = [f.name for f in fields(UnitRecord)]


def read_units(
    cursor: Connection, dataset: str, keys: Sequence[str] | None = None
) -> dict[str, UnitRecord]:
    """The ledger of `dataset` by unit key; of the given keys only, where some are given."""
    query = f"select {', '.join(_NAMES)} from catalog.units where dataset = ?"
    parameters: list[object] = [dataset]
    if keys is not None:
        query += " and key in (select unnest(?))"
        parameters.append(list(keys))
    with engine_errors():
        rows = cursor.execute(query, parameters).fetchall()
    return {record.key: record for record in (UnitRecord(*row) for row in rows)}


def write_units(cursor: Connection, records: Iterable[UnitRecord]) -> None:
    """Put `records` in the ledger in place of those with the same unit_id."""
    rows = list(records)
    if not rows:
        return
    cursor.execute(
        "delete from catalog.units where unit_id in (select unnest(?::bigint[]))",
        [[row.unit_id for row in rows]],
    )
    columns = columns_of(UnitRecord)
    values = [[getattr(row, name) for row in rows] for name in columns]
    insert_values(cursor, "units", columns, values)


def dataset_version(cursor: Connection, dataset: str) -> str:
    """A hash of the content of `dataset`: of the versions of its units, in the order of their keys."""
    with engine_errors():
        rows = cursor.execute(
            "select key, version from catalog.units where dataset = ? and version is not null order by key",
            [dataset],
        ).fetchall()
    digest = hashlib.blake2b(digest_size=16)
    for key, version in rows:
        digest.update(f"{key}\0{version}\n".encode())
    return digest.hexdigest()


def unchanged(
    known: UnitRecord, report: UnitReport, change: UnitChange, now: datetime
) -> UnitRecord:
    """The record of a unit that was looked at and says what it said before."""
    refused = known.rows_refused + change.refused_added - change.refused_retired
    return replace(
        known,
        rows_refused=refused,
        rows_in=known.rows_accepted + refused,
        size=report.unit.size,
        mtime_ns=report.unit.mtime_ns,
        checked_at=stored_instant(now),
        is_vanished=False,
        error=None,
    )


def failed(known: UnitRecord, report: UnitReport, change: UnitChange, now: datetime) -> UnitRecord:
    """The record of a unit whose reading failed; its size and time stay, so that it is asked again."""
    refused = known.rows_refused + change.refused_added - change.refused_retired
    return replace(
        known,
        rows_refused=refused,
        rows_in=known.rows_accepted + refused,
        checked_at=stored_instant(now),
        error=report.error,
    )


def loaded(
    known: UnitRecord,
    report: UnitReport,
    change: UnitChange,
    *,
    mode: str,
    coverage: Coverage | None,
    load_id: int,
    now: datetime,
) -> UnitRecord:
    """The record of a unit after a load that succeeded."""
    accepted = known.rows_accepted + change.rows_added - change.rows_replaced
    refused = known.rows_refused + change.refused_added - change.refused_retired
    first, last = report.first_date, report.last_date
    if mode != "replace":
        first, last = _least(known.first_date, first), _greatest(known.last_date, last)
    covered = coverage or (report.first_date, _day_after(report.last_date))
    if mode != "replace":
        covered = _joined((known.covered_from, known.covered_to), covered)
    is_first = known.version is None
    return replace(
        known,
        size=report.unit.size,
        mtime_ns=report.unit.mtime_ns,
        content_hash=report.content_hash,
        version=_version(known, report, mode, load_id)
        if change.is_changed or is_first
        else known.version,
        covered_from=covered[0],
        covered_to=covered[1],
        first_date=first,
        last_date=last,
        rows_in=accepted + refused,
        rows_accepted=accepted,
        rows_refused=refused,
        has_duplicates=_may_hold_duplicates(known, report, mode),
        load_id=load_id,
        loaded_at=stored_instant(now),
        checked_at=stored_instant(now),
        is_vanished=False,
        error=None,
    )


def never_loaded(unit_id: int, dataset: str, key: str, now: datetime) -> UnitRecord:
    """The record of a unit the store hears of for the first time."""
    instant = stored_instant(now)
    return UnitRecord(
        unit_id, dataset, key, None, None, None, None, None, None, None, None,
        0, 0, 0, False, 0, instant, instant, False, None,
    )  # fmt: skip


def _version(known: UnitRecord, report: UnitReport, mode: str, load_id: int) -> str:
    """The content hash where that tells this content from the last, else a hash of the history."""
    if mode == "replace" and report.content_hash and report.content_hash != known.version:
        return report.content_hash
    history = (
        f"{known.version}\0{report.content_hash}\0{load_id if report.content_hash is None else ''}"
    )
    return hashlib.blake2b(history.encode(), digest_size=16).hexdigest()


def _may_hold_duplicates(known: UnitRecord, report: UnitReport, mode: str) -> bool:
    if mode == "merge":
        return False
    if mode == "append":
        return report.has_duplicates or known.has_duplicates or known.rows_accepted > 0
    return report.has_duplicates


def _joined(old: Coverage, new: Coverage) -> Coverage:
    """Both intervals as one where they touch, else the new one: the ledger never claims a gap."""
    if None in old or None in new:
        return new if None in old else old
    if new[0] > old[1] or old[0] > new[1]:  # type: ignore[operator]  # no None is left
        return new
    return min(old[0], new[0]), max(old[1], new[1])  # type: ignore[type-var]  # no None is left


def _least(one: date | None, other: date | None) -> date | None:
    return min((d for d in (one, other) if d is not None), default=None)


def _greatest(one: date | None, other: date | None) -> date | None:
    return max((d for d in (one, other) if d is not None), default=None)


def _day_after(day: date | None) -> date | None:
    """None for none; the last date there is has no day after it and stays."""
    return day + timedelta(days=1) if day and day < date.max else day


@dataclass(frozen=True)
class Retention:
    """What is kept of the logs."""

    since: date | None = None
    """The first session kept; None: all are."""
    most_bytes: int | None = None
    """What all logs take in the file at most; None: as much as comes."""


@dataclass(frozen=True)
class SessionSize:
    """What one session of one log takes in the file."""

    dataset: str
    day: date
    rows: int
    size: float
    """Bytes, by the share of its rows in those of the log."""


def rows_to_forget(sessions: Iterable[SessionSize], excess: float) -> dict[tuple[str, date], float]:
    """Which share of each session is to go so that `excess` bytes do: whole days first, the oldest first.

    Of the last day that is needed every log loses the same share.
    """
    days: dict[date, list[SessionSize]] = {}
    for one in sessions:
        days.setdefault(one.day, []).append(one)
    found: dict[tuple[str, date], float] = {}
    for day in sorted(days):
        size = sum(one.size for one in days[day])
        if excess <= 0 or not size:
            continue
        found |= {(one.dataset, day): min(1.0, excess / size) for one in days[day] if one.rows}
        excess -= size
    return found


def forget(
    cursor: Connection, resources: Iterable[Resource], retention: Retention
) -> dict[str, int]:
    """Delete what `retention` does not keep, ledger and rows; the rows gone, by dataset."""
    logs = {f"raw.{one.table}": one for one in resources}
    gone = forget_before(cursor, logs.values(), retention.since) if retention.since else {}
    if retention.most_bytes is None:
        return gone
    sizes = {name: _bytes_of(cursor, one) for name, one in logs.items()}
    if (excess := sum(sizes.values()) - retention.most_bytes) <= 0:
        return gone
    # A little more than must be, so that this is not to be done at every look.
    excess += int(retention.most_bytes * _ROOM)
    sessions = [one for name, size in sizes.items() for one in _sessions_of(cursor, name, size)]
    for (name, day), share in rows_to_forget(sessions, excess).items():
        rows = _forget_share(cursor, logs[name], day, share)
        gone[name] = gone.get(name, 0) + rows
    return gone


def _bytes_of(cursor: Connection, resource: Resource) -> int:
    """What a log takes in the file, as of the last checkpoint."""
    ((blocks,),) = cursor.execute(
        "select count(distinct block_id) from pragma_storage_info(?) where persistent",
        [f"raw.{resource.table}"],
    ).fetchall()
    ((size,),) = cursor.execute("select block_size from pragma_database_size() limit 1").fetchall()
    return int(blocks) * int(size)


def _sessions_of(cursor: Connection, dataset: str, size: int) -> list[SessionSize]:
    units = read_units(cursor, dataset).values()
    rows = sum(unit.rows_accepted for unit in units)
    return [
        SessionSize(
            dataset, date.fromisoformat(u.key), u.rows_accepted, size * u.rows_accepted / rows
        )
        for u in units
        if rows
    ]


def _forget_share(cursor: Connection, resource: Resource, day: date, share: float) -> int:
    """Delete the first rows of a session, so much of it; how many they were."""
    dataset, table = f"raw.{resource.table}", raw_name(resource)
    unit = read_units(cursor, dataset, [day.isoformat()])[day.isoformat()]
    if share >= 1:
        cursor.execute(f"delete from {table} where unit_id = ?", [unit.unit_id])
        cursor.execute("delete from catalog.units where unit_id = ?", [unit.unit_id])
        return unit.rows_accepted
    ((rows,),) = cursor.execute(
        f"delete from {table} where unit_id = ? and arrival <="
        f" (select approx_quantile(arrival, {share:.6f}) from {table} where unit_id = ?)",
        [unit.unit_id, unit.unit_id],
    ).fetchall()
    left = replace(unit, rows_accepted=unit.rows_accepted - rows, rows_in=unit.rows_in - rows)
    write_units(cursor, [left])
    return int(rows)


def forget_before(cursor: Connection, resources: Iterable[Resource], day: date) -> dict[str, int]:
    """Delete the sessions of each log before `day`, ledger and rows; the rows gone, by dataset."""
    gone: dict[str, int] = {}
    for resource in resources:
        dataset = f"raw.{resource.table}"
        units = [u for u in read_units(cursor, dataset).values() if date.fromisoformat(u.key) < day]
        ids = [unit.unit_id for unit in units]
        if not ids:
            continue
        listed = "unit_id in (select unnest(?::integer[]))"
        cursor.execute(f"delete from {raw_name(resource)} where {listed}", [ids])
        cursor.execute(f"delete from catalog.units where {listed}", [ids])
        gone[dataset] = sum(unit.rows_accepted for unit in units)
    return gone
