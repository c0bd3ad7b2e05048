# SPDX-License-Identifier: Apache-2.0
"""What looks at every request before a route does, and at every answer before it leaves.

Each request gets an id; Host, Origin and body are held to what is allowed; every answer bears the security
headers and is counted; what nobody caught becomes a problem and a line of the log.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import resource
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttapi.server.problems import MEDIA_TYPE, Problem, defect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("ttapi.server")

BODY_S = 10.0
"""How long a body may take to come."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_MORE_NAMES = "[serve] hosts lists the names by which this one is reached"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_NESTING = bytes(set(range(256)) - set(b"[]{}"))


@dataclass(frozen=True)
class Place:
    """Where the daemon is reached, and by whom."""

    authorities: frozenset[str]
    """What Host may say: `127.0.0.1:8321`."""
    scheme: str = "http"
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """Whose connections alone are taken, and the machine's own; empty: everybody's."""
    named: frozenset[str] = frozenset()
    """What Host may say, too, where others reach it: by TLS, where that or a proxy is there."""

    @property
    def origins(self) -> frozenset[str]:
        """What Origin may say."""
        outer = "https" if self.proxies else self.scheme
        own = {f"{one}://{name}" for one in {outer, self.scheme} for name in self.authorities}
        return frozenset(own | {f"{outer}://{name}" for name in self.named})

    def takes(self, client: str) -> bool:
        """Whether a connection from that address is taken."""
        if not self.proxies:
            return True
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self.proxies)


