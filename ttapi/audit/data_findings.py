# SPDX-License-Identifier: Apache-2.0
"""Findings about what the home holds: datasets, files that failed, checks.

Findings that take reading everything: blocks, ledger against data, published against live.

Findings about what clients open, and about the state that `status` shows.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ttapi.audit.findings import Finding
from ttapi.errors import TtapiError
from ttapi.formats.values import amount
from ttapi.refresh.freshness import status_rows
from ttapi.refresh.home_state import NOTHING, read_home_state
from ttapi.store.backup import check_backup, list_backups
from ttapi.store.catalog import is_publication_due
from ttapi.store.engine import connect_snapshot, inspect_file
from ttapi.store.files import is_as_published
from ttapi.store.integrity import (
    Contents,
    differences,
    disagreements,
    log_of,
    missing_bytes,
    read_contents,
)
from ttapi.store.lock import acquire
from ttapi.store.publish import published_generation, snapshot_files
from ttapi.store.reader import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.audit.findings import Examination
    from ttapi.refresh.freshness import StatusRow

_FAILED_UNITS = """
    select u.dataset, count(*), min(u.key), arg_min(u.error, u.key)
    from catalog.units as u
    where u.error is not null and not u.is_vanished
    group by u.dataset
    order by u.dataset
"""
_FAILED_CHECKS = """
    select k.dataset, k.check_name, k.failures, k.sample
    from catalog.checks as k
    where k.failures > 0
    order by all
