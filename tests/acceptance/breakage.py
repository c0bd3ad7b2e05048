# SPDX-License-Identifier: Apache-2.0
"""Ways to break a home: each function takes a sound lab and leaves it as the world might."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys

import duckdb

from ttapi.config import Home, bundled_folder
from ttapi.store.database import init_home

_OWNER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from ttapi.config import Home
from ttapi.store.database import open_store

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


_PLUGIN = """
from ttapi.sources.contract import Column, Resource
this line is no Python
class Mine:
    name = "mine"
    about = "Nothing."
    version = "1"
    setting_names = ("path",)
    sql_folder = None
    resources = (
        Resource(name="days", table="mine_days", about="Days.", columns=(Column("date", "DATE", "day"),),
                 grain=("date",), keys=(), time_column="date", ttl="1d", is_local=True),
    )

    def missing_setting(self, resource, context):
        return "path"

    def survey(self, resource, context):
        return []

    def fetch(self, resource, requests, context):
        return iter(())
"""


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


# What clients open.


def link_missing(lab):
    lab.home.public_file.unlink()


def link_dangling(lab):
    newest(lab).unlink()


def link_elsewhere(lab):
    lab.home.public_file.unlink()
    lab.home.public_file.symlink_to(lab.home.live_file)


def link_to_an_older_one(lab):
    older = min(lab.home.snapshots.glob("*.duckdb"))
    lab.home.public_file.unlink()
    lab.home.public_file.symlink_to(older.relative_to(lab.home.root))


def link_replaced(lab):
    content = newest(lab).read_bytes()
    lab.home.public_file.unlink()
    lab.home.public_file.write_bytes(content)


def published_header_flipped(lab):
    flip(newest(lab), 4096 + 20, 8192 + 20)


def published_blocks_flipped(lab):
    flip(newest(lab), *range(12288 + 4096, newest(lab).stat().st_size, 262144))


def published_half(lab):
    half = lab.home.snapshots / f"market.000099.duckdb.tmp-{dead_pid()}"
    half.write_bytes(newest(lab).read_bytes()[:700_000])


def published_writable(lab):
    newest(lab).chmod(0o644)


def published_log(lab):
    newest(lab).with_name(f"{newest(lab).name}.wal").write_bytes(b"left by a client")


def snapshots_many(lab):
    for number in range(40, 45):
        copy = lab.home.snapshots / f"market.{number:06d}.duckdb"
        shutil.copy(newest(lab), copy)


def snapshots_gone(lab):
    shutil.rmtree(lab.home.snapshots)


# State, lock, folders.


def state_garbage(lab):
    lab.home.state_file.write_text("{half of")


def state_missing(lab):
    lab.home.state_file.unlink()


def state_of_another_generation(lab):
    document = json.loads(lab.home.state_file.read_text())
    lab.home.state_file.write_text(json.dumps(document | {"generation": 1}))


def lock_stale(lab):
    owner = {"pid": dead_pid(), "started_at": "2024-06-14T20:00:00+00:00"}
    _write_lock(lab, owner)


def lock_of_another_host(lab):
    _write_lock(lab, {"pid": 1, "started_at": "2024-06-14T20:00:00+00:00", "host": "elsewhere"})


def _write_lock(lab, owner):
    text = {"host": socket.gethostname(), "command": "ttapi refresh"} | owner
    lab.home.lock_file.write_text(json.dumps(text))


def live_folder_gone(lab):
    shutil.rmtree(lab.home.live)


def journal_and_logs_gone(lab):
    shutil.rmtree(lab.home.journal)
    shutil.rmtree(lab.home.logs)


def read_only(lab):
    for path in [lab.home.root, *lab.home.root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)


def home_open_to_all(lab):
    lab.home.root.chmod(0o755)


def leftovers(lab):
    pid = dead_pid()
    for folder in (lab.home.root, lab.home.live, lab.home.exports):
        (folder / f"market.duckdb.tmp-{pid}").write_bytes(b"half a copy")


def backup_half(lab):
    half = lab.home.backups / f"20240614T220000Z-000009.tmp-{dead_pid()}"
    half.mkdir()
    (half / "market.duckdb").write_bytes(b"half a copy")


def backup_damaged(lab):
    (folder,) = lab.home.backups.iterdir()
    flip(folder / "manifest.json", 300)


def live_and_snapshots_damaged(lab):
    live_text(lab)
    for file in lab.home.snapshots.glob("*.duckdb"):
        flip(file, 4096 + 20, 8192 + 20)


def nothing_whole_is_left(lab):
    live_and_snapshots_damaged(lab)
    for folder in lab.home.backups.iterdir():
        flip(folder / "manifest.json", 300)


# What the user wrote.


def settings_bad(lab):
    lab.home.settings_file.write_text('[display]\ntimezone = "UTC"\n[refresh\n')
    lab.home.settings_file.chmod(0o600)


def settings_unknown(lab):
    lab.home.settings_file.write_text("[display]\ncolour = 3\n")
    lab.home.settings_file.chmod(0o600)


def model_broken(lab):
    lab.write_model(
        "views/mine.sql", "-- kind: view\nselect 1::integer as a -- one\nfrom nowhere_at_all\n"
    )


def plugin_broken(lab):
    (lab.home.sources / "mine.py").write_text(_PLUGIN)


def clock_ahead(lab):
    os.utime(lab.home.live_file, (4_000_000_000, 4_000_000_000))
