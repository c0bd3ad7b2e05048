# SPDX-License-Identifier: Apache-2.0
"""What other commands of the daemon's user ask of it, over a unix socket in the home: who it is, and to refresh.

The socket is the user's alone, and the system is asked who is at its other end.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ttapi import __version__
from ttapi.api import (
    ALIVE_S,
    Channel,
    DaemonGreeting,
    error_to_json,
    home_id,
    operations,
    outcome_to_json,
    peer_uid,
    request_from_json,
    schema_version,
    setup_digest,
    socket_path,
)
from ttapi.errors import LockedError, LockOwner, TtapiError
from ttapi.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttapi.api import RefreshOutcome
    from ttapi.server.served_home import ServedHome
    from ttapi.server.tasks import RefreshTask

log = logging.getLogger("ttapi.server.commands")

_FIRST_WORD_S = 5.0
_SHORTEST_WAIT_S = 0.5
"""What begins at once needs a moment, too."""
_MOST_ASKERS = 64


class CommandSocket:
    """The socket, and a thread for each command that asks."""

    def __init__(
        self, served: ServedHome, base_url: str, schedule: Callable[[], Mapping[str, Any]]
    ) -> None:
        """`schedule`: what the scheduler says of itself."""
        self._served, self._base_url, self._schedule = served, base_url, schedule
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._listener: socket.socket | None = None
        self._askers = threading.BoundedSemaphore(_MOST_ASKERS)
        self._thread = threading.Thread(target=self._accept, name="commands", daemon=True)

    def start(self) -> None:
        """Listen; where the file system takes no sockets, commands go by the lock as without a daemon."""
        file = self._served.home.command_socket
        listener = socket.socket(socket.AF_UNIX)
        try:
            file.unlink(missing_ok=True)
            # Nobody else may connect, not even in the moment before a chmod.
            before = os.umask(0o177)
            try:
                with socket_path(self._served.home) as path:
                    listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(_MOST_ASKERS)
        except OSError as exc:
            log.warning("no socket for commands", extra={"error": str(exc)})
            listener.close()
            return
        self._listener = listener
        self._thread.start()

    def close(self) -> None:
        """Listen no more; who asks already is answered."""
        if self._listener is None:
            return
        self._served.home.command_socket.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self._askers.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if peer_uid(connection) != os.geteuid():
                    log.warning("another user asked", extra={"uid": peer_uid(connection)})
                    return
                channel = Channel(connection)
                while (said := channel.receive(_FIRST_WORD_S)) is not None:
                    self._answer(channel, said)
        except OSError as exc:
            log.info("a command has left", extra={"why": str(exc)})
        except (KeyError, TypeError, ValueError) as exc:
            log.warning("a command asked what cannot be read", extra={"error": repr(exc)})
        finally:
            self._askers.release()

    def _answer(self, channel: Channel, said: dict[str, Any]) -> None:
        if "hello" in said:
            channel.send({"hello": asdict(self._greeting())})
            return
        asked = said["refresh"]
        try:
            _CommandRefresh(self._served, channel, asked).carry_out()
        except TtapiError as exc:
            channel.send({"error": error_to_json(exc)})
        except Problem as exc:
            channel.send({"elsewhere": exc.detail})

    def _greeting(self) -> DaemonGreeting:
        return DaemonGreeting(
            os.getpid(),
            self._base_url,
            __version__,
            schema_version(),
            home_id(self._served.home),
            self._schedule(),
            self._started_at,
        )


class _CommandRefresh:
    """One refresh that a command asked for, from its queueing to its last word."""

    def __init__(self, served: ServedHome, channel: Channel, asked: Mapping[str, Any]) -> None:
        self._served, self._channel, self._asked = served, channel, asked
        self._request = request_from_json(asked)
        symbols = asked["symbols"]
        self._environment = served.database.load_environment(
            now=datetime.fromisoformat(asked["now"]),
            symbols=None if symbols is None else frozenset(map(str, symbols)),
        )
        self._events: deque[dict[str, Any]] = deque()

    def carry_out(self) -> None:
        """Nothing, once the command knows what came of it, or has left."""
        if setup_digest(self._environment) != self._asked["setup"]:
            self._channel.send({"elsewhere": "its settings are not the daemon's"})
            return
        self._wake, self._waker = socket.socketpair()
        with self._wake, self._waker:
            queue = self._served.queue
            who = f"{self._request.command} (process {self._asked['pid']})"
            task = queue.submit(
                self._request.targets,
                symbols=self._environment.symbols,
                force=self._request.force,
                asked_by=who,
                work=self._refresh,
                on_event=self._tell,
            )
            try:
                self._follow(task)
            finally:
                if not task.over.is_set():
                    with suppress(Problem):
                        queue.cancel(task.id)
                    # What tells of its progress needs the sockets until then.
                    task.over.wait()

    def _refresh(self, task: RefreshTask) -> RefreshOutcome:
        return operations.refresh(
            self._environment, self._request, progress=task, on_wait=self._tell_waiting
        )

    def _tell(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        with suppress(OSError):
            self._waker.send(b"x", socket.MSG_DONTWAIT)

    def _tell_waiting(self, owner: LockOwner | None) -> None:
        self._tell({"waiting": asdict(owner) if owner else None})

    def _follow(self, task: RefreshTask) -> None:
        """Pass on what is told until it is over; *raises* ConnectionError where the command has left."""
        began = time.monotonic()
        wait_s = max(self._request.wait_s, _SHORTEST_WAIT_S)
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        is_told = False
        while True:
            ready = {number for number, _ in poll.poll(ALIVE_S * 1000 if is_told else 200)}
            if self._wake.fileno() in ready:
                self._wake.recv(65_536)
            if self._channel.fileno() in ready and "cancel" in (self._channel.receive(0.0) or {}):
                self._served.queue.cancel(task.id)
            while self._events:
                if event := self._events.popleft():
                    self._channel.send(event)
            if task.over.is_set():
                self._channel.send(self._last_word(task))
                return
            if task.state == "queued" and not is_told:
                self._channel.send({"waiting": asdict(_this_daemon())})
            is_told = True
            if task.state == "queued" and time.monotonic() - began > wait_s:
                raise _locked(self._request.wait_s)
            if not ready:
                self._channel.send({"alive": True})

    def _last_word(self, task: RefreshTask) -> dict[str, Any]:
        if task.result is not None:
            return {"outcome": outcome_to_json(task.result)}
        if isinstance(task.failure, TtapiError):
            return {"error": error_to_json(task.failure)}
        if self._served.queue.is_closed:
            return {"elsewhere": "the daemon ends"}
        if task.state == "cancelled":
            cancelled = TtapiError("the refresh was cancelled; what was committed stands")
            return {"error": error_to_json(cancelled)}
        return {"error": error_to_json(TtapiError(f"the daemon failed: {task.failure!r}"))}


def _this_daemon() -> LockOwner:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return LockOwner(os.getpid(), at, socket.gethostname(), "ttapi serve")


def _locked(wait_s: float) -> LockedError:
    owner = _this_daemon()
    waited = f" for {wait_s:g} s" if wait_s else ""
    return LockedError(
        f"the database is locked{waited} by process {owner.pid} (ttapi serve) on {owner.host}:"
        " it carries out another refresh",
        owner=owner,
        hint="wait longer with --wait SECONDS",
    )
