# SPDX-License-Identifier: Apache-2.0
"""When the market could know a fact: instants of XNYS for columns of dates.

Everything a source takes from the calendar goes through here.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache

import polars as pl

from ttapi.market.calendar import FIRST_DATE, NEW_YORK, sessions
from ttapi.sources.dates import FIRST_YEAR

_FIRST = date(FIRST_YEAR, 1, 1)
_LAST = date(FIRST_YEAR + 500, 12, 31)
_CLOSE_WITHOUT_SESSION = timedelta(hours=21)
_OPEN_WITHOUT_SESSION = timedelta(hours=14, minutes=30)


def session_today(now: datetime) -> date:
    """The date in New York at `now`; a later one lies in the future."""
    return now.astimezone(NEW_YORK).date()


def known_at_close(dates: pl.Series, now: datetime) -> pl.Series:
    """The close of each date, Datetime[us] UTC without zone; null where that is later than `now`.

    A date without session is known at 21:00 UTC, when a regular winter session would close.
    """
    return _at(_instants("close_utc", now), dates)


def known_at_open(dates: pl.Series, now: datetime) -> pl.Series:
    """As `known_at_close` for the open; a date without session opens at 14:30 UTC."""
    return _at(_instants("open_utc", now), dates)


def session_closes(dates: pl.Series) -> pl.Series:
    """As `known_at_close`, later than now or not."""
    return _at(_every_instant("close_utc"), dates)


def next_sessions(dates: pl.Series) -> pl.Series:
    """The first XNYS session after each date; null where the calendar does not reach."""
    known = sessions("XNYS").close_utc_by_date().select(pl.col("date").alias("next").set_sorted())
    asked = pl.DataFrame({"day": dates, "place": pl.int_range(dates.len(), eager=True)})
    inside = asked.filter(pl.col("day") >= FIRST_DATE)
    found = inside.sort("day").join_asof(
        known, left_on="day", right_on="next", strategy="forward", allow_exact_matches=False
    )
    places = asked.select("place").join(found, on="place", how="left", maintain_order="left")
    return places["next"]


@lru_cache(maxsize=4)
def _instants(column: str, now: datetime) -> pl.Series:
    limit = pl.lit(now.replace(tzinfo=None) - (now.utcoffset() or timedelta()))
    every = pl.col("known_at")
    return _every_instant(column).to_frame().select(pl.when(every <= limit).then(every))["known_at"]


@cache
def _every_instant(column: str) -> pl.Series:
    default = _CLOSE_WITHOUT_SESSION if column == "close_utc" else _OPEN_WITHOUT_SESSION
    days = pl.DataFrame({"date": pl.date_range(_FIRST, _LAST, eager=True)})
    known = sessions("XNYS").close_utc_by_date().select("date", column)
    usual = pl.col("date").cast(pl.Datetime("us")) + pl.lit(default)
    return days.join(known, on="date", how="left", maintain_order="left").select(
        pl.coalesce(pl.col(column), usual).cast(pl.Datetime("us")).alias("known_at")
    )["known_at"]


def _at(instants: pl.Series, dates: pl.Series) -> pl.Series:
    """The instant of each date; null for one centuries ahead."""
    places = dates.to_physical() - _day_number(_FIRST)
    if not (places < instants.len()).all():
        places = places.set(places >= instants.len(), None)
    return instants.gather(places)


def _day_number(day: date) -> int:
    return (datetime.combine(day, time()) - datetime(1970, 1, 1)).days  # noqa: DTZ001 - a day count
