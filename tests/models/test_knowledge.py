# SPDX-License-Identifier: Apache-2.0
"""Queries rewritten as of a point in time: whole texts on a small installation, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ttapi.errors import UsageError
from ttapi.models.as_of import parse_as_of
from ttapi.models.as_of_query import rewrite_as_of
from ttapi.models.as_of_relations import AsOfCatalog
from ttapi.models.flows import pushdown_infos
from ttapi.models.graph import ModelFolder, load_graph
from ttapi.models.limits import NameScope
from ttapi.models.model_cache import PushdownInfo
from ttapi.sources.contract import Column, Resource

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)
T = parse_as_of("2024-06-03T20:00", NOW)
LIMIT = "timestamp '2024-06-03 20:00:00'"
EVENTS = Resource(
    name="events",
    table="events",
    about="Things that happen.",
    columns=(Column("symbol", "VARCHAR", ""), Column("date", "DATE", "")),
    grain=(),
    keys=("symbol",),
)
RULES = Resource(
    name="rules",
    table="rules",
    about="Rules.",
    columns=(Column("root", "VARCHAR", ""),),
    grain=("root",),
    is_timeless=True,
)
MODELS = {
    "staged/events.sql": "select e.symbol, e.date from raw.events as e where e.is_current",
    "views/events.sql": "select e.symbol, e.date -- day\nfrom staged.events as e",
    "views/counted.sql": "with events as (select 1 as x) select count(*) as n from staged.events, events",
    "views/days.sql": "select e.symbol, e.date from staged.events as e",
    "views/rules.sql": "select r.root from raw.rules as r",
    "views/loads.sql": "select l.load_id from catalog.loads as l",
    "views/above.sql": "select l.load_id from loads as l",
    "views/clocked.sql": "select e.symbol from staged.events as e where e.date < today()",
    "macros/days_asof.sql": (
        "create or replace macro days_asof(symbol, as_of) as table\n"
        "select e.symbol, e.date from raw.events as e where e.symbol = upper(symbol) and e.known_at <= as_of"
    ),
    "macros/firsts.sql": (
        "create or replace macro firsts(symbol, n := 2) as table\n"
        "select e.symbol, e.date from staged.events as e where e.symbol = symbol and e.symbol <> 'n' limit n"
    ),
    "macros/last_date.sql": (
        "create or replace macro last_date(symbol) as\n"
        "(select max(e.date) from staged.events as e where e.symbol = symbol)"
    ),
    # A name the parser takes for a function of the engine's.
    "macros/first.sql": "create or replace macro first(symbol) as table select e.date from staged.events as e",
    "macros/twice.sql": "create or replace macro twice(x) as 2 * x",
}  # fmt: skip
RAW = f"""select
    rows.* replace (
        case when rows.replaced_at <= {LIMIT} then rows.replaced_at end as replaced_at,
        case when rows.replaced_at <= {LIMIT} then rows.replaced_by end as replaced_by,
        (rows.replaced_at is null or rows.replaced_at > {LIMIT}) as is_current
    )
from raw."events" as rows
where rows.known_at <= {LIMIT}
"""
STAGED = f"""with
"raw.events as of" as not materialized (
{RAW}),
"staged.events as of" as not materialized (
select e.symbol, e.date from "raw.events as of" as e where e.is_current
)"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for path, text in MODELS.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text + "\n")
    graph = load_graph([ModelFolder(folder)], {"raw.events", "raw.rules", "catalog.loads"})
    assert graph.broken == {}
    roots = {
        "raw.events": ("symbol", "date", "known_at", "is_current"),
        "raw.rules": ("root",),
    }
    flows = pushdown_infos(graph, roots) | {
        name: PushdownInfo(columns) for name, columns in roots.items()
    }
    macros = {m.stem: name for name, m in graph.models.items() if m.kind == "macro"}
    names = NameScope({name: flow.columns for name, flow in flows.items()}, macros)
    resources = {"raw.events": EVENTS, "raw.rules": RULES}
    return AsOfCatalog(graph, names, flows, resources)


