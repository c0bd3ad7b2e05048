# SPDX-License-Identifier: Apache-2.0
"""The budget of requests, and what is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ttapi.simulator.faults import Budget, Counters


@given(
    st.integers(1, 50),
    st.lists(st.floats(0, 0.5), min_size=1, max_size=200),
)
def test_no_second_allows_more_than_twice_the_budget(rate, pauses):
    """A full bucket and a second's filling: what a token bucket may let through at most."""
    now, allowed = 0.0, []
    budget = Budget(rate, lambda: now)
    for pause in pauses:
        now += pause
        if budget.take():
            allowed.append(now)
    for start in allowed:
        assert sum(start <= at <= start + 1 for at in allowed) <= 2 * rate + 1


def test_a_client_that_keeps_to_the_budget_is_never_refused():
    now = 0.0
    budget = Budget(10, lambda: now)
    for _ in range(500):
        now += 0.1000001
        assert budget.take()


def test_without_a_budget_everything_is_allowed():
    budget = Budget(None, lambda: 0.0)
    assert all(budget.take() for _ in range(1000))


def test_counters_tell_kinds_of_answers_apart():
    counters = Counters()
    for _ in range(4):
        counters.begin()
    for status in (200, 429, 500, 0):
        counters.end(status)
    assert counters == Counters(
        asked=4, served=1, throttled=1, failed=2, in_flight=0, most_in_flight=4
    )
    counters.reset()
    assert counters == Counters()


def test_a_bucket_holds_a_seconds_worth_and_at_least_one():
    now = [0.0]
    budget = Budget(2, lambda: now[0])
    assert [budget.take() for _ in range(3)] == [True, True, False]
    now[0] = 0.49
    assert not budget.take()
    now[0] = 0.5
    assert budget.take()
    now[0] = 60.0
    assert [budget.take() for _ in range(3)] == [True, True, False]
    slow = Budget(0.5, lambda: now[0])
    assert not slow.take()
    now[0] += 1.0
    assert slow.take()


def test_every_status_is_of_one_kind():
    counters = Counters()
    for status in (1, 399, 400, 428, 429, 430, 599, 0):
        counters.begin()
        counters.end(status)
    assert (counters.served, counters.throttled, counters.failed) == (2, 1, 5)
    counters.begin()
    counters.reset()
    assert (counters.asked, counters.in_flight, counters.most_in_flight) == (0, 1, 1)
