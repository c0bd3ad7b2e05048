# SPDX-License-Identifier: Apache-2.0
"""`.save`: a query becomes a relation that every session has, or leaves no file."""

from __future__ import annotations

import json

QUERY = "select symbol, max(close) as top from eod group by all order by all;"


def saved(session):
    return sorted(str(p.relative_to(session.home.sql)) for p in session.home.sql.rglob("*.sql"))


def test_a_saved_view_is_asked_at_once_and_everywhere(said, session, loaded):
    said(f"{QUERY}\n.save tops")
    assert (session.home.sql / "views" / "tops.sql").read_text() == (
        "-- about: saved from the shell on 2024-06-14\n"
        "select symbol, max(close) as top from eod group by all order by all\n"
    )
    assert said("select * from tops;")[0].split()[-4:] == ["AAA", "10.5", "BBB", "10.5"]
    assert "tops" in session.catalog.relations
    assert session.database.load_environment().graph.upstreams["tops"] == {"eod"}
    done = loaded.ttapi("sql", "--json", "select count(*) as n from tops")
    assert json.loads(done.stdout) == [{"n": 2}], done.stderr


def test_a_saved_table_is_stored_and_follows_its_inputs(said, session, loaded):
    said(
        "with top as (select symbol, max(close) as top from eod group by all) select * from top;\n.save tops table ttl=1d"
    )
    assert saved(session) == ["derived/tops.sql", "views/tops.sql"]
    text = (session.home.sql / "derived" / "tops.sql").read_text()
    assert text.startswith(
        "-- about: saved from the shell on 2024-06-14\n-- kind: table\n-- ttl: 1d\nwith\neod as (\n"
    )
    assert loaded.rows("select kind from catalog.datasets where dataset = 'derived.tops'") == [
        ("table",)
    ]
    assert said("select top from tops where symbol = 'AAA';")[0].split() == ["top", "----", "10.5"]


def test_what_is_no_model_leaves_no_file_and_says_why(said, session):
    said("create temp table mine as select 1 as a; select * from mine;")
    assert "'mine' is no relation" in said(".save bad")[1]
    said("select list_transform([1], lambda x: x) as l;")
    assert "lambda" in said(".save bad")[1]
    said("select * from volatility_over('AAA', 5);")
    assert "a step to the right" in said(".save bad table")[1]
    assert saved(session) == []
    assert said("select count(*) as n from eod;")[0].split() == ["n", "-", "6"]


def test_names_that_are_taken_or_cannot_be_are_refused(said, session):
    said(QUERY)
    assert "eod is already defined by sql/views/eod.sql" in said(".save eod")[1]
    assert "eod is already defined" in said(".save! eod")[1]
    assert "cannot be a relation" in said(".save Tops")[1]
    assert "cannot be a relation" in said(".save ../x")[1]
    assert (
        "is no duration" in said(".save x table ttl=soon")[1]
        or "ttl" in said(".save x table ttl=soon")[1]
    )
    assert said(".save select")[1].splitlines() == [
        "select is a word of SQL, and no name in every DuckDB that opens the file",
        ".save select_rows works",
    ]
    assert "is a word of SQL" in said(".save lambda table")[1]
    assert "a view is as fresh as what it reads" in said(".save x ttl=1d")[1]
    assert saved(session) == []


def test_ones_own_is_replaced_only_when_that_is_said(said, session):
    said(f"{QUERY}\n.save tops table")
    said("select 1 as one;")
    assert "tops is already yours" in said(".save tops")[1]
    said(".save! tops")
    assert saved(session) == ["views/tops.sql"]
    assert said("select * from tops;")[0].split() == ["one", "---", "1"]
    assert "reads tops itself" in said(".save! tops")[1]


def test_a_replacement_that_is_no_model_leaves_the_old_one(said, session):
    said(f"{QUERY}\n.save tops")
    before = (session.home.sql / "views" / "tops.sql").read_text()
    said("select list_transform([1], lambda x: x) as l;\n.save! tops")
    assert (session.home.sql / "views" / "tops.sql").read_text() == before
