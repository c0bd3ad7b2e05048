# SPDX-License-Identifier: Apache-2.0
"""What the machine does while `make bench` measures: a fixed reference, and who else was busy.

An absolute time says something on a quiet machine alone, so each line carries the share of the cores
that other programs took while it was measured, and a line measured beside more than `BUSY` of them is
printed, not judged. The reference tells machines apart: a kept run of a slower one is no loss.
"""

from __future__ import annotations

import os
import resource
import socket
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUSY = 0.1
"""Share of the cores that others may take of a time that is judged."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Others:
    """Share of the cores that other programs took; filled in when the block ends."""

    share: float = 0.0


@contextmanager
def watched() -> Iterator[Others]:
    """The share of the cores that others take during the block; the load average where /proc is absent."""
    found = Others()
    started, busy, own = time.monotonic(), _busy_s(), _own_s()
    yield found
    elapsed = (time.monotonic() - started) * (os.cpu_count() or 1)
    if busy is None:
        found.share = max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1.0)
    else:
        found.share = max(0.0, ((_busy_s() or 0.0) - busy - (_own_s() - own)) / elapsed)


def _busy_s() -> float | None:
    """Seconds that all cores have worked since the machine's start; None where nothing tells."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    ticks = [int(word) for word in words]
    idle = sum(ticks[3:5])
    return (sum(ticks[:8]) - idle) / _TICKS_PER_S


def _own_s() -> float:
    """Seconds that this process and its children that have ended worked."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def reference(folder: Path) -> dict[str, float]:
    """Milliseconds of three fixed works: a sort, an fsync in `folder`, a loopback echo; medians."""
    return {
        "sort of 300,000 numbers": 1e3 * median(_sort, 7),
        "fsync of 4 KiB": 1e3 * median(lambda: _fsync(folder), 15),
        "loopback echo of 64 bytes": 1e3 * _echo(300),
    }


def median(work: Callable[[], object], times: int) -> float:
    """Median seconds of `times` runs, after a warm one."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _sort() -> None:
    # A fixed walk through the numbers, no random module: the same work on every Python.
    sorted((n * 7_919) % 300_007 for n in range(300_000))


def _fsync(folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())


def _echo(times: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while received := connection.recv(64):
                    connection.sendall(received)

        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(server.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def once() -> None:
                client.sendall(b"x" * 64)
                client.recv(64)

            taken = median(once, times)
        thread.join()
    return taken
