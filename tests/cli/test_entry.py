# SPDX-License-Identifier: Apache-2.0
"""Which arguments are read without Typer, and which go its way."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from ttapi.cli.entry import run_log
from ttapi.cli.plain import (
    PlainQuery,
    PlainRefresh,
    plain_query,
    plain_refresh,
    plain_status,
    plain_word,
)
from ttapi.home import Home
from ttapi.secret import Secret


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
def test_a_command_alone_is_read_by_itself(words, expected):
    assert plain_word(words.split(), "sql") == expected
    assert plain_word(words.replace("sql", "init").split(), "init") == expected


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["refresh"], PlainRefresh(None)),
        (["refresh", "eod", "--json", "a"], PlainRefresh(None, ("eod", "a"), is_json=True)),
        (["--home", "/h", "refresh", "--yes"], PlainRefresh(Path("/h"), is_agreed=True)),
        (["refresh", ""], None),
        (["refresh", "eod", "--force"], None),
        (["refresh", "--plan"], None),
        (["refresh", "--wait", "1"], None),
        (["refresh", "--help"], None),
        (["--home"], None),
        (["status"], None),
        ([], None),
    ],
)
def test_a_plain_refresh_is_read_by_itself(words, expected):
    assert plain_refresh(words) == expected


def test_a_line_of_the_log_tells_what_was_raised_without_its_secret(tmp_path):
    home, secret = Home(tmp_path), Secret("hunter22-of-the-log")
    with run_log(home, "test") as run_id:
        told = (ValueError, ValueError(secret.reveal()), None)
        logging.getLogger("ttapi.x").error("broke", exc_info=told, extra={"unit": "a.csv"})
    lines = [json.loads(line) for line in (home.logs / "ttapi.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "broke", "finished"]
    broke = lines[1]
    assert {name: broke[name] for name in ("run_id", "command", "level", "logger", "unit")} == {
        "run_id": run_id,
        "command": "test",
        "level": "error",
        "logger": "ttapi.x",
        "unit": "a.csv",
    }
    assert "ValueError" in broke["exception"]
    assert secret.reveal() not in broke["exception"]


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
