# SPDX-License-Identifier: Apache-2.0
"""What tells files and settings from what they were: of directories for speed, of contents for truth."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHERE_OR_WHO = re.compile(
    r"(^|_)(path|file|url|host|port|secret|token|login|password|per_s|in_flight|up_s)$"
)

Signature = tuple[tuple[str, int, int, int], ...]
"""Path, inode, time of change and size of some files."""


def signature_of(folders: Iterable[Path], ending: str) -> Signature:
    """The files below `folders` whose names end so, as their directories tell them apart."""
    found = []
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith(ending):
                facts = entry.stat()
                found.append((entry.path, facts.st_ino, facts.st_mtime_ns, facts.st_size))
            elif entry.is_dir():
                waiting.append(entry.path)
    return tuple(sorted(found))


def models_fingerprint(folders: Iterable[Path]) -> str:
    """Hash of the contents of every model file below `folders`, and of the code that builds them."""
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted(folder.rglob("*.sql")):
            digest.update(f"{folder.name}/{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    for path in sorted(Path(__file__).parent.parent.joinpath("models").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def settings_fingerprint(settings: Mapping[str, str]) -> str:
    """Of the settings that change what is read, not of where it lies or how one logs in."""
    told = sorted((k, v) for k, v in settings.items() if not _WHERE_OR_WHO.search(k))
    return hashlib.blake2b(repr(told).encode(), digest_size=4).hexdigest()
