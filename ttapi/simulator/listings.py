# SPDX-License-Identifier: Apache-2.0
"""What the vendor lists: well-known symbols by name, the rest invented; every price is invented."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.shipped import universe_members
from ttapi.simulator.companies import invented_tickers
from ttapi.simulator.factors import SECTORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.simulator.events import DayBar

FIRST_YEAR = 1995


@dataclass(frozen=True)
class Listing:
    """One symbol of the vendor."""

    symbol: str
    """As the vendor's REST interface writes it: `BRK/B`."""
    kind: str
    """`equity`, `etf` or `index`; what only futures follow is a `commodity` or a `coin`."""
    description: str
    listed_market: str
    """MIC."""
    streamer_symbol: str
    """As dxFeed writes it."""
    roots: tuple[str, ...]
    """Roots of its options, the standard one first."""
    character: PriceCharacter
    """What its prices are made from."""

    @property
    def first_year(self) -> int:
        """Year of its first bar."""
        return self.character.first_year


@dataclass(frozen=True)
class PriceCharacter:
    """How a symbol moves."""

    price: float
    """USD, raw, at the first session of 2026."""
    beta: float
    sector: int
    sector_share: float
    """How much of its sector's move it takes."""
    own_volatility: float
    """Annualised, of the move it shares with nobody."""
    drift: float
    """Own price return a year beside the market's, log."""
    dollar_volume: float
    """USD traded in a usual session; 0 for an index."""
    dividend_yield: float
    """A year; of an index the yield its forward knows."""
    report_month: int
    """1, 2 or 3: month of the quarter in which results come; 0: none."""
    first_year: int
    """Year of its first bar."""


# symbol: (description, market, roots, price, beta, sector, sector share, own volatility, yield)
_INDICES: dict[str, tuple[str, tuple[str, ...], float, float, float]] = {
    "SPX": ("S&P 500 Index", ("SPX", "SPXW"), 6850.0, 1.0, 0.0),
    "NDX": ("NASDAQ 100 Index", ("NDX", "NDXP"), 25200.0, 1.25, 0.05),
    "RUT": ("Russell 2000 Index", ("RUT", "RUTW"), 2480.0, 1.15, 0.07),
    "VIX": ("CBOE Volatility Index", ("VIX", "VIXW"), 17.0, 0.0, 0.0),
    "DJX": ("Dow Jones Industrial Average Index (1/100)", ("DJX",), 480.0, 0.92, 0.03),
    "XSP": ("Mini S&P 500 Index", ("XSP",), 685.0, 1.0, 0.0),
}
_ETFS: dict[str, tuple[str, float, float, float, float]] = {
    "SPY": ("SPDR S&P 500 ETF Trust", 685.0, 1.0, 0.0, 0.012),
    "QQQ": ("Invesco QQQ Trust", 610.0, 1.25, 0.05, 0.006),
    "IWM": ("iShares Russell 2000 ETF", 246.0, 1.15, 0.07, 0.011),
    "DIA": ("SPDR Dow Jones Industrial Average ETF Trust", 480.0, 0.92, 0.03, 0.016),
    "TLT": ("iShares 20+ Year Treasury Bond ETF", 88.0, -0.15, 0.12, 0.042),
    "GLD": ("SPDR Gold Shares", 385.0, 0.05, 0.14, 0.0),
    "XLF": ("Financial Select Sector SPDR Fund", 54.0, 1.05, 0.08, 0.015),
    "XLE": ("Energy Select Sector SPDR Fund", 91.0, 0.95, 0.17, 0.031),
    "EEM": ("iShares MSCI Emerging Markets ETF", 55.0, 1.05, 0.1, 0.023),
}
_EQUITIES: dict[str, tuple[str, str, float, float, float, float]] = {
    "AAPL": ("Apple Inc.", "XNAS", 271.0, 1.2, 0.17, 0.004),
    "MSFT": ("Microsoft Corporation", "XNAS", 482.0, 1.05, 0.14, 0.007),
    "NVDA": ("NVIDIA Corporation", "XNAS", 188.0, 1.7, 0.33, 0.0),
    "AMZN": ("Amazon.com, Inc.", "XNAS", 231.0, 1.25, 0.2, 0.0),
    "GOOGL": ("Alphabet Inc.", "XNAS", 315.0, 1.1, 0.18, 0.003),
    "META": ("Meta Platforms, Inc.", "XNAS", 655.0, 1.25, 0.25, 0.003),
    "TSLA": ("Tesla, Inc.", "XNAS", 438.0, 1.8, 0.42, 0.0),
    "JPM": ("JPMorgan Chase & Co.", "XNYS", 325.0, 1.05, 0.13, 0.018),
    "XOM": ("Exxon Mobil Corporation", "XNYS", 122.0, 0.8, 0.16, 0.033),
    "KO": ("The Coca-Cola Company", "XNYS", 70.0, 0.5, 0.1, 0.029),
    "BRK/B": ("Berkshire Hathaway Inc. Class B", "XNYS", 497.0, 0.75, 0.09, 0.0),
    "F": ("Ford Motor Company", "XNYS", 13.2, 1.25, 0.22, 0.045),
}
FEWEST_SYMBOLS = len(_INDICES) + len(_ETFS) + len(_EQUITIES) + 1
_DOLLARS_A_SESSION = 4e9
_ROOM = 2
"""So many times as many invented companies as others must be left for those to come in."""
_FIRST_YEARS = {
    "QQQ": 1999,
    "IWM": 2000,
    "DIA": 1998,
    "TLT": 2002,
    "GLD": 2004,
    "XLF": 1999,
    "XLE": 1999,
    "EEM": 2003,
    "AMZN": 1997,
    "NVDA": 1999,
    "GOOGL": 2004,
    "META": 2012,
    "TSLA": 2010,
    "BRK/B": 1996,
}


