# SPDX-License-Identifier: Apache-2.0
"""Publishing: the live file copied to a read-only snapshot that every other client may open.

Where the file system shares no blocks, the oldest snapshot becomes the newest by the blocks that differ.

Clients open `market.duckdb`, a symbolic link. Readers of an older snapshot keep it; a write-ahead
log that a careless client left lies beside the snapshot it belongs to and never meets a newer one.

Published generations kept open: who pages through one is answered from it, whatever was published since.

Each is opened by a second name of its file, in `live/pinned`. What has two names is never patched into a
newer generation, and stays where snapshots are pruned; the locks of readers end with any descriptor that
their process closes, names do not.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttapi.errors import GenerationError, QueryError, StoreError
from ttapi.store.engine import (
    Connection,
    connect_snapshot,
    engine_errors,
    inspect_file,
    read_number,
    write_number,
)
from ttapi.store.file_copy import COPY, run_child
from ttapi.store.files import (
    has_second_name,
    publication_error,
    remove,
    remove_names_of_the_dead,
    second_name,
    sync_folder,
    temporary_name,
    write_document,
)
from ttapi.store.reader import DEEP, LARGE, SortedWindows, select_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ttapi.home import Home
    from ttapi.store.rows import Rows
    from ttapi.store.store import Store


_TRIES = 40
_PAUSE_S = 0.1
"""A checkpoint fails while somebody reads in the same process, which they do for milliseconds."""
_SNAPSHOT = re.compile(r"market\.(\d{6,})\.duckdb")


@dataclass(frozen=True)
class Publication:
    """One published generation."""

    generation: int
    file: Path
    way: str
    """How the copy was made: reflink, blocks, kernel or bytes."""


def publish(
    store: Store, *, keep: int = 2, sleep: Callable[[float], None] = time.sleep
) -> Publication:
    """Publish what is committed as the next generation, and keep `keep` older ones.

    No transaction runs meanwhile. Whether there is anything new to publish is for the caller to say.

    *Raises* StoreError (DiskFullError for want of space); then the older generation stands.
    """
    _refuse_strange_target(home := store.home)
    with store.write_gate:
        generation = _number_generation(store)
        target = home.snapshots / f"market.{generation:06d}.duckdb"
        building = temporary_name(target)
        try:
            _checkpoint(store, sleep)
            remove(building)
            base = _spare(home, keep)
            answer = run_child(COPY, str(home.live_file), str(building), *base)
            _check_copy(generation, building)
            _move_in(home, building, target)
        except (OSError, StoreError) as exc:
            raise publication_error(exc, building) from exc
        finally:
            remove(building)
    _prune(home, keep)
    return Publication(generation, target, str(answer["way"]))


def _spare(home: Home, keep: int) -> list[str]:
    """The oldest published file, which may become the next one; empty where all are to be kept.

    Whoever opened the newest, or the one before, reads it in peace whatever locks are seen. What a client
    wrote into a file beside which its log lies is nobody's to build upon.
    """
    files = snapshot_files(home)
    kept = {published_generation(home), *sorted(files)[-max(2, keep) :]}
    older = [
        number for number, file in files.items() if number not in kept and not has_second_name(file)
    ]
    if not older:
        return []
    oldest = files[min(older)]
    has_log = oldest.with_name(f"{oldest.name}.wal").exists()
    return [] if has_log else [str(oldest)]


def published_generation(home: Home) -> int:
    """The generation that clients open now; 0: none was ever published."""
    try:
        match = _SNAPSHOT.fullmatch(home.public_file.readlink().name)
    except OSError:
        return 0
    return int(match[1]) if match else 0


def snapshot_files(home: Home) -> dict[int, Path]:
    """The published files that are still kept, by generation, oldest first."""
    found = {}
    for path in sorted(home.snapshots.glob("market.*.duckdb")):
        if match := _SNAPSHOT.fullmatch(path.name):
            found[int(match[1])] = path
    return found


def _number_generation(store: Store) -> int:
    """Count the generation up in the file, past every snapshot there is."""
    newest = max(_snapshots(store.home), default=0)
    with store.transaction() as cursor:
        generation = max(read_number(cursor, "generation"), newest) + 1
        write_number(cursor, "generation", generation)
    return generation


def _checkpoint(store: Store, sleep: Callable[[float], None]) -> None:
    """Have the file hold everything, so that it can be copied without its write-ahead log."""
    wal = store.home.live_file.with_name(f"{store.home.live_file.name}.wal")
    refusal = f"{wal} is still there"
    for attempt in range(_TRIES):
        if attempt:
            sleep(_PAUSE_S)
        cursor = store.cursor()
        try:
            with engine_errors(store.home.live_file):
                cursor.execute("checkpoint")
        except QueryError as exc:
            refusal = exc.message
            continue
        finally:
            cursor.close()
        if not wal.exists():
            return
    raise StoreError(f"the database could not be checkpointed for publication: {refusal}")


def _check_copy(generation: int, building: Path) -> None:
    found = inspect_file(building).generation
    if found != generation:
        raise StoreError(f"{building} says generation {found}, not {generation}")


def _move_in(home: Home, building: Path, target: Path) -> None:
    building.chmod(0o444)
    remove(target.with_name(f"{target.name}.wal"))
    building.replace(target)
    sync_folder(home.snapshots)
    facts = target.stat()
    write_document(
        home.published_note, {"file": target.name, "facts": [facts.st_size, facts.st_mtime_ns]}
    )
    link = temporary_name(home.public_file)
    remove(link)
    try:
        link.symlink_to(target.relative_to(home.root))
        link.replace(home.public_file)
    finally:
        remove(link)
    sync_folder(home.root)


def _prune(home: Home, keep: int) -> None:
    current = published_generation(home)
    older = sorted((number for number in _snapshots(home) if number != current), reverse=True)
    files = snapshot_files(home)
    for place, number in enumerate(older[keep:]):
        # What a server reads to its end is one to build upon afterwards: without it each copy is a whole one.
        if place < _MOST_READ and number in files and has_second_name(files[number]):
            continue
        for path in home.snapshots.glob(f"market.{number:06d}.duckdb*"):
            remove(path)


def _snapshots(home: Home) -> set[int]:
    """The generations of which anything lies in the snapshots folder, a leftover log included."""
    found = (_SNAPSHOT.match(path.name) for path in home.snapshots.iterdir())
    return {int(match[1]) for match in found if match}


def _refuse_strange_target(home: Home) -> None:
    if home.public_file.exists() and not home.public_file.is_symlink():
        raise StoreError(
            f"{home.public_file} is no symbolic link, so ttapi did not put it there",
            hint="move it away",
        )


_MOST_READ = 6
"""Published files beyond those kept that stay for who reads them."""
_KEPT = 4
"""Generations besides the newest that somebody goes on reading; each may cost the disk a whole copy of the file."""


@dataclass(eq=False)
class Generation:
    """One published file, open for reading; any thread may ask it."""

    number: int
    connection: Connection = field(repr=False)
    name: Path | None = None
    """Its second name; None: it has none, as the home cannot be written."""
    facts: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was found out about it: it never changes."""
    lasting: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was found out about its relations: generations that were installed alike share it."""
    readers: int = 0
    is_promised: bool = False
    """Whether somebody goes on reading it: asked for it by its number, or was given it to."""
    asked: int = 0
    """When it was last asked, counted."""
    _sorted: SortedWindows | None = field(default=None, repr=False)

    def rows(
        self, sql: str, parameters: Sequence[Any] = (), *, deadline_s: float | None = None
    ) -> Rows:
        """The answer of one SELECT, its values bound.

        *Raises* QueryError; InterruptedQueryError past `deadline_s`.
        """
        return select_rows(self.connection, sql, parameters, deadline_s=deadline_s)

    def window(
        self, ordered: str, parameters: Sequence[Any], rows: range, total: int, deadline_s: float
    ) -> Rows:
        """The `rows`, counted from 0, of the `total` that an ordered SELECT has; *raises* as `rows`."""
        if self.name is not None and total >= LARGE and rows.stop > DEEP:
            if self._sorted is None:
                self._sorted = SortedWindows(self.name)
            if (found := self._sorted.window(ordered, parameters, rows, deadline_s)) is not None:
                return found
        values = (*parameters, len(rows), rows.start)
        return self.rows(f"{ordered} limit ? offset ?", values, deadline_s=deadline_s)

    def close(self) -> None:
        """Let go of the file, of its second name and of what was sorted."""
        self.connection.close()
        if self._sorted is not None:
            self._sorted.close()
        if self.name is not None:
            with suppress(OSError):
                self.name.unlink(missing_ok=True)


class Generations:
    """The generations of one home that this process has open."""

    def __init__(
        self, home: Home, *, kept: int = _KEPT, newest: Callable[[Home], int] = published_generation
    ) -> None:
        self._home, self._kept, self._newest = home, kept, newest
        self._open: dict[int, Generation] = {}
        self._lasting: tuple[object, dict[Any, Any]] = (None, {})
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._count = 0
        remove_names_of_the_dead(home)

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
                left = self._left_over()
            for one in left:
                one.close()

    def newest(self) -> int:
        """The number of the newest generation; 0: none was published."""
        return self._newest(self._home)

    def close(self) -> None:
        """Let go of all of them."""
        with self._lock:
            for one in self._open.values():
                one.close()
            self._open.clear()

    def _lease(self, number: int | None) -> Generation:
        """The generation, with one reader more; of the newest that is pruned meanwhile the one after it."""
        while True:
            newest = self.newest()
            try:
                return self._lease_of(number, newest)
            except GenerationError:
                if number is not None or self.newest() == newest:
                    raise

    def _lease_of(self, number: int | None, newest: int) -> Generation:
        wanted = newest if number is None else number
        if wanted > newest or wanted < 1 <= newest:
            raise GenerationError(
                f"generation {wanted} was never published",
                number=wanted,
                newest=newest,
                hint=f"the newest is {newest}",
            )
        found = self._leased(wanted, number)
        if found is None:
            with self._opening:  # one opens it; who wants another one is not kept waiting
                found = self._leased(wanted, number)
                if found is None:
                    found = self._leased(wanted, number, self._opened(wanted, newest))
        assert found is not None
        return found

    def _leased(
        self, wanted: int, number: int | None, opened: Generation | None = None
    ) -> Generation | None:
        """The generation, `opened` where it was not there, with one reader more; None: it is not open."""
        with self._lock:
            found = self._open.get(wanted)
            if found is None and opened is not None:
                found = self._open[wanted] = opened
            if found is not None:
                self._count += 1
                found.asked = self._count
                found.is_promised |= number is not None
                found.readers += 1
            return found

    def _opened(self, number: int, newest: int) -> Generation:
        # By its number, not by the link, which may lead to a newer one by now.
        file = snapshot_files(self._home).get(number)
        gone = GenerationError(
            f"generation {number} is held no more",
            number=number,
            newest=newest,
            hint=f"the newest is {newest}: begin again without a generation",
        )
        if file is None:
            raise gone
        try:
            name = second_name(self._home, file, number)
        except FileNotFoundError as exc:  # pruned, or being made into a newer one
            raise gone from exc
        connection = connect_snapshot(name or file)
        number, installed = _number_in(connection)
        if self._lasting[0] != installed:
            self._lasting = (installed, {})
        return Generation(number, connection, name, lasting=self._lasting[1])

    def _left_over(self) -> list[Generation]:
        """What nobody reads, beyond the newest and the promised ones that were last asked: to be closed.

        A stream publishes every two seconds: each file that stays open is one that cannot become the next.
        """
        newest = self.newest()
        older = [one for number, one in self._open.items() if number != newest]
        promised = sorted((one for one in older if one.is_promised), key=lambda one: one.asked)
        left = [one for one in {*older} - {*promised[-self._kept :]} if not one.readers]
        for one in left:
            del self._open[one.number]
        return left


def _number_in(connection: Connection) -> tuple[int, object]:
    """The generation's number, and what says which relations it was installed with."""
    with closing(connection.cursor()) as cursor, engine_errors():
        rows = cursor.execute(
            "select name, value from catalog.meta where name = 'generation'"
            " or contains(name, 'models') or contains(name, 'lineage') order by all"
        ).fetchall()
    noted = dict(rows)
    return int(noted.pop("generation")), tuple(noted.items())
