# SPDX-License-Identifier: Apache-2.0
"""Dates as vendors write them, read without guessing types.

Two rules decide what a text leaves open. A two-digit year follows the POSIX pivot: 69-99 is
1969-1999, 00-68 is 2000-2068. `01/02/2008` is month first, unless some date of the same file can
only be day first (`21/12/2008`) and none only month first; with dots (`21.12.2008`) the day is
always first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_YEAR = 1700
"""Years before it are misread numbers, not markets: the oldest price series start in the 1700s."""

_DIGITS = re.compile(r"\d{1,6}|\d{8}", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_DAY_NAME_YEAR = re.compile(r"(\d{1,2})[ -]([a-z]{3,9})[ -](\d{4}|\d{2})", re.ASCII | re.IGNORECASE)
_NAME_DAY_YEAR = re.compile(r"([a-z]{3,9}) (\d{1,2}),? (\d{4}|\d{2})", re.ASCII | re.IGNORECASE)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


@dataclass(frozen=True)
class DateOrder:
    """How a file's `a/b/yyyy` dates are read."""

    is_day_first: bool = False
    is_ambiguous: bool = False
    """No date of the file decides; month first is then our choice."""


def find_order(texts: Iterable[str]) -> DateOrder:
    """The order of day and month that the dates of one file prove, month first where none does."""
    can_decide = day_proofs = month_proofs = False
    for text in texts:
        if text[:4].isdigit():
            continue
        match = _YEAR_LAST.fullmatch(text)
        if match is None or match[2] == ".":
            continue
        can_decide = True
        day_proofs = day_proofs or int(match[1]) > 12
        month_proofs = month_proofs or int(match[3]) > 12
    return DateOrder(
        is_day_first=day_proofs and not month_proofs,
        is_ambiguous=can_decide and not day_proofs and not month_proofs,
    )


def parse_date(text: str, order: DateOrder = DateOrder()) -> date | None:
    """The date a text says, or None.

    Reads `20080121`, `080121` (leading zeros may be lost), `2008-01-21`, `12/21/2008`,
    `21.12.2008`, `21 Jan 2008`, `21-Jan-08` and `Jan 21, 2008`.
    """
    if _DIGITS.fullmatch(text):
        return _from_digits(text)
    if match := _YEAR_FIRST.fullmatch(text):
        return _make(int(match[1]), int(match[3]), int(match[4]))
    if match := _YEAR_LAST.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), _full_year(match[4])
        if match[2] == "." or order.is_day_first:
            return _make(year, second, first)
        return _make(year, first, second)
    if match := _DAY_NAME_YEAR.fullmatch(text):
        return _make(_full_year(match[3]), _month(match[2]), int(match[1]))
    if match := _NAME_DAY_YEAR.fullmatch(text):
        return _make(_full_year(match[3]), _month(match[1]), int(match[2]))
    return None


def is_zero(text: str) -> bool:
    """True for a date that says nothing: `0`, `00000000`, `0000-00-00`."""
    return "0" in text and not text.strip("0-/. ")


def _from_digits(text: str) -> date | None:
    if len(text) == 8:
        return _make(int(text[:4]), int(text[4:6]), int(text[6:]))
    six = text.zfill(6)
    return _make(_full_year(six[:2]), int(six[2:4]), int(six[4:]))


def _full_year(text: str) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (1900 if year >= 69 else 2000)


def _month(name: str) -> int:
    lower = name.lower()
    for number, month in enumerate(_MONTHS, 1):
        if month.startswith(lower) or (lower == "sept" and number == 9):
            return number
    return 0


def _make(year: int, month: int, day: int) -> date | None:
    if year < FIRST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
