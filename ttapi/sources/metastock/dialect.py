# SPDX-License-Identifier: Apache-2.0
"""Which columns a MetaStock ASCII file has, in what order, and what separates them.

With a header the names decide; without one the place of the first date does. Nothing here looks
at more than the first lines of a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import SourceError
from ttapi.sources.dates import parse_date
from ttapi.sources.texts import clean_name, split_line

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIMITERS = (";", "\t", "|", ",")
"""Tried in this order: where another character delimits, a comma may be the decimal mark."""

_NAMES = {
    "ticker": "ticker", "symbol": "ticker", "security": "ticker",
    "name": "name", "company": "name", "security name": "name",
    "per": "per", "period": "per",
    "date": "date", "dtyyyymmdd": "date", "dtyymmdd": "date", "yyyymmdd": "date", "yymmdd": "date",
    "time": "time", "hhmm": "time", "hhmmss": "time",
    "open": "open", "o": "open",
    "high": "high", "h": "high",
    "low": "low", "l": "low",
    "close": "close", "c": "close", "last": "close",
    "vol": "volume", "volume": "volume", "v": "volume",
    "openint": "open_interest", "o/i": "open_interest", "oi": "open_interest",
    "open int": "open_interest", "open interest": "open_interest",
}  # fmt: skip
_TIME_DIGITS = {"hhmm": 4, "hhmmss": 6}
_PERIOD = re.compile(r"[idwmqy]|day|daily|[0-9]{1,4}", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(
    r"0[0-9]{3}|([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", re.ASCII
)
# What follows the date in a file without header, by number of columns.
_AFTER_DATE = {
    1: ("close",),
    2: ("close", "volume"),
    4: ("open", "high", "low", "close"),
    5: ("open", "high", "low", "close", "volume"),
    6: ("open", "high", "low", "close", "volume", "open_interest"),
}


@dataclass(frozen=True)
class Dialect:
    """How the rows of one file are written."""

    columns: tuple[str, ...]
    """What each field holds; '' for a field nobody asked for."""
    delimiter: str
    has_header: bool
    time_digits: int | None = None
    """4 or 6 where the header says HHMM or HHMMSS; None: the length of each text decides."""
    notes: tuple[str, ...] = ()


def recognise(lines: Sequence[str]) -> Dialect:
    """The dialect of a file that starts with `lines` (not blank).

    *Raises* SourceError when no date or no close column can be recognised.
    """
    for delimiter in _delimiters_in(lines[0]):
        dialect = _from_header(split_line(lines[0], delimiter), delimiter)
        if dialect is not None:
            return dialect
    _refuse_unknown_header(lines[0])
    for line in lines:
        for delimiter in _delimiters_in(line):
            columns = _from_values(split_line(line, delimiter))
            if columns is not None:
                return Dialect(columns, delimiter, has_header=False)
    raise SourceError(
        f"no date and close column recognised in {lines[0][:120]!r}",
        hint="a header such as <TICKER>,<DTYYYYMMDD>,<CLOSE>, or rows such as A,20240102,1,2,1,2,9",
    )


def is_header(cells: Sequence[str]) -> bool:
    """True when the cells name a date and a close column."""
    roles = {_NAMES.get(clean_name(cell)) for cell in cells}
    return {"date", "close"} <= roles


def _delimiters_in(line: str) -> list[str]:
    return [delimiter for delimiter in DELIMITERS if delimiter in line]


def _from_header(cells: Sequence[str], delimiter: str) -> Dialect | None:
    if not is_header(cells):
        return None
    names = [clean_name(cell) for cell in cells]
    columns: list[str] = []
    notes: list[str] = []
    for name in names:
        role = _NAMES.get(name, "")
        if role and role in columns:
            notes.append(f"duplicate_header: column {name!r} stands twice, the first is read")
            role = ""
        elif not role and name:
            notes.append(f"unknown_column: column {name!r} is not read")
        columns.append(role if role != "name" else "")
    digits = next((_TIME_DIGITS[name] for name in names if name in _TIME_DIGITS), None)
    return Dialect(
        tuple(columns), delimiter, has_header=True, time_digits=digits, notes=tuple(notes)
    )


def _refuse_unknown_header(line: str) -> None:
    for delimiter in _delimiters_in(line):
        cells = split_line(line, delimiter)
        roles = {_NAMES.get(clean_name(cell)) for cell in cells} - {None}
        missing = [name for name in ("date", "close") if name not in roles]
        if len(roles) >= 2 and missing:
            raise SourceError(
                f"the header {line[:120]!r} names no {' and no '.join(missing)} column"
            )
    if not any(character.isdigit() for character in line):
        raise SourceError(
            f"no date and close column recognised in the header {line[:120]!r}",
            hint="known names: " + ", ".join(sorted(_NAMES)),
        )


def _from_values(cells: Sequence[str]) -> tuple[str, ...] | None:
    values = [cell.strip(' \t\0"') for cell in cells]
    position = _date_position(values)
    if position is None:
        return None
    rest = values[position + 1 :]
    before = _before_date(values[:position])
    has_time = len(rest) in (2, 5, 6, 7) and _CLOCK.fullmatch(rest[0]) is not None
    after = _AFTER_DATE.get(len(rest) - has_time)
    if after is None:
        return None
    return (*before, "date", *(("time",) if has_time else ()), *after)


def _date_position(values: Sequence[str]) -> int | None:
    """Where the date stands; six digits, maybe a ticker, count only when nothing better does."""
    dates = [place for place, value in enumerate(values[:4]) if parse_date(value) is not None]
    sure = [place for place in dates if len(values[place]) >= 8]
    unsure = [place for place in dates if len(values[place]) == 6]
    return next(iter(sure + unsure), None)


def _before_date(values: Sequence[str]) -> tuple[str, ...]:
    if len(values) < 2:
        return ("ticker",)[: len(values)]
    if len(values) == 2:
        return ("ticker", "per" if _PERIOD.fullmatch(values[1]) else "")
    return ("ticker", "", "per")
