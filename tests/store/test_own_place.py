# SPDX-License-Identifier: Apache-2.0
"""Nothing a user writes lands where ttapi keeps its own files, whichever statement writes it."""

from __future__ import annotations

import hashlib
from contextlib import closing

import pytest

from ttapi.errors import UsageError
from ttapi.home import refuse_home_path
from ttapi.store.reader import Reader
from ttapi.store.statements import refuse_writes_into_home

COPIES = [
    "copy (select 1) to '{}'",
    "COPY(select 'to' as a)TO'{}'(format csv)",
    "/* a */ -- b\n copy (select 1) to -- c\n '{}' -- d",
    "copy (select 1) to '{}' (format parquet, compression zstd)",
    "copy (select 1) to 'file://{}'",
    'copy (select 1) to "{}"',
    "explain analyze copy (select 1) to '{}'",
    "prepare p as copy (select 1) to '{}'",
    "export database '{}'",
    "set log_query_path = '{}'",
    "pragma profile_output = '{}'",
    "call enable_logging(storage = 'file', storage_path = '{}')",
    "attach '{}' as another",
]


@pytest.fixture
def place(lab):
    return lab.home


@pytest.mark.parametrize("copy", COPIES)
def test_no_statement_writes_a_file_of_ttapi(place, copy):
    live = place.live_file.read_bytes()
    with (
        closing(Reader(place)) as reader,
        pytest.raises(UsageError, match=r"ttapi's own|belongs to the commands"),
    ):
        reader.run(copy.format(place.live_file))
    assert hashlib.sha256(place.live_file.read_bytes()).digest() == hashlib.sha256(live).digest()


def test_every_own_file_and_folder_is_refused(place, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(place.live)
    monkeypatch.chdir(place.exports)
    targets = [
        place.live_file,
        place.state_file,
        place.live / "new.csv",
        place.public_file,
        place.root / "market.duckdb.wal",
        place.public_file.resolve(),
        place.snapshots / "x.parquet",
        place.journal / "x",
        place.backups / "x",
        place.settings_file,
        place.root,
        link / "market.duckdb",
        "../live/market.duckdb",
        "../LIVE/../live/x.csv",
    ]
    for target in targets:
        with pytest.raises(UsageError) as refused:
            refuse_home_path(target)
        assert refused.value.hint == (f"{place.exports} works, or a folder outside {place.root}"), (
            target
        )


def test_everywhere_else_is_free(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place.exports)
    for target in (
        place.exports / "a.csv",
        "a.csv",
        place.root / "a.csv",
        tmp_path / "live" / "market.duckdb",
        tmp_path,
        "s3://bucket/live/market.duckdb",
        "",
        "a\0b",
    ):
        refuse_home_path(target)
    refuse_home_path(place.backups / "x", is_backup=True)


@pytest.mark.parametrize(
    "target",
    ["('a' || '.csv')", "$1", "'a'\n'.csv'", "'a' -- one\n '.csv'", "E'a.csv'", "$$a.csv$$"],
)
def test_a_copy_says_by_itself_which_file_it_writes(target):
    with pytest.raises(UsageError, match="which file it writes"):
        refuse_writes_into_home(f"copy (select 1) to {target}")


def test_a_copy_stays_in_its_folder():
    with pytest.raises(UsageError, match="leave the folder"):
        refuse_writes_into_home(
            "copy t to 'x' (format parquet, per_thread_output, filename_pattern '../live')"
        )


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '/tmp/a.csv' (header, delimiter '|')",
        "copy t from '{live}/x.csv'",
        "copy (select * from read_json('{live}/state.json')) to 'a.csv'",
        "copy (select 1) to stdout",
        "copy from database a to b",
        "attach '{snapshots}/market.000001.duckdb' as old (read_only)",
        "attach ':memory:' as scratch",
        "select * from read_json('{live}/state.json')",
        "explain select copy from t",
        "set threads = 2",
        "",
    ],
)
def test_what_writes_nothing_of_ttapi_is_left_alone(place, sql):
    refuse_writes_into_home(sql.format(live=place.live, snapshots=place.snapshots))
