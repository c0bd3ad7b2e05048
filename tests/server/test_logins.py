# SPDX-License-Identifier: Apache-2.0
"""Users over HTTP and WebSocket: let in, renewed, thrown out, and what of it stands in the audit log."""

from __future__ import annotations

import hashlib
import json

import pytest
from argon2 import PasswordHasher
from forged_tokens import forgeries, stale_tokens
from moved_clock import MovedClock
from stream_socket import ended, heard, opened, say

from ttapi.audit.home_findings import broken_audit_log
from ttapi.server.accounts import Accounts
from ttapi.server.routes import API
from ttapi.server.signing import ACCESS_S

PASSWORD = "correct horse battery"
WRONG = "name or password is wrong"
NO_TOKEN = "a bearer token that is good is needed"


@pytest.fixture(scope="module")
def with_users(make_bars_lab, run_daemon, tmp_path_factory):
    """A daemon with a user a role, called after it."""
    lab = make_bars_lab(tmp_path_factory.mktemp("users"))
    accounts = Accounts(lab.home.accounts, MovedClock(1_800_000_000.0), PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))  # fmt: skip
    for role in ("viewer", "analyst", "operator", "admin"):
        accounts.add(f"{role}1", role, PASSWORD)
    with run_daemon(lab, accounts=accounts) as daemon:
        daemon.accounts = accounts
        yield daemon


@pytest.fixture
def nobody(with_users):
    with with_users.client(None) as client:
        yield client


