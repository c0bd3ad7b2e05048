# SPDX-License-Identifier: Apache-2.0
"""Every volatility estimator beside 40 digits, where running sums and windows lose theirs."""

from __future__ import annotations

import itertools
import math
import random

import mpmath
import pytest

from ttapi.market.calendar import sessions

NAMES = (
    "close_to_close", "parkinson", "garman_klass", "garman_klass_yang_zhang", "rogers_satchell",
    "yang_zhang", "ewma",
)  # fmt: skip
LOOKBACKS = (5, 20, 252)
DAYS = [d for d in sessions("XNYS").dates if sessions("XNYS").is_session(d) and d.year <= 2023]
SIXTY_YEARS = 15_100
JUMP = 300
"""The bar at which SPL falls to a thousandth and HLT moves for the last time."""


def walk(seed, count, daily, *, jump=1.0):
    """Bars of `count` sessions that move by `daily`, all prices times `jump` from bar JUMP on."""
    rng, close, bars = random.Random(seed), 80.0, []
    for n, day in enumerate(DAYS[-count:]):
        first = close * math.exp(rng.gauss(0, daily / 3)) * (jump if n == JUMP else 1)
        close = first * math.exp(rng.gauss(0, daily))
        # Kept within six decades, however long the walk.
        close *= 1.0 if 1e-3 < close < 1e3 else math.exp(-0.1 * math.log(close))
        high = max(first, close) * math.exp(abs(rng.gauss(0, daily)))
        low = min(first, close) * math.exp(-abs(rng.gauss(0, daily)))
        bars.append((day, first, high, low, close))
    return bars


def halted():
    """Bars that move up to JUMP, and stand still from there."""
    bars = walk(4, 700, 0.02)
    (_, *_, close) = bars[JUMP]
    return bars[: JUMP + 1] + [(day, *[close] * 4) for day, *_ in bars[JUMP + 1 :]]


SERIES = {
    "OLD": walk(1, SIXTY_YEARS, 0.012),
    "SPL": walk(2, 700, 0.001, jump=0.001),
    "CLM": walk(3, 700, 1e-4),
    "HLT": halted(),
    "GRW": [(d, *[50.0 * 1.001**n] * 4) for n, d in enumerate(DAYS[-700:])],
}


@pytest.fixture(scope="module")
def market(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("accuracy"))
    for symbol, bars in SERIES.items():
        lab.write_bars(f"{symbol}.csv", bars)
    absurd = [1e-300 if n % 40 == 20 else 1e300 for n in range(400)]
    lab.write_bars("ABS.csv", [(d, p, p, p, p) for d, p in zip(DAYS[-400:], absurd, strict=True)])
    lab.refresh("raw.metastock_bars")
    return lab


def exact(bars):
    """The seven estimators over bars[1:], bars[0] being the one before, by their definitions."""
    n, ln = len(bars) - 1, lambda a, b: mpmath.log(mpmath.mpf(a) / mpmath.mpf(b))
    closes = [bar[4] for bar in bars]
    returns = [ln(b, a) for a, b in itertools.pairwise(closes)]
    nights = [ln(bar[1], before) for before, bar in zip(closes, bars[1:], strict=False)]
    ups, downs, days = ([ln(bar[k], bar[1]) for bar in bars[1:]] for k in (2, 3, 4))
    range_squares = [ln(bar[2], bar[3]) ** 2 for bar in bars[1:]]
    garman = [
        s / 2 - (2 * mpmath.log(2) - 1) * c**2 for s, c in zip(range_squares, days, strict=True)
    ]
    rogers = [u * (u - c) + d * (d - c) for u, d, c in zip(ups, downs, days, strict=True)]
    weight = mpmath.mpf(34) / 100 / (mpmath.mpf(134) / 100 + mpmath.mpf(n + 1) / (n - 1))
    mean_rogers = mpmath.fsum(rogers) / n
    forecast = returns[0] ** 2
    for one in returns:
        forecast = mpmath.mpf(94) / 100 * forecast + mpmath.mpf(6) / 100 * one**2
    variances = (
        variance(returns),
        mpmath.fsum(range_squares) / (4 * n * mpmath.log(2)),
        mpmath.fsum(garman) / n,
        mpmath.fsum(g + o**2 for g, o in zip(garman, nights, strict=True)) / n,
        mean_rogers,
        variance(nights) + weight * variance(days) + (1 - weight) * mean_rogers,
        forecast,
    )
    return tuple(float(mpmath.sqrt(252 * v)) if v >= 0 else None for v in variances)


def variance(values):
    mean = mpmath.fsum(values) / len(values)
    return mpmath.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)


def places(symbol):
    """Bars to look at: around the jump, where weights start again, the last."""
    count = len(SERIES[symbol])
    wanted = {JUMP - 1, JUMP, JUMP + 5, JUMP + 253, 4096, count - 1}
    return sorted(n for n in wanted if n < count)


@pytest.mark.parametrize("symbol", ["OLD", "SPL", "CLM"])
def test_every_estimator_has_11_digits(market, symbol):
    found = {
        (day, lookback): estimates
        for day, lookback, *estimates in market.rows(
            f"select date, lookback, {', '.join(NAMES)} from volatility where symbol = '{symbol}'"
            f" and lookback in {LOOKBACKS}"
        )
    }
    bars = SERIES[symbol]
    with mpmath.workdps(40):
        for n in places(symbol):
            for lookback in LOOKBACKS:
                truth = exact(bars[n - lookback : n + 1])
                answer = found[bars[n][0], lookback]
                assert answer == pytest.approx(truth, rel=1e-11), (symbol, n, lookback)


def test_volatility_is_exactly_0_once_prices_stand_still(market):
    still = SERIES["HLT"][JUMP + 252][0]
    columns = ", ".join(f"min({n}), max({n})" for n in NAMES)
    assert market.rows(
        f"select {columns}, count(*) from volatility where symbol = 'HLT' and date > '{still}'"
    ) == [(*[0.0] * 14, 10 * (700 - JUMP - 253))]


def test_steady_growth_has_no_volatility_of_its_closes(market):
    (worst,) = market.rows("select max(close_to_close) from volatility where symbol = 'GRW'")
    assert 0 <= worst[0] < 1e-13


def test_absurd_prices_take_no_answer_from_other_symbols(market):
    """1e300 beside 1e-300: their ratio is no number."""
    counts = market.rows(
        "select symbol, lookback, count(close_to_close) from volatility where lookback in (5, 252) group by all order by all"
    )
    lengths = {symbol: len(bars) for symbol, bars in SERIES.items()}
    others = [row for row in counts if row[0] != "ABS"]
    assert others == [(s, k, lengths[s] - k) for s in sorted(lengths) for k in (5, 252)]
