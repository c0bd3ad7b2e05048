# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong with live frames: every print that happened is held once, or the gap is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from vendor_settings import settings_of as login_of

from ttapi.api import RecordRequest, record
from ttapi.errors import CredentialError, StreamLostError
from ttapi.live.feed import Backoff, Feed
from ttapi.market.dxfeed import event_index
from ttapi.simulator.server import VendorServer
from ttapi.sources.contract import StreamBatch, StreamRequest
from ttapi.sources.dxlink.client import QuoteToken
from ttapi.sources.dxlink.live import BY_RESOURCE
from ttapi.sources.dxlink.load import stream_events
from ttapi.sources.dxlink.source import DxlinkSource

HELD = "select symbol, tick_id, round(price * 100)::bigint from ticks where tick_id % 4194304 = 0 and tick_id >= {first} order by tick_id"
PRINTS = ("time_and_sales",)


def happened(served):
    """The prints of the firehose, as the file should hold them."""
    return [(one["eventSymbol"].replace("/", "."), one["index"], round(100 * one["price"])) for one in served.firehose.history.prints]  # fmt: skip


def held(lab, served):
    return lab.rows(HELD.format(first=event_index(served.firehose.history.first_time)))


def gaps(lab):
    return lab.rows("select dataset, detail from health where code = 'stream gap' order by all")


@pytest.fixture
def numbering(pouring):
    """A firehose whose prints have numbers of their own, forty frames of ten."""

    def serve(*faults, **facts):
        return pouring(*faults, **({"channels": 1, "is_numbered": True, "frame_events": 10, "per_s": 4_000.0} | facts))  # fmt: skip

    return serve


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        ("duplicate-feed:every=2", []),
        ("reorder-feed:every=3", []),
        ("drop-feed:after=8", [80]),
        ("drop-feed:after=8,times=3", [80, 80, 80]),
        ("close-1006:after=8", [80]),
        ("gap-feed:after=8,count=4,times=2", [120, 120]),
        ("expire-feed:after=8", [80]),
        ("502-upgrade:times=2", []),
    ],
)
def test_every_print_that_happened_is_held_once(lab, numbering, recorded, fault, gone):
    """`gone`: prints that happened during each connection that broke; the last one sends 400."""
    total = sum(gone) + 400
    with numbering(fault, limit=400) as served:
        outcome = recorded(lab, served, kinds=PRINTS, numbered=total)
        assert served.firehose.history.count == total
        assert held(lab, served) == happened(served)
    assert (outcome.counts["gaps"], len(gaps(lab))) == (len(gone), len(gone))
    assert outcome.counts["refused"] == 0


def test_what_the_vendor_no_longer_has_stands_as_a_gap(lab, numbering, recorded):
    """The vendor keeps the last 20 prints only: those before are lost, and that is told."""
    with numbering("gap-feed:after=8,count=10", limit=100, kept_prints=20) as served:
        outcome = recorded(lab, served, kinds=PRINTS, numbered=80 + 20 + 100)
        there = {one["index"] for one in served.firehose.history.prints}
        found = {number for _, number, _ in held(lab, served)}
    assert len(there) == 20
    assert there <= found
    assert len(found) < served.firehose.history.count == 80 + 100 + 100
    ((dataset, detail),) = gaps(lab)
    assert dataset == "raw.dxlink_time_and_sales"
    assert detail.startswith("nothing arrived from 2024-06-14 ")
    assert outcome.counts["gaps"] == 1


def test_quotes_that_come_twice_or_late_leave_the_newest(lab, numbering, recorded):
    with numbering("duplicate-feed:every=2", limit=200) as served:
        recorded(lab, served, kinds=("quotes",), limit=200)
    assert lab.rows("select count(*) from quotes") == [(3,)]


@pytest.mark.parametrize("fault", ["bad-gateway:path=/oauth/token,times=9", "oauth-busy:times=9"])
def test_an_outage_of_the_login_is_outlived_by_the_stream(lab, small_market, fault):
    """The quote token comes by OAuth, and every request for one fails for longer than a command waits."""
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    async def first(feed):
        async with aclosing(feed.events()) as events:
            return await anext(events)

    with VendorServer(small_market, faults=[fault]) as served:
        lab.environ |= login_of(served) | {"TTAPI_TASTYTRADE_GIVE_UP_S": "0.01"}
        environment = lab.environment()
        context = environment.context(DxlinkSource(), environment.accounts())
        requests = [StreamRequest(BY_RESOURCE["quotes"].resource, ("SPY",))]
        feed = Feed(DxlinkSource(), requests, context, lambda: lab.now, backoff=Backoff(sleep=sleep))  # fmt: skip
        batch = asyncio.run(first(feed))
    assert batch.rows["symbol"].to_pylist() == ["SPY"]
    assert len(pauses) >= 3


def test_what_arrived_before_a_connection_broke_is_brought_however_soon_it_breaks(lab, pouring):
    """Nothing is due by a clock that stands still: all of it waits for others when the connection ends."""
    found = Counter()

    async def collect(served):
        token = QuoteToken(served.dxlink_url, served.credentials.quote_token)
        request = StreamRequest(BY_RESOURCE["time_and_sales"].resource, ("SPY",))
        stream = stream_events([request], token, lambda: lab.now, clock=lambda: 0.0)
        async with aclosing(stream) as events:
            async for event in events:
                if isinstance(event, StreamBatch):
                    found["rows"] += event.rows.num_rows

    with pouring("drop-feed:after=8", limit=400, frame_events=10, channels=1) as served, pytest.raises(StreamLostError):  # fmt: skip
        asyncio.run(collect(served))
    assert found["rows"] == 1 + 80, "the print that was the last before, and eight frames"


def test_minutes_that_nobody_recorded_are_had_from_the_vendor_s_history(lab, small_market):
    """Nothing came for three quarters of an hour: what is asked then begins with the minute that was open."""
    last = datetime(2024, 6, 14, 19, 59, tzinfo=UTC)

    async def first(request):
        stream = DxlinkSource().stream([request], context, lambda: lab.now)
        async with aclosing(stream) as events:
            while not isinstance(event := await anext(events), StreamBatch):
                pass
            return event

    with VendorServer(small_market, vendors=["dxlink"]) as served:
        lab.environ |= {"TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token}  # fmt: skip
        environment = lab.environment()
        context = environment.context(DxlinkSource(), environment.accounts())
        since = last - timedelta(minutes=44, seconds=-17)
        request = StreamRequest(BY_RESOURCE["minutes"].resource, ("SPY",), since)
        batch = asyncio.run(first(request))
    found = sorted(batch.rows["event_time"].to_pylist())
    wanted = [(last - timedelta(minutes=n)).replace(tzinfo=None) for n in range(44, -1, -1)]
    assert found == wanted


def test_a_grant_that_is_dead_ends_the_stream_at_once(lab, small_market):
    """The vendor blocks the address of who goes on asking; later commands know it from the home's state."""
    with VendorServer(small_market, faults=["revoked"]) as served:
        lab.environ |= login_of(served)
        for told in ("the grant is refused", "these credentials are not tried again before 23:00 UTC"):  # fmt: skip
            with pytest.raises(CredentialError, match=told):
                record(lab.environment(), RecordRequest(("SPY",), for_s=60), environ=lab.variables)
