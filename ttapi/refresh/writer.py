# SPDX-License-Identifier: Apache-2.0
"""Who carries out what writes: this process, holding the lock from the first stale slice to publication.

Or the daemon of the home, which is asked; where it does not answer, the lock decides as between any two processes.

One refresh at a time: its owner announces how far it is, and those who wait see it.

Who waits for the lock joins the refresh under way: once it has the lock it plans anew, and what
the owner made fresh is not asked again.

What a refresh tells whoever watches it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ttapi.errors import LockOwner
from ttapi.home import read_file
from ttapi.store.lock import DaemonNote, read_daemon
from ttapi.store.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.home import Home
    from ttapi.refresh.daemon_client import Channel
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.maintenance import (
        BackupOutcome,
        BackupRequest,
        RestoreOutcome,
        RestoreRequest,
    )
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.store.lock import OnWait


log = logging.getLogger(__name__)


class Writer(Protocol):
    """What may write the live file of a home, or have it written."""

    def refresh(
        self,
        environment: Environment,
        request: RefreshRequest,
        *,
        progress: Progress | None = None,
        on_wait: OnWait = None,
    ) -> RefreshOutcome:
        """Bring the request's datasets and all they read up to date, and publish what changed.

        *Raises* LockedError past `wait_s`; UsageError and ModelError before anything is changed;
        StoreError when the file cannot be used. A failing dataset is an outcome, not an exception.
        """

    def back_up(
        self, environment: Environment, request: BackupRequest, *, on_wait: OnWait = None
    ) -> BackupOutcome:
        """A proved backup, as `maintenance.back_up` makes it."""

    def restore(
        self, environment: Environment, request: RestoreRequest, *, on_wait: OnWait = None
    ) -> RestoreOutcome:
        """The home brought back, as `maintenance.restore` does it."""


class LocalWriter:
    """This process: it takes the lock, opens and migrates the file, and lets go of both."""

    def refresh(
        self,
        environment: Environment,
        request: RefreshRequest,
        *,
        progress: Progress | None = None,
        on_wait: OnWait = None,
    ) -> RefreshOutcome:
        """As `Writer.refresh`."""
        from ttapi.refresh.maintenance import (  # noqa: PLC0415 - nothing that writes comes with a query on fresh data
            export_after_publication,
            export_formats,
        )

        # A wrong setting is told before the lock is waited for.
        _ = environment.resources
        export_formats(environment.settings.export_formats)
        outcome = self._refresh_under_lock(environment, request, progress or NoProgress(), on_wait)
        changed = {d.dataset for d in outcome.datasets if d.is_changed}
        if not changed or not environment.settings.export_datasets:
            return outcome
        now = environment.after(outcome.home_state)
        exports = export_after_publication(now, changed, load_id=outcome.load_id)
        return replace(outcome, exports=tuple(exports))

    @staticmethod
    def _refresh_under_lock(
        environment: Environment, request: RefreshRequest, progress: Progress, on_wait: OnWait
    ) -> RefreshOutcome:
        from ttapi.refresh.runner import refresh_store  # noqa: PLC0415 - as above

        listener = ProgressReader(progress, environment.home)
        announcer = ProgressWriter(progress, environment.home)
        opened = open_store(
            environment.home,
            command=request.command,
            wait_s=request.wait_s,
            on_wait=on_wait,
            pause=listener.pause,
            now=environment.now,
            memory_limit=environment.settings.memory_limit,
        )
        with opened as store, closing(announcer):
            listener.close()
            return refresh_store(store, environment, request, announcer)

    def back_up(
        self, environment: Environment, request: BackupRequest, *, on_wait: OnWait = None
    ) -> BackupOutcome:
        """As `Writer.back_up`."""
        from ttapi.refresh.maintenance import back_up  # noqa: PLC0415 - as above

        return back_up(environment, request, on_wait=on_wait)

    def restore(
        self, environment: Environment, request: RestoreRequest, *, on_wait: OnWait = None
    ) -> RestoreOutcome:
        """As `Writer.restore`."""
        from ttapi.refresh.maintenance import restore  # noqa: PLC0415 - as above

        return restore(environment, request, on_wait=on_wait)


THIS_PROCESS = LocalWriter()
"""The writer where no daemon serves the home."""


class DaemonWriter(LocalWriter):
    """The daemon of the home, asked to refresh; backup and restore are this process's, under the lock.

    A daemon that does not answer, ends meanwhile, or works under other settings leaves the refresh to this
    process, which then waits for the lock as without a daemon.
    """

    def __init__(self, note: DaemonNote) -> None:
        self._note = note

    def refresh(
        self,
        environment: Environment,
        request: RefreshRequest,
        *,
        progress: Progress | None = None,
        on_wait: OnWait = None,
    ) -> RefreshOutcome:
        """As `Writer.refresh`; *raises* UsageError for a daemon of another version too."""
        from ttapi.refresh import daemon_client  # noqa: PLC0415 - where there is no daemon nobody needs it

        asked = daemon_client.request_to_json(environment, request)
        shown = _Shown(progress or NoProgress(), environment.home, on_wait)
        try:
            with closing(shown), daemon_client.greeted(environment.home) as (channel, greeting):
                daemon_client.require_same_version(greeting, environment.home)
                channel.send({"refresh": asked})
                outcome = self._outcome(channel, shown)
        except OSError as exc:
            log.warning(
                "the daemon did not answer", extra={"pid": self._note.pid, "error": str(exc)}
            )
            outcome = None
        if outcome is None:
            return super().refresh(environment, request, progress=progress, on_wait=on_wait)
        from ttapi.refresh.home_state import read_home_state  # noqa: PLC0415 - it comes with a refresh

        return replace(outcome, home_state=read_home_state(environment.home))

    @staticmethod
    def _outcome(channel: Channel, shown: _Shown) -> RefreshOutcome | None:
        """What came of it; None: the daemon leaves it to others. *Raises* what it raised there."""
        from ttapi.refresh import daemon_client  # noqa: PLC0415 - as above

        silent_since = time.monotonic()
        try:
            while True:
                said = channel.receive(_EVERY_S)
                if said is None:
                    if time.monotonic() - silent_since > daemon_client.SILENT_S:
                        raise TimeoutError("it hangs")
                    shown.pause()
                    continue
                silent_since = time.monotonic()
                if "outcome" in said:
                    return daemon_client.outcome_from_json(said["outcome"])
                if "error" in said:
                    raise daemon_client.error_from_json(said["error"])
                if "elsewhere" in said:
                    log.info(
                        "the daemon leaves it to this process", extra={"why": said["elsewhere"]}
                    )
                    return None
                shown.tell(said)
        except KeyboardInterrupt:
            # Whoever goes on after this finds it at its end, if that comes soon.
            with suppress(OSError):
                channel.send({"cancel": True})
                daemon_client.await_end(channel)
            raise


class _Shown:
    """What a watcher is told of a refresh that another process carries out."""

    def __init__(self, progress: Progress, home: Home, on_wait: OnWait) -> None:
        self._progress, self._on_wait = progress, on_wait
        self._waiting: ProgressReader | None = None
        self._home = home
        self._open: list[str] = []

    def tell(self, said: dict[str, Any]) -> None:
        """Pass on what the daemon said, where it is for a watcher."""
        match said:
            case {"started": [what, total]}:
                self._end_waiting()
                self._open.append(what)
                self._progress.started(what, total)
            case {"advanced": [what, done]}:
                self._progress.advanced(what, done)
            case {"finished": [what]}:
                self._open.remove(what)
                self._progress.finished(what)
            case {"waiting": owner}:
                self._waiting = self._waiting or ProgressReader(
                    self._progress, self._home, sleep=lambda _: None
                )
                if self._on_wait:
                    self._on_wait(LockOwner(**owner) if owner else None)

    def pause(self) -> None:
        """Show how far the refresh is that is waited for."""
        if self._waiting:
            self._waiting.pause(0.0)

    def close(self) -> None:
        """End what is shown."""
        self._end_waiting()
        while self._open:
            self._progress.finished(self._open.pop())

    def _end_waiting(self) -> None:
        if self._waiting:
            self._waiting.close()
        self._waiting = None


def writer_for(home: Home) -> Writer:
    """Who carries out what writes to `home`: the daemon that serves it, else this process."""
    note = read_daemon(home)
    if note is None or not note.is_held or note.pid == os.getpid():
        return THIS_PROCESS
    return DaemonWriter(note)


def run_refresh(
    environment: Environment,
    request: RefreshRequest,
    *,
    progress: Progress | None = None,
    on_wait: OnWait = None,
) -> RefreshOutcome:
    """What came of a refresh, by the daemon where one serves the home; *raises* as `Writer.refresh`."""
    return writer_for(environment.home).refresh(
        environment, request, progress=progress, on_wait=on_wait
    )


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
