# SPDX-License-Identifier: Apache-2.0
"""What all companies of the invented market share: the market's moves, the sectors', the regime.

Regimes follow each other as a Markov chain; within one, variance clusters as in GARCH(1,1). Every
session has two independent moves: overnight, from close to open, and in the day, open to close.

The vendor market has them by calendar year: they depend on the seed and the year alone, so that bars
made today stand unchanged when the market is asked again next year.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date

from ttapi.market.calendar import sessions

SESSIONS_A_YEAR = 252
OVERNIGHT = 0.25
"""Share of a session's variance that falls between close and open."""
SECTORS = 8
_MARKET_VOLATILITY = 0.14
_SECTOR_VOLATILITY = 0.11
_MARKET_DRIFT = 0.08
_ALPHA, _BETA = 0.08, 0.89
"""How strongly yesterday's squared move, and yesterday's variance, stay in today's variance."""
_MOODS = ((0.7, 180), (1.0, 90), (1.9, 25))
"""Volatility as a multiple of the usual, and how many sessions the mood lasts on average."""


@dataclass(frozen=True)
class Moves:
    """Log returns of one factor; one entry per session in each."""

    overnight: list[float]
    day: list[float]
    day_variance: list[float]
    """Variance from which `day` was drawn."""


@dataclass(frozen=True)
class MarketFactors:
    """The shared part of every company's moves."""

    regime: list[float]
    """Multiple of usual volatility, per session."""
    market: Moves
    sectors: tuple[Moves, ...]


def make_weather(rng: random.Random, sessions: int) -> MarketFactors:
    """Moods, market and sectors over so many sessions."""
    mood = _moods(rng, sessions)
    market = _moves(rng, mood, _MARKET_VOLATILITY, _MARKET_DRIFT)
    sectors = tuple(_moves(rng, mood, _SECTOR_VOLATILITY, 0.0) for _ in range(SECTORS))
    return MarketFactors(mood, market, sectors)


def daily_variance(annual_volatility: float) -> float:
    """Variance of one session's log return."""
    return annual_volatility**2 / SESSIONS_A_YEAR


def next_variance(variance: float, move: float, usual: float) -> float:
    """GARCH(1,1): tomorrow's variance after today's move."""
    return usual * (1 - _ALPHA - _BETA) + _ALPHA * move * move + _BETA * variance


def _moods(rng: random.Random, sessions: int) -> list[float]:
    moods: list[float] = []
    state = 1
    while len(moods) < sessions:
        multiple, lasts = _MOODS[state]
        moods += [multiple] * (1 + int(rng.expovariate(1 / lasts)))
        state = rng.choice([other for other in range(len(_MOODS)) if other != state])
    return moods[:sessions]


def _moves(rng: random.Random, mood: list[float], volatility: float, drift: float) -> Moves:
    usual = daily_variance(volatility)
    daily_drift = drift / SESSIONS_A_YEAR - usual / 2
    variance = usual
    moves = Moves([], [], [])
    for multiple in mood:
        today = variance * multiple**2
        night = rng.gauss(0, math.sqrt(today * OVERNIGHT))
        day = rng.gauss(0, math.sqrt(today * (1 - OVERNIGHT)))
        moves.overnight.append(night + daily_drift)
        moves.day.append(day)
        moves.day_variance.append(today * (1 - OVERNIGHT))
        variance = next_variance(variance, (night + day) / multiple, usual)
    return moves


@dataclass(frozen=True)
class YearWeather:
    """One year."""

    days: tuple[date, ...]
    """Its XNYS sessions."""
    weather: MarketFactors
    """Entry n is of `days[n]`."""
    market_move: float
    """Log return of the year."""
    sector_moves: tuple[float, ...]


class FactorYears:
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
