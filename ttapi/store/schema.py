# SPDX-License-Identifier: Apache-2.0
"""Migrations: the forward-only steps that make a database file what this ttapi expects.

A step is `migrations/NNNN_name.sql`. It is applied in one transaction together with its row in
catalog.migrations, so a file stands at one version or at the next, never between.

Raw tables: what their columns are, and how one is made for a stranger's resource.

A raw table is the declared columns of its resource and then the store's own seven.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ttapi.clock import stored_instant
from ttapi.errors import MigrationError, QueryError, StoreError, UsageError
from ttapi.sqltext import identifier, literal
from ttapi.store.catalog import write_meta
from ttapi.store.engine import AppliedMigration, Connection, engine_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from ttapi.sources.contract import Resource

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One step as it lies in the migrations folder."""

    version: int
    name: str
    sql: str
    checksum: str
    """SHA-256 of the file's bytes."""


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """The steps in `folder`, by version.

    *Raises* MigrationError for a file name that is no step, or a version that stands twice.
    """
    steps: dict[int, Migration] = {}
    for file in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if not match:
            raise MigrationError(
                f"{file} is no migration", hint="0007_what_it_adds.sql would be one"
            )
        version = int(match[1])
        if version in steps:
            raise MigrationError(f"{file}: version {version} is already {steps[version].name!r}")
        content = file.read_bytes()
        steps[version] = Migration(
            version, match[2], content.decode(), hashlib.sha256(content).hexdigest()
        )
    return tuple(steps[version] for version in sorted(steps))


def pending_migrations(
    applied: Sequence[AppliedMigration], available: Sequence[Migration], file: Path
) -> tuple[Migration, ...]:
    """The steps `file` still lacks, in order.

    *Raises* MigrationError when an applied step was altered, is unknown here, or was skipped.
    """
    known = {step.version: step for step in available}
    for done in applied:
        step = known.get(done.version)
        if step is None:
            raise MigrationError(
                f"{file} is at schema version {applied[-1].version}, and this ttapi knows {max(known, default=0)}",
                hint="upgrade ttapi",
                kind="newer schema",
            )
        if step.checksum != done.checksum:
            raise MigrationError(
                f"migration {done.version:04d}_{step.name}.sql was altered after it was applied to {file}",
                hint="restore the file; changes go into a new migration",
                kind="altered schema",
            )
    newest = max((done.version for done in applied), default=0)
    done_versions = {done.version for done in applied}
    skipped = [
        step for step in available if step.version < newest and step.version not in done_versions
    ]
    if skipped:
        raise MigrationError(
            f"migration {skipped[0].version:04d}_{skipped[0].name}.sql was never applied to {file},"
            f" which is at version {newest}",
            hint="give it a number above every applied one",
            kind="altered schema",
        )
    return tuple(step for step in available if step.version not in done_versions)


def apply_migrations(
    connection: Connection, steps: Sequence[Migration], *, now: datetime, file: Path
) -> None:
    """Bring the open `file` forward by `steps`, each in a transaction of its own.

    *Raises* MigrationError naming the step that failed; the steps before it stand. The caller
    closes the connection then, which undoes the failed step.
    """
    for step in steps:
        try:
            with engine_errors(file):
                connection.execute("begin")
                connection.execute(step.sql)
                connection.execute(
                    "insert into catalog.migrations values (?, ?, ?, ?)",
                    [step.version, step.name, step.checksum, stored_instant(now)],
                )
                connection.execute("commit")
        except QueryError as exc:
            raise MigrationError(
                f"migration {step.version:04d}_{step.name}.sql failed on {file}: {exc}"
            ) from exc


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

_SET_ASIDE = "set aside raw."
"""Begins the name of the note that says until when a former table was read."""
_DECLARED_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def raw_name(resource: Resource) -> str:
    """The raw table of `resource`, quoted: `raw."metastock_bars"`."""
    return f"raw.{identifier(resource.table)}"


