# SPDX-License-Identifier: Apache-2.0
"""What `ttapi status` shows; without Typer, so that it answers in 200 ms."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.api import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.api import Environment, StatusRow


def report_status(home: Path | None, dataset: str | None, as_json: bool) -> None:
    """Write verdict, reasons and age of every dataset, or of one; no lock, no database.

    *Raises* UsageError for a home never made, and for a dataset nobody knows; StoreError where what
    the last refresh left is damaged.
    """
    from ttapi.cli.terminal import open_environment

    for line in status_lines(open_environment(home), dataset, as_json=as_json):
        sys.stdout.write(line + "\n")


def status_lines(environment: Environment, dataset: str | None, *, as_json: bool) -> list[str]:
    """The same about the installation at hand, as lines."""
    from ttapi.cli.terminal import tell

    found = operations.status(environment, dataset)
    if found.universe_error:
        tell(f"ttapi: [universe] default: {found.universe_error}")
    if as_json:
        return [json.dumps([_document(row) for row in found.rows])]
    asked = [f"{source}, last asked: {text}" for source, text in found.traffic.items()]
    market = [] if dataset else [_market_line(environment.now)]
    return [*_table(found.rows, environment), *asked, *market]


def _market_line(now: datetime) -> str:
    phase = operations.market_phase(now)
    shown = phase.until.astimezone(ZoneInfo("America/New_York"))
    return f"XNYS is {'open' if phase.is_open else 'closed'} until {shown:%Y-%m-%d %H:%M} New York"


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


def _table(rows: Sequence[StatusRow], environment: Environment) -> Iterator[str]:
    from ttapi.cli.terminal import seconds_text

    zone = ZoneInfo(environment.settings.display_timezone)
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
