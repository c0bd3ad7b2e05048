# SPDX-License-Identifier: Apache-2.0
"""Was the market right: coverage, histogram, score and interval of outcomes that were drawn."""

from __future__ import annotations

import random
from datetime import date, timedelta
from math import pi, sqrt
from statistics import NormalDist, mean, stdev

import pytest
from option_market import whole_database

SIGMA = 0.1
NORMAL = NormalDist()


@pytest.fixture(scope="module")
def cells():
    """Rows of move_calibration by underlying: RIGHT of 400 outcomes as implied, CALM of half the moves, FEW of nine."""
    con, _ = whole_database()
    drawn = random.Random(5)
    outcomes = {
        "RIGHT": [drawn.gauss() for _ in range(400)],
        "CALM": [drawn.gauss() / 2 for _ in range(400)],
        "FEW": [drawn.gauss() for _ in range(9)],
    }
    rows = [
        f"('{symbol}', date '{date(2020, 1, 1) + timedelta(days=day)}', {z}, {NORMAL.cdf(z)})"
        for symbol, values in outcomes.items()
        for day, z in enumerate(values)
    ]
    con.execute(
        f"""
        create or replace view main.move_outcomes as
        select v.underlying, v.date, v.underlying as root, v.date + 30 as expiration_date, 'PM' as settlement,
            30 as dte_calendar, '22-45' as dte_bucket, 'none' as event_class, 0.35 as implied_volatility,
            {SIGMA}::double as sigma, v.z * {SIGMA} - {SIGMA} * {SIGMA} / 2 as log_move, v.z::double as z, v.pit::double as pit
        from (values {", ".join(rows)}) as v (underlying, date, z, pit)
        """
    )
    cursor = con.execute("select * from move_calibration")
    names = [column[0] for column in cursor.description]
    found = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    con.close()
    return found, outcomes


def test_coverage_histogram_and_score_are_those_of_the_outcomes(cells):
    found, outcomes = cells
    for symbol, values in outcomes.items():
        cell = found[symbol]
        assert cell["n_obs"] == len(values)
        assert cell["coverage_1s"] == pytest.approx(mean(abs(z) <= 1 for z in values))
        assert cell["coverage_2s"] == pytest.approx(mean(abs(z) <= 2 for z in values))
        assert cell["stddev_z"] == pytest.approx(stdev(values))
        tenths = [min(9, int(NORMAL.cdf(z) * 10)) for z in values]
        assert cell["pit_histogram"] == [tenths.count(n) for n in range(10)]
        score = mean(
            SIGMA * (z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - 1 / sqrt(pi)) for z in values
        )
        assert cell["crps"] == pytest.approx(score)
        assert cell["premium"] == pytest.approx(mean(SIGMA**2 * (1 - z * z) for z in values))


def test_the_interval_holds_nought_where_the_market_was_right_and_not_where_too_much_was_paid(
    cells,
):
    found, _ = cells
    right, calm = found["RIGHT"], found["CALM"]
    assert right["premium_q05"] < 0 < right["premium_q95"]
    assert 0 < calm["premium_q05"] < calm["premium"] < calm["premium_q95"]
    # Of independent outcomes the blocks' interval is about that of the mean.
    values = [SIGMA**2 * (1 - z * z) for z in cells[1]["CALM"]]
    width = 2 * 1.645 * stdev(values) / sqrt(len(values))
    assert calm["premium_q95"] - calm["premium_q05"] == pytest.approx(width, rel=0.4)
    assert {name: cell["quality"] for name, cell in found.items()} == {
        "RIGHT": "ok",
        "CALM": "ok",
        "FEW": "insufficient",
    }


def test_few_outcomes_have_no_interval(cells):
    few = cells[0]["FEW"]
    assert (few["premium_q05"], few["premium_q95"]) == (None, None)
