# SPDX-License-Identifier: Apache-2.0
"""Refused rows: kept with file, line and reason, and retired when their unit is read again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.store.difference import registered
from ttapi.store.engine import Connection, as_literal, as_timestamp, update_rows

if TYPE_CHECKING:
    from datetime import datetime

    from ttapi.sources.contract import Resource
    from ttapi.store.arrivals import Arrival, Arrivals

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
    arrivals: Arrivals,
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
            [dataset, load_id, as_timestamp(now)],
        ).fetchall()
    return Refusals(Counter(unit_id for (unit_id,) in rows), retired)


def _retire(
    cursor: Connection, resource: Resource, arrivals: Arrivals, retiring: str
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


def _retires_all(resource: Resource, unit: Arrival) -> bool:
    return resource.mode == "replace" and unit.is_loaded
