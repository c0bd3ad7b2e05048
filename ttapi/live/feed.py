# SPDX-License-Identifier: Apache-2.0
"""One stream kept up: connected again after a pause when it is lost, everything asked for anew.

Pauses are drawn from a growing range (full jitter), without end: a stream that is down at night is
wanted in the morning. Where the vendor keeps a history of a resource, what was missed is asked for.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from ttapi.errors import (
    CredentialError,
    SourceDownError,
    StreamLostError,
    TtapiError,
    UsageError,
)
from ttapi.sources.conformity import ARROW_TYPES
from ttapi.sources.contract import StreamBatch, StreamNotice
from ttapi.sources.discovery import error_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
    from datetime import datetime

    from ttapi.sources.contract import Resource, SourceContext, StreamRequest, StreamSource

log = logging.getLogger(__name__)

FeedPhase = Literal["connecting", "streaming", "waiting", "stopped"]
_REFUSALS = 3
"""Connections in a row that the vendor may refuse before nobody asks again."""


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
        on_change: Callable[[FeedState], None] | None = None,
    ) -> None:
        self._source, self._requests, self._context, self._now = source, requests, context, now
        self._backoff, self._on_change = backoff, on_change
        self._known = _KnownEvents()
        self._attempt = self._refusals = 0
        self.state = FeedState(str(getattr(source, "name", "stream")))

    async def events(self) -> AsyncGenerator[StreamBatch | StreamGap]:
        """Batches as they arrive, over as many connections as it takes, and where something is missing.

        *Raises* SourceDownError when the vendor refuses for good, UsageError for a wrong setting.
        """
        lost_at: datetime | None = None
        while True:
            self._enter("connecting")
            lost: BaseException = StreamLostError("the source ended its stream")
            try:
                async with aclosing(self._connection(lost_at)) as events:
                    async for event in events:
                        lost_at = None if isinstance(event, StreamGap) else lost_at
                        yield event
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - a plugin may raise anything, which costs its own stream
                lost = exc
            self._note_loss(lost)
            if lost_at is None and self.state.connections:
                lost_at = self._now()
                self.state.losses += 1
            self._known.close()
            self._enter("waiting")
            await self._backoff.sleep(self._backoff.pause_s(self._attempt))

    async def _connection(
        self, lost_at: datetime | None
    ) -> AsyncGenerator[StreamBatch | StreamGap]:
        """What comes over one connection, the gap before it first."""
        stream = self._source.stream(self._wanted(lost_at), self._context, self._now)
        async with aclosing(stream) as events:
            async for event in events:
                self._attempt = self._refusals = 0
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
        """Keep why the connection ended. *Raises* `lost` itself where no other one would do better."""
        is_refused = isinstance(lost, SourceDownError)
        self._refusals += is_refused
        if isinstance(lost, CredentialError | UsageError) or self._refusals >= _REFUSALS:
            self._enter("stopped")
            raise lost
        self._attempt += 1
        self.state.last_error = str(lost) if isinstance(lost, TtapiError) else error_text(lost)

    def _wanted(self, lost_at: datetime | None) -> list[StreamRequest]:
        """The requests; of a resource whose every event counts also what happened since the loss."""
        if lost_at is None:
            return list(self._requests)
        return [
            one if one.resource.conflates_by else replace(one, since=lost_at)
            for one in self._requests
        ]

    def _counted(self, batch: StreamBatch) -> StreamBatch:
        fresh = self._known.without_known(_conforming(batch))
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


def _conforming(batch: StreamBatch) -> StreamBatch:
    """`batch` in the columns and types its log declares. *Raises* StreamLostError where it cannot be.

    What could not be stored must not reach the journal either, from which it would come back.
    """
    declared = _declared(batch.resource)
    if batch.rows.schema.equals(declared):
        return batch
    try:
        columns = [batch.rows.column(one.name).cast(one.type) for one in declared]
        rows = type(batch.rows).from_arrays(columns, schema=declared)
    except (KeyError, ValueError, NotImplementedError) as exc:
        name = batch.resource.name
        raise StreamLostError(f"{name}: a batch is not as its log declares: {exc}") from exc
    return replace(batch, rows=rows)


@cache
def _declared(resource: Resource) -> pa.Schema:
    """The columns of a batch, as Arrow types them."""
    return pa.schema(
        [(c.name, ARROW_TYPES[c.type]) for c in resource.columns if c.name != "arrival"]
    )


@dataclass
class _KnownEvents:
    """Which numbered events came over earlier connections: a history repeats some of them."""

    highest: dict[tuple[str, str], int] = field(default_factory=dict)
    """By table and symbol, over connections that are closed."""
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    """The same over the open one."""

    def close(self) -> None:
        """The connection is gone."""
        self.highest |= self.seen
        self.seen = {}

    def without_known(self, batch: StreamBatch) -> StreamBatch:
        """`batch` without the events that are held already."""
        if batch.resource.conflates_by or "tick_id" not in batch.rows.schema.names:
            return batch
        table, rows = batch.resource.table, batch.rows
        kept = [
            place
            for place, (symbol, number) in enumerate(_numbered(rows) if self.highest else ())
            if number is None or number > self.highest.get((table, symbol), -1)
        ]
        self._see(table, rows)
        if not self.highest:
            return batch
        return replace(batch, rows=rows.take(pa.array(kept, pa.int64())))

    def _see(self, table: str, rows: pa.RecordBatch) -> None:
        highest = pa.table(rows).group_by("symbol").aggregate([("tick_id", "max")])
        for symbol, number in zip(*(column.to_pylist() for column in highest.columns), strict=True):
            if number is not None and number > self.seen.get((table, symbol), -1):
                self.seen[table, symbol] = number


def _numbered(rows: pa.RecordBatch) -> Iterator[tuple[str, int | None]]:
    return zip(rows["symbol"].to_pylist(), rows["tick_id"].to_pylist(), strict=True)
