# SPDX-License-Identifier: Apache-2.0
"""The HTTP room: the one place that speaks HTTP, paced, bounded and counted.

A request waits for its turn (pace) behind the endpoint's breaker, inside the retry; only requests
that may be repeated are. An answer is read under deadlines and caps before anybody parses it.

What goes over HTTP, in values: a request, its answer, the bounds of a host, who signs.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import httpx
import stamina

from ttapi.errors import ResponseError, SourceDownError, UsageError
from ttapi.secret import scrubbed
from ttapi.sources.response_body import OversizedError, read_capped
from ttapi.sources.throttle import Breaker, CircuitOpenError, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ttapi.secret import Secret
    from ttapi.sources.traffic import Traffic


@dataclass(frozen=True)
class HostLimits:
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


# What is tried again is in our own log; the library would print it.
stamina.instrumentation.set_on_retry_hooks([])
log = logging.getLogger("ttapi.http")
_BUSY = 429
_UNAUTHORIZED = 401
_LARGEST_WAIT_ASKED_S = 120.0
"""Of a Retry-After; a host that asks for more is left alone for this command."""


class _PassingError(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, text: str, *, is_ours: bool, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.is_ours = is_ours
        """True: the host is well, we asked too fast."""
        self.wait_s = wait_s
        """How long the host asked to be left alone."""


class HttpClient:
    """One pooled client of one host, HTTP/2 where it is spoken.

    `draw` gives a uniform number of [0, 1), `clock` seconds that never go back.
    """

    def __init__(
        self,
        base_url: str,
        traffic: Traffic,
        *,
        tuning: HostLimits | None = None,
        headers: Mapping[str, str] | None = None,
        verify: Any = True,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_safe_address(base_url)
        self.tuning = tuning or HostLimits()
        self.traffic = traffic
        self.signer: Signer | None = None
        self._pace = Pace(self.tuning.requests_per_s, traffic, clock)
        self._places = asyncio.Semaphore(self.tuning.in_flight)
        self._breakers: dict[str, Breaker] = {}
        self._draw, self._clock = draw, clock
        bounds = self.tuning
        self._client = httpx.AsyncClient(
            base_url=base_url,
            http2=True,
            verify=_no_trust() if base_url.startswith("http://") else verify,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", **(headers or {})},
            timeout=httpx.Timeout(bounds.read_s, connect=bounds.connect_s, pool=bounds.total_s),
            limits=httpx.Limits(max_connections=bounds.in_flight),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.aclose()
        self._pace.settle()

    async def send(self, request: Request) -> Response:
        """The answer to `request`, whatever its status below 500 but 429.

        *Raises* UnreadError for an answer too large or a redirect; SourceDownError when every
        attempt failed; CredentialError when the token was refused and no other one could be had.
        """
        answer = await self._repeated(request)
        if answer.status != _UNAUTHORIZED or self.signer is None or not request.is_signed:
            return answer
        # Once: a second refusal is about the grant, not the token's age.
        if answer.signed_with is not None:
            await self.signer.renewed(answer.signed_with)
        return await self._repeated(request)

    async def _repeated(self, request: Request) -> Response:
        attempts = self.tuning.attempts if request.is_repeatable else 1
        made = 0
        try:
            async for attempt in stamina.retry_context(
                on=self._waits(), attempts=attempts, timeout=self.tuning.give_up_s
            ):
                made = attempt.num
                with attempt:
                    return await self._once(request)
        except _PassingError as exc:
            times = "once" if made == 1 else f"{made} times"
            raise SourceDownError(
                f"{request.method} {request.endpoint} failed {times}: {exc}"
            ) from exc
        raise AssertionError("the retry neither answered nor raised")

    def _waits(self) -> Callable[[Exception], bool | float]:
        """How long to wait after a failure, with full jitter; False: not to be repeated."""
        failures = 0

        def wait(error: Exception) -> bool | float:
            nonlocal failures
            if isinstance(error, CircuitOpenError):
                return False if error.wait_s is None else float(error.wait_s * (1 + self._draw()))
            if not isinstance(error, _PassingError):
                return False
            failures += 1
            if error.wait_s is not None:
                return error.wait_s if error.wait_s <= _LARGEST_WAIT_ASKED_S else False
            ceiling = min(self.tuning.longest_wait_s, self.tuning.first_wait_s * 2.0**failures)
            return max(0.001, self._draw() * ceiling)

        return wait

    def _breaker(self, endpoint: str) -> Breaker:
        if endpoint not in self._breakers:
            self._breakers[endpoint] = Breaker(
                endpoint,
                failures=self.tuning.breaker_failures,
                recovery_s=self.tuning.breaker_recovery_s,
                is_failure=_is_hosts_failure,
                clock=self._clock,
            )
        return self._breakers[endpoint]

    async def _once(self, request: Request) -> Response:
        """One attempt: nobody waits for a turn at an endpoint whose circuit is open."""
        breaker = self._breaker(request.endpoint)
        breaker.refuse_when_open()
        token = None
        if request.is_signed and self.signer is not None:
            token = await self.signer.token()
        await self._pace.turn()
        async with self._places:
            return await breaker.call(lambda: self._sent(request, token))

    async def _sent(self, request: Request, token: Secret | None) -> Response:
        self.traffic.started()
        outcome, received, begun = "failed", 0, self._clock()
        try:
            async with asyncio.timeout(self.tuning.total_s):
                answer, received = await self._exchange(request, token)
            outcome = str(answer.status)
        except (httpx.TimeoutException, TimeoutError) as exc:
            outcome = "timeout"
            raise _PassingError("no answer in time", is_ours=False) from exc
        except httpx.HTTPError as exc:
            outcome = "unreachable"
            raise _PassingError(_transport_text(exc), is_ours=False) from exc
        except OversizedError as exc:
            outcome = "oversized"
            raise UnreadError(request.endpoint, exc.status, str(exc), exc.body) from exc
        finally:
            self.traffic.ended(outcome, received)
            self._log(request, outcome, received, self._clock() - begun)
        return self._judged(request, answer)

    async def _exchange(self, request: Request, token: Secret | None) -> tuple[Response, int]:
        headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
        async with self._client.stream(
            request.method,
            request.path,
            params=list(request.params),
            json=request.body,
            headers=headers,
        ) as stream:
            body, received = await read_capped(
                stream.aiter_raw(),
                encoding=stream.headers.get("content-encoding", ""),
                announced=stream.headers.get("content-length"),
                status=stream.status_code,
                max_bytes=self.tuning.max_bytes,
                max_ratio=self.tuning.max_ratio,
            )
            kind = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
            asked = stream.headers.get("retry-after")
            status = stream.status_code
            return Response(request.endpoint, status, body, kind, asked, token), received

    def _judged(self, request: Request, answer: Response) -> Response:
        if answer.status == _BUSY:
            self._pace.slow()
            raise _PassingError(
                "status 429, too many requests",
                is_ours=True,
                wait_s=_seconds(answer.retry_after),
            )
        if answer.status >= 500:
            raise _PassingError(f"status {answer.status}", is_ours=False)
        if 300 <= answer.status < 400:
            said = "a redirect, which is not followed"
            raise UnreadError(request.endpoint, answer.status, said, answer.body)
        return answer

    def _log(self, request: Request, outcome: str, received: int, seconds: float) -> None:
        log.info(
            "request",
            extra={
                "method": request.method,
                "path": scrubbed(request.path),
                "outcome": outcome,
                "bytes": received,
                "ms": round(seconds * 1000, 1),
            },
        )


def require_safe_address(url: str) -> None:
    """Nothing, or UsageError for an address that would carry secrets in the clear or is none."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise UsageError(f"{url!r} is no address", hint="https://api.tastyworks.com") from exc
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise UsageError(f"{url!r} is no web address", hint="https://api.tastyworks.com")
    if parsed.scheme == "http" and not _is_loopback(parsed.host):
        raise UsageError(
            f"{url} would send credentials unencrypted", hint="use https, or a loopback address"
        )


def _no_trust() -> ssl.SSLContext:
    """Trust in nobody, for an address without TLS: reading the machine's authorities takes 50 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_hosts_failure(_: type[BaseException], error: BaseException) -> bool:
    return isinstance(error, _PassingError) and not error.is_ours


def _transport_text(error: httpx.HTTPError) -> str:
    words: dict[type[httpx.HTTPError], str] = {
        httpx.ConnectError: "no connection",
        httpx.RemoteProtocolError: "the connection was closed in mid-answer",
        httpx.ReadError: "the connection was reset",
        httpx.LocalProtocolError: "the connection was closed",
    }
    return words.get(type(error), "") or f"{type(error).__name__}: {scrubbed(str(error))}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
