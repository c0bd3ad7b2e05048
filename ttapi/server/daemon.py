# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: one a home, bound where it may be, its token left where its owner finds it, its end.

Who asks for another one is told which it is. SIGTERM and SIGINT let what runs end, within ten seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import logging
import os
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from ttapi.api import current_owner, no_reading, remove_unused_copies
from ttapi.config import load_settings
from ttapi.errors import LockedError, StoreError, UsageError
from ttapi.server.address import (
    ServeOptions,
    base_url_of,
    is_loopback,
    listening,
    named_hosts,
    place_of,
    proxy_networks,
    refuse_open_address,
    scheme_of,
)
from ttapi.server.app import make_app
from ttapi.server.audit_trail import LOCAL
from ttapi.server.auth import Tokens, new_token
from ttapi.server.commands import CommandSocket
from ttapi.server.ending import DRAIN_S, STREAM_S, Ending
from ttapi.server.frames import FramedProtocol
from ttapi.server.private_document import replace_private
from ttapi.server.scheduler import Scheduler
from ttapi.server.served_home import ServedHome
from ttapi.server.streaming import DaemonStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from ttapi.home import Home
    from ttapi.secret import Secret
    from ttapi.server.guard import Place

log = logging.getLogger("ttapi.server")

_SWITCH_S = 0.0005
"""After how long a thread that publishes lets the loop go on: the interpreter's own 5 ms pass at each of its waits."""


def serve(
    home: Home, options: ServeOptions, environ: Mapping[str, str], tell: Callable[[str], None]
) -> None:
    """Nothing, once the daemon was interrupted and has ended; `tell` says where it is.

    *Raises* UsageError for an address that is refused or taken; LockedError where one serves the home.
    """
    proxies = proxy_networks(options.proxies)
    scheme = scheme_of(options)
    refuse_open_address(options)
    hosts = named_hosts(load_settings(home, environ))
    with _only_daemon(home) as note, listening(options) as listener:
        base_url = base_url_of(listener, options, scheme)
        place = place_of(listener.getsockname()[1], options, scheme, proxies, hosts)
        daemon = _Daemon(home, options, environ, tell, base_url)
        try:
            daemon.run(listener, place, note)
        finally:
            is_over = daemon.close()
    tell("ttapi: stopped")
    if not is_over:
        # A refresh that does not end: the engine keeps whole batches or nothing, as after a kill.
        log.warning("a refresh was cut off at the end")
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


class _Daemon:
    """What serves a home, from its first word to its last."""

    def __init__(
        self,
        home: Home,
        options: ServeOptions,
        environ: Mapping[str, str],
        tell: Callable[[str], None],
        base_url: str,
    ) -> None:
        self._home, self._options, self._tell, self._base_url = home, options, tell, base_url
        is_open = not is_loopback(options.host) or bool(options.proxies)
        self._served = ServedHome(home, environ, is_open=is_open)
        self._served.accounts.forget_owner()
        remove_unused_copies(home)  # of a daemon that was killed
        self._streaming = DaemonStream(
            home, environ, options.symbols, tell, publishing=self._served.publishing
        )
        self._scheduler = Scheduler(self._served.database, self._served.queue)
        schedule = partial(self._served.schedule, is_local=True)
        self._commands = CommandSocket(self._served, base_url, schedule)
        self._ending = Ending()
        self._until_closed = ExitStack()

    def run(self, listener: socket.socket, place: Place, note: int) -> None:
        """Nothing, once it was interrupted and requests have drained."""
        sys.setswitchinterval(_SWITCH_S)
        # What is there from the start stays: looking through all of it for garbage stops everybody meanwhile.
        gc.collect()
        gc.freeze()
        token, served = new_token(), self._served
        identify = Tokens(token, served.accounts.identify).identify
        app = make_app(served, identify, place, hub=self._streaming.hub)
        config = server_config(app, self._options, served.settings.serve_sockets)
        server = _Server(config, self._streaming, self._begin_to_end)
        # Its signals are raised again when it has ended: that is how this ends well.
        with suppress(KeyboardInterrupt):
            # The address listens already: who reads it here waits for the first answer, no longer.
            _announce(self._home, self._options, self._base_url, token, note)
            self._commands.start()
            if self._options.is_scheduled:
                served.scheduler = self._scheduler
                self._scheduler.start()
            self._tell(f"ttapi: serving at {self._base_url}; interrupt to stop")
            for wrong in self._scheduler.wrong_settings() if self._options.is_scheduled else ():
                self._tell(f"ttapi: {wrong}")
            _tell_licences(served, self._tell)
            server.run(sockets=[listener])

    def _begin_to_end(self) -> None:
        """Have all that requests may wait for come to its end."""
        self._ending.begin(
            self._scheduler.close,
            lambda: self._served.queue.close(0.0),
            self._streaming.stop,
            lambda: self._until_closed.enter_context(no_reading()),
        )

    def close(self) -> bool:
        """Whether all that ran has ended; the files that say where it is are gone."""
        with self._until_closed:
            self._ending.begin(self._scheduler.close, self._commands.close)
            self._streaming.close(min(STREAM_S, self._ending.left_s()))
            is_over = self._served.close(self._ending.left_s())
            is_over = is_over and self._ending.sees(lambda: not _is_writing(self._home))
        for file in (self._home.token_file, self._options.port_file):
            if file is not None:
                file.unlink(missing_ok=True)
        return is_over


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


class _Server(uvicorn.Server):
    """A server in whose loop a stream is recorded, and whose end begins with that of what its requests wait for."""

    def __init__(
        self, config: uvicorn.Config, streaming: DaemonStream, on_end: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._streaming, self._on_end = streaming, on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and to record."""
        await super().startup(sockets)
        self._streaming.start(asyncio.get_running_loop())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go."""
        self._on_end()
        await super().shutdown(sockets)
        await self._streaming.ended(STREAM_S)


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
        ws=FramedProtocol,
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
