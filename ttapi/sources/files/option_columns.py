# SPDX-License-Identifier: Apache-2.0
"""Option quotes as files bring them: the columns that are stored, and what vendors call them."""

from __future__ import annotations

from ttapi.sources.contract import Column, Resource

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
