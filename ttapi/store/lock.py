# SPDX-License-Identifier: Apache-2.0
"""The one-owner lock: who may write the live file, and who does at this moment.

The lock is a flock on `live/market.lock`, so it ends with its process however that ends; the text
in the file only tells the others whom they are waiting for. The file is never removed. A forked child
closes what it inherited: it would hold the lock after its parent's end.
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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from ttapi.errors import (
    DiskFullError,
    LockedError,
    LockOwner,
    ReadOnlyHomeError,
    StoreError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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

    def __init__(
        self, descriptor: int, owner: LockOwner, before: Mapping[str, Any] | None = None
    ) -> None:
        self._descriptor: int | None = descriptor
        self.owner = owner
        self.before = before or {}
        """What the file said when the lock was taken; empty: its last owner let go of it."""
        _HELD_HERE.add(self)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Put the owner and `facts` in place of what the file says; OSError where it cannot be written."""
        if self._descriptor is not None:
            _replace_text(self._descriptor, asdict(self.owner) | dict(facts))

    def release(self, left: Mapping[str, Any] | None = None) -> None:
        """Clear the owner's text and let the next one in; harmless when called again.

        `left`: what the file says from now on; None: nothing.
        """
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if left is None:
                os.ftruncate(descriptor, 0)
            else:
                _replace_text(descriptor, left)
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """Close what a fork copied; the lock is the parent's as before."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

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
    return acquire_file(
        home.lock_file,
        command=command,
        wait_s=wait_s,
        on_wait=on_wait,
        refusal=lambda owner: LockedError(
            _locked_message(owner, wait_s), owner=owner, hint=_locked_hint(home, owner)
        ),
        wanted_file=home.wanted_file,
        sleep=sleep,
        clock=clock,
    )


def acquire_file(
    file: Path,
    *,
    command: str,
    wait_s: float,
    refusal: Callable[[LockOwner | None], LockedError],
    on_wait: OnWait = None,
    wanted_file: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> OwnerLock:
    """The lock on any file of a home, which is made where there is none; as `acquire` otherwise.

    `refusal` makes the error of who waited in vain; `wanted_file` is touched meanwhile.
    """
    _refuse_windows()
    if not 0 <= wait_s <= _LONGEST_WAIT_S:
        hint = f"0 to {_LONGEST_WAIT_S:,} seconds, a year"
        raise UsageError(f"nobody waits for {wait_s:g} s", hint=hint)
    descriptor = _open_lock_file(file)
    with ExitStack() as on_failure, _writing(file):
        on_failure.callback(os.close, descriptor)
        deadline, is_announced = clock() + wait_s, False
        while not _try_lock(descriptor):
            owner = _read_owner(descriptor)
            if clock() >= deadline:
                raise refusal(owner)
            if not is_announced and on_wait is not None:
                on_wait(owner)
            is_announced = True
            if wanted_file is not None:
                _want(wanted_file)
            sleep(_POLL_S)
        if wanted_file is not None:
            # Who else waits says so again.
            wanted_file.unlink(missing_ok=True)
        owner = LockOwner(os.getpid(), _started_at(), socket.gethostname(), command)
        before = _read_text(descriptor)
        _replace_text(descriptor, before | asdict(owner))
        on_failure.pop_all()
    return OwnerLock(descriptor, owner, before)


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
    return read_lock_file(home.lock_file)


def read_lock_file(file: Path) -> LockNote:
    """The same of any file that `acquire_file` locks."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
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


def _want(file: Path) -> None:
    # A courtesy: where it cannot be written, one waits as long as the owner has it.
    with suppress(OSError):
        file.touch(mode=0o600)


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


def _open_lock_file(file: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with _writing(file):
        try:
            return os.open(file, flags, 0o600)
        except FileNotFoundError as exc:
            folder = file.parent
            raise UsageError(
                f"{folder.parent} is not a ttapi folder: {folder} is missing", hint="run ttapi init"
            ) from exc


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Tell what cannot be written to `file` as an error of ours."""
    try:
        yield
    except OSError as exc:
        text = f"{file} cannot be written: {exc.strerror}"
        if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space; what was committed stands"
            raise DiskFullError(text, hint=hint) from exc
        hint = "give your user write permission, or use --home"
        raise ReadOnlyHomeError(text, hint=hint) from exc


def _read_text(descriptor: int) -> dict[str, Any]:
    """What the file says; empty where that is nothing or makes no sense."""
    try:
        found = json.loads(os.pread(descriptor, _MAX_TEXT, 0))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _replace_text(descriptor: int, document: Mapping[str, Any]) -> None:
    # Written before it is cut: a full disk gives no other block for one that was let go of.
    text = json.dumps(document).encode()
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))


def _read_owner(descriptor: int) -> LockOwner | None:
    fields = _read_text(descriptor)
    try:
        started_at, host = str(fields["started_at"]), str(fields["host"])
        return LockOwner(int(fields["pid"]), started_at, host, str(fields.get("command", "")))
    except (ValueError, KeyError, TypeError):
        return None


def _locked_message(owner: LockOwner | None, wait_s: float) -> str:
    waited = f" for {wait_s:g} s" if wait_s else ""
    if owner is None:
        return f"the database has been locked by another process{waited}"
    command = f" ({owner.command})" if owner.command else ""
    holder = f"process {owner.pid}{command} on {owner.host}, running since {owner.started_at}"
    return f"the database is locked{waited} by {holder}"


def _locked_hint(home: Home, owner: LockOwner | None) -> str:
    daemon = read_daemon(home)
    if owner is None or daemon is None or daemon.pid != owner.pid:
        return "wait longer with --wait SECONDS"
    return (
        "wait longer with --wait SECONDS; a daemon that lets go of the file for nobody does not answer:"
        f" kill -CONT {owner.pid} has a stopped one go on, kill -KILL {owner.pid} ends it"
    )


def _started_at() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise UsageError(
            "ttapi cannot keep a database on Windows: it needs flock and symbolic links",
            hint="use Linux, macOS or WSL",
        )


_HELD_HERE: WeakSet[OwnerLock] = WeakSet()
"""The locks of this process."""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: list(map(OwnerLock.forget, _HELD_HERE)))