"""


def find_in_datasets(patient: Examination) -> Iterator[Finding]:
    """Findings about data, as state file and published file tell them."""
    try:
        rows = _status(patient)
    except TtapiError:
        # A wrong setting, which is a finding already.
        return
    yield from _verdicts(patient, rows)
    yield from _future(patient)
    try:
        yield from _units(patient)
        yield from _checks(patient)
    except TtapiError:
        # A published file that cannot be read is a finding already.
        return


def _status(patient: Examination) -> Sequence[StatusRow]:
    environment = patient.environment
    left = read_home_state(patient.home)
    datasets = {**left.datasets, **environment.raw_datasets}
    return status_rows(datasets, left.states, clock=environment.clock)


def _verdicts(patient: Examination, rows: Sequence[StatusRow]) -> Iterator[Finding]:
    for row in rows:
        if row.verdict in {"failed", "blocked"}:
            text = f"{row.dataset}: {'; '.join(row.reasons)}"
            yield Finding("dataset-failed", text, patient.ttapi(f"refresh {row.dataset}"))
    # No refresh makes a log newer.
    logs = {name for name, one in patient.environment.raw_datasets.items() if one.is_log}
    due = [r.dataset for r in rows if r.verdict in {"stale", "missing"} and r.dataset not in logs]
    if due:
        more = f" and {len(due) - 3} more" if len(due) > 3 else ""
        yield Finding("dataset-stale", ", ".join(due[:3]) + more, patient.ttapi("refresh"))


def _future(patient: Examination) -> Iterator[Finding]:
    clock, datasets = patient.environment.clock, patient.environment.datasets
    states = read_home_state(patient.home).states
    late = [
        name
        for name, dataset in datasets.items()
        # Of what has no time to live only its inputs are asked; what nobody can ask has other findings.
        if dataset.ttl and not (dataset.missing_setting or dataset.lost)
        if name in states and (at := states[name].asked_at) and clock.is_ahead(at)
    ]
    if late:
        asked = max(instant for name in late if (instant := states[name].asked_at))
        text = f"{late[0]} was asked at {asked.isoformat()}, and now is {patient.environment.now.isoformat()}"
        yield Finding("asked-in-future", text, patient.ttapi("refresh"))


def _units(patient: Examination) -> Iterator[Finding]:
    for dataset, count, key, error in read_rows(patient.home, _FAILED_UNITS):
        text = f"{count:,} of {dataset}, such as {key}: {error}"
        yield Finding("unit-failed", text, patient.ttapi(f"refresh {dataset}"))


def _checks(patient: Examination) -> Iterator[Finding]:
    for dataset, check, failures, sample in read_rows(patient.home, _FAILED_CHECKS):
        text = f"{check} of {dataset}: {amount(failures, 'bad row')}, such as {sample}"
        name = dataset.removeprefix("checks.")
        command = patient.ttapi("refresh" if name != dataset else f"refresh {dataset}")
        yield Finding("check-failed", text, command)


_OWN_BOOKS = "catalog."
"""Tables of this schema may say something newer in the live file without anything being due."""


def find_in_contents(patient: Examination, *, wait_s: float) -> Iterator[Finding]:
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


def _unreadable(patient: Examination, live: Contents) -> Iterator[Finding]:
    for table, said in live.unreadable.items():
        yield Finding("live-damaged", f"table {table}: {said}", patient.bring_back)


def _parted(patient: Examination) -> Iterator[Finding]:
    for line in disagreements(patient.home.live_file):
        yield Finding("ledger-parted", line, patient.bring_back)


def _published(patient: Examination, live: Contents | None) -> Iterator[Finding]:
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


def _is_due(patient: Examination) -> bool:
    with closing(connect_snapshot(patient.home.live_file)) as connection:
        return is_publication_due(connection, published_generation(patient.home))


def _data(contents: Contents) -> Contents:
    tables = {n: t for n, t in contents.tables.items() if not n.startswith(_OWN_BOOKS)}
    return Contents(tables, {})


def _backup(patient: Examination) -> Iterator[Finding]:
    usable = [one for one in list_backups(patient.home.backups) if one.manifest is not None]
    if not usable:
        return
    try:
        check_backup(usable[0].folder)
    except TtapiError as exc:
        yield Finding("backup-unusable", str(exc), patient.ttapi("backup"))


def find_in_published(patient: Examination) -> Iterator[Finding]:
    """Findings about the link, the snapshots and the state file."""
    link = list(_link(patient))
    yield from link
    yield from _snapshots(patient)
    if not patient.lock.is_held:
        yield from _state(patient)


def _link(patient: Examination) -> Iterator[Finding]:
    link, cure = patient.home.public_file, patient.republish
    if not link.is_symlink():
        if link.exists():
            yield Finding("published-link-replaced", f"{link} is no symbolic link", cure)
        else:
            yield Finding("published-link-missing", f"{link} does not exist", cure)
        return
    target = link.readlink()
    if not link.exists():
        yield Finding("published-link-dangling", f"{link} leads to {target}, which is gone", cure)
        return
    generation = published_generation(patient.home)
    newest = max(snapshot_files(patient.home), default=0)
    is_ours = link.resolve().parent == patient.home.snapshots.resolve()
    if not is_ours or generation != newest:
        text = f"{link} leads to {target}, and generation {newest} is the newest"
        yield Finding("published-link-elsewhere", text, cure)
    yield from _file(patient)


def _file(patient: Examination) -> Iterator[Finding]:
    file = patient.home.public_file.resolve()
    try:
        facts = inspect_file(file)
        missing = missing_bytes(file)
    except TtapiError as exc:
        yield Finding("published-damaged", exc.message, patient.republish)
        return
    if patient.live_error is None and not patient.lock.is_held:
        yield from _order(patient, facts.generation)
    generation = published_generation(patient.home)
    if missing:
        text = f"{file} is {missing:,} bytes shorter than it says of itself"
        yield Finding("published-damaged", text, patient.republish)
    elif generation and facts.generation != generation:
        text = f"{file} says of itself that it is generation {facts.generation}"
        yield Finding("published-damaged", text, patient.republish)
    if not is_as_published(patient.home):
        text = f"{file} was changed since it was published"
        yield Finding("published-differs", text, patient.republish)


def _order(patient: Examination, published: int) -> Iterator[Finding]:
    live = inspect_file(patient.home.live_file).generation
    if live < published:
        text = f"{patient.home.live_file} stands at generation {live}, and {published} is published"
        yield Finding("live-behind", text, patient.ttapi("restore snapshot --yes"))


def _snapshots(patient: Examination) -> Iterator[Finding]:
    found = snapshot_files(patient.home)
    kept = patient.environment.settings.snapshots_kept + 1
    if len(found) > kept:
        text = f"{patient.home.snapshots} holds {len(found)}, and {kept} are to be kept"
        yield Finding("snapshots-many", text, patient.republish)
    log = log_of(patient.home.public_file.resolve())
    if log.exists():
        text = f"{log}: open the published file read-only; nobody else sees what was written there"
        yield Finding("published-log", text, patient.republish)


def _state(patient: Examination) -> Iterator[Finding]:
    file = patient.home.state_file
    generation = published_generation(patient.home)
    if not file.exists():
        if generation:
            yield Finding("state-missing", f"{file} does not exist", patient.republish)
        return
    state = read_home_state(patient.home)
    if state is NOTHING:
        yield Finding("state-damaged", f"{file} cannot be understood", patient.republish)
    elif generation and state.generation != generation:
        text = f"{file} tells of generation {state.generation}, and {generation} is published"
        yield Finding("state-behind", text, patient.republish)
