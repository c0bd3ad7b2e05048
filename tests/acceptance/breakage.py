# SPDX-License-Identifier: Apache-2.0
"""Ways to break a live file or its log: each function takes a sound lab and leaves it as the world might."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys

import duckdb

from ttapi.config import bundled_folder
from ttapi.home import Home
from ttapi.store.store import init_home

_OWNER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from ttapi.home import Home
from ttapi.store.store import open_store

store = open_store(Home(Path(sys.argv[1])), command="ttapi refresh", wait_s=0, now=datetime(2024, 6, 14, tzinfo=UTC))
store.cursor().execute("set wal_autocheckpoint = '1GB'")
for sql in sys.argv[2:]:
    with store.transaction() as cursor:
        cursor.execute(sql)
os._exit(9)
"""
NEXT_LOAD = "update catalog.meta set value = (value::int + 1)::varchar where name = 'last_load_id'"
STRANGE_ROW = (
    "insert into raw.rejects (dataset, unit_id, file, reason, load_id, loaded_at)"
    " values ('raw.x', 77, 'x.csv', 'r', 999, '2024-01-01')"
)


def killed_owner(home, *statements):
    """Run `statements` as the owner of the live file, a transaction each, and die before closing it."""
    command = [sys.executable, "-c", _OWNER, str(home.root), *statements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr


def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def log_of(lab):
    return lab.home.live_file.with_name("market.duckdb.wal")


def newest(lab):
    return lab.home.public_file.resolve()


def flip(file, *positions):
    """Change a bit at each of `positions`; negative ones count from the end."""
    mode = file.stat().st_mode
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    for position in positions:
        content[position] ^= 0x10
    file.write_bytes(content)
    file.chmod(mode)


def edit_file(file, sql):
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def other_home(lab):
    home = Home(lab.data / "other")
    init_home(home, now=lab.now)
    return home


# The write-ahead log.


def log_left(lab):
    killed_owner(lab.home, NEXT_LOAD, NEXT_LOAD)


def log_torn(lab):
    killed_owner(lab.home, NEXT_LOAD, NEXT_LOAD, NEXT_LOAD)
    log = log_of(lab)
    log.write_bytes(log.read_bytes()[:-11])


def log_length_flipped(lab):
    killed_owner(lab.home, NEXT_LOAD, NEXT_LOAD, NEXT_LOAD)
    (first,) = struct.unpack_from("<Q", log_of(lab).read_bytes(), 8)
    flip(log_of(lab), 8 + 16 + first + 3)  # a high byte of the second entry's length


def log_content_flipped(lab):
    killed_owner(lab.home, NEXT_LOAD, NEXT_LOAD)
    flip(log_of(lab), 70)


def log_garbage(lab):
    log_of(lab).write_bytes(b"no log at all " * 40)


def log_of_another_database(lab):
    file = lab.data / "foreign.duckdb"
    script = f"""
import duckdb, os
c = duckdb.connect({str(file)!r}, config={{"storage_compatibility_version": "v1.2.0"}})
c.execute("create table trades (a integer)")
c.execute("checkpoint")
c.execute("insert into trades values (1)")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    shutil.copy(f"{file}.wal", log_of(lab))


def log_of_another_home(lab):
    other = other_home(lab)
    killed_owner(other, NEXT_LOAD)
    shutil.copy(f"{other.live_file}.wal", log_of(lab))


def log_of_another_home_with_rows(lab):
    other = other_home(lab)
    killed_owner(other, STRANGE_ROW)
    shutil.copy(f"{other.live_file}.wal", log_of(lab))


# The live file.


def live_header_flipped(lab):
    flip(lab.home.live_file, 4096 + 20, 8192 + 20)


def live_main_header_flipped(lab):
    flip(lab.home.live_file, 9)


def live_blocks_flipped(lab):
    size = lab.home.live_file.stat().st_size
    flip(lab.home.live_file, *range(12288 + 4096, size, 262144))


def live_truncated(lab):
    content = lab.home.live_file.read_bytes()
    lab.home.live_file.write_bytes(content[: len(content) // 2])


def live_tail_cut(lab):
    lab.home.live_file.write_bytes(lab.home.live_file.read_bytes()[:-5000])


def live_empty(lab):
    lab.home.live_file.write_bytes(b"")


def live_missing(lab):
    lab.home.live_file.unlink()


def live_foreign(lab):
    lab.home.live_file.unlink()
    with duckdb.connect(
        str(lab.home.live_file), config={"storage_compatibility_version": "v1.2.0"}
    ) as connection:
        connection.execute("create table mine as select 1 as a")


def live_text(lab):
    lab.home.live_file.write_text("dear diary\n" * 5000)


def live_older(lab):
    steps = lab.data / "steps"
    shutil.copytree(bundled_folder("migrations"), steps)
    max(steps.glob("*.sql")).unlink()
    home = Home(lab.data / "older")
    init_home(home, now=lab.now, migrations=steps)
    shutil.copy(home.live_file, lab.home.live_file)
    sql = "update catalog.meta set value = '3' where name = 'generation'"
    edit_file(lab.home.live_file, sql)  # as the one it stands for


def live_replaced_by_an_older_one(lab):
    older = min(lab.home.snapshots.glob("*.duckdb"))
    lab.home.live_file.unlink()
    shutil.copy(older, lab.home.live_file)
    lab.home.live_file.chmod(0o600)


def live_newer(lab):
    sql = "insert into catalog.migrations values (9000, 'of_tomorrow', 'x', '2030-01-01')"
    edit_file(lab.home.live_file, sql)


def live_altered(lab):
    edit_file(lab.home.live_file, "update catalog.migrations set checksum = 'x' where version = 2")


def live_other_storage(lab):
    file = lab.data / "new.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{lab.home.live_file}' as old (read_only)")
        connection.execute(f"attach '{file}' as new (storage_version 'latest')")
        connection.execute("copy from database old to new")
    shutil.move(file, lab.home.live_file)
