# SPDX-License-Identifier: Apache-2.0
"""Backups: a published generation copied, sealed with a manifest, and proved before it counts.

A backup is a folder `<UTC instant>-<generation>` with the database, the user's own files and the
manifest. It is built under a temporary name, so a folder without that name is a finished one.
The origin is an immutable snapshot: nobody waits, and the live file is never read.

The manifest of a backup: what was sealed, so that every later change of a byte shows.

It is JSON in one canonical form, written last; its own seal is a hash over all else in it, and a
manifest that reads the same but is written another way is refused too.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ttapi.config import bundled_folder
from ttapi.errors import DiskFullError, StoreError, TtapiError, UsageError
from ttapi.store.engine import inspect_file
from ttapi.store.file_copy import COPY, run_child
from ttapi.store.files import leftovers, remove, sync_file, sync_folder, temporary_name
from ttapi.store.integrity import Contents, TableFacts, differences, engine_version, read_whole
from ttapi.store.schema import pending_migrations, read_migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ttapi.home import Home

MANIFEST = "manifest.json"
_FORMAT = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 16_000_000


@dataclass(frozen=True)
class ManifestEntry:
    """One file of a backup."""

    path: str
    """Relative to the backup's folder, with forward slashes."""
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, and what made it."""

    created_at: datetime
    """Zone-aware UTC."""
    ttapi: str
    duckdb: str
    generation: int
    """The published generation that was copied."""
    migration: int
    """The file's schema version."""
    database: ManifestEntry
    tables: Mapping[str, TableFacts]
    files: tuple[ManifestEntry, ...] = field(default=())
    """The user's own: models, plugins, settings without their secrets."""

    @property
    def contents(self) -> Contents:
        """The tables, as a file that equals this backup holds them."""
        return Contents(self.tables, {})


