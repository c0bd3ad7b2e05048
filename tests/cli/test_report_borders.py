# SPDX-License-Identifier: Apache-2.0
"""What commands tell of a replay, of a look ahead, of a refresh and of a source, at their borders."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import typer

from ttapi.api import (
    EarlyRow,
    LateInput,
    LookAhead,
    RefreshRequest,
    Replay,
    RestoreOutcome,
    RestoreRequest,
    StatusRow,
    operations,
)
from ttapi.api.answer import Status
from ttapi.cli import doctor as backup
from ttapi.cli import report, sources
from ttapi.cli.proof import _text, look_ahead_lines
from ttapi.cli.shell.start import _is_same_file
from ttapi.errors import ModelError
from ttapi.home import Home
from ttapi.refresh.runner import RefreshOutcome
from ttapi.store.catalog import DatasetOutcome

UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("newest", "rows", "rebuilt", "told"),
    [
        (3, 1, (), "equal: 1 row as after load 3, no load since"),
        (4, 0, (), "equal: 0 rows as after load 3, 1 load later"),
        (
            5,
            1200,
            ("a", "b"),
            "equal: 1,200 rows as after load 3, 2 loads later; built again: a, b",
        ),
    ],
)
def test_a_replay_tells_how_many_loads_came_since(newest, rows, rebuilt, told):
    found = Replay(True, None, 3, newest, 9, rows, rebuilt, ())
    assert _text(found, SimpleNamespace(load_id=3)) == told


def ahead(early, shown, inputs=()):
    examples = [EarlyRow({"symbol": "AAA", "n": n}, "close", None, "1.5") for n in range(shown)]
    return LookAhead("eod", "2024-06-13", "date", 1200, early, examples, inputs)


def test_rows_ahead_of_their_time_are_counted_beyond_those_that_are_shown():
    head = "eod as of 2024-06-13: 1,200 rows up to then by date"
    row = "  symbol AAA, n 0: close is null, was 1.5"
    assert list(look_ahead_lines(ahead(0, 0))) == [f"{head}, none uses what was known later"]
    assert list(look_ahead_lines(ahead(1, 1))) == [f"{head}, 1 could not be known as they stand", row]  # fmt: skip
    late = [
        LateInput("raw.bars", rows, {"symbol": "AAA"}, datetime(2024, 6, 14, 20, 5))
        for rows in (1, 2)
    ]
    assert list(look_ahead_lines(ahead(1201, 1, late))) == [
        f"{head}, 1,201 could not be known as they stand",
        row,
        "  and 1,200 more",
        "behind them, known later only",
        "  raw.bars: symbol AAA, known at 2024-06-14 20:05 UTC",
        "  raw.bars: symbol AAA, known at 2024-06-14 20:05 UTC, the first of 2",
    ]


def test_one_file_is_itself_however_it_is_spelled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("x")
    assert _is_same_file(Path("x"), tmp_path / "x")
    assert _is_same_file(Path("link"), Path("./x"))
    assert not _is_same_file(Path("x"), Path("y"))
    assert not _is_same_file(Path("/dev/null"), Path("/dev/null"))


@pytest.mark.parametrize(
    ("calls", "is_terminal", "asked"), [(10, True, []), (11, True, [11]), (11, False, [])]
)
def test_more_source_calls_than_allowed_are_asked_about_at_a_terminal(
    monkeypatch, calls, is_terminal, asked
):
    stream = SimpleNamespace(isatty=lambda: is_terminal)
    monkeypatch.setattr(report, "sys", SimpleNamespace(stdin=stream, stderr=stream))
    monkeypatch.setattr(report.operations, "count_calls", lambda *_: calls)
    questions = []
    monkeypatch.setattr(report, "ask_yes", questions.append)
    environment = SimpleNamespace(settings=SimpleNamespace(max_calls=10))
    report._is_wanted(environment, RefreshRequest())
    assert questions == [f"This would make {n} source calls. Go on?" for n in asked]


def test_an_outcome_as_json_names_units_that_failed_where_nothing_else_did():
    did = [
        DatasetOutcome("raw.a", "stale", ("due",), error="bad", failed_units=("x: torn",)),
        DatasetOutcome("raw.b", "stale", (), failed_units=("x: torn", "y: torn")),
        DatasetOutcome("raw.c", "fresh", ()),
    ]
    document = report.outcome_document(RefreshOutcome(7, 3, tuple(did)))
    assert [one["error"] for one in document["datasets"]] == ["bad", "x: torn; y: torn", None]


def row(dataset, verdict="fresh", reasons=(), age_s=None, day=None):
    due = None if day is None else datetime(2024, 6, day, 12, tzinfo=UTC)
    return StatusRow(dataset, verdict, reasons, age_s, None, due, due)


def test_a_source_is_as_old_as_its_oldest_and_due_with_its_first():
    rows = [
        row("raw.a", age_s=3600.0, day=15),
        row("raw.b", "stale", ("past its TTL", "due"), 7200.0, 14),
        row("raw.c", "missing"),
        row("raw.d", "stale", ("other",), 60.0, 16),
    ]
    assert report._source_cells("src", rows, UTC_ZONE) == (
        *("src", "missing", "2 h", "Fri 2024-06-14 12:00"),
        "1 missing, 2 stale, 1 fresh",
    )
    assert report._source_cells("src", rows[1:2], UTC_ZONE) == (
        *("src", "stale", "2 h", "Fri 2024-06-14 12:00"),
        "b: past its TTL; due",
    )
    assert report._source_cells("src", [row("raw.e")], UTC_ZONE) == ("src", "fresh", "-", "-", "")


def test_what_failed_a_check_of_its_own_is_told_by_itself_and_what_reads_it_is_counted():
    rows = [
        row("raw.a"),
        row("raw.b", "not configured"),
        row("checked", "stale", ("check failed: unique(grain)",)),
        row("reader", "stale", ("upstream stale: checked",)),
        row("view"),
    ]
    found = Status(rows, {}, None, {"raw.a": "held", "raw.b": "unset"})
    _, *lines = report._summary(found, UTC_ZONE)
    assert [" ".join(line.split()) for line in lines] == [
        "checked stale - - check failed: unique(grain)",
        "held fresh - -",
        "1 of 3 relations computed from them are fresh, 2 follow when they are asked for",
        "not configured: unset (ttapi sources says what each needs)",
        "ttapi status --all: a line for each of 5 datasets",
    ]


@pytest.mark.parametrize(
    ("targets", "error", "code"),
    [((), None, ModelError.exit_code), (("eod",), None, 0), ((), "bad", 1)],
)
def test_a_model_that_is_wrong_counts_where_everything_was_asked_for(
    monkeypatch, tmp_path, targets, error, code
):
    broken = ModelError("odd is wrong", file="sql/views/odd.sql")
    did = DatasetOutcome("raw.a", "stale", (), error=error)
    outcome = RefreshOutcome(1, 2, (did,), broken=(broken,))
    monkeypatch.setattr(report.operations, "refresh", lambda *_, **__: outcome)
    environment = SimpleNamespace(home=Home(tmp_path))
    request = RefreshRequest(targets)
    assert report.run_refresh(environment, request, asks=False, as_json=False) == code


def source(name):
    return SimpleNamespace(name=name, origin=f"of {name}", source=name)


@pytest.mark.parametrize(
    ("problems", "failures", "verdict"),
    [
        ([], [], "keeps the contract"),
        (["no grain"], [], "breaks the contract"),
        ([], ["torn"], "declares what it should, and its last fetch failed"),
        (["no grain"], ["torn"], "breaks the contract"),
    ],
)
def test_a_source_whose_last_fetch_failed_is_a_failure_too(
    monkeypatch, capsys, problems, failures, verdict
):
    monkeypatch.setattr(sources.plugins, "contract_problems", lambda _: problems)
    monkeypatch.setattr(sources.plugins, "last_failures", lambda *_: failures)
    expected = pytest.raises(typer.Exit) if problems or failures else nullcontext()
    with expected:
        sources._validate([source("a")], None, as_json=False)
    told = capsys.readouterr().out.splitlines()
    assert told == [f"a: {verdict}", *(f"  {text}" for text in problems + failures)]
    with pytest.raises(typer.Exit) if problems or failures else nullcontext():
        sources._validate([source("a")], None, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"name": "a", "origin": "of a", "problems": problems + failures}
    ]


@pytest.mark.parametrize(
    ("what", "says_yes"), [(None, True), (None, False), ("latest", True), ("live", False)]
)
def test_a_restore_is_confirmed_by_the_flag_and_told_as_json(
    monkeypatch, capsys, tmp_path, what, says_yes
):
    asked = []

    def restored(_, request, **__):
        asked.append(request)
        return RestoreOutcome("live", 3, None, None, (tmp_path / "mine.sql",))

    monkeypatch.setattr(operations, "restore", restored)
    monkeypatch.setattr(operations, "prepare_restore", lambda *_: None)
    context = SimpleNamespace(obj=tmp_path)
    backup.restore(context, what, yes=says_yes, as_json=True, wait=2.0)
    assert asked == [RestoreRequest(what, is_confirmed=says_yes, wait_s=2.0)]
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "origin": "live",
        "generation": 3,
        "rows": None,
        "aside": None,
        "brought": [str(tmp_path / "mine.sql")],
    }
    assert captured.err.splitlines() == [
        "restored from live; published as generation 3",
        f"{tmp_path / 'mine.sql'} was missing and came back",
    ]
