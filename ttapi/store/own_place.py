# SPDX-License-Identifier: Apache-2.0
"""Places that are ttapi's own: what a user writes never lands there, whichever door it comes through.

Any home counts, not only the one that is open; it is known by what lies in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ttapi.errors import UsageError

_OWN = frozenset({"live", "snapshots", "journal", "backups", "logs", "ttapi.toml"})
"""Names in a home, lower case; so is everything that begins like the published file."""
_PUBLIC = "market.duckdb"
_MARKS = (Path("live/market.duckdb"), Path("live/market.lock"), Path("live/state.json"))
"""What a home is known by: one of them is enough."""


def refuse_own_place(target: Path | str, *, is_backup: bool = False) -> None:
    """Nothing, or UsageError where `target` lies in, is, or holds what is ttapi's own.

    Links and relative paths are followed first. `is_backup`: the folder of backups is allowed.
    """
    place = Path(os.path.normpath(Path(target).expanduser().absolute()))
    for path in dict.fromkeys((place, _followed(place))):
        if (home := _home_of(path)) is None:
            continue
        inside = path.relative_to(home).parts
        if is_backup and inside[:1] == ("backups",):
            continue
        if not inside or _is_own(inside[0].lower()):
            raise UsageError(
                f"{target} is ttapi's own place, kept by the commands that write it",
                hint=f"{home / 'exports'} works, or a folder outside {home}",
            )


def is_live(target: Path | str) -> bool:
    """Whether `target` lies in the folder that only the owner of a live file opens."""
    path = _followed(Path(target).expanduser().absolute())
    home = _home_of(path)
    return home is not None and path.relative_to(home).parts[:1] == ("live",)


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_PUBLIC)


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a circle of links, or no path at all
        return path


def _home_of(path: Path) -> Path | None:
    """The home that `path` is, or lies in; None: neither."""
    for folder in (path, *path.parents):
        if any(_exists(folder / mark) for mark in _MARKS):
            return folder
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
