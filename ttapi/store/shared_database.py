# SPDX-License-Identifier: Apache-2.0
"""A copy of the published file for somebody else: the same relations, nothing private.

Private rows are never written to the copy, so no block of it can hold what a deletion left. A view
or macro that would lead nowhere is left out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
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
from ttapi.store.file_copy import COPY, run_child
from ttapi.store.files import (
    kept_copy,
    remove,
    remove_unused_copies,
    sync_file,
    sync_folder,
    temporary_name,
)
from ttapi.store.reader import published_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ttapi.home import Home

_ACCOUNT = "account_number"
"""No column whose name holds this is shared, whatever its dataset."""
_DATASET_COLUMNS = ("dataset", "relation", "upstream", "upstream_relation")
"""Columns of the catalog and of the rejects that name a dataset: rows about a private one stay at home."""
_SHARED = "shared."
"""How the name of a kept copy begins."""
_SHARED_IN_PART = "shared-"
"""As that, of one that hides more than what is private."""
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


class SharedSnapshots:
    """Copies of published files in which nothing hidden is, one a generation, kept for their readers.

    A copy is made of blocks, and what is private is dropped from it: a fifth of the time that writing
    its rows takes. Bytes of what was dropped may lie in it, so it is for its owner alone, and for
    readers that reach it through the engine only.
    """

    def __init__(self, home: Home, hidden: Callable[[], Collection[str]] = frozenset) -> None:
        """`hidden`: datasets that are hidden beside those which the file itself declares private."""
        self._home, self._hidden = home, hidden
        self._lock = threading.Lock()
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._kept: int | None = None
        """Descriptor of the copy that is handed out."""

    def of(self, published: Path) -> Path:
        """The copy of `published`, made where there is none; older ones are gone, for who has none open.

        *Raises* StoreError, DiskFullError.
        """
        number = published.name.removeprefix("market.").removesuffix(".duckdb")
        hidden = sorted(self._hidden())
        kind, tag = _SHARED, ""
        if hidden:
            kind = _SHARED_IN_PART
            tag = hashlib.blake2b(repr(hidden).encode(), digest_size=4).hexdigest() + "."
        name = f"{kind}{tag}{number}.{published.stat().st_mtime_ns:x}.duckdb"
        with self._lock:
            folder = self._folder()
            target = folder / name
            if not target.exists():
                _make_shared(published, target, hidden)
                for older in folder.glob(f"{kind}*.duckdb"):
                    if older != target:
                        remove(older)
            self._keep(target)
            return target

    def close(self) -> None:
        """Nothing; copies are gone, but those that others keep or have open."""
        with self._lock:
            self._keep(None)
            remove_unused_copies(self._home)
            if self._own is not None:
                self._own.cleanup()
                self._own = None

    def _keep(self, copy: Path | None) -> None:
        """Nothing; nobody takes that copy away, and any other is free."""
        kept, self._kept = self._kept, None if copy is None else kept_copy(copy)
        if kept is not None:
            os.close(kept)

    def _folder(self) -> Path:
        """The folder of the live file; where it cannot be written, one of this process's own."""
        if os.access(self._home.live, os.W_OK):
            return self._home.live
        if self._own is None:
            self._own = tempfile.TemporaryDirectory(prefix="ttapi-shared-")
        return Path(self._own.name)


def _make_shared(published: Path, target: Path, hidden: Collection[str]) -> None:
    building = temporary_name(target)
    remove(building)
    try:
        run_child(COPY, str(published), str(building))
        with closing(connect_memory()) as connection, engine_errors(target):
            connection.execute(f"attach {literal(str(building))} as shared")
            connection.execute("use shared")
            _empty_private(connection, hidden)
            connection.execute("checkpoint shared")
            connection.execute("use memory")
            connection.execute("detach shared")
        building.replace(target)
    except OSError as exc:
        raise StoreError(f"{target} cannot be written: {exc.strerror}") from exc
    finally:
        remove(building)
        remove(building.with_name(f"{building.name}.wal"))


