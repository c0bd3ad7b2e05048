# SPDX-License-Identifier: Apache-2.0
"""European options by Black's formula on the forward: price and Greeks.

*Source* Black (1976); with F = S exp((r - q) t) it is Black, Scholes and Merton (1973).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROOT_2 = math.sqrt(2.0)
_ROOT_2_PI = math.sqrt(2.0 * math.pi)
_DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Terms:
    """One option and what its price depends on."""

    option_type: str
    """`C` or `P`."""
    spot: float
    strike: float
    years: float
    """To settlement, above 0."""
    rate: float
    """Continuous, a year."""
    dividend_yield: float
    """Continuous, a year."""
    volatility: float
    """Annual fraction, above 0."""


@dataclass(frozen=True)
class Valuation:
    """A price and its derivatives.

    *Units* theta per calendar day; vega and rho per percent point.
    """

    price: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def normal_cdf(x: float) -> float:
    """The standard normal distribution; of full relative accuracy in the left tail."""
    return 0.5 * math.erfc(-x / _ROOT_2)


def value_option(terms: Terms) -> Valuation:
    """Price and Greeks; both tails are computed directly, neither as the rest to 1."""
    sign = 1.0 if terms.option_type == "C" else -1.0
    discount = math.exp(-terms.rate * terms.years)
    carry = math.exp(-terms.dividend_yield * terms.years)
    deviation = terms.volatility * math.sqrt(terms.years)
    log_moneyness = math.log(terms.spot * carry / (terms.strike * discount))
    d1 = log_moneyness / deviation + deviation / 2
    d2 = d1 - deviation
    spot_part = terms.spot * carry * normal_cdf(sign * d1)
    strike_part = terms.strike * discount * normal_cdf(sign * d2)
    density = math.exp(-d1 * d1 / 2) / _ROOT_2_PI
    decay = terms.spot * carry * density * terms.volatility / (2 * math.sqrt(terms.years))
    theta = -decay + sign * (terms.dividend_yield * spot_part - terms.rate * strike_part)
    return Valuation(
        price=max(0.0, sign * (spot_part - strike_part)),
        delta=sign * carry * normal_cdf(sign * d1),
        gamma=carry * density / (terms.spot * deviation),
        theta=theta / _DAYS_A_YEAR,
        vega=terms.spot * carry * density * math.sqrt(terms.years) / 100,
        rho=sign * terms.years * strike_part / 100,
    )
