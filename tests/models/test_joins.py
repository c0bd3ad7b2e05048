# SPDX-License-Identifier: Apache-2.0
"""Where a limit on one side of a join reaches the other, and where rows that fail it still matter."""

from __future__ import annotations

from datetime import date

import pytest

from ttapi.models.resolve import resolve
from ttapi.refresh.coverage import name_scope, raw_demands
from ttapi.refresh.datasets import Dataset

DATASETS = {
    name: Dataset(
        name, "raw", "", key="symbol", time_column="date", columns=("symbol", "date", name[-1])
    )
    for name in ("raw.one", "raw.two")
}


def keys(sql):
    """The symbols needed of each table that is read; None: all."""
    found = raw_demands(resolve(sql, name_scope(DATASETS)).reads, DATASETS)
    return tuple(
        None if found[name].keys is None else "".join(sorted(found[name].keys))
        for name in sorted(found)
    )


ON = "on b.symbol = a.symbol"
CASES = {
    f"raw.one as a join raw.two as b {ON} where a.symbol = 'A'": ("A", "A"),
    f"raw.one as a join raw.two as b {ON} where b.symbol = 'A'": ("A", "A"),
    f"raw.one as a join raw.two as b {ON} and b.symbol = 'A'": ("A", "A"),
    f"raw.one as a left join raw.two as b {ON} where a.symbol = 'A'": ("A", "A"),
    f"raw.one as a left join raw.two as b {ON} where b.symbol = 'A'": (None, "A"),
    f"raw.one as a left join raw.two as b {ON} and a.symbol = 'A'": (None, None),
    f"raw.one as a left join raw.two as b {ON} and b.symbol = 'A'": (None, "A"),
    f"raw.one as a right join raw.two as b {ON} where a.symbol = 'A'": ("A", None),
    f"raw.one as a right join raw.two as b {ON} where b.symbol = 'A'": ("A", "A"),
    f"raw.one as a right join raw.two as b {ON} and a.symbol = 'A'": ("A", None),
    f"raw.one as a right join raw.two as b {ON} and b.symbol = 'A'": (None, None),
    f"raw.one as a full join raw.two as b {ON} where a.symbol = 'A'": ("A", None),
    f"raw.one as a full join raw.two as b {ON} where b.symbol = 'A'": (None, "A"),
    f"raw.one as a full join raw.two as b {ON} and a.symbol = 'A'": (None, None),
    f"raw.one as a semi join raw.two as b {ON} where a.symbol = 'A'": ("A", "A"),
    f"raw.one as a semi join raw.two as b {ON} and b.symbol = 'A'": (None, "A"),
    f"raw.one as a anti join raw.two as b {ON} where a.symbol = 'A'": ("A", "A"),
    f"raw.one as a anti join raw.two as b {ON} and a.symbol = 'A'": (None, None),
    f"raw.one as a anti join raw.two as b {ON} and b.symbol = 'A'": (None, "A"),
    "raw.one as a join raw.two as b using (symbol) where symbol = 'A'": ("A", "A"),
    "raw.one as a left join raw.two as b using (symbol) where symbol = 'A'": ("A", "A"),
    "raw.one as a right join raw.two as b using (symbol) where symbol = 'A'": ("A", "A"),
    "raw.one as a full join raw.two as b using (symbol) where symbol = 'A'": (None, None),
    "raw.one as a left join raw.two as b using (symbol) where b.symbol = 'A'": (None, "A"),
    "raw.one as a natural join raw.two as b where symbol = 'A'": ("A", "A"),
    "raw.one as a, raw.two as b where b.symbol = a.symbol and a.symbol = 'A'": ("A", "A"),
    "raw.one as a cross join raw.two as b where a.symbol = 'A'": ("A", None),
    "raw.one as a cross join raw.two as b where symbol = 'A'": (None, None),
    "raw.one as a positional join raw.two as b where a.symbol = 'A'": (None, None),
    f"raw.one as a asof join raw.two as b {ON} and a.date >= b.date where a.symbol = 'A'": ("A", "A"),
    f"raw.one as a asof join raw.two as b {ON} and a.date >= b.date where b.two = 'x'": (None, None),
    "raw.one as a join raw.two as b on b.date = a.date where a.symbol = 'A'": ("A", None),
    "raw.one as a join raw.one as b on b.date = a.date where a.symbol = 'A'": (None,),
    f"raw.one as a join raw.one as b {ON} where a.symbol = 'A'": ("A",),
}  # fmt: skip


@pytest.mark.parametrize("source", CASES)
def test_a_limit_travels_where_rows_that_fail_it_cannot_matter(source):
    assert keys(f"select 1 as x from {source}") == CASES[source]


