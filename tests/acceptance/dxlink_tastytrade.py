# SPDX-License-Identifier: Apache-2.0
"""The PyPI client `tastytrade`, unmodified: quotes, Greeks and candles of what argv names.

The environment holds TT_SECRET and TT_REFRESH. Arguments: base URL, an equity, an option's streamer symbol, the ISO date candles begin at. Prints
one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tastytrade import DXLinkStreamer, Session
from tastytrade.dxfeed import Candle, Greeks, Profile, Quote, Summary, TimeAndSale, Trade


def redirect(base_url):
    """A hook that sends what is meant for the vendor to `base_url`."""
    there = urlsplit(base_url)

    async def hook(request):
        if request.url.host.endswith("tastyworks.com"):
            request.url = request.url.copy_with(
                scheme=there.scheme, host=there.hostname, port=there.port
            )

    return hook


async def candles_of(streamer, symbol, since):
    await streamer.subscribe_candle(
        [symbol], "1d", datetime.fromisoformat(since).replace(tzinfo=UTC)
    )
    found = []
    async for candle in streamer.listen(Candle):
        if not candle.remove:
            found.append([candle.event_symbol, candle.time, float(candle.close)])
        if candle.snapshot_end or candle.snapshot_snip:
            break
    return found


async def main(base_url, equity, option, since):
    # The client gives up after 5 s, in which a busy machine may not have drawn the market.
    session = Session(event_hooks={"request": [redirect(base_url)]}, timeout=600)
    async with session, DXLinkStreamer(session) as streamer:
        await streamer.subscribe(Quote, [equity, option])
        await streamer.subscribe(Greeks, [option])
        for kind in (Trade, Summary, Profile, TimeAndSale):
            await streamer.subscribe(kind, [equity])
        quotes = [await streamer.get_event(Quote) for _ in range(2)]
        greeks = await streamer.get_event(Greeks)
        others = [await streamer.get_event(kind) for kind in (Trade, Summary, Profile, TimeAndSale)]
        said = {
            "quotes": {q.event_symbol: [float(q.bid_price), float(q.ask_price)] for q in quotes},
            "greeks": [greeks.event_symbol, float(greeks.delta), float(greeks.volatility)],
            "others": [type(event).__name__ for event in others],
            "candles": await candles_of(streamer, equity, since),
        }
    print(json.dumps(said))


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 600))
