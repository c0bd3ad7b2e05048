# SPDX-License-Identifier: Apache-2.0

"""The three ways rows enter a raw table: appended, as a unit's new content, or over their grain.

Each way adds to the table of concerned keys and answers, per unit, what it did. A row is never
deleted and never changed but for `replaced_at`, `replaced_by`, `is_current` and, where a file
holds duplicates, the `line` it moved to.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.sqltext import identifier, literal
from ttapi.store.current_rows import AFFECTED_KEYS, is_settled_by_key, key_text
from ttapi.store.engine import Connection, as_literal, update_rows
from ttapi.store.ledger import UnitChange
from ttapi.store.schema import raw_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from ttapi.sources.contract import Resource


@dataclass(frozen=True)
class LoadStamp:
    """What the store writes on every row of one load."""

    load_id: int
    now: datetime

    @property
    def instant(self) -> str:
        """SQL for now, UTC."""
        return as_literal(self.now)

    @property
    def retiring(self) -> str:
        """SQL assignments that retire a row."""
        return f"replaced_at = {self.instant}, replaced_by = {self.load_id}, is_current = false"

    def known_at(self, alias: str) -> str:
        """SQL for the natural known_at of an arriving row: never after now."""
        return (
            f"least(coalesce(cast({alias}.known_at as timestamp), {self.instant}), {self.instant})"
        )


@contextmanager
def registered(cursor: Connection, name: str, table: pa.Table) -> Iterator[None]:
    """`table` under `name` on this cursor; after an exception the caller's rollback removes it."""
    cursor.register(name, table)
    yield
    cursor.unregister(name)


def append_rows(cursor: Connection, resource: Resource, rows: pa.Table, stamp: LoadStamp) -> None:
    """Add every row as it is."""
    with registered(cursor, "incoming", rows):
        cursor.execute(
            f"""
            insert into {raw_name(resource)} ({_names(resource)}, {_OWN})
            select {_cast(resource, "a")}, a.unit_id, a.line, {stamp.known_at("a")}, {stamp.load_id}, null, true, null
            from incoming as a
            """
        )
    from ttapi.store.arrivals import key_changes  # noqa: PLC0415 - brings Arrow's compute functions

    with registered(cursor, "incoming", key_changes(rows, resource)):
        cursor.execute(
            f"""
            insert into {AFFECTED_KEYS}
            select distinct a.unit_id, {key_text(resource, "a")}, true, true from incoming as a
            """
        )


def replace_rows(
    cursor: Connection,
    resource: Resource,
    rows: pa.Table | None,
    unit_ids: list[int],
    stamp: LoadStamp,
) -> dict[int, UnitChange]:
    """Make the live rows of known units equal to `rows`, as multisets over the declared columns."""
    units = ", ".join(str(unit_id) for unit_id in unit_ids)
    _arrange_arrived(cursor, resource, rows)
    _match_standing(cursor, resource, units)
    counted = cursor.execute(
        """
        select
            unit_id,
            count(*) filter (rid is null),
            count(*) filter (position is null)
        from matched
        group by unit_id
        """
    ).fetchall()
    changes = {
        unit_id: UnitChange(rows_added=added, rows_replaced=gone, is_changed=added + gone > 0)
        for unit_id, added, gone in counted
    }
    _note_concerned(cursor, resource, units)
    _insert_new(cursor, resource, units, stamp)
    gone = "(select rid from matched where position is null)"
    update_rows(cursor, raw_name(resource), stamp.retiring, gone)
    return changes


def _match_standing(cursor: Connection, resource: Resource, units: str) -> None:
    """The live rows of `units` in the temporary table `standing`, each beside its arriving twin in `matched`."""
    cursor.execute(
        f"""
        create or replace temp table standing as
        select
            {_names(resource)}, unit_id, line, rowid as rid,
            row_number() over (partition by unit_id, {_names(resource)} order by line nulls last, rowid) as nth
        from {raw_name(resource)}
        where unit_id in ({units}) and replaced_at is null
        """
    )
    same = " and ".join(
        f"old.{identifier(column.name)} is not distinct from new.{identifier(column.name)}"
        for column in resource.columns
    )
    cursor.execute(
        f"""
        create or replace temp table matched as
        select
            coalesce(old.unit_id, new.unit_id) as unit_id, old.rid, new.position,
            new.line as new_line, old.line is distinct from new.line as is_moved
        from standing as old
        full join arrived as new on old.unit_id = new.unit_id and old.nth = new.nth and {same}
        """
    )


