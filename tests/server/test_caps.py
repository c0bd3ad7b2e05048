# SPDX-License-Identifier: Apache-2.0
"""What one caller may cost is a setting: each holds where it is set lower than it comes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from stream_socket import ended, heard, opened, say

from ttapi.api import Hub
from ttapi.server.routes import API

CAPS = {
    "MAX_ROWS": "3", "WINDOW_ROWS": "5", "MAX_BYTES": "4000", "MAX_SECONDS": "0.3", "MAX_BODY": "300",
    "MAX_DEPTH": "3", "SOCKETS": "1", "TOPICS": "2",
}  # fmt: skip


@pytest.fixture(scope="module")
def capped(make_bars_lab, run_daemon, tmp_path_factory):
    lab = make_bars_lab(tmp_path_factory.mktemp("capped"))
    lab.environ |= {f"TTAPI_SERVE_{name}": value for name, value in CAPS.items()}
    with run_daemon(lab, hub=Hub()) as daemon:
        yield daemon


@pytest.fixture
def client(capped):
    with capped.client("admin") as found:
        yield found


def sql(client, text, **changes):
    return client.post(f"{API}/sql", json={"sql": text, "refresh": False, **changes})


def test_rows_of_a_query_are_cut_whatever_was_asked(client):
    found = sql(client, "from range(10)", max_rows=9).json()
    assert (found["row_count"], found["is_truncated"]) == (3, True)


def test_a_piece_of_a_relation_has_so_many_rows(client, is_problem):
    assert len(client.get(f"{API}/relations/eod/rows?limit=5").json()["rows"]) == 5
    refused = client.get(f"{API}/relations/eod/rows?limit=6")
    assert is_problem(refused, 422) == "limit is at most 5"


def test_bytes_and_seconds_of_a_query_are_held(client, is_problem):
    assert "byte" in is_problem(sql(client, "select repeat('x', 9000) as x"), 413)
    slow = "select sum(a.range * b.range) from range(1000000) a, range(1000000) b"
    assert "0.3" in is_problem(sql(client, slow, timeout_s=9), 504)


def test_a_body_has_so_many_bytes(client, is_problem):
    refused = sql(client, "select 1 -- " + "x" * 300)
    assert is_problem(refused, 413) == "a body has at most 300 bytes"


def test_a_body_is_so_deep(client, is_problem):
    fits = sql(client, "select ? as x", parameters=[[1]])
    assert (fits.status_code, fits.json()["rows"]) == (200, [{"x": [1]}])
    detail = is_problem(sql(client, "select ? as x", parameters=[[[1]]]), 422)
    assert detail == "a body is at most 3 deep"


def test_a_socket_is_heeded_so_often(make_bars_lab, run_daemon, tmp_path):
    """Of thirty messages the last waits for half a minute; another socket is answered meanwhile."""
    lab = make_bars_lab(tmp_path)
    lab.environ["TTAPI_SERVE_MESSAGES"] = "1"
    with run_daemon(lab) as daemon, opened(daemon, "token-of-viewer") as hasty:
        for _ in range(30):
            say(hasty, "nothing")
        with opened(daemon, "token-of-viewer") as other:
            say(other, "nothing")
            assert heard(other)["type"] == "error"
        answers = 0
        with suppress(TimeoutError):
            while hasty.recv(timeout=0):
                answers += 1
        assert 2 <= answers < 30


def test_a_user_has_so_many_sockets_and_a_socket_so_many_topics(capped):
    with opened(capped, "token-of-viewer") as first, opened(capped) as second:
        say(first, "subscribe", topics=["quote:A", "quote:B", "quote:C"])
        assert heard(first)["data"] == {"detail": "data names topics, at most 2"}
        say(second, "auth", token="token-of-viewer")
        assert ended(second) == (1013, "1 sockets are open already")


def test_a_user_makes_so_many_requests(make_bars_lab, run_daemon, tmp_path, is_problem):
    lab = make_bars_lab(tmp_path)
    lab.environ["TTAPI_SERVE_REQUESTS_PER_SECOND"] = "2"
    with run_daemon(lab, clock=lambda: 0.0) as daemon, daemon.client("viewer") as client:
        answers = [client.get(f"{API}/status/eod") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert is_problem(answers[2], 429) == "too many requests"
