# SPDX-License-Identifier: Apache-2.0
"""Homes to test in: `lab` is an empty one with calendar and models, its files written by the test."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from ttapi.clock import FixedClock
from ttapi.home import Home
from ttapi.refresh.environment import environment_of
from ttapi.refresh.installation import load_installation
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import run_refresh
from ttapi.store.engine import attached
from ttapi.store.reader import published_file
from ttapi.store.store import init_home

# A time belongs in a benchmark: no deadline. The suite draws the same examples each time, so that a
# red run is about the change; a campaign draws new ones.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("campaign", deadline=None)
settings.load_profile("campaign" if os.environ.get("TTAPI_CAMPAIGN") else "suite")

# Commands run by the hundred in one process: what it keeps for good is looked through seldom.
gc.set_threshold(50_000, 20, 20)

# A check that was started in the background ignores interrupts, and so would every command of it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
# The modules beside this one are imported by name.
sys.path.insert(0, str(ROOT / "tests"))

TIMEOUT_S = 600
"""Of a command, on however busy a machine."""
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
"""A Friday evening, after the close."""
HEADER = "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"


def pytest_collection_finish():
    """What is imported by now stays: no garbage is looked for in it."""
    gc.collect()
    gc.freeze()


@dataclass
class Lab:
    """A home with folders for a test's own files."""

    home: Home
    data: Path
    environ: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW

    @property
    def metastock(self) -> Path:
        return self.data / "metastock"

    def copied(self, folder):
        """The same home and the same files in `folder`, to do with what one likes."""
        home, data = folder / "home", folder / "data"
        shutil.copytree(self.home.root, home, symlinks=True)
        shutil.copytree(self.data, data, symlinks=True)
        environ = {k: v.replace(str(self.data), str(data)) for k, v in self.environ.items()}
        return Lab(Home(home), data, environ, self.now)

    def write_bars(self, name, rows, header=HEADER):
        """A MetaStock file from lines, or from (date, open, high, low, close) rows."""
        lines = [
            row
            if isinstance(row, str)
            else f"{Path(name).stem},D,{row[0]:%Y%m%d},000000,{row[1]},{row[2]},{row[3]},{row[4]},1000,0"
            for row in rows
        ]
        file = self.metastock / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([header, *lines]) + "\n")
        return file

    def write_actions(self, symbol, rows):
        """A corporate actions file from (last_cum_date, kind, ratio, cash) rows."""
        folder = self.data / "actions"
        folder.mkdir(exist_ok=True)
        text = "\n".join(",".join(str(cell) for cell in row) for row in rows)
        (folder / f"{symbol}.csv").write_text(
            f"last_cum_date,kind,new_shares_per_old,cash_usd\n{text}\n"
        )
        self.environ["TTAPI_FILES_CORPORATE_ACTIONS_PATH"] = str(folder)

    def write_model(self, path, text):
        """A model of the user's."""
        file = self.home.sql / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def environment(self, **changes):
        clock = FixedClock(changes.pop("now", self.now))
        return environment_of(load_installation(self.home, self.environ), clock, **changes)

    def refresh(self, *targets, **changes):
        now = changes.pop("now", self.now)
        return run_refresh(
            self.environment(now=now), RefreshRequest(targets=targets, wait_s=0, **changes)
        )

    def rows(self, sql):
        """Rows of a query on the published file."""
        with attached(published_file(self.home)) as connection:
            return connection.execute(sql).fetchall()

    def columns(self, sql):
        with attached(published_file(self.home)) as connection:
            return [column[0] for column in connection.execute(sql).description]

    @property
    def variables(self):
        """The environment of a command about this home."""
        variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
        return variables | {
            "TTAPI_HOME": str(self.home.root),
            "TTAPI_NOW": self.now.isoformat(),
            **self.environ,
        }

    def ttapi(self, *arguments, stdin=None, **environ):
        """The command line as a user runs it, but in this process where it can be."""
        from commands_here import can_run_here, run_here

        words, variables = [str(argument) for argument in arguments], self.variables | environ
        if can_run_here():
            return run_here(words, variables, stdin)
        return warm_commands().run(words, variables, stdin, timeout_s=TIMEOUT_S)

    def process(self, *arguments, stdin=None, **environ):
        """The command line in a process of its own, where that is what is tested."""
        words = [str(argument) for argument in arguments]
        return warm_commands().run(words, self.variables | environ, stdin, timeout_s=TIMEOUT_S)

    def ttapi_into(self, stdout, *arguments):
        """The command line, its output going to the file descriptor `stdout`."""
        return warm_commands().run(list(arguments), self.variables, None, 60, stdout=stdout)


@cache
def warm_commands():
    """This process's server of commands, which ends with it."""
    from warm_commands import WarmCommands

    server = WarmCommands()
    atexit.register(server.close)
    return server


@pytest.fixture(scope="session")
def template_home():
    """A home with calendar, expirations and every model; copied, never changed."""
    return home_with("template", "calendar", "expiration_series")


@pytest.fixture(scope="session")
def whole_home():
    """The same with every dataset refreshed, of no data; copied, never changed."""
    return home_with("whole")


def home_with(name, *targets):
    """A home without data in which `targets` were refreshed, or everything; built once for this code."""
    from built_once import built_once

    def build(folder):
        home = Home(folder / "home")
        init_home(home, now=NOW)
        environment = environment_of(load_installation(home, {}), FixedClock(NOW))
        run_refresh(environment, RefreshRequest(targets=targets))

    return Home(built_once(name, build, __file__) / "home")


@pytest.fixture(scope="session")
def make_lab(template_home):
    """Makes an empty home in a folder, of the usual template or of another."""

    def made(folder, template=template_home):
        root, data = folder / "home", folder / "data"
        shutil.copytree(template.root, root, symlinks=True)
        (data / "metastock").mkdir(parents=True)
        return Lab(Home(root), data, {"TTAPI_METASTOCK_PATH": str(data / "metastock")})

    return made


@pytest.fixture
def lab(make_lab, tmp_path):
    """An empty home of the test's own."""
    return make_lab(tmp_path)


@pytest.fixture
def whole_lab(make_lab, whole_home, tmp_path):
    """An empty home of the test's own in which a refresh finds nothing to do."""
    return make_lab(tmp_path, whole_home)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real market data beside the project; tests that need it skip without it."""
    folder = Path(os.environ.get("TTAPI_REALDATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TTAPI_REALDATA")
    return folder


@pytest.fixture
def golden(request):
    """Compares text with the golden file of that name beside the test; TTAPI_GOLDEN=1 writes it."""

    def compare(name, text):
        file = Path(request.path).parent / "golden" / name
        if os.environ.get("TTAPI_GOLDEN"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare


class Watcher:
    """Notes what it is told of a refresh."""

    def __init__(self):
        self.seen = []

    def started(self, what, total):
        self.seen.append(("started", what, total))

    def advanced(self, what, done):
        self.seen.append(("advanced", what, done))

    def finished(self, what):
        self.seen.append(("finished", what))


@pytest.fixture
def make_watcher():
    """Makes watchers of refreshes."""
    return Watcher


@pytest.fixture(scope="session")
def lab_type():
    """The Lab class, for fixtures that outlive one test."""
    return Lab
