# SPDX-License-Identifier: Apache-2.0
"""One stream kept up: connected again after a pause when it is lost, everything asked for anew.

Pauses are drawn from a growing range (full jitter), without end: a stream that is down at night is
wanted in the morning. Where the vendor keeps a history of a resource, what was missed is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ttapi.errors import (
    CredentialError,
    StreamLostError,
    StreamRefusedError,
    TtapiError,
    UsageError,
)
from ttapi.sources.conformity import ARROW_TYPES
from ttapi.sources.contract import StreamBatch, StreamNotice
from ttapi.sources.discovery import error_text

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Iterator,
        Mapping,
        Sequence,
    )
    from datetime import datetime

    from ttapi.sources.contract import Resource, SourceContext, StreamRequest, StreamSource

log = logging.getLogger(__name__)

_Event = tuple[str, int | None, str | None]
"""Symbol, number and type."""
FeedPhase = Literal["connecting", "streaming", "waiting", "stopped"]
_REFUSALS = 3
"""Connections in a row that the vendor may refuse before nobody asks again."""
_SILENCE = timedelta(seconds=90)
"""Sooner than this a connection that is dead is noticed, by its keepalives."""
_CLOCKS_APART = timedelta(seconds=5)
"""The vendor's clock may be behind: of a history that much more is asked for, what is known left out."""


@dataclass(frozen=True)
class Backoff:
    """How a lost stream is connected again."""

    first_s: float = 0.5
    """Longest pause before the second attempt; it doubles with each."""
    longest_s: float = 30.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    """Uniform in [0, 1)."""

    def pause_s(self, attempt: int) -> float:
        """Seconds to wait after so many attempts in vain."""
        longest = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        return self.random() * longest


@dataclass(frozen=True)
class StreamGap:
    """An interval in which nothing could arrive."""

    datasets: tuple[str, ...]
    lost_at: datetime
    """Zone-aware UTC."""
    back_at: datetime
    reason: str


@dataclass(frozen=True)
class ResumePoint:
    """Where an earlier recorder of the same logs had come to."""

    known: Mapping[str, Sequence[_Event]] = field(default_factory=dict)
    """By table, symbol, tick_id and type of its newest events."""
    lost_at: datetime | None = None
    """Zone-aware UTC: its last event, where it did not end by itself; None: it did, or there was none."""


@dataclass
class FeedState:
    """How a feed stands, for whoever looks."""

    source: str
    phase: FeedPhase = "connecting"
    since: datetime | None = None
    """Since when the phase lasts."""
    connections: int = 0
    losses: int = 0
    events: int = 0
    refused: int = 0
    last_error: str | None = None


