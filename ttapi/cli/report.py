# SPDX-License-Identifier: Apache-2.0
"""What `ttapi status` shows; without Typer, so that it answers in 200 ms."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ttapi.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.refresh.datasets import PlanInputs
    from ttapi.refresh.freshness import StatusRow
    from ttapi.refresh.installation import Workspace


def report_status(home: Path | None, dataset: str | None, as_json: bool) -> None:
    """Write verdict, reasons and age of every dataset, or of one; no lock, no database.

    *Raises* UsageError for a home never made, and for a dataset nobody knows; StoreError where what
    the last refresh left is damaged.
    """
    from ttapi.cli.terminal import open_environment

    for line in status_lines(open_environment(home), dataset, as_json=as_json):
        sys.stdout.write(line + "\n")


def status_lines(workspace: Workspace, dataset: str | None, *, as_json: bool) -> list[str]:
    """The same about the installation at hand, as lines."""
    from ttapi.cli.terminal import require_home
    from ttapi.refresh.freshness import remarks_of, status_rows
    from ttapi.refresh.home_state import read_home_state, require_state
    from ttapi.sources.traffic import traffic_text

    require_home(workspace)
    require_state(workspace.home)
    left = read_home_state(workspace.home)
    datasets = {**left.datasets, **workspace.raw_datasets}
    broken = {name: error for name, error in left.broken.items() if name not in datasets}
    only = None if dataset is None else [_known(dataset, [*datasets, *broken])]
    rows = status_rows(
        datasets,
        left.states,
        moment=workspace.moment,
        held=_held(workspace),
        only=only,
        broken=broken,
        remarks=remarks_of(left, datasets),
    )
    if as_json:
        return [json.dumps([_document(row) for row in rows])]
    asked = left.traffic if dataset is None else {}
    told = [f"{source}, last asked: {traffic_text(account)}" for source, account in asked.items()]
    return [*_table(rows, workspace), *told, *([] if dataset else [_market_line(workspace.now)])]


def _held(workspace: Workspace) -> PlanInputs:
    """What is there; a default list that nobody knows is told, and the rest of the status shown."""
    from ttapi.cli.terminal import tell
    from ttapi.refresh.datasets import PlanInputs

    try:
        return workspace.held()
    except UsageError as exc:
        tell(f"ttapi: [universe] default: {exc.message}")
        return PlanInputs(slices=workspace.home_state.slices)


def _market_line(now: datetime) -> str:
    from ttapi.market.calendar import NEW_YORK, sessions

    calendar = sessions("XNYS")
    day = calendar.session_on_or_after(now.astimezone(NEW_YORK).date())
    if now >= calendar.close_utc(day):
        day = calendar.next_session(day)
    is_open = calendar.open_utc(day) <= now
    until = calendar.close_utc(day) if is_open else calendar.open_utc(day)
    shown = until.astimezone(NEW_YORK)
    return f"XNYS is {'open' if is_open else 'closed'} until {shown:%Y-%m-%d %H:%M} New York"


def _known(name: str, datasets: Sequence[str]) -> str:
    matches = [d for d in datasets if d == name] or [
        d for d in datasets if d.rpartition(".")[2] == name
    ]
    if not matches:
        hint = did_you_mean(name, datasets) or "ttapi status lists them"
        raise UsageError(f"{name!r} is no dataset", hint=hint)
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


def _table(rows: Sequence[StatusRow], workspace: Workspace) -> Iterator[str]:
    from zoneinfo import ZoneInfo

    from ttapi.cli.terminal import seconds_text

    zone = ZoneInfo(workspace.settings.display_timezone)
    cells = [("dataset", "verdict", "age", f"due ({zone})", "why")]
    for row in rows:
        age = "-" if row.age_s is None else seconds_text(max(0.0, row.age_s))
        due = (
            "-" if row.due_at is None else row.due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M")
        )
        cells.append((row.dataset, row.verdict, age, due, "; ".join(row.reasons)))
    name, verdict, age_width, due_width, _ = (
        max(map(len, column)) for column in zip(*cells, strict=True)
    )
    for dataset, said, age, due, why in cells:
        yield f"{dataset:{name}}  {said:{verdict}}  {age:>{age_width}}  {due:{due_width}}  {why}".rstrip()
