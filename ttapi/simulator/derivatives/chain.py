# SPDX-License-Identifier: Apache-2.0
"""The chain of an underlying: its roots, their expirations and strikes.

The ladder of strikes an expiration has: fine near the price, coarse in the wings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.derivatives.expirations import expirations_of
from ttapi.simulator.events import ChainExpiration, Deliverable, RootChain

if TYPE_CHECKING:
    from ttapi.simulator.derivatives.expirations import Expiration
    from ttapi.simulator.listings import Listing

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


ADJUSTED_CASH = Decimal("21.40")
ADJUSTED_SHARES = 8
"""What a contract of an adjusted root delivers beside its 100 shares: cash, and shares of another."""
_ADJUSTED_STRIKE = Decimal("-1.25")
"""Added to the strikes of an adjusted root, as after a special dividend."""
_ADJUSTED_DAYS = 200
_INDEX_STEPS = {"SPX": "5", "NDX": "25", "VIX": "0.5"}
_FUND_STEP = "1"
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class ListingOutlook:
    """What strikes are chosen by: the last close, and how far the price may go."""

    close: float
    volatility: float
    """Annual fraction."""


def settles_at(expiration: Expiration | ChainExpiration) -> datetime:
    """When the settlement price is taken: at the open (AM) or at the close (PM), UTC."""
    calendar = sessions("XNYS")
    if expiration.settlement == "AM":
        return calendar.open_utc(expiration.date)
    return calendar.close_utc(expiration.date)


def last_turn(now: datetime) -> datetime:
    """The last moment at which a chain may have changed: midnight, the open or the close."""
    calendar, local = sessions("XNYS"), now.astimezone(NEW_YORK)
    turns = [local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)]
    if calendar.is_session(local.date()):
        turns += [calendar.open_utc(local.date()), calendar.close_utc(local.date())]
    return max(turn for turn in turns if turn <= now)


def years_until(expiration: Expiration | ChainExpiration, now: datetime) -> float:
    """Calendar years of 365 days to settlement; not above 0 once it is past."""
    return (settles_at(expiration) - now) / _YEAR


def unsettled(root: RootChain, now: datetime) -> RootChain:
    """The root without what has settled."""
    left = tuple(expiration for expiration in root.expirations if settles_at(expiration) > now)
    return replace(root, expirations=left)


def make_chain(
    listing: Listing, outlook: ListingOutlook, now: datetime, other: str
) -> tuple[RootChain, ...]:
    """Every root of `listing`; `other` is the company an adjusted contract delivers shares of."""
    return tuple(
        _adjusted_root(listing, root, outlook, now, other)
        if root == f"{listing.symbol}1"
        else _standard_root(listing, root, outlook, now)
        for root in listing.roots
    )


def _standard_root(
    listing: Listing, root: str, outlook: ListingOutlook, now: datetime
) -> RootChain:
    step = _FUND_STEP if listing.kind == "etf" else _INDEX_STEPS.get(listing.symbol)
    return RootChain(
        root=root,
        underlying=listing.symbol,
        option_chain_type="Standard",
        shares_per_contract=100,
        exercise_style="European" if listing.kind == "index" and root != "OEX" else "American",
        deliverables=()
        if listing.kind == "index"
        else (Deliverable(listing.symbol, Decimal(100)),),
        expirations=tuple(
            ChainExpiration(
                expiration.date,
                expiration.settlement,
                expiration.kind,
                _strikes(outlook, expiration, now, step),
            )
            for expiration in _listed(listing, root, now)
        ),
    )


def _adjusted_root(
    listing: Listing, root: str, outlook: ListingOutlook, now: datetime, other: str
) -> RootChain:
    return RootChain(
        root=root,
        underlying=listing.symbol,
        option_chain_type="Non-standard",
        shares_per_contract=100,
        exercise_style="American",
        deliverables=(
            Deliverable(listing.symbol, Decimal(100)),
            Deliverable(other, Decimal(ADJUSTED_SHARES)),
            Deliverable(None, ADJUSTED_CASH),
        ),
        expirations=tuple(
            ChainExpiration(
                expiration.date,
                expiration.settlement,
                expiration.kind,
                tuple(
                    strike + _ADJUSTED_STRIKE
                    for strike in _strikes(outlook, expiration, now, "5")
                    if strike + _ADJUSTED_STRIKE > 0
                ),
            )
            for expiration in _listed(listing, root, now)
            if expiration.kind == "monthly" and years_until(expiration, now) * 365 < _ADJUSTED_DAYS
        ),
    )


def _listed(listing: Listing, root: str, now: datetime) -> list[Expiration]:
    """Listed expirations that have not settled yet."""
    today = now.astimezone(NEW_YORK).date()
    cycle = 1 + sum(map(ord, listing.symbol)) % 3 if listing.kind == "equity" else 0
    return [
        expiration
        for expiration in expirations_of(root, today, cycle)
        if settles_at(expiration) > now
    ]


def _strikes(
    outlook: ListingOutlook, expiration: Expiration, now: datetime, step: str | None
) -> tuple[Decimal, ...]:
    days = (expiration.date - _session_date(now)).days
    return strike_ladder(outlook.close, outlook.volatility, max(days, 1) / 365, step)


def _session_date(now: datetime) -> date:
    return now.astimezone(NEW_YORK).date()
