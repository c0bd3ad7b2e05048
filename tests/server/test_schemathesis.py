# SPDX-License-Identifier: Apache-2.0
"""Requests that schemathesis makes of the OpenAPI document, right and wrong ones: none is a defect."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from ttapi.server.routes import API, ROUTES

EXAMPLES = 20
"""Of a route, right ones and as many wrong ones."""


@pytest.fixture(scope="module")
def served(make_bars_lab, run_daemon, tmp_path_factory):
    """A daemon of its own: what is asked of it may refresh."""
    with run_daemon(make_bars_lab(tmp_path_factory.mktemp("asked"))) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def operations(served):
    """Every operation of the document, by method and path."""
    import schemathesis

    with served.client("admin") as client:
        document = client.get(f"{API}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    found = [result.ok() for result in schema.get_all_operations()]
    return {(one.method.upper(), one.path): one for one in found}


@pytest.mark.compat
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_no_request_that_the_document_suggests_is_a_defect(served, operations, route, mode):
    from schemathesis.generation import GenerationMode

    operation = operations[route.method, route.path]
    seen = []

    @given(operation.as_strategy(generation_mode=GenerationMode[mode]))
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case):
        headers = {"authorization": "Bearer token-of-admin"}
        answer = case.call(base_url=served.base_url, headers=headers)
        seen.append(answer.status_code)
        assert answer.status_code < 500, (case.as_curl_command(), answer.text)
        # What is no HTTP at all is refused before anything of ttapi sees it.
        if answer.status_code >= 400 and answer.text != "Invalid HTTP request received.":
            assert answer.headers["content-type"][0] == "application/problem+json"
            assert sorted(answer.json()) == ["detail", "request_id", "status", "title", "type"]

    try:
        ask()
    except Unsatisfiable:
        assert mode == "NEGATIVE", "a right request can be made for each route"
    else:
        assert len(seen) >= EXAMPLES / 2 or not route.request.model_fields
