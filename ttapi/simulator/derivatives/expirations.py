# SPDX-License-Identifier: Apache-2.0
"""Which expirations a root has on a day: the listing programmes of ttapi/market, and a few more.

The rules are those of `sql/derived/expiration_series.sql`, worked out once more from the same data
file; a test holds the two to each other. Companies list cycle months besides, which that file does
not have, so that chains know more than rules do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

from ttapi.market import shipped
from ttapi.market.calendar import sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.market.shipped import ListingHorizon

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
