# SPDX-License-Identifier: Apache-2.0
"""A hundred ways out of the sandbox, tried over HTTP as each role; and what each role finds when it lists all there is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ttapi.server.auth import ROLES
from ttapi.server.routes import API

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from sandbox_attempts import BOMBS, FILES, INDIRECT, MACHINE, STATEMENTS

PLANTED = "planted-9d41c7"
ATTEMPTS = [*FILES, *INDIRECT, *STATEMENTS[::4], *MACHINE]
LISTED = """
    select table_name as name from duckdb_tables() union select view_name from duckdb_views() where not internal
    union select table_name from information_schema.tables union select dataset from catalog.datasets
"""


@pytest.mark.compat
@pytest.mark.campaign
@pytest.mark.parametrize("role", ROLES)
def test_what_anybody_tries_is_refused_and_tells_nothing(daemon, tmp_path, is_problem, role):
    # As each role all of them take minutes: roles share them, unless it is a campaign.
    rank, step = (0, 1) if os.environ.get("TTAPI_CAMPAIGN") else (ROLES.index(role), len(ROLES))
    assert len(ATTEMPTS) + len(BOMBS) >= 100
    secret = tmp_path / "secret.csv"
    secret.write_text(f"a\n{PLANTED}\n")
    with daemon.client(role) as client:
        for attempt in ATTEMPTS[rank::step]:
            sql = attempt.format(file=secret, folder=tmp_path, name=tmp_path.name)
            answer = client.post(f"{API}/sql", json={"sql": sql, "refresh": False})
            assert answer.status_code == 422, (sql, answer.text)
            assert PLANTED not in answer.text
        for bomb in BOMBS[rank::step]:
            asked = {"sql": bomb, "refresh": False, "timeout_s": 0.4}
            answer = client.post(f"{API}/sql", json=asked)
            assert answer.status_code in {413, 422, 504}, (bomb, answer.text)
        assert client.post(f"{API}/sql", json={"sql": "select 42 as n"}).json()["rows"] == [
            {"n": 42}
        ]
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize("role", ROLES)
def test_who_lists_all_there_is_finds_what_the_role_may_see(daemon, role):
    datasets = daemon.served.database.load_environment().datasets
    private = {name.rpartition(".")[2] for name, one in datasets.items() if one.is_private}
    public = {name.rpartition(".")[2] for name, one in datasets.items() if not one.is_private}
    with daemon.client(role) as client:
        answer = client.post(f"{API}/sql", json={"sql": LISTED, "refresh": False}).json()
    found = {row["name"].rpartition(".")[2] for row in answer["rows"]}
    sees = role in {"operator", "admin"}
    assert {"eod", "calendar"} <= found
    assert bool(found & (private - public)) == sees
