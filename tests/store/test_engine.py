# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import duckdb
from store_samples import in_child

from ttapi.store.engine import change_rows


def test_rows_committed_and_rows_just_inserted_change_together():
    # DuckDB 2.0.0 dies of the same update sent as one statement; a child keeps the suite alive.
    def correct_many():
        chance = random.Random(1)
        connection = duckdb.connect()
        connection.execute("create table t (k varchar, v double, is_current boolean)")
        wrong = 0
        for _ in range(400):
            if chance.random() < 0.2:
                connection.execute("delete from t")
            connection.execute("begin")
            rows = ", ".join(
                f"('{chance.choice('ABC')}', {chance.random()}, true)"
                for _ in range(chance.randint(1, 9))
            )
            connection.execute(f"insert into t values {rows}")
            connection.execute(
                "create or replace temp table moved as"
                f" select rowid as rid, hash(v) % 2 = 0 as wins from t where hash(v) % 7 < {chance.randint(1, 7)}"
            )
            change_rows(
                connection,
                "update t as rows set is_current = moved.wins from moved where rows.rowid = moved.rid and {part}",
            )
            wrong += connection.execute(
                "select count(*) from t join moved on t.rowid = moved.rid"
                " where t.is_current is distinct from moved.wins"
            ).fetchall()[0][0]
            connection.execute("drop table moved")
            connection.execute("commit")
        return wrong

    assert in_child(correct_many) == ["ok", 0]
