# SPDX-License-Identifier: Apache-2.0
"""Where files lie: a folder tree, a glob, a zip archive; listed, and read whole.

A file is read between two looks at its size and time; one that changed meanwhile is read once
more and then given up, so never half of a file goes on. Nothing is ever extracted.

Which files can hold a symbol, without parsing one: those whose name or bytes contain it.

A file is left out only when none of the symbols' letters stand in it, in whatever column or case;
what cannot be searched (UTF-16, compressed, unreadable) is kept.

What a file says of its rows beside them: the symbol and the day in its place, its columns.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ttapi.errors import SourceError, UsageError
from ttapi.home import open_file
from ttapi.sources.contract import Unit
from ttapi.sources.dates import parse_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


MEMBER_LIMIT = 1 << 30
"""Bytes one archive member may unpack to."""
RATIO_LIMIT = 200
"""Unpacked over packed bytes from which a large member is a bomb; price files reach 30."""
_SMALL = 1 << 24

ReadBytes = Callable[[BinaryIO], bytes]
Wanted = Callable[[str], bool]
"""Whether a file of this key (or name) is one to read."""


class Tree(Protocol):
    """A place that holds files."""

    def units(self) -> list[Unit]:
        """Every wanted file, sorted by key."""
        ...

    def read(self, unit: Unit) -> bytes:
        """The whole content of one file. *Raises* SourceError."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def open_tree(path: Path, wanted: Wanted, read: ReadBytes) -> Tree:
    """The folder tree or zip archive at `path`. *Raises* UsageError naming it."""
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
    if is_folder:
        return FolderTree(path, wanted, read)
    if not is_there:
        raise UsageError(f"{path} does not exist", hint="name a folder or a .zip file")
    if path.suffix.lower() != ".zip":
        raise UsageError(
            f"{path} is neither a folder nor a .zip file", hint="name the folder the file lies in"
        )
    return ZipTree(path, wanted)


def read_all(file: BinaryIO) -> bytes:
    """The bytes of an open file up to its end."""
    return file.read()


@dataclass(frozen=True)
class FolderTree:
    """A folder and everything below it; links to folders are not followed, hidden names skipped."""

    root: Path
    wanted: Wanted
    read_bytes: ReadBytes = read_all

    def units(self) -> list[Unit]:
        """Every wanted file, sorted by key."""
        return sorted(self._scan(self.root, ""), key=lambda unit: unit.key)

    def _scan(self, folder: Path, prefix: str) -> Iterator[Unit]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._scan(Path(entry.path), f"{prefix}{entry.name}/")
                    elif self.wanted(prefix + entry.name):
                        yield from _unit_of(prefix + entry.name, entry.stat)
        except OSError as exc:
            raise UsageError(f"{folder} cannot be listed: {exc.strerror}") from exc

    def read(self, unit: Unit) -> bytes:
        """The whole content of one file. *Raises* SourceError."""
        path = self.root / unit.key
        try:
            _refuse_escape(path, self.root)
            for _ in range(2):
                with open_file(path) as file:
                    before = os.fstat(file.fileno())
                    content = self.read_bytes(file)
                    after = os.fstat(file.fileno())
                if _same(before, after) and len(content) == after.st_size and after.st_nlink:
                    return content
        except FileNotFoundError as exc:
            what = "is a link to nothing" if path.is_symlink() else "vanished while being read"
            raise SourceError(f"{unit.key} {what}") from exc
        except OSError as exc:
            raise SourceError(f"{unit.key} cannot be read: {exc.strerror}") from exc
        raise SourceError(
            f"{unit.key} changed while being read", hint="refresh again when its writer is done"
        )

    def close(self) -> None:
        """Nothing stays open between files."""


