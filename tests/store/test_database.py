# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path

import duckdb
import pytest
from store_samples import in_child, tree_bytes

from ttapi.errors import (
    CommitUnknownError,
    DiskFullError,
    LockedError,
    QueryError,
    StoreError,
)
from ttapi.home import Home
from ttapi.store import init_home, make_folders, open_store
from ttapi.store.engine import connect_snapshot, translate

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")


def opened(home, now, **more):
    return open_store(home, command="test", wait_s=0, now=now, **more)


def make_file(file, *, storage="v1.2.0", sql="create table t (a integer)"):
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file), config={"storage_compatibility_version": storage}) as connection:
        connection.execute(sql)


def test_init_makes_private_folders_and_a_portable_file(home):
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in home.folders()} == {0o700}
    assert stat.S_IMODE(home.live_file.stat().st_mode) == 0o600
    with connect_snapshot(home.live_file) as connection:
        tags = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where not internal"
        ).fetchall()
    assert tags == [("v1.2.0+",)]


def test_init_twice_changes_nothing(home, now):
    before = tree_bytes(home.root)
    init_home(home, now=now)
    assert tree_bytes(home.root) == before


def test_what_is_committed_is_there_after_reopening(home, now):
    with opened(home, now) as store, store.transaction() as cursor:
        cursor.execute("create table raw.t as select 1 as a")
    with opened(home, now) as store, store.reading() as cursor:
        assert cursor.execute("select a from raw.t").fetchall() == [(1,)]
    assert [path.name for path in sorted(home.live.iterdir())] == ["market.duckdb", "market.lock"]


def test_an_exception_undoes_its_transaction(fresh_store):
    with pytest.raises(ZeroDivisionError), fresh_store.transaction() as cursor:
        cursor.execute("create table raw.t (a integer)")
        raise ZeroDivisionError
    with pytest.raises(QueryError, match="does not exist"), fresh_store.reading() as cursor:
        cursor.execute("select * from raw.t").fetchall()


def test_load_ids_are_given_out_once_over_all_openings(home, now):
    given = []
    for _ in range(2):
        with opened(home, now) as store:
            given += [store.next_load_id(), store.next_load_id()]
    assert given == [1, 2, 3, 4]


def test_one_owner_at_a_time_also_within_a_process(home, now, fresh_store):
    with pytest.raises(LockedError):
        opened(home, now)
    fresh_store.close()
    opened(home, now).close()
    with pytest.raises(StoreError, match="closed"):
        fresh_store.cursor()


def test_another_process_opening_the_live_file_is_named(home, now):
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with duckdb.connect(str(home.live_file)):
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        with pytest.raises(LockedError, match=str(pid)) as refusal:
            opened(home, now)
        assert refusal.value.owner.pid == pid
    finally:
        os.write(done[1], b"x")
        os.waitpid(pid, 0)
    opened(home, now).close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: file.write_bytes(b"not a database" * 500), "is not a DuckDB file"),
        (lambda file: file.write_bytes(b""), "is not a DuckDB file"),
        (lambda file: file.write_bytes(file.read_bytes()[:5000]), "is damaged"),
        (make_file, "is a DuckDB file that ttapi did not make"),
        (lambda file: make_file(file, storage="v1.5.0"), "has storage version v1.5.0"),
        (lambda file: make_file(file, storage="v1.0.0"), "has storage version v1.0.0"),
        (
            lambda file: file.write_bytes(file.read_bytes()[:12] + b"\xe8\x03" + file.read_bytes()[14:]),
            "damaged|newer DuckDB",
        ),
    ],
    ids=["text", "empty", "truncated", "foreign", "newer-storage", "older-storage", "version-bytes"],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(home, now, make, message):
    make(home.live_file)
    before = tree_bytes(home.root)
    with pytest.raises(StoreError, match=message) as refusal:
        opened(home, now)
    assert str(home.live_file) in str(refusal.value)
    assert tree_bytes(home.root) == before
    assert home.lock_file.read_bytes() == b""


def test_a_missing_live_file_is_not_quietly_replaced_once_something_was_published(home, now):
    home.public_file.symlink_to("snapshots/market.000001.duckdb")
    home.live_file.unlink()
    with pytest.raises(StoreError, match="is missing, though"):
        opened(home, now)
    assert not home.live_file.exists()


def test_the_owner_removes_what_dead_processes_left(home, now):
    dead = in_child(os.getpid)[1]
    leftovers = [
        home.snapshots / f"market.000007.duckdb.tmp-{dead}",
        home.live / f"market.duckdb.tmp-{dead}.wal",
        home.exports / f"eod.parquet.tmp-{dead}",
    ]
    living = home.exports / f"eod.csv.tmp-{os.getppid()}"
    for path in (*leftovers, living):
        path.write_bytes(b"half")
    opened(home, now).close()
    assert [path for path in leftovers if path.exists()] == []
    assert living.exists()


