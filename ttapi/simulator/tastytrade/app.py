# SPDX-License-Identifier: Apache-2.0
"""The endpoints on an aiohttp application: who may call, how often, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ttapi.simulator.tastytrade import (
    chains,
    cryptocurrencies,
    customers,
    discovery,
    future_options,
    futures,
    instruments,
    metrics,
    quotes,
    sessions,
)
from ttapi.simulator.tastytrade.faulty import (
    ConnectionBrokenError,
    PageError,
    delay_s,
    refuse,
    spoil,
    too_many,
    write_body,
)
from ttapi.simulator.tastytrade.wire import ApiError, Call, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ttapi.simulator.tastytrade.service import Endpoint, TastytradeService
    from ttapi.simulator.traffic import Budget, Counters

ENDPOINTS: tuple[Endpoint, ...] = (
    *sessions.ENDPOINTS,
    *customers.ENDPOINTS,
    *instruments.ENDPOINTS,
    *futures.ENDPOINTS,
    *future_options.ENDPOINTS,
    *cryptocurrencies.ENDPOINTS,
    *chains.ENDPOINTS,
    *metrics.ENDPOINTS,
    *quotes.ENDPOINTS,
    *discovery.ENDPOINTS,
)
VERSIONS = ("20240501", "20250715", "20250813", "20260211", "20260629", "20261012")
"""Releases of the interface; one between two is served the earlier."""
_USER_AGENT = re.compile(r"\S+/\S+")
_SYMBOL_PARAMS = (
    "symbol",
    "symbols",
    "equity",
    "index",
    "equity-option",
    "future",
    "future-option",
    "cryptocurrency",
    "product-code",
    "underlying-symbol",
)


@dataclass
class Desk:
    """What stands before the endpoints."""

    service: TastytradeService
    budget: Budget
    counters: Counters
    log: Callable[[str, tuple[str, ...], int], None]
    """Told of every request: method and path, symbols, status (0: none)."""
    latency_s: float = 0.0

    def routes(self) -> list[web.RouteDef]:
        """A route for every endpoint, and one for everything else."""
        return [
            *(web.route(row.method, row.path, self._handler(row)) for row in ENDPOINTS),
            web.route("*", "/{nowhere:.*}", self._handler(None)),
        ]

    def _handler(
        self, endpoint: Endpoint | None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.counters.begin()
            place, status = self.counters.asked, 0
            call = _bare_call(request)
            try:
                response = await self._answer(request, endpoint, place)
                status = response.status
            except ConnectionBrokenError:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
            finally:
                self.counters.end(status)
                self.log(f"{call.method} {call.path}", _symbols(call), status)
            return response

        return handle

    async def _answer(
        self, request: web.Request, endpoint: Endpoint | None, place: int
    ) -> web.Response:
        faults, path = self.service.faults, request.path
        if pause := self.latency_s + delay_s(faults, path):
            await asyncio.sleep(pause)
        try:
            self._admit(path, place)
            call = await _full_call(request)
            self._check_headers(call)
            reply = self._reply(endpoint, call)
        except PageError as page:
            return web.Response(status=page.status, text=page.page, content_type="text/html")
        except ApiError as error:
            reply = Reply(error.document(), error.status)
        return self._response(reply, path)

    def _admit(self, path: str, place: int) -> None:
        refuse(self.service.faults, path, place)
        if not self.budget.take():
            raise too_many()

    def _reply(self, endpoint: Endpoint | None, call: Call) -> Reply:
        if endpoint is None:
            raise ApiError(404, "not_found", f"No route for {call.method} {call.path}")
        if not endpoint.is_open:
            self.service.credentials.require(call)
        return endpoint.answer(self.service, call)

    def _check_headers(self, call: Call) -> None:
        agent = call.headers.get("user-agent", "")
        if self.service.is_strict and not _USER_AGENT.search(agent):
            raise PageError(401, "401 Authorization Required")
        version = call.headers.get("accept-version")
        if version is not None and (not re.fullmatch(r"\d{8}", version) or version < VERSIONS[0]):
            raise ApiError(406, "406", f"Version {version} is not acceptable")

    def _response(self, reply: Reply, path: str) -> web.Response:
        if reply.document is None:
            return web.Response(status=reply.status)
        faults, document = self.service.faults, reply.document
        if reply.status >= 400:
            body, encoding = json.dumps(document).encode(), None
        else:
            body, encoding = write_body(faults, path, spoil(faults, path, document))
        response = web.Response(status=reply.status, body=body, content_type="application/json")
        if encoding:
            response.headers["Content-Encoding"] = encoding
        elif len(body) > 1024:
            response.enable_compression()
        return response


def _bare_call(request: web.Request) -> Call:
    return Call(
        method=request.method,
        path=request.path,
        params=dict(request.match_info),
        query=list(request.query.items()),
        headers={key.lower(): value for key, value in request.headers.items()},
    )


async def _full_call(request: web.Request) -> Call:
    bare = _bare_call(request)
    return Call(bare.method, bare.path, bare.params, bare.query, await _body(request), bare.headers)


async def _body(request: web.Request) -> dict[str, Any]:
    """The fields of a JSON object or a form.

    *Raises* ApiError 400 for another body.
    """
    if not request.can_read_body:
        return {}
    if request.content_type == "application/x-www-form-urlencoded":
        return {key: str(value) for key, value in (await request.post()).items()}
    try:
        document = json.loads(await request.read() or b"{}")
    except ValueError:
        raise ApiError(400, "invalid_request", "The body is no JSON") from None
    if not isinstance(document, dict):
        raise ApiError(400, "invalid_request", "The body must be an object")
    return document


def _symbols(call: Call) -> tuple[str, ...]:
    """What the request was about, for the log."""
    named = call.params.get("symbol") or call.params.get("code")
    return tuple(([named] if named else []) + call.values(*_SYMBOL_PARAMS))
