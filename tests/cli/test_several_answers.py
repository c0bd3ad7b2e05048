# SPDX-License-Identifier: Apache-2.0
"""Several answers where one fits are refused before anything is shown; where all fit, all are shown."""

from __future__ import annotations

import json

import pytest

from ttapi.api import Database
from ttapi.errors import UsageError


@pytest.mark.parametrize("name", ["json", "parquet", "arrow"])
def test_a_format_that_holds_one_answer_refuses_two(lab, name):
    done = lab.ttapi("sql", "--format", name, "select 1 a; select 2 b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"ttapi: 2 statements answer, {name} holds one",
        "       give one statement a call, take --format jsonl, or say .once FILE before each",
    ]


def test_a_file_holds_one_answer(lab):
    target = lab.data / "a.csv"
    done = lab.ttapi("sql", "-o", target, "select 1 a; select 2 b")
    assert (done.returncode, target.exists()) == (2, False)
    assert f"2 statements answer, {target} holds one" in done.stderr


def test_statements_without_rows_do_not_count(lab):
    text = (
        "begin; create temp table t (a int); insert into t values (7); commit; checkpoint;"
        " prepare p as select 1; select a from t;"
    )
    done = lab.ttapi("sql", "--format", "json", text)
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"a": 7}])


def test_rows_that_a_change_returns_are_rows(lab):
    text = "create temp table t (a int); insert into t values (7) returning a + 1 as b"
    assert lab.ttapi("sql", text).stdout == "b\n8\n"


@pytest.mark.parametrize(
    ("name", "shown"), [("jsonl", '{"a": 1}\n{"b": 2}\n'), ("csv", "a\n1\nb\n2\n")]
)
def test_formats_that_hold_several_show_all(lab, name, shown):
    assert lab.ttapi("sql", "--format", name, "select 1 a; select 2 b").stdout == shown


def test_each_answer_may_have_a_file_of_its_own(lab):
    one, two = lab.data / "one.json", lab.data / "two.json"
    text = f".once {one}\nselect 1 a;\n.once {two}\nselect 2 a;\nselect 3 a;\nselect 4 a;\n"
    done = lab.ttapi("sql", "--format", "json", stdin=text)
    assert [json.loads(file.read_text()) for file in (one, two)] == [[{"a": 1}], [{"a": 2}]]
    assert (done.returncode, json.loads(done.stdout)) == (2, [{"a": 3}])


def test_a_program_asks_one_thing_at_a_time(lab):
    with Database(lab.home, environ=lab.environ) as database:
        with pytest.raises(UsageError, match="2 statements answer"):
            database.sql("select 1 a; select 2 b")
        found = database.sql("create temp table t as select 1 a; from t; drop table t")
        assert found.pl().rows() == [(1,)]
        assert str(database.sql("create temp table u (a int)")) == "create: no rows"
        assert "1 row" in str(found)
        assert "pyarrow" not in repr(found)
        assert [len(one) for one in database.answers("select 1; select 2")] == [1, 1]