def _empty_private(connection: Connection, hidden: Collection[str]) -> None:
    private = _declared_private(connection, "shared") | set(hidden)
    gone = [*_drop_private(connection, private), *_drop_accounts(connection)]
    # Binding all of them takes a second: what reads nothing that is gone is left alone.
    _drop_dangling(connection, [name.rpartition(".")[2].lower() for name in gone])
    for schema, table, columns in _tables(connection):
        kept, values = _kept_rows(schema, table, columns, sorted(private))
        if kept != "true":
            name = f"{identifier(schema)}.{identifier(table)}"
            connection.execute(f"delete from shared.{name} where not ({kept})", values)


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
    private |= _declared_private(connection, "market")
    left_out = _drop_private(connection, private)
    left_out += _drop_accounts(connection)
    left_out += _drop_dangling(connection)
    for schema, table, columns in _tables(connection):
        _copy_rows(connection, schema, table, columns, sorted(private))
    return sorted(left_out)


def _declared_private(connection: Connection, database: str) -> set[str]:
    """Datasets that the file itself declares private."""
    found = connection.execute(f"select dataset from {database}.catalog.datasets where is_private")
    return {row[0] for row in found.fetchall()}


def _copy_rows(
    connection: Connection, schema: str, table: str, columns: Sequence[str], private: list[str]
) -> None:
    name = f"{identifier(schema)}.{identifier(table)}"
    listed = ", ".join(identifier(column) for column in columns)
    kept, values = _kept_rows(schema, table, columns, private)
    connection.execute(
        f"insert into shared.{name} ({listed}) select {listed} from market.{name} where {kept}",
        values,
    )


def _kept_rows(
    schema: str, table: str, columns: Sequence[str], private: list[str]
) -> tuple[str, list[list[str]]]:
    """The condition of rows that say nothing of private datasets, and its values."""
    is_book = schema == "catalog" or (schema, table) == ("raw", "rejects")
    told = [column for column in columns if is_book and column in _DATASET_COLUMNS]
    conditions = [
        f"coalesce({identifier(column)}, '') not in (select unnest(?))" for column in told
    ]
    if (schema, table) == ("catalog", "meta"):
        return _META, []
    return " and ".join(conditions) or "true", [private] * len(told)


def _drop_private(connection: Connection, private: set[str]) -> list[str]:
    dropped = []
    for kind, schema, name in _relations(connection):
        full = name if schema == "main" else f"{schema}.{name}"
        if full in private:
            _drop(connection, kind, schema, name)
            dropped.append(f"{schema}.{name}")
    return dropped


def _drop_accounts(connection: Connection) -> list[str]:
    """Drop columns that hold account numbers, and views that show one."""
    rows = connection.execute(
        "select c.schema_name, c.table_name, c.column_name, v.view_name is not null"
        " from duckdb_columns() as c left join duckdb_views() as v"
        " on v.database_name = c.database_name and v.view_oid = c.table_oid"
        " where c.database_name = 'shared' and lower(c.column_name) like '%' || ? || '%'",
        [_ACCOUNT],
    ).fetchall()
    for schema, table, column, is_view in rows:
        name = f"{identifier(schema)}.{identifier(table)}"
        if is_view:
            connection.execute(f"drop view if exists {name}")
        else:
            connection.execute(f"alter table {name} drop column {identifier(column)}")
    return [".".join(row[: 2 if row[3] else 3]) for row in rows]


def _drop_dangling(connection: Connection, naming: list[str] | None = None) -> list[str]:
    """Drop views and macros that cannot be bound, again and again: one may read another.

    `naming`: those alone in whose SQL one of these names stands, or one that was dropped since.
    """
    dropped: list[str] = []
    while True:
        texts = None if naming is None else _texts(connection)
        dangling = [
            (kind, schema, name)
            for kind, schema, name in _relations(connection)
            if kind != "table"
            and (texts is None or any(one in texts[schema, name] for one in naming or ()))
            and not _binds(connection, kind, schema, name)
        ]
        if not dangling:
            return dropped
        for kind, schema, name in dangling:
            _drop(connection, kind, schema, name)
            dropped.append(f"{schema}.{name}")
        if naming is not None:
            naming = [name.lower() for _, _, name in dangling]


def _texts(connection: Connection) -> dict[tuple[str, str], str]:
    """The SQL of every view and macro of the copy, lower case, by schema and name."""
    rows = connection.execute(
        """
        select schema_name, view_name, lower(sql) from duckdb_views()
        where database_name = 'shared' and not internal
        union all
        select schema_name, function_name, string_agg(lower(macro_definition), ' ') from duckdb_functions()
        where database_name = 'shared' and function_type in ('macro', 'table_macro')
        group by all
        """
    ).fetchall()
    return {(schema, name): text for schema, name, text in rows}


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
