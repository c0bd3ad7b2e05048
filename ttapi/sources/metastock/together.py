# SPDX-License-Identifier: Apache-2.0
"""Many prepared files parsed together: plain ones at once, the lines that need care one by one.

A line of a plain file that is not plain is looked at alone. Refused there, it is refused; accepted
there (a date written another way), it may decide how its neighbours read, so its whole file is
taken line by line. Either way the outcome is that of the careful way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ttapi.sources.metastock.parse import Numbered, Typed, parse_careful, parse_plain
from ttapi.sources.metastock.prepare import Prepared, Reject, pick_lines, prepare_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import date


@dataclass(frozen=True)
class Part:
    """Accepted rows of files written alike; see `Typed.rows`."""

    rows: pl.DataFrame
    time_digits: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of every row of a set of files, by unit."""

    parts: tuple[Part, ...]
    rejects: dict[int, list[Reject]]
    notes: dict[int, list[str]]


def parse_together(
    files: Mapping[int, Prepared], content_of: Callable[[int], bytes], today: date
) -> Outcome:
    """The rows and refused lines of files given by unit; `content_of` hands out a file's bytes."""
    plain = _parse(
        {unit: file for unit, file in files.items() if file.is_plain}, parse_plain, today
    )
    picked = {
        unit: pick_lines(files[unit], lines)
        for typed, _ in plain
        for unit, lines in typed.doubtful.items()
    }
    looks = _parse(picked, parse_careful, today)
    again = {unit for typed, _ in plain for unit in typed.uncounted}
    again |= {unit for typed, _ in looks for unit in typed.rows["unit"].unique()}
    careful = {unit: file for unit, file in files.items() if not file.is_plain}
    careful |= {unit: prepare_lines(content_of(unit)) for unit in sorted(again)}
    whole = _parse(careful, parse_careful, today)
    rejects = {unit: own for typed, _ in looks + whole for unit, own in typed.rejects.items()}
    return Outcome(
        parts=tuple(
            Part(rows, digits) for rows, digits in _rows(plain, again) + _rows(whole) if rows.height
        ),
        rejects={unit: own for unit, own in rejects.items() if own},
        notes={u: own for typed, _ in plain + looks + whole for u, own in typed.notes.items()},
    )


def _rows(
    parsed: Sequence[tuple[Typed, int | None]], without: Collection[int] = ()
) -> list[tuple[pl.DataFrame, int | None]]:
    if not without:
        return [(typed.rows, digits) for typed, digits in parsed]
    is_kept = ~pl.col("unit").is_in(sorted(without))
    return [(typed.rows.filter(is_kept), digits) for typed, digits in parsed]


def _parse(
    files: Mapping[int, Prepared],
    parse: Callable[[Sequence[Numbered], date], Typed],
    today: date,
) -> list[tuple[Typed, int | None]]:
    """Each set of files with the same columns parsed in one pass, with its time digits."""
    alike: dict[tuple[object, ...], list[Numbered]] = {}
    for unit, file in files.items():
        dialect = file.dialect
        if dialect.columns:
            key = (dialect.columns, file.separator, dialect.time_digits)
            alike.setdefault(key, []).append(Numbered(unit, file))
    return [(parse(group, today), group[0].file.dialect.time_digits) for group in alike.values()]
