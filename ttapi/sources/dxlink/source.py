# SPDX-License-Identifier: Apache-2.0
"""The source `dxlink`: daily candles of dxFeed, asked symbol by symbol over a WebSocket.

What speaks the protocol is imported when something is fetched.

Requests of the contract turned into histories of the feed, and those into batches.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.market.dxfeed import CandleSymbol, parse_candle_symbol
from ttapi.sources.contract import (
    Batch,
    Column,
    Resource,
    SourceContext,
    Unit,
    UnitReport,
    UnitRequest,
)
from ttapi.sources.credentials import has_secret
from ttapi.sources.dxlink.candles import CandleRequest, candle_batch
from ttapi.sources.dxlink.client import DxLinkClient, QuoteToken, Retries, Timing
from ttapi.sources.in_thread import iterate_in_thread
from ttapi.sources.tastytrade.fetch import SECRETS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

CANDLES = Resource(
    name="candles",
    table="dxlink_candles",
    about="Daily candles as dxFeed says them; the one of the open session is as of its load.",
    columns=(
        Column("symbol", "VARCHAR", "the underlying in upper case, share class after a point"),
        Column("streamer_symbol", "VARCHAR", "dxFeed's symbol"),
        Column("tho", "BOOLEAN", "true: of regular trading hours only"),
        Column("period", "VARCHAR", "dxFeed's period of a candle: d a session"),
        Column("date", "DATE", "session date in the exchange's time"),
        Column("time", "TIMESTAMP", "UTC, beginning of the candle as dxFeed aligns it"),
        Column("sequence", "BIGINT", "dxFeed's number among candles of one time; null: none"),
        Column("count", "BIGINT", "trades in the candle; null: unknown"),
        Column("open", "DOUBLE", "price per share, above 0; null: none"),
        Column("high", "DOUBLE", "price per share, above 0; null: none"),
        Column("low", "DOUBLE", "price per share, above 0; null: none"),
        Column("close", "DOUBLE", "price per share, above 0; of an open session the last"),
        Column("volume", "DOUBLE", "shares or contracts; null: unknown, as of indices"),
        Column("vwap", "DOUBLE", "volume-weighted price per share; null: unknown"),
        Column("bid_volume", "DOUBLE", "shares traded at the bid; null: unknown"),
        Column("ask_volume", "DOUBLE", "shares traded at the ask; null: unknown"),
        Column("imp_volatility", "DOUBLE", "annualised fraction; null: unknown"),
        Column("open_interest", "DOUBLE", "contracts; null: unknown"),
    ),
    grain=("symbol", "tho", "period", "time"),
    keys=("symbol",),
    requires=("symbol",),
    completes="metastock_bars",
    time_column="date",
    sessions="XNYS",
    mode="merge",
    ttl="next close + 45m",
    revise="5d",
)
_CLAIMS = {"": False, "false": False, "true": True}


class DxlinkSource:
    """Asks a dxLink server for daily candles, each symbol a unit.

    Settings: `url` the server's WebSocket address; `token` the quote token that opens it, both of
    which tastytrade's login gives where they are not set; `tho` true for regular trading hours only
    (default false: the vendor keeps fewer years of those).
    """

    name = "dxlink"
    about = "Candles of dxFeed over its WebSocket protocol dxLink"
    version = "1"
    resources: tuple[Resource, ...] = (CANDLES,)
    setting_names = ("url", "token", "tho")
    borrows = ("tastytrade",)
    sql_folder: Path | None = None

    def __init__(self, feed: Feed | None = None) -> None:
        self._feed = feed
        """How to reach the feed where the settings do not say; None: by the settings alone."""

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:  # noqa: ARG002 - same for all
        """`token` where neither it nor tastytrade's login, which gives one, is set; else `url`."""
        lender = context.borrowed.get("tastytrade")
        has_login = lender is not None and all(
            has_secret("tastytrade", name, lender) for name in SECRETS
        )
        if self._feed or has_login:
            return None
        missing = [name for name in ("url", "token") if not context.settings.get(name, "").strip()]
        return missing[-1] if missing else None

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:  # noqa: ARG002 - the contract's
        """Nothing: symbols are asked for, not listed."""
        return []

    def fetch(
        self,
        resource: Resource,  # noqa: ARG002 - there is one
        requests: Sequence[UnitRequest],
        context: SourceContext,
    ) -> Iterator[Batch]:
        """A batch a symbol, one report for every request.

        *Raises* SourceDownError when no history could be had, UsageError for a wrong setting.
        """
        tho = _claim(context, "tho")
        if not requests:
            return

        yield from load_candles(requests, context, self._feed or Feed(token_of_settings), tho=tho)


def _claim(context: SourceContext, name: str) -> bool:
    text = context.settings.get(name, "").strip().lower()
    if text not in _CLAIMS:
        raise UsageError(f"[sources.dxlink] {name} = {text!r} is unknown", hint="true or false")
    return _CLAIMS[text]


@dataclass(frozen=True)
class Feed:
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
    requests: Sequence[UnitRequest], context: SourceContext, feed: Feed, *, tho: bool
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


def streamer_symbol(symbol: str) -> str:
    """DxFeed's name of an underlying: share classes follow a slash, `BRK.B` is `BRK/B`."""
    return symbol if symbol.startswith(".") else symbol.replace(".", "/")


def _candle_request(request: UnitRequest, *, tho: bool) -> CandleRequest:
    symbol = str(CandleSymbol(streamer_symbol(request.unit.key), "d", tho=tho))
    parse_candle_symbol(symbol)
    if request.from_date is None:
        return CandleRequest(symbol, 0)
    # A day early: the row that ends a history bears the instant asked for, and must not be
    # mistaken for a word about a candle of that instant.
    first = datetime.combine(request.from_date, time(), UTC) - timedelta(days=1)
    return CandleRequest(symbol, int(first.timestamp()) * 1000)
