# SPDX-License-Identifier: Apache-2.0
"""Arrivals: one batch of a source, checked against itself and given the store's unit numbers.

Refused rows: kept with file, line and reason, and retired when their unit is read again.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ttapi.clock import stored_instant
from ttapi.errors import SourceError
from ttapi.store.engine import Connection, as_literal, update_rows
from ttapi.store.row_difference import registered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from ttapi.sources.contract import Batch, Resource, UnitReport
    from ttapi.store.ledger import UnitRecord

_TRUE = pa.Array.from_buffers(pa.bool_(), 1, [None, pa.py_buffer(b"\1")])


def int32s(numbers: Iterable[int]) -> pa.Array:
    """`numbers` as Arrow has them.

    Not by `pyarrow.array`, which imports pandas where it is installed, for nothing: half a second.
    """
    values = array("i", numbers)
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values)])


@dataclass(frozen=True)
class IncomingUnit:
    """One reported unit, and what the ledger says of it so far."""

    report: UnitReport
    record: UnitRecord

    @property
    def is_loaded(self) -> bool:
        """Whether rows (perhaps none) follow: it neither failed nor stands as it was."""
        return self.report.error is None and not self.report.is_unchanged

    @property
    def is_first(self) -> bool:
        """Whether no load of this unit ever succeeded."""
        return self.record.load_id == 0

    @property
    def rows_accepted(self) -> int:
        """How many rows it must have sent."""
        return self.report.rows_accepted if self.is_loaded else 0

    @property
    def rows_refused(self) -> int:
        """How many rejects it must have sent; a failed unit may send the lines that failed it."""
        return 0 if self.report.is_unchanged else self.report.rows_refused


@dataclass(frozen=True)
class IncomingBatch:
    """A batch ready to be stored.

    *Shape* `rows`: the declared columns, unit_id (int32), line, known_at, position (int64, the
    row's place in the batch). `rejects`: unit_id, file (the unit's key), line, reason, text.
    """

    units: tuple[IncomingUnit, ...]
    rows: pa.Table | None
    rejects: pa.Table | None

    def rows_of(self, units: list[IncomingUnit]) -> pa.Table | None:
        """The rows of some of the units; None where there are none."""
        if self.rows is None or not units:
            return None
        if len(units) == sum(unit.is_loaded for unit in self.units):
            return self.rows
        ids = int32s(unit.record.unit_id for unit in units)
        rows = self.rows.filter(pc.is_in(self.rows["unit_id"], value_set=ids))
        return rows if rows.num_rows else None


def check_batch(
    batch: Batch, resource: Resource, records: Mapping[str, UnitRecord]
) -> IncomingBatch:
    """The batch with unit numbers from `records` (by unit key) in place of positions.

    *Raises* SourceError naming the unit or column where the batch contradicts itself.
    """
    units = tuple(IncomingUnit(report, records[report.unit.key]) for report in batch.units)
    _check_reports(resource, units)
    _check_counts(resource, units, batch.rows, "accepted")
    _check_counts(resource, units, batch.rejects, "refused")
    return IncomingBatch(
        units, _numbered_rows(resource, units, batch.rows), _numbered_rejects(units, batch.rejects)
    )


def key_changes(rows: pa.Table, resource: Resource) -> pa.Table:
    """The rows at which the unit or the tracked key differs from the row before; all other rows repeat them.

    Rows of a file mostly share a symbol: a few hundred rows stand for a few hundred thousand.
    """
    names = ["unit_id", *([resource.tracked_by] if resource.tracked_by else [])]
    table = rows.select(names).unify_dictionaries().combine_chunks()
    differs = [_differs_from_before(table[name].combine_chunks()) for name in names]
    changes = differs[0] if len(differs) == 1 else pc.or_(*differs)
    return table.filter(pa.concat_arrays([_TRUE, changes]))


def _differs_from_before(values: pa.Array) -> pa.Array:
    codes = values.indices if isinstance(values, pa.DictionaryArray) else values
    return pc.fill_null(pc.not_equal(codes[1:], codes[:-1]), _TRUE[0])


def _check_reports(resource: Resource, units: tuple[IncomingUnit, ...]) -> None:
    counts = Counter(unit.report.unit.key for unit in units)
    for unit in units:
        report, key = unit.report, unit.report.unit.key
        if counts[key] > 1:
            raise SourceError(
                f"{resource.table}: unit {key!r} is reported {counts[key]} times in one batch"
            )
        if report.rows_in != report.rows_accepted + report.rows_refused:
            raise SourceError(
                f"{resource.table}: unit {key!r} reports {report.rows_in} rows in,"
                f" {report.rows_accepted} accepted and {report.rows_refused} refused, which do not add up"
            )
        if report.is_unchanged and unit.is_first:
            raise SourceError(
                f"{resource.table}: unit {key!r} is reported unchanged and was never loaded"
            )


def _check_counts(
    resource: Resource, units: tuple[IncomingUnit, ...], table: pa.Table | None, fate: str
) -> None:
    sent: dict[int, int] = {}
    if table is not None and table.num_rows:
        pairs = pc.value_counts(table["unit"].combine_chunks())
        sent = {pair["values"]: pair["counts"] for pair in pairs.to_pylist()}
    if any(index is None or not 0 <= index < len(units) for index in sent):
        raise SourceError(f"{resource.table}: a row names a unit that its batch does not report")
    for index, unit in enumerate(units):
        wanted = unit.rows_accepted if fate == "accepted" else unit.rows_refused
        if sent.get(index, 0) != wanted:
            raise SourceError(
                f"{resource.table}: unit {unit.report.unit.key!r} reports {wanted} rows {fate}"
                f" and sent {sent.get(index, 0)}"
            )


def _numbered_rows(
    resource: Resource, units: tuple[IncomingUnit, ...], rows: pa.Table | None
) -> pa.Table | None:
    if rows is None or not rows.num_rows:
        return None
    names = [column.name for column in resource.columns]
    missing = [
        name for name in (*names, "unit", "line", "known_at") if name not in rows.column_names
    ]
    if missing:
        raise SourceError(
            f"{resource.table}: the batch lacks column {missing[0]!r}",
            hint="declared columns, unit, line, known_at",
        )
    return pa.table(
        {
            **{name: rows[name] for name in names},
            "unit_id": _unit_ids(units, rows),
            "line": rows["line"],
            "known_at": rows["known_at"],
            "position": pa.arange(0, rows.num_rows),
        }
    )


def _numbered_rejects(units: tuple[IncomingUnit, ...], rejects: pa.Table | None) -> pa.Table | None:
    if rejects is None or not rejects.num_rows:
        return None
    files = pa.array([unit.report.unit.key for unit in units], pa.string())
    return pa.table(
        {
            "unit_id": _unit_ids(units, rejects),
            "file": pc.take(files, rejects["unit"]),
            "line": rejects["line"],
            "reason": rejects["reason"],
            "text": rejects["text"],
        }
    )


def _unit_ids(units: tuple[IncomingUnit, ...], table: pa.Table) -> pa.ChunkedArray:
    ids = int32s(unit.record.unit_id for unit in units)
    return pc.take(ids, table["unit"])


# A merged slice is asked again and again; what it refused before is not refused twice.
_UNSEEN = """
not exists (
    select 1 from raw.rejects as old
    where old.unit_id = r.unit_id and old.replaced_at is null
        and old.line is not distinct from r.line
        and old.reason = r.reason
        and old.text is not distinct from left(r.text, 500)
)
"""


@dataclass(frozen=True)
class Refusals:
    """Rejects that came to stand, and that ceased to, per unit_id."""

    added: Counter[int]
    retired: Counter[int]


def store_rejects(
    cursor: Connection,
    resource: Resource,
    dataset: str,
    arrivals: IncomingBatch,
    *,
    load_id: int,
    now: datetime,
) -> Refusals:
    """Retire the rejects that re-read units no longer have, and keep those that arrived.

    What a replace unit refused before is retired with its content. A failed reading leaves the
    rejects of the last good one standing, beside its own, until a good one follows.
    """
    retiring = f"replaced_at = {as_literal(now)}, replaced_by = {load_id}"
    retired = _retire(cursor, resource, arrivals, retiring)
    if arrivals.rejects is None:
        return Refusals(Counter(), retired)
    unseen = _UNSEEN if resource.mode == "merge" else "true"
    with registered(cursor, "refused", arrivals.rejects):
        rows = cursor.execute(
            f"""
            insert into raw.rejects
            select ?, r.unit_id, r.file, r.line, r.reason, left(r.text, 500), ?, ?, null, null
            from refused as r
            where {unseen}
            returning unit_id
            """,
            [dataset, load_id, stored_instant(now)],
        ).fetchall()
    return Refusals(Counter(unit_id for (unit_id,) in rows), retired)


def _retire(
    cursor: Connection, resource: Resource, arrivals: IncomingBatch, retiring: str
) -> Counter[int]:
    entirely = [u.record.unit_id for u in arrivals.units if _retires_all(resource, u)]
    attempts = {
        u.record.unit_id: u.record.load_id for u in arrivals.units if not _retires_all(resource, u)
    }
    if not any(u.record.rows_refused for u in arrivals.units):
        return Counter()
    rows = cursor.execute(
        """
        select rowid, unit_id, load_id from raw.rejects
        where replaced_at is null and unit_id in (select unnest(?))
        """,
        [[*entirely, *attempts]],
    ).fetchall()
    gone = [
        (rid, unit) for rid, unit, load in rows if unit not in attempts or load > attempts[unit]
    ]
    if gone:
        rids = ", ".join(str(rid) for rid, _ in gone)
        picked = f"(select unnest([{rids}]::bigint[]) as rid)"
        update_rows(cursor, "raw.rejects", retiring, picked)
    return Counter(unit for _, unit in gone)


def _retires_all(resource: Resource, unit: IncomingUnit) -> bool:
    return resource.mode == "replace" and unit.is_loaded
