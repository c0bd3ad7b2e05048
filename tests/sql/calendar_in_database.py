# SPDX-License-Identifier: Apache-2.0
"""The calendar's raw tables, filled without a home."""

from __future__ import annotations

from datetime import UTC, datetime

from ttapi.sources.calendar import CalendarSource
from ttapi.sources.contract import SourceContext, UnitRequest

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def load_calendar(con, now=NOW):
    """Both calendar resources, as the store would keep them on a first load."""
    source, context = CalendarSource(), SourceContext(settings={}, now=now)
    for resource in source.resources:
        requests = [UnitRequest(unit) for unit in source.survey(resource, context)]
        columns = ", ".join(column.name for column in resource.columns)
        for batch in source.fetch(resource, requests, context):
            con.register("batch", batch.rows)
            con.execute(
                f"insert into raw.{resource.table} ({columns}, unit_id, line, known_at, load_id, is_current)"
                f" select {columns}, unit, line, known_at, 1, true from batch"
            )
            con.unregister("batch")
