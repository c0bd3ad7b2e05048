# SPDX-License-Identifier: Apache-2.0
"""The Model Context Protocol over HTTP, beside the REST routes: the tools of `ttapi mcp` for who bears a token.

Each message is a POST of its own and is answered as JSON: no session is kept, so a token is looked at
each time, and what its user sees is what SQL over HTTP shows. Nothing is refreshed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import orjson
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route

from ttapi.server.audit_trail import digest_of_sql
from ttapi.server.mcp import make_server

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from mcp.server.mcpserver import MCPServer
    from starlette.types import Message, Receive, Scope, Send

    from ttapi.api import SandboxedDatabase
    from ttapi.server.auth import Identity
    from ttapi.server.served_home import ServedHome

PATH = "/mcp"
ROLE = "analyst"
"""The least that may."""


class McpDoor:
    """The endpoint; the guard in front of it has looked at Host, Origin and body."""

    def __init__(self, served: ServedHome) -> None:
        self._served = served
        self._servers: dict[SandboxedDatabase, MCPServer[Any]] = {}
        self._lock = threading.Lock()

    @property
    def route(self) -> Route:
        """Where it is: POST alone, as nothing is sent unasked."""
        return Route(PATH, self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One message answered. *Raises* Problem for who may not ask."""
        request = Request(scope, receive)
        caller: Identity = request.app.state.admit(request, ROLE)
        body = await request.body()
        about = _called(body)

        async def answered(message: MutableMapping[str, Any]) -> None:
            # Before the answer leaves: who has it finds the line.
            if message["type"] == "http.response.start" and about is not None:
                status = message["status"]
                self._served.audit.note(
                    "mcp",
                    "ok" if status == 200 else f"refused: {status}",
                    who=caller.name,
                    request_id=str(scope.get("ttapi.request_id", "")),
                    about={"role": caller.role, **about},
                )
            await send(message)

        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def given() -> Message:
            return waiting.pop() if waiting else await receive()

        manager = StreamableHTTPSessionManager(
            self._server(caller)._lowlevel_server,  # noqa: SLF001 - its own application needs a lifespan
            json_response=True,
            stateless=True,
        )
        async with manager.run():
            await manager.handle_request(scope, given, answered)

    def _server(self, caller: Identity) -> MCPServer[Any]:
        """The tools on the sandbox of who sees what `caller` sees."""
        database = self._served.sandbox(caller)
        with self._lock:
            if database not in self._servers:
                self._servers[database] = make_server(database)
            return self._servers[database]


def _called(body: bytes) -> dict[str, object] | None:
    """What the audit log says of a message: the tool, and the digest of its SQL; None: it calls none."""
    try:
        message = orjson.loads(body)
        if message["method"] != "tools/call":
            return None
        asked = message["params"]
        about: dict[str, object] = {"tool": str(asked["name"])}
        sql = (asked.get("arguments") or {}).get("sql")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if isinstance(sql, str):
        about["sql_sha256"] = digest_of_sql(sql)
    return about
