# SPDX-License-Identifier: Apache-2.0
"""DataFrames of the caller's own beside the home's relations, and several threads of one program."""

from __future__ import annotations

import threading
from datetime import date

import polars as pl
import pyarrow as pa
import pytest

from ttapi.api import Database
from ttapi.errors import QueryError, UsageError


@pytest.fixture(scope="module")
def home(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("frames"))
    lab.write_bars("AAA.csv", [(date(2024, 6, day), 10, 12, 9, 10 + day) for day in (10, 11)])
    lab.refresh("eod")
    return lab


@pytest.fixture
def database(home):
    with Database(home.home, environ=home.variables) as opened:
        yield opened


WEIGHTS = {"symbol": ["AAA", "BBB"], "weight": [0.5, 0.25]}
JOINED = "select w.symbol, w.weight * e.close as part from {} as w join eod as e using (symbol) order by all"


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "arrow"])
def test_a_frame_of_the_caller_is_joined_by_its_name(database, kind):
    if kind == "pandas":
        mine = pytest.importorskip("pandas").DataFrame(WEIGHTS)
    else:
        mine = {"polars": pl.DataFrame(WEIGHTS), "lazy": pl.LazyFrame(WEIGHTS), "arrow": pa.table(WEIGHTS)}[kind]  # fmt: skip
    assert database.sql(JOINED.format("mine")).pl().rows() == [("AAA", 10.0), ("AAA", 10.5)]
    assert len(mine.collect() if kind == "lazy" else mine) == 2
    # It was lent for the one statement.
    del mine
    with pytest.raises(QueryError, match="mine"):
        database.sql("from mine")


def test_a_frame_is_lent_for_the_statement_that_fails_too(database):
    mine = pl.DataFrame(WEIGHTS)
    with pytest.raises(QueryError, match="nothing"):
        database.sql("select nothing from mine")
    del mine
    with pytest.raises(QueryError, match="mine"):
        database.sql("from mine")


def test_a_temporary_table_comes_before_a_frame_of_its_name(database):
    database.sql("create temp table mine as select 1 as n")
    mine = pl.DataFrame(WEIGHTS)
    assert database.sql("from mine").pl().rows() == [(1,)]
    assert mine.width == 2


def test_a_relation_of_the_home_comes_first_unless_another_is_registered(database):
    eod = pl.DataFrame({"close": [7.0]})
    assert len(database.sql("from eod")) == 2
    with pytest.raises(QueryError) as refused:
        database.sql("select weight from eod")
    assert "register('eod', eod) has it read your frame" in refused.value.hint
    database.register("eod", eod)
    assert database.sql("select close from eod").pl().rows() == [(7.0,)]
    assert len(database.sql("from market.main.eod")) == 2
    database.unregister("eod")
    assert len(database.sql("from eod")) == 2


def test_what_is_no_frame_is_refused_and_a_variable_that_is_none_is_not_looked_at(database):
    with pytest.raises(UsageError, match="mine: a list is no table"):
        database.register("mine", [1, 2])
    series = pl.Series("a", [1])
    with pytest.raises(UsageError, match="series: a Series is no table"):
        database.sql("from series")
    with pytest.raises(UsageError, match="several: a ChunkedArray is no table"):
        database.register("several", pa.chunked_array([[1]]))
    assert series.len() == 1
    numbers = [1, 2]
    with pytest.raises(QueryError, match="numbers"):
        database.sql("from numbers")
    assert numbers


def test_each_thread_has_a_connection_of_its_own(database):
    database.sql("create temp table mine as select 1 as a")
    found = {}

    def work(number):
        database.sql(f"create temp table own as select {number} as n")
        own = database.sql("select n from own").pl().item()
        found[number] = (own, len(database.sql("from eod")))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: (n, 2) for n in range(4)}
    assert database.sql("select a from mine").pl().item() == 1
    with pytest.raises(QueryError):
        database.sql("from own")


def test_a_frame_keeps_every_column_and_an_interval(database):
    answer = database.sql(
        "select 1 as a, 2 as a, interval '2 days' as gap, interval '1 month' as m"
    )
    assert answer.pl().columns == ["a", "a_1", "gap", "m"]
    assert answer.pl()["gap"].dt.total_hours().to_list() == [48]
    assert answer.pl()["m"].to_list() == ["1 month"]
    assert answer.arrow().column_names == ["a", "a", "gap", "m"]
