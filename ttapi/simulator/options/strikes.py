# SPDX-License-Identifier: Apache-2.0
"""The ladder of strikes an expiration has: fine near the price, coarse in the wings."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cache

_STEPS = ((5, "0.5"), (25, "0.5"), (100, "1"), (250, "2.5"), (1000, "5"))
"""Step up to each price, USD; `_LARGEST` beyond."""
_LARGEST = "10"
_NEAR_DAYS, _FAR_DAYS = 45, 200
_MOST_STEPS = 160


def strike_ladder(
    price: float, volatility: float, years: float, step: str | None = None
) -> tuple[Decimal, ...]:
    """Strikes around `price`, ascending; `step` overrides the usual one near the price."""
    fine = Decimal(step) if step else _usual_step(price)
    days = years * 365
    fine *= 1 if days <= _NEAR_DAYS else 2 if days <= _FAR_DAYS else 4
    deviation = volatility * math.sqrt(max(years, 1 / 365))
    low = price * math.exp(-max(4.5 * deviation, 0.06))
    high = price * math.exp(max(3.5 * deviation, 0.05))
    while (high - low) / float(fine) > _MOST_STEPS:
        fine *= 2
    return _ladder(
        fine,
        *(round(edge / float(fine)) for edge in (low, price, high)),
        max(6, _near(deviation, price, fine)),
    )


def _usual_step(price: float) -> Decimal:
    return Decimal(next((step for limit, step in _STEPS if price < limit), _LARGEST))


def _near(deviation: float, price: float, fine: Decimal) -> int:
    """How many steps from the price the fine part reaches."""
    return round(1.8 * deviation * price / float(fine))


@cache
def _ladder(fine: Decimal, low: int, middle: int, high: int, near: int) -> tuple[Decimal, ...]:
    places = range(max(1, min(low, middle - 3)), max(high, middle + 3) + 1)
    return tuple(fine * n for n in places if abs(n - middle) <= near or n % 2 == 0)


def round_strike(price: float) -> Decimal:
    """The strike nearest `price` that every ladder around it holds, whatever its days."""
    coarse = _usual_step(price) * 8
    return max(coarse, coarse * round(price / float(coarse)))
