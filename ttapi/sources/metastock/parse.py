# SPDX-License-Identifier: Apache-2.0
"""From prepared files to typed rows, many files in one pass of Polars.

Many prepared files parsed together: plain ones at once, the lines that need care one by one.

A line of a plain file that is not plain is looked at alone. Refused there, it is refused; accepted
there (a date written another way), it may decide how its neighbours read, so its whole file is
taken line by line. Either way the outcome is that of the careful way.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from ttapi.sources.dates import FIRST_YEAR, DateOrder, find_order, is_zero, parse_date
from ttapi.sources.metastock.dialect import (
    TORN,
    UNPARSABLE_CLOSE,
    UNPARSABLE_DATE,
    PreparedFile,
    Reject,
    pick_lines,
    prepare_lines,
)
from ttapi.sources.text_files import BLANKS, TEXT_LIMIT, plain_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "open_interest")
TEXTS = ("ticker", "per", "time")
PLACEHOLDER = date(1900, 1, 1)
_FIRST_DATE = date(FIRST_YEAR, 1, 1)


@dataclass(frozen=True)
class Numbered:
    """A prepared file and its place in the batch."""

    unit: int
    file: PreparedFile


@dataclass(frozen=True)
class Typed:
    """What became of the rows of several files.

    *Shape* `rows`: unit, line, date, the NUMBERS, the TEXTS as written; every row accepted.
    """

    rows: pl.DataFrame
    rejects: dict[int, list[Reject]]
    """Per unit, for files taken line by line."""
    notes: dict[int, list[str]]
    doubtful: dict[int, list[int]]
    """Per unit of a plain file the lines left out of `rows` because they are not plain."""
    uncounted: frozenset[int] = frozenset()
    """Units of plain files of which nothing is in `rows`: their field counts were not as proven."""


def parse_plain(files: Sequence[Numbered], today: date) -> Typed:
    """The rows of plain files of one dialect; lines that need care are handed back."""
    try:
        # Of a cell without blanks the CSV reader makes the number a cast makes, in half the time.
        text = _cells(files, pl.Float64)
    except pl.exceptions.PolarsError:
        # Lines whose wrong field counts cancel out: no count over a whole file sees them.
        return Typed(_no_rows(), {}, {}, {}, frozenset(item.unit for item in files))
    written = text["date"]
    typed = _complete(text.with_columns(written.str.to_date("%Y%m%d", strict=False)))
    is_good = _good_rows(typed, written, today)
    doubtful: dict[int, list[int]] = {}
    if is_good is not None:
        for unit, line in typed.filter(~is_good).select("unit", "line").iter_rows():
            doubtful.setdefault(unit, []).append(line)
        typed = typed.filter(is_good)
    return Typed(typed, {}, {item.unit: list(item.file.notes) for item in files}, doubtful)


def _good_rows(typed: pl.DataFrame, written: pl.Series, today: date) -> pl.Series | None:
    """Which rows have a plain date and close; None when all have."""
    day, close = typed["date"], typed["close"]
    is_good = (written.str.len_bytes() == 8) & day.is_between(_FIRST_DATE, today)
    is_good = (is_good & (day != PLACEHOLDER) & (close > 0)).fill_null(value=False)
    return None if is_good.all() else is_good


def parse_careful(files: Sequence[Numbered], today: date) -> Typed:
    """The rows of files of one set of columns that were taken line by line."""
    text = _cells(files, pl.String)
    for name in {*NUMBERS, *TEXTS, "date"} & set(text.columns):
        text = text.with_columns(pl.col(name).str.strip_chars(BLANKS))
    dates = _read_dates(files, text["date"].to_list(), today)
    close = pl.col("close")
    reason = (
        pl.when(pl.col("date_reason").is_not_null())
        .then("date_reason")
        .when(close.is_null())
        .then(pl.lit(UNPARSABLE_CLOSE))
        .when(close <= 0)
        .then(pl.lit("close is not above 0"))
    )
    numbers = text.with_columns(
        plain_number(pl.col(name))
        for name in NUMBERS
        if name in text.columns and text[name].str.contains(",", literal=True).any()
    ).with_columns(pl.col(set(NUMBERS) & set(text.columns)).cast(pl.Float64, strict=False))
    typed = (
        _complete(numbers.with_columns(pl.Series("date", dates.days, pl.Date)))
        .with_columns(pl.Series("date_reason", dates.reasons, pl.String))
        .with_columns(reason.alias("reason"), pl.int_range(pl.len()).alias("place"))
    )
    refused = typed.filter(pl.col("reason").is_not_null()).select("unit", "place", "reason")
    rejects = _all_rejects(files, refused)
    rows = typed.filter(pl.col("reason").is_null()).select(_no_rows().columns)
    return Typed(rows, rejects, dates.notes, {})


def _cells(files: Sequence[Numbered], number: type[pl.Float64 | pl.String]) -> pl.DataFrame:
    """Every cell, plus unit and line; a cell that is no `number` is null."""
    first = files[0].file
    names = [name or f"_{place}" for place, name in enumerate(first.dialect.columns)]
    schema = {name: number if name in NUMBERS else pl.String for name in names}
    rows = sum(item.file.rows for item in files)
    wanted = [name for name in names if not name.startswith("_")]
    if not rows:
        return pl.DataFrame(schema=schema).select(wanted).hstack(_places(files))
    frame = pl.read_csv(
        io.BytesIO(b"".join(item.file.body for item in files)),
        has_header=False,
        schema=schema,
        separator=first.separator,
        quote_char=None,
        ignore_errors=True,
    )
    if frame.height != rows:
        raise pl.exceptions.ComputeError(f"{frame.height} rows read, {rows} counted")
    return frame.select(wanted).hstack(_places(files))


def _places(files: Sequence[Numbered]) -> pl.DataFrame:
    """Unit and line of every row."""
    counts = pl.DataFrame(
        {
            "unit": [item.unit for item in files],
            "rows": [item.file.rows for item in files],
            "first": [item.file.first_line for item in files],
        },
        schema={"unit": pl.Int32, "rows": pl.UInt32, "first": pl.Int32},
    ).filter(pl.col("rows") > 0)
    spread = counts.select(
        pl.col("unit").repeat_by("rows"),
        pl.int_ranges(pl.col("first"), pl.col("first") + pl.col("rows"), dtype=pl.Int32).alias(
            "line"
        ),
    ).explode("unit", "line", empty_as_null=False)
    if files[0].file.lines is None:
        return spread
    lines = [line for item in files for line in item.file.lines or ()]
    return spread.with_columns(pl.Series("line", lines, pl.Int32))


def _complete(found: pl.DataFrame) -> pl.DataFrame:
    """The columns of `Typed.rows` and no other; what the files lack is null, so is NaN."""
    for name in NUMBERS:
        if name in found.columns and not found[name].is_finite().all():
            found = found.with_columns(pl.when(pl.col(name).is_finite()).then(name).alias(name))
    if "volume" in found.columns:
        found = found.with_columns(pl.when(pl.col("volume") != -1).then("volume").alias("volume"))
    schema = _no_rows().schema
    lacking = [
        pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in found.columns
    ]
    return found.with_columns(lacking).select(schema.names())


def _no_rows() -> pl.DataFrame:
    kinds = {"unit": pl.Int32, "line": pl.Int32, "date": pl.Date}
    return pl.DataFrame(
        schema={**kinds, **dict.fromkeys(NUMBERS, pl.Float64), **dict.fromkeys(TEXTS, pl.String)}
    )


@dataclass(frozen=True)
class _Dates:
    days: list[date | None]
    reasons: list[str | None]
    notes: dict[int, list[str]]


def _read_dates(files: Sequence[Numbered], texts: list[str | None], today: date) -> _Dates:
    found = _Dates([], [], {})
    start = 0
    for item in files:
        own = [text or "" for text in texts[start : start + item.file.rows]]
        start += item.file.rows
        order = find_order(own)
        known = {text: _read_date(text, order, today) for text in set(own)}
        found.days.extend(known[text][0] for text in own)
        found.reasons.extend(known[text][1] for text in own)
        found.notes[item.unit] = list(item.file.notes)
        if order.is_ambiguous:
            found.notes[item.unit].append(
                "ambiguous_dates: dates like 01/02/2008 are read month first"
            )
    return found


@lru_cache(maxsize=1 << 16)
def _read_date(text: str, order: DateOrder, today: date) -> tuple[date | None, str | None]:
    if is_zero(text):
        return None, "date is 0"
    day = parse_date(text, order)
    if day is None:
        return None, UNPARSABLE_DATE
    if day == PLACEHOLDER:
        return None, "date is 1900-01-01, a placeholder"
    if day > today:
        return None, "date lies in the future"
    return day, None


def _all_rejects(files: Sequence[Numbered], refused: pl.DataFrame) -> dict[int, list[Reject]]:
    starts: dict[int, int] = {}
    rejects: dict[int, list[Reject]] = {}
    by_unit = {item.unit: item.file for item in files}
    total = 0
    for item in files:
        starts[item.unit] = total
        total += item.file.rows
        rejects[item.unit] = list(item.file.rejects)
    for unit, place, reason in refused.iter_rows():
        file = by_unit[unit]
        own = place - starts[unit]
        line = (file.lines or ())[own]
        is_torn = line == file.torn_line and reason in (UNPARSABLE_DATE, UNPARSABLE_CLOSE)
        rejects[unit].append(
            Reject(line, TORN if is_torn else reason, file.texts[own][:TEXT_LIMIT])
        )
    return {unit: sorted(own, key=lambda one: one.line) for unit, own in rejects.items()}


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
    files: Mapping[int, PreparedFile], content_of: Callable[[int], bytes], today: date
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
    files: Mapping[int, PreparedFile],
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