def make_listings(seed: int, count: int) -> tuple[Listing, ...]:
    """`count` symbols: indices, funds, well-known companies, then invented ones.

    The first invented company has an adjusted root besides its own. A market with room for them
    has what is on the lists that come with ttapi, too, and as many invented ones fewer.
    *Raises* UsageError for fewer than the well-known symbols and one more.
    """
    if count < FEWEST_SYMBOLS:
        raise UsageError(
            f"a vendor market of {count} symbols is too small", hint=f"at least {FEWEST_SYMBOLS}"
        )
    rng = random.Random(f"{seed}/listings")  # noqa: S311 - a market, not a secret
    known = [
        *(_index(symbol) for symbol in _INDICES),
        *(_fund(symbol) for symbol in _ETFS),
        *(_well_known(symbol, rng) for symbol in _EQUITIES),
    ]
    symbols = invented_tickers(rng, count - len(known))
    invented = [_invented(symbol, place, rng) for place, symbol in enumerate(symbols)]
    listed = [_on_a_list(symbol, kind, seed) for symbol, kind in _symbols_on_lists().items()]
    if len(invented) < _ROOM * len(listed):
        return (*known, *invented)
    return (*known, *listed, *invented[: len(invented) - len(listed)])


def _symbols_on_lists() -> dict[str, str]:
    """Kind by symbol of those on a shipped list that have no row here."""
    kinds = {"indices": "index", "index_etfs": "etf", "sector_etfs": "etf"}
    found = {
        member.symbol.replace(".", "/"): kinds.get(member.name, "equity")
        for member in universe_members()
    }
    known = {*_INDICES, *_ETFS, *_EQUITIES}
    return {symbol: kind for symbol, kind in found.items() if symbol not in known}


def _on_a_list(symbol: str, kind: str, seed: int) -> Listing:
    """A real symbol with an invented price; drawn by itself, so that lists may change."""
    rng = random.Random(f"{seed}/listings/{symbol}")  # noqa: S311 - a market, not a secret
    made = _invented(symbol, 1, rng)
    index, fund = kind == "index", kind == "etf"
    character = replace(
        made.character,
        beta=made.character.beta if kind == "equity" else rng.uniform(0.8, 1.1),
        own_volatility=made.character.own_volatility if kind == "equity" else 0.08,
        dollar_volume=0.0 if index else _DOLLARS_A_SESSION / 8,
        dividend_yield=0.012 if index or fund else made.character.dividend_yield,
        report_month=made.character.report_month if kind == "equity" else 0,
        first_year=FIRST_YEAR,
    )
    market = {"index": "XCBO", "etf": "ARCX"}.get(kind, made.listed_market)
    return replace(
        made,
        kind=kind,
        description=f"{symbol} (price invented)",
        listed_market=market,
        character=character,
    )


