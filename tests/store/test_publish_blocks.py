# SPDX-License-Identifier: Apache-2.0
"""A snapshot made of an old one by the blocks that differ is the live file to the last byte, or it is made whole."""

from __future__ import annotations

import random
import resource
import subprocess
import sys

import pytest
from store_samples import in_child

from ttapi.errors import DiskFullError
from ttapi.store import connect_snapshot, open_store
from ttapi.store.publish import publish

FIRST_BLOCK = 3 * 4096
READER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.readline()
print(connection.execute("select count(*), sum(a) from raw.big").fetchall()[0])
"""


@pytest.fixture
def store(fresh_store, home):
    """A store of a few blocks, published three times."""
    with fresh_store.transaction() as cursor:
        cursor.execute("create table raw.big as select hash(range) % 1000 as a from range(400000)")
        cursor.execute("create table raw.t as select 0 as a")
    for _ in range(3):
        way = published(fresh_store).way
    if way == "reflink":
        pytest.skip("this file system shares blocks: nothing is copied")
    return fresh_store


def published(store, value=0):
    with store.transaction() as cursor:
        cursor.execute("insert into raw.t values (?)", [value])
    return publish(store)


def is_the_live_file(home, file):
    # Another process looks: closing the live file here would drop the engine's lock.
    return subprocess.run(["cmp", "-s", home.live_file, file], check=False).returncode == 0


def oldest(home):
    return min(home.snapshots.glob("market.*.duckdb"))


def test_the_fourth_generation_is_made_of_the_first(store, home):
    first = oldest(home)
    inode = first.stat().st_ino
    found = published(store)
    assert (found.way, found.generation, found.file.stat().st_ino) == ("blocks", 4, inode)
    assert is_the_live_file(home, found.file)
    assert (first.exists(), found.file.stat().st_mode & 0o777) == (False, 0o444)


def test_those_that_are_to_be_kept_are_kept(store, home):
    with store.transaction() as cursor:
        cursor.execute("insert into raw.t values (4)")
    assert publish(store, keep=3).way in {"kernel", "bytes"}
    with store.transaction() as cursor:
        cursor.execute("insert into raw.t values (5)")
    assert publish(store, keep=3).way == "blocks"
    assert [p.name[7:13] for p in sorted(home.snapshots.iterdir())] == [
        "000002", "000003", "000004", "000005",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_whatever_was_written_the_copy_is_the_same(store, home, seed):
    draw = random.Random(seed)
    for number in range(12):
        with store.transaction() as cursor:
            cursor.execute(
                draw.choice([
                    f"create table raw.x{number} as select random() as r from range({draw.randrange(200_000)})",
                    f"delete from raw.big where a < {draw.randrange(1000)}",
                    f"insert into raw.big select range % 7 from range({draw.randrange(300_000)})",
                    f"update raw.t set a = {number}",
                    "create or replace table raw.t as select 1 as a",
                    f"drop table if exists raw.x{draw.randrange(12)}",
                ])
            )  # fmt: skip
        found = publish(store)
        assert (found.way, is_the_live_file(home, found.file)) == ("blocks", True)


def test_who_reads_the_old_one_reads_it_to_the_end(store, home):
    with connect_snapshot(oldest(home)) as connection:
        (held,) = connection.execute("select count(*), sum(a) from raw.big").fetchall()
    with subprocess.Popen(
        [sys.executable, "-c", READER, oldest(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdout.readline() == "open\n"
        with store.transaction() as cursor:
            cursor.execute("delete from raw.big where a > 3")
        found = published(store)
        assert found.way in {"kernel", "bytes"}
        assert is_the_live_file(home, found.file)
        assert reader.communicate("go\n")[0] == f"{held}\n"


@pytest.mark.parametrize("spoil", ["link", "log", "header", "other block size"])
def test_one_that_is_not_as_expected_is_left_alone(store, home, tmp_path, spoil):
    old = oldest(home)
    other = home.snapshots / "kept"
    old.chmod(0o600)
    if spoil == "link":
        other.hardlink_to(old)
        before = old.read_bytes()
    elif spoil == "log":
        old.with_name(f"{old.name}.wal").write_bytes(b"")
    else:
        with old.open("r+b") as stream:
            stream.seek(8 if spoil == "header" else 4096 + 40)
            stream.write(b"duck" if spoil == "header" else (16384).to_bytes(8, "little"))
    found = published(store)
    assert found.way in {"kernel", "bytes"}
    assert is_the_live_file(home, found.file)
    if spoil == "link":
        assert other.read_bytes() == before
        other.unlink()
    assert published(store).way == "blocks"


@pytest.mark.parametrize("spoil", ["byte", "words"])
def test_a_block_with_the_right_checksum_and_other_content_is_made_right(store, home, spoil):
    old = oldest(home)
    old.chmod(0o600)
    with old.open("r+b") as stream:
        stream.seek(FIRST_BLOCK + 4096)
        first, second = stream.read(8), stream.read(8)
        stream.seek(FIRST_BLOCK + 4096)
        # The checksum of a block is the same whatever the order of its words.
        stream.write(second + first if spoil == "words" else bytes([first[0] ^ 255]) + first[1:])
    found = published(store)
    assert (found.way, is_the_live_file(home, found.file)) == ("blocks", True)


def test_a_copy_that_breaks_off_is_never_gone_on_with(home, now):
    def fill():
        def limit_children(event, _):
            if event == "subprocess.Popen":
                resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

        with open_store(home, command="test", wait_s=0, now=now) as store:
            with store.transaction() as cursor:
                cursor.execute("create table raw.t (a integer)")
                cursor.execute("create table raw.big as select hash(range) as a from range(300000)")
            for _ in range(3):
                published(store)
            with store.transaction() as cursor:
                cursor.execute("update raw.big set a = a // 2")
            is_limited = [True]
            sys.addaudithook(lambda *event: limit_children(*event) if is_limited[0] else None)
            try:
                published(store)
            except DiskFullError:
                is_limited[0] = False
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )
                return published(store).way
        return "published"

    kind, way = in_child(fill)
    assert (kind, way in {"kernel", "bytes", "reflink"}) == ("ok", True), way
    assert [p.name for p in sorted(home.snapshots.iterdir())] == [
        "market.000002.duckdb", "market.000003.duckdb", "market.000005.duckdb",
    ]  # fmt: skip
    assert not list(home.snapshots.glob("*.tmp-*"))
    assert home.public_file.readlink().name == "market.000005.duckdb"
