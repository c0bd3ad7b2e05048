# SPDX-License-Identifier: Apache-2.0
"""A whole invented market in files: daily bars, corporate actions, a list of its symbols.

The same seed, size and last session make the same bytes. Nothing here is a real price or symbol.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.market.calendar import sessions as sessions_of
from ttapi.simulator.ascii_files import (
    AsciiFile,
    Dialect,
    Flaw,
    repeat_header,
    repeat_rows,
    spoil_close_and_date,
    spoil_open_and_range,
    tear_last_line,
    write_lines,
)
from ttapi.simulator.bars import make_history
from ttapi.simulator.companies import make_companies
from ttapi.simulator.weather import make_weather

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ttapi.simulator.bars import History
    from ttapi.simulator.companies import Company

UNIVERSE = "demo"
"""Name of the list that holds every symbol."""

# Which of the companies after the index fund has its file written how, or spoilt how; the first
# seven have a fate of their own (see companies.py).
_SPOILERS = {
    8: tear_last_line,
    9: repeat_header,
    10: spoil_close_and_date,
    11: spoil_open_and_range,
    12: repeat_rows,
}
_DIALECT_ORDER: tuple[Dialect, ...] = ("bare", "stooq", "semicolon")
_DIALECTS: dict[int, Dialect] = {
    place: dialect for start in (13, 40, 80) for place, dialect in enumerate(_DIALECT_ORDER, start)
}


@dataclass(frozen=True)
class MarketSummary:
    """What was written, so that a reader can be held to it."""

    folder: Path
    """Holds `metastock`, `corporate_actions` and `universes`."""
    symbols: tuple[str, ...]
    """The index fund first."""
    first_session: date
    last_session: date
    rows: int
    """Rows of bars a reader must accept."""
    flaws: tuple[Flaw, ...]
    """Every line that is not as it should be, refused or not."""
    absent: Mapping[str, tuple[date, ...]]
    """By symbol the sessions, within its life, that a reader must find no bar of."""
    splits: int
    """Recorded ones."""
    dividends: int
    unrecorded: Mapping[str, tuple[date, ...]]
    """Ex-dates of splits the prices show and the corporate actions lack."""
    listed_late: tuple[str, ...]
    delisted: tuple[str, ...]

    @property
    def index_symbol(self) -> str:
        """The fund that holds the whole market."""
        return self.symbols[0]

    @property
    def refused(self) -> tuple[Flaw, ...]:
        """The lines a reader must refuse."""
        return tuple(flaw for flaw in self.flaws if flaw.is_refused)


def write_market(
    folder: Path,
    *,
    seed: int,
    last_session: date,
    symbols: int = 300,
    sessions: int = 1500,
    avoid: frozenset[str] = frozenset(),
) -> MarketSummary:
    """Write a market of so many symbols over so many XNYS sessions below `folder`.

    *Units* raw prices, USD per share; shares traded. A name of a file that exists is overwritten.
    `avoid`: symbols that another market has.
    *Raises* UsageError for a last session that is none, or a market too small.
    """
    days = _session_dates(last_session, sessions)
    calendar = sessions_of("XNYS")
    short = frozenset(n for n, day in enumerate(days) if calendar.is_early_close(day))
    companies = make_companies(_random(seed, "companies"), symbols, sessions, avoid)
    weather = make_weather(_random(seed, "weather"), sessions)
    for name in ("metastock", "corporate_actions", "universes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files: list[AsciiFile] = []
    dividends = 0
    for place, company in enumerate(companies):
        history = make_history(company, weather, short, _random(seed, company.symbol))
        file = _bars_file(place, company, history, days)
        (folder / "metastock" / file.name).write_bytes(file.content())
        files.append(file)
        dividends += len(history.dividends)
        _write_actions(folder / "corporate_actions", company, history, days)
    _write_universe(folder / "universes", companies)
    return _summary(folder, companies, files, days, dividends)


def _session_dates(last: date, count: int) -> list[date]:
    calendar = sessions_of("XNYS")
    calendar.close_utc(last)
    end = calendar.session_no(last)
    return list(calendar.dates[max(0, end - count) : end])


def _random(seed: int, what: str) -> random.Random:
    return random.Random(f"{seed}/{what}")  # noqa: S311 - a market, not a secret


def _bars_file(place: int, company: Company, history: History, days: list[date]) -> AsciiFile:
    dialect = _DIALECTS.get(place, "metastock")
    file = write_lines(company.symbol, history.bars, days, dialect)
    if place in _SPOILERS:
        _SPOILERS[place](file)
    return file


def _write_actions(folder: Path, company: Company, history: History, days: list[date]) -> None:
    recorded = {s: r for s, r in company.splits.items() if s not in company.unrecorded}
    rows = [(session, f"split,{ratio:g},") for session, ratio in recorded.items()]
    rows += [(session, f"dividend,,{cash:.2f}") for session, cash in history.dividends.items()]
    if not rows:
        return
    lines = ["last_cum_date,kind,new_shares_per_old,cash_usd"]
    lines += [f"{days[session - 1]:%Y%m%d},{text}" for session, text in sorted(rows)]
    _write_text(folder / f"{company.symbol}.csv", lines)


def _write_universe(folder: Path, companies: tuple[Company, ...]) -> None:
    members = sorted(company.symbol for company in companies)
    _write_text(
        folder / f"{UNIVERSE}.csv",
        ["name,symbol", *(f"{UNIVERSE},{symbol}" for symbol in members)],
    )


def _write_text(file: Path, lines: list[str]) -> None:
    file.write_bytes(("\n".join(lines) + "\n").encode("ascii"))


def _summary(
    folder: Path,
    companies: tuple[Company, ...],
    files: list[AsciiFile],
    days: list[date],
    dividends: int,
) -> MarketSummary:
    return MarketSummary(
        folder=folder,
        symbols=tuple(company.symbol for company in companies),
        first_session=days[0],
        last_session=days[-1],
        rows=sum(file.accepted for file in files),
        flaws=tuple(flaw for file in files for flaw in file.flaws),
        absent=_absent(companies, files, days),
        splits=sum(len(c.splits.keys() - c.unrecorded) for c in companies),
        dividends=dividends,
        unrecorded={
            c.symbol: tuple(days[s] for s in sorted(c.unrecorded))
            for c in companies
            if c.unrecorded
        },
        listed_late=tuple(c.symbol for c in companies if c.first > 0),
        delisted=tuple(c.symbol for c in companies if c.last < len(days) - 1),
    )


def _absent(
    companies: tuple[Company, ...], files: list[AsciiFile], days: list[date]
) -> dict[str, tuple[date, ...]]:
    found: dict[str, tuple[date, ...]] = {}
    for company, file in zip(companies, files, strict=True):
        lost = {flaw.date for flaw in file.flaws if flaw.is_refused and flaw.date}
        gone = sorted(lost | {days[session] for session in company.halted})
        if gone:
            found[company.symbol] = tuple(gone)
    return found
