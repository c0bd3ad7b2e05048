# SPDX-License-Identifier: Apache-2.0
"""Rules of the resource `option_quotes`: which contract a row quotes, and of what instant.

Quotes are kept as the vendor said them, crossed ones too; who computes with them judges them.

Option quotes as files bring them: the columns that are stored, and what vendors call them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.market.shipped import AM_ROOTS, EUROPEAN_INDICES
from ttapi.sources.contract import Column, Resource
from ttapi.sources.folder import day_of_place, symbol_of_place

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from ttapi.sources.folder import FilePlace

_OCC = r"^([A-Z][A-Z0-9]{0,5}) *([0-9]{6})([CP])([0-9]{8})$"
_PRICES = ("bid", "ask", "mark", "last", "spot")
_COUNTS = ("bid_size", "ask_size", "volume", "open_interest")
_OF_CONTRACTS = ("settlement", "exercise_style", "multiplier", "is_adjusted")
_STRIKE_LIMIT = 100_000
"""USD: an OCC symbol has eight digits of thousandths."""


def complete(rows: pl.DataFrame, origin: FilePlace) -> pl.DataFrame:
    """Symbol, contract and snapshot of each row, and what follows from them.

    *Shape* beside the columns that are stored: `said_type`, `said_strike`, `said_expiration`, as the
    row has them; `is_contract`.
    """
    rows = _with_symbol(rows, origin)
    rows = _with_contract(rows)
    rows = _with_terms(rows)
    rows = _with_prices(rows, origin)
    return _with_snapshot(rows, origin)


def refusal(rows: pl.DataFrame) -> pl.Series:
    """Why a quote is refused: no contract, one that contradicts itself, no instant, a price below 0."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    col, is_contract = pl.col, pl.col("is_contract")
    is_strike = (col("strike") > 0).fill_null(value=False)
    reasons = (
        (col("symbol").is_null(), "no symbol"),
        (col("symbol").str.contains(_OCC), "symbol is an option's, and no column names the underlying"),
        (col("occ_symbol").is_not_null() & col("occ_strike").is_null(), "unparsable occ_symbol"),
        (is_contract & col("contract_expiration_date").is_null(), "no expiration_date"),
        (is_contract & ~is_strike, "no strike above 0"),
        (is_contract & (col("strike") >= _STRIKE_LIMIT), f"strike is not below {_STRIKE_LIMIT}"),
        (is_contract & col("said_type").is_null() & col("option_type").is_null(), "no option_type"),
        (is_contract & col("option_type").is_null(), "unknown option_type"),
        (col("occ_type") != col("option_type"), "option_type is not that of occ_symbol"),
        ((col("occ_strike") - col("strike")).abs() >= 0.0005, "strike is not that of occ_symbol"),
        (col("said_expiration") != col("expiration_date"), "expiration_date is not that of occ_symbol"),
        (is_contract & ~col("root").str.contains("^[A-Z][A-Z0-9]{0,5}$"), "root is none of an option"),
        (is_contract & col("settlement").is_null(), "settlement is neither AM nor PM"),
        (is_contract & col("exercise_style").is_null(), "exercise_style is neither A nor E"),
        (col("snapshot_at").is_null(), "no instant: neither a column nor the file's name has one"),
        *((col(name) < 0, f"negative {name}") for name in (*_PRICES, *_COUNTS)),
        (~is_contract & col("spot").is_null(), "neither a contract nor a price of the underlying"),
    )  # fmt: skip
    told = (pl.when(is_wrong).then(pl.lit(reason)) for is_wrong, reason in reasons)
    return rows.select(pl.coalesce(*told).alias("reason"))["reason"]


