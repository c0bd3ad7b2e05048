# SPDX-License-Identifier: Apache-2.0
"""What a program writes at any depth: the engine runs it, and a model of it stops no other."""

from __future__ import annotations

import pytest

SUM = " + ".join(["session_no"] * 700)
DEEP = f"select count(*) as n from calendar where ({SUM}) > 0 and market = 'XNYS'"


@pytest.fixture(scope="module")
def home(make_lab, tmp_path_factory):
    """Two deep models, of which one can be taken apart, and a plain one."""
    lab = make_lab(tmp_path_factory.mktemp("deep"))
    brackets = f"{'(' * 150}session_no{')' * 150}"
    for name, expression in {"total": f"({SUM})::bigint", "inmost": f"{brackets}::bigint"}.items():
        lab.write_model(f"views/{name}.sql", f"select {expression} as n -- days\nfrom calendar\n")
    lab.write_model("views/plain.sql", "select 1::integer as one -- one\n")
    return lab


def test_a_query_is_answered_and_so_is_the_next(home):
    done = home.ttapi("sql", "--csv", stdin=f"{DEEP};\nselect one from plain;\n")
    assert (done.returncode, done.stdout.splitlines()[0], done.stdout.splitlines()[2:]) == (
        0,
        "n",
        ["one", "1"],
    )
    assert int(done.stdout.splitlines()[1]) > 10_000
    assert "not resolved: it is nested too deeply to be taken apart" in done.stderr


def test_as_of_then_it_is_refused_in_words(home):
    done = home.ttapi("sql", DEEP, "--as-of", "2024-06-12")
    assert done.returncode == 2
    assert "nested too deeply" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["sql", "select * from plain"], 0),
        (["sql", "select count(*) from total"], 0),
        (["lineage", "total"], 0),
        (["refresh"], 2),
        (["status"], 0),
        (["doctor"], 1),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_model_of_it_stops_no_other(home, words, code):
    done = home.ttapi(*words)
    assert (done.returncode, "Error:" in done.stderr) == (code, False), done.stderr
    if words[0] in {"refresh", "doctor"}:
        text = done.stdout + done.stderr
        assert "sql/views/inmost.sql:1: it is nested too deeply to be taken apart" in text
        assert "total.sql" not in text
