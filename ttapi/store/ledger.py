# SPDX-License-Identifier: Apache-2.0
"""The coverage ledger: what the catalog says of each unit, and how one load changes it.

`rows_accepted` always equals the unit's live rows, `rows_refused` its live rejects, `rows_in` their
sum. `load_id` is that of the last load that succeeded, 0 when none ever did.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from ttapi.clock import stored_instant
from ttapi.store.catalog_rows import columns_of, insert_values
from ttapi.store.engine import Connection, engine_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ttapi.sources.contract import UnitReport

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
