# SPDX-License-Identifier: Apache-2.0
"""A file system that is really full while a stream is recorded: it is waited for, and nothing is lost.

A process of its own, in a mount namespace of its own, keeps the home on 64 MB of memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

ROOM = ("unshare", "--user", "--map-root-user", "--mount")
RECORDING = """
import json, logging, os, shutil, subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from ttapi.api import RecordRequest, record
from ttapi.clock import FixedClock
from ttapi.home import Home
from ttapi.refresh.environment import environment_of
from ttapi.refresh.installation import load_installation
from ttapi.simulator.dxlink.feed import Firehose
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket
from ttapi.store.reader import attached
from ttapi.store.reader import published_file

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
template, small, is_wanted = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "wanted"
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", small], check=True)
home, ballast = Home(small / "home"), small / "ballast"
shutil.copytree(template, home.root, symlinks=True)
said, stops, published = [], [], []


def fill():
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass


class Watching(logging.Handler):
    def emit(self, message):
        said.append(message.getMessage())
        if len(said) == 4:
            ballast.unlink()


def tell(counts, generation):
    published.append(generation)
    if len(published) == 1:
        fill()
        if is_wanted:
            home.wanted_file.touch()
    elif not ballast.exists():
        stops[0]()


logging.getLogger("ttapi.live.recorder").addHandler(Watching())
market = VendorMarket(7, NOW, symbols=30)
with VendorServer(market, vendors=["dxlink"], firehose=Firehose(per_s=2_000.0, channels=1, frame_events=10)) as served:
    environ = {
        "TTAPI_HOME": str(home.root), "TTAPI_NOW": NOW.isoformat(),
        "TTAPI_DXLINK_URL": served.dxlink_url, "TTAPI_DXLINK_TOKEN": served.credentials.quote_token,
    }
    environment = environment_of(load_installation(home, environ), FixedClock(NOW))
    outcome = record(
        environment, RecordRequest(("SPY", "AAPL"), ("time_and_sales",), for_s=60), environ=environ,
        on_published=tell, on_begun=stops.append,
    )
with attached(published_file(home)) as connection:
    asked = "select count(*), count(distinct sequence) from ticks union all select sum(rows_accepted), count(*) from catalog.units where dataset = 'raw.dxlink_time_and_sales'"
    rows = connection.execute(asked).fetchall()
    gaps = connection.execute("select * from health where code = 'stream gap'").fetchall()
print(json.dumps({
    "counts": dict(outcome.counts), "events": outcome.sources[0]["events"], "rows": rows, "gaps": gaps, "said": said,
}))
"""


@pytest.fixture
def room(tmp_path):
    """A folder to mount on; where users may not, there is no such test."""
    folder = tmp_path / "small"
    folder.mkdir()
    can = (
        shutil.which("unshare")
        and not subprocess.run(
            [*ROOM, "mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    )
    if not can:
        pytest.skip("this user may not mount")
    return folder


@pytest.mark.parametrize("kind", ["wanted", "alone"])
def test_a_full_disk_is_waited_for_wherever_it_is_met(lab, room, kind):
    """`wanted`: the file was let go of, and cannot be taken again but by writing."""
    done = subprocess.run(
        [*ROOM, sys.executable, "-c", RECORDING, lab.home.root, room, kind],
        capture_output=True, text=True, check=False, env=lab.variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    counts = found["counts"]
    assert len(found["said"]) >= 4
    assert all("waits for the disk" in text for text in found["said"])
    assert kind == "alone" or any("live/market." in text for text in found["said"])
    stored = found["events"]
    assert (counts["stored"], counts["acknowledged"], counts["gaps"]) == (stored, stored, 0)
    assert found["rows"] == [[stored, stored], [stored, 1]]
    assert found["gaps"] == []
