# SPDX-License-Identifier: Apache-2.0
"""What every request is held to before a route sees it, and what every answer bears."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from contextlib import suppress

import httpx
import pytest

from ttapi.config import Settings
from ttapi.server import messages
from ttapi.server.guard import Place
from ttapi.server.routes import API, ROUTES, Route

REFRESH = f"{API}/refresh"
BODY_BYTES, JSON_DEPTH = Settings().serve_max_body, Settings().serve_max_depth
OTHER_HOSTS = [
    "evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "", "127.0.0.1:80@evil.example",
]  # fmt: skip
SECURITY = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def raw(daemon, lines, body=b""):
    """Status line, headers and body of what a hand-written request is answered."""
    host, port = daemon.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        got = b""
        while piece := connection.recv(65536):
            got += piece
    head, _, content = got.partition(b"\r\n\r\n")
    return head.decode().split("\r\n")[0], head.decode().lower(), content


def test_every_answer_bears_the_security_headers_and_an_id_of_its_own(admin):
    ids = set()
    for method, path in (
        ("GET", "/live"), ("GET", "/nothing"), ("PUT", "/live"), ("GET", f"{API}/eod"),
        ("GET", f"{API}/eod?symbol=AAA"), ("POST", REFRESH), ("GET", f"{API}/status"),
    ):  # fmt: skip
        answer = admin.request(method, path)
        assert {name: answer.headers[name] for name in SECURITY} == SECURITY
        assert "server" not in answer.headers
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 7


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_a_host_that_is_another_server_is_refused_before_anybody_is_asked_who_he_is(admin, is_problem, host):  # fmt: skip
    answer = admin.get("/live", headers={"host": host})
    told = "Host names another server: [serve] hosts lists the names by which this one is reached"
    assert is_problem(answer, 421) == told


def test_a_host_is_named_once(daemon):
    port = daemon.base_url.rpartition(":")[2]
    for hosts in ([], [f"Host: 127.0.0.1:{port}"] * 2):
        status, _, _ = raw(daemon, ["GET /live HTTP/1.1", *hosts, "Connection: close"])
        assert status.split()[1] in {"400", "421"}
    status, _, _ = raw(
        daemon, ["GET /live HTTP/1.1", f"HOST: LocalHost:{port}", "Connection: close"]
    )
    assert status.split()[1] == "200"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:1", 403),
        (None, 422),
        ("{base_url}", 422),
    ],
)
def test_another_page_changes_nothing_here(daemon, admin, is_problem, origin, status):
    headers = {"origin": origin.format(base_url=daemon.base_url)} if origin else {}
    for method, path in (("POST", REFRESH), ("DELETE", f"{REFRESH}/tasks/nothing")):
        answer = admin.request(method, path, headers=headers)
        is_problem(answer, status if method == "POST" or status == 403 else 404)
    # What changes nothing may be asked: no header lets the page read the answer.
    reading = admin.get(f"{API}/eod?symbol=AAA", headers=headers)
    assert reading.status_code == 200
    assert not [name for name in reading.headers if name.startswith("access-control")]


def test_a_body_is_of_bounded_size_whatever_it_says_of_itself(daemon, admin, is_problem):
    answer = admin.post(REFRESH, content=b" " * (BODY_BYTES + 1))
    assert is_problem(answer, 413) == f"a body has at most {BODY_BYTES} bytes"

    def pieces():
        for _ in range(BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    with suppress(httpx.TransportError):  # the daemon need not read to the end
        is_problem(admin.post(REFRESH, content=pieces()), 413)
    just_fits = b'{"datasets": ["nothing"]}'.ljust(BODY_BYTES)
    answer = admin.post(REFRESH, content=just_fits, headers={"content-type": "application/json"})
    is_problem(answer, 404)
    head = ["POST /api/v1/refresh HTTP/1.1", f"Host: {daemon.base_url[7:]}", "Content-Length: 99999999999"]  # fmt: skip
    assert raw(daemon, head)[0].split()[1] == "413"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\xff\xfe", 422),
        (b"[]", 422),
        (b'{"datasets": "eod"}', 422),
        (b'{"datasets": [], "more": 1}', 422),
        (b'{"datasets": [1]}', 422),
        (b'{"force": NaN}', 422),
        (b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1), 422),
        (b'{"datasets": ' + b"[" * 100_000, 422),
        (json.dumps({"datasets": ["[" * 90]}).encode(), 404),
    ],
)
def test_a_body_that_is_not_as_agreed_is_told(admin, is_problem, body, status):
    answer = admin.post(REFRESH, content=body, headers={"content-type": "application/json"})
    detail = is_problem(answer, status)
    if body.startswith(b"[[") or body.endswith(b"[["):
        assert detail == f"a body is at most {JSON_DEPTH} deep"


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b"", "application/json", "the body is missing: a JSON object with sql"),
        (b'{"sql": "select 1"}', None, "content-type: it is missing, and a body is application/json"),
        (b'{"sql": "select 1"}', "text/plain", "content-type: it is text/plain, and a body is application/json"),
        (b'{"sql": "select 1"', "application/json", "the body is no JSON: Expecting ',' delimiter at line 1 column 19"),
        (b"\xff\xfe{", "application/json", "the body is no JSON: it is no UTF-8"),
        (b'["select 1"]', "application/json", "the body is a JSON object with sql"),
        (b'{"sql": "select 1", "sql": "select 2"}', "application/json", "sql: given twice in one object"),
        (b'{"sql": "select $a", "parameters": {"a": 1, "a": 2}}', "application/json", "a: given twice in one object"),
    ],
)  # fmt: skip
def test_a_body_says_what_it_lacks(admin, is_problem, body, kind, detail):
    headers = {"content-type": kind} if kind else {}
    assert is_problem(admin.post(f"{API}/sql", content=body, headers=headers), 422) == detail


class _Records(logging.Handler):
    """What a logger is given, whatever else listens to it or does not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def server_log():
    handler = _Records()
    logger = logging.getLogger("ttapi.server")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_defect_is_told_by_the_log_and_by_nobody_else(daemon, run_daemon, is_problem, server_log):
    def broken(served, call):
        raise RuntimeError(f"/srv/somebody/{call.url}: token-of-admin, select 1")

    planted = Route("GET", f"{API}/broken", "viewer", messages.NothingAsked, broken, None, "")
    with run_daemon(daemon.lab, routes=[*ROUTES, planted]) as other, other.client() as client:
        answer = client.get(f"{API}/broken")
        assert is_problem(answer, 500) == "the daemon's log tells why, under the request's id"
        assert client.get("/live").status_code == 200
    logged = [record for record in server_log.records if getattr(record, "request_id", None)]
    assert [record.request_id for record in logged] == [answer.json()["request_id"]]
    assert logged[0].exc_info[0] is RuntimeError