def follow_lines(cursor: Connection, resource: Resource, unit_ids: list[int]) -> list[int]:
    """Move the rows that stayed to the lines they now stand on; the units where any moved."""
    units = ", ".join(str(unit_id) for unit_id in unit_ids) or "-1"
    cursor.execute(
        f"""
        create or replace temp table displaced as
        select unit_id, rid, new_line
        from matched
        where rid is not null and position is not null and is_moved and unit_id in ({units})
        """
    )
    moved = cursor.execute("select distinct unit_id from displaced").fetchall()
    if moved:
        update_rows(cursor, raw_name(resource), "line = picked.new_line", "displaced")
    return [unit_id for (unit_id,) in moved]


def _arrange_arrived(cursor: Connection, resource: Resource, rows: pa.Table | None) -> None:
    """The arriving rows, typed, each identical one numbered, in the temporary table `arrived`."""
    if rows is None:
        cursor.execute(
            f"""
            create or replace temp table arrived as
            select {_names(resource)}, unit_id, line, known_at, rowid as position, rowid as nth
            from {raw_name(resource)} limit 0
            """
        )
        return
    with registered(cursor, "incoming", rows):
        cursor.execute(
            f"""
            create or replace temp table arrived as
            with typed as (
                select {_cast(resource, "i")}, i.unit_id, i.line, i.known_at, i.position from incoming as i
            )
            select
                *,
                row_number() over (
                    partition by unit_id, {_names(resource)} order by line nulls last, position
                ) as nth
            from typed
            """
        )


def _note_concerned(cursor: Connection, resource: Resource, units: str) -> None:
    cursor.execute(
        f"""
        insert into {AFFECTED_KEYS}
        select distinct a.unit_id, {key_text(resource, "a")}, m.rid is null, true
        from arrived as a join matched as m using (position)
        union
        select distinct s.unit_id, {key_text(resource, "s")}, true, false
        from standing as s join matched as m using (rid)
        where m.position is null
        union
        select unit_id, key, false, false from catalog.unit_keys where unit_id in ({units})
        """
    )


def _insert_new(cursor: Connection, resource: Resource, units: str, stamp: LoadStamp) -> None:
    """Insert what has no standing twin; a grain this unit had before is a changed fact, known now."""
    table = raw_name(resource)
    natural = stamp.known_at("a")
    known_at, earlier = natural, ""
    if resource.grain:
        grain = ", ".join(identifier(name) for name in resource.grain)
        same = " and ".join(
            f"a.{identifier(g)} is not distinct from before.{identifier(g)}" for g in resource.grain
        )
        known_at = f"case when before.unit_id is not null then {stamp.instant} else {natural} end"
        earlier = f"""
            left join (select distinct unit_id, {grain} from {table} where unit_id in ({units})) as before
                on before.unit_id = a.unit_id and {same}
            """
    cursor.execute(
        f"""
        insert into {table} ({_names(resource)}, {_OWN})
        select {_names(resource, "a")}, a.unit_id, a.line, {known_at}, {stamp.load_id}, null, true, null
        from arrived as a
        join matched as m on m.position = a.position and m.rid is null
        {earlier}
        """
    )


def merge_rows(
    cursor: Connection, resource: Resource, rows: pa.Table, stamp: LoadStamp
) -> dict[int, UnitChange]:
    """Put each row in place of the live row of its unit and grain, if it says something else.

    Rows of one grain within the batch follow each other by known_at, line and position, as if each
    had come in a batch of its own; if the last of them says what stands, nothing happened.
    """
    table = raw_name(resource)
    units = _arrange_in_turn(cursor, resource, rows, stamp)
    _keep_differing(cursor, resource, units)
    gone = "(select distinct standing_rid as rid from kept where standing_rid is not null)"
    update_rows(cursor, table, stamp.retiring, gone)
    cursor.execute(
        f"""
        insert into {table} ({_names(resource)}, {_OWN})
        select
            {_names(resource, "k")}, k.unit_id, k.line,
            case when k.is_new_fact then k.known_at else {stamp.instant} end,
            {stamp.load_id},
            case when k.is_last then null else {stamp.instant} end,
            k.is_last,
            case when k.is_last then null else {stamp.load_id} end
        from kept as k
        """
    )
    cursor.execute(
        f"""
        insert into {AFFECTED_KEYS}
        select distinct k.unit_id, {key_text(resource, "k")}, true, true from kept as k
        """
    )
    counted = cursor.execute(
        """
        select unit_id, count(*), count(distinct standing_rid) + count(*) filter (not is_last)
        from kept
        group by unit_id
        """
    ).fetchall()
    return {
        unit_id: UnitChange(rows_added=added, rows_replaced=gone, is_changed=True)
        for unit_id, added, gone in counted
    }


