# SPDX-License-Identifier: Apache-2.0
"""Findings about the live file, its log and its lock."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from ttapi.config import bundled_folder
from ttapi.errors import LockedError, StoreError, TtapiError
from ttapi.refresh.doctor.finding import Finding
from ttapi.store.engine import inspect_file
from ttapi.store.migrate import pending_migrations, read_migrations
from ttapi.store.write_ahead import inspect_log, log_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.refresh.doctor.patient import Patient

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


def find_in_live(patient: Patient) -> Iterator[Finding]:
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


def _lock(patient: Patient) -> Iterator[Finding]:
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


def _waiting(patient: Patient) -> Iterator[Finding]:
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


def _cure(patient: Patient, code: str) -> str:
    kind = patient.live_error.kind if isinstance(patient.live_error, StoreError) else ""
    if code in _LOG or _OF_KIND.get(kind) in _LOG:
        return patient.ttapi("restore live")
    return patient.bring_back


def _evidence(code: str, error: TtapiError) -> str:
    if code == "live-newer-schema":
        return f"{error.message}; upgrading ttapi keeps all of it, the command goes back to a copy"
    return error.message
