# SPDX-License-Identifier: Apache-2.0
"""The raw layer as it stood after an earlier load, rebuilt beside the published file.

Rows are never deleted: each says which load brought it and which one retired it, and the ledger
keeps how far every version of a unit reached. The published file is attached, never written.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.errors import StoreError
from ttapi.sqltext import identifier, literal
from ttapi.store.current_rows import current_order, is_settled_by_key, key_text
from ttapi.store.engine import Connection, connect_memory, engine_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ttapi.sources.contract import Resource

_SCHEMAS = ("raw", "staged", "derived", "catalog")


@dataclass(frozen=True)
class LoadPosition:
    """Where a published file stands in its own history."""

    generation: int
    newest_load_id: int
    """The last one given out."""
    load_id: int
    """The load `history` reaches to."""
    history: str
    """Hash of what every load up to that one did: two databases do not share it by chance."""


def read_position(
    ask: Callable[[str], list[tuple[Any, ...]]], upto: int | None = None
) -> LoadPosition:
    """Where the file that `ask` queries stands; with `upto`, where it stood after that load."""
    numbers = {
        name: int(value)
        for name, value in ask(
            "select name, value from catalog.meta where name in ('generation', 'last_load_id')"
        )
    }
    load_id = numbers["last_load_id"] if upto is None else upto
    rows = ask(
        "select load_id, dataset, batch_no, rows_in, rows_accepted, rows_refused, rows_added, rows_replaced,"
        f" epoch_us(loaded_at) from catalog.loads where load_id <= {load_id} order by 1, 2, 3"
    )
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        digest.update(repr(row).encode())
    return LoadPosition(numbers["generation"], numbers["last_load_id"], load_id, digest.hexdigest())


def open_past(file: Path) -> Connection:
    """An empty database in memory with the schemas of `file`, which is attached as `market`.

    Names mean the database in memory first. The caller closes it.
    """
    connection = connect_memory()
    with engine_errors(file):
        # One thread: sums of floating point come out alike each time.
        connection.execute("set threads = 1")
        connection.execute(f"attach {literal(str(file.resolve()))} as market (read_only)")
        for schema in _SCHEMAS:
            connection.execute(f"create schema {schema}")
    return connection


def show_raw_at(connection: Connection, resources: Mapping[str, Resource], load_id: int) -> None:
    """Have every raw table be what it was after `load_id`, on a connection made by `open_past`.

    *Raises* StoreError for a raw table that was loaded since and has none of `resources`, which
    are by dataset.
    """
    with engine_errors():
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'market' and schema_name = 'raw'"
        ).fetchall()
        _show_units(connection, load_id)
        for (table,) in tables:
            connection.execute(
                f"create or replace view raw.{identifier(table)} as"
                f" {_rows_at(connection, table, resources.get(f'raw.{table}'), load_id)}"
            )


def _show_units(connection: Connection, load_id: int) -> None:
    """The ledger's facts that do not fade: which unit, and the version it then had."""
    connection.execute(
        "create or replace view catalog.unit_versions as select v.* from market.catalog.unit_versions as v"
        f" where v.load_id <= {load_id}"
    )
    connection.execute(
        f"""
        create or replace view catalog.units as
        with versions as (
            select
                v.unit_id,
                max_by(struct_pack(h := v.content_hash, s := v.size, i := v.rows_in, a := v.rows_accepted,
                    r := v.rows_refused, d := v.last_date, l := v.loaded_at), v.load_id) as last,
                max(v.load_id) as load_id
            from market.catalog.unit_versions as v
            where v.load_id <= {load_id}
            group by v.unit_id
        )
        select
            u.unit_id, u.dataset, u.key, v.last.h as content_hash, v.last.s as size, v.last.i as rows_in,
            v.last.a as rows_accepted, v.last.r as rows_refused,
            case when u.load_id <= {load_id} then u.last_date else v.last.d end as last_date,
            v.load_id, v.last.l as loaded_at
        from market.catalog.units as u
        join versions as v using (unit_id)
        """
    )


def _rows_at(connection: Connection, table: str, resource: Resource | None, load_id: int) -> str:
    """SELECT of the rows of a raw table after `load_id`, with the columns it has."""
    source = f"market.raw.{identifier(table)}"
    is_gone = f"not {_standing('r', load_id)}"
    replaced = (
        f"case when {is_gone} then r.replaced_at end as replaced_at,"
        f" case when {is_gone} then r.replaced_by end as replaced_by"
    )
    if resource is None:
        _require_untouched(connection, table, load_id)
        return f"select r.* replace ({replaced}) from {source} as r where r.load_id <= {load_id}"
    keys = _touched_keys(connection, resource, load_id)
    if keys is not None and not keys:
        return f"select * from {source}"
    current = _standing("r", load_id)
    if resource.grain:
        grain = ", ".join(f"rows.{identifier(name)}" for name in resource.grain)
        winners = f"""
            select rows.rowid as rid
            from {source} as rows
            join (select unit_id, last_date, key as path from catalog.units) as units using (unit_id)
            where rows.load_id <= {load_id} and {_standing("rows", load_id)}
                and {_is_touched(resource, "rows", keys)}
            qualify row_number() over (partition by {grain} order by {current_order(resource)}) = 1
        """
        touched = _is_touched(resource, "r", keys)
        current = f"case when {touched} then r.rowid in ({winners}) else r.is_current end"
    return f"""
        select r.* replace ({replaced}, {current} as is_current)
        from {source} as r
        where r.load_id <= {load_id}
    """


def _standing(alias: str, load_id: int) -> str:
    """SQL for whether a row had not been retired by `load_id` or an earlier load."""
    return f"({alias}.replaced_at is null or coalesce({alias}.replaced_by > {load_id}, false))"


def _touched_keys(connection: Connection, resource: Resource, load_id: int) -> list[str] | None:
    """Keys under which later loads may have moved the current row; None: all of them."""
    rows = connection.execute(
        "select distinct key from market.catalog.changed_keys where dataset = ? and load_id > ?",
        [f"raw.{resource.table}", load_id],
    ).fetchall()
    keys = [key for (key,) in rows]
    if keys and (None in keys or not is_settled_by_key(resource)):
        return None
    return sorted(keys)


def _is_touched(resource: Resource, alias: str, keys: list[str] | None) -> str:
    if keys is None:
        return "true"
    return f"{key_text(resource, alias)} in ({', '.join(map(literal, keys))})"


def _require_untouched(connection: Connection, table: str, load_id: int) -> None:
    later = connection.execute(
        "select count(*) from market.catalog.loads where dataset = ? and load_id > ?",
        [f"raw.{table}", load_id],
    ).fetchall()
    if later[0][0]:
        raise StoreError(
            f"raw.{table} was loaded since by a source that is no longer installed",
            hint="install it again: it says which rows are one fact",
        )
