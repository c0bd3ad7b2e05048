# SPDX-License-Identifier: Apache-2.0
"""Every route by every caller: who may, what OpenAPI says, errors in one envelope."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from ttapi.errors import UsageError
from ttapi.server import handlers, messages
from ttapi.server.app import refuse_undeclared
from ttapi.server.auth import ANYONE, ROLES
from ttapi.server.routes import API, ROUTES, Route

OWN = [("GET", "/live", ANYONE), ("GET", "/ready", ANYONE), ("GET", "/metrics", "viewer"), ("GET", f"{API}/openapi.json", "viewer"), ("GET", f"{API}/schedule", "analyst")]  # fmt: skip
EVERY = [*((route.method, route.path, route.role) for route in ROUTES), *OWN]
FILLED = {
    "{name}": "eod",
    "{dataset}": "eod",
    "{relation}": "eod.close",
    "{task}": "0123456789abcdef",
}
ANSWERS = {
    f"{API}/refresh/tasks/{{task}}": 404,
    f"{API}/refresh": 422,
    f"{API}/why/{{relation}}": 404,
    f"{API}/sql": 422,
    f"{API}/login": 401,
    f"{API}/login/refresh": 401,
    f"{API}/login/code": 401,
    f"{API}/code": 404,
}
"""What the right caller is answered, where it is not 200."""
BODIES = {
    f"{API}/login": {"name": "nobody-has-it", "password": "x"},
    f"{API}/login/refresh": {"refresh_token": "x"},
    f"{API}/login/code": {"code": "x"},
}


def filled(path):
    for place, value in FILLED.items():
        path = path.replace(place, value)
    by_symbol = {f"{API}/{one}" for one in (*handlers.SERIES, "expirations")}
    return f"{path}?symbol=AAA" if path in by_symbol else path


def ask(client, method, path, **changes):
    body = {"json": BODIES[path]} if path in BODIES else {}
    if path == f"{API}/refresh":
        body = {"content": b"{"}
    return client.request(method, filled(path), **body, **changes)


@pytest.mark.parametrize(("method", "path", "role"), EVERY)
def test_nobody_gets_in_without_a_token_that_is_good(daemon, is_problem, method, path, role):
    with daemon.client(None) as nobody:
        if role == ANYONE:
            assert ask(nobody, method, path).status_code == ANSWERS.get(path, 200)
            return
        details = {
            is_problem(ask(nobody, method, path, headers=headers), 401)
            for headers in (
                {},
                {"authorization": "Bearer nonsense"},
                {"authorization": "Bearer"},
                {"authorization": "Basic token-of-admin"},
                {"authorization": "token-of-admin"},
                {"authorization": "Bearer token-of-admin\u00e9".encode("latin-1")},
            )
        }
        assert details == {"a bearer token that is good is needed"}
        in_url = nobody.request(method, filled(path), params={"token": "token-of-admin"})
        is_problem(in_url, 401)


@pytest.mark.parametrize(("method", "path", "role"), EVERY)
def test_a_role_may_what_its_routes_say_and_no_more(daemon, is_problem, method, path, role):
    for asking in ROLES:
        with daemon.client(asking) as client:
            answer = ask(client, method, path)
        if role == ANYONE or ROLES.index(asking) >= ROLES.index(role):
            assert answer.status_code == ANSWERS.get(path, 200), answer.text
            if answer.status_code != 200:
                is_problem(answer, answer.status_code)
        else:
            detail = is_problem(answer, 403)
            assert detail == f"this needs role {role}, and yours is {asking}"


def test_openapi_tells_the_role_of_every_route_and_an_id_for_each(admin):
    document = admin.get(f"{API}/openapi.json").json()
    told = {
        (method.upper(), path): one["x-role"]
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    }
    assert told == {(method, path): role for method, path, role in EVERY}
    ids = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids)) == len(EVERY)
    rows = document["paths"][f"{API}/relations/{{name}}/rows"]["get"]
    assert [one["name"] for one in rows["parameters"]] == [
        "name", "columns", "where", "order", "offset", "limit", "generation", "cursor", "refresh",
    ]  # fmt: skip
    assert rows["security"] == [{"bearer": []}]
    assert sorted(rows["responses"]) == ["200", "304", "default"]


@pytest.mark.parametrize("role", ["", "everybody", "Admin"])
def test_a_route_without_a_role_stops_the_start(daemon, run_daemon, role):
    planted = Route("GET", f"{API}/planted", role, messages.NothingAsked, handlers.read_status, None, "")  # fmt: skip
    refused = pytest.raises(UsageError, match="GET /api/v1/planted declares no role")
    with refused, run_daemon(daemon.lab, routes=[*ROUTES, planted]):
        raise AssertionError("it started")


def test_a_path_beside_the_tables_stops_the_start():
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    refuse_undeclared(app)
    app.router.routes.append(WebSocketRoute("/planted", lambda _: None))
    with pytest.raises(UsageError, match="/planted declares no role"):
        refuse_undeclared(app)
    with pytest.raises(UsageError, match=r"/openapi\.json declares no role"):
        refuse_undeclared(FastAPI())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", f"{API}/relations/", 404),
        ("GET", f"{API}/../live", 404),
        ("POST", f"{API}/relations", 405),
        ("PUT", f"{API}/refresh", 405),
        ("OPTIONS", f"{API}/relations", 405),
        ("GET", f"{API}/relations?nonsense=1", 422),
        ("GET", f"{API}/relations?limit=0", 422),
        ("GET", f"{API}/relations?limit=1&limit=x", 422),
        ("GET", f"{API}/eod", 422),
        ("GET", f"{API}/relations/nothing", 404),
        ("GET", f"{API}/relations/nothing/rows", 404),
        ("GET", f"{API}/relations/norm_cdf/rows", 422),
        ("GET", f"{API}/status/nothing", 404),
        ("GET", f"{API}/plan?dataset=nothing", 404),
        ("GET", f"{API}/lineage/nothing", 404),
        ("GET", f"{API}/why/nothing?key=1", 404),
        ("GET", f"{API}/why/eod?key=AAA&key=1999-01-01", 404),
        ("GET", f"{API}/why/eod?key=AAA&key=yesterday", 422),
        ("DELETE", f"{API}/refresh/tasks/nothing", 404),
        ("GET", f"{API}/eod?symbol=AAA&refresh=perhaps", 422),
    ],
)
def test_every_error_is_a_problem(admin, is_problem, method, path, status):
    is_problem(admin.request(method, path), status)


def test_a_name_that_is_wrong_is_answered_with_the_nearest(admin, is_problem):
    assert "did you mean eod" in is_problem(admin.get(f"{API}/relations/eodd"), 404)
    assert "did you mean close" in is_problem(
        admin.get(f"{API}/relations/eod/rows?columns=clos"), 422
    )


def test_one_relation_says_its_grain_its_units_and_its_kind(admin):
    found = admin.get(f"{API}/relations/eod").json()
    assert (found["name"], found["kind"], found["grain"]) == ("eod", "view", ["symbol", "date"])
    columns = {one["name"]: (one["type"], one["comment"]) for one in found["columns"]}
    assert columns["volume"] == ("DOUBLE", "shares; null: not given")


def test_lists_are_read_piece_by_piece_and_each_entry_once(admin):
    for path, key, name in (
        (f"{API}/relations?scope=all", "relations", "name"),
        (f"{API}/datasets?", "datasets", "dataset"),
    ):
        whole = [one[name] for one in admin.get(f"{path}&limit=1000").json()[key]]
        pieces, cursor = [], None
        while True:
            more = f"&cursor={cursor}" if cursor else ""
            piece = admin.get(f"{path}&limit=37{more}").json()
            pieces += [one[name] for one in piece[key]]
            cursor = piece["next"]
            if cursor is None:
                break
        assert pieces == whole
        assert len(set(whole)) == len(whole) > 100


def test_what_is_private_is_there_for_operators_alone(daemon, is_problem):
    with daemon.client("operator") as operator, daemon.client("analyst") as analyst:
        assert operator.get(f"{API}/relations/accounts/rows").status_code == 200
        paths = ("relations/accounts", "relations/accounts/rows", "lineage/accounts", "why/accounts?key=1")  # fmt: skip
        for path in paths:
            absent = is_problem(analyst.get(f"{API}/{path}"), 404)
            assert absent == "'accounts' is no relation"
        for path, key, name in (("relations", "relations", "name"), ("datasets", "datasets", "dataset")):  # fmt: skip
            seen = {one[name] for one in analyst.get(f"{API}/{path}?limit=1000").json()[key]}
            assert "eod" in seen and not seen & {"accounts", "balances", "positions"}


def test_status_and_plan_say_what_the_command_line_says(daemon, admin):
    found = admin.get(f"{API}/status").json()
    said = json.loads(daemon.lab.ttapi("status", "--json").stdout)
    assert found["datasets"] == said
    assert found["now"] == "2024-06-14T22:00:00Z"
    assert admin.get(f"{API}/status/eod").json() in said
    planned = json.loads(daemon.lab.ttapi("refresh", "--plan", "--force", "--json", "eod").stdout)
    answer = admin.get(f"{API}/plan?dataset=eod&force=true").json()["steps"]
    assert answer == planned and answer


def test_lineage_and_why_say_what_the_command_line_says(daemon, admin):
    said = json.loads(daemon.lab.ttapi("lineage", "eod.close", "--json").stdout)
    assert admin.get(f"{API}/lineage/eod.close").json() == said
    key = ("AAA", "2024-06-14")
    said = json.loads(daemon.lab.ttapi("why", "eod", *key, "--json").stdout)
    assert admin.get(f"{API}/why/eod", params={"key": key}).json() == said


def test_metrics_count_what_was_asked_by_route(admin):
    before = admin.get("/metrics").text
    admin.get(f"{API}/relations/eod")
    after = admin.get("/metrics").text
    line = 'ttapi_http_requests_total{route="/api/v1/relations/{name}",method="GET",code="200"} '

    def counted(text):
        return sum(int(one.removeprefix(line)) for one in text.splitlines() if line in one)

    assert counted(after) == counted(before) + 1
    assert "ttapi_generation " in after and "token" not in after
