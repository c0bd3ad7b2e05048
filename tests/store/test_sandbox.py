# SPDX-License-Identifier: Apache-2.0
"""A sandbox answers as the plain reader does, within its limits, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from draws import draws
from hypothesis import given, settings
from hypothesis import strategies as st

from ttapi.errors import (
    BusyError,
    QueryError,
    QueryTimeoutError,
    QueryTooBigError,
    UsageError,
)
from ttapi.home import Home
from ttapi.store.reader import Reader
from ttapi.store.sandbox import Sandbox
from ttapi.store.sandbox_protocol import SandboxLimits, receive, request_of, send

LIMITS = SandboxLimits()
ENDLESS = "with recursive t as (select 1 as i union all select i from t) select count(*) from t"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Generation 7 of a little database, published."""
    made = Home(tmp_path_factory.mktemp("sandboxed"))
    publish(made, 7)
    return made


def publish(home, generation):
    home.snapshots.mkdir(parents=True, exist_ok=True)
    home.live.mkdir(exist_ok=True)
    file = home.snapshots / f"market.{generation:06d}.duckdb"
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute("create schema catalog")
        connection.execute(
            f"create table catalog.meta as select 'generation' as name, '{generation}' as value"
        )
        connection.execute(
            "create table numbers as select range as i, 'n' || range as name from range(1000)"
        )
        connection.execute(
            "create table stamped as select timestamp '2024-06-14 20:00:00' as known_at"
        )
        connection.execute("comment on column stamped.known_at is 'UTC'")
        connection.execute("create macro up_to(n) as table select i from numbers where i < n")
        connection.execute("create macro read_text(n) as table select i from numbers where i < n")
    home.public_file.unlink(missing_ok=True)
    home.public_file.symlink_to(file.relative_to(home.root))


@pytest.fixture(scope="module")
def sandbox(home):
    with Sandbox(home) as one:
        yield one


@pytest.fixture(scope="module")
def reader(home):
    with closing(Reader(home)) as one:
        yield one


def rows(answer):
    return answer.table().to_pylist()


def test_an_answer_says_what_it_is_of(sandbox):
    answer = sandbox.run("select i, name from numbers order by i limit 2")
    assert rows(answer) == [{"i": 0, "name": "n0"}, {"i": 1, "name": "n1"}]
    assert (answer.row_count, answer.is_truncated, answer.generation) == (2, False, 7)
    assert [(column.name, column.type.text) for column in answer.columns] == [("i", "BIGINT"), ("name", "VARCHAR")]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "parameters", "answer"),
    [
        ("select ?::int + ? as x", [40, 2], 42),
        ("select $2 || $1 as x", ["a", "b"], "ba"),
        ("select $name as x", {"name": "'; drop table numbers; --"}, "'; drop table numbers; --"),
        ("select ?::date::varchar as x", ["2024-06-14"], "2024-06-14"),
        ("select len(?) as x", [[1, 2, 3]], 3),
        ("select ? is null as x", [None], True),
        ("select count(*) as x from up_to(?)", [5], 5),
    ],
)
def test_parameters_are_bound(sandbox, sql, parameters, answer):
    assert rows(sandbox.run(sql, parameters)) == [{"x": answer}]


@pytest.mark.parametrize("wrong", [[float("nan")], [object()], ["\ud800"], {"a": {1, 2}}])
def test_what_is_no_json_is_no_parameter(sandbox, wrong):
    with pytest.raises(QueryError, match="parameters are JSON values"):
        sandbox.run("select 1", wrong)


def test_a_macro_of_the_file_is_read_and_none_that_hides_a_function_of_the_engine(sandbox):
    assert rows(sandbox.run("select sum(i) as x from up_to(4)")) == [{"x": 6}]
    with pytest.raises(QueryError, match="the table function read_text is not available here"):
        sandbox.run("from read_text(4)")


def test_rows_beyond_the_limit_are_left_out_and_it_is_told(sandbox):
    few = replace(LIMITS, max_rows=3)
    cut, exact = (sandbox.run(f"from up_to({n})", (), few) for n in (4, 3))
    assert (cut.row_count, cut.is_truncated, cut.rows().is_cut) == (3, True, True)
    assert (exact.row_count, exact.is_truncated, exact.rows().is_cut) == (3, False, False)
    none = sandbox.run("from numbers", (), replace(LIMITS, max_rows=0))
    assert (none.row_count, none.is_truncated, none.table().column_names) == (
        0,
        True,
        ["i", "name"],
    )


