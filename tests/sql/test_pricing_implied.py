# SPDX-License-Identifier: Apache-2.0
"""Implied volatility: found again from prices, and the reason where there is none."""

from __future__ import annotations

import itertools
import math

import pytest
from pricing_tables import ask_each

SEVEN = "(?, ?, ?, ?, ?, ?, ?)"
CALL = {"spot": 100, "strike": 105, "years": 0.25, "rate": 0.05, "yield": 0.02, "price": 3.24, "type": "C"}  # fmt: skip
REASONS = [
    ({"type": None}, "no option type"), ({"type": "X"}, "no option type"), ({"type": "c"}, "no option type"),
    ({"spot": None}, "no spot"), ({"spot": 0}, "no spot"), ({"spot": -5}, "no spot"), ({"spot": float("nan")}, "no spot"),
    ({"spot": float("inf")}, "no spot"),
    ({"strike": None}, "no strike"), ({"strike": 0}, "no strike"), ({"strike": -1}, "no strike"),
    ({"strike": float("inf")}, "no strike"),
    ({"years": None}, "no expiration"), ({"years": float("nan")}, "no expiration"), ({"years": float("inf")}, "no expiration"),
    ({"years": 0}, "expired"), ({"years": -0.1}, "expired"),
    ({"rate": None}, "no rate"), ({"rate": float("nan")}, "no rate"), ({"yield": None}, "no rate"),
    ({"yield": float("-inf")}, "no rate"), ({"rate": 1e6}, "no rate"), ({"yield": 1e6}, "no rate"), ({"rate": -1e6}, "no rate"),
    ({"price": None}, "no price"), ({"price": 0}, "no price"), ({"price": -1}, "no price"), ({"price": float("nan")}, "no price"),
    ({"price": float("inf")}, "no price"),
    ({"strike": 80}, "below intrinsic"), ({"type": "P", "price": 4}, "below intrinsic"),
    # To the last digit the discounted intrinsic value: 100 exp(-0.005) - 80 exp(-0.0125).
    ({"strike": 80, "price": 20.495016987962725}, "below intrinsic"),
    ({"price": 99.6}, "above upper bound"), ({"price": 1e300}, "above upper bound"),
    ({"type": "P", "price": 104}, "above upper bound"),
    ({"strike": 1000}, None), ({"strike": 1000, "price": 1e-12}, "vega too small"),
    ({"price": 99.50124791926}, "vega too small"), ({"years": 1e-300}, "vega too small"),
    ({}, None),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), REASONS)
def test_what_has_no_implied_volatility_says_why(value, change, reason):
    terms = list({**CALL, **change}.values())
    volatility, found = value(f"bsm_iv{SEVEN}, bsm_iv_reason{SEVEN}", *terms, *terms)
    assert found == reason
    assert (volatility is None) == (reason is not None)


@pytest.mark.parametrize(("change", "reason"), [r for r in REASONS if "yield" not in r[0]])
def test_black_76_gives_the_same_reasons(value, change, reason):
    terms = {**CALL, **change}
    del terms["yield"]
    if terms["price"] == 20.495016987962725 or terms["price"] == 99.50124791926:
        return  # bounds of the spot's yield
    if terms["price"] == 99.6:
        terms["price"] = 98.8
    six = "(?, ?, ?, ?, ?, ?)"
    found = value(f"black76_iv{six}, black76_iv_reason{six}", *terms.values(), *terms.values())
    assert found[1] == reason
    assert (found[0] is None) == (reason is not None)


def test_strange_numbers_in_any_place_never_fail(pricing_database):
    """Every pair of strange numbers in every pair of places: an answer or a reason, never an error."""
    strange = [0.0, -0.0, 5e-324, 1e-300, 1e-12, 1.0, 1e12, 1e300, 1.7e308, -1.0, -1e300, float("inf"), float("-inf"), float("nan"), None]  # fmt: skip
    usual = list(CALL.values())
    rows = []
    for (i, j), side in itertools.product(itertools.combinations(range(6), 2), "CP"):
        for x, y in itertools.product(strange, strange):
            row = [*usual[:6], side]
            row[i], row[j] = x, y
            rows.append(row)
    answers = ask_each(
        pricing_database,
        "bsm_implied{}.volatility, bsm_implied{}.reason, bsm_implied{}.greeks, bsm_greeks{}",
        rows,
    )
    for row, (volatility, reason, at_it, priced) in zip(rows, answers, strict=True):
        assert (volatility is None) == (reason is not None), row
        assert (volatility is None) == (at_it["delta"] is None) == (at_it["price"] is None), row
        assert volatility is None or 0 < volatility < float("inf"), row
        greeks = list((priced or {}).values())
        assert all(g is None or math.isfinite(g) for g in greeks[:2]), row
        assert not any(math.isnan(g) for g in greeks if g is not None), (row, greeks)


def test_an_argument_may_be_any_expression(value):
    inner = "bsm_iv(100, 105, 0.25, 0.05, 0.02, 3.24, 'C')"
    nested = value(f"bsm_price(100, 105, 0.25, 0.05, 0.02, {inner}, 'C')")
    assert nested == pytest.approx(3.24, rel=1e-14)
    aggregated = value("bsm_iv(avg(x), max(x) + 5, 0.25, 0.05, 0.02, 3.24, 'C') from (select 100 as x)")  # fmt: skip
    assert aggregated == value(inner)


def test_rows_where_it_is_asked_in_a_condition(value):
    assert value(
        "count(*) from range(80, 121) as r(k) where bsm_iv(100, r.k, 0.25, 0.05, 0.02, 10, 'C') > 0.4"
    ) == value("count(*) from range(80, 121) as r(k) where bsm_price(100, r.k, 0.25, 0.05, 0.02, 0.4, 'C') < 10 and r.k > 90")  # fmt: skip


def test_the_greeks_beside_an_implied_volatility_are_those_at_it(value):
    found = value("bsm_implied(100, 105, 0.25, 0.05, 0.02, 7.4, 'P')")
    again = value("bsm_greeks(100, 105, 0.25, 0.05, 0.02, ?, 'P')", found["volatility"])
    assert found["reason"] is None
    assert found["greeks"] == pytest.approx(again, rel=1e-12)


def test_strikes_next_to_the_forward_and_far_from_it_are_solved(pricing_database):
    """Strikes off by 1e-10 to a factor of 20, deviations of 1e-5 to 5 and
    next to where the solver changes its target: as exact as the price's last digits allow."""
    distances = [sign * 10 ** (n / 4) for n in range(-40, 3) for sign in (-1, 1)]
    deviations = [10 ** (n / 8) for n in range(-40, 6)]
    turns = [1 + sign * 10.0**-n for n in range(1, 9) for sign in (-1, 1)]
    made = [
        (100, 100 * math.exp(a), 1, 0, 0, s, side)
        for a in distances
        for s in [*deviations, *(turn * math.sqrt(2 * abs(a)) for turn in turns)]
        for side in "CP"
    ]
    priced = ask_each(pricing_database, "bsm_price{}, bsm_vega_raw{}", made)
    terms = [(*m[:5], price, m[6]) for m, (price, _) in zip(made, priced, strict=True)]
    found = ask_each(pricing_database, "bsm_iv{}", terms)
    compared = 0
    for m, (price, vega), (volatility,) in zip(made, priced, found, strict=True):
        rounding = 1e-15 * (m[0] + m[1] + price)
        if vega > 1e-6 and vega > 1e4 * rounding:
            compared += 1
            assert volatility == pytest.approx(m[5], abs=8 * rounding / vega + 1e-15 * m[5]), m
    assert compared > 3000
