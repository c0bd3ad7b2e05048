# SPDX-License-Identifier: Apache-2.0
"""The market behind the vendors: its past stands still, its present fits its past."""

from __future__ import annotations

import math
import os
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from ttapi.errors import UsageError
from ttapi.market.calendar import sessions
from ttapi.market.shipped import universe_members
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

EVENING = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
MIDDAY = datetime(2026, 11, 20, 17, 3, 20, tzinfo=UTC)
EVERY = 1 if os.environ.get("TTAPI_CAMPAIGN") else 3
"""Of the symbols whose bars are all drawn."""
SOME = ("SPX", "SPY", "VIX", "AAPL", "BRK/B", "META")


@pytest.fixture(scope="module")
def evening():
    return VendorMarket(7, EVENING)


@pytest.fixture(scope="module")
def midday():
    return VendorMarket(7, MIDDAY)


def test_it_lists_507_symbols_once_each_well_known_ones_among_them(evening):
    assert len(set(evening.symbols)) == len(evening.symbols) == 507
    assert set(SOME) < set(evening.symbols)


def test_what_is_on_a_shipped_list_is_listed_where_there_is_room(evening):
    on_lists = {member.symbol.replace(".", "/") for member in universe_members()}
    assert on_lists < set(evening.symbols)
    kinds = {symbol: evening.listing(symbol).kind for symbol in ("OEX", "XLK", "GS", "V")}
    assert kinds == {"OEX": "index", "XLK": "etf", "GS": "equity", "V": "equity"}
    assert evening.quote("OEX").bid is None
    assert [root.exercise_style for root in evening.chain("OEX")] == ["American"]
    first = next(
        s for s in evening.symbols if evening.listing(s).description.endswith("(invented)")
    )
    assert f"{first}1" in evening.listing(first).roots
    assert "GS" not in VendorMarket(7, EVENING, symbols=200).symbols


def test_an_unknown_symbol_is_told(evening):
    with pytest.raises(UsageError, match="'NOPE' is not listed"):
        evening.bars("NOPE")


def test_a_market_too_small_is_refused():
    with pytest.raises(UsageError, match="a vendor market of 5 symbols is too small"):
        VendorMarket(7, EVENING, symbols=5)


@pytest.mark.parametrize("year", [1995, 2047])
def test_a_moment_out_of_reach_is_told(year):
    with pytest.raises(UsageError, match=f"knows nothing of {year}-06-01 .from 1996 to 2046"):
        VendorMarket(7, datetime(year, 6, 1, 12, 0, tzinfo=UTC))


@pytest.mark.parametrize("year", [1996, 2046])
def test_the_first_and_the_last_year_are_whole(year):
    market = VendorMarket(7, datetime(year, 12, 30, 18, 0, tzinfo=UTC), symbols=40)
    for symbol in market.symbols[::EVERY]:
        assert market.bars(symbol)
        assert market.chain(symbol)
        assert market.surface(symbol).atm_volatility(0.1) > 0


@pytest.mark.parametrize("symbol", SOME)
def test_bars_are_every_session_from_the_first_year_to_the_last_close(evening, symbol):
    days = sessions("XNYS").dates
    first = date(evening.listing(symbol).first_year, 1, 1)
    expected = [day for day in days if first <= day <= EVENING.date()]
    assert [bar.date for bar in evening.bars(symbol)] == expected


def test_the_oldest_bar_is_of_the_first_session_of_1995(evening):
    assert evening.bars("SPX")[0].date == date(1995, 1, 3)


def test_prices_of_every_bar_lie_between_its_low_and_its_high(evening):
    for symbol in evening.symbols[::EVERY]:
        for bar in evening.bars(symbol, date(2025, 1, 1)):
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high