class Feed:
    """The stream of one source."""

    def __init__(
        self,
        source: StreamSource,
        requests: Sequence[StreamRequest],
        context: SourceContext,
        now: Callable[[], datetime],
        *,
        backoff: Backoff = Backoff(),
        resume: ResumePoint = ResumePoint(),
        on_change: Callable[[FeedState], None] | None = None,
    ) -> None:
        self._source, self._requests, self._context, self._now = source, requests, context, now
        self._backoff, self._on_change = backoff, on_change
        self._known = {name: _known_from(rows) for name, rows in resume.known.items()}
        self._declared: dict[str, pa.Schema] = {}
        """By table; a resource is too large to be looked up by itself for every batch."""
        self._lost_at = resume.lost_at
        self._attempt = self._refusals = 0
        self._last_at: datetime | None = None
        self.state = FeedState(str(getattr(source, "name", "stream")))

    async def events(self) -> AsyncGenerator[StreamBatch | StreamGap]:
        """Batches as they arrive, over as many connections as it takes, and where something is missing.

        *Raises* CredentialError or StreamRefusedError when the vendor refuses for good, UsageError for a
        wrong setting.
        """
        if self._lost_at is not None:
            self.state.last_error = "the recorder before did not end by itself"
        while True:
            self._enter("connecting")
            lost: BaseException = StreamLostError("the source ended its stream")
            try:
                async with aclosing(self._connection(self._lost_at)) as events:
                    async for event in events:
                        if isinstance(event, StreamGap):
                            self._lost_at = None
                        yield event
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - a plugin may raise anything, which costs its own stream
                lost = exc
            self._note_loss(lost)
            if self._lost_at is None and self.state.connections:
                # What fell silent is noticed later than it was lost.
                self._lost_at = max(self._last_at or self._now(), self._now() - _SILENCE)
                self.state.losses += 1
            for known in self._known.values():
                known.has_history = True
            self._enter("waiting")
            await self._backoff.sleep(self._backoff.pause_s(self._attempt))

    def open_gap(self) -> StreamGap | None:
        """The interval up to now in which nothing could arrive, once nobody connects any more; None: there is none."""
        if self._lost_at is None:
            return None
        return self._gap(self._lost_at, str(self.state.last_error))

    async def _connection(
        self, lost_at: datetime | None
    ) -> AsyncGenerator[StreamBatch | StreamGap]:
        """What comes over one connection, the gap before it first."""
        context = _at_this_moment(self._context, self._now())
        stream = self._source.stream(self._wanted(lost_at), context, self._now)
        async with aclosing(stream) as events:
            async for event in events:
                self._attempt = self._refusals = 0
                self._last_at = self._now()
                if isinstance(event, StreamBatch):
                    yield self._counted(event)
                    continue
                if isinstance(event, StreamNotice):
                    self.state.last_error = event.text
                    log.warning("%s: %s", self.state.source, event.text)
                    continue
                self._enter("streaming")
                self.state.connections += 1
                if lost_at is not None:
                    yield self._gap(lost_at, str(self.state.last_error))

    def _note_loss(self, lost: BaseException) -> None:
        """Keep why the connection ended. *Raises* `lost` itself where no other one would do better.

        That is where the vendor refuses who we are, or a setting is wrong: what is out of reach comes back.
        """
        self._refusals += isinstance(lost, StreamRefusedError)
        if isinstance(lost, CredentialError | UsageError) or self._refusals >= _REFUSALS:
            self._enter("stopped")
            raise lost
        self._attempt += 1
        self.state.last_error = str(lost) if isinstance(lost, TtapiError) else error_text(lost)
        log.warning("%s: %s", self.state.source, self.state.last_error)

    def _wanted(self, lost_at: datetime | None) -> list[StreamRequest]:
        """The requests; of a resource of whose events more than the newest counts also what happened since the loss."""
        if lost_at is None:
            return list(self._requests)
        return [
            replace(one, since=lost_at - _CLOCKS_APART) if _has_history(one.resource) else one
            for one in self._requests
        ]

    def _counted(self, batch: StreamBatch) -> StreamBatch:
        table = batch.resource.table
        declared = self._declared.get(table)
        if declared is None:
            declared = self._declared[table] = _declared(batch.resource)
        fresh = _conforming(batch, declared)
        if not batch.resource.conflates_by and "tick_id" in fresh.rows.schema.names:
            known = self._known.setdefault(table, _KnownEvents())
            fresh = known.without_known(fresh)
        self.state.events += fresh.rows.num_rows
        self.state.refused += fresh.refused
        return fresh

    def _gap(self, lost_at: datetime, reason: str) -> StreamGap:
        datasets = tuple(sorted({f"raw.{one.resource.table}" for one in self._requests}))
        return StreamGap(datasets, lost_at, self._now(), reason)

    def _enter(self, phase: FeedPhase) -> None:
        self.state.phase, self.state.since = phase, self._now()
        if self._on_change:
            self._on_change(self.state)


def _at_this_moment(context: SourceContext, now: datetime) -> SourceContext:
    """`context` for a connection that begins `now`.

    A command asks no more of who was out of reach once; a stream outlives that.
    """
    context.traffic.unreachable = None
    borrowed = {name: _at_this_moment(one, now) for name, one in context.borrowed.items()}
    return replace(context, now=now, borrowed=borrowed)


def _conforming(batch: StreamBatch, declared: pa.Schema) -> StreamBatch:
    """`batch` in the columns and types its log declares. *Raises* StreamLostError where it cannot be.

    What could not be stored must not reach the journal either, from which it would come back.
    """
    if batch.rows.schema.equals(declared):
        return batch
    try:
        columns = [batch.rows.column(one.name).cast(one.type) for one in declared]
        rows = type(batch.rows).from_arrays(columns, schema=declared)
    except (KeyError, ValueError, NotImplementedError) as exc:
        name = batch.resource.name
        raise StreamLostError(f"{name}: a batch is not as its log declares: {exc}") from exc
    return replace(batch, rows=rows)


