# SPDX-License-Identifier: Apache-2.0
"""What a finding names: the datasets that are due, and the line to look at."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ttapi import __version__
from ttapi.audit import data_findings, home_findings
from ttapi.audit.data_findings import _verdicts
from ttapi.audit.findings import edit
from ttapi.home import Home
from ttapi.refresh.daemon_client import DaemonGreeting, schema_version
from ttapi.refresh.datasets import CLOCK_SLACK, Dataset, market_clock
from ttapi.refresh.freshness import StatusRow
from ttapi.store.lock import DaemonNote

SECOND = timedelta(seconds=1)
NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("names", "told"), [("", []), ("abc", ["a, b, c"]), ("abcde", ["a, b, c and 2 more"])]
)
def test_three_of_the_datasets_that_are_due_are_named(names, told):
    rows = [StatusRow(name, "stale", (), None, None, None, None) for name in names]
    logs = {"log": SimpleNamespace(is_log=True), "a": SimpleNamespace(is_log=False)}
    environment = SimpleNamespace(raw_datasets=logs)
    patient = SimpleNamespace(ttapi=lambda words: f"ttapi {words}", environment=environment)
    rows += [StatusRow("log", "missing", (), None, None, None, None)]
    assert [one.evidence for one in _verdicts(patient, rows)] == told


@pytest.mark.parametrize(
    ("message", "line"),
    [("no value (at line 2, column 3)", "+2 "), ("no end (at end of document)", "+3 "), ("no idea", "")],
)  # fmt: skip
def test_the_editor_opens_where_the_message_says(tmp_path, message, line):
    file = tmp_path / "ttapi.toml"
    file.write_text("[a]\nb = 1\nc = [\n")
    assert edit(file, message) == f"${{EDITOR:-vi}} {line}{file}"


@pytest.mark.parametrize(
    ("usable", "codes"),
    [
        ("ab", []),
        ("b", ["backup-old"]),
        ("a", ["backup-unusable"]),
        ("", ["backup-unusable"]),
    ],
)
def test_a_backup_that_cannot_be_used_matters_where_it_is_the_newest(monkeypatch, usable, codes):
    found = [
        SimpleNamespace(
            folder=Path(name), manifest=name if name in usable else None, error=f"{name} is torn"
        )
        for name in "ba"
    ]
    monkeypatch.setattr(home_findings, "list_backups", lambda _: found)
    patient = SimpleNamespace(home=Home(Path("/h")), ttapi=str)
    told = [(one.code, one.evidence, one.command) for one in home_findings._backups(patient)]
    broken = next((name for name in "ba" if name not in usable), None)
    assert told == [(code, f"{broken} is torn", "backup") for code in codes]


@pytest.mark.parametrize(
    ("mode", "codes"),
    [(0o600, []), (0o640, ["settings-open"]), (0o604, ["settings-open"]), (0o700, [])],
)
def test_settings_are_for_their_owner_alone(tmp_path, mode, codes):
    home = Home(tmp_path)
    tmp_path.chmod(0o700)
    home.settings_file.write_text("")
    home.settings_file.chmod(mode)
    told = [one.code for one in home_findings._modes(SimpleNamespace(home=home))]
    assert told == codes


def told_by(found):
    return [(one.code, one.evidence, one.command) for one in found]


def test_a_check_that_failed_is_done_again_by_what_it_is_a_check_of(monkeypatch):
    rows = [("eod", "unique(grain)", 1, "{}"), ("checks.prices", "rows", 1200, "AAA")]
    monkeypatch.setattr(data_findings, "read_rows", lambda *_: rows)
    patient = SimpleNamespace(home=None, ttapi=str)
    assert told_by(data_findings._checks(patient)) == [
        ("check-failed", "unique(grain) of eod: 1 bad row, such as {}", "refresh eod"),
        ("check-failed", "rows of checks.prices: 1,200 bad rows, such as AAA", "refresh"),
    ]


def test_more_published_files_than_are_to_be_kept_are_told(monkeypatch, tmp_path):
    settings = SimpleNamespace(snapshots_kept=2)
    home = Home(tmp_path)
    patient = SimpleNamespace(
        home=home, environment=SimpleNamespace(settings=settings), republish="r"
    )
    for count, told in ((3, []), (4, [f"{home.snapshots} holds 4, and 3 are to be kept"])):
        monkeypatch.setattr(data_findings, "snapshot_files", lambda _, n=count: range(n))
        assert [one.evidence for one in data_findings._snapshots(patient)] == told


@pytest.mark.parametrize(
    ("folder", "number", "is_told"),
    [("snapshots", 2, False), ("snapshots", 1, True), ("other", 2, True), ("other", 1, True)],
)
def test_the_link_leads_to_the_newest_file_of_the_home(
    monkeypatch, tmp_path, folder, number, is_told
):
    home = Home(tmp_path)
    for place in (home.snapshots, tmp_path / "other"):
        place.mkdir()
        for n in (1, 2):
            (place / f"market.{n:06}.duckdb").write_text("")
    home.public_file.symlink_to(f"{folder}/market.{number:06}.duckdb")
    monkeypatch.setattr(data_findings, "_file", lambda _: ())
    told = told_by(data_findings._link(SimpleNamespace(home=home, republish="r")))
    text = f"{home.public_file} leads to {folder}/market.{number:06}.duckdb, and generation 2 is the newest"
    assert told == ([("published-link-elsewhere", text, "r")] if is_told else [])


@pytest.mark.parametrize("name", ["live_file", "state_file", "settings_file", "snapshots"])
@pytest.mark.parametrize(("ahead_s", "is_told"), [(120, False), (121, True)])
def test_a_file_may_be_two_minutes_ahead_of_the_clock(tmp_path, name, ahead_s, is_told):
    file = getattr(Home(tmp_path), name)
    file = file / "market.000001.duckdb" if name == "snapshots" else file
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    os.utime(file, (NOW.timestamp(), NOW.timestamp() + ahead_s))
    patient = SimpleNamespace(home=Home(tmp_path), clock=NOW)
    text = f"{file}: up to 0.0 h ahead of this machine's clock"
    expected = [("file-time-in-future", text, f"touch {file}")] if is_told else []
    assert told_by(home_findings._times(patient)) == expected


@pytest.mark.parametrize(("free", "is_told"), [(1_099, True), (1_100, False)])
def test_a_publication_takes_the_live_file_and_a_tenth(monkeypatch, tmp_path, free, is_told):
    home = Home(tmp_path)
    home.live.mkdir()
    home.live_file.write_bytes(bytes(1000))
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(home_findings.shutil, "disk_usage", lambda _: usage)
    found = [one.code for one in home_findings._room(SimpleNamespace(home=home, ttapi=str))]
    assert found == (["disk-low"] if is_told else [])


@pytest.mark.parametrize(
    ("host", "code", "held"),
    [
        ("here", "lock-stale", "it holds no lock"),
        ("there", "lock-foreign", "nobody on this machine holds the lock"),
    ],
)
def test_a_lock_that_nobody_holds_names_who_left_it(monkeypatch, host, code, held):
    monkeypatch.setattr(home_findings.socket, "gethostname", lambda: "here")
    owner = SimpleNamespace(pid=7, command="ttapi refresh", host=host, started_at="noon")
    lock = SimpleNamespace(is_held=False, owner=owner)
    found = home_findings._lock(SimpleNamespace(lock=lock, live_error=None, ttapi=str))
    text = f"the lock file names process 7 (ttapi refresh) on {host}, since noon; {held}"
    assert told_by(found) == [(code, text, "refresh")]


@pytest.mark.parametrize(("ahead", "is_told"), [(timedelta(), False), (SECOND, True)])
def test_an_instant_within_the_slack_of_clocks_is_no_future(monkeypatch, ahead, is_told):
    asked = [NOW, NOW + CLOCK_SLACK + ahead, None]
    states = {f"raw.{n}": SimpleNamespace(asked_at=at) for n, at in enumerate(asked)}
    datasets = {name: Dataset(name, "raw", "c", ttl="1d") for name in states}
    monkeypatch.setattr(data_findings, "read_home_state", lambda _: SimpleNamespace(states=states))
    patient = SimpleNamespace(
        home=None,
        environment=SimpleNamespace(now=NOW, clock=market_clock(NOW), datasets=datasets),
        ttapi=str,
    )
    text = f"raw.1 was asked at {asked[1].isoformat()}, and now is {NOW.isoformat()}"
    expected = [("asked-in-future", text, "refresh")] if is_told else []
    assert told_by(data_findings._future(patient)) == expected


@pytest.mark.parametrize(
    ("count", "told"), [(1, "/0"), (3, "/0, /1, /2"), (4, "/0, /1, /2 and 1 more")]
)
def test_three_files_are_named_and_the_rest_counted(count, told):
    assert home_findings._named([Path(f"/{n}") for n in range(count)]) == told


@pytest.fixture
def daemon_of(tmp_path):
    """An examination of a home whose daemon is this very process, as far as its note goes."""
    home = Home(tmp_path)
    home.live.mkdir()
    note = {"pid": os.getpid(), "base_url": "http://127.0.0.1:1"}
    home.daemon_note.write_text(json.dumps(note))
    return SimpleNamespace(home=home, ttapi=str)


def test_what_a_killed_daemon_left_is_named_and_removed(daemon_of):
    home = daemon_of.home
    home.token_file.write_text("{}")
    ((code, text, command),) = told_by(home_findings._daemon(daemon_of))
    assert (code, text) == (
        "daemon-gone",
        f"process {os.getpid()} at http://127.0.0.1:1 runs no more, and left {home.token_file}, {home.daemon_note}",
    )  # fmt: skip
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert list(home.live.iterdir()) == []
    assert told_by(home_findings._daemon(daemon_of)) == []
    home.token_file.write_text("{}")
    ((_, text, _),) = told_by(home_findings._daemon(daemon_of))
    assert text == f"nobody serves this home, and left {home.token_file}"
    home.token_file.unlink()
    home.daemon_note.write_text("")
    assert told_by(home_findings._daemon(daemon_of)) == [], "one that ended well leaves it empty"


def test_a_daemon_that_does_not_answer_is_named_with_how_to_end_it(daemon_of):
    with daemon_of.home.daemon_note.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ((code, text, command),) = told_by(home_findings._daemon(daemon_of))
    assert (code, command) == ("daemon-hangs", f"kill -KILL {os.getpid()}")
    assert text.startswith(f"process {os.getpid()} at http://127.0.0.1:1 does not answer (")


def greeting(schedule, version=__version__):
    return DaemonGreeting(7, "http://x", version, schema_version(), "1:2", schedule, "noon")


NOTE = DaemonNote(7, "http://x", is_held=True)
WHO = "process 7 at http://x, up since noon"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (greeting({"text": "keeps all fresh", "failing": {}, "left_alone": {}, "trouble": None}), []),
        (greeting({}), []),
        (
            greeting({}, version="0.0.9"),
            [("daemon-other-version", f"{WHO}, is ttapi 0.0.9 (schema {schema_version()}), and this is {__version__} ({schema_version()})", "kill 7")],
        ),
        (
            greeting({"failing": {"raw.x": {"failures": 2, "error": "it is down"}}, "trouble": "no list"}),
            [("daemon-troubled", f"{WHO}: raw.x failed 2 times: it is down; no list", "status")],
        ),
        (
            greeting({"left_alone": {"raw.x": "9 source calls, and 1 of the hour's 1 are left"}}),
            [("daemon-limited", f"{WHO}: raw.x (9 source calls, and 1 of the hour's 1 are left)", "refresh raw.x")],
        ),
    ],
)  # fmt: skip
def test_what_a_daemon_says_of_itself_is_judged(found, told):
    patient = SimpleNamespace(ttapi=str)
    assert told_by(home_findings._of_greeting(patient, NOTE, found)) == told


def test_copies_for_viewers_that_nobody_has_open_are_named(daemon_of):
    home = daemon_of.home
    examined = SimpleNamespace(home=home, ttapi=str, live_error=None)
    left = home.live / "shared.000001.7.duckdb"
    left.write_bytes(b"")
    assert told_by(home_findings._left_over(examined)) == [("shared-left", str(left), "refresh")]
    left.unlink()
    assert told_by(home_findings._left_over(examined)) == []
