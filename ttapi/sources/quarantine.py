# SPDX-License-Identifier: Apache-2.0
"""Answers that could not be used, kept with the reason: `journal/quarantine/` in the home."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from ttapi.secret import scrubbed

if TYPE_CHECKING:
    from pathlib import Path

_KEPT_FILES = 200
_KEPT_BYTES = 256_000
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


class Quarantine:
    """A folder of refused answers, the newest 200; nothing is kept where there is no home."""

    def __init__(self, home: Path | None) -> None:
        self._folder = None if home is None else home / "journal" / "quarantine"

    def keep(self, endpoint: str, status: int | None, reason: str, body: bytes) -> Path | None:
        """Where the answer lies; its reason stands on the first line, secrets are blotted out.

        An answer seen before is kept once. None where nothing could be kept.
        """
        if self._folder is None:
            return None
        stem = _NOT_A_NAME.sub("-", endpoint.lower()).strip("-")
        digest = hashlib.blake2b(body, digest_size=6).hexdigest()
        file = self._folder / f"{stem}-{digest}.txt"
        text = scrubbed(body[:_KEPT_BYTES].decode("utf-8", "replace"))
        cut = f", first {_KEPT_BYTES:,} of {len(body):,} bytes" if len(body) > _KEPT_BYTES else ""
        head = f"{endpoint}, status {status}{cut}: {scrubbed(reason)}\n"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(head + text)
            self._forget_oldest()
        except OSError:
            return None
        return file

    def _forget_oldest(self) -> None:
        assert self._folder is not None
        files = sorted(self._folder.glob("*.txt"), key=lambda f: f.stat().st_mtime_ns)
        for file in files[:-_KEPT_FILES]:
            file.unlink(missing_ok=True)
