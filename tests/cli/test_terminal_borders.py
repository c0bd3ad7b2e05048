# SPDX-License-Identifier: Apache-2.0
"""Small promises of the command line: carets, findings, backups, names of files, the pager."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from ttapi.audit import Diagnosis, Finding
from ttapi.audit.replay import _difference
from ttapi.cli import doctor, export, proof, terminal
from ttapi.cli import doctor as backup
from ttapi.cli.shell import options
from ttapi.cli.shell.dot import files, find_command
from ttapi.cli.shell.dot.inspect import _is_like
from ttapi.cli.shell.options import DisplayOptions
from ttapi.cli.terminal import caret_lines
from ttapi.errors import UsageError


@pytest.mark.parametrize(
    ("sql", "name", "lines"),
    [
        ("select clse\nfrom eod", "clse", ["LINE 1: select clse", "               ^"]),
        ("select 'eodd'\nfrom EODD;\nselect 2", "eodd", ["LINE 2: from EODD;", "             ^"]),
        ('select 1\nfrom "Eodd"', "main.eodd", ['LINE 2: from "Eodd"', "             ^"]),
        ("select eodd_1", "eodd", []),
    ],
)
def test_a_caret_stands_under_the_first_word_of_that_name(sql, name, lines):
    assert caret_lines(sql, name) == lines


@pytest.mark.parametrize(
    ("codes", "last"),
    [
        ((), "nothing is wrong"),
        (("backup-missing",), "nothing is wrong"),
        (("folder-open",), "everything works; mind the warnings"),
        (("live-missing", "folder-open"), "    -> chmod"),
    ],
)
def test_findings_are_followed_by_what_they_mean_together(capsys, codes, last):
    found = Diagnosis({"ttapi": "1"}, tuple(Finding(code, "seen", "chmod") for code in codes))
    doctor._show(found, "/h")
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("/h (ttapi 1)", last)
    assert lines.count("    seen") == len(codes)


@pytest.mark.parametrize(
    ("relation", "name", "select"),
    [
        ("eod", None, ("select * from eod", "eod")),
        ("raw.bars", None, ("select * from raw.bars", "raw.bars")),
        ("raw.bars", "mine", ("select * from raw.bars", "mine")),
        ("select 1 as a", None, ("select 1 as a", "query")),
        ("select 1 as a", "mine", ("select 1 as a", "mine")),
    ],
)
def test_a_file_is_called_like_its_relation_unless_it_is_named(relation, name, select):
    assert export._select(relation, name) == select


@pytest.mark.parametrize(
    ("name", "pattern", "is_found"),
    [
        ("eod_adjusted", "EOD", True),
        ("Eod_Adjusted", "adj", True),
        ("eod", "main.eod", True),
        ("eod", "eo?", True),
        ("eods", "eo?", False),
        ("eod_adjusted", "eod%", True),
        ("staged.eod", "eod*", False),
        ("staged.eod", "%", True),
    ],
)
def test_a_pattern_is_searched_for_or_stands_for_the_whole_name(name, pattern, is_found):
    assert _is_like(name, pattern) is is_found


@pytest.mark.parametrize(
    ("rest", "target", "sql"),
    [
        ("eod to x.csv", "x.csv", "eod"),
        ("raw.bars TO 'my x.csv'", "my x.csv", "raw.bars"),
        ("(select ')' as a) to x.csv with csv", "x.csv", "select ')' as a"),
    ],
)
def test_copy_takes_a_relation_or_a_query_and_a_file(monkeypatch, rest, target, sql):
    written = []
    monkeypatch.setattr(files, "write_answer", lambda _, *given: written.append(given))
    files._copy(None, rest)
    assert written == [(Path(target), sql)]


def test_a_sheet_without_a_name_is_the_next_that_is_free(tmp_path):
    session = SimpleNamespace(home=SimpleNamespace(exports=tmp_path))
    assert files._free_name(session) == tmp_path / "answer-1.csv"
    (tmp_path / "answer-1.csv").touch()
    assert files._free_name(session) == tmp_path / "answer-2.csv"


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        (".TABLES eod;", ".tables", "eod"),
        (".tab", ".tables", ""),
        (".separator ;", ".separator", ";"),
        ("\\x on;;", ".expanded", "on"),
        ("quit", ".quit", ""),
        (".h", ".help", ""),
        (".s", None, ""),
        ("\\X", None, ""),
        (".", None, ""),
    ],
)
def test_a_command_is_found_by_its_name_or_a_beginning_of_it_alone(line, name, rest):
    with pytest.raises(UsageError, match="is no command") if name is None else nullcontext():
        command, follows = find_command(line)
        assert (command.name, follows) == (name, rest)


@pytest.mark.parametrize(("lines", "is_paged"), [(23, False), (24, True)])
def test_what_does_not_fit_on_the_screen_goes_through_the_pager(
    monkeypatch, capsys, lines, is_paged
):
    paged = []
    monkeypatch.setattr(options.shutil, "get_terminal_size", lambda: SimpleNamespace(lines=24))
    monkeypatch.setattr(options, "is_dumb", lambda: False)
    monkeypatch.setattr(options.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(options, "_paged", lambda command, _: not paged.append(command))
    monkeypatch.setenv("PAGER", "less -R 'x y'")
    text = "a\n" * lines
    options.show_text(text, has_pager=True)
    assert paged == ([["less", "-R", "x y"]] if is_paged else [])
    assert capsys.readouterr().out == ("" if is_paged else text)
    options.show_text(text, has_pager=False)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("given", [None, "K"])
def test_a_pager_is_told_how_to_behave_by_its_user_first(monkeypatch, given):
    started = []

    def popen(command, **more):
        started.append((command, more["env"]["LESS"]))
        return SimpleNamespace(communicate=started.append)

    monkeypatch.setattr(options.subprocess, "Popen", popen)
    monkeypatch.delenv("LESS", raising=False)
    if given is not None:
        monkeypatch.setenv("LESS", given)
    assert options._paged(["less"], "text") is True
    assert started == [(["less"], given or "FRSX"), "text"]


def test_the_next_answer_goes_where_once_says_before_where_output_says():
    chosen = DisplayOptions(output=Path("ever.csv"), once=Path("once.json"))
    assert (chosen.target, chosen.next_format) == (Path("once.json"), "json")
    chosen.once = None
    assert (chosen.target, chosen.next_format) == (Path("ever.csv"), "csv")


def test_backups_are_listed_where_they_were_looked_for(monkeypatch, capsys, tmp_path):
    context = SimpleNamespace(obj=tmp_path)
    other = tmp_path / "disk"
    (other / "20240614T220000Z-000002").mkdir(parents=True)
    for place in (None, other):
        backup.backup(context, place, keep=None, is_list=True, as_json=False, wait=0.0)
    captured = capsys.readouterr()
    assert captured.err == f"{tmp_path / 'backups'} holds no backup: ttapi backup makes one\n"
    (line,) = captured.out.splitlines()
    assert line.startswith(f"{other / '20240614T220000Z-000002'}  unusable: ")
    with pytest.raises(UsageError, match="--list changes nothing"):
        backup.backup(context, None, keep=1, is_list=True, as_json=False, wait=0.0)


@pytest.mark.parametrize(
    ("rows", "unlike", "told"),
    [
        (2, (), "the answer differs: 2 rows as then, other values"),
        (1, (), "the answer differs: 1 row, and 2 then"),
        (3, ("a", "b"), "the answer differs: 3 rows, and 2 then; a, b did not come out as stored then"),
    ],
)  # fmt: skip
def test_a_replay_that_differs_says_by_how_many_rows(rows, unlike, told):
    assert _difference(SimpleNamespace(rows=2), rows, unlike) == told


def test_symbols_of_a_look_ahead_are_read_as_they_are_written_everywhere(monkeypatch, capsys):
    class Fake:
        def __init__(self, home):
            asked.append(home)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            """Nothing."""

        def look_ahead(self, *given, **more):
            asked.append((given, more))
            return found

    asked = []
    found = proof_outcome()
    monkeypatch.setattr("ttapi.api.Database", Fake, raising=False)
    monkeypatch.setattr(terminal, "open_environment", lambda home: SimpleNamespace(home=home))
    monkeypatch.setattr(terminal, "require_home", lambda _: None)
    proof.lookahead(SimpleNamespace(obj="h"), "eod", "2024-06-13", " aaa, brk.b,,", None, as_json=True)  # fmt: skip
    assert asked == [
        "h",
        (("eod", "2024-06-13"), {"symbols": ["AAA", "BRK.B"], "dated_by": None}),
    ]
    assert json.loads(capsys.readouterr().out)["early"] == 0


def proof_outcome():
    from ttapi.api import LookAhead

    return LookAhead("eod", "2024-06-13", "date", 2, 0, (), ())
