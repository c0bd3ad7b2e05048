# SPDX-License-Identifier: Apache-2.0
"""The simulated vendors on loopback: REST and feed on one port, by TLS on another if wanted.

    with VendorServer(VendorMarket(7, now)) as server:
        httpx.get(f"{server.base_url}/margin-requirements-public-configuration")

The server has a thread and an event loop of its own. Whoever holds the object may set faults and
read counters while it runs.

A certificate for loopback that nobody signed, for clients that insist on TLS.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import ssl
import tempfile
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ttapi.errors import UsageError
from ttapi.simulator.accounts import AccountBook
from ttapi.simulator.dxlink.session import DXLINK, DxLinkService, serve_dxlink
from ttapi.simulator.faults import Budget, Counters, Faults
from ttapi.simulator.tastytrade.app import Desk
from ttapi.simulator.tastytrade.credentials import TOKEN_LIFETIME_S, Credentials
from ttapi.simulator.tastytrade.wire import TastytradeService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ttapi.simulator.dxlink.feed import Firehose
    from ttapi.simulator.vendor_market import VendorMarket

HOST = "127.0.0.1"
VENDORS = ("tastytrade", "dxlink")
_ACCEPTING_TURNS = 5
"""Of asyncio's loop, from a socket accepted to its connection: it takes three."""


