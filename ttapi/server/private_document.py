# SPDX-License-Identifier: Apache-2.0
"""A JSON object in a file for its owner alone, read and changed by several processes.

Who reads sees a whole version; who changes holds a lock, and replaces the file in one step.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
import stat
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BYTES = 64 * 1024 * 1024
"""Of the largest that is read."""


class PrivateDocument:
    """The object in one file; threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Who reads does not wait for the disk of who writes.
        self._lock, self._changing = threading.Lock(), threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._found: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The object as it stands, not to be changed; empty where there is no file.

        *Raises* UsageError for a file that others can read or write, or that is damaged.
        """
        with self._lock:
            seen = self._stamp()
            if seen != self._seen or seen is None:
                self._found = self._parsed(self._read_text()) if seen else {}
                self._seen = seen
            return self._found

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """The object, to be changed inside the block; what it is then replaces the file, unless it is equal.

        *Raises* UsageError as `read`, and where the file cannot be written.
        """
        with self._changing, self._locked():
            before = self.read()
            found = copy.deepcopy(before)
            yield found
            if found != before:
                replace_private(self.path, json.dumps(found, indent=1, sort_keys=True) + "\n")

    def _stamp(self) -> tuple[int, ...] | None:
        """What tells one version from another; None: there is no file."""
        try:
            facts = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return facts.st_ino, facts.st_mtime_ns, facts.st_size, facts.st_mode, facts.st_uid

    def _read_text(self) -> str:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(descriptor, encoding="utf-8") as stream:
                facts = os.fstat(descriptor)
                if facts.st_mode & 0o077 or facts.st_uid != os.geteuid():
                    raise UsageError(
                        f"{self.path} can be read or written by others, so it is not used",
                        hint=f"chmod 600 {self.path}",
                    )
                if not stat.S_ISREG(facts.st_mode) or facts.st_size > _BYTES:
                    raise UsageError(f"{self.path} is no file that ttapi wrote")
                return stream.read()
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{self.path} cannot be read: {exc}") from exc

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError as exc:
            raise UsageError(f"{self.path} is damaged: {exc}") from exc
        if not isinstance(found, dict):
            raise UsageError(f"{self.path} is damaged: it holds no object")
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_name(f".{self.path.name}.lock")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(lock, flags, 0o600)
        except OSError as exc:
            raise UsageError(f"{self.path} cannot be written: {exc.strerror}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def replace_private(file: Path, text: str) -> None:
    """Nothing; `file` is `text`, whole or as before, for its owner alone. *Raises* UsageError."""
    part = file.with_name(f"{file.name}.tmp-{os.getpid()}")
    try:
        part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise UsageError(f"{file} cannot be written: {exc.strerror}") from exc
