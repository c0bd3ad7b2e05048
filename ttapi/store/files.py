# SPDX-License-Identifier: Apache-2.0
"""Files beside the database: made under a temporary name, synced, moved in, or swept away.

A temporary name is `<name>.tmp-<pid>`, so whoever finds one can tell whether its maker still lives.
Nothing here may open the live file: closing any descriptor of it would drop the engine's lock.
"""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from ttapi.store.lock import is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from ttapi.config import Home

_TEMPORARY = re.compile(r"\.tmp-(\d+)(\.wal)?$")


def temporary_name(target: Path) -> Path:
    """The name under which this process builds what will become `target`, in the same folder."""
    return target.with_name(f"{target.name}.tmp-{os.getpid()}")


def sync_file(file: Path) -> None:
    """Have the disk keep the content of `file`."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names in `folder`."""
    sync_file(folder)


def remove(path: Path) -> None:
    """Remove a file, link or folder that may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def leftovers(folder: Path) -> list[Path]:
    """The temporary files in `folder` whose makers are dead; a folder that is missing has none."""
    found = []
    for path in sorted(folder.glob("*.tmp-*")):
        match = _TEMPORARY.search(path.name)
        if match and not is_alive(int(match[1])):
            found.append(path)
    return found


def remove_leftovers(home: Home) -> tuple[Path, ...]:
    """Remove the temporary files of dead processes and say which they were; the owner calls it.

    In the folders only the owner writes to, a file of this process's own number is an earlier
    process's too.
    """
    removed = []
    for folder in (home.root, home.live, home.snapshots, home.exports, home.backups):
        is_owners = folder in (home.live, home.snapshots)
        for path in sorted(folder.glob("*.tmp-*")):
            match = _TEMPORARY.search(path.name)
            if match and _is_left_over(int(match[1]), is_owners=is_owners):
                remove(path)
                removed.append(path)
    return tuple(removed)


def _is_left_over(pid: int, *, is_owners: bool) -> bool:
    return is_owners if pid == os.getpid() else not is_alive(pid)
