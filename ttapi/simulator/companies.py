# SPDX-License-Identifier: Apache-2.0
"""The invented companies: what each is like, and what happens to it.

The first ones after the index fund have a fixed part each (a split, a halt, a late listing), so
that even a small market shows everything; the rest draw their fate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.simulator.tickers import INDEX_SYMBOL, invented_tickers
from ttapi.simulator.weather import SECTORS

if TYPE_CHECKING:
    import random

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
