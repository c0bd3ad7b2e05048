# SPDX-License-Identifier: Apache-2.0
"""Who carries out what writes: this process, holding the lock from the first stale slice to publication."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ttapi.refresh.single_flight import NoProgress, Progress, ProgressReader, ProgressWriter
from ttapi.store.store import open_store

if TYPE_CHECKING:
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
"""The writer where no daemon holds the file."""


def run_refresh(
    environment: Environment,
    request: RefreshRequest,
    *,
    progress: Progress | None = None,
    on_wait: OnWait = None,
) -> RefreshOutcome:
    """What came of a refresh by this process; *raises* as `Writer.refresh`."""
    return THIS_PROCESS.refresh(environment, request, progress=progress, on_wait=on_wait)
