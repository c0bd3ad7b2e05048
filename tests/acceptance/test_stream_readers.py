# SPDX-License-Identifier: Apache-2.0
"""While a daemon records a stream, sixteen DuckDB clients of six versions and eight of REST read: each generation whole, none twice."""

from __future__ import annotations

import json
import os
import signal
import ssl
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from outside import plain_environ
from test_clients import CLIENTS

from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = [pytest.mark.compat, pytest.mark.campaign]
PROBE = Path(__file__).with_name("reader_probe.py")
SECONDS = 3600 if os.environ.get("TTAPI_CAMPAIGN") else 120
FILE_READERS, REST_READERS = 16, 8
NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For addresses without TLS: reading the machine's authorities takes 50 ms a client."""


@pytest.fixture
def streaming(lab):
    """A daemon that records two symbols' quotes, 4,000 a second, every one kept."""
    market = VendorMarket(7, lab.now, symbols=30)
    firehose = Firehose(per_s=4_000.0, frame_events=40)
    with VendorServer(market, vendors=["dxlink"], firehose=firehose) as served:
        lab.environ |= {
            "TTAPI_DXLINK_URL": served.dxlink_url,
            "TTAPI_DXLINK_TOKEN": served.credentials.quote_token,
            "TTAPI_STREAM_INTERVAL": "0",
            "TTAPI_SERVE_REQUESTS_PER_SECOND": "999999",
        }
        note = lab.home.root / "port.json"
        words = ["serve", "--port", "0", "--port-file", str(note), "--no-scheduler", "--stream", "SPY,AAPL"]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "ttapi", *words], env=lab.variables, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stderr.readline().startswith("ttapi: serving at ")
            yield lab, json.loads(note.read_text())
            process.send_signal(signal.SIGTERM)
            _, talk = process.communicate(timeout=120)
            assert process.returncode == 0, talk
        finally:
            process.kill()
            process.communicate()


class RestReader(threading.Thread):
    """Asks for the newest quote again and again, until told to end."""

    def __init__(self, place, number):
        super().__init__(name=f"rest-{number}", daemon=True)
        self.place, self.is_over = place, threading.Event()
        self.path = ("/api/v1/quotes?symbol=SPY", "/api/v1/relations/tick_quotes/rows?limit=1&order=-sequence")[number % 2]  # fmt: skip
        self.answers, self.wrong, self.generations = 0, [], set()

    def run(self):
        before = (0, 0)
        headers = {"authorization": f"Bearer {self.place['token']}"}
        with httpx.Client(base_url=self.place["base_url"], headers=headers, timeout=60, trust_env=False, verify=NO_TRUST) as client:  # fmt: skip
            while not self.is_over.is_set():
                answer = client.get(self.path)
                if answer.status_code != 200:
                    self.wrong.append(f"{answer.status_code}: {answer.text}")
                    continue
                seen = int(answer.headers["x-ttapi-generation"]), answer.json()["total"]
                if seen[0] < before[0] or seen[1] < before[1]:
                    self.wrong.append(f"{seen} after {before}")
                before = seen
                self.answers += 1
                self.generations.add(seen[0])


def test_no_reader_meets_a_lock_or_goes_back(streaming, client_python):
    lab, place = streaming
    versions = [CLIENTS[n % len(CLIENTS)] for n in range(FILE_READERS)]
    rest = [RestReader(place, n) for n in range(REST_READERS)]
    command = ["-I", str(PROBE), str(lab.home.public_file), str(SECONDS)]
    files = [
        subprocess.Popen([str(client_python(version)), *command], stdout=subprocess.PIPE, text=True, env=plain_environ())
        for version in versions
    ]  # fmt: skip
    for one in rest:
        one.start()
    found = [json.loads(one.communicate(timeout=SECONDS + 300)[0]) for one in files]
    for one in rest:
        one.is_over.set()
        one.join(120)
    assert [one["errors"] for one in found] == [[]] * FILE_READERS
    assert [one["wrong"] for one in found] == [[]] * FILE_READERS
    assert [one.wrong for one in rest] == [[]] * REST_READERS
    assert {one["version"] for one in found} == set(CLIENTS)
    assert min(one["opens"] for one in found) >= 5
    assert min(one.answers for one in rest) > 10
    assert min(len(one.generations) for one in rest) > SECONDS / 60, "what is published is seen"
    ages = [age for one in found for age in one["ages"]]
    print(f"{sum(one['opens'] for one in found)} opens, {sum(one.answers for one in rest)} answers, age p50 {statistics.median(ages):.2f}, max {max(ages):.2f} s")  # fmt: skip
