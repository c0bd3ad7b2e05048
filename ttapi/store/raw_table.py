# SPDX-License-Identifier: Apache-2.0

"""Raw tables: what their columns are, and how one is made for a stranger's resource.

A raw table is the declared columns of its resource and then the store's own seven.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttapi.errors import StoreError, UsageError
from ttapi.store.engine import Connection, engine_errors

if TYPE_CHECKING:
    from ttapi.sources.contract import Resource

STORE_COLUMNS = {
    "unit_id": ("INTEGER", True, "the unit (file, symbol) that said this row, see catalog.units"),
    "line": ("INTEGER", False, "1-based line in its file; null: the source has no lines"),
    "known_at": ("TIMESTAMP", True, "UTC: when this fact could first be known"),
    "load_id": ("BIGINT", True, "the load that wrote this row"),
    "replaced_at": (
        "TIMESTAMP",
        False,
        "UTC: when its unit stopped saying this; null: it still does",
    ),
    "is_current": ("BOOLEAN", True, "whether this is the one current row of its grain"),
    "replaced_by": ("BIGINT", False, "the load that retired this row; null: it still stands"),
}
"""Name -> type, whether it is never null, comment."""

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


def quoted(name: str) -> str:
    """`name` as a quoted SQL identifier.

    *Raises* UsageError for anything but lower-case letters, digits and underscores.
    """
    if not _IDENTIFIER.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a table or column",
            hint="lower-case letters, digits and underscores, a letter first",
        )
    return f'"{name}"'


def raw_name(resource: Resource) -> str:
    """The raw table of `resource`, quoted: `raw."metastock_bars"`."""
    return f"raw.{quoted(resource.table)}"


def ensure_raw_table(cursor: Connection, resource: Resource) -> None:
    """Have the raw table of `resource` exist with the columns it declares.

    A table that is missing is created, a declared column that is missing is added (null in the
    rows already there), a changed comment is written. Runs in the caller's transaction.

    *Raises* StoreError for a column that changed its type or is declared no longer.
    """
    _check_declaration(resource)
    with engine_errors():
        present = _present_columns(cursor, resource.table)
        if not present:
            _create(cursor, resource)
        else:
            _check_present(resource, present)
            wanted = {column.name: str(column.type) for column in resource.columns}
            wanted |= {name: data_type for name, (data_type, _, _) in STORE_COLUMNS.items()}
            for name, data_type in wanted.items():
                if name not in present:
                    cursor.execute(
                        f"alter table {raw_name(resource)} add column {quoted(name)} {data_type}"
                    )
        _write_comments(cursor, resource, present)


def _check_declaration(resource: Resource) -> None:
    names = [column.name for column in resource.columns]
    for name in names:
        quoted(name)
        if name in STORE_COLUMNS or names.count(name) > 1:
            raise UsageError(
                f"raw.{resource.table}: column {name!r} is taken", hint="declare another name"
            )
    tracked = [resource.tracked] if resource.tracked else []
    unknown = [n for n in (*resource.grain, *resource.keys, *tracked) if n not in names]
    if unknown:
        raise UsageError(
            f"raw.{resource.table}: grain, keys or tracked name {unknown[0]!r}, which is no declared column"
        )


def _present_columns(cursor: Connection, table: str) -> dict[str, tuple[str, str | None]]:
    """Column name -> type and comment; empty where there is no such table."""
    rows = cursor.execute(
        "select column_name, data_type, comment from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'raw' and table_name = ?"
        " order by column_index",
        [table],
    ).fetchall()
    return {name: (data_type, comment) for name, data_type, comment in rows}


def _create(cursor: Connection, resource: Resource) -> None:
    declared = [f"{quoted(column.name)} {column.type}" for column in resource.columns]
    own = [
        f"{quoted(name)} {data_type}{' not null' if is_required else ''}"
        for name, (data_type, is_required, _) in STORE_COLUMNS.items()
    ]
    cursor.execute(f"create table {raw_name(resource)} ({', '.join(declared + own)})")


def _check_present(resource: Resource, present: dict[str, tuple[str, str | None]]) -> None:
    wanted = {column.name: str(column.type) for column in resource.columns}
    own = {name: data_type for name, (data_type, _, _) in STORE_COLUMNS.items()}
    for name, (data_type, _) in present.items():
        declared = wanted.get(name) or own.get(name)
        if declared is None:
            raise StoreError(
                f"raw.{resource.table} holds column {name!r}, which its source no longer declares",
                hint="declare it again, or give the resource another table",
            )
        if declared != data_type:
            raise StoreError(
                f"raw.{resource.table}.{name} is {data_type}, and its source now declares {declared}",
                hint="declare the old type, or a column of another name",
            )
    lacking = [name for name, (_, is_required, _) in STORE_COLUMNS.items() if is_required]
    lacking = [name for name in lacking if name not in present]
    if lacking:
        raise StoreError(f"raw.{resource.table} lacks the store's own column {lacking[0]!r}")


def _write_comments(
    cursor: Connection, resource: Resource, present: dict[str, tuple[str, str | None]]
) -> None:
    comments = {column.name: column.comment for column in resource.columns}
    comments |= {name: comment for name, (_, _, comment) in STORE_COLUMNS.items()}
    for name, comment in comments.items():
        if comment and present.get(name, ("", None))[1] != comment:
            text = comment.replace("'", "''")
            cursor.execute(f"comment on column {raw_name(resource)}.{quoted(name)} is '{text}'")
