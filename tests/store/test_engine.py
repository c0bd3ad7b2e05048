# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import duckdb
import pyarrow as pa
import pytest
from store_samples import in_child

from ttapi.errors import InterruptedQueryError, QueryError
from ttapi.store.engine import (
    attached,
    connect_live,
    engine_errors,
    read_number,
    spare_cursor,
    update_rows,
)
from ttapi.store.publish import publish
from ttapi.store.reader import Reader


def test_rows_committed_and_rows_just_inserted_change_together():
    # DuckDB 2.0.0 dies of such an update in one statement; a child keeps the suite alive.
    def correct_many():
        chance = random.Random(1)
        connection = duckdb.connect()
        connection.execute("create table t (k varchar, v double, said boolean)")
        wrong = 0
        for turn in range(600):
            if chance.random() < 0.2:
                connection.execute("delete from t")
            connection.execute("begin")
            rows = ", ".join(
                f"('{chance.choice('ABC')}', {chance.random()}, true)"
                for _ in range(chance.randint(1, 9))
            )
            connection.execute(f"insert into t values {rows}")
            picked = f"select rowid as rid, v, hash(v + {turn}) % 2 = 0 as said from t where hash(v - {turn}) % 2 = 0"
            connection.execute(f"create or replace temp table moved as {picked}")
            update_rows(connection, "t", "said = picked.said", "moved")
            connection.execute("drop table moved")
            wrong += connection.execute(
                f"select count(*) from t where hash(v - {turn}) % 2 = 0 and said <> (hash(v + {turn}) % 2 = 0)"
            ).fetchall()[0][0]
            connection.execute("commit")
        return wrong

    assert in_child(correct_many) == ["ok", 0]


def test_the_live_file_never_keeps_metadata_that_old_clients_cannot_follow(tmp_path):
    with connect_live(tmp_path / "live.duckdb") as connection:
        assert connection.execute(
            "select current_setting('experimental_metadata_reuse')"
        ).fetchall() == [(False,)]


def test_a_file_is_asked_by_several_threads_one_after_the_other(home):
    def generation(_):
        with attached(home.live_file) as connection:
            return read_number(connection, "last_load_id"), connection.execute(
                "select current_database()"
            ).fetchall()

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(generation, range(40)))
    assert {number for number, _ in answers} == {0}
    assert all(name.startswith("read_") for _, [(name,)] in answers)
    connect_live(home.live_file).close()  # nobody has it


def test_a_temporary_table_is_known_however_it_was_made(fresh_store, home):
    publish(fresh_store)
    with closing(Reader(home)) as reader:
        assert (reader.temporary_tables(), reader.temporary_views()) == (frozenset(), {})
        reader.run("explain analyze create temp table made as select 1 as a")
        reader.run("create temp view seen as select 2 as b")
        found = reader.temporary_tables() | reader.temporary_views().keys()
    assert found == {"made", "seen"}


def reader_that_raises(error):
    schema = pa.schema([("a", pa.int64())])

    def batches():
        yield pa.record_batch([pa.array([1])], schema=schema)
        raise error

    return pa.RecordBatchReader.from_batches(schema, batches())


def test_an_interrupt_that_came_while_the_engine_read_is_one_still():
    rows = spare_cursor().from_arrow(reader_that_raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt), engine_errors():
        rows.fetchall()
    rows = spare_cursor().from_arrow(reader_that_raises(ValueError("KeyboardInterrupt")))
    with pytest.raises(QueryError, match="ValueError: KeyboardInterrupt"), engine_errors():
        rows.fetchall()


@pytest.mark.parametrize("sql", ["KeyboardInterrupt", "select KeyboardInterrupt", "select 'a: KeyboardInterrupt'::int"])  # fmt: skip
def test_a_query_that_only_names_one_is_wrong_as_any_other(sql):
    with pytest.raises(QueryError), engine_errors():
        spare_cursor().execute(sql)


def test_a_query_that_is_ended_from_elsewhere_says_so():
    cursor = spare_cursor()
    timer = threading.Timer(0.2, cursor.interrupt)
    timer.start()
    with pytest.raises(InterruptedQueryError), engine_errors():
        cursor.execute(
            "select count(*) from range(10000000000) as a(i) where hash(i) = 0"
        ).fetchall()
    timer.join()
