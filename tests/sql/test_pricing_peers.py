# SPDX-License-Identifier: Apache-2.0
"""Prices, Greeks and implied volatility beside vollib; of American options beside QuantLib."""

from __future__ import annotations

import math
import random
import statistics

import pytest
import QuantLib as ql  # noqa: N813 - its users know it by this name
from pricing_tables import ask_each
from vollib.black_scholes_merton import black_scholes_merton
from vollib.black_scholes_merton.greeks.analytical import delta, gamma, rho, theta, vega
from vollib.black_scholes_merton.implied_volatility import implied_volatility

pytestmark = pytest.mark.compat

COUNT = 100_000
TODAY = ql.Date(15, 6, 2026)


def random_contracts(count, seed):
    """Strikes within a factor of three of the spot, a day to three years, volatility 3 % to 200 %."""
    draw = random.Random(seed)
    return [
        (
            100.0, 100.0 * 3 ** draw.uniform(-1, 1), draw.randint(1, 1095) / 365, draw.uniform(-0.01, 0.1),
            draw.uniform(0, 0.06), draw.uniform(0.03, 2), draw.choice("CP"),
        )
        for _ in range(count)
    ]  # fmt: skip


def test_implied_volatility_is_that_of_vollib(pricing_database):
    """100,000 contracts, priced by vollib; within 1e-8 wherever vega is above 1e-4 for 1.00."""
    contracts = random_contracts(COUNT, seed=7)
    vegas = ask_each(pricing_database, "bsm_vega_raw{}", contracts)
    prices = [black_scholes_merton(c[6].lower(), *c[:4], c[5], c[4]) for c in contracts]
    priced = [(*c[:5], price, c[6]) for c, price in zip(contracts, prices, strict=True)]
    found = ask_each(pricing_database, "bsm_iv{}", priced)
    worst, compared = 0.0, 0
    for terms, (slope,), (ours,) in zip(priced, vegas, found, strict=True):
        if slope > 1e-4:
            *four, carry, price, side = terms
            theirs = implied_volatility(price, *four, carry, side.lower())
            worst, compared = max(worst, abs(ours - theirs)), compared + 1
    assert compared > 0.9 * COUNT
    assert worst < 1e-8


def test_greeks_are_those_of_vollib(pricing_database):
    contracts = random_contracts(1000, seed=8)
    for terms, (ours,) in zip(
        contracts, ask_each(pricing_database, "bsm_greeks{}", contracts), strict=True
    ):
        *four, carry, volatility, side = terms
        arguments = (side.lower(), *four, volatility, carry)
        theirs = [f(*arguments) for f in (black_scholes_merton, delta, gamma, vega, theta, rho)]
        assert list(ours.values())[:6] == pytest.approx(theirs, rel=1e-9, abs=1e-11), terms


def american_prices(years_days, rate, carry, volatility, strikes):
    """(call, put) of each strike, spot 100, by QuantLib's QdFp engine."""

    def curve(level):
        return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, level, ql.Actual365Fixed()))

    flat = ql.BlackConstantVol(TODAY, ql.NullCalendar(), volatility, ql.Actual365Fixed())
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100)), curve(carry), curve(rate), ql.BlackVolTermStructureHandle(flat)
    )  # fmt: skip
    engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.accurateScheme())

    def price(kind, strike):
        payoff = ql.PlainVanillaPayoff(kind, strike)
        option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + years_days))
        option.setPricingEngine(engine)
        return option.NPV()

    return [(price(ql.Option.Call, k), price(ql.Option.Put, k)) for k in strikes]


def on_parity_forward(days, rate, carry, volatility):
    """The out-of-the-money options of one expiration as terms on the forward that parity shows nearest the money."""
    years = days / 365
    spread = volatility * math.sqrt(years)
    strikes = [100 * math.exp(step * spread) for step in (-2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2)]
    quoted = american_prices(days, rate, carry, volatility, strikes)
    nearest = min(range(len(strikes)), key=lambda i: abs(quoted[i][0] - quoted[i][1]))
    call, put = quoted[nearest]
    forward = strikes[nearest] + math.exp(rate * years) * (call - put)
    return [
        (forward, strike, years, rate, rate, prices[strike < forward], "P" if strike < forward else "C")
        for strike, prices in zip(strikes, quoted, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "median", "most"),
    [
        (7, 1e-4, 7e-4),
        (30, 3e-4, 2e-3),
        (91, 6e-4, 5e-3),
        (365, 2.5e-3, 1.3e-2),
        (730, 5e-3, 2.2e-2),
    ],
)
def test_american_options_out_of_the_money_are_off_by_no_more_than_is_said(
    pricing_database, days, median, most
):
    ql.Settings.instance().evaluationDate = TODAY
    rates = ((0.0, 0.0), (0.02, 0.0), (0.05, 0.0), (0.05, 0.02), (0.03, 0.06))
    errors = []
    for (rate, carry), volatility in ((r, v) for r in rates for v in (0.15, 0.3, 0.6)):
        terms = on_parity_forward(days, rate, carry, volatility)
        found = ask_each(pricing_database, "black76_iv{}", terms, ("spot", "strike", "years", "rate", "x", "type"))  # fmt: skip
        errors += [abs(row[0] - volatility) for row in found]
    assert statistics.median(errors) < median
    assert max(errors) < most
