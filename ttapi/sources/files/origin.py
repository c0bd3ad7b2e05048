# SPDX-License-Identifier: Apache-2.0
"""What a file says of its rows beside them: the symbol and the day in its place, its columns."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.sources.dates import parse_date

if TYPE_CHECKING:
    from datetime import date


_DAY = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)", re.ASCII)
_TICKER = re.compile(r"[A-Z][A-Z0-9]{0,5}([./-][A-Z]{1,2})?", re.ASCII)


@dataclass(frozen=True)
class FilePlace:
    """Where rows come from."""

    stem: str
    """The file's name without its endings."""
    folder: str
    """Name of the folder it lies in."""
    columns: frozenset[str] = frozenset()
    """The columns it has, by the names they are taken under."""


def origin_of(root: Path, key: str) -> FilePlace:
    """The place of the file that is called `key` below `root`."""
    path = Path(os.path.abspath(root / key))  # noqa: PTH100 - `resolve` would follow links
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return FilePlace(Path(name).stem, path.parent.name)


def symbol_of_place(origin: FilePlace) -> str | None:
    """The symbol a file is about: `AAPL/20140602.csv`, `options/AAPL.csv`, `AAPL_2014-06-02.csv`.

    The folder's name goes first where it is written as a symbol, in capitals; then what the file's
    name says beside a day, then either in any case.
    """
    beside_day = _DAY.sub("", origin.stem).strip(" _-.")
    names = [name for name in (origin.folder, beside_day) if name]
    any_case = [name.upper() for name in reversed(names)]
    found = (name for name in (*names, *any_case) if _TICKER.fullmatch(name))
    symbol = next(found, None)
    return symbol.replace("/", ".").replace("-", ".") if symbol else None


def day_of_place(origin: FilePlace) -> date | None:
    """The day in the file's name: eight digits, or year, month and day with - _ or . between."""
    match = _DAY.search(origin.stem)
    return parse_date(f"{match[1]}{match[3]}{match[4]}") if match else None


def bare_name(name: str) -> str:
    """A column's name in lower case without what vendors put between words: `openinterest`."""
    return "".join(letter for letter in name.lower() if letter not in " _-.")
