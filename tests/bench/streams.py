# SPDX-License-Identifier: Apache-2.0
"""A firehose recorded by `ttapi stream`: events a second, and how old the newest row of a plain client is.

The feed, the recorder and the reader are processes of their own on the same cores. Run as a script:
`python tests/bench/streams.py [EVENTS_A_SECOND, 0: as many as it takes] [SECONDS]`.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from line import Line

LIMIT_US = 2.5
"""CPU and waiting of an event from socket to committed row: 400,000 a second."""
LIMIT_UNPACED_US = 1.43
"""700,000 a second."""
LIMIT_AGE_P50_S, LIMIT_AGE_MAX_S = 2.0, 5.0
LIMIT_ACKNOWLEDGED_P99_S = 0.25
RECORDER = """
import json, sys
from datetime import UTC, datetime
import pyarrow as pa, pyarrow.compute as pc
from ttapi.cli.entry import main
from ttapi.live.journal import Journal
append, ages = Journal.append, []
def noted(self, parts):
    position = append(self, parts)
    now = pa.scalar(datetime.now(UTC).replace(tzinfo=None), pa.timestamp("us"))
    for part in parts:
        ages.append(pc.subtract(now, part.rows["received_at"].combine_chunks()).cast(pa.int64()))
    return position
Journal.append = noted
file, sys.argv = sys.argv[1], ["ttapi", *sys.argv[2:]]
try:
    main()
finally:
    quantiles = pc.quantile(pa.chunked_array(ages), [0.5, 0.99]).to_pylist()
    open(file, "w").write(json.dumps([one / 1e6 for one in quantiles]))
"""
"""`ttapi`, with what it takes from an event's arrival to the journal's fsync noted."""
FEED = """
import json, signal, sys, threading
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket
from datetime import UTC, datetime
firehose = Firehose(per_s=float(sys.argv[1]), frame_events=int(sys.argv[2]))
market = VendorMarket(7, datetime(2024, 6, 14, 22, tzinfo=UTC), symbols=100)
with VendorServer(market, vendors=["dxlink"], firehose=firehose) as server:
    names = [market.listing(s).symbol for s in market.symbols][:100]
    print(json.dumps({"url": server.dxlink_url, "token": server.credentials.quote_token, "symbols": names}), flush=True)
    sys.stdin.read()
    print(json.dumps(dict(firehose.truth.events)), flush=True)
"""


def lines(scratch: Path, seconds: int = 10) -> list[Line]:
    """What recording takes at 400,000 events a second and unpaced, and how fresh a client's rows are at 200,000."""
    found = []
    for per_s, limit in ((400_000, LIMIT_US), (0, LIMIT_UNPACED_US)):
        run = recorded(scratch / str(per_s), per_s, seconds)
        name = f"stream, {per_s:,} events/s offered" if per_s else "stream, unpaced"
        found.append(
            Line(f"{name}: socket to committed", 1e6 / run["rate"], "us", limit, None,
                 f"{run['rate']:,.0f} events/s, {run['peak_mb']:.0f} MB")
        )  # fmt: skip
    run = recorded(scratch / "age", 200_000, seconds)
    ages = run["ages"] or [float("inf")]
    note = f"{len(ages)} opens, {run['errors']} errors, DuckDB {duckdb.__version__}"
    return [
        *found,
        Line("  newest row of a plain client, age p50", statistics.median(ages), "s", LIMIT_AGE_P50_S, None, note),
        Line("  newest row of a plain client, age max", max(ages), "s", LIMIT_AGE_MAX_S, None, note),
        Line("  an event to the journal's fsync, p99", run["acknowledged_p99_s"], "s", LIMIT_ACKNOWLEDGED_P99_S, None,
             f"p50 {run['acknowledged_p50_s']:.3f}"),
    ]  # fmt: skip


def recorded(home: Path, per_s: int, seconds: int, frame_events: int = 100) -> dict[str, Any]:
    """One run: rate of stored events, peak memory, ages of the newest row and errors a reader saw."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
    environ |= {"TTAPI_HOME": str(home), "TTAPI_STREAM_INTERVAL": "0"}
    ttapi = [sys.executable, "-m", "ttapi"]
    subprocess.run([*ttapi, "init"], env=environ, check=True, capture_output=True)
    feed = subprocess.Popen(
        [sys.executable, "-c", FEED, str(per_s), str(frame_events)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert feed.stdin and feed.stdout
    try:
        facts = json.loads(feed.stdout.readline())
        environ |= {"TTAPI_DXLINK_URL": facts["url"], "TTAPI_DXLINK_TOKEN": facts["token"]}
        noted = home.parent / f"{home.name}.json"
        recorder = subprocess.Popen(
            [sys.executable, "-c", RECORDER, str(noted), "stream", *facts["symbols"], "--types", "quotes", "--json"],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert recorder.stdout and recorder.stderr
        recorder.stderr.readline()  # the first publication: what came before is start-up
        state = home / "live" / "stream.json"
        before, began = stored(state)
        ages, errors = _watch(home, seconds)
        after, ended = stored(state)
        peak = _peak_mb(recorder.pid)
        recorder.send_signal(signal.SIGTERM)
        out, err = recorder.communicate()
        assert recorder.returncode == 0, err
    finally:
        feed.stdin.close()
        feed.wait()
    p50_s, p99_s = json.loads(noted.read_text())
    return {
        "rate": max(1.0, (after - before) / (ended - began)),
        "peak_mb": peak, "ages": ages, "errors": errors, "stored": json.loads(out)["counts"]["stored"],
        "acknowledged_p50_s": p50_s, "acknowledged_p99_s": p99_s,
    }  # fmt: skip


def stored(state: Path) -> tuple[int, float]:
    """Events that the last publication counted, and when that was."""
    found = json.loads(state.read_text())
    return found["counts"]["stored"], datetime.fromisoformat(found["published_at"]).timestamp()


def _watch(home: Path, seconds: int) -> tuple[list[float], int]:
    """Ages of the newest row, three a second, and how many times it could not be read."""
    ages, errors, began = [], 0, time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            with duckdb.connect(str((home / "market.duckdb").resolve()), read_only=True) as client:
                ((newest,),) = client.execute("select max(received_at) from tick_quotes").fetchall()
            ages.append((datetime.now(UTC).replace(tzinfo=None) - newest).total_seconds())
        except (duckdb.Error, TypeError):
            errors += 1
        time.sleep(0.33)
    return ages, errors


def _peak_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1e3
    return 0.0


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        if given:
            print(recorded(Path(folder) / "home", given[0], *(given[1:] or [10])))
        else:
            for line in lines(Path(folder)):
                print(line)