def test_only_recorded_splits_look_like_splits(evening):
    """No session moves by what the smallest split would, once recorded ones are taken out."""
    for symbol in [s for s in evening.symbols[:80:EVERY] if s != "VIX"]:
        ratios = {split.ex_date: split.ratio for split in evening.splits(symbol)}
        bars = evening.bars(symbol)
        largest = max(
            abs(math.log(bar.close * ratios.get(bar.date, 1) / before.close))
            for before, bar in pairwise(bars)
        )
        assert largest < 0.2, symbol


def test_the_same_seed_makes_the_same_market_and_another_one_another(evening):
    again, other = VendorMarket(7, EVENING), VendorMarket(8, EVENING)
    assert again.bars("AAPL") == evening.bars("AAPL")
    assert other.bars("AAPL") != evening.bars("AAPL")


def test_the_past_stands_when_time_goes_on(evening):
    later = VendorMarket(7, EVENING + timedelta(days=400))
    for symbol in (*SOME, evening.symbols[100]):
        bars = evening.bars(symbol)
        assert later.bars(symbol)[: len(bars)] == bars
        dividends, splits = evening.dividends(symbol), evening.splits(symbol)
        assert later.dividends(symbol)[: len(dividends)] == dividends
        assert later.splits(symbol)[: len(splits)] == splits


def test_bars_since_a_date_are_the_tail_of_all_bars(evening):
    since = date(2025, 3, 1)
    assert evening.bars("AAPL", since) == tuple(
        bar for bar in evening.bars("AAPL") if bar.date >= since
    )


def test_the_fund_follows_its_index(evening):
    index = {bar.date: bar.close for bar in evening.bars("SPX")}
    for bar in evening.bars("SPY"):
        assert bar.close == pytest.approx(index[bar.date] / 10, rel=0.02)


def test_an_index_has_no_volume_and_a_share_has(evening):
    assert {bar.volume for bar in evening.bars("SPX")} == {None}
    assert min(bar.volume for bar in evening.bars("AAPL")) > 0


def test_symbols_not_yet_listed_are_left_out():
    early = VendorMarket(7, datetime(2011, 5, 2, 22, 0, tzinfo=UTC))
    assert "TSLA" in early.symbols
    assert "META" not in early.symbols


def test_between_sessions_no_bar_is_forming(evening, midday):
    assert evening.forming_bar("SPY") is None
    assert midday.forming_bar("SPY").date == MIDDAY.date()
    assert midday.bars("SPY")[-1].date == date(2026, 11, 19)


def test_the_forming_bar_grows_into_the_bar_of_the_day(evening):
    bar = evening.bars("AAPL")[-1]
    seen = [
        VendorMarket(7, moment).forming_bar("AAPL")
        for moment in (MIDDAY, datetime(2026, 11, 20, 20, 59, 59, 999_999, tzinfo=UTC))
    ]
    assert [b.open for b in seen] == [bar.open, bar.open]
    assert bar.low <= seen[1].low <= seen[0].low <= seen[0].high <= seen[1].high <= bar.high
    assert seen[1].close == pytest.approx(bar.close, abs=0.01)
    assert seen[0].volume < seen[1].volume <= bar.volume


def test_a_clock_that_goes_on_moves_the_price():

    now = [MIDDAY]
    market = VendorMarket(7, lambda: now[0])
    before = market.spot("SPY")
    now[0] += timedelta(minutes=60)
    assert market.spot("SPY") != before


def test_minutes_add_up_to_the_day(evening):
    bar = evening.bars("AAPL")[-1]
    minutes = evening.candles("AAPL", "m", datetime(2026, 11, 20, tzinfo=UTC))
    assert len(minutes) == 390
    assert minutes[0].time == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert minutes[0].open == bar.open
    assert max(c.high for c in minutes) == bar.high
    assert min(c.low for c in minutes) == bar.low
    assert minutes[-1].close == bar.close
    assert sum(c.volume for c in minutes) == bar.volume


