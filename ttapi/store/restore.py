# SPDX-License-Identifier: Apache-2.0
"""The live file brought back from a copy: found, proved under another name, then put in place.

Nothing is ever deleted: what was there moves to a folder of its own beside the live file. Until the
last rename the old file stands; a note beside it says that a restore is under way.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ttapi.config import bundled_folder
from ttapi.errors import StoreError, TtapiError, UsageError
from ttapi.store.backup import DATABASE, check_backup, check_database, list_backups
from ttapi.store.engine import connect_live, engine_errors, inspect_file
from ttapi.store.file_copy import COPY, run_child
from ttapi.store.files import remove, sync_file, sync_folder, temporary_name
from ttapi.store.integrity import (
    disagreements,
    inspect_log,
    last_load,
    log_of,
    missing_bytes,
    read_whole,
)
from ttapi.store.publish import snapshot_files
from ttapi.store.schema import pending_migrations, read_migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttapi.home import Home
    from ttapi.store.backup import Manifest

MARK = "restoring.json"
"""The note in the live folder that a restore is under way."""


@dataclass(frozen=True)
class RestoreSource:
    """Where a live file can come back from."""

    kind: Literal["backup", "snapshot", "live"]
    place: Path
    """The backup's folder, the snapshot's file, or the live file."""
    generation: int

    def __str__(self) -> str:
        return f"{self.kind} {self.place.name} (generation {self.generation})"


@dataclass(frozen=True)
class RestoreCandidate:
    """A proved copy that waits to be put in place."""

    origin: RestoreSource
    file: Path
    rows: int
    """Of all tables together."""
    manifest: Manifest | None = None
    """Of the backup it came from."""


def require_live(home: Home) -> None:
    """Nothing, or StoreError with its kind: why the live file cannot be worked with.

    What reading all of it would bring up, `require_undamaged` says. *Raises* MigrationError, and
    LockedError when some other program has the file open for writing.
    """
    file, log = home.live_file, log_of(home.live_file)
    if not file.exists():
        raise StoreError(f"{file} is missing", kind="missing")
    try:
        found = inspect_log(log)
    except OSError as exc:
        raise StoreError(f"{log} cannot be read: {exc.strerror}", kind="no permission") from exc
    if found is not None and not found.is_whole:
        kind = "damaged log" if found.readable == 0 else "torn log"
        raise StoreError(
            f"{log}: of its {found.size:,} bytes the first {found.readable:,} are whole writes",
            kind=kind,
        )
    try:
        facts = inspect_file(file)
        missing = missing_bytes(file)
    except StoreError as exc:
        if found is not None and "WAL" in exc.message:
            raise StoreError(f"{log} cannot be applied: {exc.message}", kind="damaged log") from exc
        raise
    pending_migrations(facts.applied, read_migrations(bundled_folder("migrations")), file)
    if missing:
        raise StoreError(
            f"{file} is {missing:,} bytes shorter than it says of itself", kind="damaged"
        )
    if found is not None and (parted := _strangeness(home)):
        raise StoreError(f"{log} is of another database: {parted}", kind="foreign log")


def require_undamaged(home: Home) -> None:
    """Nothing, or StoreError: what reading the live file to its end brings up, though it opens."""
    read_whole(home.live_file)
    if parted := disagreements(home.live_file):
        raise StoreError(f"{home.live_file} cannot be right: {parted[0]}", kind="parted ledger")


def origins(home: Home) -> Iterator[RestoreSource]:
    """The copies there are that open or look good, the newest generation first."""
    found = [
        RestoreSource("backup", backup.folder, backup.manifest.generation)
        for backup in list_backups(home.backups)
        if backup.manifest is not None
    ]
    for generation, file in snapshot_files(home).items():
        with suppress(TtapiError):
            inspect_file(file)
            found.append(RestoreSource("snapshot", file, generation))
    yield from sorted(found, key=lambda one: (one.generation, one.kind == "snapshot"), reverse=True)


def prepare_best(home: Home) -> RestoreCandidate:
    """A proved copy of the newest thing that is whole: the live file itself, a snapshot or a backup.

    *Raises* StoreError naming what was tried.
    """
    tried: list[str] = []
    others = list(origins(home))
    newest = max((one.generation for one in others), default=0)
    try:
        return prepare_live(home, at_least=newest)
    except (TtapiError, OSError) as exc:
        tried.append(str(exc))
    for origin in others:
        try:
            return prepare(home, origin)
        except (TtapiError, OSError) as exc:
            tried.append(str(exc))
    raise StoreError(
        f"{home.root} holds no whole copy of its database: {'; '.join(tried)}",
        hint="ttapi restore empty puts it aside and begins anew; ttapi refresh then loads all again",
    )


def prepare(home: Home, origin: RestoreSource) -> RestoreCandidate:
    """A proved copy of a backup or a snapshot.

    *Raises* StoreError for one that is damaged, MigrationError for a newer or altered one; the live
    file is not touched.
    """
    building = _new_building(home)
    try:
        if origin.kind == "backup":
            manifest = check_backup(origin.place)
            run_child(COPY, str(origin.place / DATABASE), str(building))
            return RestoreCandidate(
                origin, building, check_database(building, manifest).rows, manifest
            )
        run_child(COPY, str(origin.place), str(building))
        return _proved(origin, building)
    except BaseException:
        _remove_building(building)
        raise


def prepare_live(home: Home, *, at_least: int = 0) -> RestoreCandidate:
    """A proved copy of the live file with its log, or without it where the log is no good.

    *Raises* StoreError when the file itself is damaged, or older than generation `at_least`.
    """
    if not home.live_file.exists():
        raise StoreError(f"{home.live_file} is missing", hint="ttapi restore")
    log, building = log_of(home.live_file), _new_building(home)
    try:
        if inspect_log(log) is not None:
            with suppress(TtapiError):
                return _with_log(home, building, at_least)
            _remove_building(building)
        run_child(COPY, str(home.live_file), str(building))
        return _proved(_live_origin(home, building, at_least), building)
    except BaseException:
        _remove_building(building)
        raise


def put_in_place(
    home: Home, prepared: RestoreCandidate | None, words: str, *, was_whole: bool
) -> Path | None:
    """Make the prepared copy the live file; the folder that keeps what was there, if anything was.

    `words` is the command that would bring a restore that was cut short to its end; without a copy,
    what was there only moves aside. Call `finish` when all that follows from the new file is done.
    """
    aside = _free_folder(home, "replaced" if was_whole else "damaged")
    note = home.live / MARK
    writing = temporary_name(note)
    writing.write_text(json.dumps({"command": words, "aside": aside.name}), encoding="utf-8")
    sync_file(writing)
    writing.replace(note)
    aside.mkdir(mode=0o700)
    if prepared is not None and home.live_file.exists():
        # A second name keeps the old file under its own until the rename puts the new one there.
        with suppress(OSError):
            (aside / DATABASE).hardlink_to(home.live_file)
    log = log_of(home.live_file)
    if log.exists():
        log.replace(aside / log.name)
    if not (aside / DATABASE).exists() and home.live_file.exists():
        home.live_file.replace(aside / DATABASE)
    sync_folder(aside)
    if prepared is not None:
        prepared.file.chmod(0o600)
        prepared.file.replace(home.live_file)
    is_empty = not any(aside.iterdir())
    if is_empty:
        aside.rmdir()
    sync_folder(home.live)
    return None if is_empty else aside


def put_public_aside(home: Home) -> Path | None:
    """Move away what stands in place of the published link and is no link; where it is kept."""
    if home.public_file.is_symlink() or not home.public_file.exists():
        return None
    aside = _free_folder(home, "replaced")
    aside.mkdir(mode=0o700)
    home.public_file.replace(aside / "published.duckdb")
    return aside


def read_mark(home: Home) -> dict[str, str] | None:
    """What an unfinished restore noted; None: none is unfinished."""
    try:
        said = json.loads((home.live / MARK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        said = {}
    return said if isinstance(said, dict) else {}


def finish(home: Home) -> None:
    """Forget the note that a restore is under way."""
    remove(home.live / MARK)
    sync_folder(home.live)


def find_backup(home: Home, name: Path) -> RestoreSource:
    """The backup meant by `name`: its folder, a file in it, or its name in the backups folder.

    *Raises* UsageError when there is none, StoreError when it is damaged.
    """
    folder = backup_folder(home, name)
    return RestoreSource("backup", folder, check_backup(folder).generation)


def backup_folder(home: Home, name: Path) -> Path:
    """The folder of the backup meant by `name`, not looked into. *Raises* UsageError."""
    for folder in (name, name.parent, home.backups / name):
        if folder.is_dir() and (folder == name or folder.joinpath(DATABASE).exists()):
            return folder
    raise UsageError(f"{name} is no backup", hint="ttapi backup --list names them")


def _with_log(home: Home, building: Path, at_least: int) -> RestoreCandidate:
    run_child(COPY, str(home.live_file), str(building))
    before = last_load(building)
    shutil.copyfile(log_of(home.live_file), log_of(building))
    with closing(connect_live(building)) as connection, engine_errors(building):
        connection.execute("checkpoint")
    if log_of(building).exists():
        raise StoreError(f"{log_of(home.live_file)} is no log", kind="damaged log")
    if last_load(building) < before:
        raise StoreError(f"{log_of(home.live_file)} is of another database", kind="foreign log")
    return _proved(_live_origin(home, building, at_least), building)


def _strangeness(home: Home) -> str | None:
    """What the log beside the live file made of it that no log of its own could; None: nothing."""
    parted = disagreements(home.live_file)
    if parted:
        return parted[0]
    given = last_load(home.live_file)
    for generation, file in reversed(snapshot_files(home).items()):
        with suppress(TtapiError):
            if last_load(file) > given:
                return f"it ends with load {given}, and generation {generation} has a later one"
            return None
    return None


def _live_origin(home: Home, building: Path, at_least: int) -> RestoreSource:
    generation = inspect_file(building).generation
    if generation < at_least:
        raise StoreError(
            f"{home.live_file} stands at generation {generation}, and {at_least} is kept"
        )
    return RestoreSource("live", home.live_file, generation)


def _proved(origin: RestoreSource, building: Path) -> RestoreCandidate:
    """The copy, after every block of it was read and its ledger agreed with its data."""
    facts = inspect_file(building)
    pending_migrations(facts.applied, read_migrations(bundled_folder("migrations")), building)
    rows = read_whole(building).rows
    if parted := disagreements(building):
        raise StoreError(f"{origin.place} cannot be right: {parted[0]}")
    return RestoreCandidate(origin, building, rows)


def _new_building(home: Home) -> Path:
    building = temporary_name(home.live_file)
    _remove_building(building)
    return building


def _remove_building(building: Path) -> None:
    remove(building)
    remove(log_of(building))


def _free_folder(home: Home, word: str) -> Path:
    number = 1
    while (home.live / f"{word}-{number}").exists():
        number += 1
    return home.live / f"{word}-{number}"
