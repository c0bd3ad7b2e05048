# SPDX-License-Identifier: Apache-2.0
"""A client of the official SDK asks the daemon over HTTP, with a token, within its role."""

from __future__ import annotations

import asyncio
import hashlib
import json

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

QUERY = "select symbol, count(*) as bars from eod group by symbol order by symbol"


def ask(daemon, *calls, role="analyst"):
    """The names of the tools there are, and the result of each call."""

    async def talk():
        headers = {"authorization": f"Bearer token-of-{role}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
            transport = streamable_http_client(f"{daemon.base_url}/mcp", http_client=http)
            async with Client(transport) as client:
                tools = [one.name for one in (await client.list_tools()).tools]
                return tools, [await client.call_tool(*call) for call in calls]

    return asyncio.run(talk())


def text(result):
    (part,) = result.content
    return part.text


def test_a_question_is_answered_end_to_end_and_audited(daemon):
    calls = [
        ("describe_relation", {"name": "eod"}),
        ("query", {"sql": QUERY}),
        ("why", {"relation": "eod", "key": ["AAA", "2024-06-14"]}),
    ]
    tools, (described, answered, explained) = ask(daemon, *calls)
    assert tools == ["list_relations", "describe_relation", "query", "plan_refresh", "why"]
    assert "closing price" in text(described).lower() or "close" in text(described)
    assert "AAA,60\nBBB,40\nC.C,25\n" in text(answered)
    assert "AAA.csv" in text(explained) and str(daemon.lab.home.root) not in text(explained)
    lines = (daemon.lab.home.logs / "audit.jsonl").read_text()
    found = [json.loads(line) for line in lines.splitlines()]
    called = [one for one in found if one["what"] == "mcp"][-3:]
    assert [(one["who"], one["result"], one["about"]) for one in called] == [
        ("analyst", "ok", {"role": "analyst", "tool": "describe_relation"}),
        ("analyst", "ok", {"role": "analyst", "tool": "query", "sql_sha256": hashlib.sha256(QUERY.encode()).hexdigest()}),
        ("analyst", "ok", {"role": "analyst", "tool": "why"}),
    ]  # fmt: skip
    assert QUERY not in lines


@pytest.mark.parametrize(
    ("role", "is_error"), [("analyst", True), ("operator", False), ("admin", False)]
)
def test_what_is_private_is_there_for_operators_alone(daemon, role, is_error):
    asked = ("query", {"sql": "select count(*) from raw.tastytrade_accounts"})
    _, (found,) = ask(daemon, asked, role=role)
    assert found.is_error == is_error
    if is_error:
        assert "does not exist" in text(found)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from read_text('/etc/passwd')", "read_text is not available here"),
        ("copy eod to '/tmp/x'", "COPY is not answered here"),
        ("attach '/tmp/x.db'", "ATTACH is not answered here"),
    ],
)
def test_what_the_sandbox_refuses_is_refused(daemon, sql, said):
    _, (found,) = ask(daemon, ("query", {"sql": sql}))
    assert found.is_error and said in text(found)


def initialize(client, **changes):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"accept": "application/json, text/event-stream", **changes.pop("headers", {})}
    return client.request(changes.pop("method", "POST"), "/mcp", json=message, headers=headers)


def test_who_may_not_ask_is_told_as_everywhere(daemon, is_problem):
    with daemon.client(None) as client:
        assert is_problem(initialize(client), 401) == "a bearer token that is good is needed"
    with daemon.client("viewer") as client:
        detail = is_problem(initialize(client), 403)
        assert detail == "this needs role analyst, and yours is viewer"
    with daemon.client("analyst") as client:
        is_problem(initialize(client, headers={"host": "evil.example"}), 421)
        is_problem(initialize(client, headers={"origin": "https://evil.example"}), 403)
        for method in ("GET", "DELETE", "PUT"):
            is_problem(initialize(client, method=method), 405)
        big = client.post("/mcp", content=b" " * (1024 * 1024 + 1))
        is_problem(big, 413)
        for nonsense in (b"", b"{", b"[]", b'{"method": "tools/call"}', b"\xff"):
            assert client.post("/mcp", content=nonsense).status_code in range(400, 500)
