# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: the routes, the daemon's own ones, who may, and every error as a problem."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute

from ttapi.api import stream_trouble
from ttapi.clock import SystemClock
from ttapi.errors import TtapiError, UsageError
from ttapi.server import messages
from ttapi.server.auth import ANYONE, NOBODY, Identity, RateLimit
from ttapi.server.figures import figures
from ttapi.server.guard import Guard, Place, RequestCounts
from ttapi.server.handlers import RouteReply
from ttapi.server.logins import with_renewals
from ttapi.server.mcp_http import PATH, McpDoor
from ttapi.server.problems import MEDIA_TYPE, Problem, defect, haste, problem_of, unauthorized
from ttapi.server.routes import API, ROUTES, Route, make_router
from ttapi.server.stream import StreamSockets
from ttapi.server.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ttapi.api import Hub
    from ttapi.server.handlers import Call
    from ttapi.server.served_home import ServedHome

    Identify = Callable[[str | None], Identity | None]

log = logging.getLogger("ttapi.server")

GUESSES_PER_S, GUESSES = 5.0, 50
"""Of one address, with tokens that are wrong."""


def make_app(
    served: ServedHome,
    identify: Identify,
    place: Place,
    *,
    routes: Iterable[Route] = ROUTES,
    clock: Callable[[], float] = time.monotonic,
    hub: Hub | None = None,
    stream_clock: Callable[[], float] = time.monotonic,
) -> Guard:
    """The whole application. *Raises* UsageError for a route without a role.

    `identify`: whose token an Authorization header bears. `clock`: seconds that never go back, by
    which the pace of callers and of watched queries is held. `hub`: of what is streamed; None: nothing is.
    """
    app = FastAPI(
        title="ttapi", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    traffic = RequestCounts()
    app.state.admit = _admission(identify, clock, served)
    app.include_router(make_router([*routes, *_own_routes(app, traffic)], served))
    sockets = StreamSockets(identify, hub, served, Topics(served, clock), stream_clock)
    app.router.routes.append(WebSocketRoute(f"{API}/stream", sockets.serve))
    app.router.routes.append(McpDoor(served).route)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    refuse_undeclared(app)

    def refused(status: int, address: str, request_id: str) -> None:
        served.audit.note_refusal("guard", f"refused: {status}", address, request_id=request_id)

    return Guard(
        with_renewals(app, API),
        place,
        traffic,
        body_bytes=served.settings.serve_max_body,
        body_depth=served.settings.serve_max_depth,
        on_refusal=refused,
    )


_OTHER_DOORS = frozenset({f"{API}/stream", PATH})
"""Paths that are no rows of a table, and ask who is there by themselves."""


def refuse_undeclared(app: FastAPI) -> None:
    """Nothing, or UsageError for a path beside the tables that is not known to ask who is there."""
    for route in app.routes:
        path = getattr(route, "path", None)  # the tables' are in routers, which were looked through
        if path is not None and path not in _OTHER_DOORS:
            raise UsageError(f"{path} declares no role")


def _own_routes(app: FastAPI, traffic: RequestCounts) -> tuple[Route, ...]:
    """Routes about the daemon itself."""

    def live(served: ServedHome, call: Call) -> RouteReply:
        """That the daemon answers."""
        del served, call
        return RouteReply({"status": "live"})

    def ready(served: ServedHome, call: Call) -> RouteReply:
        """That data can be read."""
        del call
        try:
            with served.published.reading():
                stopped = {"stream": "stopped"} if stream_trouble(served.home) else {}
                return RouteReply({"status": "ready"} | stopped)
        except TtapiError as exc:
            log.warning("not ready", extra={"error": str(exc)})
            raise Problem(503, "nothing can be read", {"retry-after": "5"}) from exc

    def metrics(served: ServedHome, call: Call) -> RouteReply:
        """Figures for Prometheus."""
        del call
        return RouteReply(text=traffic.text(figures(served, SystemClock().now())))

    def schedule(served: ServedHome, call: Call) -> RouteReply:
        """What is kept fresh, when it is looked at next, what fails and what is left alone."""
        del call
        return RouteReply(served.schedule())

    def openapi(served: ServedHome, call: Call) -> RouteReply:
        """This interface, as OpenAPI says it."""
        del served, call
        return RouteReply(_openapi_document(app))

    nothing = messages.NothingAsked
    return (
        Route("GET", "/live", ANYONE, nothing, live, None, "Whether it answers."),
        Route("GET", "/ready", ANYONE, nothing, ready, None, "Whether it can read."),
        Route("GET", "/metrics", "viewer", nothing, metrics, None, "Figures for Prometheus."),
        Route("GET", f"{API}/schedule", "analyst", nothing, schedule, messages.DocumentReply,
              "What is refreshed by itself, and when."),
        Route("GET", f"{API}/openapi.json", "viewer", nothing, openapi, None, "This interface."),
    )  # fmt: skip


def _openapi_document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI of every route, with the scheme of its tokens; made once."""
    if app.openapi_schema is None:
        found = get_openapi(title="ttapi", version="1", routes=app.routes)
        components = found.setdefault("components", {})
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = found
    return app.openapi_schema


def _admission(
    identify: Identify, clock: Callable[[], float], served: ServedHome
) -> Callable[[Request, str], Identity]:
    """What lets a request in: says who asks, or raises the Problem."""
    audit, pace = served.audit, served.settings.serve_requests_per_second
    paces = RateLimit(pace, max(1, round(pace)), clock)
    guesses = RateLimit(GUESSES_PER_S, GUESSES, clock)

    def admit(request: Request, role: str) -> Identity:
        if role == ANYONE:
            return NOBODY
        given = request.headers.getlist("authorization")
        caller = identify(given[0] if len(given) == 1 else None)
        address = request.client.host if request.client else ""
        where = getattr(request.scope.get("route"), "path", request.url.path)
        if caller is None:
            _refuse_haste(guesses.wait_s(address))
            audit.note_refusal(where, "refused: 401", address, request_id=_id_of(request))
            raise unauthorized()
        _refuse_haste(paces.wait_s(caller.name))
        if not caller.may(role):
            audit.note_refusal(
                where, "refused: 403", address, who=caller.name, request_id=_id_of(request)
            )
            raise Problem(403, f"this needs role {role}, and yours is {caller.role}")
        return caller

    return admit


def _refuse_haste(wait_s: float) -> None:
    if wait_s > 0:
        raise haste(wait_s)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _answer(request, error)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, TtapiError)
    problem = problem_of(error)
    if problem.detail != str(error):
        log.warning("refused", extra={"request_id": _id_of(request), "error": str(error)})
    return _answer(request, problem)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: "nothing is here", 405: f"{request.method} does nothing here"}
    detail = details.get(error.status_code, "the request cannot be read")
    return _answer(request, Problem(error.status_code, detail, dict(error.headers or {})))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [
        f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: {one['msg']}"
        for one in error.errors()[:5]
    ]
    return _answer(request, Problem(422, "; ".join(details)))


async def _on_defect(request: Request, error: Exception) -> Response:
    del error  # the guard logs it
    return _answer(request, defect())


_HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    Problem: _on_problem,
    TtapiError: _on_refusal,
    HTTPException: _on_http,
    RequestValidationError: _on_invalid,
    Exception: _on_defect,
}


def _answer(request: Request, problem: Problem) -> Response:
    body = problem.body(_id_of(request))
    return Response(body, problem.status, dict(problem.headers), MEDIA_TYPE)


def _id_of(request: Request) -> str:
    return str(request.scope.get("ttapi.request_id", ""))