def known_at(rows: pl.DataFrame, now: datetime) -> pl.Series:
    """The snapshot's own instant; null where that is still to come."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    instant = now.replace(tzinfo=None) - (now.utcoffset() or now - now)
    at = pl.col("snapshot_at")
    return rows.select(pl.when(at <= pl.lit(instant)).then(at).alias("known_at"))["known_at"]


def _with_symbol(rows: pl.DataFrame, origin: FilePlace) -> pl.DataFrame:
    """`symbol` the underlying and `occ_symbol` the contract, whichever columns they stand in."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    symbol, occ = pl.col("symbol"), pl.col("occ_symbol")
    rows = rows.with_columns(occ.str.to_uppercase())
    if "underlying" in origin.columns:
        is_occ = symbol.str.to_uppercase().str.contains(_OCC)
        rows = rows.with_columns(
            pl.coalesce(occ, pl.when(is_occ).then(symbol.str.to_uppercase())).alias("occ_symbol"),
            pl.coalesce("underlying", pl.when(~is_occ).then(symbol)).alias("symbol"),
        )
    elif "symbol" not in origin.columns:
        rows = rows.with_columns(pl.lit(symbol_of_place(origin), pl.String).alias("symbol"))
    plain = (
        symbol.str.to_uppercase().str.replace_all("/", ".", literal=True).str.replace(r"^[\^$]", "")
    )
    # The underlying's own row calls it the contract, as the stored ones do.
    return rows.with_columns(plain).with_columns(
        pl.when(occ != symbol).then(occ).alias("occ_symbol")
    )


def _with_contract(rows: pl.DataFrame) -> pl.DataFrame:
    """Root, expiration, strike and type, of the columns and of the OCC symbol."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    names = ("occ_root", "occ_date", "occ_type", "occ_strike")
    parts = pl.col("occ_symbol").str.extract_groups(_OCC).struct.rename_fields(names).alias("parts")
    said = (
        pl.col("expiration_date").alias("said_expiration"),
        pl.col("strike").alias("said_strike"),
        pl.col("option_type").alias("said_type"),
    )
    rows = (
        rows.with_columns(parts, *said)
        .unnest("parts")
        .with_columns(
            pl.col("occ_date").str.to_date("%y%m%d", strict=False),
            # By text: a division would be off by a bit where 0.051 is nearest.
            pl.col("occ_strike").str.replace(r"(...)$", ".$1").cast(pl.Float64, strict=False),
        )
    )
    words = {"C": "C", "CALL": "C", "P": "P", "PUT": "P"}
    kind = pl.col("said_type").str.to_uppercase().replace_strict(words, default=None)
    is_contract = pl.any_horizontal(
        pl.col("occ_symbol", "said_expiration", "said_strike", "said_type").is_not_null()
    )
    plain_root = pl.col("symbol").str.replace_all(r"[^A-Z0-9]", "")
    dates = pl.coalesce("contract_expiration_date", "occ_date", "said_expiration")
    rows = rows.with_columns(
        is_contract.alias("is_contract"),
        pl.coalesce("said_strike", "occ_strike").alias("strike"),
        pl.when(pl.col("said_type").is_null())
        .then("occ_type")
        .otherwise(kind)
        .alias("option_type"),
        pl.coalesce("occ_root", pl.col("root").str.to_uppercase(), plain_root).alias("root"),
        dates.alias("contract_expiration_date"),
    )
    return rows.with_columns(
        _sessions(rows["contract_expiration_date"]).alias("expiration_date"),
        _sessions(rows["said_expiration"]).alias("said_expiration"),
    )


def _with_terms(rows: pl.DataFrame) -> pl.DataFrame:
    """What a contract delivers, how and when it settles, and its OCC symbol; null for the underlying."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    root, is_contract = pl.col("root"), pl.col("is_contract")
    settlement = pl.col("settlement").str.to_uppercase().str.replace_all(".", "", literal=True)
    style = pl.col("exercise_style").str.to_uppercase().str.slice(0, 1)
    usual = pl.when(root.is_in(list(AM_ROOTS))).then(pl.lit("AM")).otherwise(pl.lit("PM"))
    usual_style = (
        pl.when(pl.col("symbol").is_in(list(EUROPEAN_INDICES)))
        .then(pl.lit("E"))
        .otherwise(pl.lit("A"))
    )
    words = {"AM": "AM", "A": "AM", "PM": "PM", "P": "PM"}
    rows = rows.with_columns(
        pl.when(settlement.is_null()).then(usual).otherwise(settlement.replace_strict(words, default=None))
        .alias("settlement"),
        pl.when(style.is_null()).then(usual_style).when(style.is_in(["A", "E"])).then(style)
        .alias("exercise_style"),
        pl.col("multiplier").fill_null(100),
    )  # fmt: skip
    # The clearing house adds a digit to the root of an adjusted series: XYZ1 on XYZ.
    is_numbered = root.str.contains(r"[0-9]$") & (root != pl.col("symbol"))
    adjusted = is_numbered | (pl.col("multiplier") != 100)
    rows = rows.with_columns(pl.coalesce("is_adjusted", adjusted).alias("is_adjusted"))
    thousandths = (pl.col("strike").clip(0, _STRIKE_LIMIT) * 1000).round().cast(pl.Int64)
    day = pl.col("contract_expiration_date").dt.strftime("%y%m%d")
    digits = thousandths.cast(pl.String).str.zfill(8)
    occ = pl.concat_str(root.str.pad_end(6), day, "option_type", digits)
    return rows.with_columns(
        pl.when(is_contract).then(occ).otherwise("symbol").alias("contract"),
        *(pl.when(is_contract).then(name).alias(name) for name in ("root", *_OF_CONTRACTS)),
    )


