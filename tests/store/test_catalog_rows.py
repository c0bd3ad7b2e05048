# SPDX-License-Identifier: Apache-2.0
"""The catalog's rows as values: a column is named once in Python and once in its migration."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ttapi.store.catalog import changed_keys_since, read_meta, write_changed_keys, write_meta
from ttapi.store.catalog_rows import (
    ROW_TYPES,
    CheckRow,
    MetaRow,
    SliceRow,
    columns_of,
    insert_rows,
    read_rows_of,
)

AT = datetime(2024, 6, 14, 22, 0, 0, 250000, tzinfo=UTC)


@pytest.mark.parametrize("row_type", ROW_TYPES, ids=lambda one: one.table)
def test_fields_are_the_columns_of_the_migrated_table(fresh_store, row_type):
    with fresh_store.reading() as cursor:
        found = cursor.execute(
            "select column_name, lower(data_type) from duckdb_columns()"
            " where schema_name = 'catalog' and table_name = ? order by column_index",
            [row_type.table],
        ).fetchall()
    names = {"integer": "bigint"}
    assert [(n, names.get(t, t)) for n, t in found] == list(columns_of(row_type).items())


def test_rows_are_read_as_they_were_written(fresh_store):
    rows = [
        CheckRow("eod", "unique(grain)", 0, None, 7, AT),
        CheckRow("eod", "it's", 2**40, '{"a": 1}', 8, AT),
    ]
    slices = [
        SliceRow("raw.x", "A", None, date(2024, 1, 2), AT, 7),
        SliceRow("raw.x", "B", date(1, 1, 1), None, AT, 7),
    ]
    with fresh_store.transaction() as cursor:
        insert_rows(cursor, rows)
        insert_rows(cursor, slices)
        insert_rows(cursor, [])
        assert read_rows_of(cursor, CheckRow) == [rows[1], rows[0]]
        assert read_rows_of(cursor, CheckRow, "load_id = ?", [7]) == [rows[0]]
        assert read_rows_of(cursor, SliceRow) == slices


def test_a_fact_about_the_file_has_one_value(fresh_store):
    with fresh_store.transaction() as cursor:
        assert read_meta(cursor, "colour") is None
        write_meta(cursor, "colour", "red")
        write_meta(cursor, "colour", "blue")
        assert read_rows_of(cursor, MetaRow, "name = 'colour'") == [MetaRow("colour", "blue")]


def test_changed_keys_are_those_after_a_load_and_all_where_one_changed_all(fresh_store):
    with fresh_store.transaction() as cursor:
        write_changed_keys(cursor, 1, "eod", ["A"])
        write_changed_keys(cursor, 2, "eod", ["C", "B"])
        write_changed_keys(cursor, 3, "eod", ["B"])
        assert changed_keys_since(cursor, "eod", 0) == ["A", "B", "C"]
        assert changed_keys_since(cursor, "eod", 1) == ["B", "C"]
        assert changed_keys_since(cursor, "eod", 3) == []
        write_changed_keys(cursor, 4, "eod", None)
        assert changed_keys_since(cursor, "eod", 3) is None
        assert changed_keys_since(cursor, "other", 0) == []
