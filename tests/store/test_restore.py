# SPDX-License-Identifier: Apache-2.0
"""Which copy a restore takes, and what it leaves where it was."""

from __future__ import annotations

import shutil

import pytest

from ttapi.errors import StoreError
from ttapi.store import open_store
from ttapi.store.publish import publish
from ttapi.store.restore import origins, prepare_best, prepare_live


@pytest.fixture
def published(home, now):
    """A home with generations 1 and 2; the live file as it stood at each, by generation."""
    kept = {}
    for generation in (1, 2):
        with open_store(home, command="test", wait_s=0, now=now) as store:
            publish(store, keep=5)
        kept[generation] = home.live_file.with_name(f"kept-{generation}")
        shutil.copyfile(home.live_file, kept[generation])
    return home, kept


def best(home):
    prepared = prepare_best(home)
    prepared.file.unlink()
    return prepared.origin.kind, prepared.origin.generation


def test_a_whole_live_file_as_new_as_the_snapshots_is_taken(published):
    home, _ = published
    assert best(home) == ("live", 2)


def test_a_whole_live_file_that_is_older_than_a_snapshot_is_not_taken(published):
    home, kept = published
    shutil.copyfile(kept[1], home.live_file)
    assert best(home) == ("snapshot", 2)
    with pytest.raises(StoreError, match="stands at generation 1, and 2 is kept"):
        prepare_live(home, at_least=2)


def test_the_newest_snapshot_that_is_whole_is_taken_where_the_live_file_is_not(published):
    home, _ = published
    home.live_file.write_bytes(b"no database")
    assert [(one.kind, one.generation) for one in origins(home)] == [
        ("snapshot", 2),
        ("snapshot", 1),
    ]
    assert best(home) == ("snapshot", 2)
    newest = home.snapshots / "market.000002.duckdb"
    newest.chmod(0o600)
    newest.write_bytes(newest.read_bytes()[:-4096])
    assert best(home) == ("snapshot", 1)


def test_where_nothing_is_whole_everything_tried_is_told(published):
    home, _ = published
    for file in (home.live_file, *home.snapshots.iterdir()):
        file.chmod(0o600)
        file.write_bytes(b"no database")
    with pytest.raises(StoreError, match="holds no whole copy"):
        prepare_best(home)
    assert not list(home.live.glob("*.tmp-*"))
