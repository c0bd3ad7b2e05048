# SPDX-License-Identifier: Apache-2.0
"""Findings about engine, settings, plugins and models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.errors import ModelError, TtapiError
from ttapi.refresh.doctor.finding import Finding
from ttapi.refresh.doctor.patient import edit
from ttapi.store.fingerprint import engine_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.refresh.doctor.patient import Patient
    from ttapi.sources.discovery import InstalledSource

_ENGINES = ((1, 5, 5), (3, 0, 0))
"""First version ttapi is made for, and first it is not; as `dependencies` in pyproject.toml."""


def find_in_installation(patient: Patient) -> Iterator[Finding]:
    """Findings about what ttapi runs on and what the user gave it."""
    yield from _engine()
    if patient.settings_error is not None:
        file = patient.home.settings_file
        yield Finding("settings-wrong", patient.settings_error, edit(file, patient.settings_error))
    for installed in patient.workspace.sources:
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
            f"{sys.executable} -m pip install 'duckdb>=1.5.5,<3'",
        )


def _sections(patient: Patient) -> Iterator[Finding]:
    """What only shows when settings meet sources, and models meet both."""
    workspace, file = patient.workspace, patient.home.settings_file
    try:
        _ = workspace.raw_datasets
    except TtapiError as exc:
        yield Finding("settings-wrong", str(exc), edit(file, str(exc)))
        return
    try:
        broken = list(workspace.broken.values())
    except ModelError as exc:
        broken = [exc]
    except TtapiError as exc:
        yield Finding("model-broken", str(exc), edit(patient.home.sql, ""))
        return
    for error in broken:
        file = _model_file(patient, error.file)
        yield Finding("model-broken", str(error), edit(file, f"line {error.line}"))


def _model_file(patient: Patient, named: str) -> Path:
    """The file an error names from its model folder's own name on; the user's where it is theirs."""
    found = [folder.parent / named for folder in reversed(patient.workspace.folders)]
    return next((file for file in found if file.exists()), Path(named))


def _unconfigured(patient: Patient) -> Iterator[Finding]:
    try:
        datasets = patient.workspace.raw_datasets
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


def _open_plugin(patient: Patient, installed: InstalledSource) -> str:
    file = Path(installed.origin)
    if file.is_absolute():
        return edit(file, installed.error or "")
    return patient.ttapi("sources")
