# SPDX-License-Identifier: Apache-2.0
"""What would change the published file is refused with what works; what is the session's own works."""

from __future__ import annotations

import pytest

from ttapi.api import Database
from ttapi.errors import QueryError

MINE = "create temp table mine as from eod"


@pytest.fixture
def database(lab):
    with Database(lab.home, environ={**lab.environ, "TTAPI_NOW": lab.now.isoformat()}) as one:
        yield one


@pytest.mark.parametrize(
    ("sql", "what", "hint"),
    [
        ("create schema zz", "schema zz", f"what is temporary needs none: {MINE}"),
        ("drop schema staged", "schema staged", f"what is temporary needs none: {MINE}"),
        (
            "create index i on eod (symbol)",
            "an index on eod",
            f"queries need none here; {MINE} makes a copy that can have one",
        ),
        (
            "create sequence q",
            "q",
            "create temp sequence q lasts for this session; row_number() over () counts too",
        ),
        (
            "create macro f(a) as a + 1",
            "f",
            "create temp macro f lasts for this session; one to keep is a file in {sql}/macros",
        ),
        (
            "/* a */ create view v as select 1 as a",
            "v",
            "create temp view v lasts for this session; a view to keep is a file in {sql}/views",
        ),
        ("truncate eod", "eod", f"{MINE} makes a copy to change, for this session"),
        (
            "insert into market.main.eod values (1)",
            "eod",
            f"{MINE} makes a copy to change, for this session",
        ),
    ],
)
def test_each_kind_is_answered_with_what_works_instead(database, sql, what, hint):
    with pytest.raises(QueryError) as refused:
        database.sql(sql)
    assert refused.value.message == f"{what} cannot be written: the published file is read-only"
    assert refused.value.hint == hint.format(sql=database.home.sql)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("create type mood as enum ('a')", "create temp type NAME lasts for this session"),
        ("comment on table eod is 'x'", f"what is temporary can be changed: {MINE}"),
    ],
)
def test_what_only_the_engine_refuses_is_told_in_the_same_words(database, sql, hint):
    with pytest.raises(QueryError) as refused:
        database.sql(sql)
    assert refused.value.message == "this would change the published file, which is read-only"
    assert refused.value.hint == hint


def test_what_is_the_sessions_own_is_made_changed_and_dropped(database, tmp_path):
    for sql in (
        "create temp view v as select 1 as a",
        "drop view v",
        "create temp macro f(a) as a + 1",
        "drop macro f",
        "create temp type mood as enum ('a')",
        "create temp sequence q",
        "drop sequence q",
        "create schema memory.zz",
        "create table memory.main.t as select 1 as a",
        f"attach '{tmp_path / 'own.duckdb'}' as own",
        "create table own.t as select 1 as a",
        "insert into own.t values (2)",
    ):
        database.sql(sql)
    assert database.sql("select sum(a) as n from own.t").pl().rows() == [(3,)]
