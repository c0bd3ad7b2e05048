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
        connection.execute("create table t (id integer, said varchar, is_current boolean)")
        wrong = 0
        for turn in range(300):
            connection.execute("begin")
            count = chance.randint(0, 9)
            connection.execute(f"insert into t select range, 'A', null from range({count})")
            connection.execute(f"create or replace temp table moved as select rowid as rid, hash(rowid + {turn}) % 2 = 0 as wins from t")
            change_rows(
                connection,
                "update t as rows set is_current = moved.wins from moved where rows.rowid = moved.rid and {part}",
            )
            wrong += connection.execute(
                "select count(*) from t join moved on t.rowid = moved.rid where t.is_current is distinct from moved.wins"
            ).fetchall()[0][0]
            connection.execute("commit")
        return wrong

    assert in_child(correct_many) == ["ok", 0]
