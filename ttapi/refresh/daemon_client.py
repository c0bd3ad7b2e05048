# SPDX-License-Identifier: Apache-2.0
"""The daemon as the other commands of its user meet it: found by its socket, asked, its answer told as one's own.

Over the socket goes a JSON object a line. Who asks says which ttapi it is; the daemon carries out what it is
asked under settings that are the same, and tells how far it is once a second at least.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import struct
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi import errors
from ttapi.config import bundled_folder
from ttapi.errors import LockOwner, TtapiError, UsageError
from ttapi.store.lock import current_owner, read_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ttapi.home import Home
    from ttapi.refresh.environment import Environment
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.runner import RefreshOutcome
    from ttapi.store.lock import DaemonNote

ALIVE_S = 1.0
"""How often a daemon says something while it is asked."""
GREETING_S = 2.0
"""How long a command waits for its first word."""
_STATUS_S = 0.5
"""The same of `ttapi status`, which is to answer at once."""
SILENT_S = 15.0
"""A daemon that says nothing for so long hangs."""
_SEND_S = 5.0
_CANCEL_S = 5.0
_LONGEST_LINE = 16_000_000
_LONGEST_PATH = 100
"""Bytes of a socket's path: 107 fit into an address of Linux, 103 into one of macOS."""
_SHOWN_ONLY = ("display", "shell", "serve", "stream")
"""Sections that a refresh does not go by."""


@contextmanager
def socket_path(home: Home) -> Iterator[str]:
    """Give a path of the daemon's socket that fits into an address, however deep `home` lies."""
    if len(os.fsencode(home.command_socket)) <= _LONGEST_PATH:
        yield str(home.command_socket)
        return
    short = tempfile.gettempdir() if len(tempfile.gettempdir()) < _LONGEST_PATH // 2 else "/tmp"  # noqa: S108 - a folder of one's own in it
    with tempfile.TemporaryDirectory(prefix="ttapi-", dir=short) as folder:
        link = Path(folder, "live")
        link.symlink_to(home.live)
        yield str(link / home.command_socket.name)


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket, as the system says."""
    if sys.platform == "darwin":
        # struct xucred of sys/ucred.h, by LOCAL_PEERCRED (1) of SOL_LOCAL (0).
        return int(struct.unpack("=II", connection.getsockopt(0, 1, 76)[:8])[1])
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])


class Channel:
    """JSON objects over a connected unix socket, both ways; *raises* ConnectionError where its other end is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._begun = connection, bytearray()
        connection.settimeout(_SEND_S)

    def fileno(self) -> int:
        """Of the socket, to wait for."""
        return self._connection.fileno()

    def send(self, document: Mapping[str, Any]) -> None:
        """Say `document`."""
        try:
            self._connection.sendall(json.dumps(document, default=str).encode() + b"\n")
        except TimeoutError as exc:
            raise ConnectionError("nobody reads at the other end") from exc

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """What was said next; None: nothing in time."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._begun:
            if not self._is_readable(max(0.0, deadline - time.monotonic())):
                return None
            piece = self._connection.recv(65_536)
            if not piece:
                raise ConnectionError("the other end has closed")
            self._begun += piece
            if len(self._begun) > _LONGEST_LINE:
                raise ConnectionError("a line without end")
        line, _, rest = bytes(self._begun).partition(b"\n")
        self._begun = bytearray(rest)
        try:
            document = json.loads(line)
        except ValueError as exc:
            raise ConnectionError("what was said is no JSON") from exc
        if not isinstance(document, dict):
            raise ConnectionError("what was said is no object")
        return document

    def has_more(self) -> bool:
        """Whether a whole line has arrived that nobody took."""
        return b"\n" in self._begun

    def _is_readable(self, timeout_s: float) -> bool:
        poll = select.poll()  # unlike select, of any number of open files
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))


def await_end(channel: Channel) -> None:
    """Nothing, once a refresh that was cancelled has ended, or does not soon."""
    deadline = time.monotonic() + _CANCEL_S
    while time.monotonic() < deadline:
        said = channel.receive(deadline - time.monotonic()) or {}
        if said.keys() & {"outcome", "error", "elsewhere"}:
            return


@dataclass(frozen=True)
class DaemonGreeting:
    """Which daemon it is that answers."""

    pid: int
    base_url: str
    version: str
    """Of ttapi."""
    schema: int
    """The migration it brings a file to."""
    home_id: str
    schedule: Mapping[str, Any] = field(default_factory=dict)
    """What its scheduler is about: `server.scheduler`."""
    started_at: str = ""
    """ISO instant, UTC."""


def home_id(home: Home) -> str:
    """What tells the home from every other of this machine: its lock file, which is never removed."""
    facts = home.lock_file.stat()
    return f"{facts.st_dev:x}:{facts.st_ino:x}"


def schema_version() -> int:
    """The migration that this ttapi brings a file to."""
    return max(int(path.name[:4]) for path in bundled_folder("migrations").glob("[0-9]*.sql"))


@contextmanager
def greeted(home: Home, timeout_s: float = GREETING_S) -> Iterator[tuple[Channel, DaemonGreeting]]:
    """Give the way to the daemon of `home`, and what it said first.

    *Raises* OSError where none answers within `timeout_s`, or somebody else does.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        with socket_path(home) as path:
            connection.connect(path)
        if peer_uid(connection) != os.geteuid():
            raise PermissionError(f"{home.command_socket} belongs to another user")
        channel = Channel(connection)
        channel.send({"hello": {"version": _version(), "schema": schema_version()}})
        said = channel.receive(timeout_s)
        if said is None:
            raise TimeoutError(f"no answer within {timeout_s:g} s")
        try:
            given = {one.name: said["hello"][one.name] for one in fields(DaemonGreeting)}
            greeting = DaemonGreeting(**given)
        except (KeyError, TypeError) as exc:
            raise ConnectionError("the other end is no daemon") from exc
        if greeting.home_id != home_id(home):
            raise ConnectionError("the other end serves another home")
        yield channel, greeting


