# SPDX-License-Identifier: Apache-2.0
"""The calendar's rows as batches; apart from the declarations, which are read without Polars."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl

from ttapi.errors import SourceError
from ttapi.market import shipped
from ttapi.market.calendar import FIRST_DATE, MARKETS, NEW_YORK, Sessions, sessions
from ttapi.sources.calendar import DAYS, LISTING_HORIZONS, UNIVERSES
from ttapi.sources.contract import Batch, Resource, UnitReport, UnitRequest

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
