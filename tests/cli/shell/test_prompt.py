# SPDX-License-Identifier: Apache-2.0
"""The line editor, keys pressed by the test: lines until a semicolon, Tab, Ctrl-C, Ctrl-D."""

from __future__ import annotations

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from ttapi.cli.shell.prompt import (
    BackgroundNames,
    ShellCompleter,
    is_entered,
    make_editor,
    run_prompt,
)

TAB, CTRL_C, CTRL_D, CTRL_R, ENTER, ESCAPE = "\t", "\x03", "\x04", "\x12", "\r", "\x1b"


@pytest.fixture
def typed(session, capsys):
    """Types keys into a session until they are used up; its exit code and standard output."""

    def press(keys):
        with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
            keyboard.send_text(keys)
            code = run_prompt(session, keyboard=keyboard, display=DummyOutput())
        return code, capsys.readouterr().out

    return press


def test_a_statement_is_typed_over_many_lines(typed):
    assert typed(f"select 1{ENTER}as a{ENTER};{ENTER}{CTRL_D}") == (0, "a\n-\n1\n")


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(typed):
    assert typed(f"select broken{CTRL_C}select 2 as b;{ENTER}{CTRL_D}") == (0, "b\n-\n2\n")


def test_an_error_is_told_and_the_next_line_is_read(typed):
    assert typed(f"selec 1;{ENTER}.print on{ENTER}.quit 3{ENTER}") == (3, "on\n")


def test_an_empty_line_does_nothing(typed):
    assert typed(f"{ENTER}  {ENTER};{ENTER}{CTRL_D}") == (0, "")


def test_history_is_kept_in_the_home_for_its_owner(typed, session):
    typed(f"select 1 as a;{ENTER}select 'secret';{ENTER}{CTRL_D}")
    file = session.home.root / "shell_history"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [line for line in file.read_text().splitlines() if line.startswith("+")] == [
        "+select 1 as a;"
    ]


def test_ctrl_r_finds_what_was_typed_before(typed):
    typed(f"select 41 as old;{ENTER}select 42 as newer;{ENTER}{CTRL_D}")
    assert typed(f"{CTRL_R}old{ENTER}{ENTER}{CTRL_D}") == (0, "old\n---\n 41\n")


def test_tab_completes_what_only_one_name_begins_with(session):
    words = BackgroundNames(lambda: session.catalog)
    words.renew()
    words.wait()
    found = list(ShellCompleter(words).get_completions(Document("select symb from eod", 11), None))
    assert [one.text for one in found] == ["symbol"]
    assert found[0].start_position == -4
    assert found[0].display_meta_text == "varchar, upper case, dots between share classes"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("select 1", False),
        ("select 1;", True),
        (".tables", True),
        ("\\d", True),
        ("", True),
        ("select ';", False),
        ("-- note", False),
        ("-- note\nselect 1;", True),
        ("exit", True),
        ("select 1; .mode box", True),
        ("select 1; select 2", False),
    ],
)
def test_enter_ends_what_is_complete(text, answer):
    assert is_entered(text) is answer


def test_vi_keys_are_a_setting(session):
    (session.home.root / "ttapi.toml").write_text('[shell]\nediting_mode = "vi"\n')
    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        editor = make_editor(
            session,
            BackgroundNames(lambda: session.catalog),
            keyboard=keyboard,
            display=DummyOutput(),
        )
    assert editor.editing_mode.value == "VI"


def test_vi_keys_move_and_change_as_in_vi(typed, session):
    (session.home.root / "ttapi.toml").write_text('[shell]\nediting_mode = "vi"\n')
    change_the_number = f"{ESCAPE}0wcw2{ESCAPE}"
    assert typed(f"select 1 as n;{change_the_number}{ENTER}{CTRL_D}") == (0, "n\n-\n2\n")
