# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, when, and what came of it; a line each, sealed with the one before.

`logs/audit.jsonl` is only appended to, by every process of the home under one lock. A line that is full
of a file begins another; none is removed. It holds neither tokens nor SQL: of a query its digest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ttapi.api import audit_hash
from ttapi.errors import UsageError
from ttapi.secret import scrubbed_value
from ttapi.server.auth import RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

log = logging.getLogger("ttapi.server")

FILE_BYTES = 16 * 1024 * 1024
"""After which another file begins."""
LOCAL = "local"
"""Who did what a command did on the machine itself."""
_TEXT = 200
_FIRST = "0" * 64
_TAIL, _NOTE = 8_192, 160
"""Bytes: of the end of the log, in which its last line is; of the note of its number and hash."""


class AuditTrail:
    """The audit log of one home; threads and processes may share it."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float] = time.time,
        *,
        file_bytes: int = FILE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds since 1970, UTC; `clock`: seconds that never go back."""
        self._folder, self._file = folder, folder / "audit.jsonl"
        self._now, self._file_bytes = now, file_bytes
        self._lock = threading.Lock()
        self._refusals = RateLimit(0.2, 20, clock)
        self._unwritten = 0

    def write(
        self,
        what: str,
        result: str,
        *,
        who: str,
        request_id: str = "",
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Nothing, once the line is written. *Raises* UsageError where it cannot be."""
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        said = {
            "at": at.replace("+00:00", "Z"),
            "who": _short(who),
            "what": what,
            "result": _short(result),
            "request_id": request_id,
            "about": {name: _short(value) for name, value in (about or {}).items()},
        }
        try:
            with self._lock, self._locked() as lock:
                self._append(lock, said)
        except OSError as exc:
            raise UsageError(f"{self._file} cannot be written: {exc.strerror}") from exc

    def note(
        self,
        what: str,
        result: str,
        *,
        who: str,
        request_id: str = "",
        about: Mapping[str, object] | None = None,
    ) -> None:
        """As `write`, for who has begun to answer: where it cannot be written, the daemon's log says so."""
        try:
            self.write(what, result, who=who, request_id=request_id, about=about)
        except UsageError:
            log.exception("not audited", extra={"what": what, "request_id": request_id})

    def note_refusal(
        self, what: str, result: str, address: str, *, who: str = "", request_id: str = ""
    ) -> None:
        """Nothing; that somebody was refused: of one address some at once, then one in five seconds."""
        if self._refusals.wait_s(address):
            with self._lock:
                self._unwritten += 1
            return
        with self._lock:
            unwritten, self._unwritten = self._unwritten, 0
        about: dict[str, object] = {"address": address}
        if unwritten:
            about["more_refusals"] = unwritten
        self.note(what, result, who=who, request_id=request_id, about=about)

    def _append(self, lock: int, said: dict[str, object]) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._file, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
            number, before = _end(lock, tail)
            record = {"number": number + 1, **scrubbed_value(said), "before": before}
            record["hash"] = audit_hash(record)
            line = json.dumps(record, sort_keys=True).encode() + b"\n"
            is_torn = bool(tail) and not tail.endswith(b"\n")
            os.write(descriptor, b"\n" + line if is_torn else line)
        finally:
            os.close(descriptor)
        end = json.dumps({"number": record["number"], "hash": record["hash"]}).encode()
        os.pwrite(lock, end.ljust(_NOTE), 0)
        if size + len(line) >= self._file_bytes:
            self._file.rename(self._folder / f"audit.{record['number']:012d}.jsonl")

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._folder / ".audit.lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _end(lock: int, tail: bytes) -> tuple[int, str]:
    """Number and hash of the last line: as noted beside it, or as it stands where a kill came between."""
    lines = (_number_and_hash(line) for line in reversed(tail.splitlines()))
    last = next((found for found in lines if found is not None), None)
    return max(last or (0, _FIRST), _number_and_hash(os.pread(lock, _NOTE, 0)) or (0, _FIRST))


def _number_and_hash(text: bytes) -> tuple[int, str] | None:
    """Those of one line; None: it is torn."""
    try:
        line = json.loads(text)
        return int(line["number"]), str(line["hash"])
    except (ValueError, KeyError, TypeError):
        return None


def digest_of_sql(sql: str) -> str:
    """What stands for a query."""
    return hashlib.sha256(sql.encode("utf-8", "surrogateescape")).hexdigest()


def _short(value: object) -> object:
    return value[:_TEXT] if isinstance(value, str) else value
