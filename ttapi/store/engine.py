# SPDX-License-Identifier: Apache-2.0
"""DuckDB itself: how its files are opened, and how its errors are told.

The only place that knows settings, storage versions and the wording of engine messages; every
setting here exists in DuckDB 1.5 and 2.0.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from ttapi.clock import stored_instant
from ttapi.config import DEFAULT_MEMORY
from ttapi.errors import (
    DiskFullError,
    InterruptedQueryError,
    LockedError,
    LockOwner,
    QueryError,
    StoreError,
    TtapiError,
    UsageError,
)
from ttapi.sqltext import literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

Connection = duckdb.DuckDBPyConnection

STORAGE_VERSION = "v1.2.0"
"""Every file is written so that clients from DuckDB 1.2 on can open it."""

_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
# MAX_ROW_ID in DuckDB's constants.hpp: a transaction's own uncommitted rows are numbered from here.
_OWN_ROWS = 36028797018960000
_TIME_LIMIT = "maximum execution time"
_KEYBOARD = re.compile(r"^KeyboardInterrupt\s*$| failed: KeyboardInterrupt:?\s*$", re.MULTILINE)
_DISK_FULL = re.compile(
    r"no space left on device|file too large|disk quota exceeded|max_temp_directory_size|could not write all bytes",
    re.IGNORECASE,
)
_INVALIDATED = re.compile(r"database has been invalidated", re.IGNORECASE)
_DAMAGED = re.compile(
    r"corrupt|checksum|not enough bytes|could not read enough bytes|failure while replaying wal",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AppliedMigration:
    """One row of catalog.migrations."""

    version: int
    name: str
    checksum: str


@dataclass(frozen=True)
class FileFacts:
    """What a database file says of itself."""

    applied: tuple[AppliedMigration, ...]
    generation: int


def connect_live(file: Path, *, memory_limit: str = DEFAULT_MEMORY) -> Connection:
    """A read-write connection to the owner's file, created in the portable storage version.

    *Raises* StoreError naming the file.
    """
    config = {
        **_SETTINGS,
        "storage_compatibility_version": STORAGE_VERSION,
        # Unchanged tables keep their metadata where it was, else, and after some corrections DuckDB 1.2
        # and 1.3 fail to open the file: Failed to load metadata pointer.
        "experimental_metadata_reuse": "false",
        # What the engine frees goes back to the system at once: a refresh of 507 chains takes 285 MB
        # instead of 340, and an import of 2.7 M rows no longer.
        "allocator_flush_threshold": "1MB",
        "allocator_bulk_deallocation_flush_threshold": "1MB",
        "memory_limit": memory_limit,
    }
    return _connect(file, config, is_read_only=False)


def connect_snapshot(file: Path, *, memory_limit: str | None = None) -> Connection:
    """A read-only connection to a published file; a symbolic link is followed first.

    Each generation is a file of its own, so one process can hold two of them. What does not fit
    in memory is spilled to the system's temporary folder, since the home may be read-only.

    *Raises* UsageError when nothing is published, StoreError naming a file that cannot be opened.
    """
    try:
        target = file.resolve(strict=True)
    except OSError as exc:
        raise UsageError(
            f"{file} cannot be opened: {exc.strerror}", hint="ttapi doctor says what would help"
        ) from exc
    spill = Path(tempfile.gettempdir()) / f"ttapi-spill-{os.getpid()}"
    config = {**_SETTINGS, "temp_directory": str(spill)}
    if memory_limit:
        config["memory_limit"] = memory_limit
    return _connect(target, config, is_read_only=True)


def connect_memory() -> Connection:
    """A connection to an empty database in memory, from which files are attached."""
    return _connect(Path(":memory:"), dict(_SETTINGS), is_read_only=False)


def spare_cursor() -> Connection:
    """A connection of the caller's own to an empty database that this process keeps in memory."""
    return _spare(os.getpid()).cursor()


