# SPDX-License-Identifier: Apache-2.0
"""Requests of the contract turned into histories of the feed, and those into batches.

One connection of the live feed: subscriptions out, batches of columns in, until it is lost.

A channel an event type: a server may then answer each with its own columns. What is due by time
(keepalives, silence, a batch that has waited long enough) is looked at between two frames.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import orjson
from websockets.exceptions import ConnectionClosed

from ttapi.errors import StreamLostError, StreamRefusedError
from ttapi.market.dxfeed import CandleSymbol, parse_candle_symbol, streamer_symbol
from ttapi.sources.contract import (
    Batch,
    SourceContext,
    StreamBatch,
    StreamNotice,
    StreamReady,
    UnitReport,
    UnitRequest,
)
from ttapi.sources.dxlink.candles import CandleRequest, candle_batch
from ttapi.sources.dxlink.client import (
    DxLinkClient,
    QuoteToken,
    Retries,
    Timing,
    close_socket,
    closing_reason,
    open_socket,
)
from ttapi.sources.dxlink.live import BY_RESOURCE, LiveColumns
from ttapi.sources.dxlink.protocol import (
    AuthRefused,
    ChannelClosed,
    DxLinkProtocol,
    Happening,
    ServerError,
    Subscription,
    Unreadable,
    parse_frame,
)
from ttapi.sources.in_thread import iterate_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence

    from websockets.asyncio.client import ClientConnection

    from ttapi.sources.contract import StreamRequest
    from ttapi.sources.dxlink.live import Completed


@dataclass(frozen=True)
class DxlinkAccess:
    """How a source reaches its feed; tests bring their own clock."""

    quote_token: Callable[[SourceContext], Awaitable[QuoteToken]]
    retries: Retries = field(default_factory=Retries)
    timing: Timing = field(default_factory=Timing)


async def token_of_settings(context: SourceContext) -> QuoteToken:
    """Address and token as `[sources.dxlink]` gives them; what it does not give, tastytrade does."""
    url, token = (context.settings.get(name, "").strip() for name in ("url", "token"))
    if url and token:
        return QuoteToken(url, token)
    from ttapi.sources.tastytrade.source import quote_token_of  # noqa: PLC0415 - brings httpx

    given = await quote_token_of(context.borrowed["tastytrade"])
    return QuoteToken(url or given.url, token or given.token)


def load_candles(
    requests: Sequence[UnitRequest], context: SourceContext, feed: DxlinkAccess, *, tho: bool
) -> Iterator[Batch]:
    """A batch a symbol, in the order the histories arrive.

    *Raises* SourceDownError when none could be had.
    """
    asked: dict[CandleRequest, deque[UnitRequest]] = defaultdict(deque)
    for request in requests:
        try:
            asked[_candle_request(request, tho=tho)].append(request)
        except ValueError as exc:
            yield Batch((UnitReport(request.unit, error=str(exc)),))
    wanted = [candle for candle, same in asked.items() for _ in same]
    if not wanted:
        return

    async def quote_token() -> QuoteToken:
        return await feed.quote_token(context)

    client = DxLinkClient(quote_token, retries=feed.retries, timing=feed.timing)
    for history in iterate_in_thread(lambda: client.candles(wanted)):
        request = asked[history.request].popleft()
        base = parse_candle_symbol(history.request.symbol).base
        yield candle_batch(request, history, base, context.now, tho=tho)


def _candle_request(request: UnitRequest, *, tho: bool) -> CandleRequest:
    symbol = str(CandleSymbol(streamer_symbol(request.unit.key), "d", tho=tho))
    parse_candle_symbol(symbol)
    if request.from_date is None:
        return CandleRequest(symbol, 0)
    # A day early: the row that ends a history bears the instant asked for, and must not be
    # mistaken for a word about a candle of that instant.
    first = datetime.combine(request.from_date, time(), UTC) - timedelta(days=1)
    return CandleRequest(symbol, int(first.timestamp()) * 1000)


_FEED_DATA, _HEAD = '"FEED_DATA"', 40
"""What a frame of events names among its first characters, however it is spaced."""
CUT_AFTER_S = 0.01
"""How long an event waits for others to share its batch, which many a second fill before."""
_CUTS_SHARE = 0.2
"""Of the time that batches may take, all that is done with them counted: where it is more, events wait longer."""
_MOST_WAIT_S = 0.1
_MINUTE = "{=m}"


async def stream_events(
    requests: Sequence[StreamRequest],
    token: QuoteToken,
    now: Callable[[], datetime],
    clock: Callable[[], float] = monotonic,
) -> AsyncGenerator[StreamBatch | StreamReady | StreamNotice]:
    """Batches as they arrive; one StreamReady when the vendor has taken login and subscriptions.

    *Raises* StreamLostError when the connection is gone, StreamRefusedError for a refused token.
    """
    connection = _LiveConnection(requests, now, clock)
    # Inflating takes a tenth of what an event costs; histories, which are large once, are compressed.
    socket = await open_socket(token.url, is_compressed=False)
    try:
        connection.protocol.connect(clock(), token.token)
        while True:
            await _send(socket, connection.protocol.take_outgoing(clock()))
            frame = await _frame(socket, connection.due_in())
            began, is_batch = clock(), False
            for item in connection.take(frame):
                is_batch = is_batch or isinstance(item, StreamBatch)
                yield item
            if is_batch:
                connection.note_cost(clock() - began)
                # Frames that wait already are had without the loop's other work getting a turn.
                await asyncio.sleep(0)
    except StreamLostError:
        for batch in connection.left():
            yield batch
        raise
    finally:
        await close_socket(socket)


class _LiveConnection:
    """What a connection has been told, without its socket."""

    def __init__(
        self,
        requests: Sequence[StreamRequest],
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self.protocol = DxLinkProtocol()
        self._now, self._clock = now, clock
        self._columns = LiveColumns(_names(requests))
        self._cut_at: float | None = None
        self._cut_after_s = CUT_AFTER_S
        self._opening = set()
        for request in requests:
            self._opening.add(self._subscribe(request))

    def _subscribe(self, request: StreamRequest) -> int:
        live = BY_RESOURCE[request.resource.name]
        # A type with a history is sent its last value only, unless it is asked from an instant on.
        since = None if request.since is None else _millis(request.since, request.resource.name)
        channel = self.protocol.open_channel("AUTO", {live.event_type: live.fields})
        symbols = [_streamed(request, symbol) for symbol in request.symbols]
        self.protocol.subscribe(
            channel, [Subscription(live.event_type, symbol, since) for symbol in symbols]
        )
        return channel

    def due_in(self) -> float:
        """Seconds until something must be done though no frame comes."""
        times = [deadline.at for deadline in self.protocol.deadlines()]
        if self._cut_at is not None:
            times.append(self._cut_at)
        return max(0.0, min(times) - self._clock())

    def left(self) -> Iterable[StreamBatch]:
        """What arrived and made no batch yet."""
        return [StreamBatch(*batch) for batch in self._columns.cut()]

    def note_cost(self, cost_s: float) -> None:
        """Take into account what it took to make batches and to hand them on."""
        # One pause on a busy machine is not what the next batch takes.
        wanted = min(_MOST_WAIT_S, max(CUT_AFTER_S, cost_s / _CUTS_SHARE))
        self._cut_after_s += (wanted - self._cut_after_s) / 4

    def take(self, frame: str | bytes | None) -> Iterable[StreamBatch | StreamReady | StreamNotice]:
        """What `frame` completes; None: time has passed."""
        batches: list[Completed] = []
        if isinstance(frame, str) and _FEED_DATA in frame[:_HEAD]:
            batches = self._take_data(frame)
        elif frame is not None:
            text = frame if isinstance(frame, str) else frame.decode(errors="replace")
            yield from self._take_message(text)
        if frame is None or self._cut_at is not None:
            passed = self.protocol.pass_time(self._clock()) if frame is None else None
            if passed is not None:
                raise StreamLostError(f"dxLink: no {passed.kind} in time")
            if self._cut_at is not None and self._clock() >= self._cut_at:
                batches += self._columns.cut()
        if self._columns.is_empty:
            self._cut_at = None
        elif self._cut_at is None:
            self._cut_at = self._clock() + self._cut_after_s
        yield from (StreamBatch(*batch) for batch in batches)

    def _take_data(self, frame: str) -> list[Completed]:
        try:
            message = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return []
        granted = self.protocol.take_data(message, self._clock())
        return self._columns.take(message.get("data"), granted, self._now())

    def _take_message(self, frame: str) -> Iterable[StreamReady | StreamNotice]:
        message = parse_frame(frame)
        for happening in self.protocol.receive(frame, self._clock()):
            yield from _heeded(happening)
        if isinstance(message, dict) and message["type"] == "FEED_CONFIG" and self._opening:
            self._opening.discard(message["channel"])
            if not self._opening:
                yield StreamReady()


def _heeded(happening: Happening) -> Iterator[StreamNotice]:
    """What is to be told of `happening`. *Raises* where the connection is of no use any more."""
    if isinstance(happening, AuthRefused):
        raise StreamRefusedError(
            f"dxLink refused the quote token: {happening.message}",
            hint="a token lives 24 hours; [sources.dxlink] token names another",
        )
    if isinstance(happening, ChannelClosed):
        raise StreamLostError(f"dxLink: the server closed channel {happening.channel}")
    if isinstance(happening, ServerError):
        text = f"dxLink: {happening.kind} {happening.message}".strip()[:200]
        if happening.kind in {"TIMEOUT", "UNAUTHORIZED"}:
            raise StreamLostError(text)
        yield StreamNotice(text)
    if isinstance(happening, Unreadable):
        yield StreamNotice(f"dxLink: a frame that cannot be read ({happening.reason})")


def _names(requests: Sequence[StreamRequest]) -> dict[str, str]:
    return {_streamed(one, symbol): symbol for one in requests for symbol in one.symbols}


def _millis(since: datetime, resource: str) -> int:
    """Milliseconds from which on a history is asked; a minute that had begun is asked whole."""
    began = since.replace(second=0, microsecond=0) if resource == "minutes" else since
    return int(began.timestamp() * 1000)


def _streamed(request: StreamRequest, symbol: str) -> str:
    name = streamer_symbol(symbol)
    return name + _MINUTE if request.resource.name == "minutes" else name


async def _send(socket: ClientConnection, frames: Sequence[str]) -> None:
    try:
        for text in frames:
            await socket.send(text)
    except ConnectionClosed as exc:
        raise StreamLostError(f"dxLink: {closing_reason(exc)}") from exc


async def _frame(socket: ClientConnection, pause_s: float) -> str | bytes | None:
    """The next frame; None when something else is due first."""
    try:
        async with asyncio.timeout(pause_s):
            return await socket.recv()
    except TimeoutError:
        return None
    except ConnectionClosed as exc:
        raise StreamLostError(f"dxLink: {closing_reason(exc)}") from exc
