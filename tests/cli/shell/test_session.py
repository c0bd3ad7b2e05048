# SPDX-License-Identifier: Apache-2.0
"""Statements in a session: refreshed, shown, refused with the place and what was meant."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading

import pytest

from ttapi.cli.terminal import interrupting
from ttapi.errors import InterruptedQueryError


def test_an_unknown_relation_or_column_gets_a_caret_and_what_was_meant(said):
    assert said("select *\nfrom eodd;")[1].splitlines() == [
        "Catalog Error: Table with name eodd does not exist!",
        "LINE 2: from eodd;",
        "             ^",
        "did you mean eod?",
    ]
    assert said("select symbl from eod;")[1].splitlines() == [
        'Binder Error: Referenced column "symbl" not found in FROM clause!',
        "LINE 1: select symbl from eod;",
        "               ^",
        "did you mean symbol?",
    ]
    assert "^" in said("selec 1;")[1]


@pytest.mark.parametrize("sql", ["explain refresh;", "explain refresh -- later\n;"])
def test_explain_refresh_without_a_query_says_what_is_missing(said, sql):
    assert said(sql)[1].splitlines() == [
        "explain refresh is given no query",
        "explain refresh select * from volatility_latest where symbol = 'SPY'",
    ]


def test_the_engines_own_functions_are_not_offered(session):
    assert not [name for name in session.catalog.functions if name.startswith("_")]


def test_an_error_ends_what_was_typed_and_the_session_goes_on(said):
    assert said("select nothing; select 1 as a;")[0] == ""
    assert said("select 1 as a;")[0] == "a\n-\n1\n"


def test_what_would_outlive_the_session_is_answered_with_save(said):
    for kind, ending in (("view", ".save calm view"), ("table", ".save calm table ttl=1d")):
        talk = said(f"create or replace {kind} calm as select 1;")[1]
        assert "read-only" in talk
        assert f"run its SELECT, then {ending}" in talk


@pytest.mark.parametrize("sql", ["drop view eod;", "update eod set close = 1;", "delete from eod;"])
def test_what_is_published_is_not_changed_and_a_copy_may_be(said, sql):
    assert said(sql)[1].splitlines() == [
        "eod cannot be written: the published file is read-only",
        "create temp table mine as from eod makes a copy to change, for this session",
    ]
    said("create temp table mine as from eod; delete from mine;")
    assert said("select count(*) as n from mine;")[0] == "n\n-\n0\n"


def test_temporary_tables_and_views_last_for_the_session(said, loaded):
    assert (
        said(
            "create temp table t as select 5 as n; create temp view v as select n + 1 as m from t; select * from v;"
        )[0]
        == "m\n-\n6\n"
    )
    loaded.write_bars("CCC.csv", ["CCC,D,20240613,000000,10,11,9,10.2,1000,0"])
    said(".refresh")
    assert said("select count(*) as n, (select m from v) as m from eod;")[0].split() == [
        "n",
        "m",
        "-",
        "-",
        "7",
        "6",
    ]
    (loaded.metastock / "CCC.csv").unlink()


def test_an_idle_session_holds_no_lock(said, loaded):
    said("select count(*) from eod;")
    assert loaded.refresh().exit_code == 0


class Pressing(io.StringIO):
    """Standard error that presses Ctrl-C a moment after the inputs of a statement are told."""

    def write(self, text):
        if text.startswith("-- 0 calls"):
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        return super().write(text)


def test_an_interrupt_reaches_the_engine_and_the_session_goes_on(session, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", Pressing())
        text = "select count(*) from range(1_000_000_000_000) a; select 1 as never;"
        error = session.run_script(text)
        talk = sys.stderr.getvalue()
    assert isinstance(error, InterruptedQueryError)
    assert talk.splitlines()[-1] == "interrupted"
    session.run_script("select 1 as a;")
    assert capsys.readouterr().out == "a\n-\n1\n"


def test_an_interrupt_is_heard_while_the_main_thread_is_busy():
    heard = threading.Event()
    with pytest.raises(KeyboardInterrupt), interrupting(heard.set):
        os.kill(os.getpid(), signal.SIGINT)
        heard.wait(600)
    assert heard.is_set()
