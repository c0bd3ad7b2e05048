# SPDX-License-Identifier: Apache-2.0
"""One smooth surface of implied volatility per symbol, free of static arbitrage.

SSVI with the power law of exponent 1/2: at log-moneyness k and at-the-money total variance v,

    w(k) = v/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),   phi = eta / sqrt(v (1 + v)).

No butterfly arbitrage while eta (1 + |rho|) <= 2, no calendar arbitrage while v does not fall with
time.  *Source* Gatheral and Jacquier (2014), Arbitrage-free SVI volatility surfaces, section 4.
Here v is the integral of a variance that returns to its long-run level, and jumps up at results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

RATE = 0.04
"""Risk-free, continuous, a year; the invented market has but one."""
_REVERSION = 2.5
"""A year: how fast variance returns to its long-run level."""
_REPORT_VARIANCE = 0.035**2
"""Of the move at quarterly results."""


@dataclass(frozen=True)
class Surface:
    """The surface of one underlying at one moment."""

    spot: float
    dividend_yield: float
    short_variance: float
    """Annual, of the next moments."""
    long_variance: float
    """Annual, in the long run."""
    rho: float
    """Skew: negative where puts are dear."""
    eta: float
    """Curvature."""
    reports: tuple[float, ...] = ()
    """Years to each expected report."""

    def __post_init__(self) -> None:
        """Hold the surface to the condition against butterflies."""
        if self.eta * (1 + abs(self.rho)) > 2:
            raise ValueError(f"eta {self.eta} and rho {self.rho} let butterflies be arbitraged")

    def forward(self, years: float) -> float:
        """The price agreed for then."""
        return self.spot * math.exp((RATE - self.dividend_yield) * years)

    def atm_variance(self, years: float) -> float:
        """Total variance at the forward; never falls with time."""
        excess = self.short_variance - self.long_variance
        smooth = self.long_variance * years + excess * -math.expm1(-_REVERSION * years) / _REVERSION
        return smooth + _REPORT_VARIANCE * sum(at <= years for at in self.reports)

    def total_variance(self, log_moneyness: float, years: float) -> float:
        """Total variance at ln(strike / forward)."""
        atm = self.atm_variance(years)
        scaled = self.eta / math.sqrt(atm * (1 + atm)) * log_moneyness
        root = math.sqrt((scaled + self.rho) ** 2 + 1 - self.rho**2)
        return atm / 2 * (1 + self.rho * scaled + root)

    def volatility(self, strike: float, years: float) -> float:
        """Implied volatility, annual fraction."""
        log_moneyness = math.log(strike / self.forward(years))
        return math.sqrt(self.total_variance(log_moneyness, years) / years)

    def atm_volatility(self, years: float) -> float:
        """Implied volatility at the forward, annual fraction."""
        return math.sqrt(self.atm_variance(years) / years)
