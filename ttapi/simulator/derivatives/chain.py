# SPDX-License-Identifier: Apache-2.0
"""The chain of an underlying: its roots, their expirations and strikes.

The ladder of strikes an expiration has: fine near the price, coarse in the wings.

Which expirations a root has on a day: the listing programmes of ttapi/market, and a few more.

The rules are those of `sql/derived/expiration_series.sql`, worked out once more from the same data
file; a test holds the two to each other. Companies list cycle months besides, which that file does
not have, so that chains know more than rules do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from ttapi.market import shipped
from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.events import ChainExpiration, Deliverable, RootChain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.market.shipped import ListingHorizon
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


_KINDS = ("monthly", "quarterly", "eom", "vix_monthly", "vix_weekly", "weekly")
"""Of two kinds on one date the earlier here gives its name."""
_AS_ROOT = {
    "NDX": "SPX",
    "RUT": "SPX",
    "DJX": "SPX",
    "NDXP": "SPXW",
    "RUTW": "SPXW",
    "XSP": "SPXW",
    "IWM": "QQQ",
}
_WITH_PROGRAMMES = ("SPX", "SPXW", "SPY", "QQQ", "VIX", "VIXW")
"""Whose programmes a root follows; those without their own, all others: EQUITY."""
_HORIZON_DAYS = 1200


@dataclass(frozen=True)
class Expiration:
    """One expiration of a root."""

    date: date
    settlement: str
    kind: str
    """`monthly`, `quarterly`, `eom` or `weekly`."""


@dataclass(frozen=True)
class _Candidate:
    scheduled: date
    expires: date
    kind: str
    settlement: str
    listed_from: date


def expirations_of(root: str, as_of: date, cycle: int = 0) -> tuple[Expiration, ...]:
    """What `root` lists on `as_of`, ascending by date, AM before PM.

    `cycle` is a company's: 1 January, 2 February, 3 March and every third month on; 0: none.
    """
    programme = _AS_ROOT.get(root, root if root in _WITH_PROGRAMMES else "EQUITY")
    found = {
        (candidate.expires, candidate.settlement): candidate.kind
        for candidate in _candidates(programme, as_of)
        if candidate.listed_from <= as_of <= candidate.expires
    }
    for expires in _cycle_months(as_of, cycle) if cycle else ():
        found[expires, "PM"] = "monthly"
    return tuple(
        Expiration(expires, settlement, kind.removeprefix("vix_"))
        for (expires, settlement), kind in sorted(found.items())
    )


def third_friday(year: int, month: int) -> date:
    """The third Friday; months beyond 12 or below 1 reach into other years."""
    first = date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
    return first + timedelta((4 - first.weekday()) % 7 + 14)


@cache
def _candidates(programme: str, as_of: date) -> tuple[_Candidate, ...]:
    """Every expiration of the programme, one kind a date and settlement."""
    root = "VIX" if programme == "VIXW" else programme
    kinds = {"VIX": ("vix_monthly",), "VIXW": ("vix_weekly",)}.get(programme, _KINDS)
    best: dict[tuple[date, str], _Candidate] = {}
    for scheduled, expires, kind in _schedule(as_of):
        if kind not in kinds:
            continue
        for row in shipped.listing_horizons():
            if row.root != root or not _applies(row, kind, scheduled, expires):
                continue
            new = _Candidate(scheduled, expires, kind, row.settlement, _listed_from(row, scheduled))
            key = expires, row.settlement
            best[key] = _preferred(best[key], new) if key in best else new
    return tuple(best.values())


def _preferred(one: _Candidate, other: _Candidate) -> _Candidate:
    """The kind that gives its name; of one kind and date, listed from the earlier day."""
    if (one.kind, one.scheduled) == (other.kind, other.scheduled):
        return replace(one, listed_from=min(one.listed_from, other.listed_from))
    return min(
        one, other, key=lambda c: (_KINDS.index(c.kind), c.scheduled != c.expires, c.scheduled)
    )


def _applies(row: ListingHorizon, kind: str, scheduled: date, expires: date) -> bool:
    return (
        row.kind == kind
        and row.iso_dow in {None, scheduled.isoweekday()}
        and row.month in {None, scheduled.month}
        and row.first_expiration <= expires <= (row.last_expiration or expires)
    )


def _listed_from(row: ListingHorizon, scheduled: date) -> date:
    calendar = sessions("XNYS")
    since = calendar.session_on_or_after(row.listed_since)
    if row.days_ahead is not None:
        due = calendar.session_on_or_after(scheduled - timedelta(row.days_ahead))
    else:
        anchor = third_friday(scheduled.year, scheduled.month - (row.months_ahead or 0))
        due = calendar.next_session(anchor)
    return max(since, due)


@cache
def _schedule(as_of: date) -> tuple[tuple[date, date, str], ...]:
    """Scheduled date, expiration date and kind of all that may be listed on `as_of`."""
    last = as_of + timedelta(_HORIZON_DAYS)
    days = (as_of + timedelta(n) for n in range(-7, (last - as_of).days))
    return tuple(row for day in days if day.isoweekday() <= 5 for row in _kinds_of(day))


def _kinds_of(day: date) -> Iterator[tuple[date, date, str]]:
    calendar = sessions("XNYS")
    before = calendar.session_on_or_before(day)
    is_session = before == day
    is_holiday_monday = day.isoweekday() == 1 and not is_session
    yield day, calendar.next_session(day) if is_holiday_monday else before, "weekly"
    if day == third_friday(day.year, day.month):
        yield day, before, "monthly"
    if is_session and calendar.next_session(day).month != day.month:
        yield day, day, "eom"
        if day.month % 3 == 0:
            yield day, day, "quarterly"
    if day.isoweekday() == 3:
        friday = day + timedelta(30)
        kind = "vix_monthly" if 15 <= friday.day <= 21 else "vix_weekly"
        is_moved = not is_session or not calendar.is_session(friday)
        yield day, calendar.previous_session(day) if is_moved else day, kind


def _cycle_months(as_of: date, cycle: int) -> Iterator[date]:
    """The next two monthlies of a company's cycle beyond the two nearest months."""
    calendar = sessions("XNYS")
    months = [n for n in range(as_of.month + 2, as_of.month + 10) if (n - cycle) % 3 == 0]
    for month in months[:2]:
        yield calendar.session_on_or_before(third_friday(as_of.year, month))
