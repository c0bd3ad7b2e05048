# SPDX-License-Identifier: Apache-2.0
"""The data shipped with ttapi as a source: the dates of every market, listing horizons, some lists.

What follows from a rule counts as known from the first day of the calendar; a closure, early close
or late open nobody could foresee is known from the midnight (New York) of its own day; a listing
programme from the day it starts; a list of symbols from the day it stands for.

The calendar's rows as batches; apart from the declarations, which are read without Polars.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from ttapi.errors import SourceError
from ttapi.market import shipped
from ttapi.market.calendar import FIRST_DATE, LAST_DATE, MARKETS, NEW_YORK, Sessions, sessions
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


_ALWAYS_KNOWN = datetime(FIRST_DATE.year, 1, 1)  # noqa: DTZ001 - instants leave without a zone, in UTC


def rows_of(resource: Resource, key: str, last: date) -> pl.DataFrame:
    """The rows of one unit in the shape of a batch.

    *Raises* SourceError for a unit the calendar does not have.
    """
    if resource.name == DAYS.name and key in MARKETS:
        return _day_rows(sessions(key), last)
    if resource.name == LISTING_HORIZONS.name and key == LISTING_HORIZONS.name:
        return _horizon_rows()
    if resource.name == UNIVERSES.name and key == UNIVERSES.name:
        return _universe_rows()
    raise SourceError(f"the calendar has no unit {key!r} in {resource.name}")


def batch_of(request: UnitRequest, rows: pl.DataFrame) -> Batch:
    """A batch of one unit; without rows when the content is the known one."""
    content_hash = hashlib.sha256(rows.write_csv().encode()).hexdigest()
    report = UnitReport(request.unit, content_hash=content_hash, has_duplicates=False)
    if content_hash == request.known_hash:
        return Batch(units=(replace(report, is_unchanged=True),))
    report = replace(report, rows_in=rows.height, rows_accepted=rows.height)
    if "date" in rows.columns:
        first, last = rows["date"][0], rows["date"][-1]
        report = replace(report, first_date=first, last_date=last)
    return Batch(units=(report,), rows=rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _day_rows(calendar: Sessions, last: date) -> pl.DataFrame:
    """Every date from FIRST_DATE to `last` in the shape of a batch."""
    days = pl.DataFrame({"date": pl.date_range(FIRST_DATE, last, eager=True)})
    closures = _names(calendar.closures, "holiday_name")
    short = _names({d: s for d, s in calendar.early_closes.items() if s.kind != "halt"}, "short")
    late = _names(calendar.late_opens, "late")
    unforeseen = _unforeseen(calendar)
    return (
        days.join(calendar.close_utc_by_date(), on="date", how="left", maintain_order="left")
        .join(closures, on="date", how="left", maintain_order="left")
        .join(short, on="date", how="left", maintain_order="left")
        .join(late, on="date", how="left", maintain_order="left")
        .join(unforeseen, on="date", how="left", maintain_order="left")
        .select(
            pl.lit(calendar.market).alias("market"),
            "date",
            pl.col("close_utc").is_not_null().alias("is_trading_day"),
            "open_utc",
            "close_utc",
            pl.col("short").is_not_null().alias("is_early_close"),
            pl.col("late").is_not_null().alias("is_late_open"),
            "holiday_name",
            pl.lit(0, dtype=pl.Int32).alias("unit"),
            pl.lit(None, dtype=pl.Int32).alias("line"),
            pl.col("known_at").fill_null(pl.lit(_ALWAYS_KNOWN, dtype=pl.Datetime("us"))),
        )
    )


def _names(days: dict[date, shipped.SpecialDay], column: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"date": list(days), column: [day.name for day in days.values()]},
        schema={"date": pl.Date, column: pl.String},
    )


def _unforeseen(calendar: Sessions) -> pl.DataFrame:
    """The days no rule gives, each with the midnight it became known."""
    special = (calendar.closures, calendar.early_closes, calendar.late_opens)
    days = sorted({d for group in special for d, s in group.items() if s.kind != "regular"})
    midnights = [
        datetime(d.year, d.month, d.day, tzinfo=NEW_YORK).astimezone(UTC).replace(tzinfo=None)
        for d in days
    ]
    return pl.DataFrame(
        {"date": days, "known_at": midnights},
        schema={"date": pl.Date, "known_at": pl.Datetime("us")},
    )


def _horizon_rows() -> pl.DataFrame:
    """The listing horizons in the shape of a batch."""
    horizons = shipped.listing_horizons()
    names = [column.name for column in LISTING_HORIZONS.columns]
    types = {"VARCHAR": pl.String, "INTEGER": pl.Int32, "DATE": pl.Date}
    declared = pl.DataFrame(
        {name: [getattr(horizon, name) for horizon in horizons] for name in names},
        schema={column.name: types[column.type] for column in LISTING_HORIZONS.columns},
    )
    return declared.with_columns(
        pl.lit(0, dtype=pl.Int32).alias("unit"),
        pl.Series("line", [horizon.line for horizon in horizons], dtype=pl.Int32),
        pl.col("listed_since").cast(pl.Datetime("us")).alias("known_at"),
    )


def _universe_rows() -> pl.DataFrame:
    """The shipped lists in the shape of a batch; known from the day each stands for."""
    members = shipped.universe_members()
    return pl.DataFrame(
        {
            "name": [member.name for member in members],
            "symbol": [member.symbol for member in members],
            "as_of": [member.as_of for member in members],
            "about": [member.about for member in members],
            "unit": [0] * len(members),
            "line": [member.line for member in members],
        },
        schema_overrides={"unit": pl.Int32, "line": pl.Int32},
    ).with_columns(pl.col("as_of").cast(pl.Datetime("us")).alias("known_at"))
