# SPDX-License-Identifier: Apache-2.0
"""How long is waited after a failure, which status is one, and which address is safe; without a socket."""

from __future__ import annotations

import pytest

from ttapi.errors import UsageError
from ttapi.sources.http import (
    HostLimits,
    HttpClient,
    Request,
    Response,
    UnreadError,
    _is_hosts_failure,
    _PassingError,
    _seconds,
    require_safe_address,
)
from ttapi.sources.throttle import CircuitOpenError
from ttapi.sources.traffic import Traffic

BOUNDS = HostLimits(requests_per_s=64.0, first_wait_s=1.0, longest_wait_s=5.0)


def client(draw=0.5):
    now = [0.0]
    made = HttpClient(
        "http://127.0.0.1:9", Traffic(), tuning=BOUNDS, draw=lambda: draw, clock=lambda: now[0]
    )
    return made, now


def failure(wait_s=None, *, is_ours=False):
    return _PassingError("x", is_ours=is_ours, wait_s=wait_s)


def test_waits_double_from_the_first_to_the_longest_and_are_drawn_from_their_whole_range():
    wait = client(draw=0.5)[0]._waits()
    assert [wait(failure()) for _ in range(4)] == [1.0, 2.0, 2.5, 2.5]
    assert client(draw=0.0)[0]._waits()(failure()) == 0.001


def test_a_host_is_left_alone_for_as_long_as_it_asks_up_to_two_minutes():
    wait = client()[0]._waits()
    assert [wait(failure(s)) for s in (0.0, 7.0, 120.0, 120.5)] == [0.0, 7.0, 120.0, False]


def test_an_open_circuit_is_waited_for_and_one_that_is_down_is_not():
    wait = client(draw=0.5)[0]._waits()
    assert wait(CircuitOpenError("/x", "down", 3.0)) == 4.5
    assert wait(CircuitOpenError("/x", "down", None)) is False
    assert wait(ValueError("a defect")) is False


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("", None), ("7", 7.0), ("0", 0.0), ("1.5", None), ("-1", None), ("soon", None), ("٣", None)],
)  # fmt: skip
def test_only_whole_seconds_are_read_as_a_time_to_wait(text, seconds):
    assert _seconds(text) == seconds


def judged(status, retry_after=None):
    made, now = client()
    now[0] = 10.0
    answer = Response("/x", status, b"body", retry_after=retry_after)
    try:
        found = made._judged(Request("GET", "/x", "/x"), answer)
    except (_PassingError, UnreadError) as exc:
        found = exc
    return found, made._pace.per_s


@pytest.mark.parametrize("status", [200, 299, 400, 401, 404, 422, 428, 430, 499])
def test_what_the_caller_is_to_read_is_given_back(status):
    found, pace = judged(status)
    assert (found.status, found.body, pace) == (status, b"body", 64.0)


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_failure_of_the_host_counts_against_it(status):
    found, pace = judged(status)
    assert (str(found), found.is_ours, found.wait_s, pace) == (f"status {status}", False, None, 64.0)  # fmt: skip
    assert _is_hosts_failure(type(found), found)


def test_asking_too_fast_is_ours_and_slows_down():
    found, pace = judged(429, "7")
    assert (str(found), found.is_ours, found.wait_s, pace) == ("status 429, too many requests", True, 7.0, 32.0)  # fmt: skip
    assert not _is_hosts_failure(type(found), found)
    assert not _is_hosts_failure(ValueError, ValueError())


@pytest.mark.parametrize("status", [300, 301, 304, 399])
def test_a_redirect_is_no_answer(status):
    found, _ = judged(status)
    assert isinstance(found, UnreadError)
    assert (found.status, found.body) == (status, b"body")


@pytest.mark.parametrize(
    "url",
    ["https://api.tastyworks.com", "http://127.0.0.1:8", "http://127.9.9.9", "http://[::1]:80", "http://localhost"],
)  # fmt: skip
def test_a_safe_address_is_taken(url):
    assert require_safe_address(url) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://128.0.0.1", "unencrypted"), ("http://localhost.example.com", "unencrypted"), ("http://[::2]", "unencrypted"),
        ("ws://127.0.0.1", "no web address"), ("https://", "no web address"), ("", "no web address"), ("http://a:b", "no address"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_not_safe_is_refused(url, told):
    with pytest.raises(UsageError, match=told):
        require_safe_address(url)
