# SPDX-License-Identifier: Apache-2.0
"""`ttapi simulate` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

RATE = "/margin-requirements-public-configuration"


def command(*arguments):
    return [sys.executable, "-m", "ttapi", "simulate", *map(str, arguments)]


def environ(**changes):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    return kept | {"TTAPI_NOW": "2024-06-14T17:03:20Z"} | changes


@contextmanager
def simulators(*arguments):
    """The running command and the object it printed; killed at the end if it has not left."""
    process = subprocess.Popen(
        command(*arguments),
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def fail(*arguments, **changes):
    """Exit code and message of a command that must not start."""
    done = subprocess.run(
        command(*arguments),
        env=environ(**changes),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_leaves_when_interrupted(tmp_path, number):
    port_file, log = tmp_path / "ports.json", tmp_path / "requests.jsonl"
    with simulators("--port-file", port_file, "--request-log", log) as (process, found):
        assert json.loads(port_file.read_text()) == found
        assert port_file.stat().st_mode & 0o777 == 0o600, "it holds logins"
        assert sorted(found) == ["dxlink", "tastytrade"]
        assert httpx.get(found["tastytrade"]["base_url"] + RATE).status_code == 200
        process.send_signal(number)
        assert process.wait(timeout=600) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read().endswith("ttapi: stopped; 1 REST requests\n")
    assert json.loads(log.read_text())["what"] == f"GET {RATE}"
    assert not port_file.exists()


def test_one_vendor_alone_can_be_asked_for():
    with simulators("dxlink") as (_, found):
        assert list(found) == ["dxlink"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nasdaq"], "no simulator for 'nasdaq'\n       known: tastytrade, dxlink"),
        (["--fault", "nonsense"], "fault 'nonsense' is unknown\n       known: 429-burst, "),
        (["--fault", "slow:x=1"], "fault 'slow' has no argument 'x'\n       it takes path, s"),
        (["--port-file", "nowhere/ports"], "the port file nowhere/ports cannot be written"),
        (["--market", "nowhere"], "nowhere/bars.csv cannot be read"),
    ],
)
def test_what_cannot_be_served_is_told_with_what_can(arguments, message):
    code, said = fail(*arguments)
    assert code == 2
    assert said.startswith(f"ttapi: {message}")


def test_a_wrong_instant_is_told():
    code, said = fail(TTAPI_NOW="soon")
    assert (code, "TTAPI_NOW='soon' is not an ISO instant" in said) == (2, True)


def test_all_faults_are_listed():
    done = subprocess.run(
        command("--faults"), env=environ(), capture_output=True, text=True, check=True, timeout=600
    )
    assert "tastytrade  429-burst:after=20,count=10" in done.stdout
    assert "dxlink      snip:at=100" in done.stdout
