# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: one a home, bound where it may be, its token left where its owner finds it, its end.

Who asks for another one is told which it is. SIGTERM and SIGINT let what runs end, within ten seconds.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import logging
import os
import socket
import ssl
import sys
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from ttapi.api import Hub, RecordRequest, current_owner, no_reading, operations, record
from ttapi.errors import LockedError, StoreError, TtapiError, UsageError
from ttapi.server.app import make_app
from ttapi.server.audit_trail import LOCAL
from ttapi.server.auth import Tokens, new_token
from ttapi.server.commands import CommandSocket
from ttapi.server.ending import DRAIN_S, STREAM_S, Ending
from ttapi.server.guard import Place
from ttapi.server.private_document import replace_private
from ttapi.server.scheduler import Scheduler
from ttapi.server.served_home import ServedHome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ttapi.home import Home
    from ttapi.secret import Secret

log = logging.getLogger("ttapi.server")

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class ServeOptions:
    """Where a daemon listens, and what it leaves."""

    host: str = "127.0.0.1"
    port: int = 8321
    """0: a free one."""
    port_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[str, ...] = ()
    """CIDR of the proxies that connections come from."""
    is_scheduled: bool = True
    """Whether datasets are kept inside their TTL."""
    symbols: tuple[str, ...] = ()
    """Whose live events are recorded and sent on; empty: nobody's."""


def serve(
    home: Home, options: ServeOptions, environ: Mapping[str, str], tell: Callable[[str], None]
) -> None:
    """Nothing, once the daemon was interrupted and has ended; `tell` says where it is.

    *Raises* UsageError for an address that is refused or taken; LockedError where one serves the home.
    """
    proxies = _networks(options.proxies)
    scheme = _scheme(options)
    _refuse_open_address(options)
    with ExitStack() as stack:
        note = stack.enter_context(_only_daemon(home))
        listener = stack.enter_context(_listener(options))
        base_url, authorities = _address(listener, options, scheme)
        token = new_token()
        served = ServedHome(home, environ, is_open=not is_loopback(options.host) or bool(proxies))
        served.accounts.forget_owner()
        is_over, ending = True, Ending()
        try:
            place = Place(authorities, scheme, proxies)
            streaming = _Streaming(home, environ, options.symbols, tell)
            app = make_app(
                served, Tokens(token, served.accounts.identify).identify, place, hub=streaming.hub
            )
            scheduler = Scheduler(served.database, served.queue)
            commands = stack.enter_context(
                closing(CommandSocket(served, base_url, served.schedule))
            )
            server = _Server(
                server_config(app, options, served.settings.serve_sockets),
                lambda: ending.begin(
                    scheduler.close,
                    lambda: served.queue.close(0.0),
                    streaming.stop,
                    lambda: stack.enter_context(no_reading()),
                ),
            )
            # Its signals are raised again when it has ended: that is how this ends well.
            with suppress(KeyboardInterrupt):
                # The address listens already: who reads it here waits for the first answer, no longer.
                _announce(home, options, base_url, token, note)
                commands.start()
                if options.is_scheduled:
                    served.scheduler = scheduler
                    scheduler.start()
                streaming.start()
                tell(f"ttapi: serving at {base_url}; interrupt to stop")
                _tell_licences(served, tell)
                server.run(sockets=[listener])
            ending.begin(scheduler.close, commands.close)
            streaming.close(min(STREAM_S, ending.left_s()))
        finally:
            is_over = served.close(ending.left_s()) and ending.sees(lambda: not _is_writing(home))
            for file in (home.token_file, options.port_file):
                if file is not None:
                    file.unlink(missing_ok=True)
    tell("ttapi: stopped")
    if not is_over:
        # A refresh that does not end: the engine keeps whole batches or nothing, as after a kill.
        log.warning("a refresh was cut off at the end")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _tell_licences(served: ServedHome, tell: Callable[[str], None]) -> None:
    """Nothing; who others reach is told what they see of data that is licensed to its owner."""
    if not served.is_open and served.accounts.count() < 2:
        return
    about = {"is_open": served.is_open, "users": served.accounts.count()}
    if served.settings.serve_share_personal:
        served.audit.write("personal datasets shared", "ok", who=LOCAL, about=about)
        tell("ttapi: personal datasets are shared: [serve] share_personal = true")
    else:
        served.audit.write("personal datasets hidden", "ok", who=LOCAL, about=about)
        tell("ttapi: personal datasets are hidden; [serve] share_personal = true would share them")


def _is_writing(home: Home) -> bool:
    """Whether a thread of this process holds the live file: a query's refresh, or a stream's last rows."""
    owner = current_owner(home)
    return owner is not None and owner.pid == os.getpid()


