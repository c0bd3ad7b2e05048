# SPDX-License-Identifier: Apache-2.0
"""Black's formula against published values and against itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.simulator.derivatives.book import Terms, normal_cdf, value_option

# Hull, Options, Futures and Other Derivatives; Haug, Option Pricing Formulas; computed to 12 digits
# with mpmath.
PUBLISHED = [
    (Terms("C", 42, 40, 0.5, 0.1, 0, 0.2), 4.75942239287),
    (Terms("P", 42, 40, 0.5, 0.1, 0, 0.2), 0.8085993729),
    (Terms("C", 60, 65, 0.25, 0.08, 0, 0.3), 2.13336844492),
    (Terms("P", 100, 95, 0.5, 0.1, 0.05, 0.2), 2.46478764676),
]
HYPOTHETICAL = Terms("C", 100, 105, 0.25, 0.05, 0.02, 0.25)


@pytest.mark.parametrize(("terms", "price"), PUBLISHED)
def test_prices_are_the_published_ones(terms, price):
    assert value_option(terms).price == pytest.approx(price, rel=1e-10)


def test_greeks_are_the_published_ones():
    """S100 K105 T.25 r.05 q.02 v.25; theta a year, vega and rho per 1.00, divided here."""
    call, put = (value_option(replace(HYPOTHETICAL, option_type=kind)) for kind in "CP")
    found = [
        (v.price, v.delta, v.gamma, v.theta * 365, v.vega * 100, v.rho * 100) for v in (call, put)
    ]
    expected = [
        (
            3.23932172091,
            0.392451261945,
            0.0306374762459,
            -10.5895990266,
            19.1484226537,
            9.00145111841,
        ),
        (
            7.43374285349,
            -0.602561217247,
            0.0306374762459,
            -7.39484053242,
            19.1484226537,
            -16.9224661446,
        ),
    ]
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-10)


def test_the_left_tail_is_not_the_rest_to_one():
    """Phi(-10) is 7.619853024160527e-24 (Abramowitz and Stegun 26.2, to 16 digits)."""
    assert normal_cdf(-10) == pytest.approx(7.619853024160527e-24, rel=1e-12, abs=0)


@given(
    strike=st.floats(20, 500),
    years=st.floats(0.003, 3),
    volatility=st.floats(0.05, 1.5),
    dividend_yield=st.floats(0, 0.06),
)
def test_put_and_call_differ_by_the_forward(strike, years, volatility, dividend_yield):
    call = Terms("C", 100, strike, years, 0.04, dividend_yield, volatility)
    put = replace(call, option_type="P")
    parity = 100 * math.exp(-dividend_yield * years) - strike * math.exp(-0.04 * years)
    difference = value_option(call).price - value_option(put).price
    assert difference == pytest.approx(parity, abs=1e-9)
