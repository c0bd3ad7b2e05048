# SPDX-License-Identifier: Apache-2.0
"""The stream of a daemon, begun again, after a growing pause, whenever it ends.

What it waits for (the lock, the file, a pause) is waited for in a thread; events are taken in the server's loop.

Why it does not run lies where `ttapi status` and `ttapi doctor` look, until events are stored again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ttapi.api import (
    Hub,
    RecordRequest,
    forget_stream_trouble,
    note_stream_trouble,
    operations,
    record,
    recorder_owner,
)
from ttapi.errors import DiskFullError, LockedError, StoreError, TtapiError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ttapi.api import RecorderCounts
    from ttapi.home import Home

log = logging.getLogger("ttapi.server")

_WAIT_S = 1.0
"""For the journal and the file, before it is told that another has them."""


@dataclass(frozen=True)
class Restarts:
    """How a stream that ended is begun again."""

    first_s: float = 5.0
    """Pause after it ended; it doubles each time that nothing was stored."""
    longest_s: float = 300.0
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    """Returns when the time is over, or the event is set."""

    def pause_s(self, failures: int, error: Exception) -> float:
        """Seconds to wait: what another process has, or the disk, is looked at soon again."""
        if isinstance(error, LockedError | DiskFullError):
            return self.first_s
        return float(min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30)))


class DaemonStream:
    """Live events recorded beside the server."""

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str],
        symbols: tuple[str, ...],
        tell: Callable[[str], None],
        *,
        restarts: Restarts = Restarts(),
        publishing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """`publishing`: stands around each publication."""
        self._home, self._environ, self._tell, self._restarts = home, environ, tell, restarts
        self._publishing = publishing
        self._request = RecordRequest(symbols, wait_s=_WAIT_S, command="ttapi serve --stream")
        self.hub = Hub(symbols) if symbols else None
        self._is_ending = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], object] | None = None
        self._failures = 0
        self._reason = ""
        self._since = ""
        self._thread = threading.Thread(target=self._keep_up, name="stream", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing; the recording begins in the server's `loop`, where there is something to record."""
        self._loop = loop
        if self.hub is None:
            return
        forget_stream_trouble(self._home)
        owner = recorder_owner(self._home)
        if owner is not None:
            self._tell(
                f"ttapi: the stream waits: process {owner.pid} ({owner.command}) records into this home"
            )
        self._thread.start()

    def stop(self) -> None:
        """Nothing; it is to end."""
        self._is_ending.set()
        if self._stop is not None:
            with suppress(RuntimeError):  # its loop has ended by itself
                self._stop()

    async def ended(self, timeout_s: float) -> None:
        """Nothing, once what has arrived is stored and published, unless that takes longer: it needs the loop."""
        if self._thread.is_alive():
            with suppress(TimeoutError):
                joined = asyncio.to_thread(self._thread.join, timeout_s)
                await asyncio.wait_for(joined, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Nothing; what has arrived is stored and published, unless that takes longer."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self.hub is not None:
            forget_stream_trouble(self._home)

    def _keep_up(self) -> None:
        while not self._is_ending.is_set():
            try:
                self._record()
            except Exception as exc:  # noqa: BLE001 - the server goes on, and a stream is tried again, whatever it met
                if not self._is_ending.is_set():
                    self._note(exc)
                elif isinstance(exc, TtapiError):
                    log.warning("the stream ended: %s", exc)

    def _record(self) -> None:
        environment = operations.open_environment(self._home.root, environ=self._environ)
        record(
            environment,
            self._request,
            environ=self._environ,
            hub=self.hub,
            on_begun=self._begun,
            on_published=self._published,
            on_silent=self._tell_silent,
            publishing=self._publishing,
            run_to_end=self._run_to_end,
        )

    def _run_to_end(self, recording: Coroutine[Any, Any, None]) -> None:
        """Nothing, once it has ended, in the loop of the server.

        Beside a loop of its own the one that sends waited for the interpreter after each write.
        """
        assert self._loop is not None
        try:
            asyncio.run_coroutine_threadsafe(recording, self._loop).result()
        except CancelledError:
            raise StoreError("the stream was cut off: its journal has what arrived") from None

    def _begun(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        if self._is_ending.is_set():
            stop()

    def _published(self, counts: RecorderCounts, generation: int) -> None:
        del generation
        if counts.stored and self._failures:
            self._failures, self._reason = 0, ""
            forget_stream_trouble(self._home)
            self._tell("ttapi: the stream runs")

    def _tell_silent(self, symbols: Sequence[str]) -> None:
        self._tell(f"ttapi: nothing has come of {', '.join(symbols)}")

    def _note(self, error: Exception) -> None:
        """Say where others look that the stream does not run, and wait."""
        self._failures += 1
        pause_s = self._restarts.pause_s(self._failures, error)
        reason = str(error) if isinstance(error, TtapiError) else type(error).__name__
        now = datetime.now(UTC)
        if self._failures == 1:
            self._since = now.isoformat(timespec="seconds")
        if reason != self._reason:
            self._reason = reason
            log.error("the stream ended", exc_info=error)
            self._tell(f"ttapi: the stream ended: {reason}; it is tried again")
        note_stream_trouble(
            self._home,
            {
                "pid": os.getpid(),
                "since": self._since,
                "reason": reason,
                "failures": self._failures,
                "again_at": (now + timedelta(seconds=pause_s)).isoformat(timespec="seconds"),
            },
        )
        self._restarts.wait(self._is_ending, pause_s)
