# SPDX-License-Identifier: Apache-2.0
"""The one-owner lock: who may write the live file, and who does at this moment.

The lock is a flock on `live/market.lock`, so it ends with its process however that ends; the text
in the file only tells the others whom they are waiting for. The file is never removed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ttapi.errors import (
    DiskFullError,
    LockedError,
    LockOwner,
    ReadOnlyHomeError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from types import TracebackType

    from ttapi.home import Home

if sys.platform != "win32":
    import fcntl

_POLL_S = 0.05
_WANTED_S = 2.0
"""How long a wish counts that is not said again."""
_LONGEST_WAIT_S = 31_536_000
_MAX_TEXT = 4096
_HELD = Path("/proc/locks")  # proc(5); Linux has it

OnWait = Callable[[LockOwner | None], None] | None
"""Called with whom is waited for; None: nobody is told."""


class OwnerLock:
    """The held lock; made by `acquire`, ended by `release` or by leaving its `with` block."""

    def __init__(self, descriptor: int, owner: LockOwner) -> None:
        self._descriptor: int | None = descriptor
        self.owner = owner

    def release(self) -> None:
        """Clear the owner's text and let the next one in; harmless when called again."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def acquire(
    home: Home,
    *,
    command: str,
    wait_s: float = 60.0,
    on_wait: OnWait = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> OwnerLock:
    """The lock of `home`, waited for at most `wait_s` seconds (0: not at all).

    `on_wait` is told the owner once, before the first wait.

    *Raises* LockedError naming the owner; UsageError where the folder cannot be written, and for a
    wait that is none.
    """
    _refuse_windows()
    if not 0 <= wait_s <= _LONGEST_WAIT_S:
        hint = f"0 to {_LONGEST_WAIT_S:,} seconds, a year"
        raise UsageError(f"nobody waits for {wait_s:g} s", hint=hint)
    descriptor = _open_lock_file(home)
    try:
        _wait_for(home, descriptor, wait_s, on_wait, sleep=sleep, clock=clock)
        # Who else waits says so again.
        home.wanted_file.unlink(missing_ok=True)
        owner = LockOwner(os.getpid(), _started_at(), socket.gethostname(), command)
        text = json.dumps(owner.__dict__).encode()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
    except OSError as exc:
        os.close(descriptor)
        raise _unwritable(home, exc) from exc
    except BaseException:
        os.close(descriptor)
        raise
    return OwnerLock(descriptor, owner)


