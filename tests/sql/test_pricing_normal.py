# SPDX-License-Identifier: Apache-2.0
"""The normal distribution beside mpmath, in both tails."""

from __future__ import annotations

import math

import mpmath
import pytest

SMALLEST = 2.2250738585072014e-308
"""The smallest double of full precision."""


def grid():
    """-38 to 38 in sixteenths, with points between them, and near zero."""
    steps = [n / 16 for n in range(-608, 609)]
    return steps + [x + 0.037 for x in steps[:-1]] + [s * 10.0**-e for e in range(1, 17) for s in (-1, 1)]  # fmt: skip


@pytest.mark.parametrize(("name", "truth"), [("norm_cdf", mpmath.ncdf), ("norm_pdf", mpmath.npdf)])
def test_both_tails_are_of_full_relative_accuracy(pricing_database, name, truth):
    points = grid()
    found = pricing_database.execute(
        f"select {name}(p.x) from (select unnest(?) as x) as p", [points]
    ).fetchall()
    with mpmath.workdps(40):
        worst = max(
            abs(mpmath.mpf(row[0]) - truth(x)) / max(truth(x), SMALLEST)
            for x, row in zip(points, found, strict=True)
        )
    assert worst < 2e-15


def test_the_left_tail_is_not_the_rest_to_one(value):
    """Phi(-10) is 7.619853024160527e-24 (Abramowitz and Stegun 26.2, to 16 digits)."""
    assert value("norm_cdf(-10)") == pytest.approx(7.619853024160527e-24, rel=1e-15, abs=0)


def test_the_centre_and_the_ends_are_exact(value):
    found = value("norm_cdf(0), norm_cdf('inf'::double), norm_cdf('-inf'::double), norm_cdf(1e300)")
    assert found == (0.5, 1.0, 0.0, 1.0)
    found = value("norm_pdf(0), norm_pdf('inf'::double), norm_pdf('-inf'::double)")
    assert found == (1 / math.sqrt(2 * math.pi), 0.0, 0.0)


@pytest.mark.parametrize("name", ["norm_cdf", "norm_pdf"])
def test_null_and_not_a_number_give_null(value, name):
    assert value(f"{name}(null), {name}('nan'::double)") == (None, None)


def test_any_number_will_do(value):
    found = value("norm_cdf(1), norm_cdf(1::tinyint), norm_cdf(1.00), norm_cdf('1')")
    assert found == (pytest.approx(0.8413447460685429, rel=1e-15),) * 4
