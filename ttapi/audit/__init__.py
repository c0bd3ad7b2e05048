# SPDX-License-Identifier: Apache-2.0
"""Where a value comes from, and proof that it still does.

The doctor: what is wrong with a home, how one sees it, and the one command that repairs it.
"""

from __future__ import annotations

from ttapi.audit.doctor import Diagnosis, diagnose
from ttapi.audit.findings import CODES, Examination, Finding, start_examination

__all__ = ["CODES", "Diagnosis", "Examination", "Finding", "diagnose", "start_examination"]