def current_owner(home: Home) -> LockOwner | None:
    """Who holds the lock of `home` now, or None; never takes it, not even for an instant.

    The answer comes from the lock file's text and is None when that process is gone.
    """
    try:
        descriptor = os.open(home.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        owner = _read_owner(descriptor)
    finally:
        os.close(descriptor)
    if owner is None or (owner.host == socket.gethostname() and not is_alive(owner.pid)):
        return None
    return owner


@dataclass(frozen=True)
class LockNote:
    """What the lock file and the machine say, nothing being taken."""

    owner: LockOwner | None
    """As the file's text says; None: it is empty or makes no sense."""
    is_held: bool
    """Whether a process of this machine holds the lock, as far as the machine tells."""


def read_lock(home: Home) -> LockNote:
    """Who the lock file names, and whether anyone here really holds it; never takes it."""
    try:
        descriptor = os.open(home.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return LockNote(None, is_held=False)
    try:
        owner = _read_owner(descriptor)
        inode = os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)
    is_held = _is_locked(inode)
    if is_held is None:
        is_ours = owner is not None and owner.host == socket.gethostname()
        is_held = is_ours and owner is not None and is_alive(owner.pid)
    return LockNote(owner, is_held=is_held)


@dataclass(frozen=True)
class DaemonNote:
    """What the daemon of a home says of itself where everybody can read it."""

    pid: int
    base_url: str
    is_held: bool
    """Whether it runs; False: it was killed, and this is what it left."""

    @property
    def text(self) -> str:
        """The daemon, named."""
        return f"process {self.pid} at {self.base_url}"


def read_daemon(home: Home) -> DaemonNote | None:
    """The daemon that serves `home`, whether or not it answers, or that was killed; None: there is none."""
    try:
        descriptor = os.open(home.daemon_note, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = json.loads(os.pread(descriptor, _MAX_TEXT, 0))
        pid, base_url = int(found["pid"]), str(found["base_url"])
        inode = os.fstat(descriptor).st_ino
    except (ValueError, KeyError, TypeError, OSError):
        return None
    finally:
        os.close(descriptor)
    is_held = _is_locked(inode)
    return DaemonNote(pid, base_url, is_alive(pid) if is_held is None else is_held)


def require_no_other_daemon(home: Home, doing: str) -> None:
    """Nothing, or UsageError where another process serves `home`, which `doing` would break."""
    note = read_daemon(home)
    if note is not None and note.is_held and note.pid != os.getpid():
        raise UsageError(
            f"{doing}, and {note.text} serves {home.root} with another version of ttapi",
            hint=f"kill {note.pid} ends it; ttapi serve starts the new one",
        )


def _is_locked(inode: int) -> bool | None:
    """Whether a process of this machine holds a lock on that file; None: the machine does not tell."""
    try:
        table = _HELD.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return bool(re.search(rf"FLOCK .*:{inode} 0 EOF", table))


def is_alive(pid: int) -> bool:
    """Whether a process of that number exists on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def is_wanted(home: Home) -> bool:
    """Whether somebody waits for the lock of `home` at this moment."""
    try:
        wanted_at = home.wanted_file.stat().st_mtime
    except OSError:
        return False
    return abs(time.time() - wanted_at) < _WANTED_S


def _want(home: Home) -> None:
    # A courtesy: where it cannot be written, one waits as long as the owner has it.
    with suppress(OSError):
        home.wanted_file.touch(mode=0o600)


def _wait_for(
    home: Home,
    descriptor: int,
    wait_s: float,
    on_wait: OnWait,
    *,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> None:
    deadline = clock() + wait_s
    was_told = False
    while not _try_lock(descriptor):
        if clock() >= deadline:
            owner = _read_owner(descriptor)
            raise LockedError(
                _locked_message(owner, wait_s), owner=owner, hint="wait longer with --wait SECONDS"
            )
        if not was_told and on_wait is not None:
            on_wait(_read_owner(descriptor))
        was_told = True
        _want(home)
        sleep(_POLL_S)


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise StoreError(
            f"this file system cannot lock a file: {exc.strerror}", hint="use a local disk"
        ) from exc
    return True


def _open_lock_file(home: Home) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(home.lock_file, flags, 0o600)
    except FileNotFoundError as exc:
        raise UsageError(
            f"{home.root} is not a ttapi folder: {home.live} is missing", hint="run ttapi init"
        ) from exc
    except OSError as exc:
        raise _unwritable(home, exc) from exc


def _unwritable(home: Home, error: OSError) -> DiskFullError | ReadOnlyHomeError:
    text = f"{home.lock_file} cannot be written: {error.strerror}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(text, hint="free some space; what was committed stands")
    return ReadOnlyHomeError(text, hint="give your user write permission, or use --home")


def _read_owner(descriptor: int) -> LockOwner | None:
    try:
        fields = json.loads(os.pread(descriptor, _MAX_TEXT, 0))
        return LockOwner(
            int(fields["pid"]),
            str(fields["started_at"]),
            str(fields["host"]),
            str(fields.get("command", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return None


def _locked_message(owner: LockOwner | None, wait_s: float) -> str:
    waited = f" for {wait_s:g} s" if wait_s else ""
    if owner is None:
        return f"the database has been locked by another process{waited}"
    command = f" ({owner.command})" if owner.command else ""
    holder = f"process {owner.pid}{command} on {owner.host}, running since {owner.started_at}"
    return f"the database is locked{waited} by {holder}"


def _started_at() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise UsageError(
            "ttapi cannot keep a database on Windows: it needs flock and symbolic links",
            hint="use Linux, macOS or WSL",
        )
