# SPDX-License-Identifier: Apache-2.0
"""Places that are ttapi's own: what a user writes never lands there, whichever door it comes through.

Any home counts, not only the one that is open; it is known by what lies in it.

What a user keeps in a folder: listed whatever it is, and read only where it is a file.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


_MISREAD = {"?": "a ?", "\\": "a backslash"}


def find_home(flag: Path | None, environ: Mapping[str, str]) -> Home:
    """The home folder: `--home`, else TTAPI_HOME, else the platform's user data folder.

    *Raises* UsageError for one in which the engine could open no file.
    """
    chosen = flag or (Path(environ["TTAPI_HOME"]) if environ.get("TTAPI_HOME") else None)
    root = (chosen or default_home()).expanduser().absolute()
    if wrong := unopenable_part(root):
        raise UsageError(
            f"{printable(str(root))}: the engine opens no file in a folder with {wrong} in its name",
            hint="name another folder with --home, or in TTAPI_HOME",
        )
    return Home(root)


def unopenable_part(path: Path) -> str | None:
    """What in `path` the engine takes for something else than a part of a name; None: nothing."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "bytes that are no UTF-8"
    return next((what for sign, what in _MISREAD.items() if sign in text), None)


def printable(text: str) -> str:
    """`text` with bytes that are no UTF-8 written out."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def default_home() -> Path:
    """The platform's user data folder for ttapi."""
    import platformdirs  # noqa: PLC0415 - only needed where neither flag nor TTAPI_HOME is given

    return Path(platformdirs.user_data_dir("ttapi", appauthor=False))


@dataclass(frozen=True)
class Home:
    """The folder of one ttapi installation's data, and the names in it."""

    root: Path

    @property
    def settings_file(self) -> Path:
        """`ttapi.toml`."""
        return self.root / "ttapi.toml"

    @property
    def sql(self) -> Path:
        """The user's own models."""
        return self.root / "sql"

    @property
    def sources(self) -> Path:
        """The user's own one-file plugins."""
        return self.root / "sources"

    @property
    def live(self) -> Path:
        """The folder of the live file, its lock and its state."""
        return self.root / "live"

    @property
    def live_file(self) -> Path:
        """The file the one owner writes; never opened by any other process."""
        return self.live / "market.duckdb"

    @property
    def lock_file(self) -> Path:
        """What the owner holds a lock on."""
        return self.live / "market.lock"

    @property
    def wanted_file(self) -> Path:
        """Touched by whoever waits for the lock, so that a recorder lets go of it for a while."""
        return self.live / "market.lock.wanted"

    @property
    def state_file(self) -> Path:
        """Verdicts and asked times, for `status`."""
        return self.live / "state.json"

    @property
    def readings_file(self) -> Path:
        """What looking through the models told, for commands to come."""
        return self.live / "models.json"

    @property
    def statements_file(self) -> Path:
        """What looking through the last statements told; whoever asks may write it."""
        return self.live / "statements.json"

    @property
    def stream_file(self) -> Path:
        """How the streams stand that are recorded now, or were last."""
        return self.live / "stream.json"

    @property
    def token_file(self) -> Path:
        """Where the daemon is, and the token it was started with; 0600, gone with it."""
        return self.live / "token"

    @property
    def daemon_note(self) -> Path:
        """What the daemon holds a lock on; it says which process that is, and where it serves."""
        return self.live / "serve.json"

    @property
    def command_socket(self) -> Path:
        """Where the daemon listens to the commands of its user on this machine; 0600, gone with it."""
        return self.live / "serve.sock"

    @property
    def pinned(self) -> Path:
        """Second names of published files that a daemon pages through."""
        return self.live / "pinned"

    @property
    def public_file(self) -> Path:
        """The symbolic link every client opens, read-only."""
        return self.root / "market.duckdb"

    @property
    def published_note(self) -> Path:
        """Size and time of what was last published."""
        return self.live / "published.json"

    @property
    def snapshots(self) -> Path:
        """The published generations."""
        return self.root / "snapshots"

    @property
    def exports(self) -> Path:
        """Where exports go."""
        return self.root / "exports"

    @property
    def backups(self) -> Path:
        """Where sealed copies go."""
        return self.root / "backups"

    @property
    def journal(self) -> Path:
        """Where streams are written down before they are loaded."""
        return self.root / "journal"

    @property
    def recorder_file(self) -> Path:
        """What the one recorder of a home holds a lock on."""
        return self.journal / "recorder.lock"

    @property
    def stream_trouble_file(self) -> Path:
        """Why the stream of a daemon does not run; gone where it does."""
        return self.live / "stream_trouble.json"

    @property
    def logs(self) -> Path:
        """Where the log files are."""
        return self.root / "logs"

    @property
    def accounts(self) -> Path:
        """Users of the daemon, and the keys that their tokens are signed with; made when first needed."""
        return self.root / "accounts"

    def folders(self) -> tuple[Path, ...]:
        """Every folder `init` makes, the root first."""
        return (
            self.root,
            self.sql,
            self.sources,
            self.live,
            self.snapshots,
            self.exports,
            self.backups,
            self.journal,
            self.logs,
        )


_OWN = frozenset({"accounts", "live", "snapshots", "journal", "backups", "logs", "ttapi.toml"})
"""Names in a home, lower case; so is everything that begins like the published file."""
_PUBLIC = "market.duckdb"
_MARKS = (Path("live/market.duckdb"), Path("live/market.lock"), Path("live/state.json"))
"""What a home is known by: one of them is enough."""


def refuse_home_path(target: Path | str, *, is_backup: bool = False) -> None:
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


def is_live_path(target: Path | str) -> bool:
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


_HIDDEN = (".", "#")
"""How the names begin of what editors leave beside a file: locks, and what was not saved."""
_NO_FILE = {
    stat.S_IFDIR: "it is a folder",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
}


def entries_below(folder: Path, ending: str) -> list[Path]:
    """What lies below `folder` under names that end so, sorted: files, and whatever else is called so.

    Hidden names are left out, links to folders are not followed. A folder below it that cannot be
    listed stands for what it holds.
    """
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        try:
            entries = list(os.scandir(inside))
        except OSError:
            found += [inside] if inside != folder else []
            continue
        for entry in entries:
            if entry.name.startswith(_HIDDEN):
                continue
            if entry.name.endswith(ending):
                found.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
    return sorted(found)


def open_file(path: Path) -> BinaryIO:
    """`path`, open to be read.

    *Raises* OSError that says why not, of a folder, a pipe or a device too: nobody waits for a writer.
    """
    try:
        _require_file(path.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        if path.is_symlink():
            raise FileNotFoundError(errno.ENOENT, "it is a link to nothing") from exc
        raise
    stream = os.fdopen(descriptor, "rb")
    try:
        # It may have become something else in between.
        _require_file(os.fstat(descriptor))
    except OSError:
        stream.close()
        raise
    return stream


def read_file(path: Path) -> bytes:
    """The content of `path`. *Raises* OSError as `open_file`."""
    with open_file(path) as stream:
        return stream.read()


def _require_file(facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        why = _NO_FILE.get(stat.S_IFMT(facts.st_mode), "it is no file")
        raise OSError(errno.EINVAL, why)