def seal_file(file: Path, path: str) -> ManifestEntry:
    """Size and hash of `file`, to be known as `path`; it must not be a live file of this process."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ManifestEntry(path, file.stat().st_size, digest)


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as its file holds it."""
    body = asdict(manifest) | {
        "format": _FORMAT,
        "created_at": manifest.created_at.isoformat(),
        "tables": {name: asdict(facts) for name, facts in manifest.tables.items()},
        "files": [asdict(one) for one in manifest.files],
    }
    return _canonical({**body, "seal": _seal_of(body)})


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the backup in `folder`.

    *Raises* StoreError for one that is missing, was changed, or is of another format.
    """
    file = folder / MANIFEST
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise StoreError(f"{file} is too long to be a manifest")
        text = file.read_bytes()
    except OSError as exc:
        raise StoreError(
            f"{file} cannot be read: {exc.strerror}", hint="ttapi backup --list names good ones"
        ) from exc
    try:
        return _parsed(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise StoreError(
            f"{file} was changed after it was sealed, or is none of ttapi's: {exc}",
            hint="ttapi backup --list names good ones",
        ) from exc


def _parsed(text: bytes) -> Manifest:
    document = json.loads(text)
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, and this ttapi knows {_FORMAT}")
    body = {name: value for name, value in document.items() if name != "seal"}
    if document["seal"] != _seal_of(body) or text != _canonical(document):
        raise ValueError("its seal does not fit")
    created_at = datetime.fromisoformat(body["created_at"])
    if created_at.tzinfo is None:
        raise ValueError("its instant names no zone")
    return Manifest(
        created_at=created_at,
        ttapi=str(body["ttapi"]),
        duckdb=str(body["duckdb"]),
        generation=int(body["generation"]),
        migration=int(body["migration"]),
        database=_sealed(body["database"]),
        tables={str(name): TableFacts(**facts) for name, facts in body["tables"].items()},
        files=tuple(_sealed(one) for one in body["files"]),
    )


def _sealed(entry: dict[str, Any]) -> ManifestEntry:
    sealed = ManifestEntry(str(entry["path"]), int(entry["size"]), str(entry["sha256"]))
    parts = sealed.path.split("/")
    if not _HASH.fullmatch(sealed.sha256) or not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f"{sealed.path!r} cannot be a file of a backup")
    return sealed


def _seal_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


DATABASE = "market.duckdb"
_SECRET_NAME = re.compile(r"secret|credential|token|password|\.env|\.pem$|\.key$", re.IGNORECASE)
_SECRET_LINE = re.compile(
    r"^(\s*)([\w.\"'-]*(?:secret|token|password)[\w\"']*)\s*=.*$", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True)
class Backup:
    """One backup as it was found."""

    folder: Path
    manifest: Manifest | None
    error: str | None = None
    """Why it cannot be used, as far as a look at it tells; None: it looks good."""


def make_backup(home: Home, folder: Path, *, created_at: datetime, version: str) -> Backup:
    """The newest published generation of `home`, sealed in a new folder of `folder` and proved.

    `version` is this ttapi's own.

    *Raises* UsageError when nothing is published or `folder` cannot be written; DiskFullError,
    StoreError. Nothing of the backup remains then.
    """
    try:
        origin = home.public_file.resolve(strict=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_room(origin, folder)
    except OSError as exc:
        raise UsageError(
            f"{exc.filename} cannot be used: {exc.strerror}", hint="ttapi doctor says more"
        ) from exc
    for path in leftovers(folder):
        remove(path)
    facts = inspect_file(origin)
    target = _free_name(folder, f"{created_at:%Y%m%dT%H%M%SZ}-{facts.generation:06d}")
    building = temporary_name(target)
    try:
        building.mkdir(mode=0o700)
        run_child(COPY, str(origin), str(building / DATABASE))
        manifest = Manifest(
            created_at=created_at,
            ttapi=version,
            duckdb=engine_version(),
            generation=facts.generation,
            migration=facts.applied[-1].version,
            database=seal_file(building / DATABASE, DATABASE),
            tables=read_whole(origin).tables,
            files=tuple(_copy_own_files(home, building)),
        )
        _seal(building, manifest)
        check_backup(building)
        building.rename(target)
        sync_folder(folder)
    except (OSError, StoreError) as exc:
        raise _text(exc, folder) from exc
    finally:
        remove(building)
    return Backup(target, manifest)


def list_backups(folder: Path) -> list[Backup]:
    """The backups in `folder`, newest first; those that cannot be used say why."""
    if not folder.is_dir():
        return []
    found = [
        inspect_backup(path)
        for path in folder.iterdir()
        if path.is_dir() and ".tmp-" not in path.name
    ]
    return sorted(found, key=_age, reverse=True)


def inspect_backup(folder: Path) -> Backup:
    """The backup in `folder` judged by its manifest and the sizes of its files; a moment's work."""
    try:
        manifest = read_manifest(folder)
        for sealed in (manifest.database, *manifest.files):
            _require_size(folder, sealed)
    except StoreError as exc:
        return Backup(folder, None, str(exc))
    return Backup(folder, manifest)


def check_backup(folder: Path) -> Manifest:
    """The manifest of the backup in `folder`, after every byte was read and every table compared.

    *Raises* StoreError for one that was damaged, cut short or changed; MigrationError for one that
    a newer ttapi made.
    """
    manifest = read_manifest(folder)
    for sealed in (manifest.database, *manifest.files):
        _require_size(folder, sealed)
        if seal_file(folder / sealed.path, sealed.path) != sealed:
            raise StoreError(
                f"{folder / sealed.path} was changed after it was sealed",
                hint="ttapi backup --list names other backups",
            )
    check_database(folder / DATABASE, manifest)
    return manifest


