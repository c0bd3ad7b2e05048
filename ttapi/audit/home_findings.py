# SPDX-License-Identifier: Apache-2.0
"""Findings about the folder: what is in it, who may read it, room on the disk, what was left over.

Findings about the live file, its log and its lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shlex
import shutil
import socket
import stat
from typing import TYPE_CHECKING

from ttapi import __version__
from ttapi.audit.findings import Finding
from ttapi.config import bundled_folder
from ttapi.errors import LockedError, StoreError, TtapiError
from ttapi.formats.values import amount
from ttapi.refresh.daemon_client import greeted, hang_text, schema_version
from ttapi.store.backup import list_backups
from ttapi.store.engine import inspect_file
from ttapi.store.files import leftovers, stream_trouble, unused_copies
from ttapi.store.integrity import inspect_log, log_of
from ttapi.store.lock import read_daemon
from ttapi.store.publish import snapshot_files
from ttapi.store.restore import read_mark
from ttapi.store.sandbox_protocol import isolation
from ttapi.store.schema import pending_migrations, read_migrations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ttapi.audit.findings import Examination
    from ttapi.refresh.daemon_client import DaemonGreeting
    from ttapi.store.lock import DaemonNote

_CLOCK_SLACK_S = 120.0
_ROOM = 1.1
"""A publication writes the live file once more; the tenth is for what a refresh adds."""


def find_in_folders(patient: Examination) -> Iterator[Finding]:
    """Findings that need no database."""
    yield from _missing(patient)
    yield from _modes(patient)
    yield from _audit_log(patient)
    yield from _room(patient)
    yield from _left_over(patient)
    yield from _times(patient)
    yield from _restores(patient)
    yield from _backups(patient)
    yield from _daemon(patient)


def _missing(patient: Examination) -> Iterator[Finding]:
    missing = [folder.name for folder in patient.home.folders() if not folder.is_dir()]
    if missing:
        is_whole = patient.live_error is None and patient.home.snapshots.is_dir()
        command = patient.ttapi("init") if is_whole else patient.republish
        yield Finding("folder-missing", f"{patient.home.root} lacks {', '.join(missing)}", command)


def _modes(patient: Examination) -> Iterator[Finding]:
    home = patient.home
    own = [path for path in (*home.folders(), *_files(home.live)) if path.exists()]
    refused = [
        path for path in own if not (_mode(path) & stat.S_IWUSR and os.access(path, os.W_OK))
    ]
    if refused:
        yield Finding(
            "folder-read-only",
            f"{refused[0]} has mode {_mode(refused[0]):04o} and cannot be written",
            f"chmod u+rwX {_arguments(refused)}",
        )
    writable = [file for file in snapshot_files(home).values() if _mode(file) & 0o222]
    if writable:
        text = f"{writable[0]} has mode {_mode(writable[0]):04o}"
        yield Finding("published-writable", text, f"chmod a-w {_arguments(writable)}")
    if home.root.is_dir() and _mode(home.root) & 0o077:
        yield Finding(
            "folder-open",
            f"{home.root} has mode {_mode(home.root):04o}",
            f"chmod 700 {shlex.quote(str(home.root))}",
        )
    if home.settings_file.is_file() and _mode(home.settings_file) & 0o077:
        yield Finding(
            "settings-open",
            f"{home.settings_file} has mode {_mode(home.settings_file):04o}",
            f"chmod 600 {shlex.quote(str(home.settings_file))}",
        )


def _audit_log(patient: Examination) -> Iterator[Finding]:
    if broken := broken_audit_log(patient.home.logs):
        logs, kept = patient.home.logs, shlex.quote(str(patient.home.logs / "kept"))
        files = _arguments([*sorted(logs.glob("audit*.jsonl")), logs / ".audit.lock"])
        yield Finding("audit-log-broken", broken, f"mkdir -p {kept} && mv {files} {kept}")


def audit_hash(record: Mapping[str, object]) -> str:
    """What seals one line of the audit log: SHA-256 of all of it, the hash of the line before it included."""
    rest = {name: value for name, value in record.items() if name != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def broken_audit_log(folder: Path) -> str | None:
    """Where the chain of the audit log in `folder` is broken, in words; None: nowhere."""
    before, number = "", 0
    # Names of ended files sort by the number of their first line; the one that grows comes last.
    growing = folder / "audit.jsonl"
    for file in (*sorted(set(folder.glob("audit.*.jsonl"))), growing):
        if not file.is_file():
            continue
        for line, text in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
            try:
                record = json.loads(text)
                found = record["number"], record["before"], record["hash"]
            except (ValueError, KeyError, TypeError):
                continue  # torn at a kill; were it more, the next line would not follow
            if before and found[:2] != (number + 1, before):
                return f"{file}, line {line} does not follow the one before it"
            if found[2] != audit_hash(record):
                return f"{file}, line {line} was changed"
            number, before = found[0], found[2]
    return _lost_end(folder, number)


def _lost_end(folder: Path, number: int) -> str | None:
    try:
        last = json.loads((folder / ".audit.lock").read_text())["number"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (
        f"{folder / 'audit.jsonl'} ends at {number}, and {last} were written"
        if number < last
        else None
    )


def _room(patient: Examination) -> Iterator[Finding]:
    home = patient.home
    if not home.live_file.is_file():
        return
    needed = int(home.live_file.stat().st_size * _ROOM)
    free = shutil.disk_usage(home.live).free
    if free < needed:
        yield Finding(
            "disk-low",
            f"{home.root} has {_megabytes(free)} free, and a publication takes {_megabytes(needed)};"
            f" {_largest(home.root)}",
            patient.ttapi("backup --list"),
        )
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if limit not in {resource.RLIM_INFINITY, -1} and limit < needed:
        yield Finding(
            "file-limit",
            f"this process may write {_megabytes(limit)} to a file, and a publication takes"
            f" {_megabytes(needed)}",
            "ulimit -f unlimited",
        )


def _left_over(patient: Examination) -> Iterator[Finding]:
    home = patient.home
    refresh = patient.ttapi("refresh") if patient.live_error is None else patient.bring_back
    for code, folders in (
        ("published-half", [home.snapshots]),
        ("backup-half", [home.backups]),
        ("leftover-files", [home.root, home.live, home.exports]),
    ):
        found = [path for folder in folders for path in leftovers(folder)]
        if found:
            yield Finding(code, _named(found), refresh)
    copies = unused_copies(home)
    if copies:
        yield Finding("shared-left", _named(copies), refresh)


def _times(patient: Examination) -> Iterator[Finding]:
    home = patient.home
    latest = patient.clock.timestamp() + _CLOCK_SLACK_S
    files = [home.live_file, home.state_file, home.settings_file, *home.snapshots.glob("*.duckdb")]
    late = [file for file in files if file.is_file() and file.stat().st_mtime > latest]
    if late:
        ahead = max(file.stat().st_mtime for file in late) - patient.clock.timestamp()
        yield Finding(
            "file-time-in-future",
            f"{_named(late)}: up to {ahead / 3600:,.1f} h ahead of this machine's clock",
            f"touch {_arguments(late)}",
        )


def _restores(patient: Examination) -> Iterator[Finding]:
    mark = read_mark(patient.home)
    if mark is not None:
        words = mark.get("command", "restore")
        yield Finding("restore-half", f"{words!r} did not come to its end", patient.ttapi(words))
    kept = [
        path
        for word in ("damaged", "replaced")
        for path in sorted(patient.home.live.glob(f"{word}-*"))
    ]
    if kept:
        size = sum(_size(path) for path in kept)
        yield Finding(
            "kept-aside",
            f"{_named(kept)}, {_megabytes(size)}: kept until you have seen that all is well",
            patient.ttapi("verify"),
        )


def _backups(patient: Examination) -> Iterator[Finding]:
    backups = list_backups(patient.home.backups)
    usable = [one for one in backups if one.manifest is not None]
    broken = [one for one in backups if one.manifest is None]
    if not backups:
        yield Finding("backup-missing", f"{patient.home.backups} is empty", patient.ttapi("backup"))
    elif broken:
        code = "backup-old" if usable else "backup-unusable"
        newest_name = max(one.folder.name for one in backups)
        if usable and newest_name in {one.folder.name for one in broken}:
            code = "backup-unusable"
        yield Finding(code, str(broken[0].error), patient.ttapi("backup"))


def _daemon(patient: Examination) -> Iterator[Finding]:
    """Of the daemon: what one that was killed left, and whether one that runs is well."""
    home, note = patient.home, read_daemon(patient.home)
    if note is None or not note.is_held:
        left = [file for file in (home.token_file, home.command_socket) if file.exists()]
        if note is not None or left:
            who = f"{note.text} runs no more" if note else "nobody serves this home"
            files = [*left, *([home.daemon_note] if note else [])]
            yield Finding(
                "daemon-gone", f"{who}, and left {_named(files)}", f"rm -f {_arguments(files)}"
            )
        return
    if trouble := stream_trouble(home):
        text = f"{note.text}: since {trouble['since']}: {trouble['reason']}"
        yield Finding("stream-stopped", text, patient.ttapi("status"))
    try:
        with greeted(home) as (_, greeting):
            yield from _of_greeting(patient, note, greeting)
        yield Finding("sql-isolation", isolation().about, "command -v bwrap")
    except OSError as exc:
        text = f"{note.text} does not answer ({exc}): {hang_text(home, note)}"
        yield Finding("daemon-hangs", text, f"kill -KILL {note.pid}")


def _of_greeting(
    patient: Examination, note: DaemonNote, greeting: DaemonGreeting
) -> Iterator[Finding]:
    who = f"{note.text}, up since {greeting.started_at}"
    if (greeting.version, greeting.schema) != (__version__, schema_version()):
        its = f"ttapi {greeting.version} (schema {greeting.schema})"
        text = f"{who}, is {its}, and this is {__version__} ({schema_version()})"
        yield Finding("daemon-other-version", text, f"kill {note.pid}")
    schedule = greeting.schedule
    troubles = [
        f"{name} failed {amount(one['failures'], 'time')}: {one['error']}"
        for name, one in schedule.get("failing", {}).items()
    ]
    troubles += list(map(str, schedule.get("wrong_settings", ())))
    troubles += [str(trouble)] if (trouble := schedule.get("trouble")) else []
    if troubles:
        text = f"{who}: {'; '.join(troubles[:3])}"
        yield Finding("daemon-troubled", text, patient.ttapi("status"))
    alone = schedule.get("left_alone", {})
    if alone:
        names = ", ".join(f"{name} ({why})" for name, why in alone.items())
        yield Finding(
            "daemon-limited", f"{who}: {names}", patient.ttapi(f"refresh {next(iter(alone))}")
        )


def _files(folder: Path) -> list[Path]:
    return [path for path in _inside(folder) if path.is_file()] if folder.is_dir() else []


def _arguments(paths: Iterable[Path]) -> str:
    return " ".join(shlex.quote(str(path)) for path in paths)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _named(paths: list[Path]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return ", ".join(str(path) for path in paths[:3]) + more


def _largest(root: Path) -> str:
    sizes = sorted(((_size(path), path.name) for path in _inside(root)), reverse=True)
    return ", ".join(f"{name} {_megabytes(size)}" for size, name in sizes[:4])


def _inside(folder: Path) -> Iterable[Path]:
    return [path for path in folder.iterdir() if not path.is_symlink()]


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(file.lstat().st_size for file in files)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB"


_OF_KIND = {
    "altered schema": "live-altered-schema",
    "damaged": "live-damaged",
    "damaged log": "log-damaged",
    "foreign": "live-foreign",
    "foreign log": "log-foreign",
    "missing": "live-missing",
    "newer engine": "live-newer-engine",
    "newer schema": "live-newer-schema",
    "no database": "live-no-database",
    "other storage": "live-other-storage",
    "torn log": "log-torn",
}
_LOG = {"log-damaged", "log-foreign", "log-torn"}


def find_in_live(patient: Examination) -> Iterator[Finding]:
    """Findings about what only its owner opens for writing."""
    yield from _lock(patient)
    if patient.lock.is_held:
        return
    error = patient.live_error
    if error is None:
        yield from _waiting(patient)
    elif isinstance(error, LockedError):
        yield Finding("live-open-elsewhere", str(error), patient.ttapi("status"))
    else:
        kind = error.kind if isinstance(error, StoreError) else ""
        code = _OF_KIND.get(kind, "live-unreadable")
        yield Finding(code, _evidence(code, error), _cure(patient, code))


def _lock(patient: Examination) -> Iterator[Finding]:
    owner = patient.lock.owner
    if patient.lock.is_held:
        who = f"process {owner.pid} ({owner.command})" if owner else "another process"
        yield Finding("live-locked", f"{who} holds the lock", patient.ttapi("status"))
    elif owner is not None:
        text = f"the lock file names process {owner.pid} ({owner.command}) on {owner.host}"
        is_here = owner.host == socket.gethostname()
        code = "lock-stale" if is_here else "lock-foreign"
        held = "it holds no lock" if is_here else "nobody on this machine holds the lock"
        command = patient.ttapi("refresh") if patient.live_error is None else _cure(patient, "")
        yield Finding(code, f"{text}, since {owner.started_at}; {held}", command)


def _waiting(patient: Examination) -> Iterator[Finding]:
    """What the next command that writes will see to by itself."""
    file = patient.home.live_file
    log = log_of(file)
    if inspect_log(log) is not None:
        yield Finding(
            "log-left",
            f"{log} holds {log.stat().st_size:,} bytes of whole writes",
            patient.ttapi("refresh"),
        )
    try:
        steps = read_migrations(bundled_folder("migrations"))
        pending = pending_migrations(inspect_file(file).applied, steps, file)
    except TtapiError as exc:
        yield Finding("live-unreadable", str(exc), patient.bring_back)
        return
    if pending:
        first = pending[0].version
        yield Finding(
            "live-older-schema",
            f"{file} is at schema version {first - 1}, and this ttapi at {pending[-1].version}",
            patient.ttapi("refresh"),
        )


def _cure(patient: Examination, code: str) -> str:
    kind = patient.live_error.kind if isinstance(patient.live_error, StoreError) else ""
    if code in _LOG or _OF_KIND.get(kind) in _LOG:
        return patient.ttapi("restore live")
    return patient.bring_back


def _evidence(code: str, error: TtapiError) -> str:
    if code == "live-newer-schema":
        return f"{error.message}; upgrading ttapi keeps all of it, the command goes back to a copy"
    return error.message