@cache
def _spare(process: int) -> Connection:
    # A process that was forked has none of the engine's threads: it makes its own, and lets the other be.
    del process
    return connect_memory()


def inspect_file(file: Path) -> FileFacts:
    """What `file` says of itself, read without changing a byte of it.

    *Raises* StoreError for a file that is damaged, foreign, or of another storage version.
    """
    with attached(file) as connection, engine_errors(file):
        _refuse_storage(connection, file)
        _refuse_foreign(connection, file)
        rows = connection.execute(
            "select version, name, checksum from catalog.migrations order by version"
        ).fetchall()
        generation = read_number(connection, "generation")
    return FileFacts(tuple(AppliedMigration(*row) for row in rows), generation)


@contextmanager
def attached(file: Path) -> Iterator[Connection]:
    """A connection for ttapi's own questions to `file`, which it reads and leaves as it is.

    The file is attached to the spare database: half the time of `connect_snapshot`, which goes into
    making an instance. One thread at a time has a file so, since an instance takes it once.

    *Raises* StoreError for a file that cannot be opened.
    """
    connection = spare_cursor()
    name = f"read_{threading.get_ident()}"
    with _one_reader(str(file)):
        try:
            connection.execute(f"attach {literal(str(file))} as {name} (type duckdb, read_only)")
        except duckdb.Error as exc:
            connection.close()
            raise _open_error(exc, file) from exc
        try:
            connection.execute(f"use {name}")
            yield connection
        finally:
            connection.execute("use memory")
            connection.execute(f"detach {name}")
            connection.close()


_read_now: set[str] = set()
_read_ends = threading.Condition()


@contextmanager
def _one_reader(file: str) -> Iterator[None]:
    with _read_ends:
        _read_ends.wait_for(lambda: file not in _read_now)
        _read_now.add(file)
    try:
        yield
    finally:
        with _read_ends:
            _read_now.discard(file)
            _read_ends.notify_all()


@contextmanager
def engine_errors(file: Path | None = None) -> Iterator[None]:
    """Turn what DuckDB raises inside the block into the errors of `ttapi.errors`.

    `file` names the database in messages about the file itself. An interrupt that came while the engine
    read Arrow, and that it tells as an error of that, is one again.
    """
    try:
        yield
    except duckdb.Error as exc:
        if _KEYBOARD.search(str(exc)):
            raise KeyboardInterrupt from exc
        raise translate(exc, file) from exc
    except RuntimeError as exc:
        # DuckDB 2.0 tells an interrupted query by a bare one.
        if "interrupted" not in str(exc).lower():
            raise
        raise InterruptedQueryError("interrupted") from exc


def translate(error: duckdb.Error, file: Path | None = None) -> TtapiError:
    """The ttapi error that says what `error` says."""
    text = str(error)
    name = str(file) if file else "the database file"
    # Its own limit of time ends a query by the same exception, and says so.
    if isinstance(error, duckdb.InterruptException) and _TIME_LIMIT not in text:
        return InterruptedQueryError("interrupted")
    if _DISK_FULL.search(text):
        return DiskFullError(
            f"{name}: the disk refused a write: {_first_line(text)}",
            hint="free some space; what was committed stands",
        )
    if isinstance(error, duckdb.FatalException) or _INVALIDATED.search(text):
        return StoreError(
            f"{name}: the engine stopped: {_first_line(text)}", hint="run the command again"
        )
    if _DAMAGED.search(text):
        return StoreError(
            f"{name} is damaged: {_first_line(text)}",
            hint="ttapi doctor says what is wrong, and ttapi restore brings back the newest good copy",
            kind="damaged",
        )
    return QueryError(text)


