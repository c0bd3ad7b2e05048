# SPDX-License-Identifier: Apache-2.0
"""Findings about what the home holds: datasets, files that failed, checks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi.errors import TtapiError
from ttapi.formats.spans import amount
from ttapi.refresh.doctor.finding import Finding
from ttapi.refresh.home_state import read_home_state
from ttapi.refresh.status import status_rows
from ttapi.store.snapshot import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttapi.refresh.doctor.patient import Patient
    from ttapi.refresh.status import StatusRow

_SLACK = timedelta(minutes=2)
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


def find_in_datasets(patient: Patient) -> Iterator[Finding]:
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


def _status(patient: Patient) -> Sequence[StatusRow]:
    workspace = patient.workspace
    left = read_home_state(patient.home)
    datasets = {**left.datasets, **workspace.raw_datasets}
    return status_rows(datasets, left.states, moment=workspace.moment)


def _verdicts(patient: Patient, rows: Sequence[StatusRow]) -> Iterator[Finding]:
    for row in rows:
        if row.verdict in {"failed", "blocked"}:
            text = f"{row.dataset}: {'; '.join(row.reasons)}"
            yield Finding("dataset-failed", text, patient.ttapi(f"refresh {row.dataset}"))
    due = [row.dataset for row in rows if row.verdict in {"stale", "missing"}]
    if due:
        more = f" and {len(due) - 3} more" if len(due) > 3 else ""
        yield Finding("dataset-stale", ", ".join(due[:3]) + more, patient.ttapi("refresh"))


def _future(patient: Patient) -> Iterator[Finding]:
    latest = patient.workspace.now + _SLACK
    states = read_home_state(patient.home).states
    late = [name for name, state in states.items() if state.asked_at and state.asked_at > latest]
    if late:
        asked = max(instant for name in late if (instant := states[name].asked_at))
        text = f"{late[0]} was asked at {asked.isoformat()}, and now is {patient.workspace.now.isoformat()}"
        yield Finding("asked-in-future", text, patient.ttapi("refresh --force"))


def _units(patient: Patient) -> Iterator[Finding]:
    for dataset, count, key, error in read_rows(patient.home, _FAILED_UNITS):
        text = f"{count:,} of {dataset}, such as {key}: {error}"
        yield Finding("unit-failed", text, patient.ttapi(f"refresh {dataset}"))


def _checks(patient: Patient) -> Iterator[Finding]:
    for dataset, check, failures, sample in read_rows(patient.home, _FAILED_CHECKS):
        text = f"{check} of {dataset}: {amount(failures, 'bad row')}, such as {sample}"
        name = dataset.removeprefix("checks.")
        command = patient.ttapi("refresh" if name != dataset else f"refresh {dataset}")
        yield Finding("check-failed", text, command)
