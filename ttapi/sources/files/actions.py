# SPDX-License-Identifier: Apache-2.0
"""Rules of the resource `corporate_actions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from ttapi.sources.folder import FilePlace

KINDS = ("split", "dividend")
SMALLEST_RATIO, LARGEST_RATIO = 1e-9, 1e9
"""New shares per old one: what lies beyond is no split of anything, and no price outlives it."""


def complete(rows: pl.DataFrame, _: FilePlace) -> pl.DataFrame:
    """Symbols and kinds in their usual case, and the ex-date where only the last cum date stands."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    from ttapi.sources.instants import next_sessions  # noqa: PLC0415 - reads the calendar

    return rows.with_columns(
        pl.col("symbol").str.to_uppercase().str.replace_all("/", ".", literal=True),
        pl.col("kind").str.to_lowercase(),
        pl.coalesce("ex_date", next_sessions(rows["last_cum_date"])).alias("ex_date"),
    )


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Why an action is refused: no symbol, unknown kind, no date, no possible ratio, no positive cash."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    def is_missing(column: str) -> pl.Expr:
        return ~(pl.col(column) > 0).fill_null(value=False)

    split, dividend = (pl.col("kind") == kind for kind in KINDS)
    return rows.select(
        pl.when(pl.col("symbol").is_null())
        .then(pl.lit("no symbol"))
        .when(~pl.col("kind").is_in(KINDS).fill_null(value=False))
        .then(pl.lit("kind is neither split nor dividend"))
        .when(pl.col("ex_date").is_null() & pl.col("last_cum_date").is_not_null())
        .then(pl.lit("no session is known after last_cum_date"))
        .when(pl.col("ex_date").is_null())
        .then(pl.lit("neither ex_date nor last_cum_date"))
        .when(split & is_missing("ratio"))
        .then(pl.lit("a split without a ratio above 0"))
        .when(split & ~pl.col("ratio").is_between(SMALLEST_RATIO, LARGEST_RATIO))
        .then(pl.lit(f"a split ratio beyond {SMALLEST_RATIO:g} to {LARGEST_RATIO:g}"))
        .when(dividend & is_missing("cash"))
        .then(pl.lit("a dividend without cash above 0"))
        .alias("reason")
    )["reason"]


def known_at(rows: pl.DataFrame, now: datetime) -> pl.Series:
    """The open of the ex-date; null where that is still to come."""
    from ttapi.sources.instants import known_at_open  # noqa: PLC0415 - resources are listed without it

    return known_at_open(rows["ex_date"], now)