BLOCKS = {
    "select * exclude (symbol) from raw.one": None,
    "select * replace (upper(symbol) as symbol) from raw.one": None,
    "select * rename (symbol as other, e as symbol) from raw.one": None,
    "select * rename (e as other) from raw.one": "A",
    "select a.* from raw.one as a": "A",
    "select symbol, e as symbol from raw.one": None,
    "select symbol, symbol from raw.one": "A",
    "select e as symbol, symbol from raw.one": None,
    "select symbol from raw.one union all select symbol from raw.two limit 5": None,
    "select symbol from raw.one union all select symbol from raw.two offset 5": None,
    f"select a.symbol, lag(b.o) over (partition by a.symbol) as v from raw.one as a left join raw.two as b {ON}": "A",
    f"select a.symbol, lag(b.o) over (partition by b.symbol) as v from raw.one as a left join raw.two as b {ON}": None,
    f"select a.symbol, lag(b.o) over (partition by b.symbol) as v from raw.one as a join raw.two as b {ON}": "A",
    "with recursive r as (select symbol from raw.one union all select symbol from r) select * from r": None,
    "with r as (select symbol from raw.one) select * from r": "A",
    "select symbol from raw.one union all by name select two as symbol from raw.two": "A",
    "(select symbol from raw.one union all select symbol from raw.two) limit 5": None,
    "(select symbol from raw.one union all select symbol from raw.two) offset 5": None,
    "select symbol from raw.one intersect select symbol from raw.two": "A",
    "select symbol from raw.one having count(*) > 1": None,
    "select symbol, unheard_of(e) as e from raw.one": None,
    "select symbol, regexp_full_match(e, 'x') as e from raw.one": "A",
    "select symbol, e from raw.one group by symbol, e having count(*) > 1": "A",
    "select e, symbol, count(*) as n from raw.one group by 2, 1": "A",
    "select symbol, e, count(*) as n from raw.one group by 2": None,
    "select symbol, lag(e) over (partition by symbol) as x, lag(e) over (order by date) as y from raw.one": None,
    "select symbol from raw.one order by row_number() over (order by date)": None,
}  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_a_limit_goes_into_a_block_where_each_value_stands_by_itself(block):
    needed = keys(f"select * from ({block}) as q where q.symbol = 'A'")
    assert needed[0] == BLOCKS[block]


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ("('A'), ('B')", "AB"),
        ("('A')", "A"),
        ("('A'), (null)", None),
        ("('A'), (upper('b'))", "AB"),
    ],
)
def test_a_list_of_values_limits_what_is_joined_to_it(values, needed):
    sql = f"select 1 as x from (values {values}) as v(symbol) join raw.one as a on a.symbol = v.symbol"
    assert keys(sql) == (needed,)


@pytest.mark.parametrize(
    ("sides", "needed"),
    [
        ("select 'A' as symbol union all select 'B'", ("AB",)),
        ("select 'A' as symbol union all select symbol from raw.two", (None, None)),
        ("select symbol from raw.two union all select 'A'", (None, None)),
        ("select 'A' as symbol union all by name select 1 as other", (None,)),
        ("select 'A' as symbol union all by name select 'B' as symbol", ("AB",)),
    ],
)
def test_a_union_limits_what_is_joined_to_it_where_both_sides_name_values(sides, needed):
    sql = f"select 1 as x from ({sides}) as v join raw.one as a on a.symbol = v.symbol"
    assert keys(sql) == needed


def test_a_subquery_is_limited_by_the_row_around_it():
    inner = "select max(b.date) from raw.two as b where b.symbol = a.symbol"
    assert keys(f"select ({inner}) as d from raw.one as a where a.symbol = 'A'") == ("A", "A")
    assert keys(f"select a.symbol from raw.one as a where a.symbol = 'A' and a.date = ({inner})") == ("A", "A")  # fmt: skip
    free = "select max(b.date) from raw.two as b"
    assert keys(f"select ({free}) as d from raw.one as a where a.symbol = 'A'") == ("A", None)


def test_a_bare_name_is_nobodys_where_a_relation_of_unknown_columns_may_have_it():
    datasets = {**DATASETS, "raw.dark": Dataset("raw.dark", "raw", "", key="symbol")}

    def needed(sql):
        found = raw_demands(resolve(sql, name_scope(datasets)).reads, datasets)
        return found["raw.one"].keys

    assert needed("select 1 as x from raw.one, raw.dark where symbol = 'A'") is None
    assert needed("select 1 as x from raw.one as a, raw.dark where a.symbol = 'A'") == {"A"}


def test_a_date_of_the_nearer_row_of_an_asof_join_limits_nothing():
    def span(sql):
        return raw_demands(resolve(sql, name_scope(DATASETS)).reads, DATASETS)["raw.two"].span

    source = f"select 1 as x from raw.one as a asof join raw.two as b {ON} and a.date >= b.date"
    plain = f"select 1 as x from raw.one as a join raw.two as b {ON}"
    assert span(f"{source} where b.date >= '2024-06-14'") == (None, None)
    assert span(f"{plain} where b.date >= '2024-06-14'") == (date(2024, 6, 14), None)
