# SPDX-License-Identifier: Apache-2.0
"""The recorder: what feeds bring goes to the journal, then into the file, and is published as it comes.

    feeds -> pending -> (every 0.1 s) journal, fsync = acknowledged -> commit -> (every 2 s) publish

The event loop only takes events in. One thread writes the journal, so that an acknowledgement never
waits for a commit or a copy; another commits and publishes. Where the disk falls behind, events that
say how something stands take each other's place, and feeds of those that all count are not read on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa

from ttapi.errors import CommitUnknownError, DiskFullError
from ttapi.live.feed import StreamGap
from ttapi.store.log import LogRecord, LogRows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from ttapi.live.feed import Feed
    from ttapi.live.journal import Journal
    from ttapi.live.recorded_file import RecordedFile
    from ttapi.sources.contract import Resource, StreamBatch

log = logging.getLogger(__name__)

_MOST_PENDING = 2_000_000
"""Events in memory that the journal has not, from which on feeds wait."""
_COMMITTED_AT_ONCE = 1_000_000
"""Events that are worth a transaction before a publication wants one: eight of the engine's row groups."""
_MOST_UNCOMMITTED = 2_000_000
"""Events that the file has not, from which on the journal waits: another command may have the file."""


@dataclass(frozen=True)
class RecorderTiming:
    """How often things are done."""

    cut_s: float = 0.1
    """Seconds of events in a journal record."""
    commit_s: float = 10.0
    """Seconds of records in a transaction, where they are few: only a publication shows them."""
    publish_s: float = 2.0
    """Least seconds between two publications."""
    interval_s: float = 1.0
    """Seconds in which one event of those that conflate is kept a key; 0: all are."""
    retry_s: float = 1.0
    """Seconds until a full disk is tried again."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = monotonic


@dataclass
class RecorderCounts:
    """What became of the events; each is in exactly one of the first four, or still on its way."""

    stored: int = 0
    conflated: int = 0
    """Took no place: a later one of the same key and interval stands for it."""
    refused: int = 0
    """Could not be read."""
    acknowledged: int = 0
    """The journal has them; the file may not yet."""
    publications: int = 0
    gaps: int = 0
    waits: int = 0
    """Times that feeds had to wait for the disk."""


@dataclass
class _Pending:
    """Events of one resource that no record holds yet."""

    resource: Resource
    batches: list[pa.RecordBatch] = field(default_factory=list)
    events: int = 0
    refused: int = 0
    held_since: float | None = None
    """When the first of those that wait for their interval's end came."""


