# SPDX-License-Identifier: Apache-2.0
"""Figures of a daemon for Prometheus, beside those of requests: publications, refreshes, the stream, copies."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ttapi.api import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ttapi.server.served_home import ServedHome

    Figure = tuple[str, str, float]
    """Name with labels, what it is, value."""

_OF_EVENTS = ("stored", "acknowledged", "conflated", "refused")
_OF_STREAM = {
    "gaps": "Times in which nothing arrived that should have, since the stream began.",
    "publications": "Publications since the stream began.",
    "waits": "Times that feeds had to wait for the disk, since the stream began.",
}


def figures(served: ServedHome, now: datetime) -> Iterator[Figure]:
    """All of them; `now`: by the system's clock, as publications are timed."""
    newest = served.published.newest()
    yield "ttapi_generation", "The newest published generation.", newest
    published = _changed_at(served.home.public_file)
    if published is not None:
        about = "Since the newest generation was published."
        yield "ttapi_publication_age_seconds", about, max(0.0, now.timestamp() - published)
    for state, count in served.queue.counts().items():
        about = "Refreshes that are remembered, by state."
        yield f'ttapi_refresh_tasks{{state="{state}"}}', about, count
    yield from _schedule_figures(served.schedule())
    yield from stream_figures(operations.stream_state(served.home), now)
    yield from _copy_figures(served.home.live, newest)


def _changed_at(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _schedule_figures(schedule: Mapping[str, Any]) -> Iterator[Figure]:
    yield (
        "ttapi_scheduler_up",
        "Whether something is refreshed by itself.",
        float("failing" in schedule),
    )
    about = "Source calls that the scheduler made in the last hour."
    yield "ttapi_scheduler_calls", about, schedule.get("calls_in_hour", 0)
    for name, what in (("failing", "fails"), ("left_alone", "is left alone")):
        about = f"Datasets of which the scheduler says: {what}."
        yield f"ttapi_scheduler_{name}", about, len(schedule.get(name, ()))


def stream_figures(state: Mapping[str, Any] | None, now: datetime) -> Iterator[Figure]:
    """What a recorder said at its last publication; None: none records."""
    yield "ttapi_stream_up", "Whether live events are recorded.", float(state is not None)
    if state is None:
        return
    counts = state.get("counts", {})
    for name in _OF_EVENTS:
        about = "Events since the stream began, by what became of them."
        yield f'ttapi_stream_events{{state="{name}"}}', about, counts.get(name, 0)
    for name, about in _OF_STREAM.items():
        yield f"ttapi_stream_{name}", about, counts.get(name, 0)
    if published_at := state.get("published_at"):
        age_s = (now - datetime.fromisoformat(published_at)).total_seconds()
        about = "Since the stream published last."
        yield "ttapi_stream_publication_age_seconds", about, max(0.0, age_s)


def _copy_figures(live: Path, newest: int) -> Iterator[Figure]:
    """How far the copies are behind that callers read who may not see everything."""
    behind: dict[str, int] = {}
    for file in live.glob("shared[.-]*.duckdb"):
        kind, number = file.name.split(".")[0], file.name.split(".")[-3]
        hides = "private" if kind == "shared" else "personal"
        lag = newest - int(number) if number.isdigit() else 0
        behind[hides] = min(behind.get(hides, lag), lag)
    for hides, lag in sorted(behind.items()):
        about = "Generations that the copy without private, or personal, data is behind."
        yield f'ttapi_shared_copy_lag{{hides="{hides}"}}', about, max(0, lag)
