# SPDX-License-Identifier: Apache-2.0
"""The rows to write, and how they are to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.formats.spans import amount

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Page:
    """The rows at hand of an answer."""

    table: pa.Table
    total: int
    """Rows the answer has, at hand or not."""

    @property
    def is_cut(self) -> bool:
        """Whether rows were left out."""
        return bool(self.table.num_rows < self.total)

    @property
    def count_text(self) -> str:
        """`3 rows`, or `1,000 of 60,137 rows shown`."""
        if self.is_cut:
            return f"{self.table.num_rows:,} of {self.total:,} rows shown"
        return amount(self.total, "row")


@dataclass(frozen=True)
class Look:
    """How rows are shown; a format uses what concerns it."""

    zone: str = "America/New_York"
    """Zone in which formats for people show instants; the others are UTC."""
    null: str | None = None
    """Text of a missing value; None: the format's own."""
    has_header: bool = True
    separator: str = ","
    """Between the cells of csv."""
    thousands: str = ""
    """Between groups of three digits, in formats for people."""
    width: int = 0
    """Screen columns that duckbox may fill; 0: any number."""
