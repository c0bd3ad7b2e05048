# SPDX-License-Identifier: Apache-2.0
"""The child that copies the live file; whoever started it opens the copy.

`python -I -S file_copy.py PARENT_PID SOURCE TARGET [BASE]`. It is a process of its own because closing a
descriptor of the live file inside its owner would drop the engine's lock. It needs nothing of ttapi and
little of the standard library: every publication waits for it, a third as long as for one that does.

BASE is an older copy that may become the new one: where file systems share no blocks, only those that
differ are written into it, 62 of 2,300 for a million rows more. They are compared whole: the checksum that each
begins with is the same whatever the order of its words. Whatever is not as expected is copied whole.

How the owner starts a child process, and how one makes sure not to outlive it, is here as well: it is
started with a list of arguments, inherits no descriptor, answers with one JSON object
on standard output, and finds ttapi where its parent found it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import struct
import sys

TYPE_CHECKING = False  # as type checkers read it: importing typing takes half of the child's time
if TYPE_CHECKING:
    from pathlib import Path

COPY = "ttapi.store.file_copy"
"""The child that is this file; any other is a module of ttapi."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_START = """
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def run_child(module: str, *arguments: str) -> dict[str, object]:
    """The JSON object with which `python -m module parent_pid arguments...` answers.

    *Raises* StoreError with the last line the child said, when it fails or is killed.
    """
    import subprocess  # noqa: PLC0415 - the child that copies runs this file, and starts no other

    from ttapi.errors import StoreError  # noqa: PLC0415 - nor ttapi, which it could not import

    command = child_command(module, str(os.getpid()), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False, close_fds=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StoreError(
            f"{module} ended with code {done.returncode}: {said[-1] if said else 'it said nothing'}"
        )
    answer = json.loads(done.stdout)
    if not isinstance(answer, dict):
        raise StoreError(f"{module} answered {answer!r}, which is no object")
    return answer


def child_command(module: str, *arguments: str) -> list[str]:
    """What starts `module` as a program of its own, which finds ttapi where this process found it."""
    from pathlib import Path  # noqa: PLC0415 - the child that copies needs no paths

    here = Path(__file__).resolve()
    by_name = ["-P", "-c", _START, str(here.parents[2]), module]
    start = ["-I", "-S", str(here)] if module == COPY else by_name
    return [sys.executable, *start, *arguments]


def die_with_parent(parent_pid: int) -> None:
    """End this process when `parent_pid` ends; at once when it already has.

    Elsewhere than on Linux, call `check_parent` between pieces of work instead.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    check_parent(parent_pid)


def check_parent(parent_pid: int) -> None:
    """Leave without a word when the parent is gone."""
    if os.getppid() != parent_pid:
        os._exit(1)


if sys.platform != "win32":
    import fcntl

_FICLONE = 0x40049409  # linux/fs.h: share the blocks instead of copying them
_CHUNK = 64 * 1024 * 1024
_NO_FAST_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


_HEADERS = 3 * 4096
"""A main header and two of which the newer counts; blocks begin behind them."""
_MAGIC = b"DUCK"
_BLOCK_SIZES = {1 << power for power in range(14, 19)}
_LOCAL = {
    0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x01021994: "tmpfs", 0xF2F52010: "f2fs",
    0x2FC12FC1: "zfs", 0x794C7630: "overlay", 0xCA451A4E: "bcachefs",
}  # fmt: skip
"""File systems (linux/magic.h) on which the locks of readers are seen; on others they may not be."""


def copy_file(
    source: Path | str, target: Path | str, parent_pid: int, base: Path | str | None = None
) -> str:
    """Copy `source` to the new file `target` and sync it; the way it went: reflink, blocks, kernel or bytes.

    `base`: an older copy of `source` that may be used up.

    *Raises* OSError; what was written of `target` is the caller's to remove.
    """
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        way = _copy_new(reading, target, parent_pid, is_whole=base is None)
        if way is None and base is not None and _patched(reading, base, target, parent_pid):
            way = "blocks"
        return way or str(_copy_new(reading, target, parent_pid, is_whole=True))
    finally:
        os.close(reading)


def _copy_new(reading: int, target: Path | str, parent_pid: int, *, is_whole: bool) -> str | None:
    """The way the file was copied; None where blocks are not shared and it need not be `is_whole`."""
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        way = "reflink" if _reflink(reading, writing) else None
        if way is None and is_whole:
            way = _copy(reading, writing, parent_pid)
        if way is not None:
            os.fsync(writing)
            return way
    finally:
        os.close(writing)
    os.unlink(target)  # noqa: PTH108 - the child starts without pathlib
    return None


def _patched(reading: int, base: Path | str, target: Path | str, parent_pid: int) -> bool:
    """Whether `base` was made the same as the file at `reading`, and became `target`.

    It is taken out of sight first: nobody can open it then, and who has it open holds a lock that is seen.
    Where that is not done to the end, it is gone.
    """
    try:
        os.rename(base, target)  # noqa: PTH104 - the child starts without pathlib
    except OSError:
        return False
    is_done = False
    try:
        is_done = _patch(reading, target, parent_pid)
    finally:
        if not is_done:
            os.unlink(target)  # noqa: PTH108 - the child starts without pathlib
    return is_done


def _patch(reading: int, target: Path | str, parent_pid: int) -> bool:
    os.chmod(target, 0o600)  # noqa: PTH101 - the child starts without pathlib
    writing = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(reading).st_size
        block = _block_size(reading)
        if not block or block != _block_size(writing) or (size - _HEADERS) % block:
            return False
        if not _may_be_patched(writing):
            return False
        common = min(size, os.fstat(writing).st_size)
        ours, theirs = bytearray(block), bytearray(block)
        for at in range(_HEADERS, size, block):
            check_parent(parent_pid)
            if os.preadv(reading, [ours], at) != block:
                raise OSError(errno.EIO, "the database file became shorter while it was copied")
            is_there = at + block <= common and os.preadv(writing, [theirs], at) == block
            if not (is_there and ours == theirs) and os.pwrite(writing, ours, at) != block:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(writing, size)
        os.pwrite(writing, os.pread(reading, _HEADERS, 0), 0)
        os.fsync(writing)
    finally:
        os.close(writing)
    return True


def _block_size(descriptor: int) -> int:
    """Of the blocks of a database file; 0 where its headers are not as expected."""
    headers = os.pread(descriptor, _HEADERS, 0)
    if len(headers) < _HEADERS or headers[8:12] != _MAGIC:
        return 0
    found = {struct.unpack_from("<Q", headers, at + 40)[0] for at in (4096, 8192)}
    # The header that was never written says 0.
    sizes = found - {0}
    return sizes.pop() if len(sizes) == 1 and sizes <= _BLOCK_SIZES else 0


def _may_be_patched(writing: int) -> bool:
    """Whether nobody else has the file, by another name or open: a reader of any version holds a lock."""
    if os.fstat(writing).st_nlink != 1 or _file_system(writing) not in _LOCAL:
        return False
    try:
        fcntl.lockf(writing, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _file_system(descriptor: int) -> int:
    """The number of its kind; 0: not told."""
    if sys.platform != "linux":
        return 0
    answer = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).fstatfs(descriptor, answer):
        return 0
    return int(struct.unpack_from("@l", answer.raw)[0])


def _copy(reading: int, writing: int, parent_pid: int) -> str:
    size = os.fstat(reading).st_size
    done = _copy_in_kernel(reading, writing, size, parent_pid)
    if done == size:
        return "kernel"
    while done < size:
        check_parent(parent_pid)
        piece = os.pread(reading, _CHUNK, done)
        if not piece:
            raise OSError(errno.EIO, "the database file became shorter while it was copied")
        done += os.pwrite(writing, piece, done)
    return "bytes"


def _reflink(reading: int, writing: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True


def _copy_in_kernel(reading: int, writing: int, size: int, parent_pid: int) -> int:
    """How many bytes the kernel could copy by itself."""
    done = 0
    if not hasattr(os, "copy_file_range"):
        return done
    while done < size:
        check_parent(parent_pid)
        try:
            copied = os.copy_file_range(reading, writing, min(_CHUNK, size - done), done, done)
        except OSError as exc:
            if exc.errno in _NO_FAST_COPY:
                return done
            raise
        if copied == 0:
            return done
        done += copied
    return done


def main(arguments: list[str]) -> int:
    """Copy, and say how it went as one JSON object."""
    parent_pid, source, target, *base = int(arguments[0]), *arguments[1:]
    die_with_parent(parent_pid)
    try:
        way = copy_file(source, target, parent_pid, base[0] if base else None)
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps({"way": way}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
