# SPDX-License-Identifier: Apache-2.0
"""Rules of the resource `universes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from ttapi.sources.folder import FilePlace


def complete(rows: pl.DataFrame, _: FilePlace) -> pl.DataFrame:
    """Symbols in upper case."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    return rows.with_columns(
        pl.col("symbol").str.to_uppercase().str.replace_all("/", ".", literal=True)
    )


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Why a member is refused: no symbol, or an interval that ends before it starts."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    return rows.select(
        pl.when(pl.col("symbol").is_null())
        .then(pl.lit("no symbol"))
        .when(pl.col("name").is_null())
        .then(pl.lit("no name"))
        .when(pl.col("valid_to") <= pl.col("valid_from"))
        .then(pl.lit("valid_to is not after valid_from"))
        .alias("reason")
    )["reason"]


def known_at(rows: pl.DataFrame, now: datetime) -> pl.Series:
    """The open of valid_from; null where that is not given or still to come."""
    from ttapi.sources.instants import known_at_open  # noqa: PLC0415 - resources are listed without it

    return known_at_open(rows["valid_from"], now)
