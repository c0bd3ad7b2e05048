# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import duckdb
from store_samples import in_child

from ttapi.store.engine import connect_live, update_rows


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
