# SPDX-License-Identifier: Apache-2.0
"""Models in the file: comments on everything public, a user's own views, checks, removal."""

from __future__ import annotations

import re


def test_every_public_relation_and_column_has_a_comment(lab):
    bare = lab.rows(
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and not internal and comment is null"
    )
    assert bare == []
    assert (
        lab.rows(
            "select view_name from duckdb_views() where schema_name = 'main' and not internal and comment is null"
        )
        == []
    )


def test_no_stored_relation_has_a_zoned_instant(lab):
    assert (
        lab.rows(
            "select table_name, column_name from duckdb_columns() where data_type like '%TIME ZONE%' and not internal"
        )
        == []
    )


def test_a_view_dropped_into_the_home_is_queryable_and_in_the_graph(lab):
    lab.write_bars(
        "AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0", "AAA,D,20240613,000000,2,3,2,3,10,0"]
    )
    lab.write_model(
        "views/doubled.sql",
        "-- about: twice the close\nselect symbol, date, close * 2 as twice -- USD, twice\nfrom eod",
    )
    lab.refresh("doubled")
    assert lab.rows("select twice from doubled order by date") == [(4.0,), (6.0,)]
    assert lab.rows("select upstream from catalog.dependencies where dataset = 'doubled'") == [
        ("eod",)
    ]
    comments = dict(
        lab.rows("select column_name, comment from duckdb_columns() where table_name = 'doubled'")
    )
    assert comments["twice"] == "USD, twice"
    assert comments["symbol"]  # inherited from eod


def test_a_table_of_the_users_own_is_built_and_rebuilt_with_its_inputs(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    lab.write_model(
        "derived/highest.sql",
        "-- kind: table\n-- grain: symbol\nselect symbol, max(close) as top from staged.eod group by symbol",
    )
    lab.refresh("derived.highest")
    assert lab.rows("select * from derived.highest") == [("AAA", 2.0)]
    lab.write_bars(
        "AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0", "AAA,D,20240613,000000,2,3,2,7,10,0"]
    )
    lab.refresh("derived.highest")
    assert lab.rows("select * from derived.highest") == [("AAA", 7.0)]


def test_a_removed_model_leaves_the_file(lab):
    file = lab.write_model("views/mine.sql", "select 1 as x")
    lab.refresh("mine")
    assert lab.rows("select * from mine") == [(1,)]
    file.unlink()
    lab.refresh("calendar")
    assert lab.rows("select 1 from duckdb_views() where view_name = 'mine'") == []


def test_a_broken_model_changes_nothing(lab):
    before = lab.rows("select dataset from catalog.datasets order by 1")
    lab.write_model("views/mine.sql", "select nothing_like_it from eod")
    outcome = lab.refresh()
    (error,) = outcome.broken
    assert re.match(r"sql/views/mine.sql:1: .*nothing_like_it", error.message)
    assert lab.rows("select dataset from catalog.datasets order by 1") == before


def test_a_zoned_instant_in_a_view_is_refused(lab):
    lab.write_model("views/mine.sql", "select known_at::timestamptz as t from eod")
    (error,) = lab.refresh().broken
    assert "column t has type TIMESTAMP WITH TIME ZONE" in error.message


def test_a_failing_check_keeps_the_old_table(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    text = "-- kind: table\n-- grain: symbol\n-- check: range(top, 0, 5)\nselect symbol, max(close) as top from staged.eod group by symbol"
    lab.write_model("derived/highest.sql", text)
    lab.refresh("derived.highest")
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,9,10,0"])
    outcome = lab.refresh("derived.highest")
    (failed,) = [d for d in outcome.datasets if d.error]
    assert (failed.dataset, failed.verdict, outcome.exit_code) == ("derived.highest", "failed", 1)
    assert "check range(top, 0, 5) failed: 1 bad rows" in failed.error
    assert lab.rows("select * from derived.highest") == [("AAA", 2.0)]
    assert lab.rows("select code, dataset from health where code = 'dataset failed'") == [
        ("dataset failed", "derived.highest")
    ]


def test_a_check_file_is_reported_in_health(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    lab.write_model(
        "checks/cheap.sql",
        "-- about: no penny stocks\nselect symbol, close from eod where close < 5",
    )
    outcome = lab.refresh()
    assert [(c.dataset, c.failures) for c in outcome.failed_checks] == [("checks.cheap", 1)]
    assert lab.rows("select code, dataset from health") == [("check failed", "checks.cheap")]
