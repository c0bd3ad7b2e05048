# SPDX-License-Identifier: Apache-2.0
"""The child that writes exports after a publication: it reads the snapshot, never the live file.

`python -m ttapi.store.export_child PARENT_PID HOME REQUESTS`, the requests as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from ttapi.config import Home
from ttapi.errors import TtapiError
from ttapi.store.child import die_with_parent
from ttapi.store.export import ExportRequest, export_requests


def main(arguments: list[str]) -> int:
    """Write every requested relation and answer with the outcomes."""
    parent_pid, root, work = int(arguments[0]), Path(arguments[1]), arguments[2]
    die_with_parent(parent_pid)
    requests = [ExportRequest(**request) for request in json.loads(work)]
    try:
        outcomes = export_requests(Home(root), requests)
    except TtapiError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps({"outcomes": [asdict(outcome) for outcome in outcomes]}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
