# SPDX-License-Identifier: Apache-2.0
"""The client on a clock of the test's own: what it fetched of a feed, and what of it is true."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time

from ttapi.sources.dxlink.candles import CandleRequest
from ttapi.sources.dxlink.client import DxLinkClient, QuoteToken, Timing

SINCE = date(2023, 1, 1)
SYMBOLS = ("SPY", "QQQ", "AAPL", "BRK/B", "SPX", "VIX", "IWM")


class Hours:
    """A clock that stands; pauses end at once, waits when nothing more can come: the feed is mute and was heard out."""

    def __init__(self, feed=None):
        self.now = 0.0
        self.pauses = 0
        self._feed = feed
        self._frames = 0

    def hear(self):
        """A frame was read."""
        self._frames += 1

    def draw(self):
        """The chance of a pause before another connection, which takes no time."""
        self.pauses += 1
        self._frames = 0
        if self._feed:
            self._feed.muted.clear()
        return 0.0

    async def sleep(self, seconds):
        if seconds < 1:  # A complete history settles.
            await asyncio.sleep(0)
            self.now += seconds
            return
        while not self._is_over():  # noqa: ASYNC110 - set by the feed's thread, for which asyncio has no event
            await asyncio.sleep(0.005)
        self.now += seconds

    def _is_over(self):
        feed = self._feed
        return feed and feed.muted.is_set() and self._frames >= feed.texts_before_mute

    @property
    def timing(self):
        return Timing(lambda: self.now, self.sleep, self.draw)


class HearingClient(DxLinkClient):
    """Tells the clock each frame it reads."""

    def __init__(self, quote_token, hours, **options):
        super().__init__(quote_token, timing=hours.timing, **options)
        self._hours = hours

    async def _next_frame(self, socket, run):
        frame = await super()._next_frame(socket, run)
        if frame is not None:
            self._hours.hear()
        return frame


def from_time(day):
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def truth(market, symbol, since=SINCE):
    """Midnight of each session and its close, ascending."""
    return [(from_time(bar.date), bar.close) for bar in market.bars(symbol, since)]


def fetch(feed, symbols=SYMBOLS, *, hours=None, tokens=None, url=None, since=SINCE, **options):
    """By symbol what came of it, and the clock it came by."""
    hours = hours or Hours(feed)
    given = iter(tokens or [feed.token] * 9 if feed else ["any"])

    async def quote_token():
        return QuoteToken(url or feed.url, next(given))

    async def collect():
        client = HearingClient(quote_token, hours, **options)
        requests = [CandleRequest(f"{symbol}{{=1d}}", from_time(since)) for symbol in symbols]
        return [history async for history in client.candles(requests)]

    found = asyncio.run(collect())
    assert len(found) == len(symbols)
    return {h.request.symbol.partition("{")[0]: h for h in found}


def rows(history):
    return [(candle["time"], candle["close"]) for candle in history.candles if candle["close"]]
