# SPDX-License-Identifier: Apache-2.0
"""A reader who leaves, as `head` does, is nothing wrong: whatever was to be written, a command leaves with 0."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import date

import pytest

pytestmark = pytest.mark.compat

MANY = "select range as n, 'a text of some length' as t from range(50000)"
COMMANDS = {
    "help": ("--help",),
    "version": ("--version",),
    "status": ("status",),
    "status as JSON": ("status", "--json"),
    "plan": ("refresh", "--plan"),
    "refresh": ("refresh", "--json"),
    "sources": ("sources",),
    "lineage": ("lineage", "eod.close"),
    "why": ("why", "eod", "symbol=AAA", "date=2024-06-10"),
    "grid": ("grid", "--no-refresh"),
    "doctor": ("doctor",),
    "verify": ("verify",),
    "backups": ("backup", "--list"),
    "few rows": ("sql", "-c", "select 1 as a"),
    "many rows": ("sql", "--no-refresh", "--csv", "-c", MANY),
    "many rows for people": ("sql", "--no-refresh", "--box", "--maxrows", "0", "-c", MANY),
    "a script": ("sql", "-c", "select 1 as a; explain refresh select * from eod; .tables"),
    "a chart": ("sql", "--no-refresh", "-c", "select date, close from eod; .chart line"),
}


@pytest.fixture(scope="module")
def market(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("closed"))
    lab.write_bars("AAA.csv", [(date(2024, 6, day), 10, 12, 9, 10) for day in (10, 11)])
    lab.refresh()
    return lab


@contextmanager
def closed_pipe():
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def code_and_talk(lab, *words):
    with closed_pipe() as writing:
        done = lab.ttapi_into(writing, *words)
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_reader_has_left_leaves_with_0(market, name):
    code, talk = code_and_talk(market, *COMMANDS[name])
    assert (code, "Broken" in talk, "Traceback" in talk) == (0, False, False), talk


def test_a_command_that_failed_says_so_to_whoever_reads_its_messages(market):
    code, talk = code_and_talk(market, "sql", "-c", "select 1 as a; select * from no_such_table")
    assert (code, "no_such_table" in talk) == (0, False)
    code, talk = code_and_talk(market, "status", "no_such_dataset")
    assert (code, talk.splitlines()[0]) == (2, "ttapi: 'no_such_dataset' is no dataset")


def test_a_reader_may_leave_after_the_first_line(market):
    with subprocess.Popen(
        [sys.executable, "-m", "ttapi", "sql", "--no-refresh", "--csv", MANY],
        env=market.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as command:  # fmt: skip
        first = command.stdout.readline()
        command.stdout.close()
        talk = command.stderr.read()
    assert (first, command.returncode, b"Broken" in talk) == (b"n,t\n", 0, False), talk


def test_talk_that_nobody_hears_leaves_the_exit_code(market):
    with closed_pipe() as writing:
        done = subprocess.run(
            [sys.executable, "-m", "ttapi", "status", "no_such_dataset"],
            env=market.variables, stdout=writing, stderr=writing, check=False,
        )  # fmt: skip
    assert done.returncode == 2
