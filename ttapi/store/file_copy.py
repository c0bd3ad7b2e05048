# SPDX-License-Identifier: Apache-2.0
"""The child that copies the live file; whoever started it opens the copy.

`python -I -S file_copy.py PARENT_PID SOURCE TARGET`. It is a process of its own because closing a
descriptor of the live file inside its owner would drop the engine's lock. It needs nothing of ttapi and
little of the standard library: every publication waits for it, a third as long as for one that does.

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
    from pathlib import Path  # noqa: PLC0415 - nor does it need paths

    from ttapi.errors import StoreError  # noqa: PLC0415 - nor ttapi, which it could not import

    here = Path(__file__).resolve()
    by_name = ["-P", "-c", _START, str(here.parents[2]), module]
    start = ["-I", "-S", str(here)] if module == COPY else by_name
    command = [sys.executable, *start, str(os.getpid()), *arguments]
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


def copy_file(source: Path | str, target: Path | str, parent_pid: int) -> str:
    """Copy `source` to the new file `target` and sync it; the way it went: reflink, kernel or bytes.

    *Raises* OSError; what was written of `target` is the caller's to remove.
    """
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            way = _copy(reading, writing, parent_pid)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return way


def _copy(reading: int, writing: int, parent_pid: int) -> str:
    if _reflink(reading, writing):
        return "reflink"
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
    parent_pid, source, target = int(arguments[0]), arguments[1], arguments[2]
    die_with_parent(parent_pid)
    try:
        way = copy_file(source, target, parent_pid)
    except OSError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps({"way": way}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
