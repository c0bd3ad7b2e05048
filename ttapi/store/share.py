# SPDX-License-Identifier: Apache-2.0
"""A copy of the published file for somebody else: the same relations, no private dataset."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.store.engine import STORAGE_VERSION, connect_memory, engine_errors
from ttapi.store.files import remove, sync_file, sync_folder, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ttapi.config import Home


def share_database(home: Home, target: Path, private: Iterable[str]) -> int:
    """Write the newest published generation to `target` without the rows of `private`; its bytes.

    `private`: dataset names (`raw.accounts`). Their tables stay, empty, so that every view of the
    copy can still be read.

    *Raises* UsageError for a target that exists or cannot be written; StoreError.
    """
    if target.exists():
        raise UsageError(f"{target} exists already", hint="remove it, or name another file")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.absolute().parent} is no folder", hint="make it first")
    building = temporary_name(target)
    path = str(building).replace("'", "''")
    try:
        with closing(connect_memory()) as connection, engine_errors(target):
            public = str(home.public_file.resolve()).replace("'", "''")
            connection.execute(f"attach '{public}' as market (read_only)")
            connection.execute(f"attach '{path}' as shared (storage_version '{STORAGE_VERSION}')")
            connection.execute("copy from database market to shared")
            for dataset in sorted(private):
                schema, _, table = dataset.rpartition(".")
                if schema in {"raw", "derived"}:
                    connection.execute(f'delete from shared."{schema}"."{table}"')
            connection.execute("checkpoint shared")
            connection.execute("detach shared")
        sync_file(building)
        building.replace(target)
        sync_folder(target.absolute().parent)
    finally:
        remove(building)
    return target.stat().st_size