def _has_history(resource: Resource) -> bool:
    """Whether events of one key are facts of their own: every print, the last word on every minute."""
    return not resource.conflates_by or not set(resource.conflates_by) <= set(resource.keys)


def _declared(resource: Resource) -> pa.Schema:
    """The columns of a batch, as Arrow types them."""
    return pa.schema(
        [(c.name, ARROW_TYPES[c.type]) for c in resource.columns if c.name != "arrival"]
    )


@dataclass
class _Remembered:
    """The numbers of one batch."""

    numbers: pa.RecordBatch
    events: list[_Event] | None = None
    """The same one by one, where they had to be compared."""


@dataclass
class _KnownEvents:
    """Which numbered events of one log came before: a history repeats some, and a vendor may send one twice.

    Where numbers rise from batch to batch, as they do as a rule, no event is looked at alone.
    """

    most: int = 100_000
    """Events that are remembered one by one."""
    batches: deque[_Remembered] = field(default_factory=deque)
    count: int = 0
    seen: set[_Event] = field(default_factory=set)
    """Of the batches that were compared."""
    highest: int = -1
    forgotten: int = -1
    """The highest number that is remembered no more."""
    has_history: bool = False
    """Whether a connection was lost: what comes since may repeat what is remembered no more."""

    def without_known(self, batch: StreamBatch) -> StreamBatch:
        """`batch` without the events that are held already; a correction is an event of its own."""
        numbers = _numbers(batch.rows)
        bounds = pc.min_max(numbers["tick_id"]).as_py()
        if bounds["min"] is None:
            return batch
        is_rising = bounds["min"] > self.highest and not numbers["tick_id"].null_count
        if not is_rising or pc.count_distinct(numbers["tick_id"]).as_py() < numbers.num_rows:
            kept = self._new_places(numbers)
            if len(kept) < numbers.num_rows:
                rows = batch.rows.take(pa.array(kept, pa.int64()))
                batch, numbers = replace(batch, rows=rows), _numbers(rows)
        self.highest = max(self.highest, bounds["max"])
        self._remember(numbers)
        return batch

    def _new_places(self, numbers: pa.RecordBatch) -> list[int]:
        """Places of the events that are new."""
        for one in self.batches:
            if one.events is None:
                one.events = list(_events_of(one.numbers))
                self.seen.update(one.events)
        here: set[_Event] = set()
        kept = []
        for place, event in enumerate(_events_of(numbers)):
            _, number, kind = event
            if number is not None:
                is_old = self.has_history and kind in _NEW and number <= self.forgotten
                if is_old or event in self.seen or event in here:
                    continue
                here.add(event)
            kept.append(place)
        return kept

    def _remember(self, numbers: pa.RecordBatch) -> None:
        self.batches.append(_Remembered(numbers))
        self.count += numbers.num_rows
        while self.count > self.most:
            oldest = self.batches.popleft()
            self.count -= oldest.numbers.num_rows
            self.seen.difference_update(oldest.events or ())
            highest = pc.max(oldest.numbers["tick_id"]).as_py()
            self.forgotten = max(self.forgotten, -1 if highest is None else highest)


def _known_from(events: Sequence[_Event]) -> _KnownEvents:
    """What is known where an earlier recorder had these events."""
    columns = [list(column) for column in zip(*events, strict=True)]
    types = (pa.string(), pa.int64(), pa.string())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    known = _KnownEvents(has_history=True, count=len(events))
    known.highest = max((number for _, number, _ in events if number is not None), default=-1)
    known.batches.append(_Remembered(pa.RecordBatch.from_arrays(arrays, _NUMBERING)))
    return known


_NUMBERING = ["symbol", "tick_id", "type"]
_NEW = frozenset({"NEW", None})
"""Types of what is no correction."""


def _numbers(rows: pa.RecordBatch) -> pa.RecordBatch:
    """What tells events apart: symbol, number, and type where there is one."""
    kinds = rows["type"] if "type" in rows.schema.names else pa.nulls(rows.num_rows, pa.string())
    columns = [rows["symbol"], rows["tick_id"], kinds]
    return pa.RecordBatch.from_arrays(columns, _NUMBERING)


def _events_of(numbers: pa.RecordBatch) -> Iterator[_Event]:
    return zip(*(column.to_pylist() for column in numbers.columns), strict=True)
