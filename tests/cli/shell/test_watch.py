# SPDX-License-Identifier: Apache-2.0
"""`watch select ...`: the answer, then the rows that differ when what it reads has changed."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from ttapi.sqltext import watched_query

SQL = (
    "select symbol, count(*) as bars, max(high) as highest from eod group by symbol order by symbol"
)


@pytest.fixture
def changing(loaded, tmp_path):
    """The home with files of its own, to which bars are added."""
    return loaded.copied(tmp_path / "changing")


def add_bar(lab, high):
    lab.write_bars("AAA.csv", [*(f"AAA,D,202406{day},000000,10,{high},9,10,1000,0" for day in (11, 12, 13))])  # fmt: skip
    lab.refresh()


@contextmanager
def watching(lab, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "sql", *arguments],
        env=lab.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupted(process):
    """What it still says, interrupted once."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=600)


def test_a_program_reads_the_answer_and_then_what_differs(changing):
    with watching(changing, "-c", f"watch {SQL}; ", "--format", "jsonl") as process:
        first = [process.stdout.readline() for _ in range(2)]
        add_bar(changing, 12)
        then = [process.stdout.readline() for _ in range(2)]
        rest, talk = interrupted(process)
    assert first == [
        '{"difference": "added", "symbol": "AAA", "bars": 3, "highest": 11.0}\n',
        '{"difference": "added", "symbol": "BBB", "bars": 3, "highest": 11.0}\n',
    ]
    assert then == [
        '{"difference": "before", "symbol": "AAA", "bars": 3, "highest": 11.0}\n',
        '{"difference": "after", "symbol": "AAA", "bars": 3, "highest": 12.0}\n',
    ]
    assert (process.returncode, rest) == (0, ""), talk
    assert "-- 0 added, 0 gone, 1 changed" in talk


def test_a_header_stands_once_and_what_follows_ctrl_c_is_done(changing):
    with watching(changing, "-c", f"watch {SQL}; select 7 as n;", "--csv") as process:
        lines = [process.stdout.readline() for _ in range(3)]
        add_bar(changing, 13)
        lines += [process.stdout.readline() for _ in range(2)]
        rest, _ = interrupted(process)
    assert lines == [
        "difference,symbol,bars,highest\n", "added,AAA,3,11.0\n", "added,BBB,3,11.0\n",
        "before,AAA,3,11.0\n", "after,AAA,3,13.0\n",
    ]  # fmt: skip
    assert (process.returncode, rest) == (0, "n\n7\n")


def test_where_one_answer_fits_nothing_is_watched(loaded):
    done = loaded.ttapi("sql", "-c", f"watch {SQL}", "--format", "json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a watch answers again and again, json holds one" in done.stderr


@pytest.mark.parametrize("sql", ["watch select * frm eod", "watch create temp table a as select 1"])
def test_what_cannot_be_watched_is_told(said, sql):
    assert said(sql)[0] == ""
    assert said(sql)[1] != ""
    assert "7" in said("select 7 as n;")[0]


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("watch select 1", "select 1"),
        (" /* a */ WATCH -- b\n from eod;", "-- b\n from eod;"),
        ("watch", None),
        ("select watch from eod", None),
        ("watchlists", None),
    ],
)
def test_a_watch_is_told_by_its_first_word(statement, query):
    assert watched_query(statement) == query
