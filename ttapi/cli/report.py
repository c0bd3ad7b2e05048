# SPDX-License-Identifier: Apache-2.0
"""What `ttapi status` shows; without Typer, so that it answers in 200 ms."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.refresh.status import StatusRow
    from ttapi.refresh.workspace import Workspace


def report_status(home: Path | None, dataset: str | None, as_json: bool) -> None:
    """Write verdict, reasons and age of every dataset, or of one; no lock, no database.

    *Raises* UsageError for a home never made, and for a dataset nobody knows.
    """
    from ttapi.cli.session import workspace_at

    show_status(workspace_at(home), dataset, as_json)


def show_status(workspace: Workspace, dataset: str | None, as_json: bool) -> None:
    """Write the same about the installation at hand."""
    from ttapi.cli.session import require_home
    from ttapi.refresh.home_state import read_home_state
    from ttapi.refresh.status import status_rows

    require_home(workspace)
    left = read_home_state(workspace.home)
    datasets = {**left.datasets, **workspace.raw_datasets}
    broken = {name: error for name, error in left.broken.items() if name not in datasets}
    only = None if dataset is None else [_known(dataset, [*datasets, *broken])]
    rows = status_rows(
        datasets,
        left.states,
        moment=workspace.moment,
        held=workspace.held(),
        only=only,
        broken=broken,
    )
    if as_json:
        _line(json.dumps([_document(row) for row in rows]))
    else:
        _show(rows, workspace)


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


def _known(name: str, datasets: Sequence[str]) -> str:
    matches = [d for d in datasets if d == name] or [
        d for d in datasets if d.rpartition(".")[2] == name
    ]
    if not matches:
        raise UsageError(f"{name!r} is no dataset", hint="ttapi status lists them")
    return matches[0]


def _document(row: StatusRow) -> dict[str, object]:
    return {
        "dataset": row.dataset,
        "verdict": row.verdict,
        "reasons": list(row.reasons),
        "age_s": None if row.age_s is None else round(row.age_s, 3),
        "ttl_s": None if row.ttl_s is None else round(row.ttl_s, 3),
        "last_load_at": _iso(row.last_load_at),
        "due_at": _iso(row.due_at),
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _show(rows: Sequence[StatusRow], workspace: Workspace) -> None:
    from zoneinfo import ZoneInfo

    from ttapi.cli.session import seconds_text

    zone = ZoneInfo(workspace.settings.display_timezone)
    width = max([7, *(len(row.dataset) for row in rows)])
    _line(f"{'dataset':{width}}  {'verdict':14}  {'age':>7}  {'due (' + str(zone) + ')':24}  why")
    for row in rows:
        age = "-" if row.age_s is None else seconds_text(max(0.0, row.age_s))
        due = (
            "-" if row.due_at is None else row.due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")
        )
        _line(
            f"{row.dataset:{width}}  {row.verdict:14}  {age:>7}  {due:24}  {'; '.join(row.reasons)}".rstrip()
        )