@dataclass(frozen=True)
class ChosenFiles(FolderTree):
    """The files below a folder that a glob names; `*` stays within a folder, `**` does not."""

    pattern: str = "*"

    def units(self) -> list[Unit]:
        """Every wanted file, sorted by key."""
        try:
            found = {path.relative_to(self.root).as_posix(): path for path in self._found()}
        except OSError as exc:
            raise UsageError(f"{self.root} cannot be listed: {exc.strerror}") from exc
        return [unit for key in sorted(found) for unit in _unit_of(key, found[key].stat)]

    def _found(self) -> list[Path]:
        if not self.root.is_dir():
            raise UsageError(f"{self.root} does not exist", hint="name a folder, a file or a glob")
        return [
            path
            for path in self.root.glob(self.pattern)
            if not path.name.startswith(".") and self.wanted(path.name) and not path.is_dir()
        ]


def _unit_of(key: str, stat_file: Callable[[], os.stat_result]) -> Iterator[Unit]:
    """The unit of what is called as one, but of a link to a folder."""
    try:
        facts = stat_file()
    except OSError:
        # A link to nothing, a file just deleted, a closed folder: reading it will say which.
        yield Unit(key, None, None)
        return
    if stat.S_ISREG(facts.st_mode):
        yield Unit(key, facts.st_size, facts.st_mtime_ns)
    elif not stat.S_ISDIR(facts.st_mode):
        # A pipe or a device: reading it says so, too.
        yield Unit(key, None, None)


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return before.st_size == after.st_size and before.st_mtime_ns == after.st_mtime_ns


def _refuse_escape(path: Path, root: Path) -> None:
    if path.is_symlink() and not Path(os.path.realpath(path, strict=True)).is_relative_to(
        root.resolve()
    ):
        raise SourceError(
            f"{path.name} is a link that leaves {root}", hint="copy the file into the folder"
        )


class ZipTree:
    """The members of a zip archive; the key is the member's path. Nothing is extracted."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path = path
        self.wanted = wanted
        try:
            open_file(path).close()
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, zipfile.LargeZipFile) as exc:
            raise UsageError(
                f"{path} is not a readable zip archive: {exc}", hint="fetch it again"
            ) from exc
        except OSError as exc:
            raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
        self._copies = Counter(self._archive.namelist())

    def units(self) -> list[Unit]:
        """Every wanted file, sorted by key."""
        return [
            Unit(name, info.file_size, _zip_stamp(info))
            for name in sorted(self._copies)
            if self.wanted(name) and not _is_hidden(name)
            if not (info := self._archive.getinfo(name)).is_dir()
        ]

    def read(self, unit: Unit) -> bytes:
        """The whole content of one member. *Raises* SourceError."""
        try:
            info = self._archive.getinfo(unit.key)
        except KeyError as exc:
            raise SourceError(f"{unit.key} vanished from {self.path}") from exc
        _refuse_member(info, self._copies[unit.key])
        try:
            return self._archive.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as exc:
            raise SourceError(f"{unit.key} in {self.path} is damaged: {exc}") from exc
        except (RuntimeError, NotImplementedError) as exc:
            raise SourceError(f"{unit.key} in {self.path} cannot be unpacked: {exc}") from exc

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


def _refuse_member(info: zipfile.ZipInfo, copies: int) -> None:
    name = info.filename
    if copies > 1:
        raise SourceError(f"{name} stands {copies} times in the archive")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in parts[0]:
        raise SourceError(
            f"{name!r} is a name that leaves the archive", hint="unpack it yourself and look"
        )
    if info.file_size > MEMBER_LIMIT:
        raise SourceError(f"{name} unpacks to {info.file_size} bytes, the limit is {MEMBER_LIMIT}")
    if info.file_size > _SMALL and info.file_size > RATIO_LIMIT * max(info.compress_size, 1):
        raise SourceError(
            f"{name} unpacks to {info.file_size} bytes from {info.compress_size}, a bomb's ratio"
        )


def _zip_stamp(info: zipfile.ZipInfo) -> int:
    """What stands for a modification time: the member's date (2 s steps) and its checksum."""
    year, month, day, hour, minute, second = info.date_time
    day_stamp = (year - 1980) << 9 | month << 5 | day
    time_stamp = hour << 11 | minute << 5 | second // 2
    return (day_stamp << 16 | time_stamp) << 31 | info.CRC >> 1


