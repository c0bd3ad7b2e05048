# SPDX-License-Identifier: Apache-2.0
"""Who may call: the OAuth grant, legacy sessions, quote tokens; all invented, from the seed.

OAuth and the sessions of old.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.wire import (
    ApiCall,
    ApiError,
    Endpoint,
    Reply,
    TastytradeService,
    filled,
    instant,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from ttapi.simulator.faults import Faults

TOKEN_LIFETIME_S = 900
SESSION_LIFETIME_S = 24 * 3600
QUOTE_TOKEN_LIFETIME_S = 24 * 3600
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Grant:
    """What a user of the simulator logs in with."""

    client_id: str
    client_secret: str
    refresh_token: str
    login: str
    password: str


class Credentials:
    """Tokens given out, each with its end; `clock` counts seconds."""

    def __init__(
        self,
        rng: random.Random,
        clock: Callable[[], float],
        faults: Faults,
        lifetime_s: int = TOKEN_LIFETIME_S,
    ) -> None:
        self._rng, self._clock, self._faults = rng, clock, faults
        self.lifetime_s = lifetime_s
        self.grant = Grant(
            self._secret("client"),
            self._secret("secret"),
            self._secret("refresh"),
            "simulated",
            self._secret("password"),
        )
        self.quote_token = self._secret("quote")
        """Good for ever; besides, /api-quote-tokens gives out such that end."""
        self.issued = 0
        """Access tokens given out."""
        self._ends: dict[str, float] = {}
        self._quote_ends: dict[str, float] = {}

    def refresh(self, call: ApiCall) -> Reply:
        """An access token for the refresh token; refusals have a shape of their own."""
        body = call.body
        if body.get("grant_type") != "refresh_token":
            return _refused(400, "unsupported_grant_type", "grant_type must be refresh_token")
        if body.get("client_id") not in {None, "", self.grant.client_id}:
            return _refused(401, "invalid_client", "client_id is unknown")
        if body.get("client_secret") != self.grant.client_secret:
            return _refused(401, "invalid_client", "Client authentication failed")
        if body.get("refresh_token") != self.grant.refresh_token or self._faults.active("revoked"):
            return _refused(400, "invalid_grant", "Grant revoked")
        if self._faults.strike("oauth-busy"):
            return _refused(400, "invalid_request", "Request could not be processed")
        fault = self._faults.active("expire-token")
        lifetime = int(fault.number("s")) if fault else self.lifetime_s
        token = self._issue(lifetime)
        return Reply({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def log_in(self, call: ApiCall) -> tuple[str, str | None]:
        """A session token, and one to remember the user by when that was asked for.

        *Raises* ApiError 401 for another login or password.
        """
        known = self.grant.login, self.grant.password
        if (call.body.get("login"), call.body.get("password")) != known:
            raise ApiError(
                401,
                "invalid_credentials",
                "Invalid login, please check your username and password.",
            )
        remembered = self._secret("remember") if call.body.get("remember-me") else None
        return self._issue(SESSION_LIFETIME_S), remembered

    def log_out(self, call: ApiCall) -> None:
        """End the caller's token."""
        self._ends.pop(_token(call), None)

    def require(self, call: ApiCall) -> None:
        """Nothing for a good token.

        *Raises* ApiError 401 for none, a wrong or an old one.
        """
        end = self._ends.get(_token(call))
        if end is None or end <= self._clock() or self._faults.active("revoked"):
            raise ApiError(401, "token_invalid", "This token is invalid or has expired")

    def give_quote_token(self) -> str:
        """A token for the feed, good for a day."""
        token = self._secret("quote")
        self._quote_ends[token] = self._clock() + QUOTE_TOKEN_LIFETIME_S
        return token

    def accepts_quote_token(self, token: str) -> bool:
        """Whether the feed may be used with it."""
        return token == self.quote_token or self._quote_ends.get(token, 0.0) > self._clock()

    def _issue(self, lifetime_s: float) -> str:
        token = self._secret("access")
        self._ends[token] = self._clock() + lifetime_s
        self.issued += 1
        return token

    def _secret(self, what: str) -> str:
        return f"sim-{what}-{''.join(self._rng.choices(_LETTERS, k=24))}"


def _token(call: ApiCall) -> str:
    """The bearer token, or the bare one of a legacy session."""
    return call.headers.get("authorization", "").removeprefix("Bearer ").strip()


def _refused(status: int, code: str, description: str) -> Reply:
    return Reply({"error_code": code, "error_description": description}, status)


EMAIL = "simulated@example.com"
USER_ID = "U0001000000"


def _oauth(service: TastytradeService, call: ApiCall) -> Reply:
    return service.credentials.refresh(call)


def _log_in(service: TastytradeService, call: ApiCall) -> Reply:
    token, remembered = service.credentials.log_in(call)
    ends = service.market.now + timedelta(seconds=SESSION_LIFETIME_S)
    user = {"email": EMAIL, "username": service.credentials.grant.login, "external-id": USER_ID}
    data = {
        "user": user,
        "session-token": token,
        "session-expiration": instant(ends),
        "remember-token": remembered,
    }
    return Reply({"data": filled(data), "context": call.path}, 201)


def _log_out(service: TastytradeService, call: ApiCall) -> Reply:
    service.credentials.log_out(call)
    return Reply(None, 204)


def _validate(service: TastytradeService, call: ApiCall) -> Reply:
    data = {"email": EMAIL, "username": service.credentials.grant.login, "external-id": USER_ID}
    return Reply({"data": data, "context": call.path}, 201)


ENDPOINTS = (
    Endpoint("POST", "/oauth/token", _oauth, is_open=True),
    Endpoint("POST", "/sessions", _log_in, is_open=True),
    Endpoint("POST", "/sessions/validate", _validate),
    Endpoint("DELETE", "/sessions", _log_out),
)
