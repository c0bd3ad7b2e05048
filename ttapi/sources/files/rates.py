# SPDX-License-Identifier: Apache-2.0
"""Rules of the resource `rates`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from ttapi.sources.folder import FilePlace

TOO_HIGH = "rate above 1: fractions a year are wanted, 0.04 for 4 percent"
_TENOR = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_DAYS = {
    **dict.fromkeys(("", "d", "day", "days"), 1.0),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7.0),
    **dict.fromkeys(("m", "mo", "mos", "month", "months"), 365 / 12),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 365.0),
}
"""Calendar days of each unit; a month is a twelfth of 365."""
_LONGEST = 36_500


def tenor_days(text: str) -> int | None:
    """The days a text means: `90`, `2W`, `3M`, `1.5 Month`, `10 Yr`; None for one that is no tenor."""
    match = _TENOR.fullmatch(text.strip())
    if match is None or match[2].lower() not in _DAYS:
        return None
    days = round(float(match[1]) * _DAYS[match[2].lower()])
    return days if 0 < days <= _LONGEST else None


def complete(rows: pl.DataFrame, _: FilePlace) -> pl.DataFrame:
    """The days of each tenor."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    days = {text: tenor_days(text) for text in rows["tenor"].unique() if text is not None}
    found = [None if text is None else days[text] for text in rows["tenor"]]
    return rows.with_columns(pl.Series("tenor_days", found, pl.Int32))


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Why a rate is refused: no date, no tenor, no rate, or one in percent.

    Of a file in percent every row is refused, the low rates that could be fractions too.
    """
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    rate = pl.col("rate")
    is_high = rate.abs() > 1
    return rows.select(
        pl.when(pl.col("date").is_null())
        .then(pl.lit("no date"))
        .when(pl.col("tenor").is_null())
        .then(pl.lit("no tenor_days"))
        .when(pl.col("tenor_days").is_null())
        .then(pl.lit("tenor_days is no number of days, and no 3M or 1Y"))
        .when(rate.is_null())
        .then(pl.lit("no rate"))
        .when(is_high)
        .then(pl.lit(TOO_HIGH))
        .when(is_high.any())
        .then(pl.lit(f"another row has a {TOO_HIGH}"))
        .alias("reason")
    )["reason"]


def known_at(rows: pl.DataFrame, now: datetime) -> pl.Series:
    """The close of its date; null where that is still to come."""
    from ttapi.sources.instants import known_at_close  # noqa: PLC0415 - resources are listed without it

    return known_at_close(rows["date"], now)
