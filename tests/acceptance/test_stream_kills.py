# SPDX-License-Identifier: Apache-2.0
"""A recorder killed again and again, on one home: every print that happened is held once, every file opens."""

from __future__ import annotations

import os
import random
import select
import signal
from datetime import UTC, datetime

import duckdb
import pytest
from outside import ROOT
from stream_kills import MOMENTS, die, start

from ttapi.market.dxfeed import event_index
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = [pytest.mark.compat, pytest.mark.campaign]
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
KILLS = 200 if os.environ.get("TTAPI_CAMPAIGN") else 20
HELD = "select symbol, tick_id, round(price * 100)::bigint from ticks where tick_id % 4194304 = 0 and tick_id >= ? order by tick_id"


@pytest.fixture
def numbering():
    firehose = Firehose(per_s=1_000.0, frame_events=20, is_numbered=True, kept_prints=1_000_000)
    market = VendorMarket(7, NOW, symbols=30)
    with VendorServer(market, vendors=["dxlink"], firehose=firehose) as served:
        served.firehose = firehose
        yield served


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_is_in_a_function_that_is_there(moment):
    module, function, _ = moment.split(":")
    (file,) = (ROOT / "ttapi").rglob(f"{module}.py")
    assert f"def {function}(" in file.read_text()


def held(lab, first):
    """What the published file holds of the prints that were numbered; it opens, whatever happened."""
    with duckdb.connect(str(lab.home.public_file), read_only=True) as connection:
        return connection.execute(HELD, [first]).fetchall()


def happened(served):
    prints = served.firehose.history.prints
    return [(one["eventSymbol"], one["index"], round(100 * one["price"])) for one in prints]


def test_nothing_is_lost_or_doubled_whenever_a_recorder_dies(lab, numbering):
    dice = random.Random(os.environ.get("TTAPI_CAMPAIGN_SEED", "7"))
    lab.environ |= {
        "TTAPI_DXLINK_URL": numbering.dxlink_url,
        "TTAPI_DXLINK_TOKEN": numbering.credentials.quote_token,
    }
    first = event_index(int(NOW.timestamp() * 1000))
    before, reached = 0, set()
    for number in range(KILLS):
        # Each chosen moment in turn, at its first to third time; every third death at any moment.
        is_chosen = number % 3 != 2
        moment = MOMENTS[(number - number // 3) % len(MOMENTS)] if is_chosen else "nowhere:nothing:call"  # fmt: skip
        process = start(lab, moment=moment, count=dice.randint(1, 3))
        is_own = die(process, after_s=20.0 if is_chosen else dice.uniform(0.0, 2.0))
        reached |= {moment} if is_own else set()
        there = held(lab, first)
        assert len(there) == len({tick for _, tick, _ in there}) >= before, moment
        before = len(there)
    # What a run comes to once only, as the end of a segment, may not come a third time.
    assert len(reached) >= 0.7 * min(len(MOMENTS), KILLS - KILLS // 3), reached
    numbering.firehose.limit = 0
    process = start(lab)
    while held(lab, first) != happened(numbering):
        told, _, _ = select.select([process.stderr], [], [], 60)
        if not (told and process.stderr.readline()):
            process.kill()
            raise AssertionError("the last recorder has not everything, and says nothing more")
    process.send_signal(signal.SIGTERM)
    _, talk = process.communicate(timeout=60)
    # Where everything was there before it had begun, it is interrupted as any command is.
    assert process.returncode in {0, 130}, talk
    assert held(lab, first) == happened(numbering)
    assert len(happened(numbering)) > 100 * KILLS / 20
    ((rows, accepted),) = lab.rows("select (select count(*) from raw.dxlink_time_and_sales), (select sum(rows_accepted) from catalog.units where dataset = 'raw.dxlink_time_and_sales')")  # fmt: skip
    assert rows == accepted
    told = lab.rows("select count(*) from health where code = 'stream gap' and detail like '%did not end by itself'")  # fmt: skip
    assert told[0][0] > 0
    assert lab.ttapi("doctor", "--deep").returncode == 0
