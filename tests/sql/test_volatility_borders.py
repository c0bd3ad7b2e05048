# SPDX-License-Identifier: Apache-2.0
"""Returns and volatility where history begins, stands still, holds a wrong bar, or lacks one."""

from __future__ import annotations

import itertools
import math
import statistics
from datetime import date

import pytest

OLD = [date(1952, 3, day) for day in (3, 4, 5, 6, 7, 10, 11, 12, 13)]
CLOSES = [100.0 * math.exp(0.02 * math.sin(1.7 * n * n)) for n in range(40)]
INVALID = 33
"""The bar of INV whose low is above its close."""
MISSING = 35
"""The session that GAP has no bar of."""


@pytest.fixture(scope="module")
def market(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("borders"))
    days = lab.rows(
        "select date from calendar where market = 'XNYS' and is_trading_day and date >= '2024-04-01' order by date limit 40"
    )
    bars = [
        (day, close * 0.999, close * 1.01, close * 0.99, close)
        for (day,), close in zip(days, CLOSES, strict=True)
    ]
    day, opened, high, _, close = bars[INVALID]
    wrong = (day, opened, high, close * 1.001, close)
    lab.write_bars("OLD.csv", [(day, 10, 12, 9, 10 + n % 2) for n, day in enumerate(OLD)])
    lab.write_bars("SND.csv", bars)
    lab.write_bars("INV.csv", [*bars[:INVALID], wrong, *bars[INVALID + 1 :]])
    lab.write_bars("GAP.csv", [bar for n, bar in enumerate(bars) if n != MISSING])
    lab.write_bars("FLT.csv", [(day, 50, 50, 50, 50) for day, *_ in bars])
    lab.write_bars("ZER.csv", [(day, 0, h, lo, c) for day, _, h, lo, c in bars])
    lab.refresh()
    return lab


def test_returns_reach_back_beyond_the_calendar(market):
    rows = market.rows(
        "select date, round(exp(log_return), 4), round(simple_return, 4), sessions_spanned, quality from returns where symbol = 'OLD' order by date"
    )
    steps = [(1.1, 0.1) if n % 2 else (0.9091, -0.0909) for n in range(1, 9)]
    assert rows == [
        (OLD[0], None, None, None, "ok"),
        *((day, *step, None, "ok") for day, step in zip(OLD[1:], steps, strict=True)),
    ]


NAMES = "close_to_close, parkinson, garman_klass, garman_klass_yang_zhang, rogers_satchell, yang_zhang, ewma"


def newest(market, symbol, lookback, relation):
    (row,) = market.rows(
        f"select quality, n_obs, n_gaps, {NAMES} from {relation}"
        f" where symbol = '{symbol}' and lookback = {lookback}"
        + (" order by date desc limit 1" if relation == "volatility" else "")
    )
    return row


@pytest.mark.parametrize("relation", ["volatility", "volatility_latest"])
@pytest.mark.parametrize(
    ("symbol", "lookback", "expected"),
    [
        ("SND", 10, ("ok", 10, 0)),
        ("INV", 5, ("ok", 5, 0)),
        ("INV", 10, ("invalid_bars", 10, 0)),
        ("GAP", 5, ("gap", 5, 1)),
        ("GAP", 30, ("gap", 30, 1)),
        ("ZER", 10, ("invalid_bars", 10, 0)),
        ("SND", 60, ("insufficient", 39, 0)),
        ("OLD", 5, ("ok", 5, 0)),
    ],
)
def test_quality_says_what_a_lookback_holds(market, relation, symbol, lookback, expected):
    """Quality, returns, gaps."""
    assert newest(market, symbol, lookback, relation)[:3] == expected


@pytest.mark.parametrize("relation", ["volatility", "volatility_latest"])
def test_a_wrong_bar_is_left_out_of_what_needs_its_range_and_of_nothing_else(market, relation):
    sound, found = (newest(market, s, 10, relation)[3:] for s in ("SND", "INV"))
    assert (found[0], found[6]) == (sound[0], sound[6])
    bars = [b for n, b in enumerate(_bars(market)) if n >= len(CLOSES) - 10 and n != INVALID]
    parkinson = [math.log(h / lo) ** 2 for _, _, h, lo, _ in bars]
    rogers = [
        math.log(h / o) * math.log(h / c) + math.log(lo / o) * math.log(lo / c)
        for _, o, h, lo, c in bars
    ]
    garman = [
        math.log(h / lo) ** 2 / 2 - (2 * math.log(2) - 1) * math.log(c / o) ** 2
        for _, o, h, lo, c in bars
    ]
    assert (found[1], found[2], found[4]) == pytest.approx(
        [
            math.sqrt(252 * statistics.fmean(parkinson) / (4 * math.log(2))),
            math.sqrt(252 * statistics.fmean(garman)),
            math.sqrt(252 * statistics.fmean(rogers)),
        ],
        rel=1e-11,
    )


def _bars(market):
    return market.rows(
        "select date, open, high, low, close from eod where symbol = 'SND' order by date"
    )


@pytest.mark.parametrize("relation", ["volatility", "volatility_latest"])
def test_prices_that_stand_still_have_a_volatility_of_0(market, relation):
    assert newest(market, "FLT", 20, relation) == ("ok", 20, 0, *[0.0] * 7)


@pytest.mark.parametrize("relation", ["volatility", "volatility_latest"])
def test_an_open_of_0_leaves_close_to_close_and_the_range(market, relation):
    sound, found = (newest(market, s, 10, relation)[3:] for s in ("SND", "ZER"))
    assert found == (sound[0], sound[1], None, None, None, None, sound[6])


def test_both_forms_of_every_estimator_agree_wherever_they_stand(market):
    alike = " and ".join(
        f"(l.{name} is not distinct from v.{name} or abs(l.{name} - v.{name}) <= 1e-12)"
        for name in (*NAMES.split(", "), "n_obs", "n_gaps")
    )
    apart = market.rows(
        "select l.symbol, l.lookback from volatility_latest as l left join volatility as v using (symbol, date, lookback)"
        f" where ({alike} and l.quality = v.quality) is distinct from true"
    )
    assert apart == []
    assert market.rows("select count(*) from volatility_latest") == [(60,)]


def test_the_cone_ranks_the_newest_among_all_that_were(market):
    returns = [math.log(b / a) for a, b in itertools.pairwise(CLOSES)]
    rolling = [statistics.stdev(returns[n - 5 : n]) * math.sqrt(252) for n in range(5, 40)]
    ranked = sorted(rolling)
    (row,) = market.rows(
        "select min, q05, q25, q50, q75, q95, max, current, current_rank, n_obs from volatility_cone where symbol = 'SND' and lookback = 5"
    )
    quantiles = [_linear(ranked, q) for q in (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)]
    rank = sum(one < rolling[-1] for one in rolling) / len(rolling)
    assert row == pytest.approx((*quantiles, rolling[-1], rank, 35), rel=1e-9)
    assert 0 < rank < 1


def _linear(ranked, quantile):
    place = quantile * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)


def test_of_equal_volatilities_none_lies_below_another(market):
    assert market.rows(
        "select min, max, current, current_rank, n_obs from volatility_cone where symbol = 'FLT' and lookback = 30"
    ) == [(0.0, 0.0, 0.0, 0.0, 10)]
    assert market.rows("select count(*) from volatility_cone where lookback = 60") == [(0,)]
