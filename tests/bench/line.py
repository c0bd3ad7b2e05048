# SPDX-License-Identifier: Apache-2.0
"""One row of the report of `make bench`, and the report beside the last run that was kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machine import BUSY, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

NOTICED = 1.15
"""A figure this much worse than the kept one is told as a loss."""


@dataclass(frozen=True)
class Line:
    """One row of the report."""

    work: str
    measured: float
    unit: str
    limit: float
    baseline: float | None = None
    note: str = ""
    others: float = 0.0
    """Share of the cores that other programs took meanwhile."""

    @property
    def figure(self) -> float:
        """What is judged: the ratio where there is a baseline of the same run."""
        return self.measured / self.baseline if self.baseline else self.measured

    @property
    def is_met(self) -> bool:
        return self.figure <= self.limit

    @property
    def is_judged(self) -> bool:
        """Whether the machine was quiet enough; a ratio of one run is judged on any."""
        return self.baseline is not None or self.others <= BUSY


def measured(group: Callable[[], Sequence[Line]]) -> list[Line]:
    """The lines of `group`, each with what other programs took while it ran."""
    with watched() as others:
        lines = group()
    return [replace(line, others=others.share) for line in lines]


def report(lines: Sequence[Line], kept: Mapping[str, float]) -> str:
    """A table: limit, figure, baseline, change against the kept run, load, verdict."""
    head = (
        f"{'work':62} {'limit':>9} {'ttapi':>11} {'bare':>9} {'ratio':>6} {'kept':>7} {'load':>5}"
    )
    rows = [head]
    for line in lines:
        limit = f"{line.limit:g} x" if line.baseline else f"{line.limit:g} {line.unit}"
        bare = f"{line.baseline:.2f}" if line.baseline else ""
        ratio = f"{line.figure:.2f}" if line.baseline else ""
        rows.append(
            f"{line.work:62} {limit:>9} {line.measured:8.2f} {line.unit:2} {bare:>9} {ratio:>6}"
            f" {_change(line, kept):>7} {line.others:5.0%} {_verdict(line, kept)} {line.note}".rstrip()
        )
    return "\n".join(rows)


def _change(line: Line, kept: Mapping[str, float]) -> str:
    """How many times the kept figure."""
    before = kept.get(line.work)
    return f"x{line.figure / before:.2f}" if before else ""


def _verdict(line: Line, kept: Mapping[str, float]) -> str:
    if not line.is_judged:
        return "busy"
    if not line.is_met:
        return "MISSED"
    before = kept.get(line.work)
    return "ok, a LOSS" if before and line.figure > before * NOTICED else "ok"


def read_kept(path: Path) -> dict[str, float]:
    """The figures of the last run that was kept, by the line's work; none yet: nothing."""
    return json.loads(path.read_text())["figures"] if path.is_file() else {}


def keep(path: Path, reference: Mapping[str, float], lines: Sequence[Line]) -> None:
    """Write this run's figures, with the reference of its machine, for later ones to be held against."""
    document = {
        "reference_ms": {name: round(value, 3) for name, value in reference.items()},
        "figures": {line.work: float(f"{line.figure:.4g}") for line in lines if line.is_judged},
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
