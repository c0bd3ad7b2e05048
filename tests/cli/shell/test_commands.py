# SPDX-License-Identifier: Apache-2.0
"""Dot-commands: one table, one test of what each does."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest

from ttapi.cli.shell.dot import COMMANDS, find_command, help_lines
from ttapi.cli.shell.session import LeaveShell
from ttapi.errors import UsageError


def test_every_name_is_there_once_and_in_help():
    names = [name for one in COMMANDS for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    shown = "\n".join(help_lines(""))
    assert [name for name in names if name not in shown] == []
    assert all(one.about and not one.about.endswith(".") for one in COMMANDS)


def test_the_commands_people_know_are_there():
    expected = """
        .help .tables .schema .describe .databases .indexes .show .timer .mode .format .maxrows .maxwidth
        .nullvalue .once .output .read .import .export .excel .edit .last .print .prompt .pager .thousand_sep
        .highlight .safe_mode .open .bail .echo .log .version .quit .exit .chart .watch .explain .profile .status
        .refresh .sources .engine .save \\d \\dt \\dv \\df \\x \\timing \\q \\i \\o \\e \\? \\copy
    """
    assert [word for word in expected.split() if find_command(word)[0] not in COMMANDS] == []


def test_help_keeps_to_the_screen():
    whole, narrow = help_lines(""), help_lines("", width=80)
    assert max(map(len, narrow)) <= 80 < max(map(len, whole))
    assert sorted(" ".join(narrow).split()) == sorted(" ".join(whole).split())


def test_an_unknown_command_is_answered_with_what_was_meant(said):
    assert said(".tabels") == ("", ".tabels is no command\ndid you mean .tables?")
    assert said(".nullv -") == ("", "")
    with pytest.raises(UsageError, match=r"\.s is no command"):
        find_command(".s")


def test_tables_views_and_functions_are_listed(said):
    out, _ = said("create temp table mine as select 1 as one;\n.tables")
    assert re.search(r"^eod +view +Daily bars", out, re.MULTILINE)
    assert re.search(r"^mine +temporary", out, re.MULTILINE)
    assert "staged.eod" not in out
    assert "staged.eod " in said(".tables %")[0]
    assert [line.split()[0] for line in said("\\dt eod_%")[0].splitlines()[2:]] == [
        "eod_adjusted",
        "eod_conflicts",
        "eod_gaps",
    ]
    found = said("\\df vol")[0]
    assert re.search(
        r"^volatility_over\(symbol, lookback\) +table macro +Volatility of one symbol",
        found,
        re.MULTILINE,
    )
    assert "volatility_rows" not in found, "it is derived's own"
    assert said(".tables nothing_like_it")[1].startswith("no relation matches 'nothing_like_it'")


def test_describe_says_unit_and_meaning(said):
    out, _ = said("\\d eod")
    assert re.search(r"^close +DOUBLE +USD per share", out, re.MULTILINE)
    head, about, _ = said(".describe expirations")[0].split("\n")
    assert head == "expirations(as_of, root): table macro"
    assert about.startswith("The expirations of one root that are listed on a day")
    assert said(".describe eodd")[1] == "'eodd' is no relation\ndid you mean eod?"


def test_schema_is_the_sql_of_the_models_and_of_the_session(said):
    out, _ = said("create temp view v as select 1 as one;\n.schema v\n.schema eod_adjusted")
    assert "create temp view v as" in out
    assert "create view main.eod_adjusted as" in out


def test_what_answers_look_like_is_set(said):
    query = "select 'AAA' as symbol, 1234567 as n, null as x;"
    assert said(f".mode csv\n{query}")[0] == "symbol,n,x\nAAA,1234567,\n"
    assert said(f".header off\n.separator ;\n.nullvalue NULL\n{query}")[0] == "AAA;1234567;NULL\n"
    assert (
        said(f".header on\n.thousand_sep\n.mode markdown\n{query}")[0].splitlines()[2]
        == "| AAA | 1,234,567 | NULL |"
    )
    assert said(f"\\x\n{query}")[0] == "symbol = AAA\n     n = 1,234,567\n     x = NULL\n"
    assert said(".mode xml")[1].startswith("'xml' is no format")
    assert said(".maxrows many")[1].startswith("'many' is no number")
    assert said(".timer maybe")[1].startswith("'maybe' is neither on nor off")


def test_a_cut_answer_is_announced_and_last_shows_it_whole(said, capsys, session):
    session.run_script(".maxrows 2\nselect * from range(5) as t(n);")
    captured = capsys.readouterr()
    assert captured.out == "n\n-\n0\n1\n"
    assert "-- 2 of 5 rows shown" in captured.err
    assert said(".last")[0].split() == ["n", "-", "0", "1", "2", "3", "4"]


def test_answers_go_to_files(said, tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.csv"
    out, _ = said(f".once {one}\nselect 1 as a;\nselect 2 as b;")
    assert (one.read_text(), out) == ("a\n-\n1\n", "b\n-\n2\n")
    assert said(
        f".mode csv\n.output {two}\nselect 1 as a;\n.print hello\n.output\nselect 2 as b;"
    ) == ("b\n2\n", "")
    assert two.read_text() == "a\n1\nhello\n"
    assert "cannot be written" in said(".output /nowhere/x")[1]
    assert "is no folder" in said(".once /nowhere/x")[1]


def test_status_goes_where_answers_go(said, tmp_path):
    once, ever = tmp_path / "once.txt", tmp_path / "ever.txt"
    assert said(f".once {once}\n.status eod\n.output {ever}\n.status raw.metastock_bars") == (
        "",
        "",
    )
    assert once.read_text().splitlines()[1].split()[:2] == ["eod", "fresh"]
    assert ever.read_text().splitlines()[1].split()[:2] == ["raw.metastock_bars", "fresh"]


def test_export_writes_every_row_in_the_format_the_name_says(said, tmp_path):
    said(".maxrows 1\nselect symbol, close from eod order by all;")
    said(
        f".export {tmp_path}/a.parquet\n.export {tmp_path}/b.json eod\n\\copy (select 1 as x) to {tmp_path}/c.csv"
    )
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 6
    assert len(json.loads((tmp_path / "b.json").read_text())) == 6
    assert (tmp_path / "c.csv").read_text() == "x\n1\n"
    assert said(f".export {tmp_path}/a.xyz")[1].startswith("'a.xyz' says no format")


def test_a_sheet_is_safe_and_its_place_is_said(said, session):
    said("select '=1+1' as a, -1 as b;")
    _, talk = said(".excel")
    file = session.home.exports / "answer-1.csv"
    assert talk.startswith(f"{file}: 1 row")
    assert file.read_text(encoding="utf-8-sig") == "a,b\n'=1+1,-1\n"


def test_a_file_becomes_a_temporary_table(said, tmp_path):
    (tmp_path / "p.csv").write_text("symbol,shares\nAAA,10\n")
    out, talk = said(
        f".import {tmp_path}/p.csv p\nselect e.symbol, p.shares from eod e join p using (symbol) limit 1;"
    )
    assert (talk, out.split()) == (
        "p: 1 row, until the session ends",
        ["symbol", "shares", "------", "------", "AAA", "10"],
    )
    (tmp_path / "P.CSV").write_text("symbol,shares\nAAA,11\nBBB,12\n")
    assert said(f".import {tmp_path}/P.CSV p") == ("", "p: 2 rows, until the session ends")
    assert "already a view" in said(f".import {tmp_path}/p.csv eod")[1]
    assert "is no file" in said(f".import {tmp_path}/none.csv p")[1]
    assert "no kind of file" in said(f".import {tmp_path}/p.doc p")[1]


def test_scripts_are_read_and_go_on_after_an_error_unless_bail(said, tmp_path):
    script = tmp_path / "s.sql"
    script.write_text("select 1 as a;\nselect nothing;\n.print more\n")
    out, talk = said(f".read {script}")
    assert out == "a\n-\n1\nmore\n"
    assert talk.endswith(f"{script}: not everything in it worked")
    assert said(f".bail on\n.read {script}")[0] == "a\n-\n1\n"
    script.write_text(f".read {script}\n")
    assert "reads itself" in said(f".read {script}")[1]
    assert "cannot be read" in said(".read /nowhere/x.sql")[1]


def test_the_last_answer_is_drawn(said):
    out, _ = said("select date, close from eod where symbol = 'AAA';\n.chart\n.chart hist close")
    assert "close by date" in out and "2024-06-11" in out
    assert "close: rows per range" in out
    assert said(".chart pie x y")[1].startswith("'pie' is no chart")
    assert said("select 1 as a;\n.chart smiles AAPL")[1].startswith("'smiles' is no chart")
    assert "close by date" in said("select date, close from eod;\n.chart date close")[0]
    assert "close by date" in said("select date, close from eod;\n.chart line close")[0]


def test_commands_about_the_last_query_say_when_there_is_none(said):
    for command in (
        ".chart",
        ".last",
        ".watch 1",
        ".save x",
        ".explain",
        ".profile",
        ".age",
        ".export x.csv",
    ):
        assert said(command)[1].startswith("there is no answer yet"), command


def test_watch_shows_the_last_query_again_and_then_what_differs(said):
    out, _ = said("select 7 as n;\n.watch 0 3")
    assert out.split() == ["n", "-", "7"] * 2
    usage = "usage: .watch [SECONDS] [TIMES]"
    assert said(".watch soon")[1].splitlines() == ["'soon' is no number", usage]
    assert said(".watch 1 0")[1].splitlines() == ["0 is too many or too few", usage]


def test_freshness_is_told_and_renewed(said):
    said("select count(*) as n from eod;")
    assert said(".age")[1] == "raw.metastock_bars: 0 ms old"
    assert "fresh" in said(".status raw.metastock_bars")[0]
    assert said(".refresh eod")[1].splitlines()[-1].startswith("refreshed: ")
    assert "staged.eod" in said(".explain")[0]
    assert "staged.eod" in said("explain refresh select * from eod;")[0]
    assert "metastock" in said(".sources")[0]
    assert "Total Time" in said(".profile")[0]


def test_engine_version_and_settings_are_told(said):
    assert "read-only" in said(".engine")[0]
    assert said(".version")[0].startswith("ttapi ")
    assert re.search(r"^max rows +1000$", said(".show")[0], re.MULTILINE)
    assert "market.duckdb" in said(".databases")[0]
    assert said(".indexes")[0]


def test_safe_mode_keeps_files_out_and_is_not_taken_back(said, tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n")
    said(".safe_mode")
    assert ".read is not possible in safe mode" in said(f".read {tmp_path}/x.csv")[1]
    assert "copy is not possible in safe mode" in said(f"copy (select 1) to '{tmp_path}/y.csv';")[1]
    for statement in (
        "LOAD json;",
        "install json;",
        "attach 'x' as x;",
        "export database 'x';",
        "import database 'x';",
    ):
        assert said(statement)[1] == f"{statement.split()[0].lower()} is not possible in safe mode"
    assert "disabled by configuration" in said(f"select * from read_csv('{tmp_path}/x.csv');")[1]
    assert "enable external access" in said("set enable_external_access = true;")[1]
    assert said("select count(*) as n from eod;")[0] == "n\n-\n6\n"


def test_the_editor_is_given_the_last_query_and_what_it_leaves_is_run(said, tmp_path, monkeypatch):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i.bak 's/1/2/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    said("select 1 as n;")
    assert said(".edit")[0] == "n\n-\n2\n"
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    assert "does not start" in said("\\e")[1]


def test_statements_are_noted_without_secrets(said, tmp_path):
    log = tmp_path / "log.sql"
    said(f".log {log}\nselect 1;\nselect 'password=x';\n.log off\nselect 2;")
    assert log.read_text() == "select 1;\n.log off\n"


def test_another_home_is_opened_and_temporary_tables_are_gone(said, session, tmp_path):
    said("create temp table t as select 1 as a; from t;")
    assert "temporary tables of the other home are gone" in said(f".open {session.home.root}")[1]
    assert said(".last")[1].startswith("there is no answer yet")
    assert "does not exist" in said("select * from t;")[1]
    assert "holds no ttapi database" in said(f".open {tmp_path}")[1]


def test_quit_leaves_with_its_code(session):
    with pytest.raises(LeaveShell) as left:
        session.run_script(".quit 3")
    assert left.value.code == 3
