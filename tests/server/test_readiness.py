# SPDX-License-Identifier: Apache-2.0
"""Everybody is answered from one generation, and from the next once what was asked lately is answered of it."""

from __future__ import annotations

import os
import threading
from contextlib import closing, contextmanager
from datetime import date

import pytest

from ttapi.errors import StoreError
from ttapi.home import Home
from ttapi.server.readiness import Readiness
from ttapi.server.routes import API


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    publish(made, 7)
    return made


def publish(home, number):
    home.public_file.unlink(missing_ok=True)
    home.public_file.symlink_to(f"snapshots/market.{number:06d}.duckdb")


@pytest.fixture
def readiness(home):
    with closing(Readiness(home)) as one:
        yield one


@contextmanager
def nothing_read():
    yield


def nothing():
    pass


def test_the_next_one_is_answered_from_once_what_was_asked_is_answered_of_it(home, readiness):
    seen, begun, may_go = [], threading.Event(), threading.Event()

    def answer():
        seen.append(readiness.newest(home))
        begun.set()
        assert may_go.wait(60)

    readiness.note("question", answer)
    readiness.hold_back()
    publish(home, 8)
    assert readiness.newest(home) == 7
    readiness.go_on(nothing_read, nothing)
    assert begun.wait(60)
    assert (seen, readiness.newest(home)) == ([8], 7)
    may_go.set()
    readiness.close()
    assert readiness.newest(home) == 8


def test_what_came_after_the_one_that_is_waited_for_is_answered_from_at_once(home, readiness):
    readiness.hold_back()
    publish(home, 9)
    assert readiness.newest(home) == 9


def test_where_nothing_was_published_nothing_is_held_back(home, readiness):
    readiness.hold_back()
    readiness.let_go()
    publish(home, 8)
    assert readiness.newest(home) == 8


def test_the_first_generation_of_all_is_not_waited_for(tmp_path):
    home = Home(tmp_path)
    with closing(Readiness(home)) as readiness:
        readiness.hold_back()
        publish(home, 1)
        assert readiness.newest(home) == 1


def test_a_daemon_that_ends_holds_nothing_back(home, readiness):
    readiness.hold_back()
    publish(home, 8)
    readiness.close()
    readiness.go_on(nothing_read, nothing)
    assert readiness.newest(home) == 8
    readiness.submit(nothing)


@pytest.mark.parametrize("at_fault", ["look", "answer"])
def test_what_cannot_be_prepared_is_answered_from_all_the_same(home, readiness, at_fault):
    answered = []

    def fail():
        raise StoreError("no")

    readiness.note("bad", fail if at_fault == "answer" else nothing)
    readiness.note("good", lambda: answered.append(1))
    readiness.hold_back()
    publish(home, 8)
    readiness.go_on(nothing_read, fail if at_fault == "look" else nothing)
    readiness.close()
    assert readiness.newest(home) == 8
    assert answered == ([1] if at_fault == "answer" else [])


def test_the_questions_asked_last_are_answered_and_each_but_once(home, readiness):
    answered = []
    for number in (*range(100), 99, 98):
        readiness.note(number, lambda number=number: answered.append(number))
    for generation in (8, 9):
        readiness.hold_back()
        publish(home, generation)
        readiness.go_on(nothing_read, nothing)
        while readiness.newest(home) != generation:
            os.sched_yield()
    assert sorted(answered) == list(range(36, 100))


def test_what_a_stream_published_is_answered_without_being_read_again(make_bars_lab, run_daemon, tmp_path):  # fmt: skip
    with run_daemon(make_bars_lab(tmp_path), clock=lambda: 5.0) as own, own.client() as client:
        path = f"{API}/eod?symbol=NEW"
        before = [client.get(path) for _ in range(3)][-1]
        generation = int(before.headers["x-ttapi-generation"])
        with own.served.publishing():
            own.lab.write_bars("NEW.csv", [(date(2024, 6, 13), 1, 2, 1, 2)])
            own.lab.refresh()
            meanwhile = client.get(path)
            others = client.get(f"{API}/relations/eod/rows?limit=1")
        while own.served.published.newest() == generation:
            os.sched_yield()
        reads = own.served.published._generations._count
        after = client.get(path)
        assert own.served.published._generations._count == reads
        assert float(after.headers["x-ttapi-data-age-s"]) >= 0
    assert (before.json()["total"], meanwhile.content) == (0, before.content)
    assert int(others.headers["x-ttapi-generation"]) == generation
    assert (after.json()["total"], int(after.headers["x-ttapi-generation"])) == (1, generation + 1)
