# SPDX-License-Identifier: Apache-2.0
"""OAuth and the sessions of old."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.credentials import SESSION_LIFETIME_S
from ttapi.simulator.tastytrade.service import Endpoint, TastytradeService
from ttapi.simulator.tastytrade.wire import Reply, filled, instant

if TYPE_CHECKING:
    from ttapi.simulator.tastytrade.wire import Call

EMAIL = "simulated@example.com"
USER_ID = "U0001000000"


def _oauth(service: TastytradeService, call: Call) -> Reply:
    return service.credentials.refresh(call)


def _log_in(service: TastytradeService, call: Call) -> Reply:
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


def _log_out(service: TastytradeService, call: Call) -> Reply:
    service.credentials.log_out(call)
    return Reply(None, 204)


def _validate(service: TastytradeService, call: Call) -> Reply:
    data = {"email": EMAIL, "username": service.credentials.grant.login, "external-id": USER_ID}
    return Reply({"data": data, "context": call.path}, 201)


ENDPOINTS = (
    Endpoint("POST", "/oauth/token", _oauth, is_open=True),
    Endpoint("POST", "/sessions", _log_in, is_open=True),
    Endpoint("POST", "/sessions/validate", _validate),
    Endpoint("DELETE", "/sessions", _log_out),
)
