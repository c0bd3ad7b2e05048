# SPDX-License-Identifier: Apache-2.0
"""The manifest of a backup: what was sealed, so that every later change of a byte shows.

It is JSON in one canonical form, written last; its own seal is a hash over all else in it, and a
manifest that reads the same but is written another way is refused too.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ttapi.errors import StoreError
from ttapi.store.fingerprint import Contents, TableFacts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = "manifest.json"
_FORMAT = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_BYTES = 16_000_000


@dataclass(frozen=True)
class SealedFile:
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
    database: SealedFile
    tables: Mapping[str, TableFacts]
    files: tuple[SealedFile, ...] = field(default=())
    """The user's own: models, plugins, settings without their secrets."""

    @property
    def contents(self) -> Contents:
        """The tables, as a file that equals this backup holds them."""
        return Contents(self.tables, {})


def seal_file(file: Path, path: str) -> SealedFile:
    """Size and hash of `file`, to be known as `path`; it must not be a live file of this process."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SealedFile(path, file.stat().st_size, digest)


def manifest_bytes(manifest: Manifest) -> bytes:
    """The manifest as its file holds it."""
    body = asdict(manifest) | {
        "format": _FORMAT,
        "created_at": manifest.created_at.isoformat(),
        "tables": {name: asdict(facts) for name, facts in manifest.tables.items()},
        "files": [asdict(one) for one in manifest.files],
    }
    return _canonical({**body, "seal": _seal(body)})


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
    if document["seal"] != _seal(body) or text != _canonical(document):
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


def _sealed(entry: dict[str, Any]) -> SealedFile:
    sealed = SealedFile(str(entry["path"]), int(entry["size"]), str(entry["sha256"]))
    parts = sealed.path.split("/")
    if not _HASH.fullmatch(sealed.sha256) or not all(parts) or {".", ".."} & set(parts):
        raise ValueError(f"{sealed.path!r} cannot be a file of a backup")
    return sealed


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
