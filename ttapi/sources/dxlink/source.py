# SPDX-License-Identifier: Apache-2.0
"""The source `dxlink`: daily candles of dxFeed, asked symbol by symbol over a WebSocket, and its live events.

What speaks the protocol is imported when something is fetched.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.sources.contract import (
    Batch,
    Column,
    Resource,
    SourceContext,
    Unit,
    UnitRequest,
)
from ttapi.sources.credentials import has_secret
from ttapi.sources.dxlink.live import LIVE_TYPES
from ttapi.sources.tastytrade.source import SECRETS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from ttapi.sources.contract import StreamBatch, StreamNotice, StreamReady, StreamRequest
    from ttapi.sources.dxlink.load import DxlinkAccess

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
    resources: tuple[Resource, ...] = (CANDLES, *(live.resource for live in LIVE_TYPES))
    setting_names = ("url", "token", "tho")
    borrows = ("tastytrade",)
    sql_folder: Path | None = None

    def __init__(self, feed: DxlinkAccess | None = None) -> None:
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
        resource: Resource,  # noqa: ARG002 - of one alone histories are asked
        requests: Sequence[UnitRequest],
        context: SourceContext,
    ) -> Iterator[Batch]:
        """A batch a symbol, one report for every request.

        *Raises* SourceDownError when no history could be had, UsageError for a wrong setting.
        """
        tho = _claim(context, "tho")
        if not requests:
            return

        from ttapi.sources.dxlink.load import (  # noqa: PLC0415 - brings websockets
            DxlinkAccess,
            load_candles,
            token_of_settings,
        )

        yield from load_candles(
            requests, context, self._feed or DxlinkAccess(token_of_settings), tho=tho
        )

    async def stream(
        self,
        requests: Sequence[StreamRequest],
        context: SourceContext,
        now: Callable[[], datetime],
    ) -> AsyncGenerator[StreamBatch | StreamReady | StreamNotice]:
        """As the contract has it."""
        from ttapi.sources.dxlink.load import (  # noqa: PLC0415 - as above
            DxlinkAccess,
            stream_events,
            token_of_settings,
        )

        feed = self._feed or DxlinkAccess(token_of_settings)
        token = await feed.quote_token(context)
        async with aclosing(stream_events(requests, token, now, feed.timing.clock)) as events:
            async for event in events:
                yield event


def _claim(context: SourceContext, name: str) -> bool:
    text = context.settings.get(name, "").strip().lower()
    if text not in _CLAIMS:
        raise UsageError(f"[sources.dxlink] {name} = {text!r} is unknown", hint="true or false")
    return _CLAIMS[text]
