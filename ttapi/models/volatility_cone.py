# SPDX-License-Identifier: Apache-2.0
"""Builder of `derived.volatility_cone`: the distribution of rolling volatility over all history."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from ttapi.models.volatility_latest import LOOKBACKS

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = "select distinct b.symbol from staged.eod as b"

INPUTS = {"returns": "select r.symbol, r.date, r.log_return from derived.returns as r"}

_QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


def build(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of `derived.volatility_cone` for the symbols in `inputs["returns"]`.

    *Shape* in: every return of each symbol (symbol, date, log_return). Out: one row per symbol and
    lookback that was ever full. *Source*: Burghardt and Lane 1990; quantiles linear (R type 7).
    """
    returns = (
        inputs["returns"].lazy().filter(pl.col("log_return").is_not_null()).sort("symbol", "date")
    )
    return pl.concat([_of_lookback(returns, lookback) for lookback in LOOKBACKS]).collect()


def _of_lookback(returns: pl.LazyFrame, lookback: int) -> pl.LazyFrame:
    rolling = pl.col("log_return").rolling_std(lookback).over("symbol") * math.sqrt(252)
    volatility = pl.col("volatility")
    return (
        returns.select("symbol", rolling.alias("volatility"))
        .drop_nulls()
        .group_by("symbol")
        .agg(
            volatility.min().alias("min"),
            *(volatility.quantile(q, "linear").alias(name) for name, q in _QUANTILES.items()),
            volatility.max().alias("max"),
            volatility.last().alias("current"),
            (volatility < volatility.last()).mean().alias("current_rank"),
            pl.len().alias("n_obs"),
        )
        .with_columns(pl.lit(lookback).alias("lookback"))
    )
