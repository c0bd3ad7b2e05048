# SPDX-License-Identifier: Apache-2.0
"""The live file and its one owner: opened under the lock, written in transactions, closed again."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import duckdb

from ttapi.config import DEFAULT_MEMORY, bundled_folder
from ttapi.errors import CommitUnknownError, LockedError, ReadOnlyHomeError, StoreError, UsageError
from ttapi.sqltext import literal
from ttapi.store.engine import (
    Connection,
    connect_live,
    engine_errors,
    inspect_file,
    is_fatal,
    read_number,
    translate,
    write_number,
)
from ttapi.store.files import remove_leftovers, sync_file, sync_folder
from ttapi.store.lock import OnWait, OwnerLock, acquire, read_daemon
from ttapi.store.schema import Migration, apply_migrations, pending_migrations, read_migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from ttapi.home import Home

_PAUSE_S = 0.05
_MEMORY_LOADING = "1GB"


class Store:
    """The open live file; made by `open_store`, ended by `close` or by leaving its `with` block.

    One transaction runs at a time, whatever the number of threads: a second one waits.
    """

    def __init__(
        self, home: Home, lock: OwnerLock, connection: Connection, *, memory_limit: str
    ) -> None:
        self.home = home
        self._lock = lock
        self._connection: Connection | None = connection
        self._memory_limit = memory_limit
        self.write_gate = threading.RLock()
        """Held while a transaction runs and while the file is copied."""

    @property
    def generation(self) -> int:
        """The generation the file was last published as; 0: never."""
        with self.reading() as cursor:
            return read_number(cursor, "generation")

    def cursor(self) -> Connection:
        """A connection of its own for one task; the caller closes it, and writes in `transaction` only."""
        if self._connection is None:
            raise StoreError("the store is closed")
        with engine_errors(self.home.live_file):
            return self._connection.cursor()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A cursor for reading, closed at the end of the block; engine errors come out as ttapi's."""
        cursor = self.cursor()
        try:
            with engine_errors(self.home.live_file):
                yield cursor
        finally:
            cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A cursor inside one transaction: committed at the end of the block, undone on an exception.

        *Raises* CommitUnknownError when the commit failed but may be durable: `reopen`, then ask
        `was_loaded`. DiskFullError, StoreError or QueryError when it is known to be undone.
        """
        with self.write_gate:
            cursor = self.cursor()
            try:
                with engine_errors(self.home.live_file):
                    cursor.execute("begin")
                    yield cursor
                self._commit(cursor)
            finally:
                # Closing a cursor undoes a transaction it still has open, even on a dead instance.
                cursor.close()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """A block that stores rows, for which a part of the memory is as good as all of it.

        The engine keeps what it wrote until its limit: 28 M rows took 2.7 GB under 4, in no less time.
        Who set a limit of his own keeps it.
        """
        if self._memory_limit != DEFAULT_MEMORY:
            yield
            return
        self._limit_memory(_MEMORY_LOADING)
        try:
            yield
        finally:
            self._limit_memory(self._memory_limit)

    def use_one_thread(self) -> None:
        """From here on the engine works in one thread: small inserts take a third less of the processor."""
        with self.reading() as cursor:
            cursor.execute("set threads = 1")

    def _limit_memory(self, limit: str) -> None:
        with self.reading() as cursor:
            cursor.execute(f"set memory_limit = {literal(limit)}")

    def next_load_id(self) -> int:
        """A load_id never given out before, by this process or an earlier one."""
        with self.transaction() as cursor:
            load_id = read_number(cursor, "last_load_id") + 1
            write_number(cursor, "last_load_id", load_id)
            cursor.execute(
                "insert into catalog.commands values (?, ?)", [load_id, self._lock.owner.command]
            )
        return load_id

    def reopen(self) -> None:
        """Open the file again under the same lock, after an error that ended the engine's instance."""
        with self.write_gate:
            self._close_engine()
            self._connection = connect_live(self.home.live_file, memory_limit=self._memory_limit)

    def close(self) -> None:
        """Checkpoint, close the file, release the lock, in that order; harmless when called again."""
        with self.write_gate:
            try:
                if self._connection is not None:
                    with engine_errors(self.home.live_file):
                        self._connection.execute("checkpoint")
            finally:
                try:
                    self._close_engine()
                finally:
                    self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.close()
        except StoreError as exc:
            error.add_note(f"closing the database failed too: {exc}")

    def _commit(self, cursor: Connection) -> None:
        try:
            cursor.execute("commit")
        except duckdb.Error as exc:
            if is_fatal(exc):
                raise CommitUnknownError(
                    f"{self.home.live_file}: a commit failed and may still be durable: {exc}",
                    hint="the next refresh settles it by load_id",
                ) from exc
            raise translate(exc, self.home.live_file) from exc

    def _close_engine(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with engine_errors(self.home.live_file):
                connection.close()


def make_folders(home: Home) -> None:
    """Create the folders of `home` that are missing, each for its user alone.

    *Raises* UsageError naming the folder that could not be made.
    """
    for folder in home.folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise UsageError(
                f"{folder} cannot be made: {exc.strerror}",
                hint="give your user write permission, or use --home",
            ) from exc
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ReadOnlyHomeError(
                f"{folder} cannot be written", hint="give your user write permission, or use --home"
            )


def init_home(
    home: Home,
    *,
    command: str = "ttapi init",
    wait_s: float = 60.0,
    on_wait: OnWait = None,
    now: datetime,
    migrations: Path | None = None,
) -> None:
    """Make the folders of `home` and its live file with every schema; does nothing the second time.

    *Raises* UsageError naming a folder that cannot be written; whatever `open_store` raises.
    """
    make_folders(home)
    open_store(
        home, command=command, wait_s=wait_s, on_wait=on_wait, now=now, migrations=migrations
    ).close()


def open_store(
    home: Home,
    *,
    command: str,
    wait_s: float = 60.0,
    on_wait: OnWait = None,
    pause: Callable[[float], None] = time.sleep,
    now: datetime,
    memory_limit: str = DEFAULT_MEMORY,
    migrations: Path | None = None,
) -> Store:
    """The live file of `home`, owned by this process: locked, up to date, ready to write.

    `migrations` is another folder of steps than the bundled one; `pause` lets seconds pass between
    two tries. What a killed owner left behind
    is removed here.

    *Raises* LockedError past `wait_s`; UsageError for a folder that is no home or cannot be
    written; MigrationError; StoreError for a file that is damaged, foreign, or of another version,
    whose bytes stay as they are.
    """
    steps = read_migrations(migrations or bundled_folder("migrations"))
    lock = acquire(home, command=command, wait_s=wait_s, on_wait=on_wait, sleep=pause)
    try:
        remove_leftovers(home)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return open_owned(home, lock, steps, now=now, memory_limit=memory_limit)
            except LockedError:
                # Someone who should not has the file open; `ttapi doctor` does, for a moment.
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE_S)
    except BaseException:
        lock.release()
        raise


