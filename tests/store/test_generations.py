# SPDX-License-Identifier: Apache-2.0
"""Published generations kept open: read to the end whatever was published since, and let go of in time."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import date

import pytest

from ttapi.errors import DiskFullError, GenerationError, InterruptedQueryError, QueryError
from ttapi.store import publish as publication
from ttapi.store.files import second_name
from ttapi.store.publish import Generations

COUNT = "select count(*) as n from eod"


def publish(lab, number):
    """The next generation, of one bar more."""
    lab.write_bars(f"S{number}.csv", [(date(2024, 6, 13), 1, 2, 1, 2)])
    return lab.refresh("eod").generation


def count(generation):
    return generation.rows(COUNT).table.to_pylist()[0]["n"]


def test_a_reading_ends_in_the_generation_it_began_in(whole_lab):
    generations = Generations(whole_lab.home)
    first = publish(whole_lab, 0)
    with generations.reading() as held:
        assert (held.number, count(held)) == (first, 1)
        for number in range(1, 4):
            publish(whole_lab, number)
        # Two are kept beside the newest, and what is read: it is one to build upon afterwards.
        file = whole_lab.home.snapshots / f"market.{first:06d}.duckdb"
        assert file.exists()
        assert count(held) == 1
        with generations.reading() as newest, generations.reading(first) as again:
            assert (newest.number, count(newest)) == (first + 3, 4)
            assert again is held
    generations.close()
    assert list(whole_lab.home.pinned.iterdir()) == []
    publish(whole_lab, 4)
    assert not file.exists()


def test_who_opens_what_another_closes_at_that_moment_has_a_name_of_its_own(whole_lab):
    number = publish(whole_lab, 0)
    file = whole_lab.home.public_file.resolve()
    closing_one, opening_one = (second_name(whole_lab.home, file, number) for _ in range(2))
    assert closing_one != opening_one
    closing_one.unlink()
    assert opening_one.samefile(file)
    opening_one.unlink()


def test_a_file_that_is_read_is_never_made_into_a_newer_one(whole_lab):
    generations = Generations(whole_lab.home)
    first = publish(whole_lab, 0)
    with generations.reading(first) as held:
        inode = held.name.stat().st_ino
        later = set()
        for number in range(1, 5):
            publish(whole_lab, number)
            later.add(whole_lab.home.public_file.stat().st_ino)
        assert inode not in later
        assert (count(held), held.name.stat().st_ino) == (1, inode)
    generations.close()


def test_what_nobody_goes_on_with_is_let_go_of_first(whole_lab):
    generations = Generations(whole_lab.home, kept=1)
    first = publish(whole_lab, 0)
    with generations.reading(first):
        pass
    for number in range(1, 4):
        publish(whole_lab, number)
        with generations.reading():
            pass
    assert sorted(generations._open) == [first, first + 3]
    assert len(list(whole_lab.home.pinned.iterdir())) == 2
    generations.close()


def test_one_that_is_gone_or_still_to_come_is_told(whole_lab):
    generations = Generations(whole_lab.home)
    newest = generations.newest()
    for number in (newest + 1, 0, -1):
        said = pytest.raises(GenerationError, match=f"generation {number} was never published")
        with said, generations.reading(number):
            raise AssertionError
    for number in range(3):
        publish(whole_lab, number)
    said = pytest.raises(GenerationError, match=f"generation {newest} is held no more")
    with said as gone, generations.reading(newest):
        raise AssertionError
    assert (gone.value.number, gone.value.newest) == (newest, newest + 3)
    generations.close()


def test_second_names_of_a_dead_process_are_removed(whole_lab):
    whole_lab.home.pinned.mkdir()
    dead = whole_lab.home.pinned / "market.000001.4194303.duckdb"
    own = whole_lab.home.pinned / f"market.000001.{os.getpid()}.duckdb"
    for name in (dead, own):
        name.touch()
    Generations(whole_lab.home).close()
    assert (dead.exists(), own.exists()) == (False, True)


def test_a_query_is_ended_at_its_deadline_and_the_next_one_runs(whole_lab):
    generations = Generations(whole_lab.home)
    with generations.reading() as held:
        with pytest.raises(InterruptedQueryError):
            held.rows("select count(*) from range(100000000) a, range(1000000) b", deadline_s=0.2)
        assert count(held) == 0
        with pytest.raises(QueryError):
            held.rows("select nothing")
        assert held.rows("select ? as v", ["x"]).table.to_pylist() == [{"v": "x"}]
    generations.close()


def test_a_home_that_takes_no_second_name_is_read_all_the_same(whole_lab):
    whole_lab.home.pinned.touch()
    generations = Generations(whole_lab.home)
    with generations.reading() as held:
        assert (held.name, count(held)) == (None, 0)
    generations.close()


CALENDAR = "select market, date, close_utc, holiday_name from main.calendar where date >= cast(? as date) order by "
FROM = ("2020-01-01",)
ORDERS = (
    "market, date desc",
    "holiday_name nulls last, date, market",
    "close_utc desc, market, date",
)


@pytest.fixture
def sorted_soon(monkeypatch):
    """What is sorted for one window is kept, of any relation and offset."""
    monkeypatch.setattr("ttapi.store.publish.LARGE", 10)
    monkeypatch.setattr("ttapi.store.publish.DEEP", 3)


def test_windows_far_into_an_order_are_those_of_the_order(whole_lab, sorted_soon):
    generations = Generations(whole_lab.home)
    with closing(generations), generations.reading() as found:
        for order in ORDERS:
            whole = found.rows(CALENDAR + order, FROM).table
            total = whole.num_rows
            for first in (0, 3, 3, 1000, total - 2, total + 5):
                rows = found.window(CALENDAR + order, FROM, range(first, first + 7), total, 60.0)
                assert rows.table == whole.slice(first, 7), (order, first)
                assert [(c.name, c.type.text) for c in rows.columns] == [
                    ("market", "VARCHAR"), ("date", "DATE"), ("close_utc", "TIMESTAMP"), ("holiday_name", "VARCHAR"),
                ]  # fmt: skip


def test_an_order_is_stored_when_it_is_asked_for_again_and_the_last_two_are_kept(
    whole_lab, sorted_soon
):
    generations = Generations(whole_lab.home)
    with closing(generations), generations.reading() as found:

        def files():
            names = (path.name.split(".") for path in whole_lab.home.pinned.iterdir())
            return sorted(".".join([*name[:2], *name[3:]]) for name in names)

        def ask(order, first):
            found.window(CALENDAR + order, FROM, range(first, first + 5), 1000, 60.0)

        own = f"{os.getpid()}.duckdb"
        number = f"market.{found.number:06d}"
        ask(ORDERS[0], 10)
        assert files() == [f"{number}.{own}"]
        for first in (20, 30):
            ask(ORDERS[0], first)
        assert files() == [f"{number}-1.{own}", f"{number}.{own}"]
        for order in (ORDERS[1], ORDERS[1], ORDERS[0], ORDERS[2], ORDERS[2]):
            ask(order, 10)
        assert files() == [f"{number}-1.{own}", f"{number}-3.{own}", f"{number}.{own}"]
    assert list(whole_lab.home.pinned.iterdir()) == []


def test_where_there_is_no_room_for_an_order_it_is_sorted_for_each_window(
    whole_lab, sorted_soon, monkeypatch
):
    def refuse(*_):
        raise DiskFullError("no room")

    monkeypatch.setattr("ttapi.store.reader.SortedRows.__init__", refuse)
    generations = Generations(whole_lab.home)
    with closing(generations), generations.reading() as found:
        for _ in range(2):
            rows = found.window(CALENDAR + ORDERS[0], FROM, range(5, 9), 1000, 60.0)
            assert rows.table == found.rows(CALENDAR + ORDERS[0], FROM).table.slice(5, 4)


def test_requests_for_one_generation_open_its_file_once(whole_lab, monkeypatch):
    opened = []
    connect = publication.connect_snapshot
    monkeypatch.setattr(publication, "connect_snapshot", lambda file: opened.append(file) or connect(file))  # fmt: skip
    generations = Generations(whole_lab.home)
    with closing(generations):
        for _ in range(20):
            with generations.reading() as found:
                assert found.rows("select 1").total == 1
        assert len(opened) == 1
        publish(whole_lab, 1)
        for _ in range(20):
            with generations.reading() as found:
                assert count(found) == 1
        assert len(opened) == 2
