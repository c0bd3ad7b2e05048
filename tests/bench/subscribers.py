# SPDX-License-Identifier: Apache-2.0
"""A daemon that records a firehose, WebSocket clients at ten messages a second each, and REST beside them.

Feed, daemon and clients are processes of their own on the same cores. Raised for it: sockets and requests of
a caller. Run as a script: `python tests/bench/subscribers.py [CLIENTS] [EVENTS_A_SECOND] [SECONDS] [STUCK]`.
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
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import uvloop
from line import Line
from streams import FEED, stored

LIMIT_P99_MS, LIMIT_MANY_P99_MS, LIMIT_STUCK_P99_MS = 15.0, 25.0, 50.0
"""From the arrival of an event to that of its message: a thousand clients, four thousand, a tenth of them stuck."""
LIMIT_REST_P95_MS = 5.0
LIMIT_FLOOD = 2.0
"""Of another's p99, beside that without a flood."""
_ASKED_PER_S, _CONNECTIONS = 100, 8
_SYMBOLS = 50
_PASSWORD = "correct horse battery"
_READ = "AAA"
"""Whose bars are read."""


def lines(scratch: Path, seconds: int = 10) -> list[Line]:
    """How old events are when clients have them, and what the last hundred bars take beside that."""
    found = []
    for name, clients, per_s, stuck, limit in (
        ("1,000 clients", 1_000, 200_000, 0, LIMIT_P99_MS),
        ("4,000 clients", 4_000, 20_000, 0, LIMIT_MANY_P99_MS),
        ("1,000 clients, a tenth stuck", 1_000, 20_000, 100, LIMIT_STUCK_P99_MS),
    ):
        run = served(scratch / name.replace(" ", "-"), clients, per_s, seconds, stuck)
        note = f"p50 {run['p50_ms']:.1f}, {run['rate']:,.0f} messages/s, {per_s:,} events/s offered"
        note += f", {run['stored_per_s']:,.0f} stored"
        found.append(
            Line(
                f"daemon, {name}: an event to its client, p99",
                run["p99_ms"],
                "ms",
                limit,
                None,
                note,
            )
        )
        if clients == 1_000 and not stuck:
            note = f"p50 {run['rest_p50_ms']:.1f}, {_ASKED_PER_S} requests/s"
            found.append(
                Line(
                    "  last 100 bars over REST beside it, p95",
                    run["rest_p95_ms"],
                    "ms",
                    LIMIT_REST_P95_MS,
                    None,
                    note,
                )
            )
    both = [
        served(scratch / f"flood-{n}", 100, 20_000, seconds, is_flooded=bool(n)) for n in range(2)
    ]
    alone, flooded = (run["p99_ms"] for run in both)
    note = f"{flooded:.1f} ms beside {alone:.1f}; REST p95 {both[1]['rest_p95_ms']:.1f} beside {both[0]['rest_p95_ms']:.1f}"
    return [*found, Line("  100 clients, p99 while another user floods", flooded / alone, "times", LIMIT_FLOOD, None, note)]  # fmt: skip


def served(
    home: Path, clients: int, per_s: int, seconds: int, stuck: int = 0, *, is_flooded: bool = False
) -> dict[str, Any]:
    """One run; `is_flooded`: another user asks on and on."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    environ |= {
        "TTAPI_HOME": str(home), "TTAPI_STREAM_INTERVAL": "0",
        "TTAPI_SERVE_SOCKETS": "10000", "TTAPI_SERVE_REQUESTS_PER_SECOND": "150",
    }  # fmt: skip
    ttapi = [sys.executable, "-m", "ttapi"]
    bars = home.parent / f"{home.name}-bars"
    bars.mkdir(parents=True)
    (bars / f"{_READ}.csv").write_text("\n".join(_bars()))
    environ["TTAPI_METASTOCK_PATH"] = str(bars)
    for command in ("init", "refresh"):
        subprocess.run([*ttapi, command], env=environ, check=True, capture_output=True)
    user = [*ttapi, "user", "add", "flood", "--role", "analyst", "--password-stdin"]
    subprocess.run(user, env=environ, input=_PASSWORD, text=True, check=True, capture_output=True)
    feed = subprocess.Popen(
        [sys.executable, "-c", FEED, str(per_s), "100"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert feed.stdin and feed.stdout
    note = home.parent / f"{home.name}.json"
    try:
        facts = json.loads(feed.stdout.readline())
        environ |= {"TTAPI_DXLINK_URL": facts["url"], "TTAPI_DXLINK_TOKEN": facts["token"]}
        symbols = facts["symbols"][:_SYMBOLS]
        daemon = subprocess.Popen(
            [*ttapi, "serve", "--port", "0", "--port-file", str(note),
             "--stream", ",".join(symbols), "--no-scheduler"],
            env=environ, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert daemon.stderr
        daemon.stderr.readline()  # it says where it serves
        try:
            load = _Load(json.loads(note.read_text()), symbols, clients, stuck, is_flooded)
            state = home / "live" / "stream.json"
            return load.measured(seconds, state, daemon.pid)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate()
    finally:
        feed.stdin.close()
        feed.wait()


def _bars() -> list[str]:
    """Five hundred daily bars, as MetaStock's files have them."""
    days = (date(2024, 6, 14) - timedelta(days=n) for n in range(700, -1, -1))
    return [
        f"{_READ},D,{day:%Y%m%d},000000,10,11,9,10.5,1000,0" for day in days if day.weekday() < 5
    ]


