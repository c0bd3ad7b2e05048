# SPDX-License-Identifier: Apache-2.0
"""Builder of `derived.returns_stddev`: per symbol, once per distinct horizon, joined to its expirations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = "select distinct b.symbol from staged.eod as b"

INPUTS = {
    "closes": """
        select b.symbol, b.date, b.adj_close, b.close, c.session_no
        from derived.eod_adjusted as b
        join derived.calendar as c
            on c.market = 'XNYS' and c.date = b.date and c.is_trading_day
    """,
    "expirations": """
        select e.underlying, e.root, e.expiration_date, e.settlement, e.listed_from, e.session_no as expires_no
        from derived.expiration_series as e
    """,
}

_END_DATES = 252
_FEWEST_OBS = 30
_FEWEST_INDEPENDENT = 10
_QUANTILES = {
    "q05": 0.05,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q75": 0.75,
    "q90": 0.9,
    "q95": 0.95,
}


def build(inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rows of `derived.returns_stddev` for the symbols in `inputs["closes"]`.

    *Shape* in: every session's closes of each symbol; every expiration. Out: the table's columns,
    one row per symbol and expiration listed on the symbol's last bar.
    """
    closes = inputs["closes"].sort("symbol", "session_no")
    listed = _listed(closes, inputs["expirations"])
    horizons = pl.concat(
        [listed.get_column("dte_trading"), pl.Series("dte_trading", [1], pl.Int32)]
    ).unique()
    statistics = _statistics(closes, sorted(horizons.to_list()))
    one = statistics.filter(pl.col("dte_trading") == 1).select("symbol", one_session="stddev")
    return (
        listed.join(statistics, on=["symbol", "dte_trading"], how="left")
        .join(one, on="symbol", how="left")
        .with_columns(pl.col("n_obs").fill_null(0))
        .with_columns(
            n_independent=pl.col("n_obs") // pl.col("dte_trading"),
            stddev_scaled=pl.col("one_session") * pl.col("dte_trading").sqrt(),
        )
        .with_columns(
            pl.when(pl.col("n_obs") >= _FEWEST_OBS).then(pl.col(name)).alias(name)
            for name in ("mean", "stddev", "stddev_scaled", *_QUANTILES)
        )
        .with_columns(*_bands(), _quality().alias("quality"))
    )


def _listed(closes: pl.DataFrame, expirations: pl.DataFrame) -> pl.DataFrame:
    """One row per symbol and expiration listed on its last bar."""
    own = expirations.get_column("underlying").drop_nulls().unique().to_list()
    newest = (
        closes.group_by("symbol")
        .agg(
            as_of=pl.col("date").last(),
            newest_no=pl.col("session_no").last(),
            last_close=pl.col("close").last(),
        )
        .with_columns(
            underlying=pl.when(pl.col("symbol").is_in(own))
            .then(pl.col("symbol"))
            .otherwise(pl.lit(""))
        )
    )
    return (
        newest.join(expirations.with_columns(pl.col("underlying").fill_null("")), on="underlying")
        .filter(
            (pl.col("listed_from") <= pl.col("as_of"))
            & (pl.col("expiration_date") > pl.col("as_of"))
        )
        .with_columns(
            dte_calendar=(pl.col("expiration_date") - pl.col("as_of"))
            .dt.total_days()
            .cast(pl.Int32),
            dte_trading=(pl.col("expires_no") - pl.col("newest_no")).cast(pl.Int32),
        )
    )


def _statistics(closes: pl.DataFrame, horizons: list[int]) -> pl.DataFrame:
    """Mean, stddev and quantiles by symbol and horizon.

    Each symbol's closes are laid on the grid of sessions, missing ones null, from `max(horizons)`
    sessions before its 252nd last bar on: a horizon then is a shift, which never reaches into
    another symbol for a row that counts.
    """
    samples = _grid(closes, max(horizons)).with_columns(
        (pl.col("log_close") - pl.col("log_close").shift(h)).alias(f"{h}") for h in horizons
    )
    ends = samples.filter(pl.col("is_end"))
    wide = ends.group_by("symbol", maintain_order=True).agg(
        expression for h in horizons for expression in _of_horizon(h)
    )
    return pl.concat(
        wide.select(
            "symbol",
            pl.lit(h, pl.Int32).alias("dte_trading"),
            *(
                pl.col(f"{h}_{name}").alias(name)
                for name in ("n_obs", "mean", "stddev", *_QUANTILES)
            ),
        )
        for h in horizons
    )


def _grid(closes: pl.DataFrame, longest: int) -> pl.DataFrame:
    """Log closes by symbol and session, every session from far enough back to the symbol's last."""
    logs = closes.select("symbol", "session_no", log_close=pl.col("adj_close").log())
    ends = logs.group_by("symbol", maintain_order=True).tail(_END_DATES)
    spans = ends.group_by("symbol", maintain_order=True).agg(
        first_no=pl.col("session_no").min() - longest, last_no=pl.col("session_no").max() + 1
    )
    every = spans.select(
        "symbol", session_no=pl.int_ranges("first_no", "last_no", dtype=pl.Int32)
    ).explode("session_no")
    is_end = ends.select("symbol", "session_no", is_end=pl.lit(value=True))
    keys = ["symbol", "session_no"]
    return (
        every.join(logs, on=keys, how="left", maintain_order="left")
        .join(is_end, on=keys, how="left", maintain_order="left")
        .with_columns(pl.col("is_end").fill_null(value=False))
    )


def _of_horizon(horizon: int) -> list[pl.Expr]:
    value = pl.col(f"{horizon}")
    return [
        value.count().cast(pl.Int32).alias(f"{horizon}_n_obs"),
        value.mean().alias(f"{horizon}_mean"),
        value.std().alias(f"{horizon}_stddev"),
        *(value.quantile(q, "linear").alias(f"{horizon}_{name}") for name, q in _QUANTILES.items()),
    ]


def _bands() -> list[pl.Expr]:
    return [
        (pl.col("last_close") * (pl.col("stddev") * (sign * k)).exp()).alias(f"{word}_{k}s")
        for k in (1, 2, 3)
        for word, sign in (("low", -1), ("high", 1))
    ]


def _quality() -> pl.Expr:
    return (
        pl.when(pl.col("n_obs") < _FEWEST_OBS)
        .then(pl.lit("insufficient"))
        .when(pl.col("n_independent") < _FEWEST_INDEPENDENT)
        .then(pl.lit("low"))
        .otherwise(pl.lit("ok"))
    )
