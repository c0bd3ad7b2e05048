# SPDX-License-Identifier: Apache-2.0

"""Settling: of the live rows that share a grain, which one is current.

Within a replace resource the later unit (by last date, then by path) wins, then the later line;
elsewhere the fact known later. Ties end with the values themselves, so the order in which rows
were inserted decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.sqltext import identifier
from ttapi.store.engine import update_rows
from ttapi.store.schema import raw_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.sources.contract import Resource
    from ttapi.store.engine import Connection

AFFECTED_KEYS = "concerned_keys"
"""Temporary table (unit_id, key, is_touched, is_held): the tracked keys of the units a batch brought,
whether it added or retired rows under them, and whether the unit holds them now."""


def start_affected_keys(cursor: Connection) -> None:
    """Begin a batch: no key is concerned yet."""
    cursor.execute(
        f"create or replace temp table {AFFECTED_KEYS}"
        " (unit_id integer, key varchar, is_touched boolean, is_held boolean)"
    )


def key_text(resource: Resource, alias: str) -> str:
    """SQL for the tracked key of a row as text; the empty text where the resource has none."""
    if resource.tracked_by is None:
        return "''"
    return f"coalesce(cast({alias}.{identifier(resource.tracked_by)} as varchar), '')"


def is_settled_by_key(resource: Resource) -> bool:
    """Whether rows of one grain always share the tracked key, so that other keys can be left alone."""
    return resource.tracked_by in resource.grain


def find_conflicting(cursor: Connection, resource: Resource, dataset: str) -> set[str]:
    """Which of the concerned keys may hold several live rows of one grain, as the ledger now stands.

    Without a key inside the grain the answer is the empty key, standing for the whole resource.
    The loader asks before and after it writes the ledger: a key contested before may need a
    winner when its rival is gone.
    """
    if not resource.grain:
        return set()
    if not is_settled_by_key(resource):
        row = cursor.execute(
            "select count(*) > 1 or coalesce(bool_or(has_duplicates), false) from catalog.units"
            " where dataset = ? and rows_accepted > 0",
            [dataset],
        ).fetchall()
        return {""} if row[0][0] else set()
    rows = cursor.execute(
        f"""
        select held.key
        from catalog.unit_keys as held
        join catalog.units as units on units.unit_id = held.unit_id
        where held.dataset = ? and held.key in (select key from {AFFECTED_KEYS})
        group by held.key
        having count(distinct held.unit_id) > 1 or bool_or(units.has_duplicates)
        """,
        [dataset],
    ).fetchall()
    return {key for (key,) in rows}


def choose_current(
    cursor: Connection,
    resource: Resource,
    dataset: str,
    contested: set[str],
    *,
    since: object = None,
) -> set[str]:
    """Choose the current row of each grain under the contested keys; the keys where it moved.

    `since`: only rows whose time column is at or after it can be concerned; None: all.
    """
    if not contested:
        return set()
    _rank_grains(cursor, resource, dataset, contested, since)
    moved = {key for (key,) in cursor.execute("select distinct key from moved").fetchall()}
    if moved:
        update_rows(cursor, raw_name(resource), "is_current = picked.wins", "moved")
    cursor.execute("drop table moved")
    return moved


def _rank_grains(
    cursor: Connection, resource: Resource, dataset: str, contested: set[str], since: object
) -> None:
    """The rows that are to become current, or to be it no more, in the temporary table `moved`."""
    conditions = ["rows.replaced_at is null"]
    parameters: list[object] = [dataset]
    if is_settled_by_key(resource):
        units = _units_holding(cursor, dataset, contested)
        conditions += [
            f"rows.unit_id in ({units})",
            f"{key_text(resource, 'rows')} in (select unnest(?))",
        ]
        parameters.append(sorted(contested))
    if since is not None and resource.time_column in resource.grain:
        conditions.append(f"rows.{identifier(str(resource.time_column))} >= ?")
        parameters.append(since)
    grain = ", ".join(f"rows.{identifier(name)}" for name in resource.grain)
    cursor.execute(
        f"""
        create or replace temp table moved as
        with ranked as (
            select
                rows.rowid as rid,
                {key_text(resource, "rows")} as key,
                rows.is_current,
                row_number() over (partition by {grain} order by {current_order(resource)}) = 1 as wins
            from {raw_name(resource)} as rows
            join (select unit_id, last_date, key as path from catalog.units where dataset = ?) as units
                on units.unit_id = rows.unit_id
            where {" and ".join(conditions)}
        )
        select rid, key, wins from ranked where wins <> is_current
        """,
        parameters,
    )


def _units_holding(cursor: Connection, dataset: str, keys: set[str]) -> str:
    rows = cursor.execute(
        "select distinct unit_id from catalog.unit_keys where dataset = ? and key in (select unnest(?))",
        [dataset, sorted(keys)],
    ).fetchall()
    return ", ".join(str(int(unit_id)) for (unit_id,) in rows) or "-1"


def current_order(resource: Resource) -> str:
    """SQL for the order of rows of one grain, the current one first: of `rows`, joined to `units`."""
    latest: Sequence[str] = ("rows.known_at", "rows.load_id", "rows.line")
    if resource.mode == "replace":
        latest = ("units.last_date", "units.path", "rows.line")
    values = [f"rows.{identifier(column.name)}" for column in resource.columns]
    return ", ".join(f"{term} desc nulls last" for term in (*latest, *values, "units.path"))
