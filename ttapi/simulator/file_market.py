# SPDX-License-Identifier: Apache-2.0
"""A whole invented market in files: daily bars, corporate actions, a list of its symbols.

The same seed, size and last session make the same bytes. Nothing here is a real price or symbol.

Bars as lines of text: the dialects people's files come in, and the flaws they come with.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from ttapi.market.calendar import sessions as sessions_of
from ttapi.simulator.companies import make_companies, make_history
from ttapi.simulator.factors import make_weather

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ttapi.simulator.companies import Bar, Company, History

Dialect = Literal["metastock", "bare", "stooq", "semicolon"]
"""Ten columns under a header; seven without; Stooq's names; decimal commas, the file is the name."""
FlawKind = Literal[
    "torn last line", "repeated header", "close 0", "impossible date",
    "open 0", "high below low", "same row twice", "two closes for one date", "weekend",
]  # fmt: skip
REFUSED: frozenset[FlawKind] = frozenset(
    {"torn last line", "repeated header", "close 0", "impossible date"}
)
"""Flaws that cost the row; the others are read."""


@dataclass(frozen=True)
class Flaw:
    """One line that is not as it should be."""

    file: str
    """Path below the folder of bars."""
    line: int
    """Counted from 1."""
    kind: FlawKind
    date: date | None
    """Of the bar on the line; None where the line is none."""

    @property
    def is_refused(self) -> bool:
        """Whether a reader must refuse the line."""
        return self.kind in REFUSED


@dataclass
class AsciiFile:
    """A file in the making: one line per bar, ascending."""

    name: str
    header: str | None
    lines: list[str]
    dates: list[date | None]
    """Date of each line, for lines that are bars of their own."""
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Rows a reader must accept."""
        return len(self.lines) - sum(flaw.is_refused for flaw in self.flaws)

    def content(self) -> bytes:
        """The file's bytes; after a torn last line no line end."""
        lines = self.lines if self.header is None else [self.header, *self.lines]
        is_torn = any(flaw.kind == "torn last line" for flaw in self.flaws)
        return ("\n".join(lines) + ("" if is_torn else "\n")).encode("ascii")


_HEADERS: dict[Dialect, str | None] = {
    "metastock": "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
    "bare": None,
    "stooq": "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
    "semicolon": "Date;Open;High;Low;Close;Volume",
}


def write_lines(
    symbol: str, bars: Sequence[Bar], days: Sequence[date], dialect: Dialect
) -> AsciiFile:
    """The bars of one symbol; `days` has the date of every session."""
    cents, fine = _templates(symbol, dialect)
    stamps = [f"{day:%d.%m.%Y}" if dialect == "semicolon" else f"{day:%Y%m%d}" for day in days]
    lines = [
        (cents if low >= 1 else fine) % (stamps[session], start, high, low, close, volume)
        for session, start, high, low, close, volume in bars
    ]
    if dialect == "semicolon":
        lines = [line.replace(".", ",").replace(",", ".", 2) for line in lines]
    name = f"{symbol.lower()}.us.txt" if dialect == "stooq" else f"{symbol}.csv"
    return AsciiFile(name, _HEADERS[dialect], lines, [days[bar.session] for bar in bars])


def tear_last_line(file: AsciiFile) -> None:
    """Cut the last line off in the middle of its open, as a download that broke off would."""
    cells = file.lines[-1].split(",")
    file.lines[-1] = ",".join([*cells[:4], cells[4][:2]])
    _note(file, len(file.lines) - 1, "torn last line")


def repeat_header(file: AsciiFile) -> None:
    """Put the header in once more, as where two downloads were joined."""
    at = len(file.lines) // 2
    file.lines.insert(at, file.header or "")
    file.dates.insert(at, None)
    _note(file, at, "repeated header")


def spoil_close_and_date(file: AsciiFile) -> None:
    """A close of 0, and a 31st of February; those two sessions are lost."""
    at = len(file.lines) // 3
    _edit(file, at, lambda cells: [*cells[:7], "0", *cells[8:]])
    _note(file, at, "close 0")
    _edit(file, at + 20, lambda cells: [*cells[:2], f"{cells[2][:4]}0231", *cells[3:]])
    _note(file, at + 20, "impossible date")


def spoil_open_and_range(file: AsciiFile) -> None:
    """An unknown open written as 0, and a high and a low in each other's place."""
    at = len(file.lines) // 3
    _edit(file, at, lambda cells: [*cells[:4], "0", *cells[5:]])
    _note(file, at, "open 0")
    at = next(n for n in range(at + 20, len(file.lines)) if _has_range(file.lines[n]))
    _edit(file, at, lambda cells: [*cells[:5], cells[6], cells[5], *cells[7:]])
    _note(file, at, "high below low")


def repeat_rows(file: AsciiFile) -> None:
    """A row twice, a date with two closes, and Friday's row again on the Saturday."""
    at = len(file.lines) // 3
    _insert(file, at + 1, file.lines[at], "same row twice")
    at += 20
    _insert(file, at + 1, file.lines[at], "two closes for one date")
    _edit(file, at + 1, lambda cells: [*cells[:7], cells[4], *cells[8:]])
    days = enumerate(file.dates)
    at = next(n for n, day in days if n > at + 5 and day is not None and day.weekday() == 4)
    friday = file.dates[at] or date.min
    saturday = friday + timedelta(days=1)
    row = file.lines[at].replace(f"{friday:%Y%m%d}", f"{saturday:%Y%m%d}")
    _insert(file, at + 1, row, "weekend", saturday)


def _templates(symbol: str, dialect: Dialect) -> tuple[str, str]:
    """Format strings for prices from one dollar on, and below."""
    frame = {
        "metastock": f"{symbol},D,%s,000000,PRICES,%d,0",
        "bare": f"{symbol},%s,PRICES,%d",
        "stooq": f"{symbol}.US,D,%s,000000,PRICES,%d,0",
        "semicolon": "%s;PRICES;%d",
    }[dialect]
    separator = ";" if dialect == "semicolon" else ","
    cents, fine = (separator.join([price] * 4) for price in ("%.2f", "%.4f"))
    return frame.replace("PRICES", cents), frame.replace("PRICES", fine)


def _has_range(line: str) -> bool:
    cells = line.split(",")
    return cells[5] != cells[6]


def _edit(file: AsciiFile, at: int, change: Callable[[list[str]], list[str]]) -> None:
    file.lines[at] = ",".join(change(file.lines[at].split(",")))


def _insert(file: AsciiFile, at: int, line: str, kind: FlawKind, day: date | None = None) -> None:
    file.lines.insert(at, line)
    file.dates.insert(at, day or file.dates[at - 1])
    _note(file, at, kind)


def _note(file: AsciiFile, at: int, kind: FlawKind) -> None:
    line = at + (1 if file.header is None else 2)
    file.flaws.append(Flaw(file.name, line, kind, file.dates[at]))


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
