# SPDX-License-Identifier: Apache-2.0
"""One user who asks as much as a daemon lets them: run by `subscribers.py`, until its standard input ends.

Four connections ask for heavy queries, four for rows, each again as soon as it is answered, refusals included.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvloop

_HEAVY = json.dumps({"sql": "select sum(a.range * b.range) from range(100000) a, range(100000) b", "refresh": False, "timeout_s": 2})  # fmt: skip
_CONNECTIONS = 8


async def asked_on_and_on(place: dict[str, Any], token: str, *, is_heavy: bool) -> None:
    """Ask the same again and again."""
    body = _HEAVY if is_heavy else ""
    first = "POST /api/v1/sql" if is_heavy else "GET /api/v1/eod?symbol=AAA&limit=1000"
    request = (
        f"{first} HTTP/1.1\r\nhost: {place['host']}:{place['port']}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()
    reader, writer = await asyncio.open_connection(place["host"], place["port"])
    while True:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r")[0]))
        if b"connection: close" in head:
            writer.close()
            reader, writer = await asyncio.open_connection(place["host"], place["port"])


async def main(place: dict[str, Any]) -> None:
    """Log in, say so, ask until nobody reads."""
    body = json.dumps({"name": "flood", "password": place["password"]})
    reader, writer = await asyncio.open_connection(place["host"], place["port"])
    writer.write(
        f"POST /api/v1/login HTTP/1.1\r\nhost: {place['host']}:{place['port']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    size = int(head.partition(b"content-length: ")[2].split(b"\r")[0])
    token = json.loads(await reader.readexactly(size))["access_token"]
    asking = [
        asyncio.create_task(asked_on_and_on(place, token, is_heavy=number % 2 == 0))
        for number in range(_CONNECTIONS)
    ]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for one in asking:
        one.cancel()


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
