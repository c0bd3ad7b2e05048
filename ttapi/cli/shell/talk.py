# SPDX-License-Identifier: Apache-2.0
"""What is said on standard error around a query: what was refreshed, how old its inputs are."""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ttapi.cli.session import seconds_text, talk_width, tell
from ttapi.formats.spans import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def tell_inputs(prepared: Prepared, *, lister: str = "ttapi status") -> None:
    """Say what was refreshed for a query, and how old its inputs are, the oldest first.

    `lister`: the command that lists them all, where the line is too short for it.
    """
    if prepared.as_of is not None:
        tell(f"-- {prepared.as_of}")
    if prepared.outcome is None:
        tell(f"-- 0 calls, {seconds_text(prepared.planned_s)}")
    else:
        _tell_outcome(prepared)
    if prepared.ages:
        oldest_first = sorted(
            prepared.ages, key=lambda a: -math.inf if a.age_s is None else -a.age_s
        )
        ages = [f"{age.dataset} {age.told}" for age in oldest_first]
        tell(fitting_list("-- inputs: ", ages, f" ({lister})"))
    # Each with the setting that fills it: what one acts upon is not cut.
    for one in prepared.unconfigured:
        tell(f"-- not configured, so empty: {one}")
    for warning in prepared.warnings:
        tell(f"-- {warning}")


def _tell_outcome(prepared: Prepared) -> None:
    done = prepared.outcome.datasets if prepared.outcome else ()
    slices_fetched = prepared.slices_fetched
    changed = [d.dataset for d in done if d.is_changed]
    slices = (
        f"fetched {amount(slices_fetched, 'slice')}" if slices_fetched else "brought up to date"
    )
    tell(f"-- {slices}, {seconds_text(prepared.refresh_s)}")
    if changed:
        tell(fitting_list("-- changed: ", changed))
    for one in done:
        if one.rows_refused:
            refused = amount(one.rows_refused, "row")
            tell(f"-- {one.dataset}: {refused} refused; select * from rejects")
        for failure in ([one.error] if one.error else []) + list(one.failed_units[:3]):
            tell(f"-- {one.dataset}: {failure}")


def fitting_list(head: str, parts: Sequence[str], pointer: str = "") -> str:
    """As many of `parts` as a line of talk holds, then how many more there are, and `pointer`.

    The first is told whatever its length.
    """
    width = talk_width()
    whole = head + ", ".join(parts)
    if len(whole) <= width:
        return whole
    for kept in range(len(parts) - 1, 0, -1):
        line = f"{head}{', '.join(parts[:kept])}, {len(parts) - kept} more"
        for told in (line + pointer, line):
            if len(told) <= width:
                return told
    return head + parts[0] + (f", {len(parts) - 1} more" if len(parts) > 1 else "")


def ask_yes(question: str) -> bool:
    """Whether the person at the terminal says yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
