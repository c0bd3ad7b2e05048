# SPDX-License-Identifier: Apache-2.0
"""A copy of the published file for somebody else: the same relations, nothing private.

Private rows are never written to the copy, so no block of it can hold what a deletion left. A view
or macro that would lead nowhere is left out.
"""

from __future__ import annotations

import errno
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from ttapi.errors import DiskFullError, StoreError, UsageError
from ttapi.home import refuse_home_path
from ttapi.sqltext import identifier, literal
from ttapi.store.engine import (
    STORAGE_VERSION,
    Connection,
    connect_memory,
    engine_errors,
    inspect_file,
)
from ttapi.store.files import remove, sync_file, sync_folder, temporary_name
from ttapi.store.reader import published_file

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from ttapi.home import Home

_ACCOUNT = "account_number"
"""No column whose name holds this is shared, whatever its dataset."""
_DATASET_COLUMNS = ("dataset", "relation", "upstream", "upstream_relation")
"""Columns of the catalog and of the rejects that name a dataset: rows about a private one stay at home."""
_META = "name in ('generation', 'last_load_id')"
"""What is said of the file itself; the rest is between the home and its models."""


@dataclass(frozen=True)
class SharedDatabase:
    """What was written."""

    file: Path
    size: int
    """Bytes."""
    left_out: tuple[str, ...]
    """Tables, columns, views and macros that the copy lacks, as `schema.name` or `schema.name.column`."""


def share_database(home: Home, target: Path, private: Collection[str]) -> SharedDatabase:
    """Write the newest published generation to `target` without the relations `private` names.

    A private relation (`raw.accounts`) is to be named with all that reads it; those the file itself
    declares private stay out anyway.

    *Raises* UsageError for a target that exists, cannot be written or is ttapi's own; StoreError.
    """
    refuse_home_path(target)
    if target.exists():
        raise UsageError(f"{target} exists already", hint="move it away, or name another file")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.absolute().parent} is no folder", hint="make it first")
    building = temporary_name(target)
    public = published_file(home)
    inspect_file(public)
    remove(building)
    try:
        with closing(connect_memory()) as connection, engine_errors(target):
            connection.execute(f"attach {literal(str(public))} as market (read_only)")
            connection.execute(
                f"attach {literal(str(building))} as shared (storage_version '{STORAGE_VERSION}')"
            )
            connection.execute("use shared")
            left_out = _fill(connection, set(private))
            connection.execute("checkpoint shared")
            connection.execute("use memory")
            connection.execute("detach shared")
        sync_file(building)
        building.replace(target)
        sync_folder(target.absolute().parent)
    except OSError as exc:
        kind = (
            DiskFullError if exc.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT} else StoreError
        )
        raise kind(f"{target} cannot be written: {exc.strerror}") from exc
    finally:
        remove(building)
        remove(building.with_name(f"{building.name}.wal"))
    return SharedDatabase(target, target.stat().st_size, tuple(left_out))


def _fill(connection: Connection, private: set[str]) -> list[str]:
    """Definitions first; what is private is dropped while everything is empty; then rows."""
    connection.execute("copy from database market to shared (schema)")
    private |= {
        row[0]
        for row in connection.execute(
            "select dataset from market.catalog.datasets where is_private"
        ).fetchall()
    }
    left_out = _drop_private(connection, private)
    left_out += _drop_accounts(connection)
    left_out += _drop_dangling(connection)
    for schema, table, columns in _tables(connection):
        _copy_rows(connection, schema, table, columns, sorted(private))
    return sorted(left_out)