def test_a_caller_who_is_too_hasty_waits_and_others_do_not(daemon, run_daemon, is_problem):
    with run_daemon(daemon.lab, clock=lambda: 0.0) as other:
        with other.client("viewer") as hasty, other.client("analyst") as calm:
            for _ in range(100):
                assert hasty.get(f"{API}/relations?limit=1").status_code == 200
            answer = hasty.get(f"{API}/relations?limit=1")
            assert is_problem(answer, 429) == "too many requests"
            assert answer.headers["retry-after"] == "1"
            assert calm.get(f"{API}/relations?limit=1").status_code == 200
        with other.client(None) as guessing:
            codes = [guessing.get(f"{API}/relations").status_code for _ in range(51)]
            assert codes == [401] * 50 + [429]
            assert guessing.get("/live").status_code == 200


@pytest.mark.parametrize(
    ("client", "is_taken"),
    [("10.1.2.3", True), ("127.0.0.1", True), ("::1", True), ("192.168.0.1", False), ("", False)],
)
def test_behind_a_proxy_connections_come_from_it_alone(client, is_taken):
    place = Place(frozenset({"a.example"}), proxies=(ipaddress.ip_network("10.0.0.0/8"),))
    assert place.takes(client) == is_taken
    assert place.origins == {"http://a.example", "https://a.example"}
    assert Place(frozenset()).takes("192.168.0.1")


def test_a_name_that_is_listed_is_let_in_by_a_proxy(daemon, run_daemon, is_problem):
    place = {"proxies": (ipaddress.ip_network("127.0.0.0/8"),), "named": frozenset({"a.example"})}
    with run_daemon(daemon.lab, **place) as other, other.client() as client:

        def ended(host, origin):
            return client.post(f"{API}/logout", headers={"host": host, "origin": origin})

        assert ended("A.example", "https://a.example").json() == {"ended": False}
        is_problem(ended("b.example", "https://a.example"), 421)
        is_problem(ended("a.example", "http://a.example"), 403)


def test_a_connection_past_the_proxy_is_told(daemon, run_daemon, is_problem, monkeypatch):
    monkeypatch.setattr(Place, "takes", lambda self, client: client != "127.0.0.1")
    with run_daemon(daemon.lab) as other, other.client() as client:
        assert is_problem(client.get("/live"), 403) == "connections are taken from the proxy alone"


def test_who_is_refused_at_the_door_is_audited_as_the_proxy_names_him(
    make_bars_lab, run_daemon, tmp_path
):
    lab = make_bars_lab(tmp_path)
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    with run_daemon(lab, proxies=networks) as daemon, daemon.client() as client:
        forwarded = {"x-forwarded-for": "203.0.113.9, 192.0.2.7"}
        client.get(f"{API}/status", headers={"host": "evil.example", **forwarded})
        refused = client.post(
            f"{API}/refresh", json={}, headers={"origin": "https://evil.example", **forwarded}
        )
        client.get(f"{API}/status", headers={"authorization": "Bearer wrong", **forwarded})
        client.get(
            f"{API}/status",
            headers={"authorization": "Bearer wrong", "x-forwarded-for": "nonsense"},
        )
    lines = [json.loads(line) for line in (lab.home.logs / "audit.jsonl").read_text().splitlines()]
    assert [(one["what"], one["result"], one["about"]) for one in lines] == [
        ("guard", "refused: 421", {"address": "192.0.2.7"}),
        ("guard", "refused: 403", {"address": "192.0.2.7"}),
        ("/api/v1/status", "refused: 401", {"address": "192.0.2.7"}),
        ("/api/v1/status", "refused: 401", {"address": "127.0.0.1"}),
    ]
    assert lines[1]["request_id"] == refused.headers["x-request-id"]
