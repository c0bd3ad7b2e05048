# SPDX-License-Identifier: Apache-2.0
"""All findings about a home, worst first."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi import __version__
from ttapi.refresh.doctor.datasets import find_in_datasets
from ttapi.refresh.doctor.depths import find_in_depths
from ttapi.refresh.doctor.finding import Finding
from ttapi.refresh.doctor.folders import find_in_folders
from ttapi.refresh.doctor.installation import find_in_installation
from ttapi.refresh.doctor.live import find_in_live
from ttapi.refresh.doctor.published import find_in_published
from ttapi.store.fingerprint import engine_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.refresh.doctor.patient import Patient

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Diagnosis:
    """What was found, and on what."""

    versions: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be repaired; notes do not count."""
        return all(one.severity == "note" for one in self.findings)

    @property
    def has_errors(self) -> bool:
        """Whether something does not work; a warning is no failure."""
        return any(one.severity == "error" for one in self.findings)


def diagnose(patient: Patient, *, is_deep: bool = False, wait_s: float = 60.0) -> Diagnosis:
    """Every finding about `patient`; nothing is changed.

    Only the deep examination takes the lock. *Raises* LockedError when it cannot within `wait_s`.
    """
    versions = {
        "ttapi": __version__,
        "duckdb": engine_version(),
        "python": platform.python_version(),
    }
    home = patient.home
    is_new = not home.live_file.exists() and not home.public_file.is_symlink()
    if is_new and not patient.has_copies:
        missing = Finding("home-missing", f"{home.root} holds no database", patient.ttapi("init"))
        return Diagnosis(versions, (missing,))
    findings = [
        *find_in_installation(patient),
        *find_in_live(patient),
        *find_in_published(patient),
        *find_in_folders(patient),
        *find_in_datasets(patient),
    ]
    if is_deep:
        findings += find_in_depths(patient, wait_s=wait_s)
    unique = dict.fromkeys(findings)
    ordered = sorted(unique, key=lambda one: _ORDER[one.severity])
    return Diagnosis(versions, tuple(ordered))