def _is_hidden(name: str) -> bool:
    return any(
        (part.startswith(".") and part != "..") or part == "__MACOSX"
        for part in PurePosixPath(name).parts
    )


_RUN = re.compile(rb"[A-Z0-9]+")
_FEW = 30
_PLAIN = (".csv", ".txt", ".asc", ".prn", ".dat", ".tsv")
_NOT_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK", b"PAR1")


def files_naming(tree: Tree, units: Sequence[Unit], values: frozenset[str]) -> list[Unit]:
    """Those of `units` that may hold one of `values`, in order."""
    words = {_longest_word(value) for value in values}
    if b"" in words:
        return list(units)
    return [unit for unit in units if _may_hold(tree, unit, words)]


def _longest_word(value: str) -> bytes:
    """The longest run of letters and digits: sources differ in how they write BRK.B."""
    runs = _RUN.findall(value.upper().encode())
    return max(runs, key=len) if runs else b""


def _may_hold(tree: Tree, unit: Unit, words: set[bytes]) -> bool:
    if _names_one(unit.key.encode(), words) or not unit.key.lower().endswith(_PLAIN):
        return True
    try:
        content = tree.read(unit)
    except SourceError:
        return True
    if content.startswith(_NOT_TEXT):
        return True
    return _names_one(content, words)


def _names_one(text: bytes, words: set[bytes]) -> bool:
    """Whether one of `words` stands in `text` by itself, in whatever case."""
    upper = text.upper()
    # A few are looked for faster than all words of a file are told apart.
    if len(words) <= _FEW and not any(word in upper for word in words):
        return False
    return not words.isdisjoint(_RUN.findall(upper))


_DAY = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)", re.ASCII)
_TICKER = re.compile(r"[A-Z][A-Z0-9]{0,5}([./-][A-Z]{1,2})?", re.ASCII)


@dataclass(frozen=True)
class FilePlace:
    """Where rows come from."""

    stem: str
    """The file's name without its endings."""
    folder: str
    """Name of the folder it lies in."""
    columns: frozenset[str] = frozenset()
    """The columns it has, by the names they are taken under."""


def origin_of(root: Path, key: str) -> FilePlace:
    """The place of the file that is called `key` below `root`."""
    path = Path(os.path.abspath(root / key))  # noqa: PTH100 - `resolve` would follow links
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return FilePlace(Path(name).stem, path.parent.name)


def symbol_of_place(origin: FilePlace) -> str | None:
    """The symbol a file is about: `AAPL/20140602.csv`, `options/AAPL.csv`, `AAPL_2014-06-02.csv`.

    The folder's name goes first where it is written as a symbol, in capitals; then what the file's
    name says beside a day, then either in any case.
    """
    beside_day = _DAY.sub("", origin.stem).strip(" _-.")
    names = [name for name in (origin.folder, beside_day) if name]
    any_case = [name.upper() for name in reversed(names)]
    found = (name for name in (*names, *any_case) if _TICKER.fullmatch(name))
    symbol = next(found, None)
    return symbol.replace("/", ".").replace("-", ".") if symbol else None


def day_of_place(origin: FilePlace) -> date | None:
    """The day in the file's name: eight digits, or year, month and day with - _ or . between."""
    match = _DAY.search(origin.stem)
    return parse_date(f"{match[1]}{match[3]}{match[4]}") if match else None


def bare_name(name: str) -> str:
    """A column's name in lower case without what vendors put between words: `openinterest`."""
    return "".join(letter for letter in name.lower() if letter not in " _-.")
