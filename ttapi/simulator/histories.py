# SPDX-License-Identifier: Apache-2.0
"""A listing's past, one calendar year at a time: bars, dividends, splits, results.

Where the price stands at each New Year follows from yearly moves alone, back and forth from 2026;
within a year the sessions are drawn and drawn together to meet the next New Year. So the last
years of many symbols are had without their first ones. Prices are raw: a split divides them on its
ex-date, a dividend takes its cash out of the ex-date's open.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol

from ttapi.simulator.companies import extremes
from ttapi.simulator.events import DayBar
from ttapi.simulator.factors import OVERNIGHT, daily_variance, next_variance

if TYPE_CHECKING:
    import random

    from ttapi.simulator.factors import FactorYears, YearWeather
    from ttapi.simulator.listings import Listing

_REFERENCE_YEAR = 2026
"""A listing's price is known at its first session; see `Character.price`."""
_YEARS_KEPT = 3000
"""Of all listings together: some 60 KB each."""
_LARGEST_GAP, _LARGEST_MOVE = 0.12, 0.17
"""Log returns; below what a split would look like."""
_REPORT_GAP = 0.035
"""Standard deviation of the gap after quarterly results."""
_TOO_LOW, _TOO_HIGH = 12.0, 1200.0
"""USD: below, an old price must have been split since; above, a new one is split."""
_REVERSE_BELOW, _NO_HIGHER = 2.0, 2500.0
"""USD: below, a new price is put together; above, an old one must have been."""


@dataclass(frozen=True)
class Dividend:
    """Cash of one share."""

    ex_date: date
    amount: float
    """USD."""


@dataclass(frozen=True)
class Split:
    """A split or, with a ratio below 1, a reverse split."""

    ex_date: date
    ratio: float
    """New shares per old one."""


@dataclass(frozen=True)
class Earnings:
    """One quarter's results."""

    date: date
    """Session after whose close, or before whose open, they came."""
    time_of_day: str
    """`AMC` (after the close) or `BMO` (before the open)."""
    earnings_per_share: float
    """USD of the quarter."""


@dataclass(frozen=True)
class YearHistory:
    """What happened in one year, all of it, whatever today is."""

    bars: tuple[DayBar, ...]
    dividends: tuple[Dividend, ...]
    splits: tuple[Split, ...]
    earnings: tuple[Earnings, ...]


@dataclass(frozen=True)
class _Plan:
    """What a year brings, before its sessions are drawn; sessions by place in the year."""

    price: float
    """USD, raw, at the previous close."""
    move: float
    """Log return of the year, splits apart."""
    splits: dict[int, float]
    dividends: frozenset[int]
    reports: dict[int, str]
    """Session of a report, and its time of day."""


class Past(Protocol):
    """What the rest of the market needs to know of the past: drawn here, or read from files."""

    def year(self, listing: Listing, year: int) -> YearHistory:
        """Everything of `listing` in `year`, whatever today is; empty before its first."""

    def reports(self, listing: Listing, year: int) -> tuple[tuple[date, str], ...]:
        """Dates and times of day of the year's results, due ones too."""

    def ex_dates(self, listing: Listing, year: int) -> tuple[date, ...]:
        """Ex-dates of the year's dividends, due ones too."""

    def random(self, *what: object) -> random.Random:
        """A generator that belongs to the seed and `what`."""


