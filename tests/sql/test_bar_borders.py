# SPDX-License-Identifier: Apache-2.0
"""Splits suspected, gaps, beta and factors at their borders, over bars in memory."""

from __future__ import annotations

import math
from datetime import date, datetime

import pytest

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (10, 11, 12, 13, 14))
NEXT_MON = date(2024, 6, 17)


def findings(market, symbol):
    market.rebuild("derived.suspected_splits")
    return market.rows(
        "select date, finding, split from derived.suspected_splits where symbol = ? order by date",
        symbol,
    )


@pytest.mark.parametrize(
    ("symbol", "before", "bar", "split"),
    [
        ("SP1", 100.0, (50.0, 50.0), "2:1"),
        ("SP2", 100.0, (50.0, 100 / 2.039), "2:1"),
        ("SP3", 100.0, (50.0, 100 / 2.041), None),  # off by more than 2 %
        ("SP4", 100.0, (50.0, 100 / 1.961), "2:1"),
        ("SP5", 100.0, (50.0, 100 / 1.959), None),
        ("SP6", 100.0, (56.0, 50.0), None),  # the open did not jump
        ("SP7", 100.0, (55.0, 50.0), "2:1"),
        ("SP8", 100.0, (0.0, 50.0), "2:1"),  # no open is given
        ("SP9", 100.0, (None, 50.0), "2:1"),
        ("SPA", 50.0, (100.0, 100.0), "1:2"),
        ("SPB", 100.0, (200 / 3, 200 / 3), "3:2"),
        ("SPC", 100.0, (75.0, 75.0), None),  # 4:3 is the market's
        ("SPD", 100.0, (80.0, 80.0), None),  # so is 5:4
        ("SPE", 100.0, (1.0, 1.0), "100:1"),
    ],
)
def test_a_jump_near_a_ratio_overnight_is_an_unrecorded_split(
    bar_market, symbol, before, bar, split
):
    opened, close = bar
    bar_market.bars(symbol, [(MON, before), (TUE, opened, close, close, close)])
    found = findings(bar_market, symbol)
    assert found == ([(TUE, "unrecorded split", split)] if split else [])


@pytest.mark.parametrize(
    ("symbol", "ex_date", "is_explained"),
    [("RC1", MON, False), ("RC2", TUE, True), ("RC3", WED, True), ("RC4", THU, False)],
)
def test_a_split_explains_the_jump_of_the_first_bar_on_or_after_its_ex_date(
    bar_market, symbol, ex_date, is_explained
):
    bar_market.bars(symbol, [(MON, 100.0), (WED, 50.0), (THU, 50.0)])
    bar_market.action(symbol, ex_date, ratio=2.0)
    found = [one for one in findings(bar_market, symbol) if one[1] == "unrecorded split"]
    assert found == ([] if is_explained else [(WED, "unrecorded split", "2:1")])


def test_in_split_adjusted_bars_a_recorded_split_explains_no_jump(bar_market):
    bar_market.con.execute("begin")
    bar_market.insert("price_basis", source="metastock", price_basis="split")
    bar_market.bars("BAS", [(MON, 100.0), (TUE, 50.0), (WED, 50.0)])
    bar_market.action("BAS", TUE, ratio=2.0)
    bar_market.action("BAS", WED, ratio=2.0)
    found = findings(bar_market, "BAS")
    bar_market.con.execute("rollback")
    assert found == [(TUE, "unrecorded split", "2:1")]


def test_two_splits_of_one_day_are_their_product(bar_market):
    bar_market.bars("TWO", [(MON, 100.0), (TUE, 100.0)])
    bar_market.action("TWO", TUE, ratio=2.0)
    bar_market.action("TWO", TUE, ratio=3.0)
    assert findings(bar_market, "TWO") == [(TUE, "double adjustment", "6.0:1")]


@pytest.mark.parametrize(
    ("symbol", "ratio", "after", "is_doubled"),
    [
        ("DB1", 2.0, 100.0, True), ("DB2", 2.0, 50.0, False), ("DB3", 2.0, 85.0, True), ("DB4", 2.0, 83.0, False),
        ("DB5", 1.2, 100.0, True), ("DB6", 1.19, 100.0, False), ("DB7", 0.5, 100.0, True), ("DB8", 1.01, 100.0, False),
    ],
)  # fmt: skip
def test_a_split_the_price_does_not_show_is_in_it_already(
    bar_market, symbol, ratio, after, is_doubled
):
    bar_market.bars(symbol, [(MON, 100.0), (TUE, after)])
    bar_market.action(symbol, TUE, ratio=ratio)
    expected = [(TUE, "double adjustment", f"{ratio}:1")] if is_doubled else []
    assert findings(bar_market, symbol) == expected


def test_factors_hold_until_before_each_ex_date_and_the_newest_bar_is_as_traded(bar_market):
    bar_market.bars("FAC", [(MON, 100.0), (TUE, 50.0), (WED, 50.0), (THU, 48.0), (FRI, 24.0)])
    bar_market.action("FAC", TUE, ratio=2.0)
    bar_market.action("FAC", THU, cash=2.0)
    bar_market.action("FAC", FRI, ratio=2.0)
    bar_market.rebuild("derived.adjustment_factors")
    assert bar_market.rows(
        "select valid_from, valid_until, split_factor, dividend_factor, is_refused from derived.adjustment_factors where symbol = 'FAC' order by valid_until"
    ) == [
        (date(1, 1, 1), TUE, 0.25, 0.96, False),
        (TUE, THU, 0.5, 0.96, False),
        (THU, FRI, 0.5, 1.0, False),
    ]
    rows = bar_market.rows(
        "select date, adj_close, adj_volume, split_factor from eod_adjusted where symbol = 'FAC' order by date"
    )
    assert [round(row[1], 10) for row in rows] == [24.0, 24.0, 24.0, 24.0, 24.0]
    assert [row[2:] for row in rows] == [(400.0, 0.25), (200.0, 0.5), (200.0, 0.5), (200.0, 0.5), (100.0, 1.0)]  # fmt: skip


