# SPDX-License-Identifier: Apache-2.0
"""A daemon that records a firehose, a thousand WebSocket clients at ten messages a second, and REST beside them.

Feed, daemon and clients are processes of their own on the same cores. Raised for it: sockets of a caller, and
connections at a time. Run as a script: `python tests/bench/subscribers.py [CLIENTS] [EVENTS_A_SECOND] [SECONDS]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from line import Line
from streams import FEED
from websockets.asyncio.client import ClientConnection, connect

LIMIT_SOCKET_P99_MS = 15.0
"""From the moment that the daemon makes a message to its arrival, at a thousand clients."""
LIMIT_REST_P95_MS = 5.0
_BATCH_MS = 150.0
"""An event waits at most 50 ms for others of its batch, and 100 ms for the next round of sending."""
_ASKED_PER_S = 50
_SERVE = """
import sys
import ttapi.server.daemon as daemon, ttapi.server.stream as stream
stream.SOCKETS = 10_000
made = daemon.server_config
def unlimited(app, options):
    config = made(app, options)
    config.limit_concurrency = None
    return config
daemon.server_config = unlimited
import runpy
sys.argv[0] = "ttapi"
runpy.run_module("ttapi", run_name="__main__", alter_sys=True)
"""


def lines(
    scratch: Path, clients: int = 1_000, per_s: int = 20_000, seconds: int = 10
) -> list[Line]:
    """How late messages come, and what the last hundred bars take, beside so many clients and events."""
    found = served(scratch / "home", clients, per_s, seconds)
    note = (
        f"{found['clients']} clients, {found['rate']:,.0f} messages/s, {per_s:,} events/s offered"
    )
    return [
        Line("daemon: a message made to a client that has it, p99", found["p99_ms"], "ms", LIMIT_SOCKET_P99_MS, None,
             f"p50 {found['p50_ms']:.1f}; {note}"),
        Line("daemon: an event that arrived to a client that has it, p99", found["age_p99_ms"], "ms",
             LIMIT_SOCKET_P99_MS + _BATCH_MS, None, f"p50 {found['age_p50_ms']:.1f}, batches of 50 and 100 ms included"),
        Line("daemon: last 100 bars over REST beside it, p95", found["rest_p95_ms"], "ms", LIMIT_REST_P95_MS,
             None, f"p50 {found['rest_p50_ms']:.1f}, {_ASKED_PER_S} requests/s, {found['bars']} rows"),
    ]  # fmt: skip


def served(home: Path, clients: int, per_s: int, seconds: int) -> dict[str, Any]:
    """One run."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    environ["TTAPI_HOME"] = str(home)
    subprocess.run(
        [sys.executable, "-m", "ttapi", "init"], env=environ, check=True, capture_output=True
    )
    feed = subprocess.Popen(
        [sys.executable, "-c", FEED, str(per_s), "100"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert feed.stdin and feed.stdout
    note = home.parent / "port.json"
    try:
        facts = json.loads(feed.stdout.readline())
        environ |= {"TTAPI_DXLINK_URL": facts["url"], "TTAPI_DXLINK_TOKEN": facts["token"]}
        symbols = facts["symbols"][:50]
        daemon = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", "--port", "0", "--port-file", str(note),
             "--stream", ",".join(symbols), "--no-scheduler"],
            env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert daemon.stderr
        daemon.stderr.readline()  # it says where it serves
        try:
            place = json.loads(note.read_text())
            return asyncio.run(_measured(place, symbols, clients, seconds))
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate()
    finally:
        feed.stdin.close()
        feed.wait()


async def _measured(
    place: dict[str, Any], symbols: list[str], clients: int, seconds: int
) -> dict[str, Any]:
    ages: list[float] = []
    url = place["base_url"].replace("http", "ws") + "/api/v1/stream"
    sockets: list[ClientConnection] = []
    for first in range(0, clients, 50):
        sockets += await asyncio.gather(
            *(_subscribed(url, place["token"], symbols[n % len(symbols)]) for n in range(first, min(first + 50, clients)))
        )  # fmt: skip
    reading = [asyncio.create_task(_read(socket, ages)) for socket in sockets]
    probe = await connect(url, open_timeout=60)
    await probe.send(json.dumps({"type": "auth", "data": {"token": place["token"]}}))
    await probe.recv()
    await asyncio.sleep(1)
    ages.clear()
    began = time.monotonic()
    late, rest = await asyncio.gather(_probed(probe, seconds), _asked(place, symbols[0], seconds))
    rate = len(ages) / (time.monotonic() - began)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    for socket in [*sockets, probe]:
        socket.transport.abort()
    return {
        "clients": len(sockets), "rate": rate,
        "p50_ms": 1e3 * statistics.median(late), "p99_ms": 1e3 * _quantile(late, 0.99),
        "age_p50_ms": 1e3 * statistics.median(ages), "age_p99_ms": 1e3 * _quantile(ages, 0.99),
        "rest_p50_ms": 1e3 * statistics.median(rest[0]), "rest_p95_ms": 1e3 * _quantile(rest[0], 0.95),
        "bars": rest[1],
    }  # fmt: skip


async def _subscribed(url: str, token: str, symbol: str) -> ClientConnection:
    socket = await connect(url, open_timeout=120, ping_interval=None, compression=None)
    await socket.send(json.dumps({"type": "auth", "data": {"token": token}}))
    await socket.recv()
    topics = {"topics": [f"quote:{symbol}"]}
    await socket.send(json.dumps({"type": "subscribe", "data": topics}))
    return socket


async def _read(socket: ClientConnection, ages: list[float]) -> None:
    async for text in socket:
        at = time.time()
        if text.startswith('{"type":"quote"'):
            ages.append(at - _instant(json.loads(text)["timestamp"]))


async def _probed(socket: ClientConnection, seconds: int) -> list[float]:
    """Of answers that the daemon makes at once, how old they are when they come."""
    late = []
    for _ in range(50 * seconds):
        await socket.send('{"type": "probe"}')
        message = json.loads(await socket.recv())
        late.append(time.time() - _instant(message["timestamp"]))
        await asyncio.sleep(0.02)
    return late


async def _asked(place: dict[str, Any], symbol: str, seconds: int) -> tuple[list[float], int]:
    taken, rows = [], 0
    headers = {"authorization": f"Bearer {place['token']}"}
    async with httpx.AsyncClient(
        base_url=place["base_url"], headers=headers, trust_env=False, timeout=60
    ) as client:
        for _ in range(_ASKED_PER_S * seconds):
            began = time.monotonic()
            answer = await client.get("/api/v1/bars", params={"symbol": symbol, "limit": 100})
            taken.append(time.monotonic() - began)
            rows = len(answer.raise_for_status().json()["rows"])
            await asyncio.sleep(max(0.0, 1 / _ASKED_PER_S - taken[-1]))
    return taken, rows


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(Path(folder), *given):
            print(line)
