# SPDX-License-Identifier: Apache-2.0
"""Which arguments are read without Typer, and which go its way."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from ttapi.cli.entry import PlainQuery, plain_query, plain_shell, plain_status, run_log
from ttapi.home import Home


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("status", (None, None, False, False)),
        ("datasets", (None, None, False, False)),
        ("status --json", (None, None, True, False)),
        ("status --all", (None, None, False, True)),
        ("status eod", (None, "eod", False, False)),
        ("status --json eod", (None, "eod", True, False)),
        ("status eod --json", (None, "eod", True, False)),
        ("--home /h status", (Path("/h"), None, False, False)),
        ("--home /h status eod --json", (Path("/h"), "eod", True, False)),
        ("", None),
        ("statuses", None),
        ("status --help", None),
        ("status eod returns", None),
        ("status --watch", None),
        ("--home status", None),
        ("--home /h", None),
        ("sql status", None),
    ],
)
def test_a_plain_status_is_read_by_itself(words, expected):
    assert plain_status(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sql", (None,)),
        ("--home /h sql", (Path("/h"),)),
        ("sql --csv", None),
        ("--home sql", None),
        ("--home /h sql -c x", None),
        ("--other /h sql", None),
        ("", None),
    ],
)
def test_a_plain_shell_is_read_by_itself(words, expected):
    assert plain_shell(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sql", "select 1"], PlainQuery(None, "select 1", (), "auto", None, True)),
        (["sql", "-c", "select 1"], PlainQuery(None, None, ("select 1",), "auto", None, True)),
        (
            ["--home", "/h", "sql", "-c", "a", "--command", "-b", "--format", "json"],
            PlainQuery(Path("/h"), None, ("a", "-b"), "json", None, True),
        ),
        (
            ["sql", "--no-refresh", "-o", "/x.csv", "\n-- all\nfrom eod"],
            PlainQuery(None, "\n-- all\nfrom eod", (), "auto", Path("/x.csv"), False),
        ),
        (["sql"], None),
        (["sql", "--format", "csv"], None),
        (["sql", "-c"], None),
        (["sql", "a", "-c", "b"], None),
        (["sql", "a", "b"], None),
        (["sql", "a", "--format", "csv", "--format", "json"], None),
        (["sql", "a", "-o", "x", "-o", "y"], None),
        (["sql", "a", "--help"], None),
        (["sql", "a", "--format=csv"], None),
        (["sql", "-f", "x.sql"], None),
        (["sql", "a", "--as-of", "2024-01-02"], None),
        (["--home", "sql"], None),
        (["--home"], None),
        (["status"], None),
    ],
)
def test_a_plain_query_is_read_by_itself(words, expected):
    assert plain_query(words) == expected


class FullDisk(io.StringIO):
    """What is written waits, and is refused when it is sent."""

    def flush(self):
        raise OSError(28, "No space left on device")


def test_a_log_on_a_full_disk_fails_no_command_and_says_nothing(tmp_path, capsys):
    before = list(logging.getLogger("ttapi").handlers)
    with run_log(Home(tmp_path), "test"):
        (log,) = [one for one in logging.getLogger("ttapi").handlers if one not in before]
        log.stream.close()
        log.stream = FullDisk()
        logging.getLogger("ttapi").info("one line")
    assert capsys.readouterr() == ("", "")
    assert logging.getLogger("ttapi").handlers == before
