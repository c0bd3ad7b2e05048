# SPDX-License-Identifier: Apache-2.0
"""Data that is licensed to its owner alone: hidden where others reach the daemon, until a setting says otherwise."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from stream_socket import heard, opened, say

from ttapi.api import Hub, operations
from ttapi.server.accounts import Accounts
from ttapi.server.auth import ROLES
from ttapi.server.routes import API

PASSWORD = "correct horse battery"
COUNT = "select count(*) as n from {}"
NUMBERS = """\
-- grain: account_number
-- about: Account numbers in a view that nobody declared private.
select
    'ACC-1'::varchar as account_number, -- as the vendor gives it
    7::integer as n, -- a number
from calendar as c
limit 1
"""


@pytest.fixture(scope="module")
def served(make_bars_lab, run_daemon, tmp_path_factory):
    """A daemon on loopback whose users the test makes."""
    lab = make_bars_lab(tmp_path_factory.mktemp("licences"))
    lab.write_model("views/numbers.sql", NUMBERS)
    lab.refresh("calendar")
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    accounts = Accounts(lab.home.accounts, hasher=hasher)
    with run_daemon(lab, accounts=accounts, hub=Hub()) as daemon:
        yield daemon


@pytest.fixture
def two_users(served):
    for name in ("ann", "bob"):
        served.served.accounts.add(name, "viewer", PASSWORD)
    yield served
    for name in ("ann", "bob"):
        served.served.accounts.disable(name)


def seen(client, relation):
    """Whether each way of reading shows it."""
    asked = {"sql": COUNT.format(relation), "refresh": False}
    return [
        client.post(f"{API}/sql", json=asked).status_code,
        client.get(f"{API}/relations/{relation}").status_code,
        client.get(f"{API}/relations/{relation}/rows").status_code,
        client.get(f"{API}/lineage/{relation}").status_code,
        any(
            one["name"] == relation
            for one in client.get(f"{API}/relations?limit=1000").json()["relations"]
        ),
    ]


LICENSED = (
    "'eod' is licensed to its owner alone, and this daemon has others who may ask:"
    " [serve] share_personal = true shows it to them"
)


def detail_of(answer):
    assert answer.status_code == 403, answer.text
    return answer.json()["detail"]


def test_what_a_licence_hides_is_told_by_its_name_and_the_setting(two_users):
    with two_users.client("analyst") as client:
        sql = {"sql": "select max(close) from (select * from eod)", "refresh": False}
        for answer in (
            client.get(f"{API}/relations/eod"),
            client.get(f"{API}/relations/eod/rows"),
            client.get(f"{API}/lineage/eod"),
            client.get(f"{API}/why/eod?key=AAA&key=2024-06-14"),
            client.post(f"{API}/sql", json=sql),
        ):
            assert detail_of(answer) == LICENSED
        private = client.get(f"{API}/relations/accounts")
        assert (private.status_code, private.json()["detail"]) == (404, "'accounts' is no relation")


def test_the_only_user_and_the_owner_see_everything(served):
    for role in ROLES:
        with served.client(role) as client:
            assert seen(client, "eod") == [200, 200, 200, 200, True]


def test_a_second_user_hides_what_is_personal_and_leaves_what_is_shared(two_users):
    for role in ROLES:
        with two_users.client(role) as client:
            assert seen(client, "eod") == [403, 403, 403, 403, False], role
            assert seen(client, "calendar") == [200, 200, 200, 200, True], role
            listed = client.get(f"{API}/datasets?limit=1000").json()["datasets"]
            licences = {one["dataset"]: one["licence"] for one in listed}
            assert (licences["eod"], licences["raw.calendar_days"]) == ("personal", "shared")
            assert client.get(f"{API}/status/eod").status_code == 200
            assert detail_of(client.get(f"{API}/eod?symbol=AAA")) == LICENSED
    with two_users.client("operator") as client:
        assert (
            client.post(f"{API}/sql", json={"sql": "from raw.tastytrade_accounts"}).status_code
            == 422
        )


def test_the_setting_shares_it_and_one_user_less_shows_it_again(two_users):
    settings = two_users.served.settings
    with two_users.client("viewer") as client:
        assert seen(client, "eod")[2] == 403
        two_users.served.settings = operations.open_environment(
            two_users.lab.home.root,
            environ=two_users.lab.variables | {"TTAPI_SERVE_SHARE_PERSONAL": "true"},
        ).settings
        assert seen(client, "eod") == [200, 200, 200, 200, True]
        two_users.served.settings = settings
        assert seen(client, "eod")[2] == 403
        two_users.served.accounts.disable("bob")
        assert seen(client, "eod") == [200, 200, 200, 200, True]


def test_nobody_sees_it_where_other_machines_reach_the_daemon(served):
    served.served.is_open = True
    try:
        with served.client("admin") as client:
            assert seen(client, "eod") == [403, 403, 403, 403, False]
    finally:
        served.served.is_open = False


def test_what_is_streamed_is_personal_and_ends_when_a_second_user_comes(served):
    accounts = served.served.accounts
    with opened(served, "token-of-viewer") as socket:

        def answer(kind):
            say(socket, kind, topics=["quote:AAA"])
            return heard(socket)["data"]

        assert answer("subscribe")["topics"] == ["quote:AAA"]
        assert answer("unsubscribe")["topics"] == []
        for name in ("ann", "bob"):
            accounts.add(name, "viewer", PASSWORD)
        told = answer("subscribe")
        assert told == {"topic": "quote:AAA", "detail": "what vendors stream is licensed to its owner alone: [serve] share_personal"}  # fmt: skip
    for name in ("ann", "bob"):
        accounts.disable(name)


def test_account_numbers_are_shown_to_operators_alone(served):
    rows = {}
    for role in ROLES:
        with served.client(role) as client:
            found = client.get(f"{API}/relations/numbers/rows").json()["rows"]
            described = client.get(f"{API}/relations/numbers").json()["columns"]
            by_sql = client.post(f"{API}/sql", json={"sql": "from numbers", "refresh": False})
            asked = client.get(f"{API}/relations/numbers/rows?where=account_number:starts:A")
            rows[role] = (
                found,
                [one["name"] for one in described],
                by_sql.json().get("rows"),
                asked.status_code,
            )
    whole = [{"account_number": "ACC-1", "n": 7}]
    shown = (whole, ["account_number", "n"], whole, 200)
    assert (rows["operator"], rows["admin"]) == (shown, shown)
    assert rows["viewer"] == rows["analyst"]
    assert rows["viewer"][:2] == ([{"n": 7}], ["n"]) and rows["viewer"][3] == 422
    assert "ACC-1" not in str(rows["viewer"])