def _arrange_in_turn(
    cursor: Connection, resource: Resource, rows: pa.Table, stamp: LoadStamp
) -> str:
    """The arriving rows, numbered within their grain, in the temporary table `arrived`; their units, for SQL."""
    grain = ", ".join(identifier(name) for name in resource.grain) or "position"
    with registered(cursor, "incoming", rows):
        units = ", ".join(
            str(unit_id)
            for (unit_id,) in cursor.execute("select distinct unit_id from incoming").fetchall()
        )
        cursor.execute(
            f"""
            create or replace temp table arrived as
            with typed as (
                select {_cast(resource, "i")}, i.unit_id, i.line, {stamp.known_at("i")} as known_at, i.position
                from incoming as i
            )
            select
                *,
                row_number() over (partition by unit_id, {grain} order by known_at, line nulls first, position) as nth
            from typed
            """
        )
    return units


def _keep_differing(cursor: Connection, resource: Resource, units: str) -> None:
    """The arriving rows that differ from the row before them, in the temporary table `kept`."""
    grain = ", ".join(identifier(name) for name in resource.grain) or "position"
    same_grain = (
        " and ".join(
            f"a.{identifier(g)} is not distinct from old.{identifier(g)}" for g in resource.grain
        )
        or "false"
    )
    cursor.execute(
        f"""
        create or replace temp table kept as
        with standing as (
            select {_names(resource)}, unit_id, rowid as rid
            from {raw_name(resource)}
            where unit_id in ({units}) and replaced_at is null and {_may_share_grain(cursor, resource)}
        ),
        compared as (
            select
                a.*,
                old.rid as standing_rid,
                row({_names(resource, "a")}) as said,
                row({_names(resource, "old")}) as said_first,
                lag(row({_names(resource, "a")})) over (
                    partition by a.unit_id, {_prefixed(grain, "a")} order by a.nth
                ) as said_before,
                first_value(row({_names(resource, "a")})) over (
                    partition by a.unit_id, {_prefixed(grain, "a")} order by a.nth desc
                ) as said_last
            from arrived as a
            left join standing as old on old.unit_id = a.unit_id and {same_grain}
        ),
        differing as (
            select *
            from compared
            where (standing_rid is null or said_last is distinct from said_first)
                and case
                    when nth > 1 then said is distinct from said_before
                    else standing_rid is null or said is distinct from said_first
                end
        )
        select
            * exclude (said, said_first, said_before, said_last),
            nth = 1 and standing_rid is null as is_new_fact,
            row_number() over (partition by unit_id, {grain} order by nth desc) = 1 as is_last
        from differing
        """
    )


def _may_share_grain(cursor: Connection, resource: Resource) -> str:
    """SQL that spares comparing with standing rows of other tracked keys: snapshots only ever add up."""
    if not is_settled_by_key(resource):
        return "true"
    key = f"cast({identifier(str(resource.tracked_by))} as varchar)"
    keys = cursor.execute(f"select distinct {key} from arrived limit {_KEYS_LISTED + 1}").fetchall()
    if len(keys) > _KEYS_LISTED or (None,) in keys:
        return "true"
    listed = ", ".join(literal(text) for (text,) in keys)
    return f"{key} in ({listed or 'null'})"


_KEYS_LISTED = 1000
"""Keys up to which a scan is told them: it then skips the blocks that hold none."""
_OWN = "unit_id, line, known_at, load_id, replaced_at, is_current, replaced_by"


def _names(resource: Resource, alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(f"{prefix}{identifier(column.name)}" for column in resource.columns)


def _cast(resource: Resource, alias: str) -> str:
    return ", ".join(
        f"cast({alias}.{identifier(column.name)} as {column.type}) as {identifier(column.name)}"
        for column in resource.columns
    )


def _prefixed(names: str, alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in names.split(", "))
