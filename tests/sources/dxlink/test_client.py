# SPDX-License-Identifier: Apache-2.0
"""The client against the simulated feed under each fault: the truth arrives, or the gap is told."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest
from clocked_client import SINCE, SYMBOLS, HearingClient, Hours, fetch, from_time, rows, truth

from ttapi.errors import SourceDownError
from ttapi.simulator.faults import FAULTS
from ttapi.sources.dxlink.candles import CandleRequest
from ttapi.sources.dxlink.client import QuoteToken, Retries

ENDS_WELL = {
    "502-upgrade": 1,
    "close-1009": 1,
    "drop-mid-snapshot": 1,
    "duplicates": 0,
    "fewer-fields": 0,
    "late-rows": 0,
    "mute": 1,
    "nan": 0,
    "one-event-per-array": 0,
    "refuse-token": 1,
    "reorder-fields": 0,
    "slow-auth": 0,
    "auto-empty-candles": 0,
}
"""Faults after which the whole truth arrives, and the pauses before another connection."""
OF_LIVE_FRAMES = {
    "drop-feed",
    "close-1006",
    "gap-feed",
    "expire-feed",
    "duplicate-feed",
    "reorder-feed",
}
"""Tried where a stream is recorded: tests/live/test_live_faults.py."""
SPECS = {"close-1009": "close-1009:bytes=420", "slow-auth": "slow-auth:s=0.05"}


def test_every_fault_of_the_feed_is_tried():
    assert {n for n, kind in FAULTS.items() if kind.source == "dxlink"} == {
        *ENDS_WELL,
        "snip",
        *OF_LIVE_FRAMES,
    }


@pytest.mark.parametrize("fault", [None, *sorted(ENDS_WELL)])
def test_the_truth_arrives_whatever_the_server_does(feed, vendor_market, fault):
    with feed(*filter(None, [SPECS.get(fault, fault)])) as served:
        hours = Hours(served)
        found = fetch(served, hours=hours)
    assert {s: (rows(h), h.error, h.is_truncated) for s, h in found.items()} == {
        symbol: (truth(vendor_market, symbol), None, False) for symbol in SYMBOLS
    }
    assert hours.pauses == ENDS_WELL.get(fault, 0)


class MovingHours(Hours):
    """A clock that moves with every frame, as clocks do."""

    def hear(self):
        super().hear()
        self.now += 0.001


def test_a_mute_server_is_found_out_before_its_histories_are_overdue(feed, vendor_market):
    with feed("mute:after=1,times=1") as served:
        hours = MovingHours(served)
        found = fetch(served, ["SPY", "AAPL"], hours=hours)
    assert {s: (rows(h), h.error) for s, h in found.items()} == {
        symbol: (truth(vendor_market, symbol), None) for symbol in ("SPY", "AAPL")
    }
    assert (hours.pauses, hours.now > 60) == (1, True)


def test_all_faults_at_once_end_well(feed, vendor_market):
    # Cut into single events, a correction may come when the clock of this test has moved on.
    specs = [SPECS.get(fault, fault) for fault in ENDS_WELL if fault != "late-rows"]
    with feed(*specs) as served:
        found = fetch(served, in_flight=3)
    assert {s: rows(h) for s, h in found.items()} == {s: truth(vendor_market, s) for s in SYMBOLS}


def test_a_snipped_history_says_so_and_keeps_the_newest(feed, vendor_market):
    with feed("snip:at=40") as served:
        history = fetch(served, ["SPY"])["SPY"]
    assert (rows(history), history.is_truncated) == (truth(vendor_market, "SPY")[-40:], True)


def test_no_more_than_a_few_histories_are_under_way(feed):
    with feed("duplicates") as served:
        fetch(served, in_flight=2)
        first = next(symbols for what, symbols in served.asked if what == "FEED_SUBSCRIPTION")
    assert first == ("SPY{=d}", "QQQ{=d}")
    assert sorted(served.symbols_asked) == sorted(f"{symbol}{{=d}}" for symbol in SYMBOLS)


def test_an_unknown_symbol_is_empty_and_harms_nobody(feed, vendor_market):
    with feed() as served:
        found = fetch(served, ["NOSUCH", "SPY"])
    assert (found["NOSUCH"].candles, found["NOSUCH"].error) == ((), None)
    assert rows(found["SPY"]) == truth(vendor_market, "SPY")


def test_a_symbol_that_never_ends_fails_alone(feed, vendor_market):
    """Without the flags of its rows no history ends."""
    with (
        feed("drop-mid-snapshot:after=30,times=0") as served,
        pytest.raises(SourceDownError, match="gave up after 3 connections"),
    ):
        fetch(served, ["SPY", "QQQ"], retries=Retries(attempts=3))


def test_what_was_answered_stands_when_the_rest_fails(feed, vendor_market):
    with feed("drop-mid-snapshot:after=300,times=0") as served:
        hours = Hours(served)

        async def quote_token():
            return QuoteToken(served.url, served.token)

        async def collect():
            client = HearingClient(quote_token, hours, in_flight=1, retries=Retries(3))
            asked = [
                CandleRequest("QQQ{=d}", from_time(date(2024, 1, 2))),
                CandleRequest("SPY{=d}", from_time(SINCE)),
            ]
            return [history async for history in client.candles(asked)]

        first, second = asyncio.run(collect())
    assert (rows(first), first.error) == (truth(vendor_market, "QQQ", date(2024, 1, 2)), None)
    assert second.candles == ()
    assert second.error.startswith("dxLink: the connection was closed (no close frame); gave up")
