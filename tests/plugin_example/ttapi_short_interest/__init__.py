# SPDX-License-Identifier: Apache-2.0
"""Short interest as exchanges publish it, twice a month: files of `symbol,settlement_date,shares_short`.

[sources.short_interest]
path = "/data/short_interest"
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.errors import SourceDownError, UsageError
from ttapi.sources.contract import (
    Batch,
    Column,
    Resource,
    SourceContext,
    Unit,
    UnitReport,
    UnitRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HEADER = "symbol,settlement_date,shares_short"
# Copied alone into TTAPI_HOME/sources it brings no SQL.
_SQL = Path(__file__).with_name("sql")

REPORTS = Resource(
    name="reports",
    table="short_interest",
    about="Shares sold short per symbol and settlement date, as published.",
    columns=(
        Column("symbol", "VARCHAR", "upper case"),
        Column("settlement_date", "DATE", "date the positions settled"),
        Column("shares_short", "BIGINT", "shares, 0 or more"),
    ),
    grain=("symbol", "settlement_date"),
    keys=("symbol",),
    time_column="settlement_date",
    ttl="1d",
    is_local=True,
)


class ShortInterest:
    """The source."""

    name = "short_interest"
    about = "Short interest from text files."
    version = "1"
    resources = (REPORTS,)
    setting_names = ("path",)
    sql_folder = _SQL if _SQL.is_dir() else None

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:
        """The folder must be named."""
        del resource
        return None if context.settings.get("path") else "path"

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:
        """Every .csv file of the folder, by name."""
        del resource
        folder = Path(context.settings["path"])
        if not folder.is_dir():
            raise UsageError(
                f"{folder} is no folder", hint="set [sources.short_interest] path to one"
            )
        units = []
        for file in sorted(folder.glob("*.csv")):
            facts = file.stat()
            units.append(Unit(file.name, facts.st_size, facts.st_mtime_ns))
        return units

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """One batch a file."""
        del resource
        folder = Path(context.settings["path"])
        if requests and not folder.is_dir():
            raise SourceDownError(f"{folder} is gone", hint="is its drive still mounted?")
        for request in requests:
            yield _read(folder / request.unit.key, request)


@dataclass(frozen=True)
class _Row:
    line: int
    symbol: str
    day: date
    shares: int


def _read(file: Path, request: UnitRequest) -> Batch:
    try:
        content = file.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        return Batch((UnitReport(request.unit, error=f"cannot be read: {exc}"),))
    seal = hashlib.blake2b(content, digest_size=16).hexdigest()
    if seal == request.known_hash:
        return Batch((UnitReport(request.unit, seal, is_unchanged=True),))
    if lines and lines[0].strip() != HEADER:
        problem = f"begins with {lines[0]!r}, not with {HEADER!r}"
        return Batch((UnitReport(request.unit, seal, error=problem),))
    rows, refused = _parsed(lines[1:])
    days = [row.day for row in rows]
    report = UnitReport(
        request.unit,
        seal,
        rows_in=len(rows) + len(refused),
        rows_accepted=len(rows),
        rows_refused=len(refused),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
        has_duplicates=len({(row.symbol, row.day) for row in rows}) < len(rows),
    )
    return Batch((report,), _row_table(rows), _reject_table(refused))


def _parsed(lines: Sequence[str]) -> tuple[list[_Row], dict[int, tuple[str, str]]]:
    """Accepted rows, and reason and text of each refused line by its number."""
    rows: list[_Row] = []
    refused: dict[int, tuple[str, str]] = {}
    for number, line in enumerate(lines, start=2):
        words = [word.strip() for word in line.split(",")]
        try:
            symbol, day, shares = words
            row = _Row(number, symbol.upper(), date.fromisoformat(day), int(shares))
        except ValueError as exc:
            refused[number] = (str(exc), line)
            continue
        if row.symbol and row.shares >= 0:
            rows.append(row)
        else:
            refused[number] = ("no symbol, or fewer than no shares", line)
    return rows, refused


def _row_table(rows: Sequence[_Row]) -> pa.Table:
    return pa.table(
        {
            "symbol": pa.array([row.symbol for row in rows], pa.string()),
            "settlement_date": pa.array([row.day for row in rows], pa.date32()),
            "shares_short": pa.array([row.shares for row in rows], pa.int64()),
            "unit": pa.array([0] * len(rows), pa.int32()),
            "line": pa.array([row.line for row in rows], pa.int32()),
            # Published about two weeks after settlement; without that date, known when loaded.
            "known_at": pa.nulls(len(rows), pa.timestamp("us")),
        }
    )


def _reject_table(refused: Mapping[int, tuple[str, str]]) -> pa.Table:
    return pa.table(
        {
            "unit": pa.array([0] * len(refused), pa.int32()),
            "line": pa.array(list(refused), pa.int32()),
            "reason": pa.array([reason for reason, _ in refused.values()], pa.string()),
            "text": pa.array([text[:500] for _, text in refused.values()], pa.string()),
        }
    )
