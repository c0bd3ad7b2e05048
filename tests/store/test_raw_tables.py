# SPDX-License-Identifier: Apache-2.0
"""A raw table is declared once, by its resource: what old migrations made is what would be made now."""

from __future__ import annotations

import re
from contextlib import closing

import duckdb
import pytest

from ttapi.config import bundled_folder
from ttapi.sources.discovery import installed_sources
from ttapi.store.schema import ensure_raw_table, read_migrations

RAW_DDL = re.compile(
    r"(create|drop)\s+(or\s+replace\s+)?table\s+(if\s+(not\s+)?exists\s+)?raw\.\w+"
    r"|alter\s+table\s+raw\.\w+\s+(?!rename\b)",
    re.IGNORECASE,
)
"""What makes or changes a raw table; a rename is no declaration."""
APPLIED = {
    1: "d549b019197b3207cba5c9b8f9769cea",
    2: "564e2f0d76e55fc8562d03689020f7a6",
    3: "cbac358a3975c0f8dee1b1197c8270a3",
    4: "45a1ff03bbb864e3e6348cc8d1b6a260",
    5: "40439e3038ea85c47f9bc1e95da176d5",
    6: "3b0ecee0c7e44b4f6850a03f71268df4",
    7: "fcb34e02918877d45c889d1fb4386715",
    8: "95a748e99b6c6dacb70677585d6db5fa",
    9: "6dbade5c41d7559510c4b9f90feed854",
    10: "d98c14f904c991c702784c0c1f93c0b7",
}
"""SHA-256 of the migrations that files out there were made by, first half."""


@pytest.fixture(scope="module")
def resources(tmp_path_factory):
    """What the bundled sources declare."""
    found = installed_sources(tmp_path_factory.mktemp("no_plugins"))
    return [one for installed in found if installed.source for one in installed.source.resources]


def raw_columns(connection):
    """(name, type, may be null, comment) of every raw table's columns, by table, in order."""
    rows = connection.execute(
        "select table_name, column_name, data_type, is_nullable, comment from duckdb_columns()"
        " where schema_name = 'raw' order by table_name, column_index"
    ).fetchall()
    return {
        table: [row[1:] for row in rows if row[0] == table] for table in {row[0] for row in rows}
    }


def test_a_fresh_raw_table_is_the_one_that_migrations_made(resources):
    with closing(duckdb.connect()) as migrated, closing(duckdb.connect()) as fresh:
        for step in read_migrations(bundled_folder("migrations")):
            migrated.execute(step.sql)
        fresh.execute("create schema raw")
        for resource in resources:
            ensure_raw_table(migrated, resource)
            ensure_raw_table(fresh, resource)
        made = raw_columns(migrated)
        # The store's own: no source offers refused rows.
        del made["rejects"]
        assert made == raw_columns(fresh)


def test_an_applied_migration_stays_as_it_was():
    found = {step.version: step.checksum for step in read_migrations(bundled_folder("migrations"))}
    assert {version: found[version][:32] for version in APPLIED} == APPLIED


def test_a_later_migration_leaves_raw_tables_to_their_resources():
    later = [s for s in read_migrations(bundled_folder("migrations")) if s.version not in APPLIED]
    assert [
        (step.name, RAW_DDL.findall(step.sql)) for step in later if RAW_DDL.search(step.sql)
    ] == []


@pytest.mark.parametrize(
    ("sql", "is_declaration"),
    [
        ("create table raw.bars (symbol varchar)", True),
        ("CREATE TABLE IF NOT EXISTS raw.bars as select 1", True),
        ("alter table raw.bars add column volume bigint", True),
        ("alter table raw.bars alter symbol type varchar", True),
        ("drop table raw.bars", True),
        ("alter table raw.bars rename to bars_v1", False),
        ("create table catalog.bars (symbol varchar)", False),
    ],
)
def test_what_declares_a_raw_table_is_recognised(sql, is_declaration):
    assert bool(RAW_DDL.search(sql)) == is_declaration
