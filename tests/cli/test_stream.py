# SPDX-License-Identifier: Apache-2.0
"""`ttapi stream`: recorded as a command, read by everyone, told when it cannot be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ttapi.live.journal import last_position
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def small_market():
    return VendorMarket(7, NOW, symbols=30)


def serving(market, **facts):
    return VendorServer(market, vendors=["dxlink"], firehose=Firehose(**facts))


def environ_of(served):
    return {"TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token}  # fmt: skip


def test_a_stream_is_recorded_and_told(lab, small_market):
    with serving(small_market, per_s=50_000.0, limit=1_000) as served:
        lab.environ |= environ_of(served)
        done = lab.ttapi("stream", "spy,AAPL,NOSUCH", "--types", "quotes", "--limit", "1000", "--json")  # fmt: skip
    assert done.stderr.count("nothing has come of NOSUCH: does the vendor know it by that name?") == 1  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["sources"][0]["events"] == 1_000
    assert outcome["counts"]["stored"] + outcome["counts"]["conflated"] == outcome["sources"][0]["events"]  # fmt: skip
    assert f"generation {outcome['generation']} holds what arrived" in done.stderr
    shown = lab.ttapi("sql", "select symbol from quotes order by symbol", "--format", "csv")
    assert shown.stdout == "symbol\nAAPL\nSPY\n"
    status = json.loads(lab.ttapi("status", "quotes", "--json").stdout)
    assert [row["verdict"] for row in status] == ["fresh"]


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        ((), "no symbol is named", 2),
        (("SPY", "--types", "quote"), "nothing called 'quote' can be streamed", 2),
        (("SPY", "--for", "soon"), "--for 'soon' is no duration", 2),
        (("SPY", "--list", "nobody"), "no universe is called 'nobody'", 2),
        (("SPY",), "nothing can be streamed: [sources.dxlink] token is not set", 2),
        (("SPY  240719C00500000",), "an option has 21 characters: SPY   240719C00500000", 2),
        (("SPY240719C00500000",), "an option has 21 characters: SPY   240719C00500000", 2),
        (("SPY   240719C0050000",), "'SPY   240719C0050000' is no symbol", 2),
        (("SPY240719C500",), "as dxFeed has it: .SPY250117C600", 2),
        (("SPY,A B",), "'A B' is no symbol", 2),
    ],
)
def test_what_cannot_be_streamed_is_told(lab, arguments, told, code):
    done = lab.ttapi("stream", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_vendor_that_refuses_for_good_ends_the_stream(lab, small_market):
    with serving(small_market) as served:
        lab.environ |= environ_of(served) | {"TTAPI_DXLINK_TOKEN": "wrong"}
        done = lab.ttapi("stream", "SPY", "--types", "quotes")
    assert done.returncode == 3
    assert "dxLink refused the quote token" in done.stderr
    assert "wrong" not in done.stderr


@pytest.mark.compat
@pytest.mark.parametrize("kill", range(4))
def test_what_was_acknowledged_outlives_a_kill(lab, small_market, kill):
    """Killed at once after a publication was told, four times; the journal and the file then agree."""
    lab.environ["TTAPI_STREAM_INTERVAL"] = "0"
    with serving(small_market, per_s=20_000.0) as served:
        lab.environ |= environ_of(served)
        process = subprocess.Popen(
            [sys.executable, "-m", "ttapi", "stream", "SPY", "AAPL", "--types", "time_and_sales"],
            env=lab.variables, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        told = [process.stderr.readline() for _ in range(1 + kill % 2)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
        assert all(line.startswith("ttapi: generation") for line in told), told
        acknowledged = last_position(lab.home.journal)
        published = lab.rows("select count(*), count(distinct sequence) from ticks")[0]
        assert published[0] == published[1]
        done = lab.ttapi("stream", "SPY", "--types", "time_and_sales", "--limit", "1", "--json")
    assert done.returncode == 0, done.stderr
    ((total, distinct, records),) = lab.rows("select count(*), count(distinct sequence), count(distinct sequence >> 24) from ticks")  # fmt: skip
    assert total == distinct >= published[0]
    assert records >= acknowledged
    assert lab.rows("select sum(rows_accepted) from catalog.units where dataset = 'raw.dxlink_time_and_sales'") == [(total,)]  # fmt: skip


def test_status_says_what_records_at_this_moment(lab, small_market):
    """Asked by another process while the recorder runs, which is then told to end."""
    with serving(small_market, per_s=2_000.0) as served:
        lab.environ |= environ_of(served)
        process = subprocess.Popen(
            [sys.executable, "-m", "ttapi", "stream", "SPY", "--types", "quotes"],
            env=lab.variables, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        process.stderr.readline()
        shown = lab.ttapi("status").stdout
        process.send_signal(signal.SIGTERM)
        _, talk = process.communicate()
    assert process.returncode == 0, talk
    assert f"ttapi stream SPY (process {process.pid}): dxlink streaming; " in shown
    assert "events stored, the last published" in shown
    assert "ttapi stream" not in lab.ttapi("status").stdout
