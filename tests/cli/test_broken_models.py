# SPDX-License-Identifier: Apache-2.0
"""One wrong model file of the user's or a plugin's: it is told, and everything else works."""

from __future__ import annotations

import json

import pytest

PARSE = "select from where"
ENGINE = "select c.date::date as date, no_such_function(c.date)::integer as x from calendar as c"


@pytest.fixture(scope="module", params=[PARSE, ENGINE], ids=["unreadable", "refused by the engine"])
def once_made(request, make_lab, whole_home, tmp_path_factory):
    """A home with a sound model, a wrong one and a reader of the wrong one."""
    lab = make_lab(tmp_path_factory.mktemp("wrong"), whole_home)
    lab.write_model("views/sound.sql", "select 42::integer as answer")
    lab.write_model("views/wrong.sql", request.param)
    lab.write_model("views/reader.sql", "select w.* from wrong as w")
    return lab


@pytest.fixture
def wrong(once_made, tmp_path):
    return once_made.copied(tmp_path)


@pytest.fixture(scope="module")
def once_refreshed(once_made, tmp_path_factory):
    lab = once_made.copied(tmp_path_factory.mktemp("refreshed"))
    assert lab.ttapi("refresh").returncode == 2
    return lab


@pytest.fixture
def refreshed(once_refreshed, tmp_path):
    """The same after a refresh of everything."""
    return once_refreshed.copied(tmp_path)


def test_the_rest_answers_and_says_once_what_was_left_out(wrong):
    done = wrong.ttapi("sql", "select answer from sound")
    assert (done.returncode, done.stdout) == (0, "answer\n42\n")
    assert "left out: sql/views/wrong.sql:1: " in done.stderr
    again = wrong.ttapi("sql", "select answer from sound")
    assert (again.returncode, again.stdout) == (0, "answer\n42\n")
    assert "left out" not in again.stderr


@pytest.mark.parametrize("name", ["wrong", "main.wrong", "reader"])
def test_who_reads_it_is_told_file_and_line(refreshed, name):
    done = refreshed.ttapi("sql", f"select * from {name}")
    assert done.returncode == 2
    assert f"sql/views/{name.removeprefix('main.')}.sql:1: " in done.stderr
    named = refreshed.ttapi("refresh", name.removeprefix("main."))
    assert named.returncode == 2
    assert "sql/views/" in named.stderr


def test_refresh_does_the_rest_and_leaves_with_2(wrong):
    wrong.write_bars("AAA.csv", ["AAA,D,20240613,000000,1,2,1,2,100,0"])
    done = wrong.ttapi("refresh")
    assert done.returncode == 2
    assert "left out: sql/views/wrong.sql:1: " in done.stderr
    assert wrong.rows("select symbol, close from eod") == [("AAA", 2.0)]
    assert wrong.ttapi("refresh", "eod").returncode == 0


def test_status_and_doctor_name_it(refreshed):
    rows = {r["dataset"]: r for r in json.loads(refreshed.ttapi("status", "--json").stdout)}
    assert rows["wrong"]["verdict"] == rows["reader"]["verdict"] == "failed"
    assert rows["wrong"]["reasons"][0].startswith("left out: sql/views/wrong.sql:1: ")
    assert "sql/views/wrong.sql" in refreshed.ttapi("status", "wrong").stdout
    findings = refreshed.ttapi("doctor").stdout
    assert "model-broken" in findings
    assert str(refreshed.home.sql / "views" / "wrong.sql") in findings


def test_mended_it_is_there_again(refreshed):
    refreshed.write_model("views/wrong.sql", "select 7::integer as answer")
    done = refreshed.ttapi("sql", "select answer from reader")
    assert (done.returncode, done.stdout) == (0, "answer\n7\n")
    assert "left out" not in done.stderr
    assert refreshed.ttapi("refresh").returncode == 0