def ensure_raw_table(
    cursor: Connection,
    resource: Resource,
    *,
    migrated: Collection[str] = (),
    now: datetime | None = None,
) -> None:
    """Have the raw table of `resource` exist with the columns it declares.

    A table that is missing is created, a declared column that is missing is added (null in the
    rows already there), a changed comment is written. Where a column changed its type or is declared
    no longer, the table is kept as `raw.x_v1` (then `_v2`), and a new one begins: its source is asked for
    everything again; not so one of `migrated`, which ttapi's own migrations made. `now` is noted with the
    kept one: as of an instant before it, that is what is read. Runs in the caller's transaction.

    *Raises* StoreError for one of `migrated` with other columns, and for a table that lacks the store's own.
    """
    _check_declaration(resource)
    with engine_errors():
        present = _present_columns(cursor, resource.table)
        if other := _other_columns(resource, present):
            if f"raw.{resource.table}" in migrated:
                raise StoreError(
                    f"raw.{resource.table}.{other[0]} is not as its source declares it",
                    hint="upgrade ttapi: another version of it wrote this file",
                )
            _set_aside(cursor, resource, now)
            present = {}
        if not present:
            _create(cursor, resource)
        else:
            _check_present(resource, present)
            wanted = {column.name: str(column.type) for column in resource.columns}
            wanted |= {name: data_type for name, (data_type, _, _) in STORE_COLUMNS.items()}
            for name, data_type in wanted.items():
                if name not in present:
                    cursor.execute(
                        f"alter table {raw_name(resource)} add column {identifier(name)} {data_type}"
                    )
        _write_comments(cursor, resource, present)


def _check_declaration(resource: Resource) -> None:
    names = [column.name for column in resource.columns]
    for name in (resource.table, *names):
        if not _DECLARED_NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a table or column",
                hint="lower-case letters, digits and underscores, a letter first",
            )
    for name in names:
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
    declared = [f"{identifier(column.name)} {column.type}" for column in resource.columns]
    own = [
        f"{identifier(name)} {data_type}{' not null' if is_required else ''}"
        for name, (data_type, is_required, _) in STORE_COLUMNS.items()
    ]
    cursor.execute(f"create table {raw_name(resource)} ({', '.join(declared + own)})")


def _other_columns(resource: Resource, present: dict[str, tuple[str, str | None]]) -> list[str]:
    """The columns that are there and are declared with another type, or not at all."""
    wanted = {name: data_type for name, (data_type, _, _) in STORE_COLUMNS.items()}
    wanted |= {column.name: str(column.type) for column in resource.columns}
    return [name for name, (data_type, _) in present.items() if wanted.get(name) != data_type]


@dataclass(frozen=True)
class FormerTable:
    """A raw table whose dataset was begun anew with other columns."""

    table: str
    """Without schema: `x_v1`."""
    until: datetime
    """Naive UTC: since when another stands in its place."""
    columns: dict[str, str]
    """Engine type by name, in order, the store's own left out."""


def former_tables(cursor: Connection) -> dict[str, list[FormerTable]]:
    """By dataset, the tables it had before, the oldest first."""
    is_any = cursor.execute(
        "select 1 from catalog.meta where starts_with(name, ?) limit 1", [_SET_ASIDE]
    ).fetchall()
    if not is_any:  # looking through the columns of everything takes 20 ms
        return {}
    rows = cursor.execute(
        "select m.value, replace(m.name, ?, ''), c.column_name, c.data_type"
        " from catalog.meta as m join duckdb_columns() as c"
        " on c.database_name = current_database() and c.schema_name = 'raw'"
        " and c.table_name = replace(m.name, ?, '') where starts_with(m.name, ?)"
        " order by m.value, c.table_name, c.column_index",
        [_SET_ASIDE] * 3,
    ).fetchall()
    found: dict[str, FormerTable] = {}
    for instant, table, column, data_type in rows:
        one = found.setdefault(table, FormerTable(table, datetime.fromisoformat(instant), {}))
        if column not in STORE_COLUMNS:
            one.columns[column] = data_type
    by_dataset: dict[str, list[FormerTable]] = {}
    for one in found.values():
        by_dataset.setdefault(f"raw.{one.table.rpartition('_v')[0]}", []).append(one)
    return by_dataset


def _set_aside(cursor: Connection, resource: Resource, now: datetime | None) -> None:
    """Keep the table, and what the ledger says of it, under the first free name; forget it as the dataset."""
    number = 1
    while _present_columns(cursor, f"{resource.table}_v{number}"):
        number += 1
    kept, dataset = f"{resource.table}_v{number}", f"raw.{resource.table}"
    cursor.execute(f"alter table {raw_name(resource)} rename to {identifier(kept)}")
    cursor.execute(
        "update catalog.units set dataset = ? where dataset = ?", [f"raw.{kept}", dataset]
    )
    for table in ("state", "slices"):
        cursor.execute(f"delete from catalog.{table} where dataset = ?", [dataset])
    if now is not None:
        write_meta(cursor, f"{_SET_ASIDE}{kept}", stored_instant(now).isoformat())


def _check_present(resource: Resource, present: dict[str, tuple[str, str | None]]) -> None:
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
            cursor.execute(
                f"comment on column {raw_name(resource)}.{identifier(name)} is {literal(comment)}"
            )
