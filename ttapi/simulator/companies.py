# SPDX-License-Identifier: Apache-2.0
"""The invented companies: what each is like, and what happens to it.

The first ones after the index fund have a fixed part each (a split, a halt, a late listing), so
that even a small market shows everything; the rest draw their fate.

Invented ticker symbols: short, pronounceable, and nobody's.

Four letters, consonant and vowel by turns, with a Q in it or an X or Z in front. Exchanges have
listed few such symbols; those known are left out, as are words that mean something.

One company's daily bars and dividends, from the weather and its own luck.

Prices are raw: they fall by the ratio on a split's ex-date and by the cash on a dividend's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from ttapi.errors import UsageError
from ttapi.simulator.factors import OVERNIGHT, SECTORS, daily_variance, next_variance

if TYPE_CHECKING:
    import random

    from ttapi.simulator.factors import MarketFactors

INDEX_SYMBOL = "ZQIX"
"""The invented fund that holds the whole invented market."""
TAKEN = frozenset(
    {"QABA", "QADA", "QEFA", "QETA", "QIWI", "QOMO", "QUMU", "QURE", "QUSA", "QUVU"}
    | {"XATA", "XELA", "XENE", "XETA", "XICO", "XIDE", "XOMA", "XONE"}
    | {"ZENA", "ZETA", "ZIGO", "ZILA", "ZIVO", "ZONE", "ZURA"}
    | {"BIQI", "TEQI"}
    | {"DAQO", "DUQU", "XERO", "ZARA", "ZERO", "ZIKA", "ZULU"}
)
"""Symbols of this shape that are or were listed, then words that mean something."""
_RUDE = ("COQ", "DIQ", "FAQ", "FUQ", "NIQ")

_VOWELS = "AEIOU"
_CONSONANTS = "BCDFGHKLMNPRSTVW"


def invented_tickers(
    rng: random.Random, count: int, avoid: frozenset[str] = frozenset()
) -> list[str]:
    """`count` different symbols in an order of `rng`'s choice, at most 1,200 or so, none to `avoid`."""
    return rng.sample([symbol for symbol in candidates() if symbol not in avoid], count)


def candidates() -> list[str]:
    """Every symbol that may be given, ascending."""
    shapes = [(first, _CONSONANTS) for first in "QXZ"] + [(first, "Q") for first in _CONSONANTS]
    made = {
        a + b + c + d
        for first, third in shapes
        for a, b, c, d in product(first, _VOWELS, third, _VOWELS)
    }
    return sorted(symbol for symbol in made - TAKEN if not symbol.startswith(_RUDE))


FEWEST_COMPANIES = 16
FEWEST_SESSIONS = 130
"""Two quarters: a dividend, a halt and a split need room."""
QUARTER = 63


@dataclass(frozen=True)
class Company:
    """One symbol; sessions are counted from 0, the first of the market."""

    symbol: str
    first: int
    """Session of its first bar."""
    last: int
    """Session of its last bar."""
    price: float
    """USD per share about session `anchor`, before a split on that session."""
    anchor: int
    beta: float
    sector: int
    sector_share: float
    """How much of its sector's move it takes."""
    own_volatility: float
    """Annualised, of the move it shares with nobody."""
    dollar_volume: float
    """USD traded in a usual session."""
    dividend_yield: float = 0.0
    """Cash a year as a fraction of the price; 0: pays none."""
    report_phase: int | None = None
    """Session within the quarter at whose open the results are in the price; None: no results."""
    splits: dict[int, float] = field(default_factory=dict)
    """New shares per old one, by ex-session."""
    unrecorded: frozenset[int] = frozenset()
    """Splits missing from the corporate actions."""
    halted: frozenset[int] = frozenset()
    """Sessions without a bar."""


