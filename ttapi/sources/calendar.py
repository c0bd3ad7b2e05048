# SPDX-License-Identifier: Apache-2.0
"""The data shipped with ttapi as a source: the dates of every market, listing horizons, some lists.

What follows from a rule counts as known from the first day of the calendar; a closure, early close
or late open nobody could foresee is known from the midnight (New York) of its own day; a listing
programme from the day it starts; a list of symbols from the day it stands for.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import TYPE_CHECKING

from ttapi.errors import SourceError
from ttapi.market import shipped
from ttapi.market.calendar import LAST_DATE, MARKETS, NEW_YORK
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport, UnitRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ttapi.sources.contract import SourceContext

_SHORTEST_LAST_DATE = date(2028, 12, 31)
_YEARS_AHEAD = 2

DAYS = Resource(
    name="days",
    table="calendar_days",
    about="Every calendar date of every market: whether it trades, from when to when, why not.",
    columns=(
        Column("market", "VARCHAR", "XNYS, CBOE_IDX or CFE"),
        Column("date", "DATE", "calendar date, New York; weekends and holidays included"),
        Column("is_trading_day", "BOOLEAN", "true: the market has a session"),
        Column("open_utc", "TIMESTAMP", "UTC; null: no session"),
        Column("close_utc", "TIMESTAMP", "UTC; null: no session"),
        Column("is_early_close", "BOOLEAN", "true: announced to end early; a halt is none"),
        Column("is_late_open", "BOOLEAN", "true: began after its time"),
        Column("holiday_name", "VARCHAR", "why a weekday has no session; null: session or weekend"),
    ),
    grain=("market", "date"),
    keys=("market",),
    time_column="date",
    ttl="7d",
    is_local=True,
    licence="shared",
    is_timeless=True,
)
LISTING_HORIZONS = Resource(
    name="listing_horizons",
    table="listing_horizons",
    about="How far ahead each class of expirations is listed, since when, and who says so.",
    columns=(
        Column("programme", "VARCHAR", "what sets this row apart, in words"),
        Column("root", "VARCHAR", "EQUITY, SPX, SPXW, SPY, QQQ or VIX"),
        Column("kind", "VARCHAR", "monthly, quarterly, eom, weekly, vix_monthly or vix_weekly"),
        Column("settlement", "VARCHAR", "AM: opening prices; PM: closing prices"),
        Column("iso_dow", "INTEGER", "scheduled weekday, Monday = 1; null: any"),
        Column("month", "INTEGER", "scheduled month; null: any"),
        Column("listed_since", "DATE", "first day such an expiration could be traded"),
        Column("first_expiration", "DATE", "first expiration date, inclusive"),
        Column("last_expiration", "DATE", "last expiration date, inclusive; null: still listed"),
        Column(
            "days_ahead", "INTEGER", "calendar days from listing to scheduled date; null: months"
        ),
        Column(
            "months_ahead",
            "INTEGER",
            "listed after the monthly this many months before; null: days",
        ),
        Column("reference", "VARCHAR", "where this was read"),
    ),
    grain=("programme",),
    ttl="7d",
    is_local=True,
    licence="shared",
    is_timeless=True,
)

UNIVERSES = Resource(
    name="universes",
    table="shipped_universes",
    about="Lists of symbols that come with ttapi, as of the day each stands for.",
    columns=(
        Column("name", "VARCHAR", "what the list is called"),
        Column("symbol", "VARCHAR", "the ticker in upper case, / as ."),
        Column("as_of", "DATE", "the day the list stands for: later changes are not in it"),
        Column("about", "VARCHAR", "what the list is"),
    ),
    grain=("name", "symbol"),
    keys=("name",),
    ttl="7d",
    is_local=True,
    licence="shared",
)


class CalendarSource:
    """Sessions, listing horizons and shipped lists; needs no setting and no network."""

    name = "calendar"
    about = "Trading sessions of XNYS, CBOE_IDX and CFE, listing horizons and lists of symbols, shipped."
    version = "1"
    resources: tuple[Resource, ...] = (DAYS, LISTING_HORIZONS, UNIVERSES)
    setting_names: tuple[str, ...] = ()
    sql_folder: Path | None = None

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:  # noqa: ARG002 - contract
        """None: nothing has to be set."""
        return None

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:
        """One unit a market for `days`, one for each other resource."""
        keys = MARKETS if resource.name == DAYS.name else (resource.name,)
        # Shipped data has no file of the user's: a number of its content stands where a time of
        # change would, so that a newer release or a further year shows in the listing.
        digest = shipped.fingerprint() + str(last_calendar_date(context.now)).encode()
        stamp = int.from_bytes(hashlib.blake2b(digest, digest_size=6).digest())
        return [Unit(key, mtime_ns=stamp) for key in keys]

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """One batch a unit."""
        from ttapi.sources.calendar_rows import batch_of, rows_of  # noqa: PLC0415 - brings Polars

        for request in requests:
            try:
                rows = rows_of(resource, request.unit.key, last_calendar_date(context.now))
            except SourceError as exc:
                yield Batch(units=(UnitReport(request.unit, error=exc.message),))
                continue
            yield batch_of(request, rows)


def last_calendar_date(now: datetime) -> date:
    """The last date `days` holds: the end of 2028, or of the second year after `now` if later."""
    year = now.astimezone(NEW_YORK).year + _YEARS_AHEAD
    return min(max(_SHORTEST_LAST_DATE, date(year, 12, 31)), LAST_DATE)
