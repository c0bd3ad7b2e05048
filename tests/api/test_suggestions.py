# SPDX-License-Identifier: Apache-2.0
"""A name that nothing has is answered with the one that was meant, at every door alike."""

from __future__ import annotations

import pytest

from ttapi.api import Database
from ttapi.api.suggestions import with_suggestion
from ttapi.errors import InterruptedQueryError, QueryError


@pytest.fixture
def database(lab):
    with Database(lab.home, environ={**lab.environ, "TTAPI_NOW": lab.now.isoformat()}) as one:
        yield one


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select * from calender", "did you mean calendar?"),
        ("select * from raw.metastock_bar", "did you mean raw.metastock_bars?"),
        ("select * from pg_sequenc", "show tables lists what there is"),
        ("select session_n from calendar", "did you mean session_no or prev_session?"),
        (
            "select zzz from universes",
            "columns here: name, symbol, valid_from, valid_to, source",
        ),
        (
            "select u.zzz from universes u",
            "columns here: name, symbol, valid_from, valid_to, source",
        ),
        ("select * exclude (symbl) from universes", "did you mean symbol?"),
        ("select * from universes a join universes b using (nme)", "did you mean name?"),
        ("select zzz from (select name as first from universes)", "columns here: first"),
        ("select universe.name from universes", "did you mean universes?"),
        ("select zzz.name from universes", "what is read here: universes"),
        ("select * from expiratios(date '2024-06-14', 'SPY')", "did you mean expirations?"),
        ("explain refresh select * from calender", "did you mean calendar?"),
    ],
)
def test_a_wrong_name_is_answered_with_one_of_ours(database, sql, hint):
    with pytest.raises(QueryError) as refused:
        database.sql(sql)
    assert refused.value.hint == hint
    assert "Did you mean" not in refused.value.message
    assert "Candidate" not in refused.value.message


def test_relations_of_the_session_are_among_those_meant(database):
    database.sql("create temp table weekdays as select 1 as n")
    with pytest.raises(QueryError) as refused:
        database.sql("select * from weekday")
    assert refused.value.hint == "did you mean weekdays?"


def test_what_is_about_no_name_is_left_as_it_is():
    for error in (QueryError("Parser Error: syntax error"), InterruptedQueryError("interrupted")):
        assert with_suggestion(error, "selec 1", lambda _: []) is error


def test_an_export_suggests_the_same(lab):
    done = lab.ttapi("export", "calender", "--to", lab.data / "out")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "ttapi: Catalog Error: Table with name calender does not exist!",
            "       did you mean calendar?",
        ],
    )


def test_a_wrong_setting_is_answered_with_the_engines_own(database):
    # Engines differ in what else they call nearly so.
    with pytest.raises(QueryError) as refused:
        database.sql("set memry_limit = '1GB'")
    assert refused.value.hint.startswith("did you mean memory_limit")


@pytest.mark.parametrize(("count", "more"), [(12, ""), (13, " and 1 more")])
def test_a_dozen_columns_are_named(database, count, more):
    names = [f"c{n}" for n in range(count)]
    database.sql(
        f"create temp table wide as select {', '.join(f'{n} as c{n}' for n in range(count))}"
    )
    with pytest.raises(QueryError) as refused:
        database.sql("select zzz from wide")
    assert refused.value.hint == f"columns here: {', '.join(names[:12])}{more}"
