# SPDX-License-Identifier: Apache-2.0
"""One row of the report of `make bench`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One row of the report."""

    work: str
    measured: float
    unit: str
    limit: float
    baseline: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool:
        return (self.measured / self.baseline if self.baseline else self.measured) <= self.limit
