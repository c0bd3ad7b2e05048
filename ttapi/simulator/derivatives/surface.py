# SPDX-License-Identifier: Apache-2.0
"""One smooth surface of implied volatility per symbol, free of static arbitrage.

SSVI with the power law of exponent 1/2: at log-moneyness k and at-the-money total variance v,

    w(k) = v/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),   phi = eta / sqrt(v (1 + v)).

No butterfly arbitrage while eta (1 + |rho|) <= 2, no calendar arbitrage while v does not fall with
time.  *Source* Gatheral and Jacquier (2014), Arbitrage-free SVI volatility surfaces, section 4.
Here v is the integral of a variance that returns to its long-run level, and jumps up at results.

How volatile a listing is thought to be: from what its price has done, plus a premium.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from ttapi.simulator.events import DayBar
    from ttapi.simulator.histories import Split
    from ttapi.simulator.listings import Listing

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


_DECAY = 0.94
_PREMIUM = 1.12**2
"""Implied over realised variance."""
_LEAST = 0.05**2
_SHAPES = {
    "index": (-0.7, 1.1),
    "etf": (-0.6, 1.15),
    "equity": (-0.35, 1.2),
    "commodity": (-0.25, 1.1),
    "coin": (-0.1, 1.2),
}
_VIX_SHAPE = (0.5, 1.2)


@dataclass(frozen=True)
class VarianceHistory:
    """Per session, ascending."""

    dates: tuple[date, ...]
    log_returns: tuple[float, ...]
    """Split-adjusted; of each date over the one before."""
    short_variances: tuple[float, ...]
    """Expected annual variance of the next moments, after each date."""
    long_variance: float
    """Expected annual variance in the long run."""

    def realized(self, sessions: int) -> float:
        """Annual volatility of the last so many sessions, a fraction; 0 where there are fewer than two."""
        last = self.log_returns[-sessions:]
        if len(last) < 2:
            return 0.0
        mean = sum(last) / len(last)
        return math.sqrt(252 * sum((r - mean) ** 2 for r in last) / (len(last) - 1))

    def surface(
        self, listing: Listing, spot: float, reports: tuple[float, ...] = (), back: int = 0
    ) -> Surface:
        """The surface now, or as it was `back` sessions ago."""
        rho, eta = _VIX_SHAPE if listing.symbol == "VIX" else _SHAPES[listing.kind]
        return Surface(
            spot=spot,
            dividend_yield=listing.character.dividend_yield,
            short_variance=self.short_variances[-1 - back],
            long_variance=self.long_variance,
            rho=rho,
            eta=eta,
            reports=reports,
        )


def variance_history(bars: Sequence[DayBar], splits: Iterable[Split]) -> VarianceHistory:
    """What `bars` say; two bars at least."""
    ratios = {split.ex_date: split.ratio for split in splits}
    returns = [
        math.log(bar.close * ratios.get(bar.date, 1.0) / before.close)
        for before, bar in pairwise(bars)
    ]
    whole = max(_LEAST, 252 * sum(r * r for r in returns) / len(returns))
    short, variances = whole, []
    for move in returns:
        short = _DECAY * short + (1 - _DECAY) * 252 * move * move
        variances.append(max(_LEAST, (0.75 * short + 0.25 * whole) * _PREMIUM))
    return VarianceHistory(
        tuple(bar.date for bar in bars[1:]), tuple(returns), tuple(variances), whole * _PREMIUM
    )
