# SPDX-License-Identifier: Apache-2.0
"""What operations give as JSON documents: the same from the command line and over HTTP."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ttapi.audit.why import Explanation
    from ttapi.models.lineage import LineageGraph, Node
    from ttapi.refresh.datasets import Step
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.freshness import StatusRow
    from ttapi.refresh.runner import RefreshOutcome


def status_document(row: StatusRow) -> dict[str, Any]:
    """How fresh one dataset is; instants as ISO 8601, ages in seconds."""
    return {
        "dataset": row.dataset,
        "verdict": row.verdict,
        "reasons": list(row.reasons),
        "age_s": None if row.age_s is None else round(row.age_s, 3),
        "ttl_s": None if row.ttl_s is None else round(row.ttl_s, 3),
        "last_load_at": iso_instant(row.last_load_at),
        "due_at": iso_instant(row.due_at),
    }


def plan_document(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """What a refresh would do: an entry a slice, or a dataset that has none."""
    return [
        {
            "dataset": step.dataset,
            "slice": unit,
            "reasons": list(step.reasons),
            "calls": 1 if step.calls else 0,
        }
        for step in steps
        if step.action != "none"
        for unit in (step.slices or (None,))
    ]


def outcome_document(outcome: RefreshOutcome) -> dict[str, Any]:
    """What a refresh did, an entry a dataset."""
    return {
        "load_id": outcome.load_id,
        "generation": outcome.generation,
        "datasets": [
            {
                "dataset": d.dataset,
                "verdict": d.verdict,
                "reasons": list(d.reasons),
                "rows_in": d.rows_in,
                "rows_accepted": d.rows_accepted,
                "rows_refused": d.rows_refused,
                "source_calls": d.source_calls,
                "slices_held": d.slices_held,
                "seconds": round(d.seconds, 3),
                "error": d.error or ("; ".join(d.failed_units) or None),
            }
            for d in outcome.datasets
        ],
    }


def lineage_document(graph: LineageGraph, node: Node, environment: Environment) -> dict[str, Any]:
    """Where a relation, or one column of it, comes from: what each column reads, and the roots it ends in."""
    relation, column = node
    names = [column] if column else graph.columns(relation)
    return {
        "relation": relation,
        "column": column,
        "columns": [_column_document(graph, (relation, name), environment) for name in names],
        "read_by": graph.readers(relation),
    }


def _column_document(graph: LineageGraph, node: Node, environment: Environment) -> dict[str, Any]:
    from ttapi.audit.replay import filler_of  # noqa: PLC0415 - status comes without the engine

    roots = []
    for relation, column in graph.roots(node):
        filler = filler_of(environment, relation)
        roots.append(
            {
                "relation": relation,
                "column": column,
                "source": filler.source if filler else None,
                "setting": filler.setting if filler else None,
            }
        )
    return {
        "column": node[1],
        "expression": graph.expression(node),
        "upstreams": [{"relation": r, "column": c} for r, c in graph.upstreams(node)],
        "roots": roots,
    }


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Why a row says what it says; values that JSON has no word for as text."""
    return {name: _plain(value) for name, value in dataclasses.asdict(found).items()}


def iso_instant(instant: datetime | None) -> str | None:
    """`2024-06-14T20:00:00Z`; None for None."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)
