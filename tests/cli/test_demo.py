# SPDX-License-Identifier: Apache-2.0
"""`ttapi demo`: the whole transcript on a small market, and the folders it will not touch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ttapi.cli.demo import Stage, show_demonstration
from ttapi.cli.demo_world import MARKER, make_demo_home
from ttapi.errors import TtapiError, UsageError

NOW = "2024-06-15T12:00:00Z"
"""A Saturday: the last completed session is 2024-06-14."""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder, a fixed now, and no home of the tester's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TTAPI_NOW", NOW)
    monkeypatch.setenv("TTAPI_HOME", str(tmp_path / "not-this-one"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return tmp_path


@pytest.fixture
def small_home(work):
    return make_demo_home(Path("demo"), symbols=16, sessions=300)


@pytest.mark.compat
def test_the_transcript_shows_each_command_above_its_answer(small_home, capfd):
    show_demonstration(small_home)
    text, errors = capfd.readouterr()
    assert errors == ""
    typed = re.findall(r"^\$ (.*)$", re.sub(r"(http|ws)://127\S+", "URL", text), re.MULTILINE)
    assert typed[:-4] == [
        "ttapi simulate --seed 7 --ahead --fault missing-symbols:count=4 --port-file demo/vendors.json &",
        "export TTAPI_HOME=demo",
        "cat demo/ttapi.toml",
        "ttapi init",
        'ttapi sql "',
        'ttapi sql "',
        "ttapi refresh",
        'ttapi sql "',
        'ttapi sql "',
        'ttapi sql "',
        'ttapi sql --format json "',
        "ttapi refresh --plan",
        "ttapi refresh",
        'python -c "',
        "cat demo/sql/views/calm.sql",
        'ttapi sql "select * from calm order by rank, symbol limit 5"',
        "export TTAPI_TASTYTRADE_BASE_URL=URL",
        "export TTAPI_TASTYTRADE_CLIENT_SECRET=...",
        "export TTAPI_TASTYTRADE_REFRESH_TOKEN=...",
        "export TTAPI_TASTYTRADE_REQUESTS_PER_S=200",
        "export TTAPI_TASTYTRADE_IN_FLIGHT=20",
        "export TTAPI_TASTYTRADE_GIVE_UP_S=600",
        "ttapi refresh market_metrics --list vendor",
        "ttapi refresh market_metrics --list vendor",
        "ttapi refresh eod --list mixed --from 2024-04-15 --yes",
        'ttapi sql --no-refresh "',
        'ttapi sql "',
        'ttapi sql "',
        "ttapi simulate dxlink --seed 7 --moving --port-file demo/feed.json &",
        "export TTAPI_DXLINK_URL=URL",
        "export TTAPI_DXLINK_TOKEN=...",
        "ttapi stream SPY AAPL QQQ --types quotes,time_and_sales --for 3s",
        'python -c "',
    ]
    steps = _steps(text)
    hero = small_home.market.symbols[1]
    stale, again = steps["A question on stale data"], steps["The same question again"]
    assert "fetched" in stale
    assert re.search(r"0 calls, \d", again)
    assert _rows(stale, hero) == _rows(again, hero)
    assert [row.split()[:3] for row in _rows(again, hero)] == [
        [hero, str(lookback), "2024-06-14"] for lookback in (21, 63, 252)
    ]
    rest = steps["Everything else"]
    for flaw in small_home.market.refused:
        assert re.search(rf"^{flaw.file} +{flaw.line} ", rest, re.MULTILINE)
    [(symbol, [day])] = small_home.market.unrecorded.items()
    assert re.search(rf"^unrecorded split +{symbol} +{day}$", rest, re.MULTILINE)
    far = steps["How far until expiration"]
    assert len(re.findall(r"^2024-\d\d-\d\d +\d+ ", far, re.MULTILINE)) == 5
    assert "@ now" in far
    assert f"{hero}.csv" in steps["One file corrected"]
    assert "raw.corporate_actions" not in steps["One file corrected"]
    assert "2024-06-14" in steps["Any DuckDB client"]
    assert re.search(r"^-- \d rows?,", steps["A view of your own"], re.MULTILINE)
    network = steps["Vendors over the network"]
    assert re.search(r"507 slices, 503 rows accepted, 4 failed", network)
    assert re.search(r"fresh, 507 slices held, 4 of them unknown", network)
    completed = steps["Files first, the feed completes"]
    assert re.search(r"^dxlink +\d+ +\d", completed, re.MULTILINE)
    implied = steps["The implied side"]
    assert "fetched 1 slice" in implied
    assert (
        len(re.findall(r"^2024-\d\d-\d\d +\d+ +\d+\.\d+ +0\.\d+ +0\.\d+$", implied, re.MULTILINE))
        == 5
    )
    assert re.search(
        r"^2024-07-\d\d +[\d.]+ +C +[\d.]+ +[\d.]+ +0\.\d+ +0\.[45]\d*$", implied, re.MULTILINE
    )
    assert sorted(re.findall(r"^│ ([A-Z]{3,4}) ", steps["Live"], re.MULTILINE)) == ["AAPL", "QQQ", "SPY"]  # fmt: skip
    assert "init --metastock FOLDER" in steps["Go on"]
    long = [line for line in text.splitlines() if len(line) > 80 and not _is_excused(line)]
    assert long == []


def _steps(text):
    """What each step shows, by its title."""
    _, *parts = re.split(r"^--- \d+\. (.*?) -+$", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _is_excused(line):
    """Lines of talk and typed addresses are as long as what they name."""
    return (
        line.startswith(("-- ", "rebuild ", "path = ", "raw.", "$ ttapi simulate", "  none of"))
        or "any DuckDB client opens" in line
    )


def _rows(text, symbol):
    return [line for line in text.splitlines() if line.startswith(symbol)]


def test_the_installed_command_refuses_a_folder_with_something_else_in_it(work):
    folder = work / "precious"
    folder.mkdir()
    (folder / "thesis.txt").write_text("ten years")
    done = subprocess.run(
        [sys.executable, "-m", "ttapi", "--home", "precious", "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is not empty, and no earlier demo made it" in done.stderr
    assert [child.name for child in folder.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_refused(work):
    (work / "demo").write_text("no folder")
    with pytest.raises(UsageError, match="is no folder"):
        make_demo_home(Path("demo"), symbols=16, sessions=130)


def test_a_demo_home_is_emptied_before_it_is_made_again(small_home):
    old = small_home.root / "sql" / "views" / "old.sql"
    old.parent.mkdir(parents=True)
    old.write_text("select 1")
    (small_home.root / "market.duckdb").symlink_to("nowhere")
    again = make_demo_home(Path("demo"), symbols=16, sessions=300)
    assert again == small_home
    assert sorted(child.name for child in again.root.iterdir()) == [
        MARKER,
        "corporate_actions",
        "metastock",
        "ttapi.toml",
        "universes",
    ]


def test_a_link_inside_a_demo_home_is_removed_and_its_target_left_alone(small_home, work):
    target = work / "elsewhere"
    target.mkdir()
    (target / "kept.txt").write_text("kept")
    (small_home.root / "link").symlink_to(target)
    make_demo_home(Path("demo"), symbols=16, sessions=130)
    assert (target / "kept.txt").read_text() == "kept"


def test_the_market_ends_at_the_last_session_completed_at_now(small_home, monkeypatch):
    assert str(small_home.market.last_session) == "2024-06-14"
    monkeypatch.setenv("TTAPI_NOW", "2024-06-14T19:59:59Z")
    before = make_demo_home(Path("demo"), symbols=16, sessions=130)
    assert str(before.market.last_session) == "2024-06-13"


@pytest.mark.parametrize(
    "typed",
    [
        'python -c "import sys; sys.exit(3)"',
        "python -c \"import sys; sys.exit(3)\" | python -c 'pass'",
        "python -c 'pass' | python -c \"import sys; sys.exit(3)\"",
    ],
)
def test_a_failing_step_stops_the_demo_with_its_exit_code(tmp_path, capfd, typed):
    with pytest.raises(TtapiError, match="exit code 3 from") as failed:
        Stage(tmp_path).run(typed)
    assert failed.value.exit_code == 3
    assert capfd.readouterr().out == f"\n$ {typed}\n"


def test_a_command_beside_that_leaves_without_an_answer_stops_the_demo_with_its_reason(tmp_path):
    typed = "python -c \"import sys; sys.stderr.write('no port'); sys.exit(3)\""
    with (
        Stage(tmp_path).running(typed) as beside,
        pytest.raises(TtapiError, match="exit code 3 from python") as failed,
    ):
        beside.first_line()
    assert (failed.value.exit_code, failed.value.hint) == (3, "no port")


def test_steps_are_shown_in_order_and_children_see_the_demo_home_alone(
    tmp_path, capfd, monkeypatch
):
    monkeypatch.setenv("TTAPI_METASTOCK_PATH", "/somebody/elses")
    monkeypatch.setenv("TTAPI_NOW", NOW)
    stage = Stage(tmp_path)
    stage.step("One", "a line")
    stage.run(
        "python -c \"import os; print({k: v for k, v in os.environ.items() if k[:6] == 'TTAPI_'})\""
    )
    out = capfd.readouterr().out.splitlines()
    assert out[1].startswith("--- 1. One ---")
    assert len(out[1]) == 78
    assert out[2] == "a line"
    assert eval(out[-1]) == {
        "TTAPI_HOME": str(tmp_path),
        "TTAPI_NOW": NOW,
        "TTAPI_DISPLAY_FORMAT": "table",
        "TTAPI_REFRESH_MAX_SECONDS": "86400",
    }
    assert "TTAPI_METASTOCK_PATH" in os.environ
