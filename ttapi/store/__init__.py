# SPDX-License-Identifier: Apache-2.0
"""The one file: opened, locked, migrated, loaded, published and exported; DuckDB lives here only.

Names load on first use, so that reading `live/state.json` costs no engine. The function `publish`
stays in its module, whose name it shares.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttapi.store.engine import Connection, connect_snapshot, engine_errors
    from ttapi.store.export import (
        ExportOutcome,
        ExportRequest,
        export_changed,
        export_query,
        export_target,
    )
    from ttapi.store.files import read_state, write_state
    from ttapi.store.ledger import Coverage, UnitRecord, dataset_version, read_units
    from ttapi.store.load import LoadResult, load_batch, mark_vanished, was_loaded
    from ttapi.store.lock import OwnerLock, acquire, current_owner
    from ttapi.store.publish import Publication, published_generation
    from ttapi.store.schema import ensure_raw_table
    from ttapi.store.store import Store, init_home, make_folders, open_store

_HOMES = {
    "Connection": "engine",
    "Coverage": "ledger",
    "ExportOutcome": "export",
    "ExportRequest": "export",
    "LoadResult": "load",
    "OwnerLock": "lock",
    "Publication": "publish",
    "Store": "store",
    "UnitRecord": "ledger",
    "acquire": "lock",
    "connect_snapshot": "engine",
    "current_owner": "lock",
    "dataset_version": "ledger",
    "engine_errors": "engine",
    "ensure_raw_table": "schema",
    "export_changed": "export",
    "export_query": "export",
    "export_target": "export",
    "init_home": "store",
    "load_batch": "load",
    "make_folders": "store",
    "mark_vanished": "load",
    "open_store": "store",
    "published_generation": "publish",
    "read_state": "files",
    "read_units": "ledger",
    "was_loaded": "load",
    "write_state": "files",
}

__all__ = [
    "Connection",
    "Coverage",
    "ExportOutcome",
    "ExportRequest",
    "LoadResult",
    "OwnerLock",
    "Publication",
    "Store",
    "UnitRecord",
    "acquire",
    "connect_snapshot",
    "current_owner",
    "dataset_version",
    "engine_errors",
    "ensure_raw_table",
    "export_changed",
    "export_query",
    "export_target",
    "init_home",
    "load_batch",
    "make_folders",
    "mark_vanished",
    "open_store",
    "published_generation",
    "read_state",
    "read_units",
    "was_loaded",
    "write_state",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