class VendorServer:
    """The vendors of one market; a context manager.

    `clock` counts the seconds tokens live and budgets fill; `wall_clock` stamps the request log.
    *Raises* UsageError for an unknown fault, and when the port or a file cannot be had.
    """

    def __init__(
        self,
        market: VendorMarket,
        *,
        vendors: Iterable[str] = VENDORS,
        faults: Iterable[str] = (),
        requests_per_s: float | None = None,
        token_lifetime_s: int = TOKEN_LIFETIME_S,
        latency_s: float = 0.0,
        is_strict: bool = False,
        tls: bool = False,
        request_log: Path | None = None,
        port: int = 0,
        firehose: Firehose | None = None,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.market = market
        self.vendors = frozenset(vendors)
        self.faults = Faults(faults)
        self.counters = Counters()
        self.credentials = Credentials(
            market.tape.past.random("credentials"), clock, self.faults, token_lifetime_s
        )
        self.service = TastytradeService(
            market, AccountBook(market), self.credentials, self.faults, is_strict=is_strict
        )
        self._desk = Desk(
            self.service, Budget(requests_per_s, clock), self.counters, self._log_rest, latency_s
        )
        self._request_log = _RequestLog(request_log, wall_clock)
        self._wanted_port, self._firehose = port, firehose
        self._certificate = _certificate() if tls else None
        self._end: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self.tls_port: int | None = None

    @property
    def base_url(self) -> str:
        """Where REST is."""
        return f"http://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str | None:
        """Where REST is by TLS; None without."""
        return f"https://{HOST}:{self.tls_port}" if self.tls_port else None

    @property
    def dxlink_url(self) -> str:
        """Where the feed is."""
        return f"ws://{HOST}:{self.port}/realtime"

    @property
    def certificate(self) -> bytes | None:
        """The certificate to trust, PEM; None without TLS."""
        return self._certificate.certificate if self._certificate else None

    def addresses(self) -> dict[str, dict[str, Any]]:
        """What a client needs: the object of the port file."""
        grant = self.credentials.grant
        rest = {
            "base_url": self.base_url,
            "client_id": grant.client_id,
            "client_secret": grant.client_secret,
            "refresh_token": grant.refresh_token,
            "login": grant.login,
            "password": grant.password,
        }
        if self.tls_url and self.certificate:
            rest |= {"tls_url": self.tls_url, "certificate": self.certificate.decode()}
        feed = {"url": self.dxlink_url, "token": self.credentials.quote_token}
        both = {"tastytrade": rest, "dxlink": feed}
        return {name: value for name, value in both.items() if name in self.vendors}

    def __enter__(self) -> Self:
        started: list[BaseException | None] = []
        is_ready = threading.Event()

        def run() -> None:
            try:
                asyncio.run(self._serve(is_ready, started))
            finally:
                is_ready.set()

        self._request_log.open()
        self._thread = threading.Thread(target=run, name="vendor-server", daemon=True)
        self._thread.start()
        is_ready.wait()
        if not started or started[0] is not None:
            self._request_log.close()
            cause = started[0] if started else None
            raise UsageError(
                f"the simulators cannot listen on {HOST}:{self._wanted_port}: {cause}",
                hint="--port 0 takes a free port",
            ) from cause
        return self

    def __exit__(self, *_: object) -> None:
        if self._end is not None:
            loop, over = self._end
            loop.call_soon_threadsafe(over.set)
        if self._thread is not None:
            self._thread.join()
        self._request_log.close()

    async def _serve(self, is_ready: threading.Event, started: list[BaseException | None]) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self._end = loop, over
        async with AsyncExitStack() as stack:
            try:
                await self._listen(stack)
            except (OSError, OverflowError) as exc:
                started.append(exc)
                is_ready.set()
                return
            started.append(None)
            is_ready.set()
            await over.wait()

    async def _listen(self, stack: AsyncExitStack) -> None:
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        listening: list[socket.socket] = []
        stack.push_async_callback(lambda: end_serving(runner, *listening))
        self.port = await _site(runner, self._wanted_port, listening)
        if self._certificate:
            context = self._certificate.server_context()
            self.tls_port = await _site(runner, 0, listening, context)
        self.service.dxlink_url = self.dxlink_url

    def _application(self) -> web.Application:
        application = web.Application()
        if "dxlink" in self.vendors:
            application[DXLINK] = DxLinkService(
                self.market,
                self.credentials.accepts_quote_token,
                self.faults,
                lambda what, symbols: self._request_log.write("dxlink", what, symbols, 200),
                firehose=self._firehose,
            )
            application.router.add_get("/realtime", serve_dxlink)
        if "tastytrade" in self.vendors:
            application.router.add_routes(self._desk.routes())
        return application

    def _log_rest(self, what: str, symbols: tuple[str, ...], status: int) -> None:
        self._request_log.write("tastytrade", what, symbols, status)


async def _site(
    runner: web.AppRunner,
    port: int,
    listening: list[socket.socket],
    context: ssl.SSLContext | None = None,
) -> int:
    """The port that is listened on from here; its socket joins `listening`."""
    one = socket.create_server((HOST, port))
    await web.SockSite(runner, one, ssl_context=context).start()
    listening.append(one)
    return int(one.getsockname()[1])


async def end_serving(runner: web.AppRunner, *listening: socket.socket) -> None:
    """Stop listening and close every connection, those that were just accepted too."""
    loop = asyncio.get_running_loop()
    for one in listening:
        loop.remove_reader(one)
    # An accepted socket becomes a connection some turns of the loop later; asyncio forgets, and never
    # closes, one whose server is closed in between.
    for _ in range(_ACCEPTING_TURNS):
        await asyncio.sleep(0)
    await runner.cleanup()
    # A closed one is let go in the turn after: one closed last would outlive its loop.
    await asyncio.sleep(0)


def _certificate() -> Certificate:

    return make_certificate(HOST)


class _RequestLog:
    """One JSON line a request; nothing without a file. Neither queries nor headers are kept."""

    def __init__(self, file: Path | None, wall_clock: Callable[[], datetime]) -> None:
        self._file, self._wall_clock = file, wall_clock
        self._stream: Any = None

    def open(self) -> None:
        if self._file is None:
            return
        try:
            self._stream = self._file.open("a", encoding="utf-8")
        except OSError as exc:
            raise UsageError(
                f"the request log {self._file} cannot be written: {exc.strerror}"
            ) from exc

    def write(self, source: str, what: str, symbols: tuple[str, ...], status: int) -> None:
        if self._stream is None:
            return
        at = self._wall_clock().isoformat(timespec="milliseconds")
        row = {"at": at, "source": source, "what": what, "symbols": symbols, "status": status}
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


_VALID_FROM, _VALID_TO = (
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2049, 1, 1, tzinfo=dt.UTC),
)


@dataclass(frozen=True)
class Certificate:
    """Both parts as PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)

    def server_context(self) -> ssl.SSLContext:
        """TLS for a server; the key touches the disk for the moment `ssl` needs to read it, 0600."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            both = Path(folder) / "both.pem"
            both.touch(mode=0o600)
            both.write_bytes(self.private_key + self.certificate)
            context.load_cert_chain(both)
        return context


def make_certificate(host: str) -> Certificate:
    """A fresh key and a certificate for `host` and localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ttapi simulator")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address(host))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_TO)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    return Certificate(
        made.public_bytes(encoding),
        key.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