def _version() -> str:
    from ttapi import __version__  # noqa: PLC0415 - the package is being imported where this is

    return __version__


def require_same_version(greeting: DaemonGreeting, home: Home) -> None:
    """Nothing, or UsageError that names what to restart."""
    mine, its = (_version(), schema_version()), (greeting.version, greeting.schema)
    if mine == its:
        return
    who = f"process {greeting.pid} at {greeting.base_url}"
    text = f"{who} serves {home.root} with ttapi {its[0]} (schema {its[1]}), and this is {mine[0]} ({mine[1]})"
    if _numbers(mine[0]) < _numbers(its[0]) or mine[1] < its[1]:
        raise UsageError(text, hint="this one is the older: use the ttapi that serves")
    raise UsageError(
        text, hint=f"restart it: kill {greeting.pid} ends it; ttapi serve starts the new one"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def daemon_text(home: Home) -> str | None:
    """What serves `home` at this moment, or was killed, in words; None: nothing does."""
    note = read_daemon(home)
    if note is None:
        return None
    if not note.is_held:
        return f"the daemon is gone that was {note.text}: ttapi serve starts another"
    try:
        with greeted(home, _STATUS_S) as (_, greeting):
            return f"ttapi serve ({note.text}) is up{_text_of(greeting)}"
    except OSError as exc:
        why = "" if isinstance(exc, TimeoutError) else f" ({exc.strerror or exc})"
        return f"ttapi serve ({note.text}) does not answer{why}: {hang_text(home, note)}"


def hanging_daemon(home: Home) -> DaemonNote | None:
    """The daemon of `home` that does not answer; None: it does, or there is none."""
    note = read_daemon(home)
    if note is None or not note.is_held:
        return None
    try:
        with greeted(home, _STATUS_S):
            return None
    except OSError:
        return note


def hang_text(home: Home, note: DaemonNote) -> str:
    """What a daemon that hangs means for other commands, and what is to be done."""
    owner = current_owner(home)
    has_file = owner is not None and owner.pid == note.pid
    means = (
        "it holds the live file, so that commands that write leave with 5"
        if has_file
        else "commands do their work themselves"
    )
    return f"{means}; kill -CONT {note.pid} has a stopped one go on, kill -KILL {note.pid} ends it"


def _text_of(greeting: DaemonGreeting) -> str:
    since = f" since {greeting.started_at}"
    version = "" if greeting.version == _version() else f", of ttapi {greeting.version}"
    text = "\n  ".join(greeting.schedule.get("lines") or [greeting.schedule.get("text", "")])
    return f"{since}{version}; {text}" if text else f"{since}{version}"


def setup_digest(environment: Environment) -> str:
    """Of all that the outcome of a refresh goes by beside the home: code, models and settings.

    Paths that count from the folder one is in are other paths elsewhere.
    """
    settings = environment.settings
    kept = {
        one.name: getattr(settings, one.name)
        for one in fields(settings)
        if one.metadata and one.metadata["section"] not in _SHOWN_ONLY
    }
    names = sorted({offer.source.name for offer in environment.resources.values()})
    given = {name: sorted(settings.sources.get(name, {}).items()) for name in names}
    texts = [text for block in given.values() for key, text in block if key.endswith("path")]
    here = "" if all(Path(text).is_absolute() for text in texts) else str(Path.cwd())
    whole = (environment.installation.fingerprint, sorted(kept.items()), given, here)
    return hashlib.sha256(repr(whole).encode(errors="surrogateescape")).hexdigest()


def request_to_json(environment: Environment, request: RefreshRequest) -> dict[str, Any]:
    """What a daemon is asked: `request`, for the instant and the symbols of `environment`."""
    demands = request.demands
    return {
        "setup": setup_digest(environment),
        "pid": os.getpid(),
        "now": environment.now.isoformat(),
        "symbols": _sorted(environment.symbols),
        "targets": list(request.targets),
        "force": request.force,
        "survey_local": request.survey_local,
        "is_named": request.is_named,
        "refetch": sorted(request.refetch),
        "span": _dates_to_json(request.span),
        "demands": demands
        and {name: [_sorted(one.keys), _dates_to_json(one.span)] for name, one in demands.items()},
        "wait_s": request.wait_s,
        "command": request.command,
    }


def request_from_json(asked: Mapping[str, Any]) -> RefreshRequest:
    """The request in `asked`; *raises* KeyError, TypeError or ValueError where there is none."""
    from ttapi.refresh.coverage import Demand  # noqa: PLC0415 - status comes without it
    from ttapi.refresh.plan import RefreshRequest  # noqa: PLC0415 - likewise

    demands = asked["demands"]
    if demands is not None:
        demands = {
            str(name): Demand(None if keys is None else frozenset(map(str, keys)), _dates(span))
            for name, (keys, span) in demands.items()
        }
    return RefreshRequest(
        targets=tuple(map(str, asked["targets"])),
        force=bool(asked["force"]),
        survey_local=bool(asked["survey_local"]),
        is_named=bool(asked["is_named"]),
        refetch=frozenset(map(str, asked["refetch"])),
        span=_dates(asked["span"]),
        demands=demands,
        wait_s=float(asked["wait_s"]),
        command=str(asked["command"]),
    )


def _sorted(keys: frozenset[str] | None) -> list[str] | None:
    return None if keys is None else sorted(keys)


def _dates_to_json(span: tuple[date | None, date | None]) -> list[str | None]:
    return [day.isoformat() if day else None for day in span]


def _dates(given: Any) -> tuple[date | None, date | None]:
    first, last = (date.fromisoformat(text) if text else None for text in given)
    return first, last


def outcome_to_json(outcome: RefreshOutcome) -> dict[str, Any]:
    """An outcome as a document, all but the state it left: that is in the home."""
    return {
        "load_id": outcome.load_id,
        "generation": outcome.generation,
        "datasets": [asdict(one) for one in outcome.datasets],
        "failed_checks": [asdict(one) for one in outcome.failed_checks],
        "exports": [asdict(one) for one in outcome.exports],
        "broken": [error_to_json(one) for one in outcome.broken],
        "broken_sources": list(outcome.broken_sources),
    }


def outcome_from_json(document: Mapping[str, Any]) -> RefreshOutcome:
    """The outcome that `outcome_to_json` told."""
    from ttapi.models.rebuild import CheckOutcome  # noqa: PLC0415 - status comes without it
    from ttapi.refresh.runner import RefreshOutcome  # noqa: PLC0415 - likewise
    from ttapi.store.catalog import DatasetOutcome  # noqa: PLC0415 - likewise
    from ttapi.store.export import ExportOutcome  # noqa: PLC0415 - likewise

    return RefreshOutcome(
        document["load_id"],
        document["generation"],
        tuple(DatasetOutcome(**_tuples(one)) for one in document["datasets"]),
        tuple(CheckOutcome(**one) for one in document["failed_checks"]),
        tuple(ExportOutcome(**one) for one in document["exports"]),
        tuple(error_from_json(one) for one in document["broken"]),  # type: ignore[misc]  # ModelErrors, as they were told
        tuple(document["broken_sources"]),
    )


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in document.items()}


def error_to_json(error: TtapiError) -> dict[str, Any]:
    """An error as a document: its kind, its words and its fields."""
    own = {k: v for k, v in vars(error).items() if k not in {"message", "hint", "__notes__"}}
    if isinstance(owner := own.get("owner"), LockOwner):
        own["owner"] = asdict(owner)
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "fields": own,
    }


def error_from_json(document: Mapping[str, Any]) -> TtapiError:
    """The error that `error_to_json` told; of a kind that is not known here, one of the root's."""
    kind = getattr(errors, str(document["kind"]), None)
    if not (isinstance(kind, type) and issubclass(kind, TtapiError)):
        kind = TtapiError
    error = kind.__new__(kind)
    TtapiError.__init__(error, str(document["message"]), hint=document["hint"])
    own = dict(document["fields"])
    if own.get("owner"):
        own["owner"] = LockOwner(**own["owner"])
    vars(error).update(own)
    return error