def test_bytes_beyond_the_limit_are_left_out_and_one_row_too_large_is_refused(sandbox):
    little = replace(LIMITS, max_bytes=20_000)
    cut = sandbox.run("select i, repeat('x', 1000) as text from numbers", (), little)
    assert cut.is_truncated
    assert 0 < cut.row_count < 20
    with pytest.raises(QueryTooBigError, match=r"one row takes [\d,]+ bytes of the 20,000 allowed"):
        sandbox.run("select repeat('x', 100000) as text from numbers", (), little)


def test_a_query_that_takes_too_long_is_killed(sandbox):
    with pytest.raises(QueryTimeoutError) as late:
        sandbox.run(ENDLESS, (), replace(LIMITS, timeout_s=0.2, grace_s=0.1))
    assert str(late.value) == "the query took longer than the 0.2 s it may (a condition on symbol and date reads less)"  # fmt: skip
    assert rows(sandbox.run("select 1 as x")) == [{"x": 1}]


@pytest.mark.skipif(duckdb.__version__ < "2", reason="the engine has no limit of its own")
def test_the_engine_ends_what_takes_too_long_before_it_is_killed(home):
    limits = replace(LIMITS, timeout_s=0.3, grace_s=600)
    with Sandbox(home, limits, spares=0) as one, pytest.raises(QueryTimeoutError):
        one.run(ENDLESS)


def test_a_query_that_needs_too_much_memory_is_told_so(home):
    limits = replace(LIMITS, memory_mib=64, timeout_s=60)
    refusal = pytest.raises(QueryTooBigError, match="more than the 64 MiB of memory it may have")
    with Sandbox(home, limits, spares=0) as one, refusal:
        one.run("select list(range) as x from range(100000000)")


def test_a_statement_that_is_too_long_is_refused(sandbox):
    with pytest.raises(QueryError, match="50,010 characters, more than 50,000"):
        sandbox.run("select 1" + " " * 50_002)


def test_parameters_that_are_too_long_are_refused(sandbox):
    with pytest.raises(QueryError, match="the parameters take 600,004 bytes, more than 524,288"):
        sandbox.run("select ?", ["x" * 600_000])


def test_what_would_be_refused_is_told_without_running_it(sandbox):
    assert sandbox.check("select nothing from nowhere") is None
    with pytest.raises(QueryError, match="INSERT is not answered here"):
        sandbox.check("insert into numbers values (1, 'x')")


def test_an_error_of_the_engine_is_told_as_it_is(sandbox):
    with pytest.raises(
        QueryError, match=r'Table with name number does not exist!\nDid you mean "numbers"\?'
    ):
        sandbox.run("select * from number")


def test_the_relations_that_declare_an_instant_are_told(sandbox):
    answer = sandbox.run("select known_at, known_at as other from stamped")
    assert answer.instants == {"known_at": ["stamped"]}
    line = b"".join(answer.rows(frozenset({"known_at"})).json_lines())
    assert line == b'{"known_at": "2024-06-14T20:00:00Z", "other": "2024-06-14 20:00:00"}\n'


def test_a_newer_generation_is_what_the_next_query_reads(tmp_path):
    home = Home(tmp_path)
    publish(home, 1)
    with Sandbox(home) as one:
        assert one.run("select 1").generation == 1
        one.follow()
        publish(home, 2)
        assert one.run("select 1").generation == 2
        one.follow()
        assert {spare.file.name for spare in one._spares} == {"market.000002.duckdb"}


def test_workers_hold_no_file_where_nobody_has_asked_for_a_minute(home):
    """A stream publishes every two seconds: opening each anew costs, and holding an old one costs a copy."""
    clock = iter([0.0, 0.0, 70.0])
    with Sandbox(home, clock=lambda: next(clock, 70.0)) as one:
        one.follow()
        assert len(one._spares) == 1
        one.start()
        while one._spares:
            one._woken.set()
        assert one.run("select 1").row_count == 1


def test_threads_share_a_sandbox(home):
    found = []
    with Sandbox(home, slots=2) as one:
        threads = [threading.Thread(target=lambda n=n: found.append(rows(one.run(f"select {n} as x")))) for n in range(6)]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(row["x"] for (row,) in found) == list(range(6))


def test_who_finds_nobody_free_is_told(home):
    with Sandbox(home, replace(LIMITS, wait_s=0), slots=1, spares=0) as one:
        one._slots.acquire()
        with pytest.raises(BusyError) as busy:
            one.run("select 1")
        one._slots.release()
        assert rows(one.run("select 1 as x")) == [{"x": 1}]
    assert str(busy.value) == "every worker was taken for 0 s (ask again later)"