@pytest.fixture
def ask(installed):
    def rewrite(sql, **session):
        names = NameScope(installed.names.relations, installed.names.macros, **session)
        return rewrite_as_of(
            sql, AsOfCatalog(installed.graph, names, installed.flows, installed.resources), T
        )

    return rewrite


@pytest.mark.parametrize(
    ("sql", "then"),
    [
        ("select * from staged.events", 'select * from "staged.events as of" as "events"'),
        ("from staged.events e -- all", 'from "staged.events as of" e -- all'),
        (
            "select 'staged.events', staged.events.date from market.staged.events",
            'select \'staged.events\', "events".date from "staged.events as of" as "events"',
        ),
        ("table staged.events", 'table "staged.events as of"'),
        (
            "(select 1) union all (select count(*) from staged.events as e)",
            '(select 1) union all (select count(*) from "staged.events as of" as e)',
        ),
    ],
)
def test_a_definition_stands_in_front_of_the_text_as_it_was_written(ask, sql, then):
    found = ask(sql)
    assert found.sql == f"{STAGED}\n{then}"
    assert found.text == "as of 2024-06-03 20:00 UTC: staged.events -> its definition"


def test_what_a_query_defines_itself_comes_behind(ask):
    found = ask(
        "/* mine */ with recursive staged as (select 1) select * from staged, staged.events as e"
    )
    own = STAGED.removeprefix("with\n")
    assert found.sql == (
        f"/* mine */ with recursive\n{own}, staged as (select 1)"
        ' select * from staged, "staged.events as of" as e'
    )  # fmt: skip


def test_a_name_that_a_definition_takes_for_its_own_is_left_alone(ask):
    assert '"staged.events as of" as "events", events\n' in ask("select n from counted").sql


def test_a_bound_key_reads_through_the_macro_value_by_value(ask):
    found = ask("with a as (select * from days where symbol in ('B', 'it''s')) select date from a")
    calls = "\nunion all\n".join(
        f'select v."symbol", v."date" from main.days_asof({text}, {LIMIT}) as v where v."symbol" = {text}'
        for text in ("'B'", "'it''s'")
    )
    assert found.sql == (
        f'with\n"days as of" as not materialized (\n{calls}\n),'
        " a as (select * from \"days as of\" as \"days\" where symbol in ('B', 'it''s')) select date from a"
    )
    assert found.text.endswith(": days -> days_asof")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from days",
        "select * from days where symbol = 'A' or date > '2024-01-01'",
        "select (select count(*) from days) from days where symbol = 'A'",
        f"select * from days where symbol in ({', '.join(repr(str(n)) for n in range(40))})",
    ],
)
def test_a_key_that_is_not_bound_or_too_often_reads_by_the_definition(ask, sql):
    assert "days_asof(" not in ask(sql).sql


def test_a_macro_is_taken_apart_with_its_arguments(ask):
    found = ask("select * from firsts(upper('a')), firsts(n := 1 + 1, symbol := 'b') as b")
    text = found.sql.partition("\n)\nselect * from ")[2]
    body = (
        '(\nselect e.symbol, e.date from "staged.events as of" as e'
        " where e.symbol = ({}) and e.symbol <> 'n' limit ({})\n)"
    )
    first, second = body.format("upper('a')", "2"), body.format("'b'", "1 + 1")
    assert text == f'{first} as "firsts", {second} as b'


def test_a_query_within_a_macros_arguments_is_rewritten_too(ask):
    found = ask("select * from firsts((select max(symbol) from days), 3)").sql
    assert found.count('from "staged.events as of" as e where e.symbol = (') == 1
    assert '((select max(symbol) from "days as of" as "days")) and' in found


def test_what_depends_on_no_knowledge_is_read_as_it_is(ask):
    sql = "select twice(2) from rules, raw.rules r, firsts('A') f, 'mine.csv', scratch, other.x"
    found = ask(sql, temporary=frozenset({"scratch"}))
    assert ", twice" not in found.sql
    assert "from rules, raw.rules r, (" in found.sql
    assert found.sql.endswith(" f, 'mine.csv', scratch, other.x")
    assert found.text.partition(": ")[2] == (
        "rules as it is, raw.rules as it is, firsts -> its definition, scratch as it is, mine.csv as of now"
    )