def test_a_model_that_breaks_leaves_no_relation_of_the_old_text(lab):
    lab.write_model("derived/mine.sql", "-- kind: table\nselect 1::integer as x")
    assert lab.ttapi("sql", "select x from derived.mine").stdout == "x\n1\n"
    lab.write_model("derived/mine.sql", f"-- kind: table\n{PARSE}")
    assert lab.ttapi("sql", "select x from derived.mine").returncode == 2
    lab.write_model("derived/mine.sql", "-- kind: table\nselect 2::integer as x")
    assert lab.ttapi("sql", "select x from derived.mine").stdout == "x\n2\n"


@pytest.mark.parametrize("body", ["select nope from calendar", PARSE])
def test_a_check_that_cannot_run_is_left_out(whole_lab, body):
    whole_lab.write_model("checks/mine.sql", body)
    whole_lab.write_model(
        "checks/sound.sql", "select c.date from calendar as c where c.date is null"
    )
    done = whole_lab.ttapi("refresh")
    assert done.returncode == 2
    assert "left out: sql/checks/mine.sql:1: " in done.stderr
    assert whole_lab.ttapi("sql", "select 1 as x").returncode == 0
    assert whole_lab.rows("select check_name from catalog.checks where check_name = 'sound'") == [
        ("sound",)
    ]


def test_a_header_check_of_an_unknown_column_leaves_its_model_out(whole_lab):
    whole_lab.write_model("views/mine.sql", "-- check: not_null(nope)\nselect 1::integer as x")
    assert (
        "left out: sql/views/mine.sql:1: check not_null(nope): "
        in whole_lab.ttapi("refresh").stderr
    )
    assert whole_lab.ttapi("sql", "select * from mine").returncode == 2


def test_nothing_of_ttapis_own_is_left_out(lab):
    assert lab.environment().graph.broken == lab.environment().broken == {}


def test_a_plugins_wrong_model_stands_beside_the_plugin(lab):
    folder = lab.home.sources / "brings"
    (folder / "views").mkdir(parents=True)
    (folder / "views" / "brought.sql").write_text(PARSE)
    (lab.home.sources / "bringer.py").write_text(
        "from pathlib import Path\n"
        "from ttapi.sources.contract import Column, Resource\n"
        "class Bringer:\n"
        "    name = 'bringer'\n    about = 'Brings a model.'\n    version = '1'\n"
        "    setting_names = ('folder',)\n"
        "    sql_folder = Path(__file__).parent / 'brings'\n"
        "    resources = (Resource('facts', 'bringer_facts', 'Facts.',"
        " (Column('symbol', 'VARCHAR', 'upper case'),), ('symbol',)),)\n"
        "    def missing_setting(self, resource, context): return 'folder'\n"
        "    def survey(self, resource, context): return []\n"
        "    def fetch(self, resource, requests, context): return iter(())\n"
    )
    done = lab.ttapi("sources", "bringer")
    assert done.returncode == 0
    assert "left out: brings/views/brought.sql:1: " in done.stdout
    assert lab.ttapi("sql", "select count(*) > 0 as x from calendar").returncode == 0
    assert lab.ttapi("sql", "select * from brought").returncode == 2


@pytest.mark.parametrize(
    "command",
    [
        ("sql", "from highs"),
        ("lineage", "highs"),
        ("lineage", "derived.highs.top"),
        ("why", "highs", "AAA"),
    ],
)
def test_a_stored_table_left_out_is_told_under_its_bare_name(lab, command):
    lab.write_model(
        "derived/highs.sql", "-- kind: table\nselect e.symbol, e.high as top from eod as e\n"
    )
    done = lab.ttapi(*command)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "ttapi: sql/derived/highs.sql:2: derived.highs (derived) reads eod, a step to the right",
        "       read staged.eod instead; the order is raw -> staged -> derived -> main",
    ]


def test_a_name_of_the_sessions_own_hides_what_was_left_out(lab):
    lab.write_model(
        "derived/highs.sql", "-- kind: table\nselect e.symbol, e.high as top from eod as e\n"
    )
    done = lab.ttapi("sql", "create temp table highs as select 7 as a; from highs")
    assert (done.returncode, done.stdout) == (0, "a\n7\n")