@pytest.mark.parametrize(
    ("symbol", "cash", "is_refused"),
    [("CA1", 99.99, False), ("CA2", 100.0, True), ("CA3", 100.01, True)],
)
def test_a_dividend_of_the_whole_price_is_refused(bar_market, symbol, cash, is_refused):
    bar_market.bars(symbol, [(MON, 100.0), (TUE, 100.0)])
    bar_market.action(symbol, TUE, cash=cash)
    bar_market.rebuild("derived.adjustment_factors")
    ((factor, refused),) = bar_market.rows(
        "select dividend_factor, is_refused from derived.adjustment_factors where symbol = ?",
        symbol,
    )
    assert (refused, factor == 1.0) == (is_refused, is_refused)
    ((shown,),) = bar_market.rows(
        "select count(*) from health where code = 'dividend refused' and subject = ?", symbol
    )
    assert shown == is_refused


def test_missing_sessions_are_told_and_weekends_are_none(bar_market):
    bar_market.bars("GP1", [(MON, 1.0), (TUE, 1.0), (FRI, 1.0), (NEXT_MON, 1.0)])
    assert bar_market.rows(
        "select from_date, to_date, sessions, bar_before, bar_after from eod_gaps where symbol = 'GP1'"
    ) == [(WED, THU, 2, TUE, FRI)]
    bar_market.bars("GP2", [(MON, 1.0), (WED, 1.0)])
    assert bar_market.rows(
        "select from_date, to_date, sessions from eod_gaps where symbol = 'GP2'"
    ) == [(TUE, TUE, 1)]


def test_returns_leave_out_bars_of_no_session_and_mark_gaps(bar_market):
    saturday = date(2024, 6, 15)
    bar_market.bars("RET", [(MON, 1.0), (TUE, 2.0), (THU, 4.0), (saturday, 9.0), (NEXT_MON, 2.0)])
    assert bar_market.rows(
        "select date, simple_return, sessions_spanned, quality from returns where symbol = 'RET' order by date"
    ) == [
        (MON, None, None, "ok"),
        (TUE, 1.0, 1, "ok"),
        (THU, 1.0, 2, "gap"),
        (NEXT_MON, -0.5, 2, "gap"),
    ]


def test_the_newest_bar_and_its_change(bar_market):
    bar_market.bars("LST", [(MON, 10.0), (TUE, 11.0)])
    bar_market.bars("ONE", [(MON, 10.0)])
    bar_market.rebuild("derived.adjustment_factors", "derived.latest_bars")
    assert bar_market.rows(
        "select symbol, date, last, round(change, 12) from derived.latest_bars where symbol in ('LST', 'ONE') order by 1"
    ) == [("LST", TUE, 11.0, 0.1), ("ONE", MON, 10.0, None)]


def test_beta_is_of_the_last_sessions_both_have_and_of_twenty_at_least(bar_market):
    days = [day for (day,) in bar_market.rows(
        "select date from derived.calendar where market = 'XNYS' and is_trading_day and date >= '2023-01-03' order by date limit 30"
    )]  # fmt: skip
    steps = [0.01 * math.sin(n * n) for n in range(len(days))]
    for symbol, slope in (("IDX", 1.0), ("BET", 2.0)):
        closes, level = [], 0.0
        for n, step in enumerate(steps):
            # The first nine steps are another's: they lie beyond the lookback of 20.
            level += step * (slope if n > 9 else 1.0)
            closes.append(math.exp(level))
        bar_market.bars(symbol, list(zip(days, closes, strict=True)))
    bar_market.rebuild("derived.suspected_splits", "derived.adjustment_factors")
    ask = "select beta('bet', 'idx', ?)"
    assert bar_market.rows(ask, 20)[0][0] == pytest.approx(2.0, rel=1e-9)
    assert bar_market.rows(ask, 19) == [(None,)]
    assert 1.0 < bar_market.rows(ask, 29)[0][0] < 1.999
    assert bar_market.rows("select beta('BET', 'NONE', 252)") == [(None,)]


def test_bars_as_of_an_instant_are_those_known_then_and_not_yet_replaced(bar_market):
    early, late = datetime(2024, 6, 12, 20), datetime(2024, 6, 14, 12)
    bar_market.bars("ASF", [(WED, 1.0)], replaced_at=late, is_current=False)
    bar_market.con.execute(
        "update raw.metastock_bars set known_at = ? where symbol = 'ASF'", [early]
    )
    bar_market.insert(
        "metastock_bars", symbol="ASF", date=WED, close=2.0, per="D", source="metastock", unit_id=1,
    )  # fmt: skip
    bar_market.con.execute(
        "update raw.metastock_bars set known_at = ? where symbol = 'ASF' and is_current", [late]
    )

    def close(instant):
        return bar_market.rows(f"select close from eod_asof(timestamp '{instant}', 'asf')")

    assert close("2024-06-12 19:59:59") == []
    assert close("2024-06-12 20:00:00") == [(1.0,)]
    assert close("2024-06-14 11:59:59") == [(1.0,)]
    assert close("2024-06-14 12:00:00") == [(2.0,)]