def make_companies(
    rng: random.Random, count: int, sessions: int, avoid: frozenset[str] = frozenset()
) -> tuple[Company, ...]:
    """`count` symbols, the index fund first, none of them in `avoid`.

    *Raises* UsageError for a market too small to show everything.
    """
    if count < FEWEST_COMPANIES or sessions < FEWEST_SESSIONS:
        raise UsageError(
            f"a synthetic market of {count} symbols and {sessions} sessions is too small",
            hint=f"at least {FEWEST_COMPANIES} symbols and {FEWEST_SESSIONS} sessions",
        )
    symbols = invented_tickers(rng, count - 1, avoid)
    usual = [_usual_company(rng, symbol, sessions) for symbol in symbols]
    parts = _fixed_parts(usual, sessions)
    fates = [_draw_fate(rng, company, sessions) for company in usual[len(parts) :]]
    return (_index_fund(sessions), *parts, *fates)


def _index_fund(sessions: int) -> Company:
    return Company(
        symbol=INDEX_SYMBOL,
        first=0,
        last=sessions - 1,
        price=250.0,
        anchor=0,
        beta=1.0,
        sector=0,
        sector_share=0.0,
        own_volatility=0.01,
        dollar_volume=9e9,
        dividend_yield=0.014,
    )


def _usual_company(rng: random.Random, symbol: str, sessions: int) -> Company:
    pays = rng.random() < 0.6
    return Company(
        symbol=symbol,
        first=0,
        last=sessions - 1,
        price=math.exp(rng.gauss(math.log(55), 0.7)),
        anchor=0,
        beta=rng.uniform(0.5, 1.5),
        sector=rng.randrange(SECTORS),
        sector_share=rng.uniform(0.4, 1.2),
        own_volatility=rng.uniform(0.12, 0.24) if pays else rng.uniform(0.2, 0.45),
        dollar_volume=math.exp(rng.gauss(math.log(60e6), 1.2)),
        dividend_yield=rng.uniform(0.008, 0.04) if pays else 0.0,
        report_phase=rng.randrange(QUARTER),
    )


def _fixed_parts(companies: list[Company], sessions: int) -> list[Company]:
    """Those whose fate does not depend on the draw."""
    two, three, reverse, halted, late, delisted, unrecorded = companies[:7]
    third, half = sessions // 3, sessions // 2
    return [
        _with_split(replace(two, dividend_yield=0.02), half, 2.0),
        _with_split(three, third, 3.0),
        _with_split(replace(reverse, dividend_yield=0.0), half, 0.1),
        replace(halted, halted=frozenset((third, *range(half + 1, half + 4)))),
        replace(late, first=sessions * 3 // 5),
        replace(delisted, last=sessions * 2 // 3),
        replace(_with_split(unrecorded, third, 2.0), unrecorded=frozenset({third})),
    ]


def _draw_fate(rng: random.Random, company: Company, sessions: int) -> Company:
    fate = rng.random()
    at = rng.randrange(sessions // 10, sessions - 10)
    if fate < 0.08:
        return _with_split(company, at, 2.0)
    if fate < 0.11:
        return _with_split(company, at, 3.0)
    if fate < 0.13:
        return _with_split(replace(company, dividend_yield=0.0), at, 0.1)
    if fate < 0.16:
        return replace(company, halted=frozenset(range(at, at + rng.randint(1, 4))))
    if fate < 0.20:
        return replace(company, first=at)
    if fate < 0.22:
        return replace(company, last=at)
    return company


def _with_split(company: Company, at: int, ratio: float) -> Company:
    """Split at a price at which companies split: far above, or for a reverse split below, the usual."""
    price = {2.0: 260.0, 3.0: 480.0}.get(ratio, 2.4)
    return replace(company, splits={at: ratio}, price=price, anchor=at)


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
    company: Company, weather: MarketFactors, short_sessions: frozenset[int], rng: random.Random
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


def _draw_moves(company: Company, weather: MarketFactors, rng: random.Random) -> _Moves:
    usual = daily_variance(company.own_volatility)
    own = usual
    market, sector = weather.market, weather.sectors[company.sector]
    night_part, day_part = math.sqrt(OVERNIGHT), math.sqrt(1 - OVERNIGHT)
    moves = _Moves([], [], [])
    for session in range(company.first, company.last + 1):
        volatility = math.sqrt(own * weather.regime[session])
        own_night = rng.gauss(0, volatility * night_part)
        own_day = rng.gauss(0, volatility * day_part)
        # Without the mood in it: remembered too, a storm would feed itself.
        calm_move = (own_night + own_day) / math.sqrt(weather.regime[session])
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