class Histories:
    """The past of every listing in one climate."""

    def __init__(self, climate: FactorYears) -> None:
        self._climate = climate
        self._log_price = cache(self._find_log_price)
        self._factor = cache(self._find_factor)
        self._year = lru_cache(maxsize=_YEARS_KEPT)(self._make_year)

    def year(self, listing: Listing, year: int) -> YearHistory:
        """Everything of `listing` in `year`, whatever today is; empty before its first."""
        return self._year(listing, year)

    def reports(self, listing: Listing, year: int) -> tuple[tuple[date, str], ...]:
        """Dates and times of day of the year's results, due ones too."""
        shared = self._climate.year(year)
        return tuple((shared.days[n], when) for n, when in _report_places(listing, shared).items())

    def ex_dates(self, listing: Listing, year: int) -> tuple[date, ...]:
        """Ex-dates of the year's dividends, due ones too."""
        shared = self._climate.year(year)
        return tuple(shared.days[n] for n in _dividend_places(listing, shared))

    def random(self, *what: object) -> random.Random:
        """A generator that belongs to the seed and `what`."""
        return self._climate.random(*what)

    def _make_year(self, listing: Listing, year: int) -> YearHistory:
        if year < listing.character.first_year:
            return YearHistory((), (), (), ())
        if listing.symbol == "VIX":
            return YearHistory(tuple(volatility_index_bars(self._climate, year)), (), (), ())
        days = self._climate.year(year)
        rng = self._climate.random(listing.symbol, year)
        return _draw_year(listing, days, self._plan(listing, year, days), rng)

    def _plan(self, listing: Listing, year: int, days: YearWeather) -> _Plan:
        start = self._log_price(listing, year)
        factor, next_factor = self._factor(listing, year), self._factor(listing, year + 1)
        splits = {}
        if factor != next_factor:
            at = self._climate.random(listing.symbol, year, "split").randrange(12, 238)
            splits[at] = factor / next_factor
        return _Plan(
            math.exp(start) * factor,
            self._log_price(listing, year + 1) - start,
            splits,
            frozenset(_dividend_places(listing, days)),
            _report_places(listing, days),
        )

    def _find_log_price(self, listing: Listing, year: int) -> float:
        """Log price at the New Year, on the basis of shares of 2026."""
        at, price = _REFERENCE_YEAR, math.log(listing.character.price)
        while at < year:
            price += self._move(listing, at)
            at += 1
        while at > year:
            at -= 1
            price -= self._move(listing, at)
        return price

    def _move(self, listing: Listing, year: int) -> float:
        shared, character = self._climate.year(year), listing.character
        own = self._climate.random(listing.symbol, year, "own").gauss(
            character.drift, character.own_volatility
        )
        own = max(-1.2 * character.own_volatility, min(1.2 * character.own_volatility, own))
        sector = character.sector_share * shared.sector_moves[character.sector]
        return character.beta * shared.market_move + sector + own

    def _find_factor(self, listing: Listing, year: int) -> float:
        """Shares of 2026 that one share of that New Year became (below 1: or will be split into)."""
        if year == _REFERENCE_YEAR or listing.kind != "equity":
            return 1.0
        if year > _REFERENCE_YEAR:
            factor = self._factor(listing, year - 1)
            price = math.exp(self._log_price(listing, year)) * factor
            return factor / (4.0 if price > _TOO_HIGH else 0.1 if price < _REVERSE_BELOW else 1.0)
        factor = self._factor(listing, year + 1)
        price = math.exp(self._log_price(listing, year)) * factor
        if price < _TOO_LOW:
            return factor * self._climate.random(listing.symbol, year, "ratio").choice(
                (2.0, 2.0, 3.0, 4.0)
            )
        return factor * 0.1 if price > _NO_HIGHER else factor


def volatility_index_bars(climate: FactorYears, year: int) -> list[DayBar]:
    """Bars of an index of the market's expected volatility, percent a year, for one year."""
    before = climate.year(year - 1).weather.market
    shared = climate.year(year)
    market, days = shared.weather.market, shared.days
    level, close = 0.0004 / 4, 0.0
    bars = []
    variances = [*before.day_variance[-40:], *market.day_variance]
    moves = [n + d for n, d in zip(before.overnight[-40:], before.day[-40:], strict=True)]
    moves += [n + d for n, d in zip(market.overnight, market.day, strict=True)]
    for place, (variance, move) in enumerate(zip(variances, moves, strict=True), start=-40):
        level += (variance / (1 - OVERNIGHT) - level) * 0.08
        previous, close = close, 135 * math.sqrt(252 * level) * math.exp(-2.5 * move)
        if place < 0:
            continue
        start = previous * math.exp(-3 * market.overnight[place])
        reach = 1 + 2 * abs(market.day[place])
        prices = start, max(start, close) * reach, min(start, close) / reach, close
        bars.append(_rounded_bar(days[place], prices, None))
    return bars


