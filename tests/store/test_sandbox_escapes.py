# SPDX-License-Identifier: Apache-2.0
"""Nothing that is asked of a sandbox reaches beyond the published file, or keeps the next from its answer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sandbox_attempts import BOMBS, DEEP, FILES, HARMLESS, INDIRECT, MACHINE, STATEMENTS

from ttapi.errors import QueryError
from ttapi.home import Home
from ttapi.store.engine import spare_cursor
from ttapi.store.reader import published_file
from ttapi.store.sandbox import Sandbox
from ttapi.store.sandbox_protocol import SandboxLimits
from ttapi.store.statements import REFUSED_RELATIONS, require_harmless

PLANTED = "planted-7f3a9c"
SOON = SandboxLimits(timeout_s=0.4, grace_s=0.1)


def publish(home):
    """A published file with little in it, so that hundreds of workers open it soon."""
    home.snapshots.mkdir(parents=True)
    file = home.snapshots / "market.000001.duckdb"
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute("create schema raw")
        connection.execute("create schema catalog")
        connection.execute("create table catalog.meta as select 'generation' as name, '1' as value")
        connection.execute(
            "create table raw.calendar as select 'XNYS' as market, range as day from range(5000)"
        )
        connection.execute("create view calendar as select market, day from raw.calendar")
    home.public_file.symlink_to(file.relative_to(home.root))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A home whose very path is secret, and a file that holds a secret beside it."""
    folder = tmp_path_factory.mktemp(PLANTED)
    publish(Home(folder / "home"))
    (folder / "secret.csv").write_text(f"a\n{PLANTED}\n")
    os.environ["TTAPI_PLANTED"] = PLANTED
    yield folder
    del os.environ["TTAPI_PLANTED"]


@pytest.fixture(scope="module")
def sandbox(planted):
    with Sandbox(Home(planted / "home"), SandboxLimits(memory_mib=256), spares=0) as one:
        yield one
        assert_it_answers(one)


def written_for(planted, attempt):
    file = planted / "secret.csv"
    return attempt.format(file=file, folder=planted, name=planted.name)


def assert_it_answers(sandbox):
    assert sandbox.run("select 6 * 7 as answer").table().to_pylist() == [{"answer": 42}]


@pytest.mark.parametrize("attempt", FILES + INDIRECT + STATEMENTS[::8] + MACHINE)
def test_an_attempt_is_refused_and_tells_nothing(sandbox, planted, attempt):
    sql = written_for(planted, attempt)
    with pytest.raises(QueryError) as refusal:
        sandbox.run(sql)
    # What the attempt said itself it may be told again.
    told = re.findall(rf"[^\s'\"]*{PLANTED}[^\s'\"]*", str(refusal.value))
    assert [path for path in told if path not in sql] == []
    assert sorted(path.name for path in planted.iterdir()) == ["home", "secret.csv"]


@pytest.mark.parametrize("attempt", STATEMENTS)
def test_what_is_not_one_select_is_not_run(planted, attempt):
    with pytest.raises(QueryError):
        require_harmless(spare_cursor(), written_for(planted, attempt))


def with_the_slow_ones(attempts, first):
    """All of them as parameters; those after the `first` end at their deadline in compat, with the kills."""
    return [
        pytest.param(one, id=str(n), marks=[pytest.mark.compat] if n >= first else [])
        for n, one in enumerate(attempts)
    ]


@pytest.mark.parametrize("attempt", with_the_slow_ones(BOMBS, 5))
def test_what_takes_too_much_is_ended_and_the_next_is_answered(sandbox, attempt):
    with pytest.raises(QueryError):
        sandbox.run(attempt, (), replace(SOON, max_bytes=1_000_000))
    assert_it_answers(sandbox)


@pytest.mark.parametrize("attempt", with_the_slow_ones(DEEP, 2))
def test_what_is_nested_deep_harms_nobody_else(sandbox, attempt):
    try:
        sandbox.run(attempt, (), replace(SOON, timeout_s=3))
    except QueryError as exc:
        assert PLANTED not in str(exc)
    assert_it_answers(sandbox)


