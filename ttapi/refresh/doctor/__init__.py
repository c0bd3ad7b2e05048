# SPDX-License-Identifier: Apache-2.0
"""The doctor: what is wrong with a home, how one sees it, and the one command that repairs it."""

from __future__ import annotations

from ttapi.refresh.doctor.diagnosis import Diagnosis, diagnose
from ttapi.refresh.doctor.finding import CODES, Finding
from ttapi.refresh.doctor.patient import Patient, examine

__all__ = ["CODES", "Diagnosis", "Finding", "Patient", "diagnose", "examine"]
