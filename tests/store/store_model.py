# SPDX-License-Identifier: Apache-2.0
"""What loading means, in plain Python: lists of rows, no SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from store_samples import File, Row


@dataclass
class Kept:
    """One row of the raw table."""

    unit: str
    values: Row
    line: int
    known_at: datetime
    load_id: int
    replaced_at: datetime | None = None

    @property
    def grain(self):
        return self.values[:2]


@dataclass
class RawModel:
    mode: str
    rows: list[Kept] = field(default_factory=list)
    last_dates: dict[str, date | None] = field(default_factory=dict)

    def load(self, file: File, load_id: int, now: datetime) -> None:
        arriving = [
            Kept(file.key, row, i + 1, min(file.natural(i) or now, now), load_id)
            for i, row in enumerate(file.rows)
        ]
        self.last_dates[file.key] = file.last_date
        getattr(self, f"_{self.mode}")(arriving, file, now)

    def live(self, unit: str | None = None) -> list[Kept]:
        return [r for r in self.rows if r.replaced_at is None and unit in (None, r.unit)]

    def winners(self) -> list[Kept]:
        """The current row of each grain."""
        best: dict[object, Kept] = {}
        for row in self.live():
            if row.grain not in best or self._rank(row) > self._rank(best[row.grain]):
                best[row.grain] = row
        return list(best.values())

    def table(self) -> list[tuple[object, ...]]:
        winners = self.winners()
        return sorted(
            (
                (
                    r.unit,
                    *r.values,
                    r.known_at,
                    r.load_id,
                    r.replaced_at,
                    any(r is w for w in winners),
                )
                for r in self.rows
            ),
            key=repr,
        )

    def _append(self, arriving: list[Kept], file: File, now: datetime) -> None:
        self.rows += arriving

    def _replace(self, arriving: list[Kept], file: File, now: datetime) -> None:
        before = {r.grain for r in self.rows if r.unit == file.key}
        standing = sorted(self.live(file.key), key=lambda r: r.line)
        for row in arriving:
            twin = next((r for r in standing if r.values == row.values), None)
            if twin is not None:
                standing.remove(twin)
                twin.line = row.line if file.has_duplicates else twin.line
                continue
            row.known_at = now if row.grain in before else row.known_at
            self.rows.append(row)
        for row in standing:
            row.replaced_at = now

    def _merge(self, arriving: list[Kept], file: File, now: datetime) -> None:
        ordered = sorted(arriving, key=lambda r: (r.known_at, r.line))
        standing = {r.grain: r.values for r in self.live(file.key)}
        said_last = {r.grain: r.values for r in ordered}
        for row in ordered:
            if standing.get(row.grain) == said_last[row.grain]:
                continue
            old = next((r for r in self.live(row.unit) if r.grain == row.grain), None)
            if old is not None and old.values == row.values:
                continue
            if old is not None:
                old.replaced_at = row.known_at = now
            self.rows.append(row)

    def _rank(self, row: Kept):
        values = tuple((v is not None, v) for v in row.values)
        if self.mode == "replace":
            last = self.last_dates[row.unit]
            return ((last is not None, last), row.unit, row.line, values)
        return (row.known_at, row.load_id, row.line, values, row.unit)
