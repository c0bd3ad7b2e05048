# SPDX-License-Identifier: Apache-2.0
"""The source `dxlink`: the contract kept, dates and bounds right, refusals told."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from ttapi.errors import SourceDownError, UsageError
from ttapi.sources.contract import SourceContext, Unit, UnitRequest
from ttapi.sources.dxlink import DxlinkSource
from ttapi.sources.dxlink.candles import CandleHistory, CandleRequest, candle_batch, session_date
from ttapi.sources.dxlink.client import Retries, Timing
from ttapi.sources.dxlink.events import RefusedRows
from ttapi.sources.dxlink.load import DxlinkAccess, streamer_symbol, token_of_settings
from ttapi.sources.testing import source_checks

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
DAY = date(2024, 6, 3)
MIDNIGHT = 1717372800000
"""Of 2024-06-03, UTC."""


def at_once():
    """The source with pauses that take no time."""
    hurried = Timing(random=lambda: 0.0)
    return DxlinkSource(DxlinkAccess(token_of_settings, Retries(attempts=2), hurried))


def fetched(settings, *requests):
    source = DxlinkSource()
    asked = [UnitRequest(Unit(key), None, *span) for key, *span in requests]
    context = SourceContext(settings, NOW)
    batches = list(source.fetch(source.resources[0], asked, context))
    return {batch.units[0].unit.key: batch for batch in batches}


def settings_of(served, **more):
    return {"url": served.url, "token": served.token, **more}


def test_a_symbols_days_come_within_the_dates_asked_for(feed, vendor_market):
    with feed() as served:
        found = fetched(settings_of(served), ("BRK.B", DAY, date(2024, 6, 12)))["BRK.B"]
    bars = [bar for bar in vendor_market.bars("BRK/B", DAY) if bar.date < date(2024, 6, 12)]
    rows = found.rows.to_pylist()
    assert [(r["date"], r["open"], r["close"], r["volume"]) for r in rows] == [
        (b.date, b.open, b.close, b.volume) for b in bars
    ]
    first = rows[0]
    assert {k: first[k] for k in ("symbol", "streamer_symbol", "tho", "period", "time", "known_at", "line")} == {
        "symbol": "BRK.B", "streamer_symbol": "BRK/B", "tho": False, "period": "d",
        "time": datetime(2024, 6, 3), "known_at": datetime(2024, 6, 3, 20), "line": None,
    }  # fmt: skip
    (report,) = found.units
    assert (report.rows_in, report.first_date, report.last_date) == (len(bars), DAY, date(2024, 6, 11))  # fmt: skip
    assert served.symbols_asked == ["BRK/B{=d}"]


def test_regular_hours_are_a_setting(feed):
    with feed() as served:
        found = fetched(settings_of(served, tho="TRUE"), ("SPY", DAY, None))["SPY"]
    assert served.symbols_asked == ["SPY{=d,tho=true}"]
    assert set(found.rows["tho"].to_pylist()) == {True}


def test_a_truncated_history_is_told_with_its_first_day(feed, vendor_market):
    with feed("snip:at=3") as served:
        (report,) = fetched(settings_of(served), ("SPY", date(2020, 1, 2), None))["SPY"].units
    assert report.first_date == date(2024, 6, 12)
    assert report.notes == ("history is truncated: the feed sent nothing before 2024-06-12, its limit of candles",)  # fmt: skip


def test_one_bad_symbol_fails_alone_and_an_unknown_one_is_empty(feed):
    with feed() as served:
        found = fetched(settings_of(served), ("A{B", DAY, None), ("NOSUCH", DAY, None), ("SPY", DAY, None))  # fmt: skip
    assert "is no candle symbol" in found["A{B"].units[0].error
    assert (found["NOSUCH"].units[0].rows_in, found["NOSUCH"].units[0].error) == (0, None)
    assert found["SPY"].units[0].rows_accepted == 10


def test_it_works_where_a_loop_is_running_already(feed):
    async def in_a_notebook(settings):
        return fetched(settings, ("SPY", DAY, None))

    with feed() as served:
        assert asyncio.run(in_a_notebook(settings_of(served)))["SPY"].units[0].rows_accepted == 10


def test_whoever_stops_reading_leaves_no_connection(feed):
    source = DxlinkSource()
    with feed() as served:
        asked = [UnitRequest(Unit(s), None, DAY) for s in ("SPY", "QQQ")]
        batches = source.fetch(source.resources[0], asked, SourceContext(settings_of(served), NOW))
        next(batches)
        batches.close()


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({}, "token"), ({"token": "t"}, "url"), ({"url": "ws://x"}, "token"), ({"url": "ws://x", "token": " "}, "token"), ({"url": "u", "token": "t"}, None)],
)  # fmt: skip
def test_what_must_be_set_is_named(settings, missing):
    source = DxlinkSource()
    assert source.missing_setting(source.resources[0], SourceContext(settings, NOW)) == missing


def test_wrong_settings_are_told():
    with pytest.raises(UsageError, match=r"\[sources.dxlink\] tho = 'maybe' is unknown"):
        fetched({"url": "ws://x", "token": "t", "tho": "maybe"}, ("SPY", DAY, None))
    with pytest.raises(UsageError, match="'http://x' is no WebSocket address"):
        fetched({"url": "http://x", "token": "t"}, ("SPY", DAY, None))


def test_a_wrong_token_is_told_without_it(feed):
    with feed() as served, pytest.raises(SourceDownError, match="refused the quote token") as said:
        source, context = at_once(), SourceContext({"url": served.url, "token": "canary"}, NOW)
        list(source.fetch(source.resources[0], [UnitRequest(Unit("SPY"))], context))
    assert "canary" not in str(said.value)


def batch_of(*events, now=NOW, **history):
    made = CandleHistory(CandleRequest("SPY{=d}", 0), events, **history)
    return candle_batch(UnitRequest(Unit("SPY"), None, DAY), made, "SPY", now, tho=False)


def candle(**changes):
    prices = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5}
    return {"eventType": "Candle", "eventSymbol": "SPY{=d}", "time": MIDNIGHT, **prices, **changes}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"close": None}, "close is missing"),
        ({"close": 0}, "close is not above 0"),
        ({"low": -1.0}, "low is not above 0"),
        ({"close": "cheap"}, "close is no number"),
        ({"volume": True}, "volume is no number"),
        ({"volume": 10**400}, "volume is too large"),
        ({"time": "noon"}, "time 'noon' is no instant"),
        ({"time": 10**20}, "time 100000000000000000000 is no instant"),
        ({"time": MIDNIGHT + 40 * 86_400_000}, "2024-07-13 lies in the future"),
    ],
)
def test_a_candle_that_is_none_is_refused_with_its_reason(changes, reason):
    batch = batch_of(candle(**changes), candle(time=MIDNIGHT + 86_400_000))
    (report,) = batch.units
    assert (report.rows_in, report.rows_accepted, report.rows_refused) == (2, 1, 1)
    assert batch.rejects["reason"].to_pylist() == [reason]


def test_what_ends_a_history_is_no_row_and_no_refusal():
    (report,) = batch_of(candle(close=None, eventFlags=8), candle()).units
    assert (report.rows_accepted, report.rows_refused) == (1, 0)


def test_a_history_without_any_candle_is_told():
    told = ("no candle came: unknown symbol, or none in the interval",)
    for nothing in ((), (candle(close=None, eventFlags=8),)):
        (report,) = batch_of(*nothing).units
        assert (report.rows_in, report.error, report.notes) == (0, None, told)
    assert batch_of(candle()).units[0].notes == ()


def test_rows_lost_on_the_way_are_told():
    batch = batch_of(
        candle(), refused=(RefusedRows("time is no whole number", "x"),), rows_unread=2
    )
    assert (batch.units[0].rows_refused, batch.units[0].notes) == (1, ("2 rows of unknown symbols could not be read meanwhile",))  # fmt: skip


def test_the_bar_of_an_open_session_is_known_when_it_is_loaded():
    noon = datetime(2024, 6, 3, 16, 0, tzinfo=UTC)
    assert batch_of(candle(), now=noon).rows["known_at"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("began", "session"),
    [
        (datetime(2024, 6, 3, 0, 0, tzinfo=UTC), date(2024, 6, 3)),
        (datetime(2024, 6, 3, 4, 0, tzinfo=UTC), date(2024, 6, 3)),
        (datetime(2024, 1, 3, 5, 0, tzinfo=UTC), date(2024, 1, 3)),
        (datetime(2024, 6, 3, 13, 30, tzinfo=UTC), date(2024, 6, 3)),
        (datetime(2024, 6, 3, 3, 59, tzinfo=UTC), date(2024, 6, 2)),
    ],
)
def test_a_candle_is_of_the_session_its_beginning_names(began, session):
    assert session_date(began) == session


def test_classes_of_shares_are_written_as_dxfeed_does():
    assert [streamer_symbol(s) for s in ("BRK.B", "SPY", ".SPY240710C505")] == ["BRK/B", "SPY", ".SPY240710C505"]  # fmt: skip


@pytest.mark.parametrize("number", range(16))
def test_the_source_keeps_every_rule(feed, number):
    with feed("duplicates") as served, closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        healthy = settings_of(served)
        nobody = healthy | {"url": f"ws://127.0.0.1:{unused.getsockname()[1]}/realtime"}
        checks = source_checks(
            at_once, settings=healthy, now=NOW, keys={"candles": ("SPY", "QQQ", "BRK.B"), "quotes": ("SPY", "BRK.B"), "time_and_sales": ("QQQ",)}, span=(DAY, date(2024, 6, 14)),
            late=healthy, down=nobody,
        )  # fmt: skip
        assert len(checks) == 16
        checks[number]()


def of_days(*days, span=(None, None), now=NOW):
    """The dates that are kept of candles of these days, and why others are refused."""
    events = tuple(candle(time=MIDNIGHT + n * 86_400_000) for n in days)
    made = CandleHistory(CandleRequest("SPY{=d}", 0), events)
    batch = candle_batch(UnitRequest(Unit("SPY"), None, *span), made, "SPY", now, tho=False)
    refused = [] if batch.rejects is None else batch.rejects["reason"].to_pylist()
    return [day.day for day in batch.rows["date"].to_pylist()], refused


def test_days_are_kept_from_the_first_wanted_to_before_the_first_not_wanted():
    assert of_days(0, 1, 2, span=(date(2024, 6, 4), None)) == ([4, 5], [])
    assert of_days(0, 1, 2, span=(None, date(2024, 6, 5))) == ([3, 4], [])
    assert of_days(0, 1, 2, span=(date(2024, 6, 4), date(2024, 6, 5))) == ([4], [])


def test_today_is_kept_and_tomorrow_is_refused():
    early = datetime(2024, 6, 4, 12, tzinfo=UTC)
    assert of_days(0, 1, 2, now=early) == ([3, 4], ["2024-06-05 lies in the future"])


def test_a_price_just_above_0_and_the_largest_number_are_kept():
    batch = batch_of(candle(low=1e-9, sequence=2.0**61, count=2.0**62, volume=None, VWAP=1.25))
    (row,) = batch.rows.to_pylist()
    assert (row["low"], row["sequence"], row["count"], row["volume"], row["vwap"]) == (1e-9, 2**61, None, None, 1.25)  # fmt: skip
