# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql` as users and scripts run it: flags, standard input, exit codes, a dumb terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

SCRIPT = "select 1 as a;\n.print talk\nselect nothing;\nselect 2 as b;\n"


@pytest.mark.parametrize(
    ("flag", "answer"),
    [
        ("--csv", "a,b\n1,\n"),
        ("--json", '[\n{"a": 1, "b": null}\n]\n'),
        ("--jsonlines", '{"a": 1, "b": null}\n'),
        ("--markdown", "| a | b |\n| ---: | ---: |\n| 1 |  |\n"),
        ("--box", "┌───┬──────┐\n│ a │    b │\n├───┼──────┤\n│ 1 │ NULL │\n└───┴──────┘\n"),
        ("--line", "a = 1\nb =\n"),
    ],
)
def test_a_shorthand_is_a_format(loaded, flag, answer):
    done = loaded.ttapi("sql", flag, "-c", "select 1 as a, null::int as b")
    assert (done.returncode, done.stdout) == (0, answer), done.stderr


def test_piped_output_is_csv_and_dressed_as_asked(loaded):
    done = loaded.ttapi(
        "sql", "--no-header", "--separator", ";", "--nullvalue", "-", "select 1, null"
    )
    assert done.stdout == "1;-\n"


def test_a_script_ends_at_its_first_error_or_goes_on_when_told(loaded):
    ended = loaded.ttapi("sql", stdin=SCRIPT)
    assert (ended.returncode, ended.stdout) == (1, "a\n1\ntalk\n")
    assert "LINE 1: select nothing" in ended.stderr
    assert "Traceback" not in ended.stderr
    went_on = loaded.ttapi("sql", "--no-bail", stdin=SCRIPT)
    assert (went_on.returncode, went_on.stdout) == (1, "a\n1\ntalk\nb\n2\n")


def test_an_init_script_is_run_first_and_quit_gives_the_code(loaded, tmp_path):
    init = tmp_path / "init.sql"
    init.write_text(".mode line\n")
    done = loaded.ttapi("sql", "--init", init, stdin="select 1 as a;\n.quit 7\nselect 2;")
    assert (done.returncode, done.stdout) == (7, "a = 1\n")
    assert loaded.ttapi("sql", "--init", "/nowhere", "select 1").returncode == 2


def test_a_cut_answer_is_announced_where_people_read(loaded):
    done = loaded.ttapi(
        "sql", "--format", "table", "--maxrows", "2", "select * from range(60137) as t(n)"
    )
    assert done.stdout == "n\n-\n0\n1\n"
    assert "-- 2 of 60,137 rows shown" in done.stderr
    whole = loaded.ttapi("sql", "--csv", "--maxrows", "2", "select * from range(3) as t(n)")
    assert whole.stdout == "n\n0\n1\n2\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--csv", "--json", "select 1"], "one format, not csv and json"),
        (["--format", "xml", "select 1"], "'xml' is no format"),
        (["--separator", "ab", "select 1"], "is not one character"),
        (["-c", ".foo"], ".foo is no command"),
    ],
)
def test_a_wrong_flag_is_a_usage_error(loaded, arguments, words):
    done = loaded.ttapi("sql", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.fixture
def dumb(loaded):
    """Types a text into `ttapi sql` on a terminal that takes plain lines; all that it showed."""

    def run(text):
        ours, theirs = pty.openpty()
        variables = {k: v for k, v in os.environ.items() if not k.startswith("TTAPI_")}
        variables |= {
            **loaded.environ,
            "TTAPI_HOME": str(loaded.home.root),
            "TTAPI_NOW": loaded.now.isoformat(),
            "TERM": "dumb",
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "ttapi", "sql"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=variables,
        )
        os.close(theirs)
        os.write(ours, text.encode())
        seen = b""
        try:
            while more := os.read(ours, 4096):
                seen += more
        except OSError:  # Linux says so when the other side has left
            pass
        os.close(ours)
        return child.wait(600), seen.decode()

    return run


def test_a_dumb_terminal_gets_plain_lines(dumb):
    code, shown = dumb("select 1\nas a;\n.chart bar a\n.quit 4\n")
    assert code == 4
    assert "\x1b" not in shown
    assert "ttapi> " in shown and "...> " in shown
    assert "│       1 │" in shown


def test_the_homes_own_script_begins_an_interactive_session(dumb, loaded):
    (loaded.home.root / "shellrc").write_text(".mode line\n.nonsense\n")
    code, shown = dumb("select 1 as a;\n\x04")
    assert code == 0
    assert ".nonsense is no command" in shown
    assert "a = 1" in shown


def test_the_usual_format_is_a_setting(loaded):
    (loaded.home.root / "ttapi.toml").write_text('[display]\nformat = "line"\n')
    assert loaded.ttapi("sql", "select 1 as a").stdout == "a = 1\n"
    assert loaded.ttapi("sql", "--csv", "select 1 as a").stdout == "a\n1\n"
    (loaded.home.root / "ttapi.toml").write_text('[display]\nformat = "xml"\n')
    assert loaded.ttapi("sql", "select 1 as a").returncode == 2