def test_a_write_ahead_log_left_by_a_killed_owner_is_replayed(home, now):
    def die_after_commit():
        store = opened(home, now)
        with store.transaction() as cursor:
            cursor.execute("create table raw.t as select 42 as a")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die_after_commit)[0] == "died"
    with opened(home, now) as store, store.reading() as cursor:
        assert cursor.execute("select a from raw.t").fetchall() == [(42,)]


@pytest.fixture
def seen_by_all():
    """A folder whose parents every user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@as_root
def test_a_folder_that_cannot_be_written_is_named(seen_by_all, now):
    bare = Home(seen_by_all / "home")
    assert in_child(lambda: make_folders(bare), uid=NOBODY) == [
        "UsageError",
        f"{bare.root} cannot be made: Permission denied (give your user write permission, or use --home)",
    ]
    init_home(bare, now=now)
    for folder in bare.folders():
        folder.chmod(0o755)
    for file in (bare.live_file, bare.lock_file):
        file.chmod(0o644)
    kind, text = in_child(lambda: opened(bare, now).close(), uid=NOBODY)
    assert (kind, str(bare.lock_file) in text) == ("ReadOnlyHomeError", True)
    kind, text = in_child(lambda: init_home(bare, now=now), uid=NOBODY)
    assert (kind, text.split(" (")[0]) == ("ReadOnlyHomeError", f"{bare.root} cannot be written")
    bare.live_file.chmod(0o600)
    kind, text = in_child(lambda: connect_snapshot(bare.live_file).close(), uid=NOBODY)
    assert (kind, "permission denied" in text) == ("StoreError", True)


def test_a_full_disk_undoes_the_transaction_and_spares_the_rest(home, now):
    def fill():
        kinds = []
        with opened(home, now) as store:
            with store.transaction() as cursor:
                cursor.execute("create table raw.t as select range as a from range(1000)")
            size = home.live_file.stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 400_000, resource.RLIM_INFINITY))
            try:
                with store.transaction() as cursor:
                    cursor.execute(
                        "insert into raw.t select (hash(range) % 1000000007)::bigint from range(2000000)"
                    )
            except DiskFullError as exc:
                kinds.append(type(exc).__name__)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        return kinds

    assert in_child(fill) == ["ok", ["DiskFullError"]]
    with opened(home, now) as store, store.reading() as cursor:
        assert cursor.execute("select count(*), max(a) from raw.t").fetchall() == [(1000, 999)]


def test_a_commit_that_ends_the_engine_is_unknown_not_failed(fresh_store):
    class DyingCursor:
        def execute(self, _):
            raise duckdb.FatalException("FATAL Error: Failed to create checkpoint")

    with pytest.raises(CommitUnknownError, match="may still be durable"):
        fresh_store._commit(DyingCursor())
    fresh_store.reopen()
    assert fresh_store.generation == 0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            duckdb.IOException("IO Error: Could not write file: No space left on device"),
            DiskFullError,
        ),
        (duckdb.IOException("IO Error: Could not write file: File too large"), DiskFullError),
        (duckdb.FatalException("FATAL Error: database has been invalidated"), StoreError),
        (duckdb.IOException("IO Error: Corrupt database file: computed checksum"), StoreError),
        (duckdb.ParserException("Parser Error: syntax error"), QueryError),
    ],
)
def test_engine_errors_keep_their_kind(error, kind):
    assert type(translate(error)) is kind


def test_nobody_in_this_process_opens_the_live_file(home, now):
    from ttapi.store.publish import publish

    opens = []

    def watch(event, arguments):
        if event == "open" and watching and str(arguments[0]) == str(home.live_file):
            opens.append(arguments)

    watching = True
    sys.addaudithook(watch)
    try:
        with home.live_file.open("rb"):
            assert len(opens) == 1  # the hook sees what it should
        opens.clear()
        with opened(home, now) as store:
            store.next_load_id()
            publish(store)
        init_home(home, now=now)
    finally:
        watching = False
    assert opens == []


def test_dataframe_names_and_extensions_are_out_of_reach(fresh_store):
    import pyarrow as pa

    frame = pa.table({"a": [1]})
    assert frame.num_rows == 1
    with fresh_store.reading() as cursor:
        settings = dict(
            cursor.execute(
                "select name, value from duckdb_settings() where name in ('autoinstall_known_extensions',"
                " 'autoload_known_extensions', 'allow_community_extensions', 'allow_unsigned_extensions',"
                " 'python_enable_replacements', 'TimeZone')"
            ).fetchall()
        )
    assert settings.pop("TimeZone") == "UTC"
    assert set(settings.values()) == {"false"}
    with pytest.raises(QueryError, match="frame does not exist"), fresh_store.reading() as cursor:
        cursor.execute("select * from frame").fetchall()


def test_a_copied_home_moves_with_its_data(home, now, tmp_path):
    with opened(home, now) as store:
        store.next_load_id()
    shutil.copytree(home.root, tmp_path / "moved", symlinks=True)
    with opened(Home(tmp_path / "moved"), now) as store:
        assert store.next_load_id() == 2
