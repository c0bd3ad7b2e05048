# SPDX-License-Identifier: Apache-2.0
"""A writer killed at any moment: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import os
import random
import select
import signal
from datetime import UTC, date, datetime, timedelta

import pytest
from store_samples import BARS, DATASET, File, batch_of

from ttapi.store import connect_snapshot, current_owner, ensure_raw_table, load_batch, open_store
from ttapi.store.publish import publish

pytestmark = pytest.mark.compat

KILLS = 300 if os.environ.get("TTAPI_CAMPAIGN") else 20
START = datetime(2024, 6, 14, tzinfo=UTC)


def content(version):
    """What every unit says in that version: each has the same rows, so a mixed one would show."""
    return tuple(("S", date(2024, 1, 1) + timedelta(days=n), float(version)) for n in range(300))


def write_forever(home, acknowledge):
    """Load version after version of three files in one transaction each, publishing now and then."""
    with open_store(home, command="writer", wait_s=0, now=START) as store:
        with store.transaction() as cursor:
            ensure_raw_table(cursor, BARS)
        store.cursor().execute("set wal_autocheckpoint = '16KB'")
        while True:
            load_id = store.next_load_id()
            with store.transaction() as cursor:
                for number, key in enumerate(("a.csv", "b.csv", "c.csv")):
                    load_batch(
                        cursor, BARS, DATASET, batch_of(File(key, content(load_id))), load_id=load_id,
                        batch_no=number, now=START + timedelta(minutes=load_id),
                    )  # fmt: skip
            os.write(acknowledge, f"{load_id}\n".encode())
            if load_id % 3 == 0:
                publish(store)


def run_and_kill(home, moment):
    """The last load acknowledged by a writer that lived `moment` seconds past its first one."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            write_forever(home, writing)
        finally:
            os._exit(9)
    os.close(writing)
    select.select([reading], [], [])
    select.select([], [], [], moment)  # the moment of death is what is tested
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as stream:
        lines = [line for line in stream.read().split("\n") if line]
    return int(lines[-1])


def one_version(cursor):
    """The version that all live rows say, after checking that nothing is mixed."""
    rows = cursor.execute(
        "select close, count(*), count(distinct unit_id), count(*) filter (is_current)"
        " from raw.test_bars where replaced_at is null group by close"
    ).fetchall()
    assert len(rows) == 1
    version, count, units, current = rows[0]
    assert (count, units, current) == (900, 3, 300)
    ledger = cursor.execute(
        "select count(*), min(load_id), max(load_id), sum(rows_accepted) from catalog.units"
    ).fetchall()
    assert ledger == [(3, int(version), int(version), 900)]
    assert cursor.execute("select count(*) from catalog.loads").fetchall() == [(3 * int(version),)]
    return int(version)


@pytest.mark.campaign
def test_a_killed_writer_loses_no_acknowledged_load_and_mixes_none(home):
    moments = random.Random(20240614)
    for _ in range(KILLS):
        acknowledged = run_and_kill(home, moments.uniform(0, 0.25))
        assert current_owner(home) is None
        with open_store(home, command="check", wait_s=0, now=START) as store:
            with store.reading() as cursor:
                reached = one_version(cursor)
            assert reached in (acknowledged, acknowledged + 1)
            generation = publish(store, keep=1).generation
            # Start over small: the rows of hundreds of versions would only slow the loop down.
            with store.transaction() as cursor:
                cursor.execute("delete from raw.test_bars where replaced_at is not null")
                cursor.execute(
                    "update catalog.meta set value = ? where name = 'last_load_id'", [str(reached)]
                )
        assert sorted(path.name for path in home.live.iterdir()) == [
            "market.duckdb", "market.lock", "published.json",
        ]  # fmt: skip
        assert [path.name for path in home.root.rglob("*.tmp-*")] == []
        assert len(list(home.snapshots.iterdir())) <= 2
        with connect_snapshot(home.public_file) as connection:
            assert one_version(connection) == reached
            stored = connection.execute(
                "select value from catalog.meta where name = 'generation'"
            ).fetchall()
        assert stored == [(str(generation),)]