def test_a_zygote_that_was_killed_is_started_again(home):
    with Sandbox(home, spares=0) as one:
        one.run("select 1")
        os.kill(one._zygote.pid, signal.SIGKILL)
        one._zygote._process.wait()
        assert rows(one.run("select 1 as x")) == [{"x": 1}]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_a_zygote_has_no_thread_that_a_fork_would_lack(home):
    with Sandbox(home, spares=0) as one:
        one.run("select 1")
        # Of DuckDB 1.5 importing it starts one, which no fork needs.
        own = duckdb.__version__ < "2"
        assert len(list(Path(f"/proc/{one._zygote.pid}/task").iterdir())) == 1 + own


def test_a_worker_that_is_busy_dies_with_its_zygote(home):
    with Sandbox(home, replace(LIMITS, timeout_s=600), spares=0) as one:
        worker = one._ready()
        send(worker.line, request_of(ENDLESS, (), one.limits, is_check=False))
        os.kill(one._zygote.pid, signal.SIGKILL)
        assert receive(worker.line, time.monotonic() + 300) == (None, b"")
        worker.line.close()


def test_spares_that_died_are_replaced(home):
    with Sandbox(home, spares=2) as one:
        one.run("select 1")
        one.follow()
        for spare in list(one._spares):
            one._zygote.end(spare.pid)
            wait_for_the_end(spare.pid)
        assert rows(one.run("select 1 as x")) == [{"x": 1}]


def test_a_query_that_ends_its_process_is_told_so(home):
    with Sandbox(home, spares=0) as one:
        worker = one._ready()
        one._zygote.end(worker.pid)
        wait_for_the_end(worker.pid)
        with pytest.raises(QueryError, match="the query ended its process"):
            one._answer(worker, {"sql": "select 1"}, LIMITS)
        one._end(worker)
        assert rows(one.run("select 1 as x")) == [{"x": 1}]


def test_no_process_outlives_a_sandbox(home):
    one = Sandbox(home, spares=2)
    one.run("select 1")
    one.follow()
    pids = [spare.pid for spare in one._spares]
    assert len(pids) == 2
    one.close()
    one.close()
    assert [pid for pid in pids if is_alive(pid)] == []
    with pytest.raises(UsageError, match="this sandbox was closed"):
        one.run("select 1")


ORPHAN = """
import os, signal, sys
from pathlib import Path
from ttapi.home import Home
from ttapi.store.sandbox import Sandbox
one = Sandbox(Home(Path(sys.argv[1])), spares=1)
one.run("select 1")
one.follow()
print(one._zygote.pid, one._spares[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_process_outlives_one_whose_owner_is_killed(home):
    done = subprocess.run([sys.executable, "-c", ORPHAN, home.root], capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    # Whoever holds its end of a pipe open is alive: both of them had standard error.
    pids = [int(word) for word in done.stdout.split()]
    for pid in pids:
        wait_for_the_end(pid)
    assert len(pids) == 2


def wait_for_the_end(pid):
    while is_alive(pid):
        os.sched_yield()


def is_alive(pid):
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


def test_nothing_published_is_told_as_ever(tmp_path):
    with Sandbox(Home(tmp_path)) as one, pytest.raises(UsageError, match="cannot be opened"):
        one.run("select 1")


columns = st.sampled_from(["i", "name", "i % 7", "i / 3", "upper(name)", "i::double", "[i, i]", "{'a': i}", "interval (i) day", "i::hugeint", "date '2024-01-01' + i::int", "null", "i::decimal(18, 3)", "name::blob", "uuid()::varchar is null", "timestamp '2024-01-01' + to_hours(i::int)", "map {name: i}", "(i % 2)::boolean"])  # fmt: skip
conditions = st.sampled_from(["true", "i < 10", "name like 'n1%'", "i % 3 = 1", "i in (1, 2, 3)", "false"])  # fmt: skip


@pytest.mark.drawn
@settings(max_examples=draws(60, campaign=2_000))
@given(drawn=st.tuples(st.lists(columns, min_size=1, max_size=5), conditions, st.integers(0, 40)))
def test_any_harmless_select_gives_what_the_plain_reader_gives(sandbox, reader, drawn):
    chosen, condition, limit = drawn
    sql = f"select {', '.join(chosen)} from numbers where {condition} order by i limit {limit}"
    plain, answer = reader.run(sql), sandbox.run(sql)
    assert answer.table().equals(plain.table)
    assert list(answer.rows().json_lines()) == list(plain.json_lines())
