# SPDX-License-Identifier: Apache-2.0
"""What is offered at the cursor, which `|` marks."""

from __future__ import annotations

import pytest

from ttapi.cli.shell.completion import candidates
from ttapi.cli.shell.dot import COMMANDS
from ttapi.cli.shell.names import ColumnInfo, Function, Relation, SqlNames


def relation(name, *columns, kind="view"):
    return Relation(
        name, kind, f"about {name}", tuple(ColumnInfo(c, "DOUBLE", "USD") for c in columns)
    )


CATALOG = SqlNames(
    relations={
        r.name: r
        for r in (
            relation("eod", "symbol", "date", "close"),
            relation("eod_adjusted", "symbol", "adj_close"),
            relation("volatility", "symbol", "yang_zhang"),
            relation("odd name", "a b"),
            relation("derived.eod_adjusted", "x"),
        )
    },
    functions={
        "quantile_cont": Function("quantile_cont", "aggregate", "quantile_cont(x, pos)"),
        "volatility_over": Function("volatility_over", "table_macro", "volatility_over(symbol, lookback)", is_own=True),
        "read_csv": Function("read_csv", "table", "read_csv(file)"),
        "icu_collate_sa": Function("icu_collate_sa", "scalar", "icu_collate_sa(x)"),
        "close_enough": Function("close_enough", "scalar", "close_enough(a, b)"),
    },
    keywords=("select", "from", "where", "limit"),
    settings={"threads": "how many", "memory_limit": "how much"},
)  # fmt: skip


def offered(text):
    at = text.index("|")
    found = candidates(text.replace("|", ""), at, CATALOG, COMMANDS)
    return [one.text for one in found]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("select * from eo|", ["eod", "eod_adjusted", "derived.eod_adjusted"]),
        ("select * from eod join vol|", ["volatility", "volatility_over("]),
        ("select * from eod, vol|", ["volatility", "volatility_over("]),
        ("select | from eod", ["symbol", "date", "close", "eod"]),
        ("select cl| from eod", ["close", "close_enough("]),
        ("select s|", ["symbol", "select"]),
        ("select symbol, cl|", ["close", "close_enough(", "adj_close"]),
        ("s|", ["select"]),
        ("select e.| from eod e", ["symbol", "date", "close"]),
        ("select e.c| from eod as e", ["close"]),
        ("select eod.| from eod", ["symbol", "date", "close"]),
        ("select a.| from eod e join eod_adjusted a using (symbol)", ["symbol", "adj_close"]),
        ("select * from (select symbol from volatility v where v.| ) t", ["symbol", "yang_zhang"]),
        ("with w as (select symbol, close * 2 as twice from eod) select w.| from w", ["symbol", "twice"]),
        ("select quant|", ["quantile_cont("]),
        ("select |", ["quantile_cont(", "close_enough(", "select", "from", "where", "limit"]),
        ("select icu_coll|", ["icu_collate_sa("]),
        ("select * from derived.|", ["eod_adjusted"]),
        ("select * from main.eod_|", ["eod_adjusted"]),
        ("select 1; select * from vola|", ["volatility", "volatility_over("]),
        ("select e.| from eod e; select 2", ["symbol", "date", "close"]),
        ("set thr|", ["threads"]),
        ("select 'from eo|'", []),
        ("select 1 -- from eo|", []),
        ("select * from odd|", ['"odd name"']),
        ("describe vol|", ["volatility", "volatility_over("]),
        ("sel|", ["select"]),
        (".desc|", [".describe", ".desc"]),
        (".describe vol|", ["volatility"]),
        (".mode js|", ["json", "jsonl"]),
        (".timer o|", ["on", "off"]),
        (".chart ca|", ["candle"]),
        (".explain select * from vol|", ["volatility", "volatility_over("]),
        (".help .tab|", [".tables", ".databases"]),
        (".nonsense x|", []),
        ("\\d|", ["\\dt", "\\dv", "\\d", "\\df", "\\di"]),
    ],
)  # fmt: skip
def test_what_fits_is_offered_likeliest_first(text, answer):
    assert offered(text) == answer


def test_files_are_offered_after_read(tmp_path, monkeypatch):
    (tmp_path / "one.sql").touch()
    (tmp_path / "only").mkdir()
    monkeypatch.chdir(tmp_path)
    assert offered(".read on|") == ["one.sql", "only/"]
    assert offered(f".read {tmp_path}/one|") == ["one.sql"]
    assert offered(".read /nowhere/x|") == []


def test_a_candidate_says_what_it_is_and_replaces_what_was_typed():
    first = candidates("select * from eo", 16, CATALOG, COMMANDS)[0]
    assert (first.text, first.typed, first.about, first.kind) == ("eod", 2, "about eod", "view")
    column = candidates("select e. from eod e", 9, CATALOG, COMMANDS)[2]
    assert column.about == "double, USD"


def test_nothing_is_offered_where_nothing_is_known():
    assert candidates("select * from x", 15, SqlNames(), COMMANDS) == []
