# SPDX-License-Identifier: Apache-2.0
"""The pace by a clock of the test's own, and the breaker's probes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moved_clock import MovedClock

from ttapi.sources.throttle import Breaker, CircuitOpenError, Pace
from ttapi.sources.traffic import Traffic


def test_a_429_halves_the_pace_and_a_quiet_minute_brings_it_back():
    clock, traffic = MovedClock(), Traffic()
    pace = Pace(120.0, traffic, clock)
    clock.now = 5.0
    pace.slow()
    assert pace.per_s == 60.0
    clock.now = 5.5
    pace.slow()
    assert pace.per_s == 60.0  # of the same burst
    clock.now = 7.0
    pace.slow()
    assert pace.per_s == pytest.approx(32.0)  # (60 + 2 s of recovery) / 2
    clock.now = 7.0 + 30.0
    assert pace.per_s == pytest.approx(92.0)
    clock.now = 200.0
    assert pace.per_s == 120.0
    pace.settle()
    assert not traffic.is_slowed


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60))
def test_the_pace_stays_between_its_floor_and_what_is_allowed(events):
    clock = MovedClock()
    pace = Pace(64.0, Traffic(), clock)
    for wait, is_busy in events:
        clock.now += wait
        if is_busy:
            pace.slow()
        assert 1.0 <= pace.per_s <= 64.0


def test_429s_a_second_apart_halve_what_came_back_and_never_go_below_a_sixtieth():
    clock, traffic = MovedClock(), Traffic()
    pace = Pace(64.0, traffic, clock)
    found = []
    for _ in range(8):
        clock.now += 1.0
        pace.slow()
        found.append(pace.per_s / 64)
    share, expected = 1.0, []
    for number in range(8):
        share = (share + (1 / 60 if number else 0)) / 2
        expected.append(share)
    assert found == pytest.approx(expected, rel=1e-12)
    assert min(found) > 1 / 60
    assert traffic.pace_per_s == pace.per_s
    clock.now += 0.999
    pace.slow()
    assert pace.per_s / 64 == pytest.approx(expected[-1], rel=1e-12)  # of the same burst


def test_a_probe_that_works_closes_the_circuit():
    clock = MovedClock()
    breaker = Breaker(
        "/x", failures=2, recovery_s=0.001, is_failure=lambda kind, _: kind is OSError, clock=clock
    )
    asked = []

    async def send(error=None):
        asked.append(error)
        if error:
            raise error
        return "answer"

    async def run():
        for _ in range(2):
            with pytest.raises(OSError, match="down"):
                await breaker.call(lambda: send(OSError("down")))
        while True:
            try:
                return await breaker.call(send)
            except CircuitOpenError as exc:
                assert exc.wait_s is not None
                await asyncio.sleep(0)

    assert asyncio.run(run()) == "answer"
    assert asyncio.run(breaker.call(send)) == "answer"
    assert len(asked) == 4


def test_three_failed_probes_in_a_row_count_as_down_for_a_while():
    clock = MovedClock()
    breaker = Breaker(
        "/x", failures=1, recovery_s=1e-9, is_failure=lambda kind, _: kind is OSError, clock=clock
    )

    async def fail():
        raise OSError("no route")

    async def well():
        return "answer"

    def asked(send):
        """What comes of it once the pause between probes is over."""
        while True:
            try:
                return asyncio.run(breaker.call(send))
            except CircuitOpenError as exc:
                if exc.wait_s is None:
                    return str(exc)
            except OSError:
                return "failed"

    assert asked(fail) == "failed"  # opens the circuit
    assert [asked(fail) for _ in range(2)] == ["failed"] * 2
    assert asked(well) == "answer"
    assert [asked(fail) for _ in range(4)] == ["failed"] * 4  # the first opens it again
    assert asked(well) == "/x does not answer: no route"
    clock.now = 20e-9
    assert asked(well) == "answer"


def test_while_one_probes_the_others_are_refused_and_may_ask_again_behind_it():
    breaker = Breaker(
        "/x",
        failures=1,
        recovery_s=1e-9,
        is_failure=lambda kind, _: kind is OSError,
        clock=MovedClock(),
    )

    async def fail():
        raise OSError("down")

    async def well():
        return "answer"

    async def run():
        with pytest.raises(OSError, match="down"):
            await breaker.call(fail)
        gate = asyncio.Event()

        async def slow():
            await gate.wait()
            raise OSError("down still")

        probe = asyncio.ensure_future(breaker.call(slow))
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(CircuitOpenError):
                await breaker.call(well)
        gate.set()
        with pytest.raises(OSError, match="still"):
            await probe
        while True:
            try:
                return await breaker.call(well)
            except CircuitOpenError:
                await asyncio.sleep(0)

    assert asyncio.run(run()) == "answer"
