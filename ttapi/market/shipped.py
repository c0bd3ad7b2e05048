# SPDX-License-Identifier: Apache-2.0
"""The data files beside this module, read into values.

`closures`, `early_closes` and `late_opens` are written by scripts/make_calendar.py; `hours`,
`overrides`, `listing_horizons` and `universes` are kept by hand, each row with its reference or date.

What the exchanges' contract specifications say of options on indices (Cboe).
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True)
class SpecialDay:
    """One day out of rule: a closure, an early close or a late open of XNYS."""

    date: date
    name: str
    kind: str
    """`regular` (by rule), `ad-hoc` (announced shortly before) or `halt` (trading broke off)."""
    at: time | None = None
    """New York time of the early close or late open; None for a closure."""


@dataclass(frozen=True)
class Hours:
    """Regular trading hours of one market from one session on, New York time."""

    from_date: date
    open: time
    close: time
    early_close_lag_min: int
    """Minutes by which a short day ends after the short day of XNYS."""


@dataclass(frozen=True)
class ListingHorizon:
    """How far ahead one class of expirations is listed, and since when."""

    line: int
    """1-based line of the file."""
    programme: str
    """What sets this row apart, in words; unique."""
    root: str
    kind: str
    """`monthly`, `quarterly`, `eom`, `weekly`, `vix_monthly` or `vix_weekly`."""
    settlement: str
    """`AM` or `PM`."""
    iso_dow: int | None
    """Scheduled weekday, Monday = 1; None: not bound to one."""
    month: int | None
    """Scheduled month; None: every month."""
    listed_since: date
    """First day on which such an expiration could be traded."""
    first_expiration: date
    """First expiration date, inclusive."""
    last_expiration: date | None
    """Last expiration date, inclusive; None: still listed."""
    days_ahead: int | None
    """Calendar days from the first listing to the scheduled date; None: `months_ahead` says it."""
    months_ahead: int | None
    """Listed on the session after the standard monthly expiration this many months before."""
    reference: str


@dataclass(frozen=True)
class UniverseMember:
    """One symbol of a list that is shipped."""

    line: int
    """1-based line of the file."""
    name: str
    symbol: str
    as_of: date
    """The day the list stands for."""
    about: str
    """What the list is."""


@cache
def fingerprint() -> bytes:
    """A digest of every shipped file: it changes with any of them."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(_FOLDER.glob("*.csv")):
        digest.update(path.read_bytes())
    return digest.digest()


@cache
def closures() -> tuple[SpecialDay, ...]:
    """Every weekday without an XNYS session, in date order."""
    return tuple(_special_days("closures.csv", None))


@cache
def early_closes() -> tuple[SpecialDay, ...]:
    """Every XNYS session that ended before its time, in date order."""
    return tuple(_special_days("early_closes.csv", "close"))


@cache
def late_opens() -> tuple[SpecialDay, ...]:
    """Every XNYS session that began after its time, in date order."""
    return tuple(_special_days("late_opens.csv", "open"))


@cache
def regular_hours() -> dict[str, tuple[Hours, ...]]:
    """Regular hours per market, in date order."""
    hours: dict[str, list[Hours]] = {}
    for _, row in _rows("hours.csv"):
        hours.setdefault(row["market"], []).append(
            Hours(
                date.fromisoformat(row["from_date"]),
                time.fromisoformat(row["open"]),
                time.fromisoformat(row["close"]),
                int(row["early_close_lag_min"]),
            )
        )
    return {market: tuple(eras) for market, eras in hours.items()}


@cache
def listing_horizons() -> tuple[ListingHorizon, ...]:
    """Every listing programme of the rule roots, in file order."""
    return tuple(
        ListingHorizon(
            line=line,
            programme=row["programme"],
            root=row["root"],
            kind=row["kind"],
            settlement=row["settlement"],
            iso_dow=_integer(row["iso_dow"]),
            month=_integer(row["month"]),
            listed_since=date.fromisoformat(row["listed_since"]),
            first_expiration=date.fromisoformat(row["first_expiration"]),
            last_expiration=_date(row["last_expiration"]),
            days_ahead=_integer(row["days_ahead"]),
            months_ahead=_integer(row["months_ahead"]),
            reference=row["reference"],
        )
        for line, row in _rows("listing_horizons.csv")
    )


@cache
def universe_members() -> tuple[UniverseMember, ...]:
    """Every symbol of every list, in file order."""
    return tuple(
        UniverseMember(
            line, row["name"], row["symbol"], date.fromisoformat(row["as_of"]), row["about"]
        )
        for line, row in _rows("universes.csv")
    )


def _special_days(name: str, time_column: str | None) -> Iterator[SpecialDay]:
    for _, row in _rows(name):
        at = time.fromisoformat(row[time_column]) if time_column else None
        yield SpecialDay(date.fromisoformat(row["date"]), row["name"], row["kind"], at)


def _rows(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its 1-based line; line 1 is the licence, line 2 the header."""
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        next(file)
        yield from enumerate(csv.DictReader(file), start=3)


def _integer(text: str) -> int | None:
    return int(text) if text else None


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


EUROPEAN_INDICES = frozenset({"SPX", "XSP", "XEO", "NDX", "XND", "RUT", "MRUT", "DJX", "VIX"})
"""Underlyings whose options are European; of index options OEX alone is American."""
AMERICAN_INDEX = "OEX"
AM_ROOTS = frozenset({"SPX", "NDX", "RUT", "VIX", "VIXW", "DJX"})
"""Roots that settle by opening prices; every other one by closing prices."""
