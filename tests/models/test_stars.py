# SPDX-License-Identifier: Apache-2.0
"""A view may be a star over one relation: what is stored of it names every column with its cast."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ttapi.api import Database
from ttapi.audit.why import explain_row
from ttapi.errors import ModelError
from ttapi.models.graph import ModelFolder, load_graph
from ttapi.models.install import install_models
from ttapi.models.references import parse_statements
from ttapi.models.sql_edit import expand_star, star_of

MIGRATIONS = sorted((Path(__file__).resolve().parents[2] / "migrations").glob("*.sql"))
REFUSED = {
    "select *\nfrom raw.bars as b": (2, "qualify the star"),
    "select\n    b.*,\n    b.*\nfrom raw.bars as b": (3, "one star is enough"),
    "select b.*\nfrom raw.bars as b\njoin raw.bars as c on c.symbol = b.symbol": (
        2,
        "one relation",
    ),
    "select b.*\nfrom raw.bars as b, raw.bars as c": (2, "one relation"),
    "select b.* from (select c.symbol from raw.bars as c) as b": (2, "one relation"),
    "with x as (select 1 as a)\nselect x.*\nfrom x": (3, "one relation"),
    "select b.* from raw.bars as b\nunion all\nselect c.* from raw.bars as c": (2, "one relation"),
    "select b.* replace (1 as close)\nfrom raw.bars as b": (2, "leave columns out"),
    "select b.* rename (close as last)\nfrom raw.bars as b": (2, "leave columns out"),
    "select\n    b.*,\n    b.close * 2 as twice\nfrom raw.bars as b": (
        4,
        "cast every output column",
    ),
}
EXPANDED = {
    "select v.* from t as v": 'select v."a"::INT as "a",\n    v."b"::TEXT as "b" from t as v',
    "select v.* exclude (c) from t": 'select v."a"::INT as "a",\n    v."b"::TEXT as "b" from t',
    "select v.* exclude c from t": 'select v."a"::INT as "a",\n    v."b"::TEXT as "b" from t',
    'select 1 as a, "V".* except ("c", d), b.x from t': 'select 1 as a, "V"."b"::TEXT as "b", b.x from t',
    "select v.*, f(1) as b from t": 'select v."a"::INT as "a", f(1) as b from t',
}


def graph_of(tmp_path, **files):
    """Bundled models over raw.bars, whose header is theirs."""
    folder = tmp_path / "sql"
    for name, body in files.items():
        file = folder / f"{name.replace('__', '/')}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"-- about: {name}\n{body}\n")
    return load_graph([ModelFolder(folder, is_bundled=True)], {"raw.bars"})


@pytest.fixture
def con():
    with duckdb.connect() as made:
        for migration in MIGRATIONS:
            made.execute(migration.read_text())
        made.execute("create table raw.bars (symbol varchar, close decimal(20,6), line integer)")
        made.execute("comment on column raw.bars.symbol is 'upper case'")
        made.execute("comment on column raw.bars.close is 'USD'")
        made.execute("insert into raw.bars values ('AAA', 1.5, 7)")
        yield made


def stored(con, name="main.bars"):
    sql = "select sql from duckdb_views() where schema_name || '.' || view_name = ?"
    ((text,),) = con.execute(sql, [name]).fetchall()
    return text


def comments(con, table="bars"):
    sql = "select column_name, comment from duckdb_columns() where schema_name = 'main' and table_name = ?"
    return dict(con.execute(sql, [table]).fetchall())


@pytest.mark.parametrize("body", REFUSED)
def test_a_star_that_is_not_of_one_relation_is_refused_at_its_line(tmp_path, body):
    line, why = REFUSED[body]
    with pytest.raises(ModelError, match=why) as refused:
        graph_of(tmp_path, views__bars=body)
    assert (refused.value.file, refused.value.line) == ("sql/views/bars.sql", line)


@pytest.mark.parametrize("sql", EXPANDED)
def test_a_star_gives_way_to_its_columns_and_the_text_around_it_stays(sql):
    (statement,) = parse_statements(sql)
    types = {"a": "INT", "b": "TEXT"} | ({"x": "INT"} if "b.x" in sql else {})
    assert expand_star(sql, star_of(sql, statement), types) == EXPANDED[sql]


def test_what_is_stored_of_a_star_names_and_casts_every_column(con, tmp_path):
    body = "select b.* exclude (line), b.line::integer as line -- of its file\nfrom raw.bars as b"
    install_models(con, graph_of(tmp_path, views__bars=body))
    assert "*" not in stored(con)
    assert 'CAST(b."close" AS DECIMAL(20, 6)) AS' in stored(con)
    con.execute("alter table raw.bars add column late varchar")
    found = con.execute("select * from bars")
    assert [column[0] for column in found.description] == ["symbol", "close", "line"]
    assert [(s, float(c), line) for s, c, line in found.fetchall()] == [("AAA", 1.5, 7)]


def test_a_column_that_came_to_the_relation_is_there_after_the_next_installation(con, tmp_path):
    graph = graph_of(tmp_path, views__bars="select b.* from raw.bars as b")
    install_models(con, graph)
    con.execute("alter table raw.bars add column late varchar")
    install_models(con, graph)
    assert list(comments(con)) == ["symbol", "close", "line", "late"]


def test_a_star_passes_comments_on_and_one_of_the_views_own_goes_first(con, tmp_path):
    graph = graph_of(
        tmp_path,
        views__bars="select b.* exclude (close),\n    b.close::double as close -- USD per share\nfrom raw.bars as b",
        views__again="select v.* from main.bars as v",
        views__named="select b.symbol::varchar as symbol from raw.bars as b",
    )
    install_models(con, graph)
    said = {"symbol": "upper case", "line": None, "close": "USD per share"}
    assert comments(con) == comments(con, "again") == said
    assert comments(con, "named") == {"symbol": None}
    con.execute("comment on column raw.bars.symbol is 'letters'")
    install_models(con, graph)
    assert comments(con, "again")["symbol"] == "letters"


def test_stars_of_the_users_own_may_stand_over_a_join(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    lab.write_model(
        "views/mine.sql",
        "select e.*, c.* exclude (date)\nfrom eod as e\njoin calendar as c on c.date = e.date and c.market = 'XNYS'",
    )
    assert lab.refresh("mine").broken == ()
    assert lab.rows("select symbol, session_no > 0 from mine") == [("AAA", True)]


def test_why_finds_the_comment_behind_a_star_with_the_source(lab):
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,1,2,1,2,10,0"])
    text = "-- grain: symbol, date\nselect b.*\nfrom raw.metastock_bars as b\nwhere b.is_current"
    lab.write_model("views/mine.sql", text)
    lab.refresh("mine")
    with Database(lab.home, environ=lab.variables) as database:
        found = explain_row(database, "mine", ["AAA", "2024-06-12"])
        (declared,) = [
            column.comment
            for column in lab.environment().resources["raw.metastock_bars"].resource.columns
            if column.name == "close"
        ]
    assert [one.comment for one in found.columns if one.name == "close"] == [declared]
