# SPDX-License-Identifier: Apache-2.0
"""Where columns come from: one SELECT taken apart, and the lineage an installation keeps."""

from __future__ import annotations

from contextlib import closing

import pytest

from ttapi.errors import UsageError
from ttapi.models.column_trace import SourceColumn, Trace, UntracedColumn, trace_query
from ttapi.models.lineage import UNTRACED, LineageGraph
from ttapi.store.catalog_rows import LineageRow
from ttapi.store.engine import connect_snapshot
from ttapi.store.store import open_store

KNOWN = {
    "raw.bars": ("symbol", "date", "close"),
    "staged.actions": ("symbol", "ex_date", "ratio"),
    "eod": ("symbol", "date", "close"),
    "derived.rows_of": ("symbol", "x"),
}
MACROS = {"rows_of": "derived.rows_of"}


def traced(sql, parameters=()):
    found = trace_query(sql, KNOWN, MACROS, parameters)
    assert isinstance(found, Trace), found
    return {
        column: sorted(
            f"{o.relation}.{o.column}" if o.column else f"{o.relation}(*)"
            for o in found.origins(column)
        )
        for column in found.columns
    }


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select b.close::double as c from raw.bars as b", {"c": ["raw.bars.close"]}),
        ("select close from eod", {"close": ["eod.close"]}),
        ("select * from eod", {c: [f"eod.{c}"] for c in KNOWN["eod"]}),
        ("select e.* exclude (date) from eod as e", {c: [f"eod.{c}"] for c in ("symbol", "close")}),
        ("select 1 as one, 'x' as text", {"one": [], "text": []}),
        ("select count(*) as n from raw.bars", {"n": ["raw.bars(*)"]}),
        (
            "with c as (select b.close * 2 as d from raw.bars as b) select c.d + 1 as e from c",
            {"e": ["raw.bars.close"]},
        ),
        (
            ("select b.symbol, a.ratio * b.close as x from raw.bars as b"
            " left join staged.actions as a on a.symbol = b.symbol"),
            {"symbol": ["raw.bars.symbol"], "x": ["raw.bars.close", "staged.actions.ratio"]},
        ),
        (
            ("select row_number() over w as n from raw.bars as b"
            " window w as (partition by b.symbol order by b.date)"),
            {"n": ["raw.bars.date", "raw.bars.symbol"]},
        ),
        (
            "select b.date as d from raw.bars as b union all select a.ex_date from staged.actions as a",
            {"d": ["raw.bars.date", "staged.actions.ex_date"]},
        ),
        (
            "select b.close - (select max(a.ratio) from staged.actions as a) as x from raw.bars as b",
            {"x": ["raw.bars.close", "staged.actions.ratio"]},
        ),
        ("select v.x from derived.rows_of([1, 2]) as v", {"x": ["derived.rows_of.x"]}),
        ("select symbol from raw.bars join staged.actions using (symbol)",
         {"symbol": ["raw.bars.symbol", "staged.actions.symbol"]}),
        (
            ("with recursive n as (select b.close as x from raw.bars as b union all select n.x + 1 from n)"
            " select n.x from n"),
            {"x": ["raw.bars.close"]},
        ),
    ],
)  # fmt: skip
def test_columns_are_followed_to_the_relations(sql, expected):
    assert traced(sql) == expected


def test_a_parameter_of_a_macro_is_no_column():
    sql = "select upper(symbol) as asked, b.close from raw.bars as b where b.symbol = symbol"
    assert traced(sql, ("symbol",)) == {"asked": [], "close": ["raw.bars.close"]}


def test_formulas_are_as_written_without_cast_and_comments():
    sql = """
        with c as (
            select
                b.close - lag(b.close) over w as step, -- USD
                b.symbol
            from raw.bars as b window w as (order by b.date)
        )
        select
            c.symbol::varchar as symbol,
            (
                case
                    when c.step > 0 then 'up' -- rising
                    else 'down'
                end
            )::varchar as way
        from c
    """
    found = trace_query(sql, KNOWN, MACROS)
    assert found.expression("way") == "case when c.step > 0 then 'up' else 'down' end"
    assert [(i.name, i.expression) for i in found.ingredients("way")] == [
        ("step", "b.close - lag(b.close) over w")
    ]
    assert (found.is_passed_on("symbol"), found.is_passed_on("way")) == (True, False)
    assert found.origins("symbol") == {SourceColumn("raw.bars", "symbol")}


def test_what_cannot_be_read_says_why():
    assert isinstance(trace_query("select from where", KNOWN, MACROS), UntracedColumn)


def lineage(lab):
    return lab.rows("select * from lineage order by all")


