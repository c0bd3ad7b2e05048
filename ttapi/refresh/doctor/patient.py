# SPDX-License-Identifier: Apache-2.0
"""The home under examination: settings in force, the instant, how commands about it are written."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.config import Settings, load_settings
from ttapi.errors import TtapiError
from ttapi.refresh.workspace import Workspace
from ttapi.store.lock import LockNote, read_lock
from ttapi.store.restore import origins, require_live

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from ttapi.config import Home

_LINE = re.compile(r"\bline (\d+)")


@dataclass(frozen=True)
class Patient:
    """What every check is handed."""

    home: Home
    workspace: Workspace
    """With default settings where the home's cannot be read."""
    settings_error: str | None
    clock: datetime
    """The machine's, for the times of files; zone-aware UTC."""
    prefix: str
    """How a command about this home begins: `ttapi`, or `ttapi --home DIR`."""
    lock: LockNote
    live_error: TtapiError | None
    """Why the live file cannot be worked with."""
    has_copies: bool
    """Whether a snapshot or backup looks good."""

    def ttapi(self, words: str) -> str:
        """A command about this home."""
        return f"{self.prefix} {words}"

    @property
    def republish(self) -> str:
        """What makes the published file and the state follow from the live file again."""
        return self.ttapi("restore live") if self.live_error is None else self.bring_back

    @property
    def bring_back(self) -> str:
        """What puts a whole live file in place."""
        return self.ttapi("restore" if self.has_copies else "restore empty")


def examine(
    home: Home,
    environ: Mapping[str, str],
    *,
    now: datetime,
    clock: datetime,
    prefix: str = "ttapi",
) -> Patient:
    """`home`, looked at once; never raises on what is wrong with it."""
    settings, error = Settings(), None
    try:
        settings = load_settings(home, environ)
    except TtapiError as exc:
        error = str(exc)
    lock = read_lock(home)
    return Patient(
        home,
        Workspace(home, settings, now),
        error,
        clock,
        prefix,
        lock,
        None if lock.is_held else _live_error(home),
        next(origins(home), None) is not None,
    )


def _live_error(home: Home) -> TtapiError | None:
    try:
        require_live(home)
    except TtapiError as exc:
        return exc
    return None


def edit(file: Path, message: str) -> str:
    """The command that opens `file` where `message` says, or where what it names stands."""
    line = _line_of(file, message)
    at = f"+{line} " if line else ""
    return f"${{EDITOR:-vi}} {at}{shlex.quote(str(file))}"


def _line_of(file: Path, message: str) -> int | None:
    if match := _LINE.search(message):
        return int(match[1])
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    if message.endswith("(at end of document)"):
        return max(1, len(lines))
    for number, line in enumerate(lines, 1):
        words = re.findall(r"\w+", line.partition("=")[0])
        if words and re.search(rf"\b{re.escape(words[-1])}\b['\]]* ?(=|must|$|\(|is no)", message):
            return number
    return None
