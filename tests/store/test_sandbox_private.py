# SPDX-License-Identifier: Apache-2.0
"""Where private datasets are hidden a worker opens a file in which they are not."""

from __future__ import annotations

import stat
import subprocess
import sys
from contextlib import closing, contextmanager

import duckdb
import pytest

from ttapi.errors import QueryError
from ttapi.home import Home
from ttapi.store.files import remove_leftovers, unused_copies
from ttapi.store.sandbox import Sandbox

SECRET = "5WT00001"


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    for folder in made.folders():
        folder.mkdir(exist_ok=True)
    publish(made, 1)
    return made


def publish(home, generation):
    file = home.snapshots / f"market.{generation:06d}.duckdb"
    with closing(duckdb.connect(str(file))) as connection:
        for statement in f"""
            create schema raw; create schema catalog;
            create table catalog.meta as select unnest(['generation', 'other']) as name, unnest(['{generation}', '{SECRET}']) as value;
            create table catalog.datasets as select unnest(['raw.accounts', 'accounts', 'worth', 'raw.eod', 'eod']) as dataset, unnest([true, true, true, false, false]) as is_private;
            create table catalog.units as select unnest(['raw.accounts', 'raw.eod']) as dataset, unnest(['{SECRET}', 'SPY.csv']) as unit;
            create table raw.rejects as select 'raw.accounts' as dataset, '{SECRET}' as content;
            create table raw.accounts as select '{SECRET}' as account_number, 1e6 as net;
            create view accounts as select * from raw.accounts;
            create table worth as select account_number, net from raw.accounts;
            create table raw.eod as select 'SPY' as symbol, range as close, '{SECRET}' as account_number from range(100);
            create view eod as select symbol, close from raw.eod;
            create view undeclared as select net from raw.accounts;
            create view over_undeclared as select net from undeclared;
            create view shows_number as select account_number from raw.eod;
            create macro worth_of(x) as table select net from raw.accounts where account_number = x;
            create macro twice(x) as table select x * 2 as y;
        """.split(";"):
            connection.execute(statement)
    home.public_file.unlink(missing_ok=True)
    home.public_file.symlink_to(file.relative_to(home.root))


@pytest.fixture
def hidden(home):
    with Sandbox(home, is_private_hidden=True, spares=0) as one:
        yield one


@pytest.mark.parametrize(
    "sql",
    [
        "from accounts", "from raw.accounts", "from market.raw.accounts", "from worth", "from undeclared",
        "from over_undeclared", "from shows_number", "from worth_of('5WT00001')", "select account_number from raw.eod",
    ],
)  # fmt: skip
def test_what_is_private_is_not_there(hidden, sql):
    with pytest.raises(QueryError, match=r"does not exist|not found|not available"):
        hidden.run(sql)


def test_all_else_is_there_and_nothing_of_it_tells_of_what_is_private(hidden):
    def one(sql):
        return hidden.run(sql).table().to_pylist()

    assert one("select count(*) as n, sum(close) as s from eod") == [{"n": 100, "s": 4950}]
    assert one("from twice(21)") == [{"y": 42}]
    assert one("from catalog.units") == [{"dataset": "raw.eod", "unit": "SPY.csv"}]
    assert one("from raw.rejects") == []
    assert one("from catalog.meta") == [{"name": "generation", "value": "1"}]
    assert one("select dataset from catalog.datasets order by 1") == [{"dataset": "eod"}, {"dataset": "raw.eod"}]  # fmt: skip
    names = hidden.run("select table_name from duckdb_tables() union all select view_name from duckdb_views() where not internal union all select function_name from duckdb_functions() where not internal")  # fmt: skip
    assert sorted(row["table_name"] for row in names.table().to_pylist()) == ["datasets", "eod", "eod", "meta", "rejects", "twice", "units"]  # fmt: skip


def test_without_that_they_are_read(home):
    with Sandbox(home, spares=0) as one:
        assert one.run("select account_number from accounts").table().to_pylist() == [{"account_number": SECRET}]  # fmt: skip


def test_the_copy_is_kept_for_its_owner_and_made_once_a_generation(home, hidden):
    hidden.run("select 1")
    (copy,) = home.live.glob("shared.*")
    made = copy.stat()
    assert stat.S_IMODE(made.st_mode) == 0o600
    hidden.run("select 1")
    with Sandbox(home, is_private_hidden=True, spares=0) as another:
        another.run("select 1")
    (still,) = home.live.glob("shared.*")
    assert (still, still.stat().st_ino, still.stat().st_mtime_ns) == (copy, made.st_ino, made.st_mtime_ns)  # fmt: skip
    publish(home, 2)
    assert hidden.run("select 1").generation == 2
    (newer,) = home.live.glob("shared.*")
    assert newer.name.startswith("shared.000002.")


def test_a_home_that_cannot_be_written_is_answered_from_a_copy_elsewhere(home, hidden, monkeypatch):
    monkeypatch.setattr("ttapi.store.shared_database.os.access", lambda *_: False)
    assert hidden.run("select count(*) as n from eod").table().to_pylist() == [{"n": 100}]
    folder = hidden._copies._folder()
    assert (list(home.live.iterdir()), stat.S_IMODE(folder.stat().st_mode)) == ([], 0o700)
    hidden.close()
    assert not folder.exists()


def copies(home):
    return sorted(one.name for one in home.live.glob("shared*"))


def test_a_copy_goes_with_who_made_it_and_stays_where_another_has_it_open(home):
    with Sandbox(home, is_private_hidden=True, spares=0) as one:
        one.run("select 1")
        (name,) = copies(home)
        remove_leftovers(home)
        assert copies(home) == [name], "it is wanted again, though nobody reads it"
        with another_process_reading(home.live / name):
            one.close()
            assert copies(home) == [name]
            remove_leftovers(home)
            assert copies(home) == [name]
    assert copies(home) == []


def test_copies_that_killed_processes_left_are_removed_by_who_owns_the_home(home):
    left = [home.live / f"{kind}000001.7.duckdb" for kind in ("shared.", "shared-1234abcd.")]
    for file in left:
        file.write_bytes(b"")
    assert unused_copies(home) == sorted(left)
    remove_leftovers(home)
    assert copies(home) == []


def test_a_copy_that_is_taken_away_between_two_queries_is_made_again(home, hidden):
    first = hidden.run("select count(*) as n from eod").table().to_pylist()
    (file,) = home.live.glob("shared.*")
    file.unlink()
    assert hidden.run("select count(*) as n from eod").table().to_pylist() == first == [{"n": 100}]


@contextmanager
def another_process_reading(file):
    code = f"import duckdb, sys; held = duckdb.connect({str(file)!r}, read_only=True); print(1, flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout.readline() == b"1\n"
        yield
        process.stdin.close()
        process.wait(60)
