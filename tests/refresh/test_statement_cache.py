# SPDX-License-Identifier: Apache-2.0
"""What looking through a statement told is kept for the next process, as long as it stays true."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.api.database import Database
from ttapi.models.limits import (
    NameScope,
    ParameterValue,
    RelationRead,
    Resolution,
    SameColumn,
    ValueRange,
    ValueSet,
    Write,
)
from ttapi.models.model_cache import StatementCache

SQL = "select symbol, date, close, known_at from eod where symbol = 'AAA' order by date"
NAMES = NameScope({"eod": ("symbol", "close")})
words = st.text("abäö'\"", max_size=3)
atoms = st.one_of(
    st.builds(ValueSet, st.frozensets(words, max_size=3)),
    st.builds(ValueRange, st.none() | words, st.none() | words, st.booleans(), st.booleans()),
    st.builds(SameColumn, words),
    st.builds(ParameterValue, words, st.booleans()),
)
limits = st.dictionaries(words, st.frozensets(atoms, min_size=1, max_size=2), max_size=2)
resolutions = st.builds(
    Resolution,
    st.lists(st.builds(RelationRead, words, limits, limits), max_size=3).map(tuple),
    st.frozensets(st.builds(Write, words, words, st.booleans()), max_size=2),
    st.lists(words, max_size=2).map(tuple),
    st.none() | st.lists(words, max_size=2).map(tuple),
)


def never():
    raise AssertionError("the parser was asked")


@pytest.fixture
def loaded(lab):
    lab.write_bars("AAA.txt", [(date(2024, 6, 13), 1, 2, 1, 2), (date(2024, 6, 14), 2, 3, 2, 3)])
    lab.refresh()
    return lab


def asked(lab, sql=SQL):
    with Database(lab.home, environ=lab.variables) as opened:
        return opened.sql(sql).arrow().to_pylist()


@given(resolutions)
def test_what_is_kept_comes_back_as_it_was(tmp_path_factory, found):
    file = tmp_path_factory.getbasetemp() / "statements.json"
    file.unlink(missing_ok=True)
    assert StatementCache(file, "v").resolution("q", NAMES, lambda: found) == found
    assert StatementCache(file, "v").resolution("q", NAMES, never) == found


def test_what_other_code_kept_or_other_names_meant_is_asked_anew(tmp_path):
    file = tmp_path / "statements.json"
    first, second = Resolution((RelationRead("eod"),)), Resolution(())
    StatementCache(file, "v").resolution("q", NAMES, lambda: first)
    more = NameScope({**NAMES.relations, "returns": None})
    staged = NameScope(NAMES.relations, schema="staged")
    by_row = NameScope(NAMES.relations, row_wise=frozenset(["f"]))
    for names in (more, staged, NameScope(NAMES.relations, macros={"f": "eod"}), by_row):
        assert StatementCache(file, "v").resolution("q", names, lambda: second) == second
    assert StatementCache(file, "w").resolution("q", NAMES, lambda: second) == second
    assert StatementCache(file, "w").columns("q", lambda: frozenset("a")) == {"a"}
    assert StatementCache(file, "w").columns("q", never) == {"a"}


def test_the_last_two_hundred_are_kept_and_none_that_is_long(tmp_path):
    file = tmp_path / "statements.json"
    for number in range(201):
        if number % 30 == 0:
            cache = StatementCache(file, "v")  # another process
        cache.columns(f"q{number}", lambda n=number: frozenset([f"c{n}"]))
    cache.columns("long", lambda: frozenset(["x" * 20_000]))
    later = StatementCache(file, "v")
    assert later.columns("q0", lambda: frozenset(["again"])) == {"again"}
    assert later.columns("q200", never) == {"c200"}
    assert StatementCache(file, "v").columns("long", frozenset) == frozenset()
    assert len(json.loads(file.read_text())["statements"]) == 200


def test_statements_that_differ_in_case_alone_are_two(tmp_path):
    cache = StatementCache(tmp_path / "statements.json", "v")
    assert cache.columns('select a as "A"', lambda: frozenset("A")) == {"A"}
    assert cache.columns('select a as "a"', lambda: frozenset("a")) == {"a"}


def test_what_is_kept_and_makes_no_sense_is_kept_anew(tmp_path):
    file, found = tmp_path / "statements.json", Resolution((RelationRead("eod"),))
    StatementCache(file, "v").resolution("q", NAMES, lambda: found)
    document = json.loads(file.read_text())
    document["statements"] = [[key, {"reads": 7}] for key, _ in document["statements"]]
    file.write_text(json.dumps(document))
    assert StatementCache(file, "v").resolution("q", NAMES, lambda: found) == found
    assert StatementCache(file, "v").resolution("q", NAMES, never) == found


def test_a_process_leaves_forty_notes_and_goes_on_without(tmp_path):
    file = tmp_path / "statements.json"
    cache = StatementCache(file, "v")
    for number in range(41):
        cache.columns(f"q{number}", lambda n=number: frozenset([f"c{n}"]))
    assert cache.columns("q40", never) == {"c40"}
    assert StatementCache(file, "v").columns("q39", never) == {"c39"}
    assert StatementCache(file, "v").columns("q40", frozenset) == frozenset()


def test_threads_ask_side_by_side(tmp_path):
    cache = StatementCache(tmp_path / "statements.json", "v")

    def ask(thread):
        for number in range(50):
            name = f"q{thread}-{number}"
            assert cache.columns(name, lambda n=name: frozenset([n])) == {name}

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert cache.columns("q3-49", never) == {"q3-49"}
    assert [file.name for file in tmp_path.iterdir()] == ["statements.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"made_by": "v"}', '{"made_by": "v", "statements": 7}']
)
def test_a_damaged_file_is_as_good_as_none(tmp_path, text):
    file = tmp_path / "statements.json"
    file.write_text(text)
    assert StatementCache(file, "v").columns("q", lambda: frozenset("a")) == {"a"}
    assert StatementCache(file, "v").columns("q", never) == {"a"}


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    file = tmp_path / "none" / "statements.json"
    assert StatementCache(file, "v").columns("q", lambda: frozenset("a")) == {"a"}
    assert not file.parent.exists()


def test_a_query_asked_before_answers_alike_without_the_parser_and_numpy(loaded):
    code = (
        "import sys; from ttapi.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit as left: code = left.code\n"
        "print(code, sorted({'sqlglot', 'numpy', 'typer'} & set(sys.modules)))"
    )
    told = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, "--home", str(loaded.home.root), "sql", "-c", SQL],
            env=loaded.variables, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.append(done.stdout.splitlines())
    assert told[0][:-1] == told[1][:-1]
    # The engine itself brought NumPy before 2.0.
    brought = "['numpy']" if duckdb.__version__ < "2" else "[]"
    assert told[1] == [
        "symbol,date,close,known_at",
        "AAA,2024-06-13,2.0,2024-06-13T20:00:00Z",
        "AAA,2024-06-14,3.0,2024-06-14T20:00:00Z",
        f"0 {brought}",
    ]
    assert "'sqlglot'" in told[0][-1]


def test_a_model_of_the_users_that_changes_is_looked_through_again(loaded):
    (loaded.home.sql / "views").mkdir(parents=True, exist_ok=True)
    (loaded.home.sql / "views" / "mine.sql").write_text(
        "-- about: x.\n-- kind: view\n-- grain: symbol\nselect b.symbol::varchar as symbol from eod as b\n"
    )
    loaded.refresh()
    assert asked(loaded, "select * from mine limit 1") == [{"symbol": "AAA"}]
    (loaded.home.sql / "views" / "mine.sql").write_text(
        "-- about: x.\n-- kind: view\n-- grain: n\nselect count(*)::bigint as n from eod as b\n"
    )
    assert asked(loaded, "select * from mine limit 1") == [{"n": 2}]


def test_a_session_that_hides_a_relation_does_not_change_what_others_read(loaded):
    rows = asked(loaded)
    with Database(loaded.home, environ=loaded.variables) as opened:
        opened.sql(
            "create temp table eod as select 'AAA' as symbol, date '2024-01-02' as date, 9.0 as close, timestamp '2024-01-02' as known_at"
        )
        assert [row["close"] for row in opened.sql(SQL).arrow().to_pylist()] == [9.0]
    assert asked(loaded) == rows
