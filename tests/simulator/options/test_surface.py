# SPDX-License-Identifier: Apache-2.0
"""No arbitrage in the surface: the conditions themselves, and the prices they promise."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.simulator.derivatives.book import Terms, value_option
from ttapi.simulator.derivatives.surface import RATE, Surface
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2026, 11, 20, 17, 3, 20, tzinfo=UTC)


@st.composite
def surfaces(draw):
    rho = draw(st.floats(-0.9, 0.9))
    return Surface(
        spot=100.0,
        dividend_yield=draw(st.floats(0, 0.05)),
        short_variance=draw(st.floats(0.003, 1.5)),
        long_variance=draw(st.floats(0.003, 1.0)),
        rho=rho,
        eta=draw(st.floats(0.1, 1.0)) * 2 / (1 + abs(rho)),
        reports=tuple(draw(st.lists(st.floats(0, 1), max_size=4))),
    )


def density_sign(surface, k, years):
    """Durrleman's function g: a butterfly's price has its sign (Gatheral and Jacquier, 2.1)."""
    h = 1e-4
    low, w, high = (surface.total_variance(k + d, years) for d in (-h, 0.0, h))
    first, second = (high - low) / (2 * h), (high - 2 * w + low) / (h * h)
    return (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 1 / 4) + second / 2


@given(surfaces(), st.floats(-1.5, 1.5), st.floats(0.003, 3))
def test_no_butterfly_is_cheaper_than_nothing(surface, k, years):
    deviation = math.sqrt(surface.atm_variance(years))
    assert density_sign(surface, k * min(1.0, 4 * deviation), years) > -1e-3


@given(surfaces(), st.floats(-2, 2), st.floats(0.003, 3), st.floats(0.0, 1))
def test_total_variance_never_falls_with_time(surface, k, years, later):
    assert surface.total_variance(k, years + later) >= surface.total_variance(k, years) - 1e-12


def test_a_surface_that_would_let_butterflies_be_arbitraged_is_refused():
    with pytest.raises(ValueError, match="butterflies"):
        Surface(100, 0, 0.04, 0.04, rho=-0.7, eta=1.3)


@pytest.mark.parametrize("symbol", ["SPX", "SPY", "VIX", "AAPL", "BRK/B", "F"])
def test_listed_prices_hold_no_arbitrage(symbol):
    """Calls fall and are convex in the strike, at every listed expiration."""
    market = VendorMarket(7, NOW)
    surface = market.surface(symbol)
    for root in market.chain(symbol):
        for expiration in root.expirations[::4]:
            years = max((expiration.date - NOW.date()).days, 1) / 365
            strikes = [float(strike) for strike in expiration.strikes]
            calls = [
                value_option(
                    Terms(
                        "C",
                        surface.spot,
                        k,
                        years,
                        RATE,
                        surface.dividend_yield,
                        surface.volatility(k, years),
                    )
                ).price
                for k in strikes
            ]
            slopes = [
                (b - a) / (y - x)
                for (x, y), (a, b) in zip(pairwise(strikes), pairwise(calls), strict=True)
            ]
            assert all(-1 <= slope <= 1e-9 for slope in slopes)
            assert all(left <= right + 1e-7 for left, right in pairwise(slopes))