class Guard:
    """The application behind it sees what may pass."""

    def __init__(
        self,
        app: AsgiApp,
        place: Place,
        traffic: RequestCounts,
        *,
        body_bytes: int = 1024 * 1024,
        body_depth: int = 32,
        on_refusal: Callable[[int, str, str], object] = lambda *_: None,
    ) -> None:
        """`body_bytes`, `body_depth`: of the largest body read. `on_refusal`: told status, address and request id."""
        self._app = app
        self._authorities = {one.encode() for one in place.authorities | place.named}
        self._origins = {one.encode() for one in place.origins}
        self._place = place
        self._traffic, self._most = traffic, (body_bytes, body_depth)
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request answered, whatever happens."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._pass_socket(scope, receive, send)
        else:
            await self._pass_request(scope, receive, send)

    async def _pass_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Nobody opens a socket from another page: browsers send Origin, and no preflight asks first."""
        try:
            self._look_at(scope, is_unsafe=True)
        except Problem as problem:
            self._on_refusal(problem.status, _address(scope), "")
            await send({"type": "websocket.close", "code": 1008})
            return
        with self._traffic.open_socket():
            await self._app(scope, receive, send)

    async def _pass_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope["ttapi.request_id"] = uuid.uuid4().hex
        answer = _Answer(send, request_id)
        started = time.monotonic()
        # The server sends no body of an answer to HEAD; all else of it is that of GET.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            self._look_at(scope, is_unsafe=scope["method"] not in _SAFE)
            whole = await _read_body(scope, receive, *self._most)
            await self._app(asked, whole, answer.send)
        except Problem as problem:
            self._on_refusal(problem.status, _address(scope), request_id)
            await answer.tell(problem)
        except Exception:
            log.exception("a request failed", extra={"request_id": request_id})
            # What has begun cannot be told to be an error: the connection ends in the middle of it.
            if answer.status and not answer.is_whole:
                raise
            if not answer.status:
                await answer.tell(defect())
        finally:
            path = getattr(asked.get("route"), "path", "")
            taken = time.monotonic() - started
            self._traffic.count(path, scope["method"], answer.status, taken)
            if scope["method"] not in _SAFE:
                said = {"method": scope["method"], "path": path, "status": answer.status}
                log.info("asked", extra={"request_id": request_id, **said})

    def _look_at(self, scope: Scope, *, is_unsafe: bool) -> None:
        """Nothing, or the Problem with where a request comes from and goes to."""
        client = scope.get("client") or ("", 0)
        if not self._place.takes(client[0]):
            raise Problem(403, "connections are taken from the proxy alone")
        self._follow_proxy(scope)
        reached = _reached(scope, self._place.scheme)
        hosts = [one.lower() for one in _values(scope, b"host")]
        if len(hosts) != 1 or hosts[0] not in self._authorities | reached:
            raise Problem(421, f"Host names another server: {_MORE_NAMES}")
        own = {self._place.scheme.encode() + b"://" + one for one in reached}
        origins = [one.lower() for one in _values(scope, b"origin")]
        if is_unsafe and any(origin not in self._origins | own for origin in origins):
            raise Problem(403, f"Origin is a page of another server: {_MORE_NAMES}")

    def _follow_proxy(self, scope: Scope) -> None:
        """Nothing; the client of the request is whom the proxy names: the last of a list that others may begin."""
        named = _values(scope, b"x-forwarded-for")
        if self._place.proxies and named:
            try:
                address = ipaddress.ip_address(named[-1].decode("latin-1").split(",")[-1].strip())
            except ValueError:
                return
            scope["client"] = (str(address), 0)


class _Answer:
    """What is sent back, with the headers that every answer has."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        """0: nothing was sent."""
        self.is_whole = False

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"x-request-id", self._request_id.encode()), *_SECURITY]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        elif message["type"] == "http.response.body":
            self.is_whole = not message.get("more_body", False)
        await self._send(message)

    async def tell(self, problem: Problem) -> None:
        """Answer with the problem."""
        body = problem.body(self._request_id)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            # Part of the request may be unread.
            "connection": "close",
            **problem.headers,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})


def _reached(scope: Scope, scheme: str) -> frozenset[bytes]:
    """How a URL names the address of this machine that the connection came to; empty where it has none.

    What is typed as numbers is no name that somebody could have made point here (DNS rebinding).
    """
    host, port = scope.get("server") or ("", None)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return frozenset()
    mapped = getattr(address, "ipv4_mapped", None)
    text = f"[{address}]" if address.version == 6 and mapped is None else str(mapped or address)
    usual = {"http": 80, "https": 443}[scheme]
    return frozenset(one.encode() for one in {f"{text}:{port}", *([text] if port == usual else [])})


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


async def _read_body(scope: Scope, receive: Receive, most: int, deepest: int) -> Receive:
    """What gives the body, which is there as a whole. *Raises* Problem for one too large, slow or deep."""
    lengths = _values(scope, b"content-length")
    if not lengths and not _values(scope, b"transfer-encoding"):
        return receive
    if any(int(one) > most for one in lengths if one.isdigit()):
        raise Problem(413, f"a body has at most {most} bytes")
    try:
        body = await asyncio.wait_for(_whole(receive, most), BODY_S)
    except TimeoutError as exc:
        raise Problem(408, f"the body did not come within {BODY_S:g} s") from exc
    if _depth(body) > deepest:
        raise Problem(422, f"a body is at most {deepest} deep")
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given


async def _whole(receive: Receive, most: int) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the request broke off")
        body += bytes(message.get("body", b""))
        if len(body) > most:
            raise Problem(413, f"a body has at most {most} bytes")
        if not message.get("more_body"):
            return body


def _depth(body: bytes) -> int:
    """How deep lists and objects of a JSON text are in one another, whether or not it is one."""
    deepest = depth = 0
    for sign in _STRING.sub(b"", body).translate(None, _NOT_NESTING):
        depth += 1 if sign in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)


class RequestCounts:
    """What was asked since the start, counted for Prometheus."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._within: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._times: Counter[str] = Counter()
        self._sockets = 0

    @contextmanager
    def open_socket(self) -> Iterator[None]:
        """A WebSocket is open in the block."""
        self._sockets += 1
        try:
            yield
        finally:
            self._sockets -= 1

    def count(self, path: str, method: str, status: int, seconds: float) -> None:
        """Note one answer; a path that is no route's is counted with all such paths."""
        route = path or "none"
        # A client may call a method anything.
        known = method if method in {*_SAFE, "POST", "PUT", "PATCH", "DELETE"} else "other"
        with self._lock:
            self._answers[route, known, status] += 1
            self._times[route] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]  # a counter of seconds
            for bound in _BOUNDS:
                if seconds <= bound:
                    self._within[route, bound] += 1

    def text(self, figures: Iterable[tuple[str, str, float]]) -> str:
        """All of it, and `figures` (name with labels, what it is, value), as Prometheus reads it."""
        with self._lock:
            lines = list(self._lines())
        sockets = ("ttapi_open_sockets", "WebSockets that are open.", self._sockets)
        for name, about, value in (*figures, sockets, *_process()):
            bare = name.partition("{")[0]
            if f"# TYPE {bare} gauge" not in lines:
                lines += [f"# HELP {bare} {about}", f"# TYPE {bare} gauge"]
            lines.append(f"{name} {value:g}")
        return "\n".join(lines) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# HELP ttapi_http_requests_total Requests answered."
        yield "# TYPE ttapi_http_requests_total counter"
        for (route, method, status), count in sorted(self._answers.items()):
            labels = f'route="{route}",method="{method}",code="{status}"'
            yield f"ttapi_http_requests_total{{{labels}}} {count}"
        yield "# HELP ttapi_http_request_seconds How long answers took."
        yield "# TYPE ttapi_http_request_seconds histogram"
        for route, count in sorted(self._times.items()):
            for bound in _BOUNDS:
                within = self._within[route, bound]
                yield f'ttapi_http_request_seconds_bucket{{route="{route}",le="{bound:g}"}} {within}'
            yield f'ttapi_http_request_seconds_bucket{{route="{route}",le="+Inf"}} {count}'
            yield f'ttapi_http_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'ttapi_http_request_seconds_count{{route="{route}"}} {count}'


def _process() -> Iterator[tuple[str, str, float]]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    yield "process_max_resident_memory_bytes", "Most memory ever held.", usage.ru_maxrss * unit
    yield "process_cpu_seconds", "CPU used.", usage.ru_utime + usage.ru_stime
