# SPDX-License-Identifier: Apache-2.0
"""The dxLink client: a thin shell of a socket, a clock and retries around the protocol.

A connection that breaks, falls silent or is refused is made again after a pause drawn from a
growing range (full jitter), and everything wanted is asked for again. Attempts are bounded; any
history that arrives in between starts the count anew.
"""

from __future__ import annotations

import asyncio
import random as random_numbers
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from ttapi.errors import SourceDownError, StreamLostError, StreamRefusedError, UsageError
from ttapi.market.dxfeed import EVENT_FIELDS
from ttapi.sources.dxlink.candles import IN_FLIGHT, CandleHistory, CandleRequest, HistoryRun
from ttapi.sources.dxlink.protocol import (
    HANDSHAKE_S,
    Authorized,
    AuthRefused,
    ChannelClosed,
    DxLinkProtocol,
    FeedData,
    ServerError,
    Unreadable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from ttapi.sources.dxlink.protocol import Happening

TOKEN_AGE_S = 23 * 3600.0
"""A quote token lives 24 hours; one older than this is not used for a new connection."""
_FRAME_BYTES = 16 * 1024 * 1024
_TOO_BIG = 1009
"""Close code: the peer takes no message of that size."""
_FORBIDDEN = frozenset({401, 403})


@dataclass(frozen=True)
class QuoteToken:
    """Where the feed is, and what opens it."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Retries:
    """How a lost connection is made again."""

    attempts: int = 5
    """Connections in a row without a single history."""
    first_s: float = 0.5
    """Longest pause before the second attempt; it doubles with each."""
    longest_s: float = 30.0


@dataclass(frozen=True)
class Timing:
    """Clock, pause and chance, as the client is given them."""

    clock: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random_numbers.random
    """Uniform in [0, 1)."""


class DxLinkClient:
    """Fetches candle histories; `quote_token` is asked for a token when a connection needs one."""

    def __init__(
        self,
        quote_token: Callable[[], Awaitable[QuoteToken]],
        *,
        in_flight: int = IN_FLIGHT,
        retries: Retries = Retries(),
        timing: Timing = Timing(),
    ) -> None:
        self._quote_token, self._in_flight = quote_token, in_flight
        self._retries, self._timing = retries, timing
        self._token: QuoteToken | None = None
        self._token_at = 0.0
        self._refusals = 0
        self._protocol = DxLinkProtocol()
        self._channel = 0
        self._longest_sent = 0

    async def candles(self, requests: Iterable[CandleRequest]) -> AsyncGenerator[CandleHistory]:
        """One result a request, in the order the histories became complete.

        *Raises* SourceDownError when no history at all could be had, UsageError for a URL that is
        none.
        """
        run = HistoryRun(requests, self._in_flight)
        self._protocol = DxLinkProtocol()
        self._channel = self._protocol.open_channel("HISTORY", {"Candle": EVENT_FIELDS["Candle"]})
        attempt = 0
        while run.is_open:
            before = run.answered
            try:
                async with aclosing(self._converse(run)) as histories:
                    async for history in histories:
                        yield history
            except StreamLostError as exc:
                self._protocol.disconnect()
                attempt = 1 if run.answered > before else attempt + 1
                if attempt >= self._retries.attempts:
                    for history in self._give_up(run, exc):
                        yield history
                    return
                await self._timing.sleep(self._pause_s(attempt))
                run.start_over(self._timing.clock())

    def _give_up(self, run: HistoryRun, cause: StreamLostError) -> list[CandleHistory]:
        reason = f"dxLink: {cause}; gave up after {self._retries.attempts} connections"
        if not run.answered:
            raise SourceDownError(reason, hint="[sources.dxlink] url and token") from cause
        return run.give_up(reason)

    def _pause_s(self, attempt: int) -> float:
        longest = min(self._retries.longest_s, self._retries.first_s * 2.0 ** (attempt - 1))
        return self._timing.random() * longest

    async def _converse(self, run: HistoryRun) -> AsyncGenerator[CandleHistory]:
        """Histories over one connection, until all are there or it is lost."""
        token = await self._valid_token()
        socket = await open_socket(token.url)
        try:
            self._protocol.connect(self._timing.clock(), token.token)
            self._subscribe(run)
            while run.is_open:
                await self._send(socket)
                frame = await self._next_frame(socket, run)
                now = self._timing.clock()
                for happening in self._protocol.receive(frame, now) if frame is not None else ():
                    self._heed(happening, run, now)
                done = run.finished(now)
                gone = [history.request.subscription() for history in done]
                self._protocol.unsubscribe(self._channel, gone)
                for history in done:
                    yield history
                self._subscribe(run)
        finally:
            await close_socket(socket)

    def _subscribe(self, run: HistoryRun) -> None:
        asked = run.next_requests(self._timing.clock())
        if asked:
            self._protocol.subscribe(self._channel, asked)

    async def _valid_token(self) -> QuoteToken:
        now = self._timing.clock()
        if self._token is None or now - self._token_at > TOKEN_AGE_S:
            self._token = await self._quote_token()
            self._token_at = now
        return self._token

    def _heed(self, happening: Happening, run: HistoryRun, now: float) -> None:
        if isinstance(happening, FeedData):
            run.take(happening.events, happening.refused, now)
        elif isinstance(happening, AuthRefused):
            self._refuse(happening)
        elif isinstance(happening, Authorized):
            self._refusals = 0
        elif isinstance(happening, ChannelClosed):
            raise StreamLostError("the server closed the channel")
        elif isinstance(happening, ServerError):
            run.complaint = f"{happening.kind} {happening.message}".strip()[:200]
        elif isinstance(happening, Unreadable):
            run.complaint = f"a frame that cannot be read ({happening.reason})"

    def _refuse(self, refusal: AuthRefused) -> None:
        """Ask for another token once; the second refusal in a row is the vendor's last word."""
        self._token = None
        self._refusals += 1
        if self._refusals == 1:
            raise StreamLostError(f"the quote token was refused: {refusal.message}")
        raise SourceDownError(
            f"dxLink refused the quote token twice: {refusal.message}",
            hint="a token lives 24 hours; [sources.dxlink] token names another",
        )

    async def _send(self, socket: ClientConnection) -> None:
        for text in self._protocol.take_outgoing(self._timing.clock()):
            self._longest_sent = max(self._longest_sent, len(text))
            try:
                await socket.send(text)
            except ConnectionClosed as exc:
                raise self._closed(exc) from exc

    async def _next_frame(self, socket: ClientConnection, run: HistoryRun) -> str | bytes | None:
        """The next frame; None when something else is due first."""
        times = [deadline.at for deadline in self._protocol.deadlines()]
        if (due_at := run.due_at()) is not None:
            times.append(due_at)
        pause = max(0.0, min(times) - self._timing.clock())
        hearing = asyncio.ensure_future(socket.recv())
        waiting = asyncio.ensure_future(self._timing.sleep(pause))
        try:
            await asyncio.wait({hearing, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                return hearing.result()
        except ConnectionClosed as exc:
            raise self._closed(exc) from exc
        finally:
            for task in (hearing, waiting):
                task.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await hearing
        passed = self._protocol.pass_time(self._timing.clock())
        if passed is not None:
            raise StreamLostError(_silence(passed.kind))
        return None

    def _closed(self, exc: ConnectionClosed) -> StreamLostError:
        code = exc.rcvd.code if exc.rcvd else None
        if code == _TOO_BIG:
            smaller = min(self._protocol.chunk_bytes, self._longest_sent) // 2
            self._protocol.chunk_bytes = max(256, smaller)
        return StreamLostError(closing_reason(exc))


def closing_reason(exc: ConnectionClosed) -> str:
    """How the connection ended, in words."""
    reason = f"code {exc.rcvd.code} {exc.rcvd.reason}".strip() if exc.rcvd else "no close frame"
    return f"the connection was closed ({reason})"


def _silence(kind: str) -> str:
    if kind == "handshake":
        return "the server did not authorise in time"
    return "the server fell silent"


async def close_socket(socket: ClientConnection) -> None:
    """Close the connection as its protocol has it; at once where whoever waits is called off."""
    try:
        with suppress(OSError, TimeoutError):
            await socket.close()
    except asyncio.CancelledError:
        # The handshake of closing was cut short: the socket would stay open for as long as nobody looks.
        socket.transport.abort()
        raise


async def open_socket(url: str, *, is_compressed: bool = True) -> ClientConnection:
    """A connection to `url`. *Raises* StreamLostError where another may work, StreamRefusedError, UsageError."""
    try:
        # dxLink has its own keepalive, and its silence is watched; frames hold whole histories.
        return await connect(
            url,
            open_timeout=HANDSHAKE_S,
            ping_interval=None,
            max_size=_FRAME_BYTES,
            close_timeout=2,
            compression="deflate" if is_compressed else None,
        )
    except InvalidURI as exc:
        raise UsageError(
            f"{url!r} is no WebSocket address", hint="[sources.dxlink] url = wss://host/realtime"
        ) from exc
    except InvalidStatus as exc:
        status = exc.response.status_code
        if status in _FORBIDDEN:
            raise StreamRefusedError(f"{url} answered {status}: no access to this feed") from exc
        raise StreamLostError(f"{url} answered {status}") from exc
    except (InvalidHandshake, OSError, TimeoutError) as exc:
        raise StreamLostError(f"{url} cannot be reached: {exc or type(exc).__name__}") from exc
