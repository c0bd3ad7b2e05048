# SPDX-License-Identifier: Apache-2.0
"""What every command starts with: the environment, the log file, someone to tell.

Progress bars, on a terminal's standard error only.

What is said on standard error around a query: what was refreshed, how old its inputs are.

An error as the shell tells it: what happened, the line with a caret, and what was meant.

Ctrl-C while a statement runs: the engine is told at once, wherever the main thread is.
"""

from __future__ import annotations

import math
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.api import operations
from ttapi.api.suggestions import missing_name
from ttapi.formats.values import amount, seconds_text
from ttapi.secret import scrubbed
from ttapi.sqltext import tokenize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ttapi.api import Environment, PreparedQuery, Progress
    from ttapi.errors import LockOwner, TtapiError

_PLAIN_WIDTH = 80

__all__ = [
    "interrupting",
    "open_environment",
    "require_home",
    "seconds_text",
    "stderr_width",
    "tell",
    "tell_waiting",
]


def open_environment(flag: Path | None, *, symbols: frozenset[str] | None = None) -> Environment:
    """The environment of the home at `flag`, or of the default one.

    *Raises* UsageError for a wrong setting.
    """
    return operations.open_environment(flag, symbols=symbols)


def require_home(environment: Environment) -> None:
    """Nothing, or UsageError when the home was never made."""
    operations.require_home(environment.home)


def tell(text: str) -> None:
    """One line of talk, on standard error."""
    sys.stderr.write(scrubbed(text) + "\n")
    sys.stderr.flush()


def stderr_width() -> int:
    """Columns of the terminal that standard error is; 80 where it is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _PLAIN_WIDTH
    except (OSError, ValueError):
        return _PLAIN_WIDTH


def tell_waiting(owner: LockOwner | None) -> None:
    """Say who is being waited for."""
    who = (
        f"process {owner.pid} ({owner.command}) on {owner.host}, since {owner.started_at}"
        if owner
        else "another process"
    )
    tell(f"ttapi: waiting for {who}")


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
        from ttapi.api import NoProgress

        yield NoProgress()
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


class DelayedProgress:
    """Progress bars that appear with the first thing to watch: most queries have none."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars: Progress | None = None

    def started(self, what: str, total: int) -> None:
        """Show a bar for `what`."""
        if self._bars is None:
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


def tell_inputs(prepared: PreparedQuery, *, lister: str = "ttapi status") -> None:
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
        ages = [f"{age.dataset} {age.text}" for age in oldest_first]
        tell(fitting_list("-- inputs: ", ages, f" ({lister})"))
    # Each with the setting that fills it: what one acts upon is not cut.
    for one in prepared.unconfigured:
        tell(f"-- not configured, so empty: {one}")
    for warning in prepared.warnings:
        tell(f"-- {warning}")


def _tell_outcome(prepared: PreparedQuery) -> None:
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
    width = stderr_width()
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


_CARET = re.compile(r"LINE \d+:")


def error_lines(error: TtapiError, sql: str) -> list[str]:
    """The lines that tell `error`, which `sql` met with."""
    lines = [line for line in error.message.rstrip().splitlines() if line.strip()]
    missing = missing_name(error.message)
    if missing and not _CARET.search(error.message):
        lines[1:1] = caret_lines(sql, missing[1])
    return lines + ([error.hint] if error.hint else [])


def caret_lines(sql: str, name: str) -> list[str]:
    """The line of `sql` in which `name` first stands as a word, and a caret under it."""
    wanted = name.rpartition(".")[2].lower()
    for piece in tokenize(sql):
        if piece.kind in {"name", "quoted"} and piece.text.strip('"').lower() == wanted:
            line_start = sql.rfind("\n", 0, piece.start) + 1
            line_end = sql.find("\n", piece.start)
            line = sql[line_start : len(sql) if line_end < 0 else line_end]
            head = f"LINE {sql.count(chr(10), 0, piece.start) + 1}: "
            blanks = " " * (len(head) + piece.start - line_start)
            return [head + line, f"{blanks}^"]
    return []


def load_arrow_alone() -> None:
    """Arrow without NumPy, a tenth of a one-shot query: for a process that only writes an answer as text.

    Arrow keeps doing without it for as long as the process lives.
    """
    if {"numpy", "pyarrow"} & sys.modules.keys():
        return
    # What is None here cannot be imported, and Arrow does without.
    sys.modules["numpy"] = None  # type: ignore[assignment] # a module by its declaration, None by its manual
    try:
        import_module("pyarrow")
    finally:
        del sys.modules["numpy"]


@contextmanager
def interrupting(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` for each SIGINT inside the block.

    Python's own handler runs when the main thread is back from the engine, which may be minutes
    later; the byte that the signal writes is read at once, by a thread. Outside the main thread
    there is no signal to hear, and nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, written = socket.socketpair()
    written.setblocking(False)
    before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(receiver, interrupt), daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        written.close()
        listener.join()
        receiver.close()


def _listen(receiver: socket.socket, interrupt: Callable[[], None]) -> None:
    while number := receiver.recv(1):
        if number[0] == signal.SIGINT:
            interrupt()