def test_every_column_of_every_bundled_relation_is_traced(template_home):
    with closing(connect_snapshot(template_home.public_file)) as connection:
        silent = connection.execute(
            """
            select c.schema_name, c.table_name, c.column_name from duckdb_columns() as c
            where not c.internal and c.schema_name in ('main', 'staged', 'derived') and not exists (
                select 1 from catalog.lineage as l
                where l.column_name = c.column_name and l.relation = case
                    when c.schema_name = 'main' then c.table_name else c.schema_name || '.' || c.table_name end
            )
            """
        ).fetchall()
        untraced = connection.execute(
            "select relation, column_name from lineage where expression like ?", [f"{UNTRACED}%"]
        ).fetchall()
        rootless = connection.execute(
            "select distinct relation || '.' || column_name from lineage where upstream_relation is null"
        ).fetchall()
    assert (silent, untraced) == ([], [])
    # Constants and what stands for a parameter; anything else reads a column.
    assert {
        ("derived.standard_lookbacks.standard_lookbacks",),
        ("derived.volatility_rows.lookback",),
    } <= {*rootless}
    assert ("volatility.ewma",) not in rootless


def test_a_users_model_is_in_the_lineage_and_leaves_it(lab):
    before = lineage(lab)
    file = lab.write_model("views/mine.sql", "select e.close * 2 as twice from eod as e\n")
    lab.refresh("eod")
    assert set(lineage(lab)) - set(before) == {("mine", "twice", "eod", "close", "e.close * 2")}
    file.write_text("select e.open as twice from eod as e\n")
    lab.refresh("eod")
    assert set(lineage(lab)) - set(before) == {("mine", "twice", "eod", "open", "e.open")}
    file.unlink()
    lab.refresh("eod")
    assert lineage(lab) == before


def test_columns_behind_a_star_follow_what_the_star_means(lab):
    lab.write_model("views/inner_one.sql", "select e.close as a from eod as e\n")
    lab.write_model("views/outer_one.sql", "select * from inner_one\n")
    lab.refresh("eod")
    lab.write_model("views/inner_one.sql", "select e.close as a, e.open as b from eod as e\n")
    lab.refresh("eod")
    assert [row for row in lineage(lab) if row[0] == "outer_one"] == [
        ("outer_one", "a", "inner_one", "a", "inner_one.a"),
        ("outer_one", "b", "inner_one", "b", "inner_one.b"),
    ]


def test_only_changed_models_are_traced_again(lab):
    lab.write_model("views/mine.sql", "select e.close as c from eod as e\n")
    lab.refresh("eod")
    with (
        open_store(lab.home, command="test", wait_s=0, now=lab.now) as store,
        store.transaction() as cursor,
    ):
        cursor.execute("update catalog.lineage set expression = 'marked'")
    lab.write_model("views/mine.sql", "select e.open as c from eod as e\n")
    lab.refresh("eod")
    told = dict(
        lab.rows("select distinct expression, relation from lineage where expression <> 'marked'")
    )
    assert told == {"e.open": "mine"}


def graph():
    rows = [
        LineageRow("a", "x", "b", "y", "b.y"),
        LineageRow("a", "k", "b", "k", "b.k"),
        LineageRow("b", "y", "raw.t", "v", "t.v * 2"),
        LineageRow("b", "k", "raw.t", "k", "t.k"),
        LineageRow("c", "n", "a", None, "count(*)"),
    ]
    return LineageGraph(rows, {"raw.t": ["k", "v"]})


def test_roots_readers_and_names_of_the_graph():
    found = graph()
    assert found.roots(("a", "x")) == [("raw.t", "v")]
    assert found.roots(("a", None)) == [("raw.t", None)]
    assert found.readers("raw.t") == ["a", "b", "c"]
    assert found.find("main.A.x") == ("a", "x")
    assert found.find("t") == ("raw.t", None)
    assert [(line.node, line.is_repeated) for line in found.tree(("c", "n"))] == [
        (("c", "n"), False), (("a", None), False), (("b", None), False), (("raw.t", None), False)
    ]  # fmt: skip


def test_a_stem_names_one_relation_or_none_and_nobody_reads_itself():
    rows = [
        LineageRow("a.x", "k", "b.x", "k", "k"),
        LineageRow("b.x", "k", "a.x", "k", "k"),
        LineageRow("b.y", "k", "b.x", None, "count(*)"),
    ]
    found = LineageGraph(rows)
    assert found.find("y.k") == ("b.y", "k")
    with pytest.raises(UsageError, match="'x' is no relation"):
        found.find("x")
    assert found.readers("b.x") == ["a.x", "b.y"]