def _draw_year(
    listing: Listing, shared: YearWeather, plan: _Plan, rng: random.Random
) -> YearHistory:
    character = listing.character
    gaps, moves, variances = _draw_moves(listing, shared, plan, rng)
    price, shares, activity = plan.price, 1.0, 0.0
    usual = character.dollar_volume / plan.price
    bars, dividends, splits = [], [], []
    for place, day in enumerate(shared.days):
        if place in plan.splits:
            ratio = plan.splits[place]
            splits.append(Split(day, ratio))
            price, shares = price / ratio, shares * ratio
        if place in plan.dividends:
            cash = round(price * character.dividend_yield / 4, 2)
            if cash:
                dividends.append(Dividend(day, cash))
                price -= cash
        volume = None
        if usual:
            activity = 0.6 * activity + rng.gauss(0, 0.22)
            surprise = min(abs(gaps[place] + moves[place]) / math.sqrt(variances[place]), 4.0)
            volume = int(usual * shares * math.exp(activity + 0.3 * (surprise - 0.9)))
        start = price * math.exp(gaps[place])
        high, low = extremes(moves[place], variances[place], rng)
        price = start * math.exp(moves[place])
        bars.append(_rounded_bar(day, (start, start * high, start * low, price), volume))
    reports = _results(listing, shared, plan, bars, rng)
    return YearHistory(tuple(bars), tuple(dividends), tuple(splits), reports)


def _rounded_bar(
    day: date, prices: tuple[float, float, float, float], volume: int | None
) -> DayBar:
    start, high, low, close = prices
    return DayBar(day, round(start, 2), round(high, 2), round(low, 2), round(close, 2), volume)


def _draw_moves(
    listing: Listing, shared: YearWeather, plan: _Plan, rng: random.Random
) -> tuple[list[float], list[float], list[float]]:
    """Overnight and day moves, and the variance of the day's, that lead to the year's move."""
    character = listing.character
    beta, share = character.beta, character.sector_share
    market, sector = shared.weather.market, shared.weather.sectors[character.sector]
    usual = own = daily_variance(character.own_volatility)
    night_part, day_part = math.sqrt(OVERNIGHT), math.sqrt(1 - OVERNIGHT)
    opens = {place if when == "BMO" else place + 1 for place, when in plan.reports.items()}
    gaps, moves, variances = [], [], []
    for place, mood in enumerate(shared.weather.regime):
        volatility = math.sqrt(own * mood)
        night, day = rng.gauss(0, volatility * night_part), rng.gauss(0, volatility * day_part)
        own = next_variance(own, (night + day) / math.sqrt(mood), usual)
        if place in opens:
            night += rng.gauss(0, _REPORT_GAP)
        gap = beta * market.overnight[place] + share * sector.overnight[place] + night
        gap = max(-_LARGEST_GAP, min(_LARGEST_GAP, gap))
        day += beta * market.day[place] + share * sector.day[place]
        gaps.append(gap)
        moves.append(max(-_LARGEST_MOVE - gap, min(_LARGEST_MOVE - gap, day)))
        variances.append(
            beta**2 * market.day_variance[place]
            + share**2 * sector.day_variance[place]
            + volatility**2 * (1 - OVERNIGHT)
        )
    paid = len(plan.dividends) * math.log1p(-character.dividend_yield / 4)
    lacking = (plan.move - paid - sum(gaps) - sum(moves)) / len(gaps)
    return [gap + lacking for gap in gaps], moves, variances


def _place(days: tuple[date, ...], day: date) -> int:
    return min(bisect_left(days, day), len(days) - 1)


def _dividend_places(listing: Listing, shared: YearWeather) -> list[int]:
    """Ex-sessions: of funds late in the quarter's last month, of companies a month after results."""
    if listing.kind == "index" or not listing.character.dividend_yield:
        return []
    year, month = shared.days[0].year, listing.character.report_month
    if not month:
        return [_place(shared.days, date(year, 3 * quarter, 19)) for quarter in range(1, 5)]
    return [_place(shared.days, date(year, 3 * quarter + month % 3 + 1, 9)) for quarter in range(4)]


def _report_places(listing: Listing, shared: YearWeather) -> dict[int, str]:
    """Sessions of quarterly results, each with its time of day."""
    month = listing.character.report_month
    if not month:
        return {}
    spread = sum(map(ord, listing.symbol))
    when = "BMO" if spread % 3 == 0 else "AMC"
    return {
        _place(shared.days, date(shared.days[0].year, 3 * quarter + month, 14 + spread % 13)): when
        for quarter in range(4)
    }


def _results(
    listing: Listing, shared: YearWeather, plan: _Plan, bars: list[DayBar], rng: random.Random
) -> tuple[Earnings, ...]:
    multiple = 14 + sum(map(ord, listing.symbol)) % 18
    return tuple(
        Earnings(
            shared.days[place],
            when,
            round(bars[place].close / multiple / 4 * rng.uniform(0.85, 1.15), 2),
        )
        for place, when in plan.reports.items()
    )
