# SPDX-License-Identifier: Apache-2.0
"""Findings that take reading everything: blocks, ledger against data, published against live."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ttapi.errors import TtapiError
from ttapi.refresh.catalog import is_publication_due
from ttapi.refresh.doctor.finding import Finding
from ttapi.store.agreement import disagreements
from ttapi.store.backup import check_backup, list_backups
from ttapi.store.engine import connect_snapshot
from ttapi.store.fingerprint import Contents, differences, read_contents
from ttapi.store.lock import acquire
from ttapi.store.publish import published_generation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.refresh.doctor.patient import Patient

_OWN_BOOKS = "catalog."
"""Tables of this schema may say something newer in the live file without anything being due."""


def find_in_depths(patient: Patient, *, wait_s: float) -> Iterator[Finding]:
    """Findings of reading every block of the live file, the published file and the newest backup.

    The lock is held meanwhile, so that nobody writes. *Raises* LockedError past `wait_s`.
    """
    with acquire(patient.home, command="ttapi verify", wait_s=wait_s):
        live = None
        if patient.live_error is None:
            live = read_contents(patient.home.live_file)
            yield from _unreadable(patient, live)
            if not live.unreadable:
                yield from _parted(patient)
        yield from _published(patient, live)
    yield from _backup(patient)


def _unreadable(patient: Patient, live: Contents) -> Iterator[Finding]:
    for table, said in live.unreadable.items():
        yield Finding("live-damaged", f"table {table}: {said}", patient.bring_back)


def _parted(patient: Patient) -> Iterator[Finding]:
    for line in disagreements(patient.home.live_file):
        yield Finding("ledger-parted", line, patient.bring_back)


def _published(patient: Patient, live: Contents | None) -> Iterator[Finding]:
    try:
        file = patient.home.public_file.resolve(strict=True)
        published = read_contents(file)
    except (TtapiError, OSError):
        # That it cannot be opened is a finding already.
        return
    is_live_whole = live is not None and not live.unreadable
    cure = patient.ttapi("restore live") if is_live_whole else patient.bring_back
    for table, said in published.unreadable.items():
        yield Finding("published-damaged", f"table {table}: {said}", cure)
    if live is None or published.unreadable or live.unreadable:
        return
    if _is_due(patient):
        text = f"generation {published_generation(patient.home)} lacks what was committed since"
        yield Finding("live-unpublished", text, patient.ttapi("refresh"))
        return
    for line in differences(_data(live), _data(published)):
        yield Finding("published-differs", line, cure)


def _is_due(patient: Patient) -> bool:
    with closing(connect_snapshot(patient.home.live_file)) as connection:
        return is_publication_due(connection, published_generation(patient.home))


def _data(contents: Contents) -> Contents:
    tables = {n: t for n, t in contents.tables.items() if not n.startswith(_OWN_BOOKS)}
    return Contents(tables, {})


def _backup(patient: Patient) -> Iterator[Finding]:
    usable = [one for one in list_backups(patient.home.backups) if one.manifest is not None]
    if not usable:
        return
    try:
        check_backup(usable[0].folder)
    except TtapiError as exc:
        yield Finding("backup-unusable", str(exc), patient.ttapi("backup"))
