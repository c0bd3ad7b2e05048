# SPDX-License-Identifier: Apache-2.0
"""What holds of every option price: parity, monotony, and the way back from price to volatility."""

from __future__ import annotations

import math

import pytest
from draws import draws
from hypothesis import given, settings
from hypothesis import strategies as st
from pricing_tables import ask_each

CONTRACTS = st.lists(
    st.tuples(
        st.floats(1, 5000),  # spot
        st.floats(0.2, 5),  # strike over spot
        st.floats(1 / 365, 3),
        st.floats(-0.02, 0.15),
        st.floats(0, 0.1),
        st.floats(0.02, 3),
        st.sampled_from("CP"),
    ).map(lambda t: (t[0], t[0] * t[1], *t[2:])),
    min_size=20,
    max_size=60,
)
pytestmark = pytest.mark.drawn
FEW = settings(max_examples=draws(25))
"""Each example is dozens of contracts."""


def bumped(contracts, place, factor):
    """The contracts with one of their terms multiplied."""
    return [(*c[:place], c[place] * factor, *c[place + 1 :]) for c in contracts]


def prices(con, contracts):
    return [row[0] for row in ask_each(con, "bsm_price{}", contracts)]


@FEW
@given(CONTRACTS)
def test_call_less_put_is_the_discounted_forward_less_strike(pricing_database, contracts):
    call, put = (prices(pricing_database, [(*c[:6], side) for c in contracts]) for side in "CP")
    for c, high, low in zip(contracts, call, put, strict=True):
        parity = c[0] * math.exp(-c[4] * c[2]) - c[1] * math.exp(-c[3] * c[2])
        assert high - low == pytest.approx(parity, abs=4e-16 * (high + low + c[0] + c[1]))


@FEW
@given(CONTRACTS, st.floats(1e-6, 0.5))
@pytest.mark.parametrize("moves", [(0, 1, -1), (1, -1, 1), (5, 1, 1)])
def test_prices_move_one_way(pricing_database, moves, contracts, step):
    """With spot, strike and volatility: the term's place, whether calls rise, whether puts do; rounding aside."""
    place, call_rises, put_rises = moves
    before = prices(pricing_database, contracts)
    after = prices(pricing_database, bumped(contracts, place, 1 + step))
    for c, was, became in zip(contracts, before, after, strict=True):
        sign = call_rises if c[6] == "C" else put_rises
        assert sign * (became - was) >= -1e-14 * (c[0] + c[1])


@FEW
@given(CONTRACTS)
def test_prices_keep_to_their_bounds(pricing_database, contracts):
    for c, price in zip(contracts, prices(pricing_database, contracts), strict=True):
        spot, strike = c[0] * math.exp(-c[4] * c[2]), c[1] * math.exp(-c[3] * c[2])
        least = max(0, spot - strike if c[6] == "C" else strike - spot)
        most = spot if c[6] == "C" else strike
        assert least - 4e-16 * (spot + strike) <= price <= most * (1 + 4e-16)


@FEW
@given(CONTRACTS)
def test_the_way_back_from_a_price_finds_its_volatility(pricing_database, contracts):
    """As exactly as a price rounded to doubles tells it; and the price again to the last digits."""
    both = ask_each(pricing_database, "bsm_price{}, bsm_vega_raw{}", contracts)
    priced = [(*c[:5], price, c[6]) for c, (price, _) in zip(contracts, both, strict=True)]
    answers = ask_each(
        pricing_database, "bsm_iv{}, bsm_iv_reason{}, bsm_implied{}.greeks.price", priced
    )
    for c, (price, vega), (found, reason, again) in zip(contracts, both, answers, strict=True):
        rounding = 1e-14 * (c[0] + c[1])
        if vega > 1e3 * rounding and vega > 2e-8:
            assert reason is None
            assert found == pytest.approx(c[5], abs=rounding / vega * 4 + 1e-14)
        if reason is None:
            assert again == pytest.approx(price, abs=rounding)
        else:
            assert reason in {"vega too small", "below intrinsic", "above upper bound", "no price"}
