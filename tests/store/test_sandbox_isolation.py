# SPDX-License-Identifier: Apache-2.0
"""What stands around the processes that run SQL: bubblewrap where it may be used, their own limits in any case."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from debian import debian_program

from ttapi.errors import QueryTimeoutError
from ttapi.store import sandbox_protocol
from ttapi.store.sandbox import Sandbox
from ttapi.store.sandbox_protocol import (
    Isolation,
    SandboxLimits,
    Zygote,
    isolation,
    isolation_by,
)

ALONE = "SQL of callers runs under limits of its processes alone"


def program(folder, text):
    """A `bwrap` of that text."""
    file = folder / "bwrap"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_without_bubblewrap_the_limits_of_the_processes_stand_alone():
    assert isolation_by(None) == Isolation((), f"{ALONE}: bubblewrap (bwrap) is not installed")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "echo first >&2; echo 'bwrap: no permission to creating new namespace' >&2; exit 1",
            "may not be used here: bwrap: no permission to creating new namespace",
        ),
        ("exit 3", "may not be used here: exit code 3"),
    ],
)
def test_a_bubblewrap_that_may_not_be_used_is_named_and_done_without(tmp_path, text, why):
    file = program(tmp_path, text)
    assert isolation_by(file) == Isolation((), f"{ALONE}: {file} {why}")


def test_what_is_no_program_is_named_and_done_without(tmp_path):
    file = tmp_path / "bwrap"
    file.write_bytes(b"")
    found = isolation_by(str(file))
    assert found.command == ()
    assert found.about.startswith(f"{ALONE}: {file} does not run: ")


def test_it_is_looked_for_once_and_on_linux_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox_protocol.sys, "platform", "darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "exit 3")
    isolation.cache_clear()
    try:
        assert isolation() is isolation()
        assert isolation().about.endswith("is not installed")
    finally:
        isolation.cache_clear()


def test_the_processes_are_started_by_what_stands_around_them(tmp_path):
    noted = tmp_path / "noted"
    file = program(tmp_path, f'echo "$1" >> {noted}; shift; exec "$@"')
    zygote = Zygote(Isolation((file, "--as-is"), ""))
    try:
        assert noted.read_text() == "--as-is\n"
        assert b"sandbox_worker" in Path(f"/proc/{zygote.pid}/cmdline").read_bytes()
    finally:
        zygote.close()


ENDLESS = "with recursive t as (select 1 as i union all select i from t) select count(*) from t"
LOOK = """
import json, os, socket, struct, sys
found = {"names": {name: os.readlink(f"/proc/self/ns/{name}") for name in ("net", "ipc", "uts", "user")}}
with open("/proc/self/status") as status:
    found["privileges"] = next(line.split()[1] for line in status if line.startswith("CapEff"))
try:
    open(sys.argv[1], "w")
except OSError as exc:
    found["write"] = exc.errno
found["read"] = open(sys.argv[2]).read()
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[3])), 5)
except OSError as exc:
    found["connect"] = type(exc).__name__
print(json.dumps(found))
"""


@pytest.fixture
def bubblewrap(monkeypatch):
    """What stands around the processes where bubblewrap is the first program of that name: the system's, or Debian's."""
    file = shutil.which("bwrap") or debian_program("bubblewrap", "usr/bin/bwrap")
    monkeypatch.setenv("PATH", f"{Path(file).parent}:{os.environ['PATH']}")
    isolation.cache_clear()
    if not isolation().command:
        pytest.skip(isolation().about)
    yield isolation()
    isolation.cache_clear()


@pytest.mark.compat
def test_inside_bubblewrap_there_is_no_network_and_nothing_to_write_to(tmp_path, bubblewrap):
    held = tmp_path / "held"
    held.write_text("read")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        shown = subprocess.run(
            [*bubblewrap.command, sys.executable, "-I", "-c", LOOK, tmp_path / "new", held, str(port)],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
    found = json.loads(shown.stdout)
    own = {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in found["names"]}
    assert not own.items() & found["names"].items()
    assert int(found["privileges"], 16) == 0
    assert (found["write"], found["read"]) == (30, "read"), "a read-only file system"
    assert found["connect"] == "ConnectionRefusedError"
    assert not (tmp_path / "new").exists()


@pytest.mark.compat
def test_queries_are_answered_and_ended_inside_bubblewrap(whole_lab, bubblewrap):
    assert bubblewrap.command
    limits = SandboxLimits(timeout_s=0.5)
    with Sandbox(whole_lab.home, limits, spares=1) as sandbox:
        for _ in range(3):
            ((count,),) = sandbox.run("select count(*) from calendar").table().to_pydict().values()
            assert count > 0
            with pytest.raises(QueryTimeoutError):
                sandbox.run(ENDLESS)
        pid = sandbox._zygote.pid
        name = Path(f"/proc/{pid}/ns/net")
        assert name.readlink() != Path("/proc/self/ns/net").readlink()
    assert not Path(f"/proc/{pid}").exists()
