# SPDX-License-Identifier: Apache-2.0
"""One refresh per slice: who waits sees the owner's progress and asks nothing again."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from ttapi.api import Database
from ttapi.home import Home
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import NoProgress, ProgressReader, ProgressWriter, run_refresh

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def keyed(lab):
    shutil.copy(ROOT / "fixtures" / "plugins" / "keyed.py", lab.home.sources)
    folder = lab.data / "keyed"
    folder.mkdir()
    (folder / "levels.csv").write_text("symbol,date,level\nAAA,2024-06-13,1\nAAA,2024-06-14,2\n")
    lab.environ["TTAPI_KEYED_FOLDER"] = str(folder)
    return lab


def requests(lab):
    log = lab.data / "keyed" / "requests.log"
    return log.read_text().splitlines() if log.exists() else []


def test_a_listener_shows_what_the_owner_announced(lab, make_watcher):
    shown, clock = make_watcher(), iter(range(100))
    owner = ProgressWriter(NoProgress(), lab.home, clock=lambda: next(clock))
    listener = ProgressReader(shown, lab.home, sleep=lambda _: None)
    listener.pause(1)
    owner.started("raw.x", 10)
    owner.advanced("raw.x", 4)
    listener.pause(1)
    owner.finished("raw.x")
    owner.started("raw.y", 0)
    listener.pause(1)
    owner.close()
    listener.close()
    assert shown.seen == [
        ("started", "raw.x", 10),
        ("advanced", "raw.x", 4),
        ("finished", "raw.x"),
        ("started", "raw.y", 0),
        ("advanced", "raw.y", 0),
        ("finished", "raw.y"),
    ]
    assert not (lab.home.live / "progress.json").exists()


def test_what_is_announced_is_a_fifth_of_a_second_old_at_most(tmp_path):
    home, times = Home(tmp_path), iter([0.0, 0.125, 0.2, 0.2])
    home.live.mkdir()
    owner = ProgressWriter(NoProgress(), home, clock=lambda: next(times))
    owner.started("raw.x", 10)
    seen = []
    for done in (4, 5):
        owner.advanced("raw.x", done)
        seen.append(json.loads((home.live / "progress.json").read_text())["raw.x"])
    assert seen == [[0, 10], [5, 10]]


def test_damaged_progress_is_no_progress(lab, make_watcher):
    (lab.home.live / "progress.json").write_text("{")
    shown = make_watcher()
    ProgressReader(shown, lab.home, sleep=lambda _: None).pause(1)
    assert shown.seen == []


def test_threads_that_want_the_same_slice_ask_once(keyed):
    gate = threading.Barrier(4)
    failures = []

    def ask():
        environment = keyed.environment(symbols=frozenset({"AAA"}))
        gate.wait()
        try:
            run_refresh(environment, RefreshRequest(targets=("raw.keyed_levels",), wait_s=600))
        except Exception as exc:  # noqa: BLE001 - told by the assertion below
            failures.append(exc)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert requests(keyed) == ["AAA  "]


def test_a_forced_refresh_that_waited_joins_the_one_that_ran(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240614,000000,10,11,9,10,1000,0"])
    late = lab.environment()
    assert lab.refresh("metastock", force=True).exit_code == 0
    outcome = run_refresh(late, RefreshRequest(targets=("metastock",), force=True, wait_s=0))
    assert sum(d.source_calls for d in outcome.datasets) == 0
    again = lab.refresh("metastock", force=True)
    assert sum(d.source_calls for d in again.datasets) == 2, "AAA.csv and the price basis"


def test_data_within_max_stale_answers_at_once_and_is_refreshed_after(keyed):
    source = keyed.home.sources / "keyed.py"
    source.write_text(
        source.read_text().replace(
            'max_stale_on_error="2', 'max_stale="2 sessions",\n            max_stale_on_error="2'
        )
    )
    sql = "select count(*) as n from raw.keyed_levels where symbol = 'AAA' and is_current"
    environ = {**keyed.environ, "TTAPI_NOW": keyed.now.isoformat()}
    with Database(keyed.home, environ=environ) as database:
        assert [a.arrow().to_pylist() for a in database.answers(sql)] == [[{"n": 2}]]
    asked = len(requests(keyed))
    with (keyed.data / "keyed" / "levels.csv").open("a") as world:
        world.write("AAA,2024-06-17,3\n")
    environ["TTAPI_NOW"] = (keyed.now + timedelta(days=3)).isoformat()
    with Database(keyed.home, environ=environ) as database:
        answers = database.answers(sql)
        first = next(answers)
        assert (first.arrow().to_pylist(), len(requests(keyed))) == ([{"n": 2}], asked)
        assert "within max_stale" in first.prepared.warnings[0]
        assert list(answers) == []
        assert len(requests(keyed)) == asked + 1
        assert database.sql(sql).arrow().to_pylist() == [{"n": 3}]


def test_explain_says_what_a_query_would_ask_and_does_nothing(keyed):
    environ = {**keyed.environ, "TTAPI_NOW": keyed.now.isoformat()}
    with Database(keyed.home, environ=environ) as database:
        sql = "explain refresh select * from raw.keyed_levels where symbol in ('AAA', 'BBB') and date > '2024-06-12'"
        (row, other) = database.sql(sql).arrow().to_pylist()
        assert row == {
            "dataset": "raw.keyed_levels",
            "slice": "AAA 2024-06-13..",
            "verdict": "missing",
            "action": "ask",
            "reasons": "2 slices never asked",
            "calls": 1,
            "seconds": None,
        }
        assert other["slice"] == "BBB 2024-06-13.."
        assert requests(keyed) == []
        database.sql(sql.partition("refresh ")[2])
        (fresh,) = database.sql(sql).arrow().to_pylist()
        assert (fresh["verdict"], fresh["calls"]) == ("fresh", 0)