@dataclass
class _Load:
    """Clients of one daemon."""

    place: dict[str, Any]
    symbols: list[str]
    clients: int
    stuck: int
    is_flooded: bool

    def measured(self, seconds: int, state: Path, pid: int) -> dict[str, Any]:
        """What they saw."""
        host, _, port = self.place["base_url"].rpartition("/")[2].partition(":")
        asked = {
            "host": host, "port": int(port), "token": self.place["token"], "symbols": self.symbols,
            "clients": self.clients, "stuck": self.stuck,
        }  # fmt: skip
        command = [sys.executable, str(Path(__file__).with_name("socket_clients.py")), json.dumps(asked)]  # fmt: skip
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as readers:  # fmt: skip
            assert readers.stdin and readers.stdout
            readers.stdout.readline()
            flood = self._flood(host, int(port)) if self.is_flooded else None
            time.sleep(4)  # the first publication leaves the counts
            (before, counted), began, used = stored(state), time.monotonic(), _cpu_s(pid)
            print(file=readers.stdin, flush=True)
            rest = uvloop.run(self._asked(host, int(port), seconds))
            print(file=readers.stdin, flush=True)
            taken = time.monotonic() - began
            after, ended = stored(state)
            ages = json.loads(readers.stdout.readline())
            if flood is not None:
                flood.communicate()
        return {
            "clients": self.clients, "rate": len(ages) / taken,
            "stored_per_s": (after - before) / max(1.0, ended - counted), "cores": (_cpu_s(pid) - used) / taken,
            "p50_ms": 1e3 * statistics.median(ages), "p99_ms": 1e3 * _quantile(ages, 0.99),
            "asked_per_s": len(rest) / taken,
            "rest_p50_ms": 1e3 * statistics.median(rest), "rest_p95_ms": 1e3 * _quantile(rest, 0.95),
        }  # fmt: skip

    @staticmethod
    def _flood(host: str, port: int) -> subprocess.Popen[str]:
        """Another user, who asks until the input ends."""
        place = json.dumps({"host": host, "port": port, "password": _PASSWORD})
        command = [sys.executable, str(Path(__file__).with_name("flood.py")), place]
        flood = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert flood.stdout
        flood.stdout.readline()
        return flood

    async def _asked(self, host: str, port: int, seconds: int) -> list[float]:
        """Seconds of requests for the last bars of a symbol, over some connections by turns."""
        per_s = _ASKED_PER_S / _CONNECTIONS
        found = await asyncio.gather(
            *(self._asked_on_one(host, port, seconds, per_s) for _ in range(_CONNECTIONS))
        )
        return [taken for several in found for taken in several]

    async def _asked_on_one(self, host: str, port: int, seconds: int, per_s: float) -> list[float]:
        reader, writer = await asyncio.open_connection(host, port)
        request = (
            f"GET /api/v1/eod?symbol={_READ}&order=-date&limit=100 HTTP/1.1\r\nhost: {host}:{port}\r\n"
            f"authorization: Bearer {self.place['token']}\r\n\r\n"
        ).encode()
        taken: list[float] = []
        start = time.monotonic()
        while (began := time.monotonic()) < start + seconds:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise AssertionError(head + await reader.read(4096))
            size = int(head.partition(b"content-length: ")[2].split(b"\r")[0])
            assert (await reader.readexactly(size)).count(b'"date"') == 101, "a name, and 100 rows"
            taken.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, (len(taken)) / per_s - (time.monotonic() - start)))
        writer.close()
        return taken


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        if given:
            clients, per_s, seconds, stuck = [*given, *(1_000, 20_000, 10, 0)[len(given) :]]
            print(json.dumps(served(Path(folder) / "home", clients, per_s, seconds, stuck)))
        else:
            for line in lines(Path(folder)):
                print(line)