def log_in(client, name):
    answer = client.post(f"{API}/login", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearing(pair):
    return {"authorization": f"Bearer {pair['access_token']}"}


def lines(daemon):
    return [json.loads(line) for line in (daemon.lab.home.logs / "audit.jsonl").read_text().splitlines()]  # fmt: skip


def said(line):
    return line["what"], line["who"], line["result"], line["about"]


def test_a_user_logs_in_asks_renews_and_leaves(with_users, nobody, is_problem):
    pair = log_in(nobody, "analyst1")
    assert {k: v for k, v in pair.items() if not k.endswith("_token")} == {
        "token_type": "bearer", "expires_in": ACCESS_S, "user": "analyst1", "role": "analyst",
    }  # fmt: skip
    assert nobody.get(f"{API}/plan", headers=bearing(pair)).status_code == 200
    detail = is_problem(nobody.post(f"{API}/refresh", json={}, headers=bearing(pair)), 403)
    assert detail == "this needs role operator, and yours is analyst"
    renewal = {"refresh_token": pair["refresh_token"]}
    following = nobody.post(f"{API}/login/refresh", json=renewal).json()
    assert nobody.get(f"{API}/plan", headers=bearing(following)).status_code == 200
    assert nobody.post(f"{API}/logout", headers=bearing(following)).json() == {"ended": True}
    for one in (pair, following):
        assert is_problem(nobody.get(f"{API}/plan", headers=bearing(one)), 401) == NO_TOKEN


def test_a_refresh_token_is_taken_under_the_name_of_the_other_refresh_too(nobody, is_problem):
    pair = log_in(nobody, "viewer1")
    renewal = {"refresh_token": pair["refresh_token"]}
    for headers in ({}, {"authorization": "Bearer expired"}):
        following = nobody.post(f"{API}/refresh", json=renewal, headers=headers)
        assert (following.status_code, following.json()["user"]) == (200, "viewer1")
        renewal = {"refresh_token": following.json()["refresh_token"]}
    for body in ({"refresh_token": "x"}, {"datasets": ["eod"]}, {}):
        is_problem(nobody.post(f"{API}/refresh", json=body), 401)
    is_problem(nobody.post(f"{API}/refresh", json={"refresh_token": "x", "datasets": []}), 422)


def test_a_refresh_token_shown_twice_ends_the_login(with_users, nobody, is_problem):
    pair = log_in(nobody, "viewer1")
    renewal = {"refresh_token": pair["refresh_token"]}
    following = nobody.post(f"{API}/login/refresh", json=renewal).json()
    again = nobody.post(f"{API}/login/refresh", json=renewal)
    assert is_problem(again, 401) == "the refresh token is not good"
    assert said(lines(with_users)[-1]) == (
        "post_login_refresh", "viewer1", "refused: 401",
        {"address": "127.0.0.1", "user": "viewer1", "why": "refresh token used again: the login was ended"},
    )  # fmt: skip
    assert lines(with_users)[-1]["request_id"] == again.headers["x-request-id"]
    is_problem(nobody.get(f"{API}/status", headers=bearing(following)), 401)


@pytest.mark.parametrize("name", ["viewer1", "nobody-has-it", "x" * 200, "../x", "bootstrap"])
def test_a_refused_login_says_nothing_of_why(nobody, is_problem, name):
    answer = nobody.post(f"{API}/login", json={"name": name, "password": "wrong"})
    assert is_problem(answer, 401) == WRONG
    assert answer.headers["www-authenticate"] == 'Bearer realm="ttapi"'


def test_a_user_gets_a_code_for_a_browser(nobody, is_problem):
    mine = bearing(log_in(nobody, "operator1"))
    code = nobody.post(f"{API}/code", headers=mine).json()["code"]
    pair = nobody.post(f"{API}/login/code", json={"code": code}).json()
    assert (pair["user"], pair["role"]) == ("operator1", "operator")
    again = nobody.post(f"{API}/login/code", json={"code": code})
    assert is_problem(again, 401) == "the code is not good"


def test_two_hundred_tokens_that_nobody_gave_are_all_refused(with_users, nobody, is_problem):
    for name in ("ann", "bob"):
        with_users.accounts.add(name, "viewer", PASSWORD)
    good = log_in(nobody, "ann")["access_token"]
    keys = json.loads((with_users.lab.home.accounts / "signing_keys.json").read_text())
    forged = [
        *forgeries(good, keys["keys"][-1]["jwk"], with_users.accounts._now()),
        *stale_tokens(with_users.accounts, PASSWORD),
    ]
    sent = {one for one in forged if one.isascii() and one.isprintable() and one}
    assert len(sent) >= 200
    details = {
        is_problem(nobody.get(f"{API}/status/eod", headers={"authorization": f"Bearer {one}"}), 401)
        for one in sent
    }
    assert details == {NO_TOKEN}
    assert nobody.get(f"{API}/status/eod", headers={"authorization": f"Bearer {good}"}).is_success
    with_users.accounts.disable("ann")


@pytest.mark.parametrize("most", [5, 2])
def test_who_tries_too_often_has_to_wait(make_bars_lab, run_daemon, tmp_path, is_problem, most):
    lab = make_bars_lab(tmp_path)
    if most != 5:
        lab.environ["TTAPI_SERVE_LOGINS"] = str(most)
    with run_daemon(lab, clock=lambda: 0.0) as daemon, daemon.client(None) as client:
        wrong = {"name": "ann", "password": "x" * 12}
        for _ in range(most):
            is_problem(client.post(f"{API}/login", json=wrong), 401)
        slow = client.post(f"{API}/login", json=wrong)
        assert is_problem(slow, 429) == "too many requests"
        assert slow.headers["retry-after"] == "30"
        assert lines(daemon)[-1]["about"]["why"] == "too many attempts"
        for _ in range(3 * most - 1):
            is_problem(client.post(f"{API}/login/code", json={"code": "x"}), 401)
        is_problem(client.post(f"{API}/login/code", json={"code": "x"}), 429)


# Sockets.


@pytest.mark.parametrize("how", ["disabled", "left", "reused", "over"])
def test_a_socket_ends_with_its_token(with_users, nobody, how):
    accounts = with_users.accounts
    accounts.add(f"socket-{how}", "viewer", PASSWORD)
    pair = log_in(nobody, f"socket-{how}")
    with opened(with_users, pair["access_token"]) as socket:
        if how == "disabled":
            accounts.disable(f"socket-{how}")
        elif how == "left":
            nobody.post(f"{API}/logout", headers=bearing(pair))
        elif how == "reused":
            for _ in range(2):
                nobody.post(f"{API}/login/refresh", json={"refresh_token": pair["refresh_token"]})
        else:
            accounts._now.now += ACCESS_S
        assert ended(socket) == (1008, "the token has ended, or was taken back")


def test_a_socket_goes_on_with_the_next_token_of_its_user_alone(with_users, nobody):
    pair = log_in(nobody, "analyst1")
    with opened(with_users, pair["access_token"]) as socket:
        with_users.accounts._now.now += ACCESS_S - 1
        renewal = {"refresh_token": pair["refresh_token"]}
        renewed = nobody.post(f"{API}/login/refresh", json=renewal).json()
        say(socket, "auth", token=renewed["access_token"])
        assert heard(socket)["data"] == {"action": "authenticated"}
        with_users.accounts._now.now += 2
        say(socket, "subscribe", topics=["quote:AAA"])
        assert heard(socket)["type"] == "error"
        assert heard(socket)["data"] == {"action": "subscribed", "topics": []}
        say(socket, "auth", token=log_in(nobody, "admin1")["access_token"])
        assert ended(socket) == (1008, NO_TOKEN)


# The audit log of all that.


def test_what_was_done_is_in_the_log_and_no_secret_is(with_users, nobody):
    pair = log_in(nobody, "operator1")
    sql = "select 'planted-secret-of-this-test' as x"
    assert nobody.post(f"{API}/sql", json={"sql": sql}, headers=bearing(pair)).is_success
    task = nobody.post(f"{API}/refresh", json={"datasets": ["eod"]}, headers=bearing(pair))
    nobody.get(f"{API}/plan", headers={"authorization": "Bearer guessed"})
    # When the refresh ends is its own affair; it is looked at below.
    found = [one for one in lines(with_users) if one["what"] != "refresh ended"][-4:]
    assert [said(one) for one in found] == [
        ("post_login", "operator1", "ok", {"address": "127.0.0.1", "user": "operator1"}),
        ("post_sql", "operator1", "ok",
         {"role": "operator", "sql_sha256": hashlib.sha256(sql.encode()).hexdigest()}),
        ("post_refresh", "operator1", "ok", {"role": "operator", "datasets": "eod"}),
        ("/api/v1/plan", "", "refused: 401", {"address": "127.0.0.1"}),
    ]  # fmt: skip
    with_users.served.queue.task(task.json()["id"]).over.wait(60)
    (over,) = [one for one in lines(with_users) if one["what"] == "refresh ended"]
    about = {"task": task.json()["id"], "datasets": "eod"}
    assert said(over) == ("refresh ended", "operator1", "done", about)
    written = "".join(one.read_text() for one in with_users.lab.home.logs.iterdir())
    for secret in (
        pair["access_token"],
        pair["refresh_token"],
        PASSWORD,
        "planted-secret",
        "guessed",
    ):
        assert secret not in written
    assert broken_audit_log(with_users.lab.home.logs) is None
