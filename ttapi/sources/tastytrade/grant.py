# SPDX-License-Identifier: Apache-2.0
"""OAuth2's refresh grant: one access token, renewed once for all who wait, before it ends.

The vendor's tokens live 15 minutes. A dead grant is told apart from a refusal that passes: after
some failed logins the vendor blocks the address for hours, so a dead grant is tried once.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import CredentialError, SourceDownError
from ttapi.secret import Secret
from ttapi.sources.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttapi.sources.http import HttpClient, Response

_RENEWED_BEFORE_S = 60.0
_LIFETIME_S = 900.0
"""Where the vendor does not say."""
_TRIES = 3
"""Of a refresh that was refused in a way that may pass: the sandbox does so around the open."""
_DEAD = {
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "access_denied",
    "invalid_scope",
    "invalid_token",
}
_HINT = "ttapi login stores new credentials"


@dataclass(frozen=True)
class _Token:
    secret: Secret
    ends_at: float


class RefreshGrant:
    """Gives the access token for one host; `clock` counts seconds that never go back."""

    def __init__(
        self,
        client: HttpClient,
        client_secret: Secret,
        refresh_token: Secret,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._client_secret, self._refresh_token = client_secret, refresh_token
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self.failure: SourceDownError | None = None
        """Why no token can be had for as long as this lives: a CredentialError for a dead grant."""

    async def token(self) -> Secret:
        """The access token, renewed where less than a minute of it is left.

        *Raises* CredentialError when the grant is dead, SourceDownError when it could not be asked.
        """
        async with self._lock:
            token = self._token
            if token is None or token.ends_at - self._clock() < _RENEWED_BEFORE_S:
                token = self._token = await self._refreshed()
            return token.secret

    async def renewed(self, refused: Secret) -> Secret:
        """A token that is not `refused`: another may have renewed it in between."""
        async with self._lock:
            if self._token is None or self._token.secret == refused:
                self._token = await self._refreshed()
            return self._token.secret

    async def _refreshed(self) -> _Token:
        if self.failure is None:
            try:
                return await self._asked()
            except CredentialError as exc:
                self.failure = exc
            except SourceDownError as exc:
                # All who wait would try as often, one after the other.
                self.failure = SourceDownError(exc.message)
        raise self.failure

    async def _asked(self) -> _Token:
        asked_at = self._clock()
        request = Request(
            "POST",
            "/oauth/token",
            "/oauth/token",
            body={
                "grant_type": "refresh_token",
                "client_secret": self._client_secret.reveal(),
                "refresh_token": self._refresh_token.reveal(),
            },
            is_signed=False,
        )
        said = ""
        for _ in range(_TRIES):
            response = await self._client.send(request)
            if response.status < 300:
                return _token_of(response, asked_at)
            said = _refusal(response)
            if _is_dead(response):
                raise CredentialError(f"the grant is refused: {said}", hint=_HINT)
        raise SourceDownError(f"/oauth/token refused {_TRIES} times: {said}; the grant may be well")


def _token_of(response: Response, asked_at: float) -> _Token:
    try:
        document = json.loads(response.body)
        secret = Secret(document["access_token"])
        lifetime = float(document.get("expires_in") or _LIFETIME_S)
    except (ValueError, KeyError, TypeError) as exc:
        raise SourceDownError(
            f"/oauth/token: status {response.status}: field 'access_token' is missing"
        ) from exc
    return _Token(secret, asked_at + lifetime)


def _is_dead(response: Response) -> bool:
    return _code(response) in _DEAD or (response.status == 401 and not _code(response))


def _code(response: Response) -> str:
    """What the vendor calls the refusal; it has two shapes for that."""
    try:
        document = json.loads(response.body)
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    inner = error.get("code") if isinstance(error, dict) else error
    return str(document.get("error_code") or inner or "")


def _refusal(response: Response) -> str:
    try:
        document = json.loads(response.body)
        text = document.get("error_description") or document.get("error", {}).get("message")
    except (ValueError, AttributeError):
        text = None
    return f"status {response.status}{f', {text}' if text else ''}"
