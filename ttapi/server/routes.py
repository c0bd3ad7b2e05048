# SPDX-License-Identifier: Apache-2.0
"""Every route of the REST interface, a row a route; FastAPI and OpenAPI are made of this table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute

from ttapi.errors import TtapiError, UsageError
from ttapi.server import handlers, logins
from ttapi.server import messages as ask
from ttapi.server.asked import refuse_ambiguous, require_object
from ttapi.server.auth import ANYONE, NOBODY, ROLES
from ttapi.server.handlers import Call, RouteReply, is_held_by_caller
from ttapi.server.problems import MEDIA_TYPE, Problem
from ttapi.server.queries import run_sql
from ttapi.server.rows import MEDIA_TYPES
from ttapi.server.served_home import FoundReply, ServedHome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel

API = "/api/v1"
_PARAMETER = re.compile(r"{(\w+)}")
_Operation = Callable[[ServedHome, Call], RouteReply]


@dataclass(frozen=True)
class Route:
    """One thing that can be asked over HTTP."""

    method: str
    path: str
    role: str
    """The least role that may; ANYONE gives no data."""
    request: type[BaseModel]
    """Of the query string; of the body for POST."""
    operation: _Operation
    reply: type[BaseModel] | None
    about: str
    status: int = 200
    media_types: tuple[str, ...] = field(default=("application/json",))

    @property
    def name(self) -> str:
        """Its operation id: `get_relations_name_rows`."""
        words = re.sub(r"\W+", "_", self.path.removeprefix(API)).strip("_")
        return f"{self.method.lower()}_{words}".replace(".", "_")


def _rows(path: str, request: type[BaseModel], operation: _Operation, about: str) -> Route:
    return Route(
        "GET", f"{API}{path}", "viewer", request, operation, ask.RowsReply, about,
        media_types=tuple(MEDIA_TYPES),
    )  # fmt: skip


def _series(relation: str, about: str) -> Route:
    return _rows(f"/{relation}", ask.SeriesQuery, handlers.read_series(relation), about)


ROUTES: tuple[Route, ...] = (
    Route("GET", f"{API}/relations", "viewer", ask.RelationsQuery, handlers.list_relations, ask.RelationsReply,
          "Relations with their columns and units."),
    Route("GET", f"{API}/relations/{{name}}", "viewer", ask.RelationQuery, handlers.describe_relation,
          ask.RelationReply, "One relation."),
    _rows("/relations/{name}/rows", ask.RowsQuery, handlers.read_rows, "Rows of a relation."),
    _series("eod", "Daily bars of one symbol."),
    _series("volatility", "Realized volatility of one symbol."),
    _series("returns_stddev", "Returns to each listed expiration of one symbol."),
    _series("chain", "The latest option chain of one underlying."),
    _series("quotes", "The latest quote of one symbol."),
    _series("bars", "Bars of one symbol."),
    Route("POST", f"{API}/sql", "viewer", ask.SqlBody, run_sql, ask.SqlReply,
          "Rows of one SELECT.", media_types=tuple(MEDIA_TYPES)),
    _rows("/expirations", ask.ExpirationsQuery, handlers.read_expirations, "Listed expirations of one root."),
    Route("GET", f"{API}/datasets", "viewer", ask.ListQuery, handlers.list_datasets, ask.DatasetsReply,
          "Datasets as they are declared."),
    Route("GET", f"{API}/status", "viewer", ask.NothingAsked, handlers.read_status, ask.StatusesReply,
          "How fresh every dataset is."),
    Route("GET", f"{API}/status/{{dataset}}", "viewer", ask.NothingAsked, handlers.read_status,
          ask.StatusReply, "How fresh one dataset is."),
    Route("GET", f"{API}/plan", "analyst", ask.PlanQuery, handlers.read_plan, ask.PlanReply,
          "What a refresh would do."),
    Route("POST", f"{API}/refresh", "operator", ask.RefreshBody, handlers.ask_for_refresh, ask.TaskReply,
          "Have datasets refreshed.", 202),
    Route("GET", f"{API}/refresh/tasks", "analyst", ask.ListQuery, handlers.list_tasks, ask.TasksReply,
          "Refreshes, the newest first."),
    Route("GET", f"{API}/refresh/tasks/{{task}}", "analyst", ask.NothingAsked, handlers.read_task,
          ask.TaskReply, "One refresh."),
    Route("DELETE", f"{API}/refresh/tasks/{{task}}", "operator", ask.NothingAsked, handlers.cancel_task,
          ask.TaskReply, "End a refresh.", 202),
    Route("POST", f"{API}/login", ANYONE, ask.LoginBody, logins.log_in, ask.TokensReply,
          "Tokens for a name and its password."),
    Route("POST", f"{API}/login/refresh", ANYONE, ask.RenewalBody, logins.renew, ask.TokensReply,
          "The next tokens of a login."),
    Route("POST", f"{API}/login/code", ANYONE, ask.CodeBody, logins.exchange_code, ask.TokensReply,
          "Tokens for a code, which is good once."),
    Route("POST", f"{API}/code", "viewer", ask.NothingAsked, logins.give_code, ask.CodeReply,
          "A code with which a browser logs in once, within two minutes."),
    Route("POST", f"{API}/logout", "viewer", ask.NothingAsked, logins.log_out, ask.LogoutReply,
          "End the login of the token."),
    Route("GET", f"{API}/lineage/{{relation}}", "viewer", ask.NothingAsked, handlers.read_lineage,
          ask.DocumentReply, "Where a relation, or RELATION.COLUMN, comes from."),
    Route("GET", f"{API}/why/{{relation}}", "analyst", ask.WhyQuery, handlers.explain_row, ask.DocumentReply,
          "One row explained."),
)  # fmt: skip
"""The REST interface; a new route is one row and its operation."""


def _guarded_route(declared: Mapping[str, Route], served: ServedHome) -> type[APIRoute]:
    """The class of routes that read nothing of a request before they know who asks.

    `declared`: by operation id.
    """

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """The handler, behind the guard of the application."""
            handler = super().get_route_handler()
            route = declared[str(self.operation_id)]

            async def guarded(request: Request) -> Response:
                request.state.caller = request.app.state.admit(request, route.role)
                if _has_formats(route) and (reply := _given_again(request, served)) is not None:
                    return reply
                refuse_ambiguous(request.query_params.multi_items(), route.request, route.method)
                if route.method == "POST":
                    kind = request.headers.get("content-type", "")
                    require_object(await request.body(), kind, route.request)
                return await handler(request)

            return guarded

    return GuardedRoute


def make_router(routes: Iterable[Route], served: ServedHome) -> APIRouter:
    """The routes as FastAPI serves them. *Raises* UsageError for one without a role."""
    routes = list(routes)
    declared = {route.name: route for route in routes}
    router = APIRouter(route_class=_guarded_route(declared, served), redirect_slashes=False)
    for route in routes:
        if route.role not in {*ROLES, ANYONE}:
            raise UsageError(
                f"{route.method} {route.path} declares no role", hint=f"one of {', '.join(ROLES)}"
            )
        router.add_api_route(
            route.path,
            _endpoint(route, served),
            methods=[route.method],
            operation_id=route.name,
            summary=route.about,
            status_code=route.status,
            response_model=None,
            responses=_replies(route),
            response_class=Response,
            openapi_extra=_declared(route),
        )
    return router


def _declared(route: Route) -> dict[str, Any]:
    security: list[dict[str, list[str]]] = [] if route.role == ANYONE else [{"bearer": []}]
    return {"x-role": route.role, "security": security}


def _replies(route: Route) -> dict[int | str, dict[str, Any]]:
    problem = {
        "description": "An error",
        "content": {MEDIA_TYPE: {"schema": ask.ProblemReply.model_json_schema()}},
    }
    right: dict[str, Any] = {"description": "As asked"}
    if route.reply is not None:
        right["model"] = route.reply
        others = [name for name in route.media_types if name != "application/json"]
        right["content"] = {name: {"schema": {"type": "string"}} for name in others}
    found: dict[int | str, dict[str, Any]] = {route.status: right, "default": problem}
    if _has_formats(route) and route.method == "GET":
        found[304] = {"description": "As it was when its ETag was given"}
    return found


def _has_formats(route: Route) -> bool:
    """Whether its rows come in several formats, under an ETag."""
    return len(route.media_types) > 1


def _endpoint(route: Route, served: ServedHome) -> Callable[..., Response]:
    """The function that FastAPI calls; its signature says what the route takes."""

    def endpoint(request: Request, asked: BaseModel, **path: str) -> Response:
        call = _call(request, asked, path)
        # Made here, so that what is kept does not hold the request.
        question = _question(request, served) if _has_formats(route) else ()

        def found() -> RouteReply:
            stamp = served.stamp()
            reply = route.operation(served, call)
            if reply.is_lasting and stamp is not None and _generation_of(reply) == stamp[0]:
                served.replies.keep((stamp, question), FoundReply(reply, prepared))
            return reply

        def prepared() -> None:
            served.age_headers(found().aged)

        with _audited(route, served, call):
            reply = found()
            return _response(reply, served.age_headers(reply.aged))

    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    kind = Body() if route.method == "POST" else Query()
    asked = inspect.Parameter(
        "asked",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[route.request, kind],
        # Who asks nothing need not send a body that says so.
        default=ask.NothingAsked()
        if route.request is ask.NothingAsked and route.method == "POST"
        else inspect.Parameter.empty,
    )
    named = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[str, Path(min_length=1, max_length=200)],
        )
        for name in _PARAMETER.findall(route.path)
    ]
    endpoint.__signature__ = inspect.Signature([request, asked, *named])  # type: ignore[attr-defined]  # read by FastAPI
    endpoint.__name__ = route.name
    endpoint.__doc__ = route.operation.__doc__
    return endpoint


def _call(request: Request, asked: Any, path: dict[str, str]) -> Call:
    query = request.url.query
    return Call(
        path=path,
        asked=asked,
        caller=getattr(request.state, "caller", NOBODY),
        accept=request.headers.get("accept", "*/*") or "*/*",
        if_none_match=request.headers.get("if-none-match", ""),
        url=f"{request.url.path}?{query}",
        address=request.client.host if request.client else "",
        request_id=str(request.scope.get("ttapi.request_id", "")),
    )


@contextmanager
def _audited(route: Route, served: ServedHome, call: Call) -> Iterator[None]:
    """Have what may change something, and every query, stand in the audit log with what came of it."""
    if route.method == "GET":
        yield
        return
    result = "failed"
    try:
        yield
        result = "ok"
    except Problem as problem:
        result = f"refused: {problem.status}"
        raise
    except TtapiError as exc:
        result = f"refused: {type(exc).__name__}"
        raise
    finally:
        is_login = route.role == ANYONE
        about = {"role": call.caller.role, **call.path, **call.noted}
        if is_login:
            about = {"address": call.address, **call.noted}
        served.audit.note(
            route.name,
            result,
            who=str(call.noted.get("user", "")) if is_login else call.caller.name,
            request_id=call.request_id,
            about=about,
        )


def _given_again(request: Request, served: ServedHome) -> Response | None:
    """The answer to the same question of the same generation; None: it has to be found.

    It is given by the loop that has the request: a thread would wait for the interpreter, twice.
    """
    stamp = served.stamp() if request.method == "GET" else None
    if stamp is None:
        return None
    question = _question(request, served)
    given = served.replies.get((stamp, question))
    age = None if given is None else served.known_age_headers(given.reply.aged)
    if given is None or age is None:
        return None
    served.readiness.note(question, given.again)
    reply = given.reply
    if is_held_by_caller(reply.headers["etag"], request.headers.get("if-none-match", "")):
        reply = RouteReply(status=304, headers=reply.headers)
    return _response(reply, age)


def _question(request: Request, served: ServedHome) -> tuple[object, ...]:
    """All that an answer depends on, beside what is published."""
    caller = request.state.caller
    sees = caller.sees_private, served.sees_personal(caller)
    accept = request.headers.get("accept", "")
    return request.scope["path"], request.scope["query_string"], accept, sees


def _generation_of(reply: RouteReply) -> int:
    return int(reply.headers.get("x-ttapi-generation", 0))


def _response(reply: RouteReply, age: Mapping[str, str]) -> Response:
    headers = {**reply.headers, **age}
    if reply.rows is not None:
        headers["x-ttapi-total"] = str(reply.rows.total)
        headers["vary"] = "accept"
        if reply.rows.next:
            headers["x-ttapi-next"] = reply.rows.next
        return Response(reply.rows.content, 200, headers, reply.rows.media_type)
    if reply.text is not None:
        return PlainTextResponse(reply.text, reply.status, headers)
    if reply.body is None:
        return Response(None, reply.status, headers)
    return JSONResponse(reply.body, reply.status, headers)
