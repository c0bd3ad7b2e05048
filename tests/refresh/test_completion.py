# SPDX-License-Identifier: Apache-2.0
"""What MetaStock lacks is asked of the feed, and no more: missing symbols, the tail, proven gaps."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.calendar import sessions
from ttapi.refresh.keyed import Lifetime, gaps_of, wanted_spans
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
CALENDAR = [day for day in sessions("XNYS").dates if date(2023, 1, 1) <= day <= date(2024, 6, 14)]


def _holds(spans, day):
    return any((s is None or s <= day) and (e is None or day < e) for s, e in spans)


@given(
    st.sets(st.sampled_from(CALENDAR), min_size=1),
    st.tuples(st.sampled_from([None, *CALENDAR]), st.sampled_from([None, *CALENDAR])),
)
def test_every_wanted_session_that_is_missing_after_the_first_held_is_asked_for(held, asked):
    first, last = min(held), max(held)
    missing = [day for day in CALENDAR if first < day < last and day not in held]
    spans = wanted_spans(asked, Lifetime(last, gaps_of(missing)), CALENDAR[-1])
    for day in CALENDAR:
        if _holds([asked], day) and (day in missing or day > last):
            assert _holds(spans, day), day
    assert spans == sorted(spans, key=lambda span: (span[0] is not None, span[0]))
    for start, end in spans:
        assert not any(
            s is not None and e is not None and start is not None and s < start < e
            for s, e in spans
        )
        assert start is None or end is None or start < end


def test_nothing_held_is_asked_as_it_was_and_everything_held_is_not_asked():
    today = date(2024, 6, 14)
    assert wanted_spans((None, None), None, today) == [(None, None)]
    assert wanted_spans((None, None), Lifetime(today, ()), today) == []
    assert wanted_spans((None, date(2024, 6, 15)), Lifetime(today, ()), today) == []


@pytest.fixture
def hybrid(lab, tmp_path):
    """MetaStock has AAPL with a gap and without its last days, QQQ whole; SPY is missing."""
    log = tmp_path / "requests.jsonl"
    market = VendorMarket(7, NOW, symbols=30)

    def write(symbol, bars):
        lab.write_bars(f"{symbol}.csv", [(b.date, b.open, b.high, b.low, b.close) for b in bars])

    since = date(2024, 1, 2)
    gap = {date(2024, 3, 5), date(2024, 3, 6)}
    write(
        "AAPL",
        [b for b in market.bars("AAPL", since) if b.date < date(2024, 6, 3) and b.date not in gap],
    )
    write("QQQ", market.bars("QQQ", since))
    with VendorServer(market, request_log=log) as server:
        lab.environ |= {
            "TTAPI_DXLINK_URL": server.dxlink_url,
            "TTAPI_DXLINK_TOKEN": server.credentials.quote_token,
        }
        lab.market = market
        lab.asked = lambda: [
            entry["symbols"]
            for line in log.read_text().splitlines()
            if (entry := json.loads(line))["source"] == "dxlink" and entry["symbols"]
        ]
        yield lab


def test_eod_is_whole_and_only_what_lacked_was_fetched(hybrid):
    done = hybrid.ttapi(
        "sql",
        "select symbol, source, count(*) as n from eod where symbol in ('AAPL', 'QQQ', 'SPY')"
        " and date >= '2024-01-02' group by all order by all",
    )
    assert done.returncode == 0, done.stderr
    whole = len(hybrid.market.bars("AAPL", date(2024, 1, 2)))
    tail = len(hybrid.market.bars("AAPL", date(2024, 6, 3)))
    assert done.stdout.splitlines()[1:] == [
        f"AAPL,dxlink,{tail + 2}",
        f"AAPL,metastock,{whole - tail - 2}",
        f"QQQ,metastock,{whole}",
        f"SPY,dxlink,{whole}",
    ]
    fetched = dict(
        hybrid.rows("select symbol, count(*) from raw.dxlink_candles where is_current group by 1")
    )
    assert fetched.keys() == {"AAPL", "SPY"}
    # The two days of the gap, the tail, and three weeks before it to compare the prices by.
    near = [b for b in hybrid.market.bars("AAPL", date(2024, 5, 10)) if b.date >= date(2024, 5, 10)]
    assert fetched["AAPL"] == 2 + len(near)
    asked = len(hybrid.asked())
    again = hybrid.ttapi("sql", "select count(*) from eod where symbol in ('AAPL', 'QQQ', 'SPY')")
    assert "0 calls" in again.stderr
    assert len(hybrid.asked()) == asked


def test_a_query_that_chooses_no_symbol_asks_the_feed_for_none(hybrid):
    done = hybrid.ttapi("sql", "select count(distinct symbol) as n from eod")
    assert (done.returncode, done.stdout) == (0, "n\n2\n"), done.stderr
    assert hybrid.asked() == []


def test_a_feed_that_is_down_leaves_the_files_their_answer(hybrid):
    hybrid.environ["TTAPI_DXLINK_URL"] = "ws://127.0.0.1:9/realtime"
    done = hybrid.ttapi("sql", "select count(*) as n from eod where symbol = 'AAPL'")
    held = hybrid.rows("select count(*) from raw.metastock_bars where symbol = 'AAPL'")
    assert (done.returncode, done.stdout) == (0, f"n\n{held[0][0]}\n"), done.stderr
    assert "raw.dxlink_candles" in done.stderr


def test_without_files_a_feed_that_is_down_is_an_error(hybrid):
    hybrid.environ["TTAPI_DXLINK_URL"] = "ws://127.0.0.1:9/realtime"
    done = hybrid.ttapi("sql", "select count(*) as n from eod where symbol = 'SPY'")
    assert (done.returncode, done.stdout) == (1, "")
    assert "raw.dxlink_candles was never loaded" in done.stderr
    assert "fetched" not in done.stderr
    (row,) = json.loads(hybrid.ttapi("status", "raw.dxlink_candles", "--json").stdout)
    assert row["verdict"] == "failed"
    assert row["reasons"][0].startswith("last attempt failed: ")


def test_a_bar_that_comes_by_file_takes_its_candles_place_at_once(hybrid):
    hybrid.ttapi("sql", "select count(*) from eod where symbol = 'SPY'")
    bars = hybrid.market.bars("SPY", date(2024, 1, 2))
    assert hybrid.rows("select distinct source from eod where symbol = 'SPY'") == [("dxlink",)]
    hybrid.write_bars("SPY.csv", [(b.date, b.open, b.high, b.low, b.close) for b in bars])
    outcome = hybrid.refresh("metastock")
    assert outcome.failed_checks == ()
    since = "symbol = 'SPY' and date >= '2024-01-02'"
    assert hybrid.rows(f"select source, count(*) from eod where {since} group by 1") == [
        ("metastock", len(bars))
    ]
