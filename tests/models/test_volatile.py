# SPDX-License-Identifier: Apache-2.0
"""What makes the answer of a query no function of the stored data."""

from __future__ import annotations

import pytest

from ttapi.models.portability import _NAMES, volatile_parts


@pytest.mark.parametrize("name", sorted(_NAMES))
def test_every_function_of_the_session_or_the_clock_is_seen(name):
    assert len(volatile_parts(f"select {name}()")) == 1


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("select 1", 0),
        ("select abs(x), upper(y), age(x, y) from eod", 0),
        ("select age(x) from eod", 1),
        (
            "select current_date, localtime, localtimestamp, current_user, session_user, current_catalog",
            6,
        ),
        ("select random(), uuid()", 2),
        ("select * from eod using sample 5", 1),
        ("select (select now()) from eod where x = (select random())", 2),
        ("select 1; select now(); select now()", 1),
    ],
)
def test_each_volatile_part_is_named_once(sql, count):
    assert len(volatile_parts(sql)) == count


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("select getenv('x')", ["getenv()"]),
        ("select * from duckdb_tables()", ["duckdb_tables()"]),
        ("select * from 'b.csv', 'a.csv'", ["a.csv", "b.csv"]),
        ("select * from information_schema.tables", ["information_schema.tables"]),
        ("select version()", ["version()"]),
    ],
)
def test_a_volatile_part_is_named_as_it_is_written(sql, parts):
    assert volatile_parts(sql) == parts
