# SPDX-License-Identifier: Apache-2.0
"""Words that no relation may be called by."""

from __future__ import annotations

import duckdb

from ttapi.models.model import RESERVED


def cannot_be_named(connection, word):
    try:
        connection.execute(f"create or replace temp table {word} as select 1 as i")
        connection.execute(f"select x.i from {word} as x join {word} as y using (i)")
        connection.execute(f"select {word}.i from {word}")
    except duckdb.Error:
        return True
    return False


def test_every_word_that_this_engine_refuses_is_reserved():
    with duckdb.connect() as connection:
        words = connection.execute("select keyword_name from duckdb_keywords()").fetchall()
        refused = {word for (word,) in words if cannot_be_named(connection, word)}
    assert {"select", "table", "left"} <= refused
    assert refused - RESERVED == set()
    assert {"eod", "date", "close", "values"} & RESERVED == set()
