# SPDX-License-Identifier: Apache-2.0
"""What every command starts with: the workspace, the log file, someone to tell."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.config import find_home, load_settings, now_from
from ttapi.errors import LockOwner, UsageError
from ttapi.formats.spans import seconds_text
from ttapi.secret import scrubbed

if TYPE_CHECKING:
    import typer

    from ttapi.refresh.workspace import Workspace

_PLAIN_WIDTH = 80

__all__ = [
    "open_workspace",
    "require_home",
    "seconds_text",
    "talk_width",
    "tell",
    "tell_waiting",
    "workspace_at",
]


def open_workspace(context: typer.Context, *, symbols: frozenset[str] | None = None) -> Workspace:
    """The workspace of the command's `--home`, with the environment's settings.

    *Raises* UsageError for a wrong setting.
    """
    return workspace_at(context.obj, symbols=symbols)


def workspace_at(flag: Path | None, *, symbols: frozenset[str] | None = None) -> Workspace:
    """The workspace of the home at `flag`, or of the default one.

    *Raises* UsageError for a wrong setting.
    """
    from ttapi.refresh.workspace import Workspace

    home = find_home(flag, os.environ)
    return Workspace(home, load_settings(home, os.environ), now_from(os.environ), symbols=symbols)


def require_home(workspace: Workspace) -> None:
    """Nothing, or UsageError when the home was never made."""
    if not workspace.home.live_file.exists():
        raise UsageError(
            f"{workspace.home.root} holds no ttapi database",
            hint=f"ttapi --home {workspace.home.root} init makes one",
        )


def tell(text: str) -> None:
    """One line of talk, on standard error."""
    sys.stderr.write(scrubbed(text) + "\n")
    sys.stderr.flush()


def talk_width() -> int:
    """Columns of the terminal that standard error is; 80 where it is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _PLAIN_WIDTH
    except (OSError, ValueError):
        return _PLAIN_WIDTH


def tell_waiting(owner: LockOwner | None) -> None:
    """Say who is being waited for."""
    who = (
        f"process {owner.pid} ({owner.command}) on {owner.host}, since {owner.started_at}"
        if owner
        else "another process"
    )
    tell(f"ttapi: waiting for {who}")
