# SPDX-License-Identifier: Apache-2.0
"""The reference set D11: eleven sessions whose numbers were computed with 50 digits."""

from __future__ import annotations

import itertools
import math
from datetime import date

import pytest

D11 = [
    (date(2024, 1, 2), 100.00, 102.10, 99.40, 101.50),
    (date(2024, 1, 3), 101.20, 101.90, 98.70, 99.10),
    (date(2024, 1, 4), 99.60, 100.80, 98.95, 100.40),
    (date(2024, 1, 5), 100.10, 103.25, 100.05, 102.90),
    (date(2024, 1, 8), 103.40, 104.00, 101.85, 102.20),
    (date(2024, 1, 9), 101.75, 102.60, 100.10, 100.55),
    (date(2024, 1, 10), 100.55, 101.30, 99.80, 101.30),
    (date(2024, 1, 11), 101.90, 105.10, 101.60, 104.75),
    (date(2024, 1, 12), 104.20, 104.90, 102.30, 103.05),
    (date(2024, 1, 16), 102.40, 103.15, 100.95, 101.10),
    (date(2024, 1, 17), 101.35, 101.35, 98.20, 98.60),
]
LAST_ROW = {
    "n_obs": 10,
    "n_gaps": 0,
    "close_to_close": 0.335138352463,
    "parkinson": 0.249673421115,
    "garman_klass": 0.230887272963,
    "garman_klass_yang_zhang": 0.241280850871,
    "rogers_satchell": 0.213205616379,
    "yang_zhang": 0.239245349379,
    "ewma": 0.355789079074,
}
HORIZONS = {
    # h: n, ddof 1, ddof 0, last, bracket-corrected
    2: (9, 0.0308782462357, 0.0291122897392, -0.0441430457279, 0.0327513260),
    5: (6, 0.0234922953194, 0.0214454334567, -0.0195838546101, 0.0343891992),
}


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("DEL.csv", D11)
    lab.refresh()
    return lab


@pytest.fixture
def d11(once_made, tmp_path):
    return once_made.copied(tmp_path)


def test_volatility_over_gives_every_estimator_of_d11(d11):
    names = ", ".join(LAST_ROW)
    (row,) = d11.rows(f"select {names} from volatility_over('DEL', 10) where date = '2024-01-17'")
    assert row == pytest.approx(tuple(LAST_ROW.values()), rel=1e-11)


def test_volatility_view_and_latest_agree_with_the_macro(d11):
    names = ", ".join(LAST_ROW)
    (latest,) = d11.rows(
        f"select {names} from volatility_latest where symbol = 'DEL' and lookback = 10"
    )
    (view,) = d11.rows(
        f"select {names} from volatility where symbol = 'DEL' and lookback = 10 and date = '2024-01-17'"
    )
    assert latest == pytest.approx(tuple(LAST_ROW.values()), rel=1e-11)
    assert view == pytest.approx(tuple(LAST_ROW.values()), rel=1e-11)


def test_volatility_is_null_until_the_lookback_is_full(d11):
    rows = d11.rows(
        "select n_obs, close_to_close, quality from volatility where lookback = 10 order by date"
    )
    assert [r for r in rows if r[0] < 10] == [(n, None, "insufficient") for n in range(10)]
    assert rows[-1][2] == "ok"


def test_summary_of_the_seed(d11):
    d11.write_bars(
        "LONG.csv", [(d, o, h, lo, c) for d, o, h, lo, c in D11] + _more_sessions(d11, 25)
    )
    d11.refresh()
    assert d11.rows("select symbol, n_days from symbol_summary") == [("LONG", 36)]
    ((spread,),) = d11.rows("select stddev_pop(close) from eod where symbol = 'DEL'")
    assert spread == pytest.approx(1.70019444683, rel=1e-11)


def _more_sessions(lab, count):
    days = lab.rows(
        "select date from calendar where market = 'XNYS' and is_trading_day and date > '2024-01-17' order by date"
    )
    return [(day, 99.0, 100.0, 98.0, 99.5 + i % 3) for i, (day,) in enumerate(days[:count])]