def test_temporary_views_are_rewritten_in_turn(ask):
    views = {"a": "select * from staged.events", "b": "select * from a where symbol = 'A'"}
    found = ask("select * from b", views=views)
    assert found.sql == (
        f'{STAGED},\n"a as of" as not materialized (\nselect * from "staged.events as of" as "events"\n),\n'
        '"b as of" as not materialized (\nselect * from "a as of" as "a" where symbol = \'A\'\n)\n'
        'select * from "b as of" as "b"'
    )


def test_keys_reach_the_raw_table_where_rows_of_a_grain_share_them(installed):
    keyed = Resource(**{**vars(EVENTS), "grain": ("symbol", "date")})
    resources = {**installed.resources, "raw.events": keyed}
    asked = AsOfCatalog(installed.graph, installed.names, installed.flows, resources)
    found = rewrite_as_of("select * from events where symbol = 'A'", asked, T).sql
    assert found.count("""and rows."symbol" in ('A')""") == 3
    assert found.count("raw.units") == 0
    assert f"derived.units_asof({LIMIT}, 'raw.events')" in found
    assert """in ('""" not in rewrite_as_of("select * from events", asked, T).sql


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select * from loads", "loads has no as-of form: {folder}/views/loads.sql reads catalog.loads, which holds the present only"),
        ("select * from above", "loads has no as-of form"),
        ("select * from catalog.loads", "catalog.loads has no as-of form: it holds the present only"),
        ("select * from raw.rejects", "raw.rejects has no as-of form: it does not say when its rows were known"),
        ("select * from clocked", "clocked has no as-of form: {folder}/views/clocked.sql asks for current_date"),
        ("select last_date('A')", "last_date has no as-of form: it is called within a row, and reads staged.events"),
        ("select * from first('A')", "first has no as-of form: it is called within a row, and reads staged.events"),
        ("select * from days_asof('A', now())", "days_asof takes its own instant: read days instead"),
        ("select * from firsts()", "firsts is called without symbol"),
        ("select * from query('select 1')", "query() computes what it reads"),
        ("select * from query_table('events')", "query_table() computes what it reads"),
        ("create temp table a as select * from events", "only a SELECT is answered"),
        ("insert into events values (1)", "only a SELECT is answered"),
        ("explain select * from events", "only a SELECT is answered"),
        ("summarize events", "only a SELECT is answered"),
        ("select 1; select 2", "only a SELECT is answered"),
        ("select * frm events", "syntax error"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_by_name(ask, installed, sql, told):
    folder = installed.graph.models["loads"].file.partition("/")[0]
    with pytest.raises(UsageError) as caught:
        ask(sql)
    assert told.format(folder=folder) in caught.value.message
    if "has no as-of form" in told:
        assert caught.value.hint == "relations that have one: counted, days, events, rules"


def test_a_macro_without_a_definition_beside_it_needs_its_key(tmp_path, installed):
    files = {
        "views/sums.sql": "select l.load_id::varchar as symbol from catalog.loads as l",
        "macros/sums_asof.sql": "create or replace macro sums_asof(symbol, as_of) as table\n"
        "select e.symbol from raw.events as e where e.symbol = symbol",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text + "\n")
    graph = load_graph([ModelFolder(tmp_path)], {"raw.events", "catalog.loads"})
    flows = pushdown_infos(graph, {"raw.events": ("symbol",)})
    names = NameScope(
        {name: flow.columns for name, flow in flows.items()}, {"sums_asof": "sums_asof"}
    )
    asked = AsOfCatalog(graph, names, flows, {"raw.events": EVENTS})
    assert "sums_asof('A'" in rewrite_as_of("select * from sums where symbol = 'A'", asked, T).sql
    with pytest.raises(UsageError, match="sums is answered for its symbol alone"):
        rewrite_as_of("select * from sums", asked, T)
