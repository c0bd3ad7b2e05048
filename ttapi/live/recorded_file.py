# SPDX-License-Identifier: Apache-2.0
"""One open file that streams are recorded into: records appended, published with ledger and state.

What the journal has and the file has not, after a crash, is appended before anything new.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ttapi.errors import CommitUnknownError, StoreError
from ttapi.live.feed import ResumePoint
from ttapi.live.journal import Damage, Journal, last_position, read_journal
from ttapi.refresh.datasets import market_clock
from ttapi.refresh.freshness import status_rows
from ttapi.refresh.home_state import write_home_state
from ttapi.store.catalog import (
    add_notes,
    mark_changed,
    read_slices,
    read_states,
    replace_coded_notes,
    write_freshness,
)
from ttapi.store.catalog_rows import NoteRow
from ttapi.store.ledger import Retention
from ttapi.store.lock import is_wanted
from ttapi.store.log import LogRecord, LogWriter
from ttapi.store.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from ttapi.clock import Clock
    from ttapi.config import Settings
    from ttapi.live.feed import StreamGap
    from ttapi.refresh.environment import Environment
    from ttapi.sources.traffic import NetworkAccounts
    from ttapi.store.catalog import DatasetState
    from ttapi.store.store import Store

STREAM_GAP = "stream gap"
"""The note code of an interval in which nothing could arrive."""
STREAM_RETENTION = "stream retention"
"""The note code of events that were removed to keep within `[stream] keep_days` and `keep_gb`."""
_KNOWN_EVENTS = 100_000
"""Numbered events of an earlier recorder that a history may repeat."""
_FORGETS_APART = timedelta(minutes=1)
_EXCHANGE = ZoneInfo("America/New_York")


class RecordedFile:
    """What the recorder writes into; one thread at a time uses it."""

    def __init__(
        self,
        store: Store,
        environment: Environment,
        clock: Clock,
        reopen: Callable[[Callable[[], bool]], tuple[Store, Environment]] | None = None,
    ) -> None:
        """`environment`: as the file was installed from.

        `reopen`: waits for the lock, until it is told to stop, and opens the file again; None: the
        file is kept to the end.
        """
        self._clock, self._reopen = clock, reopen
        self.has_unpublished = False
        self.accounts: NetworkAccounts | None = None
        """What the streams asked of the network, which the home state is to say; None: nothing."""
        self.replayed = 0
        """Events that the journal had and the file had not."""
        self._notes: list[NoteRow] = []
        self.forgotten: Counter[str] = Counter()
        """Rows removed by the retention of the settings, by dataset."""
        self._forgot_at: datetime | None = None
        self._publishing: Callable[[], AbstractContextManager[object]] = nullcontext
        self._was_cut_short = False
        self._unfinished_since: datetime | None = None
        self.is_open = False
        """Whether it can be written; False: a full disk, or what held it meanwhile, kept it from that."""
        self._take(store, environment)

    def _take(
        self, store: Store, environment: Environment, unsettled: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._store, self._environment = store, environment
        self._datasets = environment.datasets
        self._state = replace(
            environment.home_state,
            fingerprint=environment.installation.fingerprint,
            datasets=self._datasets,
            broken=environment.broken,
        )
        self._logs = {
            name: offer.resource
            for name, offer in environment.resources.items()
            if offer.resource.storage == "log"
        }
        self._load_id = store.next_load_id()
        self._log = self._log_writer(unsettled)
        self.is_open = True

    def _log_writer(self, unsettled: Iterable[tuple[str, str]]) -> LogWriter:
        """Another writer, which settles what the one before did not."""
        log = LogWriter(self._store, self._load_id, self._logs)
        log.unsettled.update(unsettled)
        return log

    @property
    def is_wanted(self) -> bool:
        """Whether another command waits for the file, and it can be let go of."""
        return self._reopen is not None and is_wanted(self._environment.home)

    def hand_over(self, is_stopping: Callable[[], bool]) -> None:
        """Publish, let another command have the file, and take it again when that is done.

        Meanwhile the journal has what arrives. *Raises* what opening the file raises; LockedError where
        `is_stopping` before the other is done.
        """
        assert self._reopen is not None
        if self.has_unpublished:
            self.publish([])
        self.is_open = False
        self._store.close()
        self._take(*self._reopen(is_stopping), self._log.unsettled)

    def ensure_open(self, is_stopping: Callable[[], bool]) -> None:
        """Have the file open again where it could not be written. *Raises* as `hand_over`."""
        if self.is_open or self._reopen is None:
            return
        with suppress(StoreError):
            self._store.close()
        self._take(*self._reopen(is_stopping), self._log.unsettled)

    def close(self) -> None:
        """Close the file and let go of it."""
        self._store.close()

    @property
    def generation(self) -> int:
        """The newest that was published."""
        return self._store.generation

    @property
    def position(self) -> int:
        """Of the last journal record that the file holds."""
        return self._log.position

    @property
    def load_id(self) -> int:
        """The load that everything is recorded under."""
        return self._load_id

    def resume_point(self) -> ResumePoint:
        """Where an earlier recorder had come to; of one that did not end by itself with when that was.

        To be asked once `open_journal` has appended what the journal had.
        """
        found = {
            one.table: events
            for one in self._logs.values()
            if (events := self._log.newest_events(one, _KNOWN_EVENTS))
        }
        if not self._was_cut_short:
            return ResumePoint(found)
        known = (self._log.last_received(), self._unfinished_since)
        return ResumePoint(found, max(filter(None, known), default=None))

    def open_journal(
        self,
        unfinished_since: datetime | None = None,
        publishing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Journal:
        """The journal to go on with, after what it had and the file had not was appended.

        `unfinished_since`: when a recorder began that did not end by itself; None: none is known. `publishing`
        stands around each publication from here on.
        """
        self._publishing = publishing
        folder = self._environment.home.journal
        # Who ends by itself leaves none.
        self._was_cut_short = last_position(folder) > 0 or unfinished_since is not None
        self._unfinished_since = unfinished_since
        for one in read_journal(folder, self.position):
            if isinstance(one, Damage):
                detail = (
                    f"records of {one.file.name} behind {one.after} cannot be read: they are lost"
                )
                self._note(sorted(self._logs), detail)
                continue
            self.replayed += self.append([self._known_part(one)])
        journal = Journal(folder, max(self.position, last_position(folder)))
        if self.replayed or self._notes:
            self.publish([])
        return journal

    def _known_part(self, record: LogRecord) -> LogRecord:
        """`record` without what no source offers any more, which is told."""
        known = tuple(one for one in record.events if one.dataset in self._logs)
        for one in record.events:
            if one.dataset not in self._logs:
                lost = f"{one.rows.num_rows} events of the journal belong to no log any more"
                self._note([one.dataset], lost)
        return replace(record, events=known)

    def append(self, records: Sequence[LogRecord]) -> int:
        """Commit the events of some journal records; how many the file did not have."""
        try:
            stored = self._log.append(records, self._clock.now())
        except CommitUnknownError:
            # The file itself says which records it has.
            before = self._log.position
            self._store.reopen()
            self._log = self._log_writer(self._log.unsettled)
            self._log.append(records, self._clock.now())
            new = [one for one in records if one.position > before]
            stored = sum(events.rows.num_rows for one in new for events in one.events)
        self.has_unpublished = self.has_unpublished or bool(records)
        return stored

    def publish(self, gaps: Sequence[StreamGap]) -> None:
        """Settle ledger, notes and state of what was appended, and publish it."""
        for gap in gaps:
            is_one_day = gap.lost_at.date() == gap.back_at.date()
            until = f"{gap.back_at:%H:%M:%S}" if is_one_day else f"{gap.back_at:%Y-%m-%d %H:%M:%S}"
            span = f"{gap.lost_at:%Y-%m-%d %H:%M:%S} to {until} UTC"
            self._note(gap.datasets, f"nothing arrived from {span}: {gap.reason}")
        now = self._clock.now()
        fingerprints = {name: one.fingerprint for name, one in self._datasets.items()}
        states = self._log.settle(fingerprints, now) | self._forget_old(now)
        self._write_notes()
        if states:
            self._write_freshness(now)
        with self._publishing():
            publish(self._store, keep=self._environment.settings.snapshots_kept)
            self._leave_state(states)
        self.has_unpublished = False

    def _forget_old(self, now: datetime) -> dict[str, DatasetState]:
        """Once a minute, delete what is not to be kept, and note it; the states that moved."""
        retention = _retention(self._environment.settings, now)
        is_soon = self._forgot_at is not None and now < self._forgot_at + _FORGETS_APART
        if is_soon or retention == Retention():
            return {}
        self._forgot_at = now
        gone, states = self._log.forget(retention, now)
        self.forgotten.update(gone)
        if gone:
            detail = "removed, the oldest first: [stream] keep_days, keep_gb"
            notes = [
                NoteRow(name, None, STREAM_RETENTION, f"{rows:,} rows {detail}", self._load_id, now)
                for name, rows in sorted(self.forgotten.items())
            ]
            with self._store.transaction() as cursor:
                replace_coded_notes(cursor, STREAM_RETENTION, notes)
                mark_changed(cursor)
        return states

    def _note(self, datasets: Sequence[str], detail: str) -> None:
        now = self._clock.now()
        self._notes += [
            NoteRow(name, None, STREAM_GAP, detail, self._load_id, now) for name in datasets
        ]

    def _write_notes(self) -> None:
        notes = list(self._notes)
        if notes:
            with self._store.transaction() as cursor:
                add_notes(cursor, notes)
                mark_changed(cursor)
        del self._notes[: len(notes)]

    def _write_freshness(self, now: datetime) -> None:
        with self._store.transaction() as cursor:
            states = read_states(cursor)
            held = replace(self._environment.held(), slices=read_slices(cursor))
            rows = status_rows(self._datasets, states, clock=market_clock(now), held=held)
            write_freshness(cursor, rows, self._datasets, states, now)

    def _leave_state(self, states: Mapping[str, DatasetState]) -> None:
        self._state = replace(
            self._state,
            generation=self._store.generation,
            states={**self._state.states, **states},
            load_id=self._load_id,
            traffic={
                **self._state.traffic,
                **(self.accounts.as_documents() if self.accounts else {}),
            },
        )
        write_home_state(self._environment.home, self._state)


def _retention(settings: Settings, now: datetime) -> Retention:
    """What `[stream]` keeps of the logs."""
    today = now.astimezone(_EXCHANGE).date()
    days, most = settings.stream_keep_days, settings.stream_keep_gb
    return Retention(today - timedelta(days) if days else None, int(most * 1e9) if most else None)
