# SPDX-License-Identifier: Apache-2.0
"""Dividends and reports of one symbol: what has come is known since its session, what will come since it was said."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

from aiohttp import web
from scripted_server import ScriptedServer

from ttapi.sources.http import HostLimits, HttpClient
from ttapi.sources.tastytrade.api import TastytradeApi
from ttapi.sources.tastytrade.instruments import read_events
from ttapi.sources.traffic import Quarantine, Traffic

DIVIDENDS = [
    {"occurred-date": day, "amount": "0.25"} for day in ("2024-06-13", "2024-06-14", "2024-06-17")
]
REPORTS = [{"occurred-date": day, "eps": "1.5"} for day in ("2024-06-14", "2024-06-17")]


async def vendor(request, _number):
    items = DIVIDENDS if "/dividends/" in request.path else REPORTS
    return web.json_response({"data": {"items": items}})


def test_what_happens_today_is_known_since_today_and_what_will_is_not_yet(tmp_path):
    async def read(server):
        async with HttpClient(server.url, Traffic(), tuning=HostLimits()) as client:
            api = TastytradeApi(client, Quarantine(tmp_path))
            return await read_events(api, "KO", date(2024, 6, 14))

    with ScriptedServer(vendor) as server:
        found = asyncio.run(read(server))
    known = [(row["symbol"], row["type"], row["date"].day, row["known_at"]) for row in found.rows]
    assert known == [
        ("KO", "dividend", 13, datetime(2024, 6, 13, 13, 30)),
        ("KO", "dividend", 14, datetime(2024, 6, 14, 13, 30)),
        ("KO", "dividend", 17, None),
        ("KO", "earnings", 14, datetime(2024, 6, 14, 20)),
        ("KO", "earnings", 17, None),
    ]
