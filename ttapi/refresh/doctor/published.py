# SPDX-License-Identifier: Apache-2.0
"""Findings about what clients open, and about the state that `status` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.errors import TtapiError
from ttapi.refresh.doctor.finding import Finding
from ttapi.refresh.home_state import NOTHING, read_home_state
from ttapi.store.engine import inspect_file
from ttapi.store.fingerprint import missing_bytes
from ttapi.store.publish import published_generation, snapshot_files
from ttapi.store.write_ahead import log_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.refresh.doctor.patient import Patient


def find_in_published(patient: Patient) -> Iterator[Finding]:
    """Findings about the link, the snapshots and the state file."""
    link = list(_link(patient))
    yield from link
    yield from _snapshots(patient)
    if not patient.lock.is_held:
        yield from _state(patient)


def _link(patient: Patient) -> Iterator[Finding]:
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


def _file(patient: Patient) -> Iterator[Finding]:
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


def _order(patient: Patient, published: int) -> Iterator[Finding]:
    live = inspect_file(patient.home.live_file).generation
    if live < published:
        text = f"{patient.home.live_file} stands at generation {live}, and {published} is published"
        yield Finding("live-behind", text, patient.ttapi("restore snapshot --yes"))


def _snapshots(patient: Patient) -> Iterator[Finding]:
    found = snapshot_files(patient.home)
    kept = patient.workspace.settings.snapshots_kept + 1
    if len(found) > kept:
        text = f"{patient.home.snapshots} holds {len(found)}, and {kept} are to be kept"
        yield Finding("snapshots-many", text, patient.republish)
    log = log_of(patient.home.public_file.resolve())
    if log.exists():
        text = f"{log}: open the published file read-only; nobody else sees what was written there"
        yield Finding("published-log", text, patient.republish)


def _state(patient: Patient) -> Iterator[Finding]:
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
