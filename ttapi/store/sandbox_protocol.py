# SPDX-License-Identifier: Apache-2.0
"""What a sandbox and its processes say to each other, and how the first of them is started and ended.

A message is four bytes of length, a JSON object, and as many bytes as its `body` says.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ttapi.errors import QueryError, QueryTooBigError
from ttapi.store.file_copy import child_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WORKER = "ttapi.store.sandbox_worker"
ORDER_BYTES = 65_536
"""Of the longest order to the zygote."""
LENGTH = struct.Struct("!I")
"""Of a message; the zygote's answer to an order is one: the number of the process that was made, or 0."""
START_S = 60.0
"""For a process to start, or to open the file, on however busy a machine."""
HEAD_BYTES = 1 << 20
"""Of names and types of an answer's columns, or of a message."""
_PIECE = 1 << 20
_IN_MEMORY = "/dev/shm"  # noqa: S108 - where a home may lie, which is read there
_BUBBLEWRAP = (
    *("--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    # A process says of itself that it is the first to go where memory is short.
    *("--cap-drop", "ALL", "--ro-bind", "/", "/", "--bind", "/proc", "/proc"),
    *("--dev", "/dev", "--ro-bind-try", _IN_MEMORY, _IN_MEMORY),
)
"""No network, no other's memory, no name of the machine, no privilege, and a file system that nobody can write to.

Without `--die-with-parent`: the parent would be the thread that asked first; the line to it says when it is to end.
"""
_KEPT = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these the interpreter may not start; nothing else of the environment is handed on."""
_ENVIRON = {
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""No library starts threads of its own before a fork, and none reserves a GiB of addresses at a time."""


@dataclass(frozen=True)
class SandboxLimits:
    """What one query may cost."""

    timeout_s: float = 10.0
    grace_s: float = 0.5
    """Beyond which the worker is killed."""
    max_rows: int = 10_000
    max_bytes: int = 16 * 1024 * 1024
    """Of the answer, as Arrow."""
    max_sql: int = 50_000
    """Characters of a statement."""
    memory_mib: int = 512
    """For the engine; the process has twice that."""
    threads: int = 2
    wait_s: float = 10.0
    """For a worker to be free."""


def request_of(
    sql: str, parameters: Any, limits: SandboxLimits, *, is_check: bool
) -> dict[str, object]:
    """What a worker is asked. *Raises* QueryError for what is too long or no JSON."""
    if len(sql) > limits.max_sql:
        raise QueryError(
            f"the statement has {len(sql):,} characters, more than {limits.max_sql:,}",
            hint="bind long lists as parameters",
        )
    if not isinstance(parameters, dict):
        parameters = list(parameters)
    try:
        size = len(json.dumps(parameters, allow_nan=False))
        (sql + json.dumps(parameters, ensure_ascii=False)).encode()
    except (TypeError, ValueError) as exc:
        raise QueryError(
            f"parameters are JSON values: {exc}", hint="dates are bound as texts"
        ) from exc
    if size > HEAD_BYTES // 2:
        raise QueryError(
            f"the parameters take {size:,} bytes, more than {HEAD_BYTES // 2:,}",
            hint="bind fewer at a time",
        )
    return {
        "sql": sql,
        "parameters": parameters,
        "is_check": is_check,
        "max_rows": limits.max_rows,
        "max_bytes": limits.max_bytes,
        "processor_s": math.ceil((limits.timeout_s + limits.grace_s) * limits.threads),
    }


def send(line: socket.socket, document: Mapping[str, Any], body: bytes = b"") -> None:
    """Nothing; the message is on its way. *Raises* OSError where nobody takes it."""
    head = json.dumps({**document, "body": len(body)}).encode()
    line.sendall(LENGTH.pack(len(head)) + head)
    line.sendall(body)


def receive(
    line: socket.socket, deadline: float | None = None, most: int | None = None
) -> tuple[dict[str, Any] | None, bytes]:
    """The next message; None where the other side has left.

    *Raises* TimeoutError once `time.monotonic()` is past `deadline`, QueryTooBigError for a body of more
    than `most` bytes.
    """
    start = b"".join(_pieces(line, LENGTH.size, deadline))
    size = LENGTH.unpack(start)[0] if len(start) == LENGTH.size else 0
    if not 0 < size <= HEAD_BYTES:
        return None, b""
    head = b"".join(_pieces(line, size, deadline))
    if len(head) < size:
        return None, b""
    document = json.loads(head)
    expected = int(document["body"])
    if most is not None and expected > most:
        raise QueryTooBigError(f"the answer takes {expected:,} bytes of the {most:,} allowed")
    body = b"".join(_pieces(line, expected, deadline))
    return (document, body) if len(body) == expected else (None, b"")


def has_left(line: socket.socket) -> bool:
    """Whether the other side, which has nothing to say, has left."""
    line.settimeout(0)
    try:
        return not line.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        line.settimeout(None)


def _pieces(line: socket.socket, size: int, deadline: float | None) -> Iterator[bytes]:
    while size:
        if deadline is not None:
            # A timeout of nothing would mean: do not wait at all.
            line.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            piece = line.recv(min(size, _PIECE))
        except ConnectionError:  # it was killed with something of ours unread
            return
        if not piece:
            return
        size -= len(piece)
        yield piece


@dataclass(frozen=True)
class Isolation:
    """What stands around the processes, beside the limits that they give themselves."""

    command: tuple[str, ...]
    """What they are started by; empty: by nothing else."""
    about: str
    """For whoever wants to know."""


@cache
def isolation() -> Isolation:
    """Bubblewrap, where it is installed and may be used."""
    return isolation_by(shutil.which("bwrap") if sys.platform == "linux" else None)


def isolation_by(bwrap: str | None) -> Isolation:
    """As `isolation`, with the program that is bubblewrap; None: there is none."""
    alone = "SQL of callers runs under limits of its processes alone"
    if bwrap is None:
        return Isolation((), f"{alone}: bubblewrap (bwrap) is not installed")
    command = (bwrap, *_BUBBLEWRAP)
    try:
        tried = subprocess.run(
            [*command, sys.executable, "-I", "-S", "-c", ""],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=START_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as exc:
        return Isolation((), f"{alone}: {bwrap} does not run: {exc}")
    if tried.returncode:
        why = tried.stderr.decode(errors="replace").strip() or f"exit code {tried.returncode}"
        return Isolation((), f"{alone}: {bwrap} may not be used here: {why.splitlines()[-1]}")
    return Isolation(command, f"SQL of callers runs in bubblewrap ({bwrap})")


class Zygote:
    """The process that forks workers and kills them; they die with it, and it with this one."""

    def __init__(self, around: Isolation | None = None) -> None:
        """`around`: None: what `isolation` finds. *Raises* OSError where it does not start."""
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair()
        with theirs:
            kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
            self._process = subprocess.Popen(
                [
                    *(around or isolation()).command,
                    *child_command(WORKER, str(theirs.fileno())),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**_ENVIRON, **kept},
                cwd="/",
                start_new_session=True,  # an interrupt at the terminal is for its user's program
            )
        self._control.settimeout(START_S)
        try:
            self.pid = self._answer()
            """Its process, whatever stands around it."""
        except OSError:
            self.close()
            raise

    def fork(self, order: Mapping[str, Any], line: socket.socket) -> int:
        """The number of a new worker that works for `order` and talks on `line`. *Raises* OSError."""
        with self._lock:
            socket.send_fds(self._control, [json.dumps(order).encode()], [line.fileno()])
            return self._answer()

    def end(self, pid: int) -> None:
        """Nothing; that worker was killed. *Raises* OSError."""
        with self._lock:
            self._control.sendall(json.dumps({"end": pid}).encode())
            self._answer()

    def close(self) -> None:
        """Nothing; it and all its workers are gone."""
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(START_S)
            return
        self._process.kill()
        self._process.wait()

    def _answer(self) -> int:
        found = b"".join(_pieces(self._control, LENGTH.size, None))
        if len(found) < LENGTH.size:
            raise ConnectionResetError("the process that starts workers ended")
        return int(LENGTH.unpack(found)[0])