def open_owned(
    home: Home,
    lock: OwnerLock,
    steps: Sequence[Migration],
    *,
    now: datetime,
    memory_limit: str = DEFAULT_MEMORY,
) -> Store:
    """The live file of `home` for the holder of its lock, created where there is none, brought up to `steps`.

    The store takes the lock over: closing it releases it. *Raises* as `open_store`; the lock stays
    the caller's then.
    """
    if not home.live_file.exists():
        _create_file(home, steps, now=now)
    applied = inspect_file(home.live_file).applied
    pending = pending_migrations(applied, steps, home.live_file)
    if pending:
        _prepare_migration(home, pending, now=now)
    connection = connect_live(home.live_file, memory_limit=memory_limit)
    try:
        apply_migrations(connection, pending, now=now, file=home.live_file)
    except BaseException:
        connection.close()
        raise
    return Store(home, lock, connection, memory_limit=memory_limit)


def _prepare_migration(home: Home, pending: Sequence[Migration], *, now: datetime) -> None:
    """Have a copy of what is published, to go back to. *Raises* UsageError while a daemon serves `home`."""
    from ttapi import __version__  # noqa: PLC0415 - for a migration only
    from ttapi.store.backup import make_backup  # noqa: PLC0415 - likewise

    _require_no_other_daemon(
        home, f"{home.live_file} must be migrated to version {pending[-1].version}"
    )
    if home.public_file.exists():
        make_backup(home, home.backups, created_at=now, version=__version__)


def _create_file(home: Home, steps: Sequence[Migration], *, now: datetime) -> None:
    """Build the file under another name and move it in, so that a killed `init` leaves no half of one."""
    if home.public_file.is_symlink():
        raise StoreError(
            f"{home.live_file} is missing, though {home.public_file} was published from it",
            hint="ttapi restore brings back what was published",
        )
    building = home.live_file.with_name(f"{home.live_file.name}.tmp-{os.getpid()}")
    connection = connect_live(building)
    try:
        apply_migrations(connection, steps, now=now, file=building)
        with engine_errors(building):
            connection.execute("checkpoint")
    finally:
        connection.close()
    building.chmod(0o600)
    sync_file(building)
    building.replace(home.live_file)
    sync_folder(home.live)


def _require_no_other_daemon(home: Home, doing: str) -> None:
    """Nothing, or UsageError where another process serves `home`, which `doing` would break."""
    note = read_daemon(home)
    if note is not None and note.is_held and note.pid != os.getpid():
        raise UsageError(
            f"{doing}, and {note.text} serves {home.root} with another version of ttapi",
            hint=f"kill {note.pid} ends it; ttapi serve starts the new one",
        )
