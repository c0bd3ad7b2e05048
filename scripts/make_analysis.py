# SPDX-License-Identifier: Apache-2.0
"""Write `sql/analysis.json`: what looking through ttapi's own models tells, shipped with them.

A new home is set up with it in a third of the time. It holds for the code that told it alone, so a
change of a model or of `ttapi/models` makes it anew; `--check` writes nothing, and leaves with 1 where
it is not what the code says.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "sql" / "analysis.json"
NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)


def analysis() -> str:
    """The file's text, told now by the models as they are."""
    from ttapi.clock import FixedClock
    from ttapi.home import Home
    from ttapi.models.install import installs_to_ship
    from ttapi.models.lineage import lineage_to_ship
    from ttapi.models.model_cache import AnalysisCache, analyser_code, readings_document
    from ttapi.refresh.environment import environment_of
    from ttapi.refresh.installation import InstallationCache, load_installation
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.writer import run_refresh
    from ttapi.store.engine import connect_snapshot
    from ttapi.store.store import init_home

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        init_home(home, now=NOW)
        cache = InstallationCache()
        # Nothing is known: neither what is shipped today nor what this home will say.
        cache.part("analysis", home.readings_file, AnalysisCache)
        environment = environment_of(load_installation(home, {}, cache), FixedClock(NOW))
        run_refresh(environment, RefreshRequest(targets=("calendar",)))
        macros = {n: d.columns for n, d in environment.datasets.items() if d.kind == "macro"}
        with closing(connect_snapshot(home.public_file)) as connection:
            lineage = lineage_to_ship(connection.cursor(), environment.graph, macros)
            installed = installs_to_ship(connection.cursor(), environment.graph)
    told = readings_document(environment.installation.analysis_cache)
    return _text(
        {
            "code": analyser_code(),
            "models": dict(sorted(told["models"].items())),
            "forms": told["forms"],
            "installed": dict(sorted(installed.items())),
            "lineage": dict(sorted(lineage.items())),
        }
    )


def _text(document: dict[str, object]) -> str:
    """JSON, one model a line: what changed is seen in a difference."""
    parts = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines = ",\n".join(f"{json.dumps(k)}:{_compact(v)}" for k, v in value.items())
            parts.append(f"{json.dumps(name)}:{{\n{lines}\n}}")
        else:
            parts.append(f"{json.dumps(name)}:{_compact(value)}")
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def main() -> int:
    """Write the file, or compare it."""
    made = analysis()
    if "--check" in sys.argv[1:]:
        is_same = FILE.is_file() and FILE.read_text(encoding="utf-8") == made
        if not is_same:
            print("sql/analysis.json is not what the code says: python scripts/make_analysis.py")
        return 0 if is_same else 1
    FILE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
