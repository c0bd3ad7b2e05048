# SPDX-License-Identifier: Apache-2.0
"""What a thread reads is interrupted for that thread alone, until it may read again."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ttapi.sources.in_thread import (
    allow_reading,
    interrupt_reading,
    iterate_in_thread,
    no_reading,
)


async def two():
    yield 1
    yield 2


def read():
    return list(iterate_in_thread(two))


def test_a_thread_that_was_interrupted_reads_nothing_until_it_may():
    reader = threading.current_thread()
    interrupt_reading(reader)
    try:
        with pytest.raises(KeyboardInterrupt):
            read()
        with ThreadPoolExecutor(1) as other:
            assert other.submit(read).result() == [1, 2]
    finally:
        allow_reading(reader)
    assert read() == [1, 2]


def test_nobody_reads_inside_the_block_that_says_so():
    with no_reading(), pytest.raises(KeyboardInterrupt):
        read()
    assert read() == [1, 2]


def test_what_waits_for_its_next_item_is_interrupted():
    may_go_on, readers = threading.Event(), []

    async def silent():
        yield 1
        may_go_on.set()
        while True:
            yield await asyncio.Event().wait()

    def read_on():
        readers.append(threading.current_thread())
        return list(iterate_in_thread(silent))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_on)
        assert may_go_on.wait(60)
        interrupt_reading(readers[0])
        with pytest.raises(KeyboardInterrupt):
            reading.result(60)


def test_a_thread_that_got_the_number_of_an_interrupted_one_reads():
    numbers, found = [], []

    def note_and_read():
        numbers.append(threading.get_ident())
        found.append(read())

    def interrupted():
        numbers.append(threading.get_ident())
        interrupt_reading(threading.current_thread())

    for work in (interrupted, note_and_read) * 20:
        one = threading.Thread(target=work)
        one.start()
        one.join()
    assert found == [[1, 2]] * 20
    assert len(set(numbers)) < len(numbers), "numbers are given again"
