# SPDX-License-Identifier: Apache-2.0
"""`make unit`'s plugin of pytest: which lines and branches of ttapi each worker ran, as `.coverage.NAME.json`.

Modules are instrumented when they are imported, and lose a probe once it has told all it can: a tracer is
called on each line of every library too, which took three fifths on top of the tests' own time.
`slipcover --merge` puts the files together. Named by `-p`, so it is here before ttapi is imported.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from slipcover import FileMatcher, ImportManager, Slipcover

ROOT = Path(__file__).resolve().parents[1]
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
"""None in the process that hands out the tests: it knows of every file, and runs none."""
UNCOUNTED = ["if TYPE_CHECKING:", "@overload", r"^\s*\.\.\.$"]

_coverage = Slipcover(
    branch=True, exclude_also=UNCOUNTED, source=None if WORKER else [str(ROOT / "ttapi")]
)
if WORKER:
    ImportManager(_coverage, FileMatcher(sources=[ROOT / "ttapi"])).__enter__()


def pytest_sessionfinish():
    """Leave what was run for the merge."""
    file = ROOT / f".coverage.{WORKER or 'every-file'}.json"
    file.write_text(json.dumps(_coverage.get_coverage()))
