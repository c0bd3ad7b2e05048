# SPDX-License-Identifier: Apache-2.0
"""Ways to break what lies around the live file: links, snapshots, state, lock, folders, the user's own."""

from __future__ import annotations

import json
import os
import shutil
import socket

from breakage import dead_pid, flip, live_text, newest

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
