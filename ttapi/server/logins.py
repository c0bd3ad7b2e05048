# SPDX-License-Identifier: Apache-2.0
"""What a user asks of a daemon about themselves: to be let in, the next tokens, to be forgotten."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ttapi.server.accounts import CODE_S, RefusedLogin, TokenPair
from ttapi.server.handlers import RouteReply
from ttapi.server.problems import haste, unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.server.guard import AsgiApp, Message, Receive, Scope, Send
    from ttapi.server.handlers import Call
    from ttapi.server.served_home import ServedHome


def log_in(served: ServedHome, call: Call) -> RouteReply:
    """A pair of tokens for a name and its password."""
    name = call.asked.name
    _slow_down(served, call, name)
    with _refusals(call, "name or password is wrong"):
        return _tokens(call, served.accounts.login(name, call.asked.password))


def renew(served: ServedHome, call: Call) -> RouteReply:
    """The next pair of tokens of a login."""
    _slow_down(served, call)
    with _refusals(call, "the refresh token is not good"):
        return _tokens(call, served.accounts.refresh(call.asked.refresh_token))


def exchange_code(served: ServedHome, call: Call) -> RouteReply:
    """A pair of tokens for a code, which is good once."""
    _slow_down(served, call)
    with _refusals(call, "the code is not good"):
        return _tokens(call, served.accounts.exchange(call.asked.code))


def give_code(served: ServedHome, call: Call) -> RouteReply:
    """A code with which a browser logs in as who asks for it, within two minutes."""
    code = served.accounts.give_code(call.caller.name)
    return RouteReply({"code": code, "expires_in": CODE_S})


def log_out(served: ServedHome, call: Call) -> RouteReply:
    """That the login of the token has ended: its tokens and sockets with it."""
    return RouteReply({"ended": served.accounts.logout(call.caller)})


def with_renewals(app: AsgiApp, api: str) -> AsgiApp:
    """`app`, in which `POST /refresh` with a refresh token is what `POST /login/refresh` is.

    Datasets are refreshed under that name too; a body holds what it is about.
    """

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if (scope.get("method"), scope.get("path")) != ("POST", f"{api}/refresh"):
            await app(scope, receive, send)
            return
        waiting = [await receive()]  # whole: the guard has read it
        if b'"refresh_token"' in waiting[0].get("body", b""):
            scope["path"] = f"{api}/login/refresh"

        async def given() -> Message:
            return waiting.pop() if waiting else await receive()

        await app(scope, given, send)

    return routed


def _slow_down(served: ServedHome, call: Call, name: str = "") -> None:
    if wait_s := served.login_pace.wait_s(name, call.address):
        call.noted["why"] = "too many attempts"
        call.noted["user"] = name
        raise haste(wait_s)


@contextmanager
def _refusals(call: Call, detail: str) -> Iterator[None]:
    """Have every refusal answered alike; why is for the audit log."""
    try:
        yield
    except RefusedLogin as refused:
        call.noted["user"], call.noted["why"] = refused.user, refused.why
        raise unauthorized(detail) from refused


def _tokens(call: Call, pair: TokenPair) -> RouteReply:
    call.noted["user"] = pair.user
    return RouteReply(
        {
            "access_token": pair.access_token,
            "token_type": "bearer",
            "expires_in": pair.expires_in_s,
            "refresh_token": pair.refresh_token,
            "user": pair.user,
            "role": pair.role,
        }
    )
