# SPDX-License-Identifier: Apache-2.0
"""What the extras of the distribution bring, and the command that installs it where ttapi runs.

The distribution on an index and the import have different names, ttapi may have come from a wheel, a
checkout or an index, and its environment may lack pip: so the packages themselves are named, for
this very interpreter.
"""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec

from ttapi.errors import UsageError

DISTRIBUTION = "ttapi-db"


def require_extra(extra: str, module: str, whatever: str) -> None:
    """Nothing, where `module` of the extra is installed.

    *Raises* UsageError, in one line, with the command that installs it; `whatever` needs it.
    """
    if find_spec(module) is None:
        command = install_command(*(extra_requirements(extra) or [module]))
        raise UsageError(f"{whatever} needs the extra [{extra}]: {command}")


def extra_requirements(extra: str) -> list[str]:
    """What the extra adds, without markers; empty where ttapi runs without having been installed."""
    from importlib.metadata import PackageNotFoundError, requires  # noqa: PLC0415 - for a message only

    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    split = [line.partition(";") for line in declared]
    return [
        requirement.strip()
        for requirement, _, marker in split
        if f"extra == '{extra}'" in marker.replace('"', "'")
    ]


def install_command(*requirements: str) -> str:
    """What a user types to install these beside ttapi; uv where the environment has no pip."""
    tool = [sys.executable, "-m", "pip", "install"]
    if find_spec("pip") is None:
        tool = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*tool, *requirements])
