# SPDX-License-Identifier: Apache-2.0
"""One refresh at a time: its owner announces how far it is, and those who wait see it.

Who waits for the lock joins the refresh under way: once it has the lock it plans anew, and what
the owner made fresh is not asked again.

What a refresh tells whoever watches it.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ttapi.home import read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.home import Home

_EVERY_S = 0.2


class ProgressWriter:
    """A watcher that passes everything on, and writes it where those who wait can read it."""

    def __init__(
        self, progress: Progress, home: Home, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._file = home.live / "progress.json"
        self._clock = clock
        self._parts: dict[str, list[int]] = {}
        self._written = float("-inf")

    def started(self, what: str, total: int) -> None:
        """Work on `what` begins."""
        self._progress.started(what, total)
        self._parts[what] = [0, total]
        self._write()

    def advanced(self, what: str, done: int) -> None:
        """`done` units are finished."""
        self._progress.advanced(what, done)
        self._parts[what][0] = done
        if self._clock() - self._written >= _EVERY_S:
            self._write()

    def finished(self, what: str) -> None:
        """Work on `what` is over."""
        self._progress.finished(what)
        self._parts.pop(what, None)
        self._write()

    def close(self) -> None:
        """Announce nothing any more."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = self._clock()
        partial = self._file.with_name(f"progress.json.tmp-{os.getpid()}")
        # Progress is a courtesy: a full disk is told by what needs the disk.
        with suppress(OSError):
            partial.write_text(json.dumps(self._parts), encoding="utf-8")
            partial.replace(self._file)


class ProgressReader:
    """Tells a watcher how far the owner's refresh is, whenever it is asked to pause."""

    def __init__(
        self, progress: Progress, home: Home, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._progress = progress
        self._file = home.live / "progress.json"
        self._sleep = sleep
        self._shown: set[str] = set()

    def pause(self, seconds: float) -> None:
        """Show what the owner announced, then sleep."""
        parts = self._read()
        for what in self._shown - parts.keys():
            self._progress.finished(what)
        for what, (done, total) in parts.items():
            if what not in self._shown:
                self._progress.started(what, total)
            self._progress.advanced(what, done)
        self._shown = set(parts)
        self._sleep(seconds)

    def close(self) -> None:
        """Stop showing the owner's work: one's own begins, or none is left."""
        for what in self._shown:
            self._progress.finished(what)
        self._shown = set()

    def _read(self) -> dict[str, tuple[int, int]]:
        try:
            document: Any = json.loads(read_file(self._file))
            return {str(what): (int(done), int(total)) for what, (done, total) in document.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}


class Progress(Protocol):
    """A watcher of long work; every method may do nothing."""

    def started(self, what: str, total: int) -> None:
        """Work of `total` units (0: unknown) on `what` begins."""
        ...

    def advanced(self, what: str, done: int) -> None:
        """`done` units of `what` are finished in all."""
        ...

    def finished(self, what: str) -> None:
        """Work on `what` is over."""
        ...


class NoProgress:
    """A watcher that does nothing."""

    def started(self, what: str, total: int) -> None:
        """Nothing."""

    def advanced(self, what: str, done: int) -> None:
        """Nothing."""

    def finished(self, what: str) -> None:
        """Nothing."""
