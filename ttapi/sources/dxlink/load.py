# SPDX-License-Identifier: Apache-2.0
"""Requests of the contract turned into histories of the feed, and those into batches."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from ttapi.market.dxfeed import CandleSymbol, parse_candle_symbol, streamer_symbol
from ttapi.sources.contract import (
    Batch,
    SourceContext,
    UnitReport,
    UnitRequest,
)
from ttapi.sources.dxlink.candles import CandleRequest, candle_batch
from ttapi.sources.dxlink.client import DxLinkClient, QuoteToken, Retries, Timing
from ttapi.sources.in_thread import iterate_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence


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
