# SPDX-License-Identifier: Apache-2.0
"""A vendor market that replays stored days: a folder with `bars.csv`, and `chain.csv` if there is one.

    bars.csv    symbol,date,open,high,low,close,volume      raw, USD; dates ISO; volume may be empty
    chain.csv   underlying,root,expiration,settlement,kind,strike      one line a strike

Symbols without lines in `chain.csv` get chains by rule. Minutes, quotes and volatilities are made
from the bars as for an invented market; dividends, splits and results there are none.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.calendar import sessions
from ttapi.simulator.events import ChainExpiration, DayBar, Deliverable, RootChain
from ttapi.simulator.factors import FactorYears
from ttapi.simulator.histories import YearHistory
from ttapi.simulator.listings import Listing, stored_listing
from ttapi.simulator.vendor_market import VendorMarket

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BARS = ("symbol", "date", "open", "high", "low", "close", "volume")
_CHAIN = ("underlying", "root", "expiration", "settlement", "kind", "strike")
_KINDS = ("monthly", "quarterly", "eom", "weekly")
_FEWEST_BARS = 3


class StoredPast:
    """Bars as they were; nothing else happened."""

    def __init__(self, seed: int, bars: dict[str, list[DayBar]]) -> None:
        self._climate = FactorYears(seed)
        self._bars: dict[tuple[str, int], list[DayBar]] = defaultdict(list)
        for symbol, rows in bars.items():
            for bar in rows:
                self._bars[symbol, bar.date.year].append(bar)

    def year(self, listing: Listing, year: int) -> YearHistory:
        """The bars of that year."""
        return YearHistory(tuple(self._bars.get((listing.symbol, year), ())), (), (), ())

    def reports(self, listing: Listing, year: int) -> tuple[tuple[date, str], ...]:
        """None are known."""
        del listing, year
        return ()

    def ex_dates(self, listing: Listing, year: int) -> tuple[date, ...]:
        """None are known."""
        del listing, year
        return ()

    def random(self, *what: object) -> random.Random:
        """A generator that belongs to the seed and `what`."""
        return self._climate.random(*what)


def market_from_folder(
    folder: Path, now: Callable[[], datetime] | datetime, *, seed: int = 7
) -> VendorMarket:
    """The market of the files in `folder`; symbols with fewer than three bars by now are left out.

    *Raises* UsageError for a missing file or column, and for a wrong line, which it names.
    """
    moment = (now() if callable(now) else now).astimezone(UTC)
    last = sessions("XNYS").last_completed_session(moment)
    bars = {
        symbol: rows
        for symbol, rows in _read_bars(folder / "bars.csv").items()
        if sum(bar.date <= last for bar in rows) >= _FEWEST_BARS
    }
    if not bars:
        raise UsageError(
            f"{folder / 'bars.csv'} has no symbol with {_FEWEST_BARS} bars up to {last}"
        )
    chains = _read_chain(folder / "chain.csv") if (folder / "chain.csv").exists() else {}
    listings = tuple(
        _with_roots(stored_listing(symbol, rows), chains.get(symbol, ()))
        for symbol, rows in sorted(bars.items())
    )
    return VendorMarket(seed, now, listings=listings, past=StoredPast(seed, bars), chains=chains)


def _with_roots(listing: Listing, chain: tuple[RootChain, ...]) -> Listing:
    return replace(listing, roots=tuple(root.root for root in chain)) if chain else listing


def _read_bars(file: Path) -> dict[str, list[DayBar]]:
    bars: dict[str, dict[date, DayBar]] = defaultdict(dict)
    for line, row in _rows(file, _BARS):
        try:
            day = date.fromisoformat(row["date"])
            start, high, low, close = (float(row[n]) for n in ("open", "high", "low", "close"))
            volume = int(float(row["volume"])) if row["volume"] else None
        except ValueError as exc:
            raise UsageError(f"{file}:{line}: {exc}") from exc
        if not 0 < low <= min(start, close) <= max(start, close) <= high:
            raise UsageError(
                f"{file}:{line}: open {start}, high {high}, low {low}, close {close}",
                hint="all above 0, low and high around the others",
            )
        bars[row["symbol"]][day] = DayBar(day, start, high, low, close, volume)
    return {symbol: [rows[day] for day in sorted(rows)] for symbol, rows in bars.items()}


def _read_chain(file: Path) -> dict[str, tuple[RootChain, ...]]:
    strikes: dict[tuple[str, str], dict[tuple[date, str, str], set[Decimal]]] = {}
    for line, row in _rows(file, _CHAIN):
        settlement, kind = row["settlement"], row["kind"]
        if settlement not in {"AM", "PM"} or kind not in _KINDS:
            raise UsageError(
                f"{file}:{line}: settlement {settlement!r}, kind {kind!r}",
                hint=f"AM or PM; {', '.join(_KINDS)}",
            )
        try:
            expiration, strike = date.fromisoformat(row["expiration"]), Decimal(row["strike"])
        except (ValueError, InvalidOperation) as exc:
            raise UsageError(f"{file}:{line}: {exc}") from exc
        ladders = strikes.setdefault((row["underlying"], row["root"]), defaultdict(set))
        ladders[expiration, settlement, kind].add(strike)
    chains: dict[str, list[RootChain]] = defaultdict(list)
    for (underlying, root), expirations in strikes.items():
        chains[underlying].append(_root(underlying, root, expirations))
    return {underlying: tuple(roots) for underlying, roots in chains.items()}


def _root(
    underlying: str, root: str, expirations: dict[tuple[date, str, str], set[Decimal]]
) -> RootChain:
    return RootChain(
        root=root,
        underlying=underlying,
        option_chain_type="Standard",
        shares_per_contract=100,
        exercise_style="American",
        deliverables=(Deliverable(underlying, Decimal(100)),),
        expirations=tuple(
            ChainExpiration(*key, tuple(sorted(strikes)))
            for key, strikes in sorted(expirations.items())
        ),
    )


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its 1-based line; the first line is the header."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(f"{file} lacks the column {missing[0]}", hint=",".join(columns))
            for line, row in enumerate(reader, start=2):
                yield line, {name: row[name] or "" for name in columns}
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} cannot be read: {exc}", hint="a folder with bars.csv") from exc
