# SPDX-License-Identifier: Apache-2.0
"""The endpoints on an aiohttp application: who may call, how often, and what goes wrong.

What the faults make of a good answer: a refusal, another document, another body.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ttapi.simulator.tastytrade import (
    chains,
    credentials,
    customers,
    future_options,
    futures,
    metrics,
    quotes,
)
from ttapi.simulator.tastytrade.wire import ApiCall, ApiError, Document, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ttapi.simulator.faults import Budget, Counters, Fault, Faults
    from ttapi.simulator.tastytrade.wire import Endpoint, TastytradeService

PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n"
    "<center><h1>{0}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_MB = 1024 * 1024
_OAUTH = "/oauth"


class PageError(Exception):
    """The proxy before the vendor answers, with HTML."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.page = PAGE.format(title)


class ConnectionBrokenError(Exception):
    """The connection ends without an answer."""


def refuse(faults: Faults, path: str, place: int) -> None:
    """Nothing, or the refusal a fault wants for the request, the `place`-th since it was set.

    *Raises* ApiError, PageError or ConnectionBrokenError.
    """
    if faults.active("down") or _strike(faults, "reset", path):
        raise ConnectionBrokenError
    burst = faults.active("429-burst")
    if burst and burst.number("after") < place <= burst.number("after") + burst.number("count"):
        burst.struck += 1
        raise too_many()
    if _strike(faults, "html-401", path):
        raise PageError(401, "401 Authorization Required")
    if _strike(faults, "html-200", path):
        raise PageError(200, "Scheduled maintenance")
    if _strike(faults, "bad-gateway", path):
        raise PageError(502, "502 Bad Gateway")
    if _strike(faults, "forbidden", path):
        raise ApiError(403, "not_permitted", "User not permitted access")


def too_many() -> ApiError:
    """The refusal of one request too many: no header says when to come again."""
    return ApiError(429, "too_many_requests", "Too many requests")


def delay_s(faults: Faults, path: str) -> float:
    """How long the answer takes, beside the time to make it."""
    fault = _strike(faults, "slow", path)
    return fault.number("s") if fault else 0.0


def spoil(faults: Faults, path: str, document: Document) -> Document:
    """The document as faults leave it."""
    if fault := _strike(faults, "drift", path):
        name = str(fault.arguments["field"])
        document = _renamed(document, name, f"{name}-v2")
    if fault := _strike(faults, "missing-fields", path):
        for row in _rows(document)[:1]:
            row.pop(str(fault.arguments["field"]), None)
    if _strike(faults, "retype", path):
        for row in _rows(document)[:1]:
            row.update({key: [value] for key, value in row.items() if _is_number(value)})
    return document


def write_body(faults: Faults, path: str, document: Document) -> tuple[bytes, str | None]:
    """The bytes to send, and their content encoding."""
    body = json.dumps(document, separators=(",", ":")).encode()
    if _strike(faults, "truncate", path):
        return body[: len(body) // 2], None
    if fault := _strike(faults, "oversize", path):
        return _padded(body, int(fault.number("mb"))), None
    if fault := _strike(faults, "gzip-bomb", path):
        return gzip.compress(_padded(body, int(fault.number("mb"))), 9), "gzip"
    return body, None


def _strike(faults: Faults, name: str, path: str) -> Fault | None:
    """The fault when it is set and concerns the path; OAuth is left alone unless it is named."""
    fault = faults.active(name)
    wanted = str(fault.arguments.get("path", "")) if fault else ""
    if fault is None or not path.startswith(wanted or "/"):
        return None
    if path.startswith(_OAUTH) and not wanted:
        return None
    return faults.strike(name)


def _rows(document: Document) -> list[Document]:
    data = document.get("data")
    if not isinstance(data, dict):
        return [document]
    items = data.get("items")
    return list(items) if isinstance(items, list) else [data]


def _renamed(value: Document, name: str, other: str) -> Document:
    return {
        (other if key == name else key): _renamed_inside(item, name, other)
        for key, item in value.items()
    }


def _renamed_inside(value: object, name: str, other: str) -> object:
    if isinstance(value, dict):
        return _renamed(value, name, other)
    if isinstance(value, list):
        return [_renamed_inside(item, name, other) for item in value]
    return value


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    return isinstance(value, str) and value.replace(".", "", 1).replace("-", "", 1).isdecimal()


def _padded(body: bytes, size_mb: int) -> bytes:
    """Still JSON, only long: blanks before the last brace."""
    return body[:-1] + b" " * (size_mb * _MB) + body[-1:]


ENDPOINTS: tuple[Endpoint, ...] = (
    *credentials.ENDPOINTS,
    *customers.ENDPOINTS,
    *chains.INSTRUMENT_ENDPOINTS,
    *futures.FUTURE_ENDPOINTS,
    *future_options.ENDPOINTS,
    *futures.CRYPTOCURRENCY_ENDPOINTS,
    *chains.CHAIN_ENDPOINTS,
    *metrics.ENDPOINTS,
    *quotes.QUOTE_ENDPOINTS,
    *quotes.DISCOVERY_ENDPOINTS,
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

    def _reply(self, endpoint: Endpoint | None, call: ApiCall) -> Reply:
        if endpoint is None:
            raise ApiError(404, "not_found", f"No route for {call.method} {call.path}")
        if not endpoint.is_open:
            self.service.credentials.require(call)
        return endpoint.answer(self.service, call)

    def _check_headers(self, call: ApiCall) -> None:
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


def _bare_call(request: web.Request) -> ApiCall:
    return ApiCall(
        method=request.method,
        path=request.path,
        params=dict(request.match_info),
        query=list(request.query.items()),
        headers={key.lower(): value for key, value in request.headers.items()},
    )


async def _full_call(request: web.Request) -> ApiCall:
    bare = _bare_call(request)
    return ApiCall(
        bare.method, bare.path, bare.params, bare.query, await _body(request), bare.headers
    )


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


def _symbols(call: ApiCall) -> tuple[str, ...]:
    """What the request was about, for the log."""
    named = call.params.get("symbol") or call.params.get("code")
    return tuple(([named] if named else []) + call.values(*_SYMBOL_PARAMS))
