# SPDX-License-Identifier: Apache-2.0
"""One session by the minute, drawn so that its daily bar is exactly what it was."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from ttapi.simulator.vendor_events import DayBar


@dataclass(frozen=True)
class SessionPath:
    """Entry n is the price n minutes after the open; the first is the open, the last the close."""

    prices: tuple[float, ...]
    volumes: tuple[int, ...]
    """Shares of each minute, one fewer than prices; all 0 for an index."""

    def price_at(self, minutes: float) -> float:
        """The price so many minutes after the open, to the cent."""
        whole = min(int(minutes), len(self.prices) - 2)
        before, after = self.prices[whole : whole + 2]
        return round(before + (after - before) * min(1.0, minutes - whole), 2)

    def volume_until(self, minutes: float) -> int:
        """Shares traded in so many minutes from the open."""
        whole = min(int(minutes), len(self.volumes))
        return sum(self.volumes[:whole])


def draw_path(bar: DayBar, minutes: int, rng: random.Random) -> SessionPath:
    """A path through the bar's open, high, low and close."""
    stations = _stations(bar, minutes, rng)
    prices = [bar.open]
    for (start, _), (end, price) in pairwise(stations):
        prices += _bridge(prices[-1], price, end - start, (bar.low, bar.high), rng)
    return SessionPath(tuple(prices), _volumes(bar.volume or 0, minutes, rng))


def _stations(bar: DayBar, minutes: int, rng: random.Random) -> list[tuple[int, float]]:
    """Minute and price of open, high and low in either order, and close; minutes ascend."""
    first, second = sorted(rng.sample(range(1, minutes), 2))
    rises_first = rng.random() < (0.35 if bar.close > bar.open else 0.65)
    extremes = [bar.high, bar.low] if rises_first else [bar.low, bar.high]
    return [(0, bar.open), (first, extremes[0]), (second, extremes[1]), (minutes, bar.close)]


def _bridge(
    start: float, end: float, steps: int, limits: tuple[float, float], rng: random.Random
) -> list[float]:
    """`steps` prices after `start`, the last of them `end`, none beyond the limits."""
    deviation = (limits[1] - limits[0]) / math.sqrt(390) * 0.6
    price, prices = start, []
    for left in range(steps, 1, -1):
        price += (end - price) / left + rng.gauss(0, deviation)
        price = max(limits[0], min(limits[1], price))
        prices.append(round(price, 2))
    return [*prices, end]


def _volumes(total: int, minutes: int, rng: random.Random) -> tuple[int, ...]:
    """Shares by the minute: busy at both ends of the session; they add up to `total`."""
    if not total:
        return (0,) * minutes
    middle = minutes / 2
    weights = [
        (0.4 + 1.6 * ((n - middle) / middle) ** 2) * rng.uniform(0.5, 1.5) for n in range(minutes)
    ]
    scale = total / sum(weights)
    volumes = [int(weight * scale) for weight in weights]
    volumes[-1] += total - sum(volumes)
    return tuple(volumes)