class Recorder:
    """Records the events of some feeds into one open file until it is told to stop.

    `limit`: events after which it stops by itself; None: no end.
    """

    def __init__(
        self,
        recording: RecordedFile,
        journal: Journal,
        *,
        timing: RecorderTiming = RecorderTiming(),
        limit: int | None = None,
        on_events: Callable[[StreamBatch], None] | None = None,
        on_published: Callable[[RecorderCounts], None] | None = None,
    ) -> None:
        self._recording, self._journal = recording, journal
        self._limit, self._arrivals, self._on_events = limit, 0, on_events
        self._committed = 0
        self._timing, self._on_published = timing, on_published
        self._pending: dict[str, _Pending] = {}
        self._uncommitted: deque[LogRecord] = deque()
        self._gaps: list[StreamGap] = []
        self._is_stopping = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._committing: asyncio.Future[None] | None = None
        self._commit_at = timing.clock()
        self._publish_at = timing.clock() + timing.publish_s
        self._retry_at = 0.0
        self.counts = RecorderCounts()

    def stop(self) -> None:
        """Have `run` store and publish what has arrived, and return."""
        self._is_stopping.set()

    async def run(self, feeds: Sequence[Feed]) -> None:
        """Record until `stop`, or until a feed or the file fails for good.

        *Raises* what a feed raises for good, StoreError; what was acknowledged is in the journal then.
        """
        tasks = [asyncio.create_task(self._take(feed)) for feed in feeds]
        stopping = asyncio.create_task(self._is_stopping.wait())
        with (
            ThreadPoolExecutor(1, "journal") as writing,
            ThreadPoolExecutor(1, "commit") as storing,
        ):
            try:
                while not stopping.done() and not any(task.done() for task in tasks):
                    await self._write(writing, storing)
                    await _first_of(self._timing.sleep(self._timing.cut_s), *tasks, stopping)
            finally:
                for task in (*tasks, stopping):
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                self._note_open_gaps(
                    one for one, end in zip(feeds, ended, strict=True) if not _is_failure(end)
                )
                await self._finish(writing, storing)
        for outcome in filter(_is_failure, ended):
            raise outcome

    def _note_open_gaps(self, feeds: Iterable[Feed]) -> None:
        """Have the ledger say up to when feeds that end by themselves were out of reach.

        One that failed leaves its gap to the next recorder, which knows until when it lasted.
        """
        found = [gap for feed in feeds if (gap := feed.open_gap())]
        self._gaps += found
        self.counts.gaps += len(found)

    async def _take(self, feed: Feed) -> None:
        async for event in feed.events():
            if isinstance(event, StreamGap):
                self._gaps.append(event)
                self.counts.gaps += 1
                continue
            self._arrived(self._within_limit(event, feed))
            if not self._has_room.is_set():
                self.counts.waits += 1
                await self._has_room.wait()

    def _within_limit(self, batch: StreamBatch, feed: Feed) -> StreamBatch:
        """`batch` without what is more than was asked for, which is as if it had never come."""
        left = batch.rows.num_rows if self._limit is None else self._limit - self._arrivals
        excess = batch.rows.num_rows - max(0, left)
        if excess <= 0:
            return batch
        feed.state.events -= excess
        return replace(batch, rows=batch.rows.slice(0, max(0, left)))

    def _arrived(self, batch: StreamBatch) -> None:
        table = batch.resource.table
        pending = self._pending.setdefault(table, _Pending(batch.resource))
        if batch.rows.num_rows:
            pending.batches.append(batch.rows)
            pending.events += batch.rows.num_rows
            if pending.held_since is None:
                pending.held_since = self._timing.clock()
        pending.refused += batch.refused
        self.counts.refused += batch.refused
        self._arrivals += batch.rows.num_rows
        if self._on_events:
            self._on_events(batch)
        if self._limit is not None and self._arrivals >= self._limit:
            self.stop()
        if self._count_pending() > _MOST_PENDING:
            self._relieve()

    def _relieve(self) -> None:
        """Make room in memory: what may take another's place does, and where that is not enough, feeds wait."""
        for pending in self._pending.values():
            if pending.resource.conflates_by:
                self._conflate(pending)
        if self._count_pending() > _MOST_PENDING // 2:
            self._has_room.clear()

    def _conflate(self, pending: _Pending) -> None:
        if not pending.batches:
            return
        kept = latest_rows(pa.Table.from_batches(pending.batches), pending.resource.conflates_by)
        self.counts.conflated += pending.events - kept.num_rows
        pending.batches, pending.events = kept.combine_chunks().to_batches(), kept.num_rows

    async def _write(
        self, writing: ThreadPoolExecutor, storing: ThreadPoolExecutor, *, is_last: bool = False
    ) -> None:
        """One record of what is due, and the commit of those before if none runs."""
        loop = asyncio.get_running_loop()
        has_room = self.counts.acknowledged - self._committed < _MOST_UNCOMMITTED
        events = self._due_parts(is_last=is_last) if has_room or is_last else []
        if events:
            position = await self._journalled(loop, writing, events)
            self.counts.acknowledged += sum(one.rows.num_rows for one in events)
            self._uncommitted.append(LogRecord(position, tuple(events)))
        if not self._has_room.is_set() and self._count_pending() < _MOST_PENDING // 4:
            self._has_room.set()
        if self._committing is not None and self._committing.done():
            finished, self._committing = self._committing, None
            finished.result()
        if self._committing is None and self._is_work_due():
            self._committing = loop.run_in_executor(storing, self._store)

    def _count_pending(self) -> int:
        return sum(one.events for one in self._pending.values())

    async def _journalled(
        self, loop: asyncio.AbstractEventLoop, writing: ThreadPoolExecutor, events: list[LogRows]
    ) -> int:
        """The position of the record; a full disk is waited for, whoever stops gets its error."""
        while True:
            try:
                return await loop.run_in_executor(writing, self._journal.append, events)
            except DiskFullError as exc:
                if self._is_stopping.is_set():
                    raise
                log.warning("stream waits for the disk: %s", exc)
                self._has_room.clear()
                self.counts.waits += 1
                await self._timing.sleep(self._timing.retry_s)

    def _due_parts(self, *, is_last: bool) -> list[LogRows]:
        """What the next record holds: all events that count each, and intervals that are over."""
        due = []
        for pending in self._pending.values():
            if not pending.batches:
                continue  # refusals alone are told with the next events
            if pending.resource.conflates_by and self._timing.interval_s:
                began = pending.held_since
                is_open = (
                    began is not None and self._timing.clock() - began < self._timing.interval_s
                )
                if is_open and not is_last:
                    continue
                self._conflate(pending)
            rows = pa.Table.from_batches(pending.batches).combine_chunks()
            due.append(LogRows(f"raw.{pending.resource.table}", rows, pending.refused))
            pending.batches, pending.events, pending.refused = [], 0, 0
            pending.held_since = None
        return due

    def _is_work_due(self) -> bool:
        is_late = self._recording.has_unpublished and self._is_publication_due()
        is_waiting = self._timing.clock() < self._retry_at
        is_due = self._is_commit_due() or is_late or self._recording.is_wanted
        return not is_waiting and is_due

    def _is_commit_due(self) -> bool:
        if not self._uncommitted:
            return False
        is_much = self.counts.acknowledged - self._committed >= _COMMITTED_AT_ONCE
        is_time = self._timing.clock() >= min(self._commit_at, self._publish_at)
        return is_much or is_time or self._is_stopping.is_set()

    def _is_publication_due(self) -> bool:
        return self._timing.clock() >= self._publish_at

    def _store(self) -> None:
        """Commit what the journal has, and publish when that is due; runs in the thread that stores.

        A full disk is tried again later: the journal keeps what the file has not, and the file is opened
        anew, since an engine that could not write may do nothing more.
        """
        try:
            self._recording.ensure_open(self._is_stopping.is_set)
            # What has come by now, in one transaction; what comes meanwhile waits for the next one.
            records = list(self._uncommitted)
            self._commit_at = self._timing.clock() + self._timing.commit_s
            self.counts.stored += self._recording.append(records)
            for record in records:
                self._uncommitted.popleft()
                self._committed += sum(one.rows.num_rows for one in record.events)
            if self._is_publication_due():
                self._publish()
            if self._recording.is_wanted and not self._is_stopping.is_set():
                self._recording.hand_over(self._is_stopping.is_set)
        except (DiskFullError, CommitUnknownError) as exc:
            self._recording.is_open = False
            if self._is_stopping.is_set():
                raise
            log.warning("stream waits for the disk: %s", exc)
            self.counts.waits += 1
            self._retry_at = self._timing.clock() + self._timing.retry_s

    def _publish(self) -> None:
        began = self._timing.clock()
        gaps = list(self._gaps)
        # Noted by the file from here on, however often it has to try.
        del self._gaps[: len(gaps)]
        self._recording.publish(gaps)
        self._journal.forget(self._recording.position)
        self.counts.publications += 1
        # At most half of the time goes into publications: on a busy machine one takes most of a second,
        # and who reads the file shall find rows that are at most some seconds old.
        cost = self._timing.clock() - began
        self._publish_at = began + max(self._timing.publish_s, 2 * cost)
        if self._on_published:
            self._on_published(self.counts)

    async def _finish(self, writing: ThreadPoolExecutor, storing: ThreadPoolExecutor) -> None:
        """Everything that has arrived stored and published."""
        loop = asyncio.get_running_loop()
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing
        await self._write(writing, storing, is_last=True)
        if self._committing is not None:
            await self._committing
        await loop.run_in_executor(storing, self._end)

    def _end(self) -> None:
        self._store()
        self._publish()
        self._journal.clear()


def _is_failure(outcome: object) -> TypeGuard[Exception]:
    return isinstance(outcome, Exception)


async def _first_of(pausing: Awaitable[None], *tasks: asyncio.Task[Any]) -> None:
    """Return when the pause is over or one of the tasks is done."""
    pause = asyncio.ensure_future(pausing)
    await asyncio.wait([pause, *tasks], return_when=asyncio.FIRST_COMPLETED)
    pause.cancel()
    with suppress(asyncio.CancelledError):
        await pause


def latest_rows(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Of the rows that share their values in `columns` the last, in the order of their arrival."""
    places = pa.chunked_array([pa.array(range(rows.num_rows), pa.int64())])
    numbered = rows.select(list(columns)).append_column("place", places)
    last = numbered.group_by(list(columns)).aggregate([("place", "max")])
    return rows.take(last["place_max"].combine_chunks().sort())