def check_database(file: Path, manifest: Manifest) -> Contents:
    """The content of `file`, which opens and holds what `manifest` says.

    *Raises* StoreError, MigrationError.
    """
    facts = inspect_file(file)
    pending_migrations(facts.applied, read_migrations(bundled_folder("migrations")), file)
    found = read_whole(file)
    has_same_engine = manifest.duckdb == engine_version()
    told = differences(manifest.contents, found, has_same_engine=has_same_engine)
    if told or facts.generation != manifest.generation:
        raise StoreError(
            f"{file} is not what its manifest says: {told[0] if told else 'another generation'}"
        )
    return found


def prune_backups(folder: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest usable backups of `folder`; one that is damaged stays."""
    usable = [backup for backup in list_backups(folder) if backup.manifest is not None]
    outdated = [backup.folder for backup in usable[max(1, keep) :]]
    for path in outdated:
        remove(path)
    return outdated


def restore_own_files(home: Home, folder: Path, manifest: Manifest) -> list[Path]:
    """Bring back those of the user's own files that `home` lacks; what is there stays as it is."""
    brought = []
    for sealed in manifest.files:
        target = home.root / sealed.path
        if target.exists() or target.is_symlink():
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        building = temporary_name(target)
        shutil.copyfile(folder / sealed.path, building)
        building.chmod(0o600)
        building.replace(target)
        brought.append(target)
    return brought


def _copy_own_files(home: Home, building: Path) -> Iterator[ManifestEntry]:
    own = [home.settings_file, *home.sql.rglob("*"), *home.sources.rglob("*")]
    for file in sorted(own):
        path = file.relative_to(home.root)
        is_hidden = any(part.startswith((".", "__pycache__")) for part in path.parts)
        if not file.is_file() or file.is_symlink() or is_hidden or _SECRET_NAME.search(file.name):
            continue
        target = building / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file == home.settings_file:
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
            text = _SECRET_LINE.sub(r"\1# \2 is left out of backups", text)
            target.write_text(text, encoding="utf-8", errors="surrogateescape")
        else:
            shutil.copyfile(file, target)
        yield seal_file(target, path.as_posix())


def _seal(building: Path, manifest: Manifest) -> None:
    """Write the manifest last, after all else is on the disk."""
    for path in [building, *building.rglob("*")]:
        sync_file(path)
    file = building / MANIFEST
    writing = temporary_name(file)
    writing.write_bytes(manifest_bytes(manifest))
    sync_file(writing)
    writing.rename(file)
    for path in building.rglob("*"):
        if path.is_file():
            path.chmod(0o400)
    sync_folder(building)


def _require_size(folder: Path, sealed: ManifestEntry) -> None:
    file = folder / sealed.path
    try:
        size = file.stat().st_size
    except OSError as exc:
        raise StoreError(f"{file} cannot be read: {exc.strerror}") from exc
    if size != sealed.size:
        raise StoreError(f"{file} has {size:,} bytes and was sealed with {sealed.size:,}")


def _require_room(origin: Path, folder: Path) -> None:
    needed, free = origin.stat().st_size, shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFullError(
            f"{folder}: a backup takes {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free",
            hint="make room, or name another folder with --to",
        )


def _free_name(folder: Path, name: str) -> Path:
    taken = {path.name for path in folder.iterdir()}
    names = (name, *(f"{name}-{number}" for number in range(2, 10_000)))
    return folder / next(one for one in names if one not in taken)


def _age(backup: Backup) -> tuple[bool, float, int, str]:
    if backup.manifest is None:
        return False, 0.0, 0, backup.folder.name
    made = backup.manifest
    return True, made.created_at.timestamp(), made.generation, backup.folder.name


def _text(error: OSError | StoreError, folder: Path) -> TtapiError:
    full = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
    if isinstance(error, OSError) and error.errno not in full:
        return StoreError(f"the backup failed at {error.filename or folder}: {error.strerror}")
    if isinstance(error, OSError) or any(os.strerror(code) in str(error) for code in full):
        return DiskFullError(
            f"{folder}: no room for a backup: {error}", hint="make room, or use --to"
        )
    return error
