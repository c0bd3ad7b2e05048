# SPDX-License-Identifier: Apache-2.0
"""Option prices and Greeks as published, and where formulas have no answer."""

from __future__ import annotations

import math

import pytest

# Hull, Options, Futures and Other Derivatives; Haug, The Complete Guide to Option Pricing Formulas;
# Garman and Kohlhagen (1983). Computed again to 12 digits with mpmath.
BSM = [
    ((42, 40, 0.5, 0.1, 0, 0.2, "C"), 4.75942239287),
    ((42, 40, 0.5, 0.1, 0, 0.2, "P"), 0.8085993729),
    ((60, 65, 0.25, 0.08, 0, 0.3, "C"), 2.13336844492),
    ((100, 95, 0.5, 0.1, 0.05, 0.2, "P"), 2.46478764676),
    ((1.56, 1.6, 0.5, 0.06, 0.08, 0.12, "C"), 0.0290992531494),
]
# Spot 100, strike 105, a quarter of a year, rate 5 %, dividend yield 2 %, volatility 25 %; mpmath.
UNSCALED = {
    "bsm_price": (3.23932172091, 7.43374285349),
    "bsm_delta": (0.392451261945, -0.602561217247),
    "bsm_gamma": (0.0306374762459, 0.0306374762459),
    "bsm_vega_raw": (19.1484226537, 19.1484226537),
    "bsm_theta_raw": (-10.5895990266, -7.39484053242),
    "bsm_rho_raw": (9.00145111841, -16.9224661446),
    "bsm_vanna_raw": (0.60175268284, 0.60175268284),
    "bsm_vomma_raw": (8.05810969167, 8.05810969167),
    "bsm_charm_raw": (-0.384939744919, -0.404839994503),
}
SCALES = {"vega": 100, "theta": 365, "rho": 100, "vanna": 100, "vomma": 10_000, "charm": 365}
SEVEN = "(?, ?, ?, ?, ?, ?, ?)"


@pytest.mark.parametrize(("terms", "price"), BSM)
def test_prices_are_the_published_ones(value, terms, price):
    assert value(f"bsm_price{SEVEN}", *terms) == pytest.approx(price, abs=1e-10)


def test_black_76_prices_the_published_option_on_a_future(value):
    assert value("black76_price(19, 19, 0.75, 0.1, 0.28, 'C')") == pytest.approx(
        1.70105072524, abs=1e-10
    )


@pytest.mark.parametrize("name", UNSCALED)
def test_greeks_are_the_published_ones(value, name):
    found = [value(f"{name}(100, 105, 0.25, 0.05, 0.02, 0.25, ?)", side) for side in "CP"]
    assert found == pytest.approx(list(UNSCALED[name]), rel=1e-11)


@pytest.mark.parametrize("name", SCALES)
def test_greeks_without_raw_are_per_point_and_day(value, name):
    raw, scaled = value(
        f"bsm_{name}_raw(100, 105, 0.25, 0.05, 0.02, 0.25, 'P'),"
        f" bsm_{name}(100, 105, 0.25, 0.05, 0.02, 0.25, 'P')"
    )
    assert scaled == pytest.approx(raw / SCALES[name], rel=1e-14)


def test_all_greeks_in_one_value_are_those_of_the_macros(value):
    terms = "(100, 105, 0.25, 0.05, 0.02, 0.25, 'P')"
    together = value(f"bsm_greeks{terms}")
    assert together == {name: value(f"bsm_{name}{terms}") for name in together}


def test_black_76_greeks_are_slopes_of_its_price(value):
    """Central differences; the forward stays when a day passes."""

    def price(forward=50.0, years=0.4, volatility=0.3):
        return value("black76_price(?, 55, ?, 0.04, ?, 'P')", forward, years, volatility)

    h = 1e-3
    slopes = {
        "delta": (price(50 + h) - price(50 - h)) / (2 * h),
        "gamma": (price(50 + h) - 2 * price() + price(50 - h)) / h**2,
        "vega": (price(volatility=0.3 + h) - price(volatility=0.3 - h)) / (2 * h) / 100,
        "theta": -(price(years=0.4 + h) - price(years=0.4 - h)) / (2 * h) / 365,
    }
    found = {n: value(f"black76_{n}(50, 55, 0.4, 0.04, 0.3, 'P')") for n in slopes}
    assert found == pytest.approx(slopes, rel=1e-4)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # Zero volatility: the discounted intrinsic value on the forward.
        ("(100, 90, 1, 0.05, 0.02, 0, 'C')", (100 * math.exp(-0.02) - 90 * math.exp(-0.05), math.exp(-0.02), 0, 0)),
        ("(100, 90, 1, 0.05, 0.02, 0, 'P')", (0, 0, 0, 0)),
        # Zero years.
        ("(100, 110, 0, 0.05, 0.02, 0.3, 'P')", (10, -1, 0, 0)),
        ("(100, 110, 0, 0.05, 0.02, 0.3, 'C')", (0, 0, 0, 0)),
        # At the money with nothing left: gamma is not defined.
        ("(100, 100, 0, 0.05, 0.02, 0.3, 'C')", (0, 0.5, None, 0)),
        # An infinite deviation: the call is the spot.
        ("(100, 100, 1, 0, 0, 1e6, 'C')", (100, 1, 0, 0)),
    ],
)  # fmt: skip
def test_limits_have_sensible_greeks(value, terms, expected):
    found = value(f"bsm_greeks{terms}")
    wanted = [None if e is None else pytest.approx(e, rel=1e-14, abs=1e-300) for e in expected]
    assert [found[n] for n in ("price", "delta", "gamma", "vega")] == wanted


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("bad", [None, "nan", "inf", "-inf"])
def test_an_input_out_of_range_prices_nothing(value, place, bad):
    terms = [100, 105, 0.25, 0.05, 0.02, 0.25, "C"]
    terms[place] = bad if bad is None or place == 6 else float(bad)
    assert value(f"bsm_greeks{SEVEN}", *terms) is None
    assert value(f"bsm_price{SEVEN}", *terms) is None


@pytest.mark.parametrize(
    "terms",
    [
        "(0, 105, 0.25, 0.05, 0.02, 0.25, 'C')", "(-1, 105, 0.25, 0.05, 0.02, 0.25, 'C')",
        "(100, 0, 0.25, 0.05, 0.02, 0.25, 'C')", "(100, 105, -0.25, 0.05, 0.02, 0.25, 'C')",
        "(100, 105, 0.25, 0.05, 0.02, -0.25, 'C')", "(100, 105, 0.25, 0.05, 0.02, 0.25, 'c')",
        "(100, 105, 0.25, 0.05, 0.02, 0.25, '')", "(100, 105, 0.25, 0.05, 0.02, 0.25, 'call')",
        "(100, 105, 1e4, 1e4, 0.02, 0.25, 'C')", "(1e308, 1e-308, 1, 0, 0, 0.2, 'C')",
    ],
)  # fmt: skip
def test_terms_out_of_range_price_nothing(value, terms):
    assert value(f"bsm_greeks{terms}") is None