def stored_listing(symbol: str, bars: Sequence[DayBar]) -> Listing:
    """A listing for bars that somebody stored; kind and name where the symbol is well known."""
    traded = [bar.close * (bar.volume or 0) for bar in bars]
    character = PriceCharacter(
        price=bars[-1].close,
        beta=1.0,
        sector=0,
        sector_share=0.0,
        own_volatility=0.2,
        drift=0.0,
        dollar_volume=sum(traded) / len(traded),
        dividend_yield=0.0,
        report_month=0,
        first_year=bars[0].date.year,
    )
    if symbol in _INDICES:
        return replace(_index(symbol), character=character)
    kind, name = ("etf", _ETFS[symbol][0]) if symbol in _ETFS else ("equity", symbol)
    root = symbol.replace("/", "")
    return Listing(symbol, kind, name, "XNYS", symbol, (root,), character)


def _index(symbol: str) -> Listing:
    description, roots, price, beta, own = _INDICES[symbol]
    character = PriceCharacter(
        price=price,
        beta=beta,
        sector=0,
        sector_share=0.0,
        own_volatility=own,
        drift=0.0,
        dollar_volume=0.0,
        dividend_yield=0.0 if symbol == "VIX" else 0.012,
        report_month=0,
        first_year=FIRST_YEAR,
    )
    return Listing(symbol, "index", description, "XCBO", symbol, roots, character)


def _fund(symbol: str) -> Listing:
    description, price, beta, own, dividend_yield = _ETFS[symbol]
    character = PriceCharacter(
        price=price,
        beta=beta,
        sector=0,
        sector_share=0.0,
        own_volatility=own,
        drift=0.0,
        dollar_volume=_DOLLARS_A_SESSION,
        dividend_yield=dividend_yield,
        report_month=0,
        first_year=_FIRST_YEARS.get(symbol, FIRST_YEAR),
    )
    return Listing(symbol, "etf", description, "ARCX", symbol, (symbol,), character)


def _well_known(symbol: str, rng: random.Random) -> Listing:
    description, market, price, beta, own, dividend_yield = _EQUITIES[symbol]
    character = PriceCharacter(
        price=price,
        beta=beta,
        sector=rng.randrange(SECTORS),
        sector_share=0.7,
        own_volatility=own,
        drift=0.03,
        dollar_volume=_DOLLARS_A_SESSION,
        dividend_yield=dividend_yield,
        report_month=1,
        first_year=_FIRST_YEARS.get(symbol, FIRST_YEAR),
    )
    root = symbol.replace("/", "")
    return Listing(symbol, "equity", description, market, symbol, (root,), character)


def _invented(symbol: str, place: int, rng: random.Random) -> Listing:
    pays = rng.random() < 0.6
    late = rng.random() < 0.25
    character = PriceCharacter(
        price=math.exp(rng.gauss(math.log(70), 0.8)),
        beta=rng.uniform(0.5, 1.5),
        sector=rng.randrange(SECTORS),
        sector_share=rng.uniform(0.4, 1.2),
        own_volatility=rng.uniform(0.12, 0.24) if pays else rng.uniform(0.2, 0.45),
        drift=rng.uniform(-0.03, 0.05),
        dollar_volume=math.exp(rng.gauss(math.log(60e6), 1.2)),
        dividend_yield=rng.uniform(0.008, 0.04) if pays else 0.0,
        report_month=rng.choice((1, 1, 2, 3)),
        first_year=rng.randint(1997, 2021) if late else FIRST_YEAR,
    )
    roots = (symbol, f"{symbol}1") if place == 0 else (symbol,)
    market = rng.choice(("XNYS", "XNAS"))
    description = f"{symbol.capitalize()} {rng.choice(('Corp', 'Holdings', 'Inc', 'Group'))}"
    return Listing(symbol, "equity", f"{description} (invented)", market, symbol, roots, character)
