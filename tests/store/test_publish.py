# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import resource
import signal
import stat
import sys
import threading

import duckdb
import pytest
from store_samples import in_child

from ttapi.errors import DiskFullError, StoreError
from ttapi.store import connect_snapshot, open_store, published_generation
from ttapi.store.publish import publish


def put(store, value):
    with store.transaction() as cursor:
        cursor.execute("create or replace table raw.t as select ?::integer as a", [value])


def read(home):
    with connect_snapshot(home.public_file) as connection:
        return connection.execute("select a from raw.t").fetchall()


def names(home):
    return sorted(path.name for path in home.snapshots.iterdir())


def test_what_was_published_is_what_clients_read(fresh_store, home):
    put(fresh_store, 1)
    first = publish(fresh_store)
    put(fresh_store, 2)
    assert read(home) == [(1,)]
    second = publish(fresh_store)
    assert read(home) == [(2,)]
    assert (first.generation, second.generation, fresh_store.generation) == (1, 2, 2)
    assert published_generation(home) == 2
    assert str(home.public_file.readlink()) == "snapshots/market.000002.duckdb"
    assert stat.S_IMODE(second.file.stat().st_mode) == 0o444
    assert names(home) == ["market.000001.duckdb", "market.000002.duckdb"]
    assert [path.name for path in home.root.glob("*.tmp-*")] == []


def test_old_generations_go_but_never_the_current_one(fresh_store, home):
    for value in range(5):
        put(fresh_store, value)
        publish(fresh_store, keep=1)
    assert names(home) == ["market.000004.duckdb", "market.000005.duckdb"]
    publish(fresh_store, keep=0)
    assert names(home) == ["market.000006.duckdb"]
    assert read(home) == [(4,)]


def test_a_reader_keeps_its_generation_while_others_see_the_next(fresh_store, home):
    put(fresh_store, 1)
    publish(fresh_store)
    with connect_snapshot(home.public_file) as old:
        put(fresh_store, 2)
        publish(fresh_store, keep=0)
        assert old.execute("select a from raw.t").fetchall() == [(1,)]
        assert read(home) == [(2,)]


def test_readers_see_one_whole_generation_while_many_are_published(fresh_store, home):
    with fresh_store.transaction() as cursor:
        cursor.execute("create table raw.pair as select 0 as a, 0 as b")
    publish(fresh_store)
    seen, stop = [], threading.Event()

    def look():
        while not stop.is_set():
            with connect_snapshot(home.public_file) as connection:
                seen.extend(connection.execute("select a, b from raw.pair").fetchall())

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for value in range(1, 9):
            with fresh_store.transaction() as cursor:
                cursor.execute("update raw.pair set a = ?, b = ?", [value, value])
            publish(fresh_store)
    finally:
        stop.set()
        reader.join()
    assert seen
    assert all(a == b for a, b in seen)
    assert [a for a, _ in seen] == sorted(a for a, _ in seen)


def test_a_client_that_wrote_into_a_snapshot_spoils_no_later_one(fresh_store, home):
    put(fresh_store, 1)
    target = publish(fresh_store).file
    target.chmod(0o644)

    def write_and_die():
        client = duckdb.connect(str(home.public_file))
        client.execute("create table raw.mine (a integer)")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(write_and_die)[0] == "died"
    assert target.with_name(f"{target.name}.wal").exists()
    put(fresh_store, 2)
    publish(fresh_store, keep=1)
    assert read(home) == [(2,)]
    publish(fresh_store, keep=0)
    assert names(home) == ["market.000003.duckdb"]


def test_a_leftover_log_of_a_coming_generation_is_stepped_over(fresh_store, home):
    put(fresh_store, 1)
    (home.snapshots / "market.000001.duckdb.wal").write_bytes(b"stale")
    assert publish(fresh_store).generation == 2
    assert read(home) == [(1,)]


def test_a_full_disk_leaves_the_older_generation_standing(home, now):
    def fill():
        def limit_children(event, _):
            if event == "subprocess.Popen":
                limit(home.live_file.stat().st_size // 2)

        with open_store(home, command="test", wait_s=0, now=now) as store:
            put(store, 1)
            publish(store)
            with store.transaction() as cursor:
                cursor.execute("create table raw.big as select hash(range) as a from range(300000)")
            sys.addaudithook(limit_children)
            try:
                publish(store)
            except DiskFullError as exc:
                return str(exc)
            finally:
                limit(resource.RLIM_INFINITY)
        return "published"

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    kind, text = in_child(fill)
    assert (kind, "older one stands" in text) == ("ok", True)
    assert read(home) == [(1,)]
    assert names(home) == ["market.000001.duckdb"]


def test_a_copy_that_does_not_open_is_not_published(fresh_store, home, monkeypatch):
    put(fresh_store, 1)
    publish(fresh_store)
    monkeypatch.setattr(sys, "executable", "/bin/false")  # the child cannot start at all
    with pytest.raises(StoreError, match="copy ended with code"):
        publish(fresh_store)
    assert read(home) == [(1,)]
    assert names(home) == ["market.000001.duckdb"]


def test_an_open_write_elsewhere_ends_in_a_refusal_not_in_a_torn_copy(fresh_store, home):
    put(fresh_store, 1)
    pauses = []
    writer = fresh_store.cursor()
    writer.execute("begin")
    writer.execute("update raw.t set a = 9")
    with pytest.raises(StoreError, match="could not be checkpointed"):
        publish(fresh_store, sleep=pauses.append)
    assert len(pauses) == 39
    writer.execute("rollback")
    writer.close()
    publish(fresh_store)
    assert read(home) == [(1,)]


def test_a_file_of_that_name_which_is_no_link_is_not_overwritten(fresh_store, home):
    home.public_file.write_bytes(b"precious")
    with pytest.raises(StoreError, match="is no symbolic link"):
        publish(fresh_store)
    assert home.public_file.read_bytes() == b"precious"


def test_nothing_published_is_generation_zero(home):
    assert published_generation(home) == 0
