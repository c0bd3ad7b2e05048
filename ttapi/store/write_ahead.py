# SPDX-License-Identifier: Apache-2.0
"""The write-ahead log beside a database file, its bytes looked at: whether it is whole.

The engine opens a file whose log was cut short, or whose log is no log at all, without a word: it
applies the whole commits it finds and drops the rest. Its frames tell what it does not.

*Source*: duckdb/src/storage/write_ahead_log.cpp (versions 2 and 3): a header of 8 bytes that names
the log's version, then frames of size (8 bytes, little endian), checksum (8 bytes) and content.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_HEADER = bytes.fromhex("640062650002ffff")
_FRAME = struct.Struct("<QQ")


@dataclass(frozen=True)
class LogFacts:
    """What the bytes of a log say."""

    size: int
    """Bytes."""
    frames: int
    """Entries that are there whole."""
    readable: int
    """Bytes up to where the last whole entry ends; 0: it does not even begin like a log."""

    @property
    def is_whole(self) -> bool:
        """Whether every byte belongs to a whole entry."""
        return self.readable == self.size


def log_of(file: Path) -> Path:
    """Where the engine keeps the write-ahead log of `file`."""
    return file.with_name(f"{file.name}.wal")


def inspect_log(log: Path) -> LogFacts | None:
    """What is in `log`; None where there is none or it is empty. *Raises* OSError."""
    try:
        with log.open("rb") as stream:
            return _scan(stream, log.stat().st_size)
    except FileNotFoundError:
        return None


def _scan(stream: BinaryIO, size: int) -> LogFacts | None:
    if size == 0:
        return None
    if stream.read(len(_HEADER)) != _HEADER:
        return LogFacts(size, 0, 0)
    frames, reached = 0, len(_HEADER)
    while True:
        head = stream.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return LogFacts(size, frames, reached)
        content, _checksum = _FRAME.unpack(head)
        ends = reached + _FRAME.size + content
        if ends > size:
            return LogFacts(size, frames, reached)
        stream.seek(ends)
        frames, reached = frames + 1, ends
