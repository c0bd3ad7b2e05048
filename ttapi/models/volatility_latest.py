# SPDX-License-Identifier: Apache-2.0
"""Builder of `derived.volatility_latest`: each symbol's newest row per lookback, from its last bars only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOKBACKS = (5, 10, 20, 21, 30, 60, 63, 90, 126, 252)

KEYS = "select distinct b.symbol from staged.eod as b"

INPUTS = {
    "terms": """
        select t.symbol, t.date, t.sessions_spanned, t.is_suspect, t.log_return, t.squared_return,
            t.parkinson_term, t.garman_klass_term, t.rogers_satchell_term, t.overnight, t.open_close
        from derived.volatility_terms as t
        qualify row_number() over (partition by t.symbol order by t.date desc) <= 252
    """,
}

_LAMBDA = 0.94
_SESSIONS_A_YEAR = 252


def build(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of `derived.volatility_latest` for the symbols in `inputs["terms"]`.

    *Shape* in: at most the last 252 bars of each symbol, the columns of INPUTS. Out: the table's
    columns, one row per symbol and lookback. The same formulas as `derived.volatility_rows`.
    """
    terms = inputs["terms"].lazy().sort("symbol", "date")
    frames = [_of_lookback(terms, lookback) for lookback in LOOKBACKS]
    return pl.concat(frames).collect()


def _of_lookback(terms: pl.LazyFrame, lookback: int) -> pl.LazyFrame:
    window = terms.group_by("symbol", maintain_order=True).tail(lookback)
    age = pl.len() - 1 - pl.int_range(pl.len())
    weighted = (pl.col("squared_return") * (pl.lit(_LAMBDA) ** age)).sum() * (1 - _LAMBDA)
    seed = pl.col("squared_return").first() * _LAMBDA**lookback
    sums = window.group_by("symbol", maintain_order=True).agg(
        pl.col("date").last(),
        pl.col("log_return").count().alias("n_obs"),
        pl.col("garman_klass_term").count().alias("n_valid"),
        (pl.col("sessions_spanned") > 1).sum().alias("n_gaps"),
        pl.col("is_suspect").sum().alias("n_suspect"),
        pl.col("log_return").std().alias("daily_stddev"),
        pl.col("parkinson_term").mean().alias("parkinson"),
        pl.col("garman_klass_term").mean().alias("garman_klass"),
        (pl.col("garman_klass_term") + pl.col("overnight") ** 2)
        .mean()
        .alias("garman_klass_yang_zhang"),
        pl.col("rogers_satchell_term").mean().alias("rogers_satchell"),
        pl.col("overnight").var().alias("overnight_variance"),
        pl.col("open_close").var().alias("open_close_variance"),
        (weighted + seed).alias("ewma"),
    )
    is_full = pl.col("n_obs") == lookback
    return sums.with_columns(_yang_zhang().alias("yang_zhang")).select(
        "symbol",
        "date",
        pl.lit(lookback).alias("lookback"),
        "n_obs",
        "n_gaps",
        pl.when(is_full)
        .then(pl.col("daily_stddev") * math.sqrt(_SESSIONS_A_YEAR))
        .alias("close_to_close"),
        _annual("parkinson", is_full, scale=1 / (4 * math.log(2))),
        _annual("garman_klass", is_full),
        _annual("garman_klass_yang_zhang", is_full),
        _annual("rogers_satchell", is_full),
        _annual("yang_zhang", is_full),
        _annual("ewma", is_full),
        _quality(is_full, lookback).alias("quality"),
    )


def _yang_zhang() -> pl.Expr:
    """Overnight + k open-to-close + (1 - k) Rogers-Satchell; k of Yang and Zhang 2000."""
    n = pl.col("n_valid").cast(pl.Float64)
    k = 0.34 / (1.34 + (n + 1) / pl.when(n > 1).then(n - 1))
    return (
        pl.col("overnight_variance")
        + k * pl.col("open_close_variance")
        + (1 - k) * pl.col("rogers_satchell")
    )


def _annual(name: str, is_full: pl.Expr, *, scale: float = 1.0) -> pl.Expr:
    variance = pl.col(name) * scale
    return pl.when(is_full & (variance >= 0)).then((variance * _SESSIONS_A_YEAR).sqrt()).alias(name)


def _quality(is_full: pl.Expr, lookback: int) -> pl.Expr:
    return (
        pl.when(~is_full)
        .then(pl.lit("insufficient"))
        .when(pl.col("n_suspect") > 0)
        .then(pl.lit("suspected_split"))
        .when(pl.col("n_valid") < lookback)
        .then(pl.lit("invalid_bars"))
        .when(pl.col("n_gaps") > 0)
        .then(pl.lit("gap"))
        .otherwise(pl.lit("ok"))
    )
