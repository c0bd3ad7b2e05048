# SPDX-License-Identifier: Apache-2.0
"""The weather of the vendor market, one calendar year at a time.

A year's weather depends on the seed and the year alone: bars made today stand unchanged when the
market is asked again next year.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from ttapi.market.calendar import sessions
from ttapi.simulator.weather import make_weather

if TYPE_CHECKING:
    from ttapi.simulator.weather import Moves, Weather


@dataclass(frozen=True)
class YearWeather:
    """One year."""

    days: tuple[date, ...]
    """Its XNYS sessions."""
    weather: Weather
    """Entry n is of `days[n]`."""
    market_move: float
    """Log return of the year."""
    sector_moves: tuple[float, ...]


class Climate:
    """The years of one seed, each made when first asked for."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._years: dict[int, YearWeather] = {}

    def year(self, year: int) -> YearWeather:
        """The sessions and shared moves of `year`."""
        if year not in self._years:
            self._years[year] = self._make(year)
        return self._years[year]

    def random(self, *what: object) -> random.Random:
        """A generator that belongs to the seed and `what`."""
        return random.Random("/".join(map(str, (self.seed, *what))))  # noqa: S311 - a market, not a secret

    def _make(self, year: int) -> YearWeather:
        every = sessions("XNYS").dates
        start, end = (bisect_left(every, date(y, 1, 1)) for y in (year, year + 1))
        weather = make_weather(self.random("weather", year), end - start)
        return YearWeather(
            every[start:end],
            weather,
            _total(weather.market),
            tuple(_total(sector) for sector in weather.sectors),
        )


def _total(moves: Moves) -> float:
    return sum(moves.overnight) + sum(moves.day)
