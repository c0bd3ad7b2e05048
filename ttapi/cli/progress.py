# SPDX-License-Identifier: Apache-2.0
"""Progress bars, on a terminal's standard error only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ttapi.refresh.running.progress import Progress, Silence

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Bars:
    """A bar a dataset."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def started(self, what: str, total: int) -> None:
        """Show a bar for `what`."""
        self._tasks[what] = self._bars.add_task(what, total=total or None)

    def advanced(self, what: str, done: int) -> None:
        """Move it."""
        self._bars.update(self._tasks[what], completed=done)

    def finished(self, what: str) -> None:
        """Take it away: the summary will name it."""
        self._bars.remove_task(self._tasks.pop(what))


@contextmanager
def watched() -> Iterator[Progress]:
    """A watcher that draws bars on a terminal and is silent elsewhere."""
    if not sys.stderr.isatty():
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    with RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        yield Bars(bars)
