# SPDX-License-Identifier: Apache-2.0
"""Published generations kept open: who pages through one is answered from it, whatever was published since.

Each is opened by a second name of its file, in `live/pinned`. What has two names is never patched into a
newer generation, and stays where snapshots are pruned; the locks of readers end with any descriptor that
their process closes, names do not.
"""

from __future__ import annotations

import os
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.errors import GenerationError
from ttapi.store.engine import Connection, connect_snapshot, engine_errors
from ttapi.store.lock import is_alive
from ttapi.store.publish import published_generation, snapshot_files
from ttapi.store.reader import interrupts, published_file
from ttapi.store.rows import Rows, columns_of, with_arrow_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ttapi.home import Home

_KEPT = 4
"""Generations besides the newest; each may cost the disk a whole copy of the file."""


@dataclass(eq=False)
class Generation:
    """One published file, open for reading; any thread may ask it."""

    number: int
    connection: Connection = field(repr=False)
    name: Path | None = None
    """Its second name; None: it has none, as the home cannot be written."""
    facts: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was found out about it: it never changes."""
    readers: int = 0
    is_promised: bool = False
    """Whether somebody goes on reading it: asked for it by its number, or was given it to."""
    asked: int = 0
    """When it was last asked, counted."""

    def rows(
        self, sql: str, parameters: Sequence[Any] = (), *, deadline_s: float | None = None
    ) -> Rows:
        """The answer of one SELECT, its values bound.

        *Raises* QueryError; InterruptedQueryError past `deadline_s`.
        """
        cursor = self.connection.cursor()
        timer = threading.Timer(deadline_s or 0.0, cursor.interrupt)
        timer.daemon = True
        if deadline_s is not None:
            timer.start()
        try:
            with interrupts(), engine_errors():
                relation = cursor.sql(sql, params=list(parameters) or None)
                columns = columns_of(relation)
                table = with_arrow_types(relation, columns).to_arrow_table()
        finally:
            timer.cancel()
        table = table.rename_columns([column.name for column in columns])
        return Rows(table, table.num_rows, columns, cursor)

    def close(self) -> None:
        """Let go of the file, and of its second name."""
        self.connection.close()
        if self.name is not None:
            with suppress(OSError):
                self.name.unlink(missing_ok=True)


class Generations:
    """The generations of one home that this process has open."""

    def __init__(self, home: Home, *, kept: int = _KEPT) -> None:
        self._home = home
        self._kept = kept
        self._open: dict[int, Generation] = {}
        self._lock = threading.Lock()
        self._count = 0
        _remove_names_of_the_dead(home)

    @contextmanager
    def reading(self, number: int | None = None) -> Iterator[Generation]:
        """Yield the generation of that number, the newest for None; it stays open inside the block.

        *Raises* GenerationError for one that is not held; UsageError where nothing is published.
        """
        found = self._lease(number)
        try:
            yield found
        finally:
            with self._lock:
                found.readers -= 1
                self._close_what_is_left()

    def newest(self) -> int:
        """The number of the newest generation; 0: none was published."""
        return published_generation(self._home)

    def close(self) -> None:
        """Let go of all of them."""
        with self._lock:
            for one in self._open.values():
                one.close()
            self._open.clear()

    def _lease(self, number: int | None) -> Generation:
        with self._lock:
            newest = self.newest()
            wanted = newest if number is None else number
            if wanted > newest or wanted < 1 <= newest:
                raise GenerationError(
                    f"generation {wanted} was never published",
                    number=wanted,
                    newest=newest,
                    hint=f"the newest is {newest}",
                )
            found = self._open.get(wanted)
            if found is None:
                found = self._open[wanted] = self._opened(wanted, newest)
            self._count += 1
            found.asked = self._count
            found.is_promised |= number is not None
            found.readers += 1
            return found

    def _opened(self, number: int, newest: int) -> Generation:
        file = published_file(self._home) if number == newest else None
        file = file or snapshot_files(self._home).get(number)
        gone = GenerationError(
            f"generation {number} is held no more",
            number=number,
            newest=newest,
            hint=f"the newest is {newest}: begin again without a generation",
        )
        if file is None:
            raise gone
        try:
            name = _second_name(self._home, file, number)
        except FileNotFoundError as exc:  # pruned, or being made into a newer one
            raise gone from exc
        connection = connect_snapshot(name or file)
        return Generation(_number_in(connection), connection, name)

    def _close_what_is_left(self) -> None:
        """Close what nobody reads, beyond the newest and those last asked, promised ones before others."""
        newest = self.newest()
        older = [one for number, one in self._open.items() if number != newest]
        older.sort(key=lambda one: (one.is_promised, one.asked), reverse=True)
        for one in older[self._kept :]:
            if not one.readers:
                self._open.pop(one.number).close()


def _number_in(connection: Connection) -> int:
    with closing(connection.cursor()) as cursor, engine_errors():
        rows = cursor.execute("select value from catalog.meta where name = 'generation'").fetchall()
    return int(rows[0][0])


def _second_name(home: Home, file: Path, number: int) -> Path | None:
    """Another name of `file`; None where the home takes none.

    *Raises* FileNotFoundError where `file` is there no more.
    """
    try:
        home.pinned.mkdir(mode=0o700, exist_ok=True)
        name = home.pinned / f"market.{number:06d}.{os.getpid()}.duckdb"
        name.unlink(missing_ok=True)
        name.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    return name


def _remove_names_of_the_dead(home: Home) -> None:
    for name in home.pinned.glob("market.*.*.duckdb"):
        owner = name.suffixes[-2].lstrip(".")
        if owner.isdecimal() and not is_alive(int(owner)):
            with suppress(OSError):
                name.unlink()
