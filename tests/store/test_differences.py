# SPDX-License-Identifier: Apache-2.0
"""Two contents held against each other, and the migrations a file lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttapi.errors import MigrationError
from ttapi.store.engine import AppliedMigration
from ttapi.store.integrity import Contents, TableFacts, differences
from ttapi.store.schema import Migration, pending_migrations, read_migrations


def contents(**tables):
    return Contents({name: TableFacts(*facts) for name, facts in tables.items()}, {})


def test_what_tells_two_contents_apart_is_a_line_a_table():
    wanted = contents(a=(1200, "x"), b=(2, "x"), c=(3, "x"), d=(4, "x"))
    found = contents(a=(1199, "y"), b=(2, "y"), c=(3, "x"), e=(5, "x"))
    lines = [
        "table d is missing",
        "table e is one too many",
        "table a has 1,199 rows, not 1,200",
        "table b has other content in its 2 rows",
    ]
    assert differences(wanted, found) == lines
    assert differences(wanted, found, has_same_engine=False) == lines[:3]
    assert differences(wanted, wanted) == []
    assert wanted.rows == 1209


def step(version, checksum="s"):
    return Migration(version, f"step{version}", "", checksum)


def done(version, checksum="s"):
    return AppliedMigration(version, f"step{version}", checksum)


FILE = Path("market.duckdb")


def test_pending_are_the_steps_after_the_last_applied():
    steps = (step(1), step(2), step(3))
    assert pending_migrations((), steps, FILE) == steps
    assert pending_migrations((done(1), done(2)), steps, FILE) == (step(3),)
    assert pending_migrations(tuple(map(done, (1, 2, 3))), steps, FILE) == ()


@pytest.mark.parametrize(
    ("applied", "kind", "told"),
    [
        (
            (done(1), done(2), done(3)),
            "newer schema",
            "at schema version 3, and this ttapi knows 2",
        ),
        ((done(1, "other"), done(2)), "altered schema", "0001_step1.sql was altered"),
        ((done(2),), "altered schema", "0001_step1.sql was never applied"),
    ],
)
def test_steps_that_are_unknown_altered_or_skipped_are_refused(applied, kind, told):
    with pytest.raises(MigrationError, match=told) as refused:
        pending_migrations(applied, (step(1), step(2)), FILE)
    assert refused.value.kind == kind


def test_steps_lie_in_their_folder_by_version(tmp_path):
    for name in ("0002_b.sql", "0001_a.sql"):
        (tmp_path / name).write_text(f"-- {name}")
    assert [(one.version, one.name, one.sql) for one in read_migrations(tmp_path)] == [
        (1, "a", "-- 0001_a.sql"),
        (2, "b", "-- 0002_b.sql"),
    ]
    (tmp_path / "0002_c.sql").write_text("")
    with pytest.raises(MigrationError, match="version 2 is already 'b'"):
        read_migrations(tmp_path)
    (tmp_path / "0002_c.sql").rename(tmp_path / "3_c.sql")
    with pytest.raises(MigrationError, match="is no migration"):
        read_migrations(tmp_path)