def test_the_minute_that_is_open_moves_and_ends_as_what_it_is_when_it_is_over():
    """Its beginning stands from the first second on; price and volume of it grow into the whole minute's."""
    begin = MIDDAY.replace(second=0)
    now = [begin]
    market = VendorMarket(7, lambda: now[0])
    seen = []
    for seconds in (0, 1, 20, 40, 60):
        now[0] = begin + timedelta(seconds=seconds)
        seen.append(market.candles("SPY", "m", begin))
    assert [len(candles) for candles in seen] == [0, 1, 1, 1, 1]
    first, second, third, whole = (candles[0] for candles in seen[1:])
    assert {c.time for c in (first, second, third, whole)} == {begin}
    assert {c.open for c in (first, second, third, whole)} == {whole.open}
    assert first.volume < second.volume < third.volume < whole.volume
    assert whole.low <= min(c.low for c in (first, second, third))
    assert third.close != whole.close


def test_a_short_session_has_fewer_minutes():
    market = VendorMarket(7, datetime(2026, 11, 30, 12, 0, tzinfo=UTC))
    since = datetime(2026, 11, 27, tzinfo=UTC)
    assert len(market.candles("SPY", "m", since)) == 210


def test_daily_candles_are_the_bars_and_the_forming_one_last(midday):
    candles = midday.candles("SPY", "d", datetime(2026, 11, 16, tzinfo=UTC))
    bars = [*midday.bars("SPY", date(2026, 11, 16)), midday.forming_bar("SPY")]
    assert [(c.time.date(), c.open, c.high, c.low, c.close, c.volume) for c in candles] == bars
    assert {c.time.hour for c in candles} == {0}


@pytest.mark.parametrize("period", ["2d", "w", "mo", "y", "5m", "h"])
def test_longer_candles_hold_what_shorter_ones_did(evening, period):
    since = (
        datetime(2026, 11, 20, tzinfo=UTC)
        if period in {"5m", "h"}
        else datetime(2020, 1, 1, tzinfo=UTC)
    )
    long = evening.candles("AAPL", period, since)
    short = evening.candles("AAPL", "m" if period in {"5m", "h"} else "d", long[0].time)
    assert sum(c.volume for c in long) == sum(c.volume for c in short)
    assert max(c.high for c in long) == max(c.high for c in short)
    assert (long[0].open, long[-1].close) == (short[0].open, short[-1].close)


@pytest.mark.parametrize("period", ["t", "0m", "x", "", "s"])
def test_periods_the_vendor_does_not_aggregate_to_are_empty(evening, period):
    assert evening.candles("AAPL", period, datetime(2026, 1, 1, tzinfo=UTC)) == ()


def test_results_are_due_after_those_that_are_out(evening):
    out, due = evening.earnings("AAPL"), evening.next_report("AAPL")
    assert out[-1].date < evening.today <= due[0]
    assert evening.next_report("SPY") is None


def test_the_next_dividend_comes_after_the_last(evening):
    assert evening.dividends("KO")[-1].ex_date <= evening.today < evening.next_ex_date("KO")
    assert evening.next_ex_date("AMZN") is None


def test_an_index_has_no_book_and_a_share_a_narrow_one(midday):
    assert midday.quote("SPX").bid is None
    quote = midday.quote("AAPL")
    assert 0 < quote.ask - quote.bid < 0.001 * midday.spot("AAPL")


def test_a_summary_knows_the_close_only_after_it(evening, midday):
    assert midday.summary("AAPL").close is None
    assert evening.summary("AAPL").close == evening.bars("AAPL")[-1].close
    assert evening.summary("AAPL").prev_close == evening.bars("AAPL")[-2].close


@pytest.mark.parametrize("ask", ["quote", "greeks", "trade", "summary", "profile", "underlying"])
def test_an_unknown_streamer_symbol_has_nothing(evening, ask):
    assert getattr(evening, ask)("NOPE") is None
    assert getattr(evening, ask)(".SPY261218C1") is None
