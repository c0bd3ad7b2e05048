# SPDX-License-Identifier: Apache-2.0
"""The ways in: three spellings of one grant, the sessions of old, and what is refused."""

from __future__ import annotations

import httpx
import pytest


def grant_of(server):
    grant = server.credentials.grant
    return {
        "grant_type": "refresh_token",
        "client_secret": grant.client_secret,
        "refresh_token": grant.refresh_token,
    }


@pytest.fixture
def ask(server):
    return lambda **arguments: httpx.post(f"{server.base_url}/oauth/token", **arguments)


def test_json_a_form_and_a_scope_are_the_same_grant(server, ask):
    body = grant_of(server)
    answers = [ask(json=body), ask(data=body), ask(json=body | {"scope": "read trade"})]
    assert [a.status_code for a in answers] == [200, 200, 200]
    assert {a.json()["expires_in"] for a in answers} == {900}
    assert {a.json()["token_type"] for a in answers} == {"Bearer"}
    assert len({a.json()["access_token"] for a in answers}) == 3


def test_a_client_id_must_be_right_when_it_is_sent(server, ask):
    right = grant_of(server) | {"client_id": server.credentials.grant.client_id}
    assert ask(json=right).status_code == 200
    assert ask(json=right | {"client_id": "another"}).json() == {
        "error_code": "invalid_client",
        "error_description": "client_id is unknown",
    }


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_grant_is_refused_in_a_shape_of_its_own(server, ask, change, status, code):
    answer = ask(json=grant_of(server) | change)
    assert answer.status_code == status
    assert answer.json()["error_code"] == code
    assert "error" not in answer.json()


def test_a_body_that_is_no_json_is_told(ask):
    answer = ask(content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_a_revoked_grant_ends_every_token(server, client):
    assert client.get("/customers/me").status_code == 200
    server.faults.set("revoked")
    assert client.get("/customers/me").status_code == 401
    answer = client.post("/oauth/token", json=grant_of(server))
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Grant revoked")


def test_a_refresh_refused_for_now_succeeds_the_next_time(server, ask):
    server.faults.set("oauth-busy")
    assert [ask(json=grant_of(server)).status_code for _ in range(2)] == [400, 200]


def test_tokens_end_with_their_time(server, client, clock):
    clock.seconds = 899
    assert client.get("/customers/me").status_code == 200
    clock.seconds = 900
    answer = client.get("/customers/me")
    assert (answer.status_code, answer.json()) == (
        401,
        {
            "error": {
                "code": "token_invalid",
                "message": "This token is invalid or has expired",
            }
        },
    )


def test_the_lifetime_of_tokens_can_be_set(serve, logged_in):
    assert logged_in(serve(token_lifetime_s=120)).get("/customers/me").status_code == 200
    server = serve(faults=["expire-token:s=61"])
    answer = httpx.post(f"{server.base_url}/oauth/token", json=grant_of(server))
    assert answer.json()["expires_in"] == 61


def test_a_legacy_session_is_a_bare_token(server):
    grant = server.credentials.grant
    body = {"login": grant.login, "password": grant.password, "remember-me": True}
    opened = httpx.post(f"{server.base_url}/sessions", json=body)
    assert opened.status_code == 201
    assert sorted(opened.json()["data"]) == [
        "remember-token",
        "session-expiration",
        "session-token",
        "user",
    ]
    with httpx.Client(base_url=server.base_url) as client:
        client.headers["Authorization"] = opened.json()["data"]["session-token"]
        assert client.post("/sessions/validate").status_code == 201
        assert client.get("/customers/me").status_code == 200
        assert client.delete("/sessions").status_code == 204
        assert client.post("/sessions/validate").status_code == 401


def test_a_wrong_password_opens_no_session(server):
    answer = httpx.post(f"{server.base_url}/sessions", json={"login": "simulated", "password": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_credentials")


def test_without_a_token_nothing_but_the_rate_is_told(server):
    statuses = [
        httpx.get(server.base_url + path).status_code
        for path in (
            "/customers/me",
            "/market-metrics",
            "/margin-requirements-public-configuration",
        )
    ]
    assert statuses == [401, 401, 200]


@pytest.mark.parametrize(("agent", "status"), [("test", 401), ("test/1.0", 200)])
def test_a_strict_vendor_wants_product_and_version(serve, logged_in, agent, status):
    client = logged_in(serve(is_strict=True))
    answer = client.get("/customers/me", headers={"user-agent": agent})
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["content-type"].startswith("text/html")
        assert "nginx" in answer.text


@pytest.mark.parametrize(
    ("version", "status"),
    [("20251101", 200), ("20240501", 200), ("20300101", 200), ("20230101", 406), ("x", 406)],
)
def test_versions_too_old_or_unreadable_are_not_acceptable(client, version, status):
    assert client.get("/customers/me", headers={"accept-version": version}).status_code == status


def test_quote_tokens_open_the_feed_for_a_day(server, client, clock):
    data = client.get("/api-quote-tokens").json()["data"]
    assert data["dxlink-url"] == server.dxlink_url
    assert server.credentials.accepts_quote_token(data["token"])
    clock.seconds += 24 * 3600
    assert not server.credentials.accepts_quote_token(data["token"])
    assert server.credentials.accepts_quote_token(server.credentials.quote_token)
