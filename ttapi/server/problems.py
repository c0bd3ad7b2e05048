# SPDX-License-Identifier: Apache-2.0
"""Every error as one envelope: problem+json (RFC 9457) with the request's id, without stack, SQL or path."""

from __future__ import annotations

import json
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from ttapi.errors import (
    BudgetError,
    GenerationError,
    InterruptedQueryError,
    LicenceError,
    LockedError,
    ModelError,
    NotLoadedError,
    QueryError,
    SourceError,
    StaleError,
    StoreError,
    TtapiError,
    UnknownNameError,
    UsageError,
)
from ttapi.secret import scrubbed

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"
_PATH = re.compile(r"""(?<![\w.<])(~|\.{1,2})?(/[^\s'",:;()\[\]]+)+/?""")
_OTHER_DOORS = ("ttapi", "select", "--")
"""How words of a hint begin that helps nobody over HTTP: a command, SQL, an option."""
_STATUSES: tuple[tuple[type[TtapiError], int], ...] = (
    (UnknownNameError, 404),
    (ModelError, 500),
    (UsageError, 422),
    (InterruptedQueryError, 504),
    (LicenceError, 403),
    (NotLoadedError, 502),
    (QueryError, 422),
    (LockedError, 503),
    (StaleError, 503),
    (BudgetError, 409),
    (SourceError, 502),
    (StoreError, 503),
)
"""The first that fits."""
_SPOKEN = (
    LicenceError,
    NotLoadedError,
    SourceError,
    UsageError,
    LockedError,
    StaleError,
    BudgetError,
)
"""Errors whose message is for whoever asks; those of the engine show SQL."""


class Problem(Exception):  # noqa: N818 - as RFC 9457 calls it
    """One answer that is none."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def body(self, request_id: str) -> bytes:
        """The document."""
        document = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": without_paths(self.detail),
            "request_id": request_id,
        }
        return json.dumps(document).encode()


def unauthorized(detail: str = "a bearer token that is good is needed") -> Problem:
    """The answer to who shows no good token: the same whatever was wrong."""
    return Problem(401, detail, {"www-authenticate": 'Bearer realm="ttapi"'})


def haste(wait_s: float) -> Problem:
    """The answer to who asks too often."""
    return Problem(429, "too many requests", {"retry-after": str(max(1, round(wait_s)))})


def defect() -> Problem:
    """The answer where nobody knows what is wrong."""
    return Problem(500, "the daemon's log tells why, under the request's id")


def problem_of(error: TtapiError) -> Problem:
    """The answer that tells `error`."""
    if isinstance(error, GenerationError):
        # What is still to come contradicts what is here; what is gone stays gone.
        return Problem(409 if error.number > error.newest else 410, str(error))
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    headers = {"retry-after": "1"} if status == 503 else {}
    if isinstance(error, InterruptedQueryError):
        return Problem(status, "the query took too long and was ended: ask for fewer rows")
    if isinstance(error, _SPOKEN) and not isinstance(error, ModelError):
        is_for_shells = any(word.startswith(_OTHER_DOORS) for word in (error.hint or "").split())
        return Problem(status, error.message if is_for_shells else str(error), headers)
    return Problem(status, defect().detail, headers)


def without_paths(text: str) -> str:
    """`text` without the paths of this machine's files in it, and without secrets."""
    return _PATH.sub(_unless_elsewhere, scrubbed(text))


def _unless_elsewhere(found: re.Match[str]) -> str:
    """What stands for a path; what only looks like one (a comment of SQL, a vendor's URL) stays."""
    text = found[0]
    is_here = text.startswith(("~", ".")) or os.path.lexists(f"/{text.split('/')[1]}")
    return "<path>" if is_here and re.search(r"\w", text) else text
