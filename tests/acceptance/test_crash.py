# SPDX-License-Identifier: Apache-2.0
"""Whole commands killed at any moment: no acknowledged row lost, no file half there, always usable.

`-s` shows how many kills landed in which phase; `make campaign` adds them up.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest
from kills import AIMS, kill, pause, record, start, summary, survivors
from outside import ROOT

from ttapi.home import Home
from ttapi.market.calendar import sessions
from ttapi.store import acquire, current_owner, init_home

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.compat

IS_CAMPAIGN = bool(os.environ.get("TTAPI_CAMPAIGN"))
ROUNDS, KILLS_A_ROUND = (30, 10) if IS_CAMPAIGN else (2, 4)
NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
FILES = 320
"""More than share one commit."""
ROWS = 120
STARTS = ("changed", "older", "changed", "older", "changed", "nothing")
"""A loaded home whose folder changed; one a migration behind, nothing loaded; no home at all."""
RECORDS = {
    "catalog.loads", "catalog.decisions", "catalog.changed_keys", "catalog.meta", "catalog.commands",
}  # fmt: skip
NUMBERING = {"load_id", "unit_id", "replaced_by"}
AGES = {"age_s"}
"""Told by the clock."""
LONG = {"main.volatility"}
"""Computed anew each time from `derived.volatility_terms`, which is compared."""
HEADER = "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"


def days():
    """The last sessions before now."""
    calendar = sessions("XNYS")
    end = calendar.session_no(date(2024, 6, 14))
    return calendar.dates[end - ROWS - 5 : end]


def write_file(folder, number, version):
    """A file all of whose rows say its version, as their volume; each version has another length."""
    rows = days()[: ROWS + version]
    lines = [
        f"K{number:03d},D,{day:%Y%m%d},000000,{price},{price + 1},{price - 1},{price + 0.5},{version},0"
        for price, day in enumerate(rows, 20 + number % 7)
    ]
    (folder / f"K{number:03d}.csv").write_text("\n".join([HEADER, *lines]) + "\n")


@dataclass(frozen=True)
class Scene:
    """Where kills start from, and where a home that was never killed ends."""

    home: Path
    bars: Path
    before: dict[str, int]
    """Version of each file as acknowledged by a finished refresh."""
    after: dict[str, int]
    """Version of each file as it lies in the folder."""
    expected: dict[str, list[object]]
    """Every relation, as it is when nothing was killed."""
    takes_s: float


def command(home, bars, trace, *arguments):
    return start(home, trace, *arguments, TTAPI_METASTOCK_PATH=bars, TTAPI_NOW=NOW.isoformat())


def finish(home, bars, trace):
    """`init` where there is no home yet, then `refresh`, both to their end; the seconds that the second took."""
    if not home.live_file.exists():
        assert command(home, bars, trace, "init").wait() == 0
    began = time.monotonic()
    assert command(home, bars, trace, "refresh").wait() == 0
    return time.monotonic() - began


@pytest.fixture(scope="module")
def scenes(template_home, tmp_path_factory):
    """The three starts of a kill."""
    folder = tmp_path_factory.mktemp("crash")
    bars = folder / "bars"
    bars.mkdir()
    trace = folder / "trace"
    for number in range(FILES - 40):
        write_file(bars, number, 1)
    loaded = Home(folder / "changed")
    shutil.copytree(template_home.root, loaded.root, symlinks=True)
    finish(loaded, bars, trace)
    before = {f"K{n:03d}.csv": 1 for n in range(FILES - 40)}
    for number in (*range(0, FILES - 40, 3), *range(FILES - 40, FILES)):
        write_file(bars, number, 2 + number % 3)
    for number in range(1, 60, 9):
        (bars / f"K{number:03d}.csv").unlink()
    after = {
        file.name: int(file.read_text().splitlines()[-1].split(",")[8]) for file in bars.iterdir()
    }
    first_step = folder / "migrations"
    first_step.mkdir()
    shutil.copy(min((ROOT / "migrations").glob("*.sql")), first_step)
    behind = Home(folder / "older")
    init_home(behind, now=NOW, migrations=first_step)
    starts = {
        "changed": (loaded, before),
        "older": (behind, {}),
        "nothing": (Home(folder / "no"), {}),
    }
    made = {}
    for name, (home, acknowledged) in starts.items():
        copy = copied(home.root, folder / "unharmed")
        took = finish(copy, bars, trace)
        made[name] = Scene(home.root, bars, acknowledged, after, relations(copy), took)
        shutil.rmtree(copy.root)
    return made


def copied(root, target):
    if root.exists():
        shutil.copytree(root, target, symlinks=True)
    return Home(target)


def relations(home):
    """Rows and a checksum of every relation published, but for numbering and the record of attempts."""
    found = {}
    with closing(duckdb.connect(str(home.public_file), read_only=True)) as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal"
            " union all select schema_name || '.' || view_name from duckdb_views() where not internal"
        ).fetchall()
        for name in sorted({row[0] for row in names} - RECORDS - LONG):
            described = connection.execute(f"describe {name}").fetchall()
            # Sums over rows in another order differ in their last digits.
            columns = [
                f'"{column}"::float' if kind == "DOUBLE" else f'"{column}"'
                for column, kind, *_ in described
                if column not in NUMBERING | AGES
            ]
            found[name] = connection.execute(
                f"select count(*), sum(hash(row({', '.join(columns)}))::hugeint) from {name}"
            ).fetchall()[0]
    return found


def assert_whole(file, scene):
    """Every file of the folder is there as it was or as it is, wholly, and as the ledger says."""
    with closing(duckdb.connect(str(file), read_only=True)) as connection:
        if connection.execute("select max(version) from catalog.migrations").fetchall() == [(1,)]:
            return
        units = connection.execute(
            "select u.key, u.rows_accepted, count(b.unit_id), min(b.volume), max(b.volume),"
            " count(distinct b.date) from catalog.units as u"
            " left join raw.metastock_bars as b on b.unit_id = u.unit_id and b.replaced_at is null"
            " where u.dataset = 'raw.metastock_bars' group by all"
        ).fetchall()
        orphans = connection.execute(
            "select count(*) from raw.metastock_bars as b anti join catalog.units as u using (unit_id)"
        ).fetchall()
    assert orphans == [(0,)]
    assert scene.before.keys() <= {key for key, *_ in units}
    for key, accepted, rows, least, most, dates in units:
        # A file that is gone from the folder leaves its rows behind.
        allowed = {scene.before.get(key), scene.after.get(key)} - {None}
        assert (least, accepted, rows, dates) == (most, rows, rows, rows), key
        assert least in allowed, key
        assert rows == ROWS + least, key


def assert_usable(home, scene, process):
    """What must hold the moment after a kill."""
    deadline = time.monotonic() + 600
    while survivors(process.pid) and time.monotonic() < deadline:
        pause(0.01)
    assert survivors(process.pid) == []
    assert current_owner(home) is None
    if home.live.exists():
        acquire(home, command="test", wait_s=0).release()
    if home.live_file.exists():
        assert_whole(home.live_file, scene)
    if home.public_file.is_symlink():
        assert_whole(home.public_file, scene)


def assert_as_if_never_killed(home, scene):
    """What must hold after the next refresh."""
    assert [path.name for path in home.root.rglob("*.tmp-*")] == []
    assert sorted(path.name for path in home.live.iterdir()) == [
        "market.duckdb", "market.lock", "published.json", "state.json",
    ]  # fmt: skip
    assert home.lock_file.read_bytes() == b""
    assert_whole(home.live_file, scene)
    found = relations(home)
    assert [name for name in scene.expected if found.get(name) != scene.expected[name]] == []
    assert found.keys() == scene.expected.keys()


@pytest.mark.campaign
@pytest.mark.parametrize("round_no", range(ROUNDS))
def test_a_killed_command_loses_nothing_and_the_next_one_completes(scenes, tmp_path, round_no):
    dice = random.Random(20240614 + round_no)
    kills = []
    for number in range(KILLS_A_ROUND):
        scene = scenes[STARTS[(round_no + number) % len(STARTS)]]
        aim = list(AIMS)[(round_no * KILLS_A_ROUND + number) % len(AIMS)]
        home = copied(scene.home, tmp_path / f"home{number}")
        trace = tmp_path / f"trace{number}"
        word = "refresh" if home.live_file.exists() else "init"
        process = command(home, scene.bars, trace, word)
        kills.append(
            kill(
                process, home, trace,
                aim=aim, dice=dice, takes_s=scene.takes_s, whole_group=dice.random() < 0.5,
            )
        )  # fmt: skip
        assert_usable(home, scene, process)
        finish(home, scene.bars, trace)
        assert_as_if_never_killed(home, scene)
        shutil.rmtree(home.root)
    print(f"\n{summary(kills)}")
    if IS_CAMPAIGN:
        record(kills)
