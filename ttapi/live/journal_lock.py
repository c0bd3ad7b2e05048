# SPDX-License-Identifier: Apache-2.0
"""Whose the journal is: one recorder's a home, from before anything is replayed to its end.

The live file is handed over to other commands meanwhile; the journal never is, since two recorders
would give the same positions to different events. The lock's file remembers a recorder that did not
end by itself: what happened between its last event and the next one's first connection is a gap.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from ttapi.errors import LockedError
from ttapi.refresh.daemon_client import hang_text, hanging_daemon
from ttapi.store.lock import acquire_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.errors import LockOwner
    from ttapi.home import Home
    from ttapi.store.lock import OnWait, OwnerLock

log = logging.getLogger(__name__)

_SINCE = "recording_since"


class JournalLock:
    """The journal held by this recorder; made by `own_journal`."""

    def __init__(self, lock: OwnerLock) -> None:
        self._lock = lock
        since = lock.before.get(_SINCE)
        self.unfinished_since = datetime.fromisoformat(since) if since else None
        """Since when, zone-aware UTC, recorders before recorded that did not end by themselves; None: all did."""
        self._since = self.unfinished_since
        self._is_whole = False

    def begin(self, now: datetime) -> None:
        """Remember that events arrive from `now` on: an end that is none of its own leaves a gap behind them."""
        if self._since is not None:
            return
        self._since = now
        try:
            self._lock.note(self._facts())
        except OSError as exc:
            # What the journal holds after a kill says the same.
            log.warning("the recorder's lock says not since when: %s", exc.strerror)

    def end_whole(self) -> None:
        """Remember that the recorder ends by itself, and nothing is missing."""
        self._is_whole = True

    def release(self) -> None:
        """Let the next one in."""
        is_open = self._since is not None and not self._is_whole
        self._lock.release(self._facts() if is_open else None)

    def _facts(self) -> dict[str, str]:
        return {_SINCE: self._since.isoformat()} if self._since else {}


@contextmanager
def own_journal(
    home: Home, *, command: str, wait_s: float, on_wait: OnWait = None
) -> Iterator[JournalLock]:
    """Hold the journal of `home`. *Raises* LockedError, past `wait_s`, that names the recorder that has it."""
    lock = JournalLock(
        acquire_file(
            home.recorder_file,
            command=command,
            wait_s=wait_s,
            on_wait=on_wait,
            refusal=lambda owner: _refusal(home, owner),
        )
    )
    try:
        yield lock
    finally:
        lock.release()


def _refusal(home: Home, owner: LockOwner | None) -> LockedError:
    who = "another process"
    if owner is not None:
        who = f"process {owner.pid} ({owner.command}) on {owner.host}, since {owner.started_at}"
    daemon = hanging_daemon(home)
    hint = (
        "one command records all symbols: ttapi stream SPY AAPL, or ttapi serve --stream SPY,AAPL"
    )
    if daemon is not None and owner is not None and daemon.pid == owner.pid:
        hint = f"it does not answer: {hang_text(home, daemon)}"
    return LockedError(f"streams of this home are recorded by {who}", owner=owner, hint=hint)
