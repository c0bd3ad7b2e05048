# SPDX-License-Identifier: Apache-2.0
"""What is said on standard error around a query: what was refreshed, how old its inputs are."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ttapi.cli.session import seconds_text, tell

if TYPE_CHECKING:
    from ttapi.refresh.query import Prepared
    from ttapi.refresh.running.progress import Progress


class LateBars:
    """Progress bars that appear with the first thing to watch: most queries have none."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None

    def started(self, what: str, total: int) -> None:
        """Show a bar for `what`."""
        if self._bars is None:
            from ttapi.cli.progress import watched

            self._bars = self._stack.enter_context(watched())
        self._bars.started(what, total)

    def advanced(self, what: str, done: int) -> None:
        """Move it."""
        if self._bars is not None:
            self._bars.advanced(what, done)

    def finished(self, what: str) -> None:
        """Take it away."""
        if self._bars is not None:
            self._bars.finished(what)

    def close(self) -> None:
        """Leave the screen to the rows."""
        self._stack.close()
        self._bars = None


def tell_inputs(prepared: Prepared) -> None:
    """Say what was refreshed for a query, and how old its inputs are."""
    if prepared.outcome is None:
        tell(f"-- 0 calls, {seconds_text(prepared.planned_s)}")
    else:
        _tell_outcome(prepared)
    ages = ", ".join(f"{age.dataset} {age.told}" for age in prepared.ages)
    if ages:
        tell(f"-- inputs: {ages}")
    if prepared.unconfigured:
        tell(f"-- not configured, so empty: {', '.join(prepared.unconfigured)}")
    for warning in prepared.warnings:
        tell(f"-- {warning}")


def _tell_outcome(prepared: Prepared) -> None:
    done = prepared.outcome.datasets if prepared.outcome else ()
    seconds = sum(d.seconds for d in done)
    calls = prepared.source_calls
    changed = [d.dataset for d in done if d.is_changed]
    slices = f"fetched {calls:,} slice{'s' if calls != 1 else ''}"
    tell(f"-- {slices if calls else 'brought up to date'}, {seconds_text(seconds)}")
    if changed:
        tell(f"-- changed: {', '.join(changed)}")
    for one in done:
        if one.rows_refused:
            tell(f"-- {one.dataset}: {one.rows_refused:,} rows refused; select * from rejects")
        for failure in ([one.error] if one.error else []) + list(one.failed_units[:3]):
            tell(f"-- {one.dataset}: {failure}")


def ask_yes(question: str) -> bool:
    """Whether the person at the terminal says yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
