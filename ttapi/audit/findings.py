# SPDX-License-Identifier: Apache-2.0
"""One finding, and the list of everything that can be found.

And what is examined: a home, its settings in force, the instant, how commands about it are written.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ttapi.clock import FixedClock
from ttapi.config import Settings, load_settings
from ttapi.errors import TtapiError
from ttapi.home import read_file
from ttapi.refresh.environment import Environment, environment_of
from ttapi.refresh.installation import Installation
from ttapi.store.lock import LockNote, read_lock
from ttapi.store.restore import origins, require_live

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from ttapi.home import Home

Severity = Literal["error", "warning", "note"]

CODES: dict[str, tuple[Severity, str]] = {
    "asked-in-future": (
        "warning",
        "a dataset was asked at an instant that has not come yet, and counts as stale",
    ),
    "audit-log-broken": ("error", "lines of the audit log were changed or are gone"),
    "backup-half": ("warning", "a backup was cut short"),
    "backup-missing": ("note", "no backup was ever made"),
    "backup-old": ("note", "an older backup cannot be used, a newer one can"),
    "backup-unusable": ("warning", "the newest backup was damaged or changed"),
    "check-failed": ("warning", "a data check found bad rows"),
    "daemon-gone": ("warning", "a daemon was killed; what it left names a process that is no more"),
    "daemon-hangs": (
        "warning",
        "the daemon does not answer; where it holds the live file, commands wait for it in vain",
    ),
    "daemon-limited": (
        "note",
        "the daemon leaves datasets alone that need more calls than it may make",
    ),
    "daemon-other-version": ("warning", "the daemon runs another version of ttapi"),
    "daemon-troubled": ("warning", "what the daemon keeps fresh by itself fails"),
    "dataset-failed": ("warning", "the last attempt to bring a dataset up to date failed"),
    "dataset-stale": ("note", "datasets are due; a query that reads them refreshes them"),
    "disk-low": ("warning", "the disk has no room for another published file"),
    "engine-unsupported": ("error", "ttapi was not made for this DuckDB or Python"),
    "file-limit": ("error", "this process may not write files as large as the database"),
    "file-time-in-future": ("warning", "a file was written at an instant that has not come yet"),
    "folder-missing": ("warning", "a folder of the home is gone"),
    "folder-open": ("warning", "other users of this machine can read the home"),
    "folder-read-only": ("error", "the home cannot be written"),
    "home-missing": ("error", "there is no ttapi home"),
    "kept-aside": ("note", "files that a restore put aside take room"),
    "leftover-files": ("warning", "a command that was killed left temporary files"),
    "ledger-parted": ("error", "the ledger and the data do not agree"),
    "live-behind": ("error", "the live file is older than what was published from it"),
    "live-damaged": ("error", "the live file is damaged"),
    "live-foreign": (
        "error",
        "a DuckDB file that ttapi did not make lies in place of the live file",
    ),
    "live-locked": ("note", "a command is writing; the live file was not looked at"),
    "live-missing": ("error", "the live file is gone"),
    "live-newer-engine": ("error", "a newer DuckDB wrote the live file"),
    "live-newer-schema": ("error", "a newer ttapi wrote the live file"),
    "live-no-database": ("error", "what lies in place of the live file is no database"),
    "live-altered-schema": ("error", "the live file was made by other migrations than ttapi has"),
    "live-older-schema": ("warning", "the live file waits for migrations"),
    "live-open-elsewhere": ("warning", "another program has the live file open"),
    "live-other-storage": (
        "error",
        "the live file has a storage version that older clients cannot read",
    ),
    "live-unpublished": ("warning", "something is committed that no client sees yet"),
    "live-unreadable": ("error", "the live file cannot be opened"),
    "lock-foreign": ("warning", "the lock file names a process of another machine"),
    "lock-stale": ("warning", "a command was killed while it held the lock"),
    "log-damaged": ("error", "the write-ahead log cannot be applied"),
    "log-foreign": ("error", "the write-ahead log is of another database"),
    "log-left": ("warning", "a command was killed before it could close the live file"),
    "log-torn": ("error", "the write-ahead log ends within a write"),
    "model-broken": ("error", "a SQL model is wrong"),
    "plugin-broken": ("error", "a source plugin does not load"),
    "published-damaged": ("error", "the published file is damaged"),
    "published-differs": ("error", "the published file is not what the live file holds"),
    "published-half": ("warning", "a publication was cut short"),
    "published-link-dangling": ("error", "the published link leads nowhere"),
    "published-link-elsewhere": (
        "error",
        "the published link leads to something else than the newest file",
    ),
    "published-link-missing": ("error", "the published link is gone"),
    "published-link-replaced": ("error", "a file lies in place of the published link"),
    "published-log": ("warning", "a client opened a published file for writing"),
    "published-writable": ("warning", "a published file can be opened for writing"),
    "restore-half": ("error", "a restore was cut short"),
    "settings-open": ("warning", "other users of this machine can read the settings"),
    "settings-wrong": ("error", "ttapi.toml cannot be used"),
    "shared-left": ("note", "copies for viewers of a daemon were left, which no process has open"),
    "snapshots-many": ("warning", "more published files are kept than the settings say"),
    "source-not-configured": ("note", "a source has not been told where its data is"),
    "sql-isolation": ("note", "what stands around the SQL that a daemon runs for others"),
    "state-behind": ("warning", "live/state.json tells of another generation"),
    "state-damaged": ("warning", "live/state.json makes no sense"),
    "state-missing": ("warning", "live/state.json is gone"),
    "stream-stopped": ("warning", "the daemon's stream does not run; it is tried again by itself"),
    "unit-failed": ("warning", "a file or symbol could not be loaded"),
}
"""Severity and meaning of every code. Errors alone make the exit code 1."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that one should know."""

    code: str
    evidence: str
    """What was seen, with names and numbers."""
    command: str
    """The one command that repairs it, or that shows more where nothing has to be repaired."""

    @property
    def severity(self) -> Severity:
        """How bad it is: error, warning or note."""
        return CODES[self.code][0]

    @property
    def about(self) -> str:
        """What the code means."""
        return CODES[self.code][1]


_LINE = re.compile(r"\bline (\d+)")


@dataclass(frozen=True)
class Examination:
    """What every check is handed."""

    home: Home
    environment: Environment
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


def start_examination(
    home: Home,
    environ: Mapping[str, str],
    *,
    now: datetime,
    clock: datetime,
    prefix: str = "ttapi",
) -> Examination:
    """`home`, looked at once; never raises on what is wrong with it."""
    settings, error = Settings(), None
    try:
        settings = load_settings(home, environ)
    except TtapiError as exc:
        error = str(exc)
    lock = read_lock(home)
    return Examination(
        home,
        environment_of(Installation(home, settings), FixedClock(now)),
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
        lines = read_file(file).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    if message.endswith("(at end of document)"):
        return max(1, len(lines))
    for number, line in enumerate(lines, 1):
        words = re.findall(r"\w+", line.partition("=")[0])
        if words and re.search(rf"\b{re.escape(words[-1])}\b['\]]* ?(=|must|$|\(|is no)", message):
            return number
    return None
