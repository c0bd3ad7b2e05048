# SPDX-License-Identifier: Apache-2.0
"""Commands as processes of their own that need not import everything anew.

`python warm_commands.py FD` imports what commands import, then forks once per request that comes
over the socket FD: the command runs with the arguments, variables, folder and files it was given,
and its exit code goes back. Importing takes half of what most commands of the tests take.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import json
import os
import pkgutil
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

_WARM = (
    "duckdb",
    "httpx",
    "sqlglot.optimizer.qualify",
    "typer.main",
    "websockets.asyncio.client",
)
_THREADED = frozenset({"numpy", "pandas", "polars", "pyarrow"})
"""Start threads when they are imported: a fork would wait for locks that those held."""
_UNFORKED = frozenset({"duckdb"}) if version("duckdb").startswith("1.") else frozenset()
"""DuckDB 1.5 does not outlive a fork: there each command imports it, and what needs it, itself."""
_ROOMS = ("api", "audit", "cli", "formats", "market", "models", "refresh", "sources", "store")
_NOT_WARM = ("ttapi.cli.shell", "ttapi.cli.magic", "__main__")


class WarmCommands:
    """The asking side."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # A stream over it knows from the start that it cannot be sought in, as none over a pipe can.
            stdout=subprocess.PIPE,
        )
        self._server.stdout.close()
        theirs.close()

    def run(self, arguments, variables, stdin, timeout_s, stdout=None):
        """What `subprocess.run` would return for `python -m ttapi` with these arguments.

        `stdout`: a file descriptor to write to, in place of one that is read here.
        """
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write((stdin or "").encode())
            given.seek(0)
            mine, theirs = os.pipe()
            try:
                request = {
                    "arguments": arguments,
                    "variables": variables,
                    "folder": str(Path.cwd()),
                }
                with tempfile.TemporaryFile() as asked:
                    asked.write(json.dumps(request).encode())
                    asked.seek(0)
                    files = [file.fileno() for file in (given, out, err, asked)]
                    files[1] = files[1] if stdout is None else stdout
                    socket.send_fds(self._socket, [b"run"], [*files, theirs])
                os.close(theirs)
                if not select.select([mine], [], [], timeout_s)[0]:
                    raise subprocess.TimeoutExpired(arguments, timeout_s)
                code = int(os.read(mine, 20) or b"-1")
            finally:
                os.close(mine)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(arguments, code, *texts)

    def close(self) -> None:
        """End the server; commands that still run go on."""
        self._socket.close()
        self._server.wait(timeout=600)


def serve(fd: int) -> list[str] | None:
    """Fork for each request; in a fork, the arguments of the command to run; None when nobody asks any more."""
    control = socket.socket(fileno=fd)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(control, 16, 5)
        if not message:
            return None
        if os.fork() == 0:
            control.close()
            return _supervised(fds)
        for one in fds:
            os.close(one)


def _supervised(fds: list[int]) -> list[str]:
    """Fork once more: the command, which returns, and who waits for it and tells its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *files, asked, reply = fds
    child = os.fork()
    if child:
        for one in (*files, asked):
            os.close(one)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(reply, str(code).encode())
        os._exit(0)
    os.close(reply)
    with os.fdopen(asked, "rb") as file:
        request = json.load(file)
    for place, one in enumerate(files):
        os.dup2(one, place)
        os.close(one)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"])
    random.seed()
    return request["arguments"]


class _Refused(importlib.abc.MetaPathFinder):
    """Lets nothing that starts threads be imported, nor what needs it."""

    def find_spec(self, fullname, path=None, target=None):
        del path, target  # the name decides
        if fullname.partition(".")[0] in _THREADED | _UNFORKED:
            raise ImportError(fullname)


def _warm_up() -> None:
    refused = _Refused()
    sys.meta_path.insert(0, refused)
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for room in _ROOMS:
        package = importlib.import_module(f"ttapi.{room}")
        names = (
            one.name for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        )
        for name in names:
            if not any(part in name for part in _NOT_WARM):
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
    sys.meta_path.remove(refused)
    assert threading.active_count() == 1, threading.enumerate()


if __name__ == "__main__":
    # A test's own folder of helper modules is no part of what a command sees.
    sys.path[0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)[0] or str(Path.cwd())
    _warm_up()
    wanted = serve(int(sys.argv[1]))
    if wanted is not None:
        sys.argv = ["ttapi", *wanted]
        from ttapi.cli.entry import main

        main()
