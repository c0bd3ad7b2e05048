# SPDX-License-Identifier: Apache-2.0
"""The published file in the hands of other DuckDB clients, while a refresh is writing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from client_probe import SAMPLES
from outside import plain_environ
from vendor_settings import settings_of

from ttapi.clock import FixedClock
from ttapi.home import Home
from ttapi.live.recorded_file import RecordedFile
from ttapi.simulator import write_market
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket
from ttapi.sources.dxlink.live import LIVE_TYPES, LiveColumns
from ttapi.store.log import LogRecord, LogRows
from ttapi.store.store import open_store

pytestmark = pytest.mark.compat

CLIENTS = ("1.2.2", "1.3.2", "1.4.4", "1.5.6", "2.0.0", "2.0.1")
PROBE = Path(__file__).with_name("client_probe.py")


class Writer:
    """Refreshes a home again and again, a file changed before each."""

    def __init__(self, lab, market):
        self.lab = lab
        self.market = market
        self.file = lab.metastock / f"{market.index_symbol}.csv"
        self.lines = self.file.read_text().splitlines()
        self.answers = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def refresh(self):
        done = self.lab.ttapi("refresh", TTAPI_STORE_SNAPSHOTS_KEPT="30")
        self.answers.append((done.returncode, done.stderr if done.returncode else ""))

    def _work(self):
        while not self._is_over.is_set():
            *head, last = self.lines
            cells = last.split(",")
            cells[8] = str(1000 + len(self.answers))
            self.file.write_text("\n".join([*head, ",".join(cells)]) + "\n")
            self.refresh()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def writer(template_home, lab_type, tmp_path_factory):
    """A synthetic market with every oddity, what a vendor says of two underlyings, published once, and a
    refresh that never ends."""
    folder = tmp_path_factory.mktemp("clients")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder)
    market = write_market(folder, seed=5, last_session=lab.now.date(), symbols=16, sessions=300)
    lab.write_bars("conflict/" + f"{market.index_symbol}.csv", ["X,D,20240614,000000,1,2,1,2,9,0"])
    lab.environ |= {
        "TTAPI_METASTOCK_PATH": str(folder / "metastock"),
        "TTAPI_FILES_CORPORATE_ACTIONS_PATH": str(folder / "corporate_actions"),
        "TTAPI_FILES_UNIVERSES_PATH": str(folder / "universes"),
    }
    write_options(folder, lab, market.index_symbol)
    # The feed has AAPL at other prices.
    lab.write_bars("AAPL.csv", ["AAPL,D,20240613,000000,1,2,1,2,9,0"])
    ask_a_vendor(lab)
    record_one_event_of_each_type(lab)
    refreshing = Writer(lab, market)
    refreshing.refresh()
    assert refreshing.answers == [(0, "")]
    with refreshing:
        yield refreshing
    shutil.rmtree(folder)


def write_options(folder, lab, symbol):
    """A chain of four weeks ago with an expiration that has passed since, and a rate."""
    lines = (folder / "metastock" / f"{symbol}.csv").read_text().splitlines()
    close = next(float(line.split(",")[7]) for line in lines if ",20240517," in line)
    rows = ["expiration,strike,type,bid,ask,volume,open_interest", f",,,{close},{close},,"]
    for expires, weeks in (
        ("2024-05-24", 1),
        ("2024-06-07", 3),
        ("2024-06-21", 5),
        ("2024-07-19", 9),
    ):
        for step in range(-5, 6):
            strike = round(close * (1 + step / 50), 2)
            worth = close * 0.02 * weeks**0.5 * 0.8 ** abs(step)
            for kind, gain in (("C", close - strike), ("P", strike - close)):
                price = max(0.0, gain) + worth
                rows.append(
                    f"{expires},{strike},{kind},{price - 0.01:.4f},{price + 0.01:.4f},{10 + step},{50 + step}"
                )
    chain = folder / "chains" / symbol / "20240517.csv"
    chain.parent.mkdir(parents=True)
    chain.write_text("\n".join(rows) + "\n")
    rates = folder / "rates.csv"
    rates.write_text("date,tenor_days,rate\n2024-05-01,30,0.05\n2024-05-01,365,0.04\n")
    lab.environ |= {
        "TTAPI_FILES_OPTION_QUOTES_PATH": str(chain.parent.parent),
        "TTAPI_FILES_RATES_PATH": str(rates),
    }


def ask_a_vendor(lab):
    """Everything two simulated vendors say of two underlyings, loaded."""
    with VendorServer(VendorMarket(7, lab.now, symbols=30)) as server:
        vendor = settings_of(server, has_streams=True)
        for words in (
            ("refresh", "--symbols", "AAPL,SPX", "--from", "2024-01-02"),
            ("refresh", "future_options", "--symbols", "ES"),
            ("refresh", "symbol_search", "--symbols", "AAPL"),
        ):
            done = lab.ttapi(*words, **vendor)
            assert done.returncode == 0, done.stderr


def record_one_event_of_each_type(lab):
    """What a stream of a minute would leave: an event of every type, of one symbol."""
    environment = lab.environment()
    events = []
    for live in LIVE_TYPES:
        values = {"eventSymbol": "SPY", "eventFlags": 0, "time": 1718395200000, "type": "NEW"}
        columns = LiveColumns({"SPY": "SPY"})
        flat = [values.get(name, 1) for name in live.fields]
        columns.take([live.event_type, flat], {live.event_type: live.fields}, lab.now)
        ((resource, rows, _),) = columns.cut()
        events.append(LogRows(f"raw.{resource.table}", pa.Table.from_batches([rows])))
    with open_store(lab.home, command="test", now=lab.now) as store:
        recording = RecordedFile(store, environment, FixedClock(lab.now))
        assert recording.append([LogRecord(1, tuple(events))]) == len(LIVE_TYPES)
        recording.publish([])


def probe(python, file, symbol, *flags):
    """What that interpreter's client sees."""
    done = subprocess.run(
        [str(python), "-I", str(PROBE), str(file), symbol, *flags],
        capture_output=True, text=True, check=False, env=plain_environ(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", CLIENTS)
def test_a_client_uses_every_relation_and_macro_while_a_refresh_writes(
    client_python, writer, version
):
    symbol, home = writer.market.index_symbol, writer.lab.home
    answers = probe(client_python(version), home.public_file, symbol, "--until-republished")
    assert answers.pop("version") == version
    snapshot = home.snapshots / f"market.{answers['generation']:06d}.duckdb"
    ours = probe(sys.executable, snapshot, symbol)
    ours.pop("version")
    for part in ("relations", "macros"):
        assert {n for n in ours[part] if answers[part].get(n) != ours[part][n]} == set()
    assert answers == ours
    assert [code for code, _ in writer.answers if code] == []


def test_the_file_under_test_holds_something_of_everything(writer):
    answers = probe(sys.executable, writer.lab.home.public_file, writer.market.index_symbol)
    assert set(answers["macros"]) == set(SAMPLES)
    found = answers["relations"] | answers["macros"]
    empty = [name for name, one in found.items() if not one["count"]]
    assert empty == []
    assert {name.partition(".")[0] for name in answers["relations"]} == {
        "main", "staged", "derived", "raw", "catalog",
    }  # fmt: skip
