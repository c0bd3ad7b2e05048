# SPDX-License-Identifier: Apache-2.0
"""One company's daily bars and dividends, from the weather and its own luck.

Prices are raw: they fall by the ratio on a split's ex-date and by the cash on a dividend's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ttapi.simulator.companies import QUARTER, Company
from ttapi.simulator.weather import OVERNIGHT, daily_variance, next_variance

if TYPE_CHECKING:
    import random

    from ttapi.simulator.weather import Weather

_LARGEST_MOVE = 0.17
"""Log return of a session: below what the smallest split (5:4) would look like."""
_LARGEST_GAP = 0.12
_REPORT_GAP = 0.035
"""Standard deviation of the gap after quarterly results."""
_SHORT_SESSION_VOLUME = 0.45


class Bar(NamedTuple):
    """A session as traded; USD per share, not rounded."""

    session: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class History:
    """What happened to a company."""

    bars: list[Bar]
    dividends: dict[int, float]
    """USD per share before the ex-session, by ex-session; whole cents."""


@dataclass(frozen=True)
class _Moves:
    """Per session from the company's first to its last."""

    overnight: list[float]
    day: list[float]
    day_variance: list[float]


def make_history(
    company: Company, weather: Weather, short_sessions: frozenset[int], rng: random.Random
) -> History:
    """The bars of `company`; on `short_sessions` the market closes early and trades less."""
    moves = _draw_moves(company, weather, rng)
    price = _first_price(company, moves)
    history = History([], {})
    shares, activity = 1.0, 0.0
    usual_shares = company.dollar_volume / company.price
    for session in range(company.first, company.last + 1):
        if session in company.halted:
            continue
        at = session - company.first
        ratio = company.splits.get(session)
        if ratio is not None:
            price, shares = price / ratio, shares * ratio
        elif (cash := _dividend(company, session, price)) > 0 and history.bars:
            history.dividends[session] = cash
            price -= cash
        gap, day, variance = moves.overnight[at], moves.day[at], moves.day_variance[at]
        activity = 0.6 * activity + rng.gauss(0, 0.22)
        surprise = min(abs(gap + day) / math.sqrt(variance), 4.0) - 0.9
        volume = usual_shares * shares * math.exp(activity + 0.3 * surprise)
        if session in short_sessions:
            volume *= _SHORT_SESSION_VOLUME
        start = price * math.exp(gap)
        high, low = extremes(day, variance, rng)
        price = start * math.exp(day)
        history.bars.append(Bar(session, start, start * high, start * low, price, volume))
    return history


def extremes(day: float, variance: float, rng: random.Random) -> tuple[float, float]:
    """High and low over open, from the extremes of a Brownian bridge that ends at `day`."""
    above = math.sqrt(day * day - 2 * variance * math.log(1 - rng.random()))
    below = math.sqrt(day * day - 2 * variance * math.log(1 - rng.random()))
    return math.exp((day + above) / 2), math.exp((day - below) / 2)


def _draw_moves(company: Company, weather: Weather, rng: random.Random) -> _Moves:
    usual = daily_variance(company.own_volatility)
    own = usual
    market, sector = weather.market, weather.sectors[company.sector]
    night_part, day_part = math.sqrt(OVERNIGHT), math.sqrt(1 - OVERNIGHT)
    moves = _Moves([], [], [])
    for session in range(company.first, company.last + 1):
        volatility = math.sqrt(own * weather.mood[session])
        own_night = rng.gauss(0, volatility * night_part)
        own_day = rng.gauss(0, volatility * day_part)
        # Without the mood in it: remembered too, a storm would feed itself.
        calm_move = (own_night + own_day) / math.sqrt(weather.mood[session])
        own = next_variance(own, calm_move, usual)
        if session % QUARTER == company.report_phase:
            own_night += rng.gauss(0, _REPORT_GAP)
        if session in company.unrecorded:
            # A quiet session: the price itself must show the split.
            own_night, own_day, beta, share = 0.0, 0.0, 0.0, 0.0
        else:
            beta, share = company.beta, company.sector_share
        gap = beta * market.overnight[session] + share * sector.overnight[session] + own_night
        gap = max(-_LARGEST_GAP, min(_LARGEST_GAP, gap - usual / 2))
        day = beta * market.day[session] + share * sector.day[session] + own_day
        moves.overnight.append(gap)
        moves.day.append(max(-_LARGEST_MOVE - gap, min(_LARGEST_MOVE - gap, day)))
        moves.day_variance.append(
            beta**2 * market.day_variance[session]
            + share**2 * sector.day_variance[session]
            + volatility**2 * (1 - OVERNIGHT)
        )
    return moves


def _first_price(company: Company, moves: _Moves) -> float:
    """The price before the first bar that leads to `company.price` at its anchor."""
    until = max(0, company.anchor - company.first)
    return company.price / math.exp(sum(moves.overnight[:until]) + sum(moves.day[:until]))


def _dividend(company: Company, session: int, price: float) -> float:
    """Cash that goes ex on `session`, in whole cents; 0 for none."""
    if not company.dividend_yield or session % QUARTER != (company.report_phase or 0) // 2:
        return 0.0
    return round(price * company.dividend_yield / 4, 2)
