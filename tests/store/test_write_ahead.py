# SPDX-License-Identifier: Apache-2.0
"""A log that was cut or changed is told from a whole one; a file's content from another's."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys

import duckdb
import pytest

from ttapi.errors import StoreError
from ttapi.store.engine import connect_snapshot
from ttapi.store.integrity import (
    differences,
    disagreements,
    inspect_log,
    log_of,
    missing_bytes,
    read_contents,
)

WRITER = """
import duckdb, os, sys
c = duckdb.connect(sys.argv[1], config={"storage_compatibility_version": "v1.2.0"})
c.execute("create table t (a integer)")
c.execute("checkpoint")
for number in range(4):
    c.execute("insert into t select range from range(10)")
os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A database file whose writer died, its log beside it."""
    file = tmp_path_factory.mktemp("log") / "market.duckdb"
    subprocess.run([sys.executable, "-c", WRITER, str(file)], check=True)
    return file


def test_only_a_log_cut_between_two_writes_is_whole(killed, tmp_path):
    content = log_of(killed).read_bytes()
    log = tmp_path / "log"
    whole = []
    for length in range(1, len(content) + 1):
        log.write_bytes(content[:length])
        found = inspect_log(log)
        assert found.size == length
        assert found.readable <= length
        if found.is_whole:
            whole.append(found.frames)
    assert whole == list(range(inspect_log(log_of(killed)).frames + 1))
    assert len(whole) > 4
    log.write_bytes(b"")
    assert inspect_log(log) is None
    assert inspect_log(tmp_path / "none") is None


def test_what_the_engine_opens_without_a_word_is_seen(killed, tmp_path):
    copy = tmp_path / "market.duckdb"
    content = log_of(killed).read_bytes()
    for damage in (content[:-3], b"no log" * 30, content[:40] + b"\xff" + content[41:]):
        shutil.copy(killed, copy)
        log_of(copy).write_bytes(damage)
        try:
            with connect_snapshot(copy) as connection:
                rows = connection.execute("select count(*) from t").fetchall()[0][0]
        except StoreError:
            continue
        assert rows < 40
        assert not inspect_log(log_of(copy)).is_whole


def made(file, *statements):
    with duckdb.connect(
        str(file), config={"storage_compatibility_version": "v1.2.0"}
    ) as connection:
        for sql in statements:
            connection.execute(sql)
    return read_contents(file)


def test_equal_rows_in_any_order_have_one_fingerprint(tmp_path):
    one = made(
        tmp_path / "1", "create table t as select range as a, null::varchar as b from range(1000)"
    )
    other = made(
        tmp_path / "2",
        "create table t as select range as a, null::varchar as b from range(1000) order by a desc",
    )
    third = made(
        tmp_path / "3",
        "create table t as select range + (range = 7)::int as a, null::varchar as b from range(1000)",
    )
    fourth = made(tmp_path / "4", "create table u as select 1 as a", "create table t (a integer)")
    assert differences(one, other) == []
    assert differences(one, third) == ["table main.t has other content in its 1,000 rows"]
    assert differences(one, fourth) == [
        "table main.u is one too many",
        "table main.t has 0 rows, not 1,000",
    ]
    assert differences(fourth, one)[0] == "table main.u is missing"


def test_a_flipped_bit_in_a_used_block_names_the_table(tmp_path):
    file, dice = tmp_path / "market", random.Random(5)
    made(
        file,
        "create table t as select hash(range) as a from range(200000)",
        "create table u as select 1 as a",
    )
    content = file.read_bytes()
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            "select distinct block_id from pragma_storage_info('t') where block_id >= 0"
        ).fetchall()
    for (block,) in rows:
        changed = bytearray(content)
        changed[12288 + block * 262144 + dice.randrange(262144)] ^= 1
        file.write_bytes(changed)
        found = read_contents(file)
        assert list(found.unreadable) == ["main.t"]
        assert list(found.tables) == ["main.u"]
    file.write_bytes(content)
    assert missing_bytes(file) == 0


def test_a_fresh_home_agrees_with_itself(home):
    assert disagreements(home.live_file) == []
    with duckdb.connect(str(home.live_file)) as connection:
        connection.execute(
            "insert into catalog.loads by name select 5 as load_id, 'raw.x' as dataset, 0 as batch_no, 0 as units,"
            " 0 as rows_in, 0 as rows_accepted, 0 as rows_refused, 0 as rows_added, 0 as rows_replaced,"
            " timestamp '2024-01-01' as loaded_at from range(2)"
        )
        connection.execute(
            "insert into raw.rejects by name select 'raw.x' as dataset, 9 as unit_id, 'f' as file, 'r' as reason, 5 as load_id, timestamp '2024-01-01' as loaded_at"
        )
    assert disagreements(home.live_file) == [
        "the catalog has batch 5/raw.x/0 twice",
        "load 5 is stored, and 0 was the last begun",
        "raw.rejects holds 1 refused rows of unit 9 where the ledger says 0",
    ]