class _Streaming:
    """Live events recorded beside the server, in a thread of their own."""

    def __init__(
        self,
        home: Home,
        environ: Mapping[str, str],
        symbols: tuple[str, ...],
        tell: Callable[[str], None],
    ) -> None:
        self._home, self._environ, self._tell = home, environ, tell
        self._request = RecordRequest(symbols, command="ttapi serve")
        self.hub = Hub() if symbols else None
        self._stop: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._record, name="stream", daemon=True)

    def start(self) -> None:
        """Nothing; the recording begins, where there is something to record."""
        if self.hub is not None:
            self._thread.start()

    def stop(self) -> None:
        """Nothing; it is to end."""
        if self._stop is not None:
            with suppress(RuntimeError):  # its loop has ended by itself
                self._stop()

    def close(self, timeout_s: float) -> None:
        """Nothing; what has arrived is stored and published, unless that takes longer."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _record(self) -> None:
        try:
            environment = operations.open_environment(self._home.root, environ=self._environ)
            record(
                environment,
                self._request,
                environ=self._environ,
                hub=self.hub,
                on_begun=self._begun,
            )
        except TtapiError as exc:
            # The server goes on: what was recorded can be read, and REST needs no stream.
            log.exception("the stream ended")
            self._tell(f"ttapi: the stream ended: {exc}")

    def _begun(self, stop: Callable[[], object]) -> None:
        self._stop = stop


class _Server(uvicorn.Server):
    """A server whose end begins with that of what its requests wait for."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_end = on_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go."""
        self._on_end()
        await super().shutdown(sockets)


def server_config(app: object, options: ServeOptions, sockets: int = 0) -> uvicorn.Config:
    """How uvicorn serves `app`, so many sockets beside requests: what it logs goes where ttapi's own does."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = list(logging.getLogger("ttapi").handlers) or [logging.NullHandler()]
        library.propagate = False
        library.setLevel(logging.WARNING)
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # its protocol names the messages more narrowly
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=256,
        limit_concurrency=512 + sockets,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=DRAIN_S,
        ssl_certfile=str(options.tls_cert) if options.tls_cert else None,
        ssl_keyfile=str(options.tls_key) if options.tls_key else None,
    )


def _networks(
    texts: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as exc:
        raise UsageError(f"--behind-proxy: {exc}", hint="10.0.0.0/8 works") from exc


def _scheme(options: ServeOptions) -> str:
    """The scheme: https where a certificate is given and good. *Raises* UsageError."""
    if options.tls_cert is None and options.tls_key is None:
        return "http"
    if options.tls_cert is None or options.tls_key is None:
        raise UsageError("--tls-cert and --tls-key are given together")
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as exc:  # ssl's error is one
        raise UsageError(
            f"{options.tls_cert} and {options.tls_key} are no certificate and its key: {exc}",
            hint="two files in PEM",
        ) from exc
    return "https"


def _refuse_open_address(options: ServeOptions) -> None:
    if is_loopback(options.host) or options.tls_cert or options.proxies:
        return
    raise UsageError(
        f"--host {options.host} would send tokens and data in clear over the network",
        hint="--tls-cert and --tls-key, or --behind-proxy CIDR where a proxy has them",
    )


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def _listener(options: ServeOptions) -> Iterator[socket.socket]:
    host = options.host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as exc:
        raise UsageError(
            f"{options.host}:{options.port} cannot be listened on: {exc.strerror}",
            hint="--port 0 takes a free one",
        ) from exc
    with listener:
        yield listener


def _address(
    listener: socket.socket, options: ServeOptions, scheme: str
) -> tuple[str, frozenset[str]]:
    """The base URL, and what Host may say."""
    port = listener.getsockname()[1]
    bare = options.host.strip("[]").lower()
    host = f"[{bare}]" if ":" in bare else bare
    names = {host, *_LOOPBACK_NAMES}
    if not is_loopback(bare):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    default = {"http": 80, "https": 443}[scheme]
    authorities = {f"{name}:{port}" for name in names}
    if port == default or options.proxies:
        authorities |= names
    shown = "127.0.0.1" if bare in {"0.0.0.0", "::"} else host  # noqa: S104 - what was asked for, compared
    return f"{scheme}://{shown}:{port}", frozenset(authorities)


@contextmanager
def _only_daemon(home: Home) -> Iterator[int]:
    """Hold the note that says which daemon serves `home`. *Raises* LockedError that names another."""
    try:
        note = os.open(
            home.daemon_note, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    except OSError as exc:
        raise UsageError(f"{home.daemon_note} cannot be written: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{home.root} is served already, by {_named_in(note)}",
                owner=None,
                hint="one daemon serves a home: ask that one, or stop it",
            ) from None
        except OSError as exc:
            raise StoreError(f"this file system cannot lock a file: {exc.strerror}") from exc
        os.ftruncate(note, 0)
        yield note
        os.ftruncate(note, 0)
    finally:
        os.close(note)


def _named_in(note: int) -> str:
    try:
        found = json.loads(os.pread(note, 4096, 0))
        return f"process {found['pid']} at {found['base_url']}"
    except (ValueError, KeyError, TypeError):
        return "a process that is about to"


def _announce(home: Home, options: ServeOptions, base_url: str, token: Secret, note: int) -> None:
    """Nothing; the note and the files where owners look say where the daemon is.

    *Raises* UsageError for one that cannot be written.
    """
    place = {"base_url": base_url, "pid": os.getpid()}
    os.pwrite(note, json.dumps(place).encode(), 0)
    document = {"base_url": base_url, "token": token.reveal(), "pid": os.getpid()}
    for file in (home.token_file, options.port_file):
        if file is not None:
            replace_private(file, json.dumps(document) + "\n")
    log.info("serving", extra=place)