def _with_prices(rows: pl.DataFrame, origin: FilePlace) -> pl.DataFrame:
    """`mark`, `last` and `spot` null where 0 stands for none; the underlying's own row has its price in `spot`."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    bid, ask, mark, is_contract = (
        pl.col("bid"),
        pl.col("ask"),
        pl.col("mark"),
        pl.col("is_contract"),
    )
    if not {"bid", "ask", "mark"} & origin.columns:
        rows = rows.with_columns(pl.col("close").alias("mark"))
    elif "last" not in origin.columns:
        rows = rows.with_columns(pl.col("close").alias("last"))
    is_silent = (mark == 0) & bid.is_null() & ask.is_null()
    rows = rows.with_columns(
        pl.when(~is_silent.fill_null(value=False)).then(mark).alias("mark"),
        *(pl.when(pl.col(name) != 0).then(name).alias(name) for name in ("last", "spot", "close")),
    )
    middle = pl.when((bid > 0) & (bid <= ask)).then((bid + ask) / 2)
    own = pl.coalesce("spot", pl.when(mark != 0).then(mark), middle, "close", "last")
    return rows.with_columns(pl.when(is_contract).then("spot").otherwise(own).alias("spot"))


def _with_snapshot(rows: pl.DataFrame, origin: FilePlace) -> pl.DataFrame:
    """The instant in UTC, whole seconds; a date alone, also that of the file's name, is its close."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    from ttapi.sources.instants import session_closes  # noqa: PLC0415 - reads the calendar

    at = pl.col("snapshot_at")
    is_date = at.dt.time() == pl.time(0)
    day = pl.coalesce(
        pl.when(is_date).then(at.dt.date()), "date", pl.lit(day_of_place(origin), pl.Date)
    )
    moment = pl.coalesce(pl.when(~is_date).then(at), pl.when(at.is_null()).then("quote_time"))
    rows = rows.with_columns(day.alias("date"), moment.alias("snapshot_at"))
    closes = session_closes(rows["date"]).alias("closes")
    rows = rows.with_columns(
        pl.coalesce(at, closes).dt.truncate("1s").dt.cast_time_unit("us").alias("snapshot_at")
    )
    told = at.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return rows.with_columns(pl.concat_str("symbol", told, separator=" ").alias("snapshot"))


def _sessions(dates: pl.Series) -> pl.Series:
    """The session on which an option of each date expires."""
    import polars as pl  # noqa: PLC0415 - resources are listed without it

    from ttapi.market.calendar import expiration_session  # noqa: PLC0415 - reads the calendar

    days = [day for day in dates.unique() if day is not None]
    if not days:
        return dates
    return dates.replace_strict(
        days, [expiration_session(day) for day in days], default=None, return_dtype=pl.Date
    )


