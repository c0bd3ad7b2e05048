# SPDX-License-Identifier: Apache-2.0
"""Which futures and cryptocurrencies the vendor has, and what each price follows.

Contract terms are real, prices are not: index futures are what the market's index is worth then,
the others follow a price of their own, drawn as a listing's is.
"""

from __future__ import annotations

from dataclasses import dataclass

from ttapi.simulator.listings import FIRST_YEAR, Character, Listing

MONTHS = "FGHJKMNQUVXZ"
"""Letters of January to December."""


@dataclass(frozen=True)
class Roll:
    """When the vendor moves on to the next contract."""

    name: str
    sessions_before: int
    """Before the expiration."""


@dataclass(frozen=True)
class OptionRoots:
    """Roots of a product's options; an empty one: none such are listed."""

    with_future: str
    """Of those that expire with their future, or three sessions before its last trade."""
    weekly: str = ""
    """Of Fridays; the number of the Friday in its month follows."""
    month_end: str = ""
    step: str = "5"
    """Between strikes near the price, in the price's unit."""


@dataclass(frozen=True)
class FutureProduct:
    """One kind of future. *Source* contract specifications of CME Group and Cboe Futures Exchange."""

    code: str
    description: str
    exchange: str
    streamer_exchange: str
    """MIC, as dxFeed's symbols end."""
    follows: str
    """Symbol of the listing, or of one of `BASES`."""
    tick: float
    multiplier: int
    """USD for a move of 1."""
    months: str
    """Letters of the contract months."""
    count: int
    """Contracts listed at a time."""
    since: int
    """Year from which the market has it whole."""
    sector: str
    roll: Roll
    is_cash_settled: bool = True
    options: OptionRoots | None = None
    display_factor: str = "0.01"


PRODUCTS = (
    FutureProduct(
        "ES",
        "E Mini S&P",
        "CME",
        "XCME",
        "SPX",
        0.25,
        50,
        "HMUZ",
        5,
        1998,
        "Equity Index",
        Roll("equity_index", 4),
        options=OptionRoots("ES", "EW", "EW"),
    ),
    FutureProduct(
        "NQ",
        "E Mini Nasdaq",
        "CME",
        "XCME",
        "NDX",
        0.25,
        20,
        "HMUZ",
        5,
        2000,
        "Equity Index",
        Roll("equity_index", 4),
        options=OptionRoots("NQ", "QN", "QNE", step="25"),
    ),
    FutureProduct(
        "CL",
        "Crude Oil",
        "CME",
        "XNYM",
        "CL",
        0.01,
        1000,
        MONTHS,
        12,
        1996,
        "Energy",
        Roll("energy", 3),
        is_cash_settled=False,
        options=OptionRoots("LO", step="0.5"),
    ),
    FutureProduct(
        "VX",
        "VIX Futures",
        "CFE",
        "XCBF",
        "VIX",
        0.05,
        1000,
        MONTHS,
        9,
        2005,
        "Volatility",
        Roll("vix", 1),
    ),
)


@dataclass(frozen=True)
class Coin:
    """One cryptocurrency."""

    number: int
    """The vendor's id."""
    symbol: str
    """`BTC/USD`."""
    name: str
    follows: str

    @property
    def streamer_symbol(self) -> str:
        """As dxFeed writes it."""
        return f"{self.symbol}:CXTALP"


COINS = (
    Coin(1, "BTC/USD", "Bitcoin", "BTC"),
    Coin(2, "ETH/USD", "Ethereum", "ETH"),
)


def _base(symbol: str, kind: str, price: float, volatility: float, first_year: int) -> Listing:
    character = Character(
        price=price,
        beta=0.2 if kind == "commodity" else 0.8,
        sector=0,
        sector_share=0.0,
        own_volatility=volatility,
        drift=0.0,
        dollar_volume=5e9,
        dividend_yield=0.0,
        report_month=0,
        first_year=first_year,
    )
    # No ticker of a share has a slash in front: nothing is drawn twice from one name.
    return Listing(f"/{symbol}", kind, symbol, "XNYM", f"/{symbol}", (), character)


BASES = {
    "CL": _base("CL", "commodity", 64.0, 0.3, FIRST_YEAR),
    "BTC": _base("BTC", "coin", 88_000.0, 0.45, 2014),
    "ETH": _base("ETH", "coin", 3_000.0, 0.55, 2017),
}
"""Prices that futures and coins follow and no share, fund or index has."""
