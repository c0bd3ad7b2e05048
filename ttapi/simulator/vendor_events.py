# SPDX-License-Identifier: Apache-2.0
"""What the vendor market says of a symbol at one moment, as values; the protocols dress them.

Prices are USD, None where the market has none. Nothing here is a real price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime as dt
    from decimal import Decimal


class DayBar(NamedTuple):
    """One XNYS session as traded: raw, rounded to cents."""

    date: dt.date
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    """Shares; None for an index."""


@dataclass(frozen=True)
class SimQuote:
    """Both sides of the book."""

    bid: float | None
    """None: not quoted (an index); 0: nobody bids."""
    ask: float | None
    bid_size: int
    ask_size: int


@dataclass(frozen=True)
class SimTrade:
    """The last trade."""

    time: dt.datetime
    """UTC."""
    price: float
    size: int
    change: float
    """Against the previous close."""
    day_volume: int
    exchange_code: str


@dataclass(frozen=True)
class SimSummary:
    """The session of now, or the last one, and the one before it."""

    date: dt.date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    """None while the session lasts."""
    prev_date: dt.date
    prev_close: float
    prev_volume: int | None
    open_interest: int


@dataclass(frozen=True)
class SimProfile:
    """What changes seldom."""

    description: str
    high_52_week: float | None
    low_52_week: float | None
    beta: float | None
    earnings_per_share: float | None
    """Of the last four quarters."""
    dividends_a_year: int
    ex_dividend_amount: float | None
    ex_dividend_date: dt.date | None
    shares: int | None


@dataclass(frozen=True)
class SimGreeks:
    """An option's theoretical price and its derivatives, from the surface.

    *Units* theta per calendar day; vega and rho per percent point; volatility a fraction.
    """

    price: float
    volatility: float
    delta: float
    gamma: float
    theta: float
    rho: float
    vega: float


@dataclass(frozen=True)
class SimUnderlying:
    """An underlying seen through its options."""

    volatility: float
    """Of 30 days, a fraction."""
    front_volatility: float
    back_volatility: float
    call_volume: int
    put_volume: int
    put_call_ratio: float


@dataclass(frozen=True)
class SimCandle:
    """One aggregated candle."""

    time: dt.datetime
    """UTC; its beginning, midnight UTC of the session date from a day on."""
    open: float
    high: float
    low: float
    close: float
    volume: int | None
    count: int
    vwap: float


@dataclass(frozen=True)
class Deliverable:
    """What one contract of an adjusted root delivers."""

    symbol: str | None
    """None: cash."""
    amount: Decimal
    """Shares, or USD."""


@dataclass(frozen=True)
class ChainExpiration:
    """One expiration of a root."""

    date: dt.date
    settlement: str
    """`AM` or `PM`."""
    kind: str
    """`monthly`, `quarterly`, `eom` or `weekly`."""
    strikes: tuple[Decimal, ...]
    """USD, ascending."""


@dataclass(frozen=True)
class RootChain:
    """The options of one root."""

    root: str
    underlying: str
    option_chain_type: str
    """`Standard` or `Non-standard` (adjusted)."""
    shares_per_contract: int
    exercise_style: str
    """`American` or `European`."""
    deliverables: tuple[Deliverable, ...]
    expirations: tuple[ChainExpiration, ...]
    """Ascending by date, AM before PM."""
