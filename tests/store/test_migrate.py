# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from store_samples import tree_bytes

from ttapi.config import bundled_folder
from ttapi.errors import MigrationError, UsageError
from ttapi.store import open_store
from ttapi.store.backup import check_backup, list_backups
from ttapi.store.schema import read_migrations


@pytest.fixture
def folder(tmp_path):
    """The bundled migrations, copied so that a test can change them."""
    return shutil.copytree(bundled_folder("migrations"), tmp_path / "migrations")


def opened(home, now, folder):
    return open_store(home, command="test", wait_s=0, now=now, migrations=folder)


def add(folder, number, sql):
    (folder / f"{number:04d}_step.sql").write_text(sql)


def versions(store):
    with store.reading() as cursor:
        return [
            v
            for (v,) in cursor.execute(
                "select version from catalog.migrations order by 1"
            ).fetchall()
        ]


def test_a_new_step_is_applied_once_with_its_row(home, now, folder):
    newest = read_migrations(folder)[-1].version
    add(folder, newest + 1, "create table raw.more (a integer); insert into raw.more values (1);")
    for _ in range(2):
        with opened(home, now, folder) as store, store.reading() as cursor:
            assert cursor.execute("select a from raw.more").fetchall() == [(1,)]
            assert versions(store)[-2:] == [newest, newest + 1]


def test_a_failing_step_leaves_the_one_before_and_names_itself(home, now, folder):
    newest = read_migrations(folder)[-1].version
    add(folder, newest + 1, "create table raw.good (a integer);")
    add(folder, newest + 2, "create table raw.half (a integer); select nonsense;")
    with pytest.raises(MigrationError, match=f"{newest + 2:04d}_step.sql failed on"):
        opened(home, now, folder)
    (folder / f"{newest + 2:04d}_step.sql").unlink()
    with opened(home, now, folder) as store, store.reading() as cursor:
        assert versions(store)[-1] == newest + 1
        tables = cursor.execute(
            "select table_name from duckdb_tables() where table_name in ('good', 'half')"
        )
        assert tables.fetchall() == [("good",)]


def alter(folder):
    step = min(folder.glob("*.sql"))
    step.write_text(step.read_text() + "-- altered\n")


def forget_newest(folder):
    max(folder.glob("*.sql")).unlink()


def insert_between(folder):
    for step in sorted(folder.glob("*.sql"))[1:]:
        step.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (alter, "was altered after it was applied"),
        (forget_newest, "upgrade ttapi"),
        (insert_between, "upgrade ttapi"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_left_as_it_is(home, now, folder, change, message):
    change(folder)
    before = tree_bytes(home.root)
    with pytest.raises(MigrationError, match=message):
        opened(home, now, folder)
    assert tree_bytes(home.root) == before


def test_a_step_below_the_newest_applied_one_is_refused(home, now, folder):
    newest = read_migrations(folder)[-1].version
    add(folder, newest + 2, "select 1;")
    opened(home, now, folder).close()
    add(folder, newest + 1, "select 1;")
    with pytest.raises(MigrationError, match="was never applied"):
        opened(home, now, folder)


@pytest.mark.parametrize("name", ["0001_again.sql", "notes.sql", "3_short.sql"])
def test_a_folder_with_a_name_that_is_no_step_is_refused(folder, name):
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationError):
        read_migrations(folder)


@pytest.mark.parametrize("seed", range(300 if os.environ.get("TTAPI_CAMPAIGN") else 6))
def test_killed_while_migrating_it_stands_at_a_step_never_between(home, now, folder, seed):
    newest = read_migrations(folder)[-1].version
    for number in range(1, 9):
        tables = [f"create table raw.s{number}_{n} as select {number} as a;" for n in range(4)]
        add(folder, newest + number, "\n".join(tables))
    log = Path(f"{home.live_file}.wal")
    # The eight steps write some 8.4 kB of log.
    written = random.Random(seed).randint(0, 8_400)
    pid = os.fork()
    if pid == 0:
        opened(home, now, folder)
        os._exit(0)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if size_of(log) >= written:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            break
    with opened(home, now, bundled_or(folder, home, now)) as store, store.reading() as cursor:
        found = cursor.execute(
            "select count(*) from duckdb_tables() where regexp_matches(table_name, '^s[0-9]+_')"
        )
        assert found.fetchall() == [(4 * (versions(store)[-1] - newest),)]


def size_of(file):
    """Bytes; 0 where there is none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def bundled_or(folder, home, now):
    """A folder that stops where the file stands, so that opening applies nothing."""
    from ttapi.store.engine import inspect_file

    reached = inspect_file(home.live_file).applied[-1].version
    for step in folder.glob("*.sql"):
        if int(step.name[:4]) > reached:
            step.unlink()
    return folder


def test_a_migration_takes_a_backup_first(lab, folder):
    add(folder, 9999, "create table catalog.more (i integer);")
    generation = lab.rows("select value from catalog.meta where name = 'generation'")[0][0]
    opened(lab.home, lab.now, folder).close()
    (backup,) = list_backups(lab.home.backups)
    assert backup.manifest.generation == int(generation)
    assert backup.manifest.migration < 9999
    check_backup(backup.folder)
    opened(lab.home, lab.now, folder).close()
    assert len(list_backups(lab.home.backups)) == 1


def test_a_migration_is_refused_while_a_daemon_serves_the_home(lab, folder):
    add(folder, 9999, "create table catalog.more (i integer);")
    other = os.getppid()
    note = {"pid": other, "base_url": "http://127.0.0.1:8321"}
    with lab.home.daemon_note.open("w") as file:
        file.write(json.dumps(note))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError) as caught:
            opened(lab.home, lab.now, folder)
        assert caught.value.message == (
            f"{lab.home.live_file} must be migrated to version 9999, and process {other} at"
            f" http://127.0.0.1:8321 serves {lab.home.root} with another version of ttapi"
        )
        assert caught.value.hint == f"kill {other} ends it; ttapi serve starts the new one"
        assert list_backups(lab.home.backups) == []
    # Who was killed holds nothing.
    opened(lab.home, lab.now, folder).close()
