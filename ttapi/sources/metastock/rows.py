# SPDX-License-Identifier: Apache-2.0
"""Typed rows made into what the store takes: symbols, known_at, and the facts of every unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ttapi.sources.instants import known_at_close
from ttapi.sources.text_files import BLANKS, DictionaryColumn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

_DAILY = frozenset({"D", "DAY", "DAILY", "1D"})
_PRICES = ("open", "high", "low", "close", "volume", "open_interest")
_SHOWN = 5


@dataclass(frozen=True)
class UnitFacts:
    """What the accepted rows of one unit say."""

    rows: int
    first_date: date
    last_date: date
    has_duplicates: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SymbolNames:
    """How tickers become symbols."""

    stems: Mapping[int, str]
    """File name without suffix, per unit: the ticker where the file gives none."""
    suffixes: tuple[str, ...]
    """Endings dropped from a symbol, upper case: `.US`."""

    def symbol(self, ticker: str | None) -> str | None:
        """The symbol of a vendor's ticker; None for a blank one."""
        if ticker is None:
            return None
        symbol = ticker.strip().upper().replace("/", ".")
        for suffix in self.suffixes:
            if symbol.endswith(suffix) and symbol != suffix:
                return symbol.removesuffix(suffix)
        return symbol or None

    def agrees(self, unit: int, symbol: str) -> bool:
        """Whether a file is named after its symbol, allowing for what file systems refuse."""
        return _letters(self.symbol(self.stems[unit]) or "") == _letters(symbol)


def finish(
    typed: pl.DataFrame, names: SymbolNames, time_digits: int | None, now: datetime
) -> tuple[pa.Table, dict[int, UnitFacts]]:
    """Rows in the declared order plus unit, line and known_at; and per unit what they say."""
    ticker = typed["ticker"]
    symbol = DictionaryColumn(_spoken_tickers(typed, names), names.symbol)
    words = {
        "symbol": symbol.to_arrow(),
        "ticker": DictionaryColumn(
            ticker, lambda text: (text or "").strip(BLANKS) or None
        ).to_arrow(),
        "per": DictionaryColumn(typed["per"], normal_period).to_arrow(),
        "time": DictionaryColumn(
            typed["time"], lambda text: clock_text(text, time_digits)
        ).to_arrow(),
    }
    known_at = known_at_close(typed["date"], now)
    arrays = {name: typed[name].to_arrow() for name in ("date", *_PRICES, "unit", "line")}
    columns = {**words, **arrays, "known_at": known_at.to_arrow()}
    order = ("symbol", "date", *_PRICES, "ticker", "per", "time", "unit", "line", "known_at")
    table = pa.table({name: columns[name] for name in order})
    return table, _facts(typed, symbol, names)


def normal_period(text: str | None) -> str | None:
    """`D` for daily bars however named, and where nothing is said; else the text in upper case."""
    period = (text or "").strip().upper()
    return "D" if not period or period in _DAILY else period


def clock_text(text: str | None, digits: int | None) -> str | None:
    """A time as HHMM or HHMMSS, lost leading zeros restored; null for none; else the text itself.

    `digits` is what the header promised (4 or 6); without a promise up to four digits are HHMM.
    """
    bare = (text or "").strip().replace(":", "")
    if not bare.isdecimal():
        return bare or None
    return bare.zfill(digits or (4 if len(bare) <= 4 else 6))


def stem_of(key: str) -> str:
    """The file name of a unit without folder and suffix."""
    return PurePosixPath(key).stem


def _spoken_tickers(typed: pl.DataFrame, names: SymbolNames) -> pl.Series:
    """The ticker of every row, the file's name where the row has none."""
    ticker = typed["ticker"]
    blank = ticker.is_null() | (ticker == "")
    if not blank.any():
        return ticker
    stems = pl.Series(
        [names.stems.get(unit, "") for unit in range(max(names.stems) + 1)], dtype=pl.String
    )
    return pl.select(pl.when(blank).then(stems.gather(typed["unit"])).otherwise(ticker)).to_series()


def _facts(
    typed: pl.DataFrame, symbol: DictionaryColumn, names: SymbolNames
) -> dict[int, UnitFacts]:
    """One pass over (unit, date, symbol): rows of a unit stand together, in the file's order."""
    unit, day, code = pl.col("unit"), pl.col("date"), pl.col("code")
    is_ascending = (unit != unit.shift(1)) | (day > day.shift(1))
    slim = typed.select("unit", "date", symbol.codes.alias("code"))
    facts = (
        slim.with_columns(is_ascending.fill_null(value=True).alias("is_ascending"))
        .group_by("unit")
        .agg(
            pl.len().alias("rows"),
            day.min().alias("first"),
            day.max().alias("last"),
            code.min().alias("low"),
            code.max().alias("high"),
            pl.col("is_ascending").all(),
        )
    )
    mixed = facts.filter(pl.col("low") != pl.col("high"))["unit"]
    holds: dict[int, list[str]] = {}
    if not mixed.is_empty():
        pairs = slim.filter(unit.is_in(mixed.to_list())).unique(
            ["unit", "code"], maintain_order=True
        )
        for number, found in pairs.select("unit", "code").iter_rows():
            holds.setdefault(number, []).append(symbol.values[found] if found is not None else "")
    return {
        row["unit"]: UnitFacts(
            rows=row["rows"],
            first_date=row["first"],
            last_date=row["last"],
            has_duplicates=not row["is_ascending"] or row["unit"] in holds,
            notes=_notes(row["unit"], holds.get(row["unit"]), row["low"], symbol, names),
        )
        for row in facts.iter_rows(named=True)
    }


def _notes(
    unit: int,
    holds: list[str] | None,
    code: int | None,
    symbol: DictionaryColumn,
    names: SymbolNames,
) -> tuple[str, ...]:
    if holds:
        shown = ", ".join(holds[:_SHOWN]) + (", ..." if len(holds) > _SHOWN else "")
        return (f"mixed_tickers: {len(holds)} symbols in one file: {shown}",)
    if code is not None and not names.agrees(unit, symbol.values[code]):
        return (f"name_mismatch: the file {names.stems[unit]!r} holds {symbol.values[code]!r}",)
    return ()


def _letters(symbol: str) -> str:
    """A symbol without the marks file systems make people change: `CON_` is CON."""
    return re.sub(r"[^A-Z0-9]", "", symbol)
