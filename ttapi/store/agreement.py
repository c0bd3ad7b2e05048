# SPDX-License-Identifier: Apache-2.0
"""The ledger against the data: whether what the catalog says was loaded is what the tables hold.

Every load writes its rows and its ledger in one transaction, so they can only part when bytes of
another database found their way in: the engine applies a strange write-ahead log without a word.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ttapi.store.engine import Connection, connect_snapshot, engine_errors, read_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TWICE = {
    "unit": "select unit_id::varchar from catalog.units group by unit_id having count(*) > 1 limit 1",
    "batch": "select load_id || '/' || dataset || '/' || batch_no from catalog.loads"
    " group by load_id, dataset, batch_no having count(*) > 1 limit 1",
    "state of": "select dataset from catalog.state group by dataset having count(*) > 1 limit 1",
}


def disagreements(file: Path) -> list[str]:
    """Where ledger and data of `file` part, a sentence each; empty: nowhere.

    *Raises* StoreError, QueryError where the file cannot be read at all.
    """
    with closing(connect_snapshot(file)) as connection, engine_errors(file):
        return [
            *_repeated(connection),
            *_from_the_future(connection),
            *(
                line
                for table in _loaded_tables(connection)
                for line in _miscounted(connection, table)
            ),
            *_miscounted_rejects(connection),
        ]


def last_load(file: Path) -> int:
    """The last load_id that `file` gave out."""
    with closing(connect_snapshot(file)) as connection, engine_errors(file):
        return read_number(connection, "last_load_id")


def _repeated(connection: Connection) -> list[str]:
    found = []
    for what, query in _TWICE.items():
        rows = connection.execute(query).fetchall()
        found += [f"the catalog has {what} {row[0]} twice" for row in rows]
    return found


def _from_the_future(connection: Connection) -> list[str]:
    given = read_number(connection, "last_load_id")
    rows = connection.execute("select max(load_id) from catalog.loads").fetchall()
    newest = rows[0][0] or 0
    return [f"load {newest} is stored, and {given} was the last begun"] if newest > given else []


def _loaded_tables(connection: Connection) -> Sequence[str]:
    """The raw tables that the ledger speaks of and that keep their rows by unit."""
    rows = connection.execute(
        "select distinct u.dataset from catalog.units as u join duckdb_columns() as c"
        " on u.dataset = c.schema_name || '.' || c.table_name"
        " where c.database_name = current_database() and c.column_name = 'unit_id' order by all"
    ).fetchall()
    return [row[0] for row in rows]


def _miscounted(connection: Connection, dataset: str) -> list[str]:
    schema, _, table = dataset.partition(".")
    rows = connection.execute(
        f"""
        with stored as (
            select r.unit_id, count(*) as stored
            from "{schema}"."{table}" as r
            where r.replaced_at is null
            group by r.unit_id
        )
        select
            coalesce(u.key, 'unit ' || s.unit_id),
            coalesce(u.rows_accepted, 0),
            coalesce(s.stored, 0)
        from (select * from catalog.units where dataset = ?) as u
        full join stored as s
            on s.unit_id = u.unit_id
        where coalesce(u.rows_accepted, 0) <> coalesce(s.stored, 0)
        order by all
        """,
        [dataset],
    ).fetchall()
    return _told(dataset, "rows", rows)


def _miscounted_rejects(connection: Connection) -> list[str]:
    rows = connection.execute(
        """
        with stored as (
            select r.unit_id, count(*) as stored
            from raw.rejects as r
            where r.replaced_at is null
            group by r.unit_id
        )
        select
            coalesce(u.key, 'unit ' || s.unit_id),
            coalesce(u.rows_refused, 0),
            coalesce(s.stored, 0)
        from catalog.units as u
        full join stored as s
            on s.unit_id = u.unit_id
        where coalesce(u.rows_refused, 0) <> coalesce(s.stored, 0)
        order by all
        """
    ).fetchall()
    return _told("raw.rejects", "refused rows", rows)


def _told(table: str, what: str, rows: Sequence[tuple[str, int, int]]) -> list[str]:
    if not rows:
        return []
    key, said, stored = rows[0]
    more = f"; {len(rows) - 1:,} more units differ" if len(rows) > 1 else ""
    return [f"{table} holds {stored:,} {what} of {key} where the ledger says {said:,}{more}"]
