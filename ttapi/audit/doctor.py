# SPDX-License-Identifier: Apache-2.0
"""All findings about a home, worst first.

Findings about engine, settings, plugins and models.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi import __version__
from ttapi.audit.data_findings import find_in_contents, find_in_datasets, find_in_published
from ttapi.audit.findings import Finding, edit
from ttapi.audit.home_findings import find_in_folders, find_in_live
from ttapi.config import install_command
from ttapi.errors import ModelError, TtapiError
from ttapi.store.integrity import engine_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ttapi.audit.findings import Examination
    from ttapi.sources.discovery import InstalledSource

_ENGINES = ((1, 5, 5), (3, 0, 0))
"""First version ttapi is made for, and first it is not; as `dependencies` in pyproject.toml."""


def find_in_installation(patient: Examination) -> Iterator[Finding]:
    """Findings about what ttapi runs on and what the user gave it."""
    yield from _engine()
    if patient.settings_error is not None:
        file = patient.home.settings_file
        yield Finding("settings-wrong", patient.settings_error, edit(file, patient.settings_error))
    for installed in patient.environment.sources:
        if installed.error is not None:
            yield Finding("plugin-broken", installed.error, _open_plugin(patient, installed))
    yield from _sections(patient)
    yield from _unconfigured(patient)


def _engine() -> Iterator[Finding]:
    version = engine_version()
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if not _ENGINES[0] <= numbers < _ENGINES[1]:
        yield Finding(
            "engine-unsupported",
            f"duckdb {version} is installed",
            install_command("duckdb>=1.5.5,<3"),
        )


def _sections(patient: Examination) -> Iterator[Finding]:
    """What only shows when settings meet sources, and models meet both."""
    environment, file = patient.environment, patient.home.settings_file
    try:
        _ = environment.raw_datasets
    except TtapiError as exc:
        yield Finding("settings-wrong", str(exc), edit(file, str(exc)))
        return
    try:
        broken = list(environment.broken.values())
    except ModelError as exc:
        broken = [exc]
    except TtapiError as exc:
        yield Finding("model-broken", str(exc), edit(patient.home.sql, ""))
        return
    for error in broken:
        file = _model_file(patient, error.file)
        yield Finding("model-broken", str(error), edit(file, f"line {error.line}"))


def _model_file(patient: Examination, named: str) -> Path:
    """The file an error names from its model folder's own name on; the user's where it is theirs."""
    found = [folder.parent / named for folder in reversed(patient.environment.installation.folders)]
    return next((file for file in found if file.exists()), Path(named))


def _unconfigured(patient: Examination) -> Iterator[Finding]:
    try:
        datasets = patient.environment.raw_datasets
    except TtapiError:
        return
    missing: dict[str, str] = {}
    for dataset in datasets.values():
        if dataset.missing_setting and dataset.source:
            missing.setdefault(dataset.source, dataset.missing_setting)
    asked = [f"[sources.{source}] {setting}" for source, setting in sorted(missing.items())]
    if asked:
        text = f"not set: {', '.join(asked)}"
        yield Finding("source-not-configured", text, edit(patient.home.settings_file, ""))


def _open_plugin(patient: Examination, installed: InstalledSource) -> str:
    file = Path(installed.origin)
    if file.is_absolute():
        return edit(file, installed.error or "")
    return patient.ttapi("sources")


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


def diagnose(patient: Examination, *, is_deep: bool = False, wait_s: float = 60.0) -> Diagnosis:
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
        findings += find_in_contents(patient, wait_s=wait_s)
    unique = dict.fromkeys(findings)
    ordered = sorted(unique, key=lambda one: _ORDER[one.severity])
    return Diagnosis(versions, tuple(ordered))