def _copy_rows(
    connection: Connection, schema: str, table: str, columns: Sequence[str], private: list[str]
) -> None:
    name = f"{identifier(schema)}.{identifier(table)}"
    listed = ", ".join(identifier(column) for column in columns)
    is_book = schema == "catalog" or (schema, table) == ("raw", "rejects")
    told = [column for column in columns if is_book and column in _DATASET_COLUMNS]
    conditions = [
        f"coalesce({identifier(column)}, '') not in (select unnest(?))" for column in told
    ]
    if (schema, table) == ("catalog", "meta"):
        conditions = [_META]
    connection.execute(
        f"insert into shared.{name} ({listed}) select {listed} from market.{name}"
        f" where {' and '.join(['true', *conditions])}",
        [private] * len(told),
    )


def _drop_private(connection: Connection, private: set[str]) -> list[str]:
    dropped = []
    for kind, schema, name in _relations(connection):
        full = name if schema == "main" else f"{schema}.{name}"
        if full in private:
            _drop(connection, kind, schema, name)
            dropped.append(f"{schema}.{name}")
    return dropped


def _drop_accounts(connection: Connection) -> list[str]:
    rows = connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() as c"
        " where c.database_name = 'shared' and lower(c.column_name) like '%' || ? || '%'"
        " and c.table_oid in (select t.table_oid from duckdb_tables() as t"
        " where t.database_name = 'shared')",
        [_ACCOUNT],
    ).fetchall()
    for schema, table, column in rows:
        connection.execute(
            f"alter table {identifier(schema)}.{identifier(table)} drop column {identifier(column)}"
        )
    return [".".join(row) for row in rows]


def _drop_dangling(connection: Connection) -> list[str]:
    """Drop views and macros that cannot be bound, again and again: one may read another."""
    dropped: list[str] = []
    while True:
        dangling = [
            (kind, schema, name)
            for kind, schema, name in _relations(connection)
            if kind != "table" and not _binds(connection, kind, schema, name)
        ]
        if not dangling:
            return dropped
        for kind, schema, name in dangling:
            _drop(connection, kind, schema, name)
            dropped.append(f"{schema}.{name}")


def _binds(connection: Connection, kind: str, schema: str, name: str) -> bool:
    if kind == "macro":
        return True
    arguments = ""
    if kind == "macro table":
        parameters = connection.execute(
            "select max(len(parameters)) from duckdb_functions()"
            " where database_name = 'shared' and schema_name = ? and function_name = ?",
            [schema, name],
        ).fetchall()[0][0]
        arguments = f"({', '.join(['null'] * parameters)})"
    try:
        connection.execute(
            f"describe select * from {identifier(schema)}.{identifier(name)}{arguments}"
        ).fetchall()
    except duckdb.CatalogException:
        return False
    except duckdb.BinderException as exc:
        # Untyped arguments may fail to bind for their own sake; a column that is gone is another matter.
        return kind == "macro table" and "not found" not in str(exc)
    return True


def _relations(connection: Connection) -> list[tuple[str, str, str]]:
    """Kind, schema and name of everything that is defined in the copy."""
    rows: list[tuple[str, str, str]] = connection.execute(
        """
        select 'table', schema_name, table_name from duckdb_tables() where database_name = 'shared'
        union all
        select 'view', schema_name, view_name from duckdb_views() where database_name = 'shared' and not internal
        union
        select replace(function_type, 'table_macro', 'macro table'), schema_name, function_name
        from duckdb_functions() where database_name = 'shared' and function_type in ('macro', 'table_macro')
        order by all
        """
    ).fetchall()
    return rows


def _tables(connection: Connection) -> list[tuple[str, str, list[str]]]:
    rows: list[tuple[str, str, list[str]]] = connection.execute(
        """
        select t.schema_name, t.table_name, list(c.column_name order by c.column_index)
        from duckdb_tables() as t
        join duckdb_columns() as c
            on c.database_name = t.database_name and c.table_oid = t.table_oid
        where t.database_name = 'shared'
        group by all
        order by all
        """
    ).fetchall()
    return rows


def _drop(connection: Connection, kind: str, schema: str, name: str) -> None:
    connection.execute(f"drop {kind} shared.{identifier(schema)}.{identifier(name)}")
