# SPDX-License-Identifier: Apache-2.0
"""`explain refresh <query>`: what would be fetched and rebuilt for a query, why, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.refresh.plan import dry_run, predicted_seconds
from ttapi.refresh.query import plan_query, refresh_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from ttapi.refresh.datasets import Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.query import QueryRequest


@dataclass(frozen=True)
class PlannedSlice:
    """One slice a query depends on."""

    dataset: str
    slice: str | None
    """A file, or a key and its dates; None: the dataset as a whole."""
    verdict: str
    action: str
    """ask, rebuild, or none."""
    reasons: tuple[str, ...]
    calls: int
    """Source calls it would make."""
    seconds: float | None
    """Predicted from its last run; None: it never ran."""


def explain_refresh(environment: Environment, request: QueryRequest) -> tuple[PlannedSlice, ...]:
    """Every slice `request` depends on, upstreams first; nothing is fetched and no lock taken.

    *Raises* what `plan_query` raises.
    """
    plan = plan_query(environment, request)
    steps = {step.dataset: step for step in plan.steps}
    # The folders of local sources are looked at, as the refresh itself would.
    looked_at = dry_run(environment, refresh_request(plan, request)) if plan.stale else plan.steps
    slices: list[PlannedSlice] = []
    for step in looked_at:
        if step.dataset in steps:
            slices += _slices_of(environment, step)
    return tuple(slices)


def _slices_of(environment: Environment, step: Step) -> list[PlannedSlice]:
    seconds = None if step.action == "none" else predicted_seconds(environment, step)
    parts: Sequence[str | None] = step.slices or (None,)
    calls = 1 if step.slices else step.calls
    each = seconds / len(parts) if seconds is not None else None
    return [
        PlannedSlice(step.dataset, part, step.verdict, step.action, step.reasons, calls, each)
        for part in parts
    ]


def as_table(slices: Sequence[PlannedSlice]) -> pa.Table:
    """`slices` as rows: dataset, slice, verdict, action, reasons, calls, seconds."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    # Of thousands of files each takes less than a millisecond; together they must add up.
    seconds = [None if s.seconds is None else round(s.seconds, 6) for s in slices]
    return pa.table(
        {
            "dataset": pa.array([s.dataset for s in slices], pa.string()),
            "slice": pa.array([s.slice for s in slices], pa.string()),
            "verdict": pa.array([s.verdict for s in slices], pa.string()),
            "action": pa.array([s.action for s in slices], pa.string()),
            "reasons": pa.array(["; ".join(s.reasons) for s in slices], pa.string()),
            "calls": pa.array([s.calls for s in slices], pa.int64()),
            "seconds": pa.array(seconds, pa.float64()),
        }
    )
