# SPDX-License-Identifier: Apache-2.0
"""Conditions and the blocks around them, as keys and dates of the raw rows they need."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from ttapi.models.limits import (
    ParameterValue,
    RelationRead,
    SameColumn,
    ValueRange,
    ValueSet,
    bind_parameters,
    reads_from_json,
    reads_to_json,
)
from ttapi.models.predicates import Literals, conjuncts
from ttapi.models.references import parse_statements
from ttapi.models.resolve import resolve
from ttapi.refresh.coverage import name_scope, raw_demands
from ttapi.refresh.datasets import Dataset

DATASETS = {
    name: Dataset(
        name, "raw", "", key="symbol", time_column="date", columns=("symbol", "date", "v")
    )
    for name in ("raw.one", "raw.two")
}

LITERALS = Literals(frozenset({"k"}))


def demand(sql, bound=None):
    """Keys and first and last day needed of raw.one; None: all of them."""
    found = raw_demands(resolve(sql, name_scope(DATASETS), bound=bound).reads, DATASETS)["raw.one"]
    low, high = found.span
    keys = None if found.keys is None else sorted(found.keys)
    return keys, low and low.isoformat(), high and (high - timedelta(days=1)).isoformat()


CONDITIONS = {
    "date >= '2024-06-14'": (None, "2024-06-14", None),
    "date > '2024-06-14'": (None, "2024-06-15", None),
    "date <= '2024-06-14'": (None, None, "2024-06-14"),
    "date < '2024-06-14'": (None, None, "2024-06-13"),
    "date = '2024-06-14'": (None, "2024-06-14", "2024-06-14"),
    "'2024-06-14' >= date": (None, None, "2024-06-14"),
    "'2024-06-14' > date": (None, None, "2024-06-13"),
    "'2024-06-14' <= date": (None, "2024-06-14", None),
    "'2024-06-14' < date": (None, "2024-06-15", None),
    "'2024-06-14' = date": (None, "2024-06-14", "2024-06-14"),
    "date between '2024-06-13' and '2024-06-14'": (None, "2024-06-13", "2024-06-14"),
    "date between '2024-06-13' and v": (None, "2024-06-13", None),
    "date between v and '2024-06-14'": (None, None, "2024-06-14"),
    "date > '2024-06-01' and date >= '2024-06-10'": (None, "2024-06-10", None),
    "date < '2024-06-20' and date <= '2024-06-10'": (None, None, "2024-06-10"),
    "date = '2024-06-01' or date = '2024-06-10'": (None, "2024-06-01", "2024-06-10"),
    "date < '2024-06-01' or date > '2024-06-10'": (None, None, None),
    "date::date >= date '2024-06-14'": (None, "2024-06-14", None),
    "(date) >= ('2024-06-14')": (None, "2024-06-14", None),
    "date <> '2024-06-14'": (None, None, None),
    "not date >= '2024-06-14'": (None, None, None),
    "date >= current_date": (None, None, None),
    "symbol = 'A'": (["A"], None, None),
    "'A' = symbol": (["A"], None, None),
    "symbol is not distinct from 'A'": (["A"], None, None),
    "symbol in ('A', 'B')": (["A", "B"], None, None),
    "symbol in ('A', v)": (None, None, None),
    "symbol not in ('A')": (None, None, None),
    "symbol in (select t.symbol from raw.two as t)": (None, None, None),
    "symbol = 'A' or symbol = 'B'": (["A", "B"], None, None),
    "symbol = 'A' or v = 1": (None, None, None),
    "v = 1 or symbol = 'A'": (None, None, None),
    "symbol = 'A' and v = 1": (["A"], None, None),
    "v = 1 and symbol = 'A'": (["A"], None, None),
    "symbol in ('A', 'B') and symbol = 'B'": (["B"], None, None),
    "symbol = upper('a')": (["A"], None, None),
    "upper(symbol) = 'A'": (None, None, None),
    "symbol = 5": (None, None, None),
    "try_cast(symbol as varchar) = 'A'": (None, None, None),
    "symbol = 'A' and date >= '2024-06-14'": (["A"], "2024-06-14", None),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_needs_these_keys_and_days(condition):
    assert demand(f"select * from raw.one where {condition}") == CONDITIONS[condition]


BLOCKS = {
    "select * from raw.one as o": ["A"],
    "select o.symbol, o.v from raw.one as o where o.v > 1": ["A"],
    "select o.symbol, sum(o.v) as v from raw.one as o group by o.symbol": ["A"],
    "select o.symbol, sum(o.v) as v from raw.one as o group by 1": ["A"],
    "select o.symbol, sum(o.v) as v from raw.one as o group by all": ["A"],
    "select distinct o.symbol from raw.one as o": ["A"],
    "select distinct on (o.symbol) o.symbol, o.v from raw.one as o": ["A"],
    "select o.symbol, lag(o.v) over (partition by o.symbol order by o.date) as v from raw.one as o": ["A"],
    "select o.symbol, lag(o.v) over w as v from raw.one as o window w as (partition by o.symbol)": ["A"],
    "select o.symbol from raw.one as o union all select t.symbol from raw.two as t": ["A"],
    "select o.symbol, o.v from raw.one as o qualify row_number() over (partition by o.symbol order by o.date) = 1": ["A"],
    "select o.symbol from raw.one as o join raw.two as t on t.symbol = o.symbol": ["A"],
    "select t.symbol from raw.two as t join raw.one as o on t.symbol = o.symbol": ["A"],
    "select * from raw.one as o tablesample 10%": None,
    "select * from raw.one as o using sample 5": None,
    "(select * from raw.one as o) using sample 5": None,
    "select * from raw.one as o limit 5": None,
    "select * from raw.one as o offset 5": None,
    "select * from raw.one as o order by o.v fetch first 5 rows only": None,
    "(select * from raw.one as o) limit 5": None,
    "(select * from raw.one as o) offset 5": None,
    "select max(o.symbol) as symbol from raw.one as o": None,
    "select o.symbol, sum(o.v) as v from raw.one as o group by rollup (o.symbol)": None,
    "select o.symbol, sum(o.v) as v from raw.one as o group by cube (o.symbol)": None,
    "select o.symbol, sum(o.v) as v from raw.one as o group by grouping sets ((o.symbol), ())": None,
    "select max(o.symbol) as symbol, o.date from raw.one as o group by o.date": None,
    "select distinct on (o.date) o.symbol, o.date from raw.one as o": None,
    "select o.symbol, lag(o.v) over (order by o.date) as v from raw.one as o": None,
    "select o.symbol, lag(o.v) over (partition by o.date) as v from raw.one as o": None,
    "select o.symbol, lag(o.v) over w as v from raw.one as o window w as (order by o.date)": None,
    "select o.symbol from raw.one as o qualify row_number() over (order by o.date) = 1": None,
    "select lower(o.symbol) as symbol from raw.one as o": None,
    "select o.v as symbol, o.symbol as other from raw.one as o": None,
    "select o.symbol from raw.one as o union all (select t.symbol from raw.two as t) limit 5": None,
    "select t.symbol from raw.two as t join raw.one as o on t.v = o.v": None,
}  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_a_condition_around_a_block_goes_through_or_not(block):
    assert demand(f"select * from ({block}) as b where b.symbol = 'A'")[0] == BLOCKS[block]


def test_a_bound_parameter_is_a_value_and_an_unbound_one_is_none():
    sql = "select * from raw.one where symbol = $symbol and date >= $since"
    assert demand(sql, {"symbol": "A", "since": date(2024, 6, 14)}) == (["A"], "2024-06-14", None)
    assert demand(sql, {"symbol": "A", "since": 5}) == (["A"], None, None)
    assert demand(sql) == (None, None, None)


def test_what_an_argument_is_known_to_be_stands_for_the_parameter():
    def limits(atom, argument):
        read = RelationRead("raw.one", {"symbol": frozenset([atom])})
        return bind_parameters(read, {}, {"s": argument}).limits

    texts = frozenset([ValueSet(frozenset({"a", "B"}))])
    assert limits(ParameterValue("s"), texts) == {"symbol": texts}
    assert limits(ParameterValue("s", is_upper=True), texts) == {
        "symbol": frozenset([ValueSet(frozenset({"A", "B"}))])
    }
    assert limits(ParameterValue("s", is_upper=True), frozenset([ParameterValue("t")])) == {
        "symbol": frozenset([ParameterValue("t", is_upper=True)])
    }
    assert limits(ParameterValue("s", is_upper=True), frozenset([ValueRange("a", "b")])) == {}
    assert limits(ParameterValue("other"), texts) == {}


def test_the_name_of_a_parameter_is_no_column_in_whatever_case():
    def found(text):
        condition = parse_statements(f"select 1 where {text}")[0].args["where"].this
        return [(one.column.name, one.limit) for one in conjuncts(condition, LITERALS)]

    assert found("K = 'A'") == found("k = 'A'") == []
    assert found("t.K = 'A'") == [("K", frozenset([ValueSet(frozenset({"A"}))]))]
    assert found("symbol = K") == [("symbol", frozenset([ParameterValue("k")]))]


READS = (
    RelationRead("raw.one", {"symbol": frozenset([ValueSet(frozenset({"B", "A"}))]), "date": frozenset([ValueRange("x", None, is_high_out=True)])}),
    RelationRead("m", {"a": frozenset([SameColumn("b")])}, {"0": frozenset([ParameterValue("s", is_upper=True)])}),
)  # fmt: skip


def test_limits_are_the_same_when_read_back_from_json():
    assert reads_from_json(json.loads(json.dumps(reads_to_json(READS)))) == READS
    assert reads_to_json(READS)[0]["limits"] == {
        "symbol": [["among", "A", "B"]],
        "date": [["within", "x", None, False, True]],
    }
    with pytest.raises(ValueError, match="unheard"):
        reads_from_json([{"relation": "x", "limits": {"a": [["unheard"]]}, "arguments": {}}])
