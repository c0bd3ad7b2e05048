# SPDX-License-Identifier: Apache-2.0
"""Standard streams that a caller closed or filled, and bytes that are no text: one message, and the answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(lab, command, **variables):
    """A shell's command line, `ttapi` standing for the program."""
    program = f"{sys.executable} -m ttapi"
    return subprocess.run(
        ["/bin/sh", "-c", command.replace("ttapi", program)],
        env=lab.variables | variables, capture_output=True, timeout=600, check=False, cwd=lab.data,
    )  # fmt: skip


def test_an_answer_is_printed_whatever_input_and_talk_are(lab):
    for closed in ("0<&-", "2>&-", "0<&- 2>&-"):
        done = run(lab, f"ttapi sql 'select 1 as a' {closed}")
        assert (done.returncode, done.stdout) == (0, b"a\n1\n"), closed


def test_a_closed_output_is_told_and_takes_no_file_of_the_home(lab):
    done = run(lab, "ttapi sql 'select 1 as a' >&-")
    assert done.returncode == 1
    assert done.stderr.endswith(
        b"ttapi: standard output cannot be written: it is closed\n       -o FILE writes an answer to a file\n"
    )
    # A command that says nothing there misses nothing.
    assert run(lab, "ttapi refresh calendar >&- 2>&- 0<&-").returncode == 0
    assert run(lab, "ttapi sql 'select 1 as a' -o out.csv >&-").returncode == 0
    assert (lab.data / "out.csv").read_text() == "a\n1\n"
    assert lab.rows("select count(*) > 0 from calendar") == [(True,)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_output_is_told(lab):
    done = run(lab, "ttapi sql 'select 1 as a' > /dev/full")
    assert done.returncode == 1
    assert b"ttapi: standard output cannot be written: No space left on device\n" in done.stderr
    assert b"Traceback" not in done.stderr


LATIN = b"select 'caf\xe9' as x"


def test_bytes_that_are_no_text_are_named_alike_wherever_they_come_from(lab, tmp_path):
    file = tmp_path / "q.sql"
    file.write_bytes(LATIN)
    given = {
        "the SQL": ["sql", LATIN.decode(errors="surrogateescape")],
        str(file): ["sql", "-f", str(file)],
        "standard input": ["sql"],
    }
    for name, words in given.items():
        done = subprocess.run(
            [sys.executable, "-m", "ttapi", *words], input=LATIN, env=lab.variables, capture_output=True, check=False
        )  # fmt: skip
        assert done.returncode == 2, name
        assert done.stderr.decode() == f"ttapi: {name} cannot be read: byte 12 is no UTF-8\n"
    again = subprocess.run(
        [sys.executable, "-m", "ttapi", "why", "eod", b"\xe9"], env=lab.variables, capture_output=True, check=False
    )  # fmt: skip
    assert (again.returncode, again.stderr) == (2, b"ttapi: argument 3 is no UTF-8: \\xe9\n")


def test_a_byte_order_mark_is_no_part_of_a_text(lab, tmp_path):
    mark = "\ufeff"
    file = tmp_path / "q.sql"
    file.write_text(f"{mark}select 1 as a", encoding="utf-8")
    assert lab.ttapi("sql", "-f", file).stdout == "a\n1\n"
    assert lab.ttapi("sql", "-c", f"{mark}select 1 as a").stdout == "a\n1\n"
    assert lab.ttapi("sql", stdin=f"{mark}select 1 as a").stdout == "a\n1\n"
    lab.write_model("views/marked.sql", f"{mark}select 5::integer as n")
    lab.home.settings_file.write_text(f"{mark}[display]\ntimezone = 'UTC'\n", encoding="utf-8")
    assert lab.ttapi("sql", "select n from marked").stdout == "n\n5\n"
    file.write_bytes("select 1".encode("utf-16"))
    done = lab.ttapi("sql", "-f", file)
    assert (done.returncode, done.stderr) == (2, f"ttapi: {file} cannot be read: it is UTF-16\n       save it as UTF-8\n")  # fmt: skip


def test_a_model_and_settings_that_are_no_text_are_named(lab):
    lab.write_model("views/wrong.sql", "").write_bytes(b"select '\xe9' as x")
    done = lab.ttapi("sql", "from wrong")
    assert done.returncode == 2
    assert "sql/views/wrong.sql:1: it cannot be read: byte 9 is no UTF-8" in done.stderr
    lab.home.settings_file.write_bytes(b"# caf\xe9\n")
    done = lab.ttapi("sql", "select 1")
    assert (done.returncode, done.stderr) == (
        2, f"ttapi: {lab.home.settings_file} cannot be read: byte 6 is no UTF-8\n"
    )  # fmt: skip


def test_several_commands_run_in_their_order(lab):
    done = lab.ttapi(
        "sql",
        "-c",
        ".mode json",
        "-c",
        "create temp table t as select 1 as a -- one",
        "-c",
        "from t",
    )
    assert (done.returncode, done.stdout) == (0, '[\n{"a": 1}\n]\n')
    failed = lab.ttapi(
        "sql", "-c", "select 1 as a", "-c", "select * from nowhere", "-c", "select 2"
    )
    assert (failed.returncode, failed.stdout) == (1, "a\n1\n")


@pytest.mark.parametrize(
    "text", ["-- a note\nselect 1 as a", "--note\nselect 1 as a", "/* a note */ select 1 as a"]
)
def test_sql_that_begins_with_a_comment_is_sql(lab, text):
    assert lab.ttapi("sql", text).stdout == "a\n1\n"
    assert lab.ttapi("sql", "--csv", "-c", text).stdout == "a\n1\n"


@pytest.mark.parametrize(("name", "what"), [("what?", "a ?"), ("a\\b", "a backslash")])
def test_a_home_that_the_engine_could_not_open_is_refused_by_name(lab, tmp_path, name, what):
    home = tmp_path / name
    for words in (["init"], ["sql", "select 1"], ["status"]):
        done = lab.ttapi("--home", home, *words)
        assert done.returncode == 2
        assert done.stderr.startswith(
            f"ttapi: {home}: the engine opens no file in a folder with {what} in its name\n"
        )
    assert not home.exists()
