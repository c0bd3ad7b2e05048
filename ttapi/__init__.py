# SPDX-License-Identifier: Apache-2.0
"""ttapi: an embedded analytical database of options and market data.

`import ttapi` is cheap: each public name loads its room on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ttapi.api.answer import Answer
    from ttapi.api.database import Database
    from ttapi.api.database import open_database as open  # noqa: A004 - ttapi.open() reads well
    from ttapi.api.published import connect_published as connect
    from ttapi.cli.magic import load_ipython_extension
    from ttapi.errors import (
        BudgetError,
        LockedError,
        ModelError,
        QueryError,
        SourceDownError,
        SourceError,
        StaleError,
        StoreError,
        TtapiError,
        UsageError,
    )
    from ttapi.refresh.planner import plan_refresh
    from ttapi.refresh.writer import run_refresh
    from ttapi.sources.contract import Source

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "BudgetError",
    "Database",
    "Freshness",
    "LockedError",
    "ModelError",
    "QueryError",
    "Source",
    "SourceDownError",
    "SourceError",
    "StaleError",
    "StoreError",
    "TtapiError",
    "UsageError",
    "__version__",
    "connect",
    "load_ipython_extension",
    "open",
    "plan_refresh",
    "run_refresh",
]

_HOMES = {
    "Answer": "ttapi.api.answer",
    "Database": "ttapi.api.database",
    "Freshness": "ttapi.refresh.freshness",
    "Source": "ttapi.sources.contract",
    "plan_refresh": "ttapi.refresh.planner",
    "run_refresh": "ttapi.refresh.writer",
}
_RENAMED = {
    "load_ipython_extension": ("ttapi.cli.magic", "load_ipython_extension"),
    "connect": ("ttapi.api.published", "connect_published"),
    "open": ("ttapi.api.database", "open_database"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ttapi' has no attribute {name!r}")
    import importlib

    module, attribute = _RENAMED.get(name, (_HOMES.get(name, "ttapi.errors"), name))
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
