# SPDX-License-Identifier: Apache-2.0
"""The stream of a daemon: begun again whenever it ends, and while it does not run that is told."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest

from ttapi.errors import DiskFullError, LockedError, SourceDownError
from ttapi.live.journal_lock import own_journal
from ttapi.server.streaming import DaemonStream, Restarts
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket
from ttapi.store.files import recorder_owner, stream_trouble
from ttapi.store.sandbox_protocol import isolation

TIMEOUT_S = 60


@contextmanager
def serving(lab, *arguments):
    """The running daemon, killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "serve", "--port", "0", "--no-scheduler", *arguments],
        env=lab.variables, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr.readline().startswith("ttapi: serving at ")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def vendor(lab):
    market = VendorMarket(7, lab.now, symbols=30)
    firehose = Firehose(per_s=2_000.0, channels=1, frame_events=10)
    with VendorServer(market, vendors=["dxlink"], firehose=firehose) as served:
        lab.environ |= {"TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token}  # fmt: skip
        yield served


@pytest.fixture
def server_loop():
    """The loop of a server, which runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize(
    ("failures", "error", "pause"),
    [
        (1, SourceDownError("refused"), 5.0),
        (4, SourceDownError("refused"), 40.0),
        (99, SourceDownError("refused"), 300.0),
        (9, LockedError("taken", owner=None), 5.0),
        (9, DiskFullError("full"), 5.0),
    ],
)
def test_pauses_grow_to_five_minutes_but_what_is_free_to_ask_is_asked_soon(failures, error, pause):
    assert Restarts().pause_s(failures, error) == pause


def test_a_stream_that_ended_for_good_is_begun_again_and_told_meanwhile(lab, vendor, server_loop):
    """The token is refused for two beginnings, then it is taken."""
    good, found, said, runs = vendor.credentials.quote_token, [], [], threading.Event()
    vendor.credentials.quote_token = "another"

    def wait(ending, seconds):
        found.append(((lab.home.stream_trouble_file).read_text().count("refused"), seconds))
        if len(found) == 2:
            vendor.credentials.quote_token = good

    def tell(text):
        said.append(text)
        if text == "ttapi: the stream runs":
            runs.set()

    stream = DaemonStream(lab.home, lab.variables, ("SPY",), tell, restarts=Restarts(wait=wait))
    stream.start(server_loop)
    assert runs.wait(TIMEOUT_S)
    assert recorder_owner(lab.home).command == "ttapi serve --stream SPY"
    assert not lab.home.stream_trouble_file.exists()
    stream.close(TIMEOUT_S)
    assert found == [(1, 5.0), (1, 10.0)]
    assert [text.partition(":")[2].split(":")[0] for text in said] == [" the stream ended", " the stream runs"]  # fmt: skip
    assert recorder_owner(lab.home) is None


def test_where_another_records_the_daemon_says_so_in_its_first_lines_status_and_doctor(lab, vendor):
    with own_journal(lab.home, command="ttapi stream AAPL", wait_s=0), serving(lab, "--stream", "SPY") as process:  # fmt: skip
        said = [process.stderr.readline() for _ in range(2)]
        status = lab.ttapi("status").stdout
        doctor = lab.ttapi("doctor").stdout
        trouble = stream_trouble(lab.home)
        base_url = json.loads(lab.home.token_file.read_text())["base_url"]
        ready = httpx.get(f"{base_url}/ready", trust_env=False)
    assert said[0].startswith("ttapi: the stream waits: process ")
    assert said[0].endswith(" (ttapi stream AAPL) records into this home\n")
    assert "the stream ended: streams of this home are recorded by process" in said[1]
    assert trouble["pid"] == process.pid
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "stream": "stopped"})
    assert f"ttapi serve (process {process.pid}): its stream does not run since {trouble['since']}: {trouble['reason']}; tried again at " in status  # fmt: skip
    assert "stream-stopped" in doctor
    assert isolation().about in doctor
    assert stream_trouble(lab.home) is None


@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        ("SPY", "nothing can be streamed: [sources.dxlink] token is not set"),
        ("", "no symbol is named"),
        (" , ", "no symbol is named"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_before_anything_is_served(lab, symbols, told):
    done = lab.ttapi("serve", "--port", "0", "--stream", symbols)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert not lab.home.token_file.exists()


def test_a_daemon_that_hangs_while_it_streams_is_named_with_what_to_do(lab, vendor):
    with serving(lab, "--stream", "SPY") as process:
        while "dxlink streaming" not in lab.ttapi("status").stdout:
            assert process.poll() is None
        process.send_signal(signal.SIGSTOP)
        refresh = lab.ttapi("refresh", "raw.shipped_universes", "--wait", "0.1")
        stream = lab.ttapi("stream", "AAPL", "--wait", "0")
        status, doctor = (lab.ttapi(name).stdout for name in ("status", "doctor"))
    kills = f"kill -CONT {process.pid} has a stopped one go on, kill -KILL {process.pid} ends it"
    means = f"it holds the live file, so that commands that write leave with 5; {kills}"
    assert (refresh.returncode, stream.returncode) == (5, 5)
    assert f"a daemon that lets go of the file for nobody does not answer: {kills}" in refresh.stderr  # fmt: skip
    assert f"it does not answer: {means}" in stream.stderr
    assert f"does not answer: {means}" in status
    assert means in doctor