OPTION_QUOTES = Resource(
    name="option_quotes",
    table="option_quotes",
    one_of="option quotes",
    about="Option quotes of one's own files: each snapshot of a chain, its underlying's row among them.",
    columns=(
        Column("symbol", "VARCHAR", "the underlying, upper case, share class after a point"),
        Column("snapshot", "VARCHAR", "symbol and snapshot_at: AAPL 2014-06-02T20:00:00"),
        Column("snapshot_at", "TIMESTAMP", "UTC: when these were the quotes, whole seconds"),
        Column(
            "contract", "VARCHAR", "OCC symbol of 21 characters; symbol: the underlying's own row"
        ),
        Column("root", "VARCHAR", "root of the contract's symbol; null: the underlying"),
        Column(
            "expiration_date",
            "DATE",
            "session on which it expires: Saturdays are moved to the session before",
        ),
        Column("contract_expiration_date", "DATE", "as the file or the OCC symbol says it"),
        Column("settlement", "VARCHAR", "AM or PM; not said: AM for the old index roots, else PM"),
        Column("strike", "DOUBLE", "USD per share; null: the underlying"),
        Column("option_type", "VARCHAR", "C or P; null: the underlying"),
        Column("exercise_style", "VARCHAR", "A: American; E: European; not said: by the symbol"),
        Column("multiplier", "BIGINT", "shares a contract delivers; not said: 100"),
        Column("is_adjusted", "BOOLEAN", "true: its root is numbered, or it is not for 100 shares"),
        Column("bid", "DOUBLE", "USD per share; 0: nobody bids; null: not said"),
        Column("ask", "DOUBLE", "USD per share; 0: nobody offers; null: not said"),
        Column("bid_size", "DOUBLE", "contracts; null: not said"),
        Column("ask_size", "DOUBLE", "contracts; null: not said"),
        Column(
            "mark", "DOUBLE", "USD per share, the file's middle; null: not said, or 0 for no quote"
        ),
        Column("last", "DOUBLE", "USD per share of the last trade; null: none"),
        Column("volume", "DOUBLE", "contracts of the session; null: not said"),
        Column("open_interest", "DOUBLE", "contracts; null: not said"),
        Column("spot", "DOUBLE", "USD per share of the underlying then; null: not said"),
        Column("quote_time", "TIMESTAMP", "UTC: when the quote was made; null: not said"),
        Column(
            "vendor_implied_volatility",
            "DOUBLE",
            "fraction a year, as published; 0 where the vendor writes 0 for none",
        ),
        Column("vendor_delta", "DOUBLE", "as published"),
        Column("vendor_gamma", "DOUBLE", "as published"),
        Column("vendor_theta", "DOUBLE", "as published: per day or per year"),
        Column("vendor_vega", "DOUBLE", "as published: per point or per 1.00"),
        Column("vendor_rho", "DOUBLE", "as published: per point or per 1.00"),
    ),
    grain=("snapshot", "contract"),
    keys=("symbol",),
    tracked="snapshot",
    is_local=True,
)

INPUTS = (
    Column("underlying", "VARCHAR", "the underlying, where `symbol` is the contract's"),
    Column("date", "DATE", "session of the snapshot, which is then its close"),
    Column(
        "close", "DOUBLE", "the mark where a file has neither that nor bid and ask; else the last"
    ),
    Column("occ_symbol", "VARCHAR", "OCC symbol, with or without blanks"),
)
"""What files may say beside, and is concluded from."""

REQUIRED = (
    ("expiration_date", "occ_symbol"),
    ("strike", "occ_symbol"),
    ("option_type", "occ_symbol"),
)

_NAMES = {
    "symbol": "ticker",
    "underlying": "underlying_symbol",
    "date": "quote_date trade_date data_date as_of as_of_date snapshot_date",
    "snapshot_at": "quote_datetime timestamp",
    "expiration_date": "expiry expiration expire_date expiry_date",
    "strike": "strike_price",
    "option_type": "right type put_call cp_flag call_put cp",
    "bid": "best_bid bid_price bid_eod",
    "ask": "best_offer best_ask ask_price ask_eod offer",
    "bid_size": "bid_size_eod",
    "ask_size": "ask_size_eod",
    "mark": "mid mid_price mark_price",
    "last": "last_price last_trade_price",
    "volume": "trade_volume",
    "open_interest": "oi",
    "spot": "underlying_price underlying_last active_underlying_price underlying_close",
    "root": "root_symbol option_root",
    "settlement": "settlement_type",
    "exercise_style": "style",
    "multiplier": "contract_size shares_per_contract",
    "occ_symbol": "contract contract_symbol option_symbol osi_symbol",
    "vendor_implied_volatility": "implied_volatility iv impl_volatility",
    "vendor_delta": "delta",
    "vendor_gamma": "gamma",
    "vendor_theta": "theta",
    "vendor_vega": "vega",
    "vendor_rho": "rho",
}
ALIASES = {
    name.replace("_", ""): target for target, names in _NAMES.items() for name in names.split()
}
"""What vendors call the columns, as bare names."""
