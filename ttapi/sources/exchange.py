# SPDX-License-Identifier: Apache-2.0
"""What goes over HTTP, in values: a request, its answer, the bounds of a host, who signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ttapi.errors import ResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ttapi.secret import Secret


@dataclass(frozen=True)
class Tuning:
    """Bounds of one host; every one of them a promise to it or to this machine."""

    requests_per_s: float = 20.0
    in_flight: int = 100
    connect_s: float = 5.0
    read_s: float = 20.0
    total_s: float = 60.0
    """From the turn to the last byte of one attempt."""
    max_bytes: int = 64_000_000
    """On the wire, and again when inflated."""
    max_ratio: int = 200
    """Inflated over received: a zip bomb's is a thousand."""
    attempts: int = 8
    give_up_s: float = 90.0
    """From the first attempt of a request until no further one is made."""
    first_wait_s: float = 0.25
    longest_wait_s: float = 15.0
    breaker_failures: int = 10
    breaker_recovery_s: float = 3.0


@dataclass(frozen=True)
class Request:
    """One call."""

    method: str
    path: str
    endpoint: str
    """The path with its variable parts named: what counts, breaks and is told as one."""
    params: Sequence[tuple[str, str]] = ()
    body: Mapping[str, str] | None = field(default=None, repr=False)
    """Sent as JSON."""
    is_repeatable: bool = True
    """Whether sending it twice does what sending it once does."""
    is_signed: bool = True
    """Whether it carries the access token."""


@dataclass(frozen=True)
class Response:
    """One answer, read whole and inflated."""

    endpoint: str
    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    retry_after: str | None = None
    signed_with: Secret | None = None
    """The token that was sent."""


class UnreadError(ResponseError):
    """An answer that was not read to its end, or not meant to be; `body` is how it begins."""

    def __init__(self, endpoint: str, status: int, reason: str, body: bytes) -> None:
        super().__init__(endpoint, status, reason)
        self.body = body


class Signer(Protocol):
    """Who knows the access token."""

    async def token(self) -> Secret:
        """The token to send now, renewed where it is about to end."""
        ...

    async def renewed(self, refused: Secret) -> Secret:
        """Another token than `refused`. *Raises* CredentialError where there is none."""
        ...