def update_rows(cursor: Connection, table: str, assignments: str, picked: str) -> None:
    """Update the rows of `table` whose row identifiers stand in column `rid` of the relation `picked`.

    In `assignments` the relation is called `picked`. Committed rows and those this transaction
    inserted itself are updated one after the other: DuckDB 2.0.0 reads past its memory when one
    join on rowid meets both kinds in a table that has deleted rows.
    """
    for side in (f"< {_OWN_ROWS}", f">= {_OWN_ROWS}"):
        cursor.execute(
            f"""
            update {table} as rows set {assignments}
            from (select * from {picked} as all_picked where rid {side}) as picked
            where rows.rowid = picked.rid and rows.rowid {side}
            """
        )


def read_number(connection: Connection, name: str) -> int:
    """The number that catalog.meta keeps under `name`; 0 where it has none."""
    rows = connection.execute("select value from catalog.meta where name = ?", [name]).fetchall()
    return int(rows[0][0]) if rows else 0


def write_number(connection: Connection, name: str, number: int) -> None:
    """Have catalog.meta keep `number` under `name`."""
    connection.execute("update catalog.meta set value = ? where name = ?", [str(number), name])


def as_literal(instant: datetime) -> str:
    """`instant` as SQL."""
    return f"timestamp '{stored_instant(instant).isoformat(sep=' ')}'"


def is_fatal(error: BaseException) -> bool:
    """Whether `error` leaves the outcome of what ran open, its database instance being gone."""
    return isinstance(error, duckdb.FatalException) or bool(_INVALIDATED.search(str(error)))


def _connect(file: Path, config: dict[str, str], *, is_read_only: bool) -> Connection:
    try:
        connection = duckdb.connect(str(file), read_only=is_read_only, config=dict(config))
        connection.execute("set global TimeZone = 'UTC'")
    except duckdb.Error as exc:
        raise _open_error(exc, file) from exc
    return connection


def _open_error(error: duckdb.Error, file: Path) -> TtapiError:
    text = str(error)
    if match := re.search(r"Conflicting lock is held in (.*?) ?\(PID (\d+)\)", text):
        owner = LockOwner(int(match[2]), "", "", match[1])
        return LockedError(
            f"{file} is open in process {match[2]} ({match[1]})",
            owner=owner,
            hint="close it there; clients should open the published market.duckdb",
        )
    if "not a valid DuckDB database file" in text:
        return StoreError(
            f"{file} is not a DuckDB file",
            hint="ttapi doctor says what would help",
            kind="no database",
        )
    if "version number" in text and "only read" in text:
        return StoreError(
            f"{file} was written by a newer DuckDB than {duckdb.__version__}",
            hint=f"export it there with storage version {STORAGE_VERSION}, or upgrade duckdb",
            kind="newer engine",
        )
    if "Permission denied" in text or "ermission error" in text:
        return StoreError(
            f"{file} cannot be opened: permission denied",
            hint="give your user read and write permission",
            kind="no permission",
        )
    if "database does not exist" in text:
        return StoreError(f"{file} does not exist", hint="run ttapi init", kind="missing")
    translated = translate(error, file)
    if isinstance(translated, QueryError):
        return StoreError(f"{file} cannot be opened: {_first_line(text)}")
    return translated


def _refuse_storage(connection: Connection, file: Path) -> None:
    row = connection.execute(
        "select tags from duckdb_databases() where database_name = current_database()"
    ).fetchall()[0][0]
    version = str((row or {}).get("storage_version", "unknown"))
    if not version.startswith(STORAGE_VERSION):
        raise StoreError(
            f"{file} has storage version {version.rstrip('+')}, and ttapi keeps {STORAGE_VERSION} for older clients",
            hint=f"COPY FROM DATABASE into a file attached with STORAGE_VERSION '{STORAGE_VERSION}'",
            kind="other storage",
        )


def _refuse_foreign(connection: Connection, file: Path) -> None:
    tables = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'catalog' and table_name in ('migrations', 'meta')"
    ).fetchall()[0][0]
    if tables != 2:
        raise StoreError(
            f"{file} is a DuckDB file that ttapi did not make",
            hint="move it away, or choose another folder with --home",
            kind="foreign",
        )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no message"
