# SPDX-License-Identifier: Apache-2.0
"""Pieces of the shell by themselves: names, scripts, hints, settings, totals."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ttapi.cli import report
from ttapi.cli.shell import start
from ttapi.cli.shell.dot import freshness, output, queries
from ttapi.cli.shell.names import _functions, _relations
from ttapi.cli.shell.options import DisplayOptions
from ttapi.cli.shell.session import Session, SessionOptions, _with_save_hint
from ttapi.errors import QueryError, UsageError


def test_of_a_function_the_longest_signature_is_kept_whatever_comes_first():
    def rows(*parameters):
        return [("Quantile", "aggregate", list(given), True, None, None) for given in parameters]

    for given in ((["x"], ["x", "pos"]), (["x", "pos"], ["x"])):
        assert _functions(rows(*given))["quantile"].signature == "Quantile(x, pos)"
    more = [("printf", "scalar", ["format", "a.b"], False, "ANY", "About.")]
    (printf,) = _functions(more).values()
    assert (printf.signature, printf.is_own, printf.about) == (
        "printf(format, x, ...)",
        True,
        "About.",
    )


def test_relations_of_main_come_before_those_of_other_schemas():
    found = _relations(
        [
            ("catalog", "loads", "table", None),
            ("raw", "bars", "table", "Bars."),
            ("main", "zeta", "view", None),
            ("main", "eod", "view", None),
        ],
        [("main", "eod", "close", "DOUBLE", "USD"), ("raw", "bars", "line", "INTEGER", None)],
    )
    assert list(found) == ["eod", "zeta", "catalog.loads", "raw.bars"]
    assert [(c.name, c.about) for c in found["eod"].columns] == [("close", "USD")]
    assert [(c.name, c.about) for c in found["raw.bars"].columns] == [("line", "")]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("create view tops as select 1 as a", ("tops view", "view")),
        ('create or replace table "Tops" as from eod', ("tops table ttl=1d", "table")),
        ("create view if not exists tops as select 1", ("tops view", "view")),
    ],
)
def test_what_would_outlive_the_session_is_answered_with_save(sql, words):
    save, kind = words
    assert _with_save_hint(QueryError("no", hint="x"), sql).hint == (
        f"run its SELECT, then .save {save}; create temp {kind} lasts for the session"
    )


def test_other_errors_keep_their_hint():
    for error, sql in (
        (QueryError("no"), "create view tops as select 1"),
        (QueryError("no", hint="x"), "create schema tops"),
        (QueryError("no", hint="x"), "create view"),
    ):
        assert _with_save_hint(error, sql) is error


def test_eight_scripts_may_stand_in_each_other(tmp_path):
    file, run = tmp_path / "s.sql", []
    file.write_text("select 1;")
    session = SimpleNamespace(depth=7, run_script=run.append)
    start.read_script(session, file)
    assert (run, session.depth) == (["select 1;"], 7)
    session.depth = 8
    with pytest.raises(UsageError, match="is the ninth script inside another"):
        start.read_script(session, file)


@pytest.mark.parametrize(
    ("text", "given", "is_alone"),
    [
        ("select 1;", {}, True),
        ("select 1; select 2;", {}, False),
        (".tables", {}, False),
        ("select 1;", {"fmt": "parquet"}, False),
        ("select 1;", {"init": Path("init.sql")}, False),
    ],
)
def test_only_one_statement_with_an_answer_as_text_ends_the_process(
    monkeypatch, tmp_path, text, given, is_alone
):
    class Fake:
        depth = 0

        def __init__(self, home, options, manners):
            made.append(manners)

        def run_script(self, _):
            """Nothing."""

        def close(self):
            """Nothing."""

    made = []
    monkeypatch.setattr(start, "Session", Fake)
    monkeypatch.setattr(start, "script_text", str)
    asked = start.Start(home=tmp_path, init=given.get("init"))
    assert start.run_text(asked, DisplayOptions(format=given.get("fmt", "csv")), text) == 0
    assert [one.ends_after_one for one in made] == [is_alone]


def test_what_holds_one_answer_is_full_after_it_though_another_went_elsewhere(monkeypatch):
    session = Session.__new__(Session)
    session.options, session.manners = DisplayOptions(format="json"), SessionOptions()
    session._holds_answer, shown = False, []
    monkeypatch.setattr(session, "show", shown.append, raising=False)
    session._show_alone("first")
    session.options.once = Path("x.json")
    session._show_alone("second")
    session.options.once = None
    with pytest.raises(UsageError, match="another statement answers, json holds one"):
        session._show_alone("third")
    assert shown == ["first", "second"]


@pytest.mark.parametrize(("word", "mark"), [("", ","), ("' '", " "), ("off", ""), ("..", ".")])
def test_a_mark_between_thousands_is_one_character_or_none(word, mark):
    options = DisplayOptions(thousands="x")
    output._thousands(SimpleNamespace(options=options), word)
    assert options.thousands == mark


def test_a_log_goes_on_where_it_ended_and_an_output_begins_anew(tmp_path):
    session = SimpleNamespace(options=DisplayOptions())
    log, answers = tmp_path / "log.sql", tmp_path / "a.csv"
    for file in (log, answers):
        file.write_text("before\n")
    output._log(session, str(log))
    output._output(session, str(answers))
    assert (log.read_text(), answers.read_text()) == ("before\n", "")
    assert (session.options.log, session.options.output) == (log, answers)
    output._log(session, "off")
    output._output(session, "-")
    assert (session.options.log, session.options.output) == (None, None)


def slice_of(dataset, action, calls=0, seconds=None):
    return {"dataset": dataset, "action": action, "calls": calls, "seconds": seconds}


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        ([], "-- nothing to refresh"),
        ([slice_of("a", "none", 3)], "-- nothing to refresh"),
        ([slice_of("a", "rebuild")], "-- total: 0 source calls, no run to go by"),
        (
            [slice_of("a", "ask", 1, 1.5), slice_of("b", "rebuild", 0, 2.0)],
            "-- total: 1 source call, about 3.5 s by the last runs",
        ),
        (
            [slice_of("a", "ask", 1, 1.5), slice_of("b", "ask", 1), slice_of("b", "ask", 1)],
            "-- total: 3 source calls, about 1.5 s by the last runs, and 1 never done",
        ),
    ],
)
def test_a_plan_is_summed_up(slices, told):
    assert freshness._total(slices) == told


@pytest.mark.parametrize(
    ("rest", "asked"), [("", (None, False)), ("--all", (None, True)), ("eod", ("eod", False))]
)
def test_status_is_of_one_dataset_of_all_or_a_summary(monkeypatch, rest, asked):
    given, shown = [], []

    def lines(environment, dataset, *, is_whole):
        given.append((environment, dataset, is_whole))
        return ["line"]

    monkeypatch.setattr(report, "status_lines", lines)
    monkeypatch.setattr(freshness, "show_lines", lambda _, found: shown.append(found))
    database = SimpleNamespace(load_environment=lambda: "env")
    freshness._status(SimpleNamespace(database=database), rest)
    assert (given, shown) == ([("env", *asked)], [["line"]])


def test_an_editor_that_fails_or_changes_nothing_runs_nothing(monkeypatch, capsys):
    run = []
    session = SimpleNamespace(last_sql="select 1", run_script=run.append)
    monkeypatch.setenv("VISUAL", "false")
    with pytest.raises(UsageError, match="the editor 'false' ended with 1; nothing was run"):
        queries._edit(session, "")
    monkeypatch.setenv("VISUAL", "true")
    queries._edit(session, "")
    assert capsys.readouterr().err == "nothing was changed, nothing was run\n"
    assert run == []
