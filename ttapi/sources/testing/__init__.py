# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: what a source must get right before strangers' data depends on it.

from ttapi.sources.testing import check_source

def test_my_source(tmp_path):
    check_source(MySource, settings={"path": str(fill(tmp_path))})
"""

from __future__ import annotations

from ttapi.sources.testing.kit import Check, check_source, source_checks, static_problems
from ttapi.sources.testing.world import Observed, World, observe

__all__ = [
    "Check",
    "Observed",
    "World",
    "check_source",
    "observe",
    "source_checks",
    "static_problems",
]