@pytest.mark.parametrize("query", HARMLESS)
def test_what_tells_of_the_database_tells_nothing_of_the_machine(sandbox, query):
    answer = sandbox.run(query)
    assert PLANTED.encode() not in answer.arrow
    assert str(published_file(sandbox._home).name).encode() not in answer.arrow


WITHOUT_RULES = """
import json, os, sys
from ttapi.store.sandbox_worker import confine, opened
import ttapi.store.sandbox_worker as worker
worker._NULL = os.open(os.devnull, os.O_RDWR)
out = os.dup(1)
order = dict(file=sys.argv[1], memory_mib=256, threads=2, timeout_ms=500)
connection = opened(order)
if sys.argv[3] == "system":
    confine(512)
said = []
for sql in json.loads(sys.argv[2]):
    try:
        said.append(str(connection.execute(sql).fetchall()))
    except BaseException as exc:
        said.append(f"refused: {exc}")
os.write(out, json.dumps(said).encode())
os._exit(0)
"""
PAST_THE_RULES = [
    *[one for one in FILES if not one.startswith(("describe '", "select 1 order"))],
    *[one for one in INDIRECT if "read_text" in one],
    *[one for one in STATEMENTS if one.startswith(("copy (", "copy cal", "attach '", "export", "import", "install", "load", "force install", "set ", "reset", "create secret"))],
]  # fmt: skip


@pytest.mark.parametrize("who", ["engine", "system"])
def test_a_worker_reaches_no_file_even_where_the_rules_are_passed_over(planted, who):
    """The rules are politeness: the engine's profile and the system refuse by themselves."""
    attempts = [written_for(planted, one) for one in PAST_THE_RULES]
    file = published_file(Home(planted / "home"))
    # Its own file is the one that the engine would open again; the system does not.
    attempts += [f"select content from read_blob('{file}')"] if who == "system" else []
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RULES, file, json.dumps(attempts), who],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    said = dict(zip(attempts, json.loads(done.stdout), strict=True))
    assert len(said) > 80
    assert {sql: text for sql, text in said.items() if not text.startswith("refused")} == {
        "set variable x = (select 1)": "[]",
        "attach ':memory:' as x": "[]",
        "create secret x (type http, bearer_token 'y')": "[(True,)]",
    }
    assert sorted(path.name for path in planted.iterdir()) == ["home", "secret.csv"]


def test_every_function_of_the_engine_that_tells_of_the_machine_is_known(sandbox):
    """A newer engine's scalar functions are looked at by whoever takes it into use."""
    about_machines = (
        r"setting|file$|env|secret|variable|http|read_|write|sleep|execut|query_t|serialize_p|_log$"
    )
    answer = sandbox.run(
        "select distinct function_name from duckdb_functions() where internal"
        " and function_type in ('scalar', 'macro', 'aggregate')"
        f" and regexp_matches(function_name, '{about_machines}') order by 1"
    )
    assert answer.table().column(0).to_pylist() == [
        "current_setting", "getvariable", "pg_sleep", "sleep_ms", "json_serialize_plan", "write_log",
    ] or answer.table().column(0).to_pylist() == [
        "current_setting", "getvariable", "json_serialize_plan", "pg_sleep", "sleep_ms", "write_log",
    ]  # fmt: skip


def test_every_view_of_the_engine_is_harmless_or_refused(sandbox):
    cursor = spare_cursor()
    views = cursor.execute("select view_name, sql from duckdb_views() where internal").fetchall()
    refused = set()
    for name, sql in views:
        try:
            require_harmless(cursor, sql.partition(" AS ")[2].rstrip(";"))
        except QueryError:
            refused.add(name)
    assert refused | {"variables", "duckdb_settings"} == REFUSED_RELATIONS


def test_a_worker_knows_nothing_of_the_environment_of_whoever_asks(sandbox):
    sandbox.run("select 1")
    known = Path(f"/proc/{sandbox._zygote.pid}/environ").read_bytes()
    assert PLANTED.encode() not in known