@pytest.mark.parametrize("horizon", HORIZONS)
def test_horizon_returns_of_d11(d11, horizon):
    n, sd1, sd0, last, corrected = HORIZONS[horizon]
    rows = d11.rows(
        f"""
        with numbered as (select b.adj_close, c.session_no from eod_adjusted b
            join calendar c on c.market = 'XNYS' and c.date = b.date where b.symbol = 'DEL')
        select count(*), stddev_samp(r), stddev_pop(r), arg_max(r, no)
        from (select ln(e.adj_close / s.adj_close) as r, e.session_no as no
              from numbered e join numbered s on s.session_no = e.session_no - {horizon})
        """
    )
    assert rows[0][0] == n
    assert rows[0][1:] == pytest.approx((sd1, sd0, last), rel=1e-11)
    bracket = 1 - horizon / n + (horizon**2 - 1) / (3 * n**2)
    assert math.sqrt(rows[0][2] ** 2 / bracket) == pytest.approx(corrected, rel=1e-8)


def test_one_session_statistics_of_d11(d11):
    ((mean, sd1, sd0, zero_mean, simple1, simple0),) = d11.rows(
        "select avg(log_return), stddev_samp(log_return), stddev_pop(log_return), sqrt(252 * avg(log_return ** 2)),"
        " stddev_samp(simple_return) * sqrt(252), stddev_pop(simple_return) * sqrt(252)"
        " from returns where symbol = 'DEL' and log_return is not null"
    )
    assert mean == pytest.approx(-0.00289875368733, rel=1e-11)
    assert (sd1, sd0) == pytest.approx((0.0211117317956, 0.0200283473475), rel=1e-11)
    assert sd0 * math.sqrt(252) == pytest.approx(0.317940157518, rel=1e-11)
    assert (zero_mean, simple1, simple0) == pytest.approx(
        (0.321252926124, 0.336085219502, 0.318838434463), rel=1e-11
    )
    assert (math.sqrt(2) * sd1, math.sqrt(5) * sd1) == pytest.approx(
        (0.0298564974306, 0.0472072674178), rel=1e-11
    )


def test_few_returns_are_insufficient_and_give_no_statistics(d11):
    rows = d11.rows(
        "select distinct quality, stddev, low_1s, q50, mean, stddev_scaled from returns_stddev where symbol = 'DEL'"
    )
    assert rows == [("insufficient", None, None, None, None, None)]
    ((n_obs, last_close, as_of),) = d11.rows(
        "select n_obs, last_close, as_of from returns_stddev where symbol = 'DEL' and dte_trading = 2"
    )
    assert (n_obs, last_close, as_of) == (9, 98.60, date(2024, 1, 17))


def test_peers_agree_on_parkinson_garman_klass_and_ewma(d11):
    import pandas as pd
    import QuantLib as ql  # noqa: N813 - as its documentation names it

    bars = [ql.IntervalPrice(o, c, h, low) for _, o, h, low, c in D11[1:]]
    series = ql.IntervalPriceTimeSeries()
    for (day, *_), bar in zip(D11[1:], bars, strict=True):
        series[ql.Date(day.day, day.month, day.year)] = bar
    year = 1.0 / 252
    parkinson = _rms(ql.ParkinsonSigma(year).calculate(series))
    garman_klass = _rms(ql.GarmanKlassSigma5(year).calculate(series))
    returns = pd.Series([math.log(b[4] / a[4]) for a, b in itertools.pairwise(D11)])
    ewma = math.sqrt(252 * (returns**2).ewm(alpha=0.06, adjust=False).mean().iloc[-1])
    (row,) = d11.rows(
        "select parkinson, garman_klass, ewma from volatility_over('DEL', 10) where date = '2024-01-17'"
    )
    assert row == pytest.approx((parkinson, garman_klass, ewma), rel=1e-11)


def _rms(series):
    values = [series[day] for day in series.dates()]
    return math.sqrt(sum(v * v for v in values) / len(values))
