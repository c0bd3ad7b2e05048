# SPDX-License-Identifier: Apache-2.0
"""How volatile a listing is thought to be: from what its price has done, plus a premium."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ttapi.simulator.options.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from ttapi.simulator.histories import Split
    from ttapi.simulator.listings import Listing
    from ttapi.simulator.vendor_events import DayBar

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
