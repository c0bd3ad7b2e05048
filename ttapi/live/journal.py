# SPDX-License-Identifier: Apache-2.0
"""The journal: what a stream brought, on the disk before the database has it.

A record is all that arrived in one interval: a header (mark, position, length, checksum), then Arrow
tables by dataset. `append` returns when the disk has it, and that is the acknowledgement: whatever was
acknowledged is found again after a crash. A record cut short by one was never acknowledged.
Records lie in segments, files named by their first position, which go once the database has them.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.errors import DiskFullError, StoreError
from ttapi.store.files import sync_folder
from ttapi.store.log import LogRecord, LogRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MARK = b"TTJ1"
_HEADER = struct.Struct("<4sQII")
"""Mark, position, bytes that follow, CRC-32 of position, their number and themselves."""
_PART = struct.Struct("<HIQ")
"""Bytes of the dataset's name, events refused, bytes of the Arrow stream."""
SEGMENT_BYTES = 64 * 1024 * 1024
"""Size from which another segment is begun."""
_ENDING = ".journal"


@dataclass(frozen=True)
class Damage:
    """Records that cannot be read though later ones can: they were lost after they were written."""

    file: Path
    offset: int
    """Bytes from the segment's beginning."""
    after: int
    """Position of the last record before; records behind it, up to the next that is read, are lost."""


class Journal:
    """The segments in one folder, appended to by one process."""

    def __init__(self, folder: Path, position: int) -> None:
        """`position`: of the last record known, here or in the database; the next is one more."""
        self._folder, self.position = folder, position
        self._file: int | None = None
        self._size = 0

    def append(self, parts: Sequence[LogRows]) -> int:
        """Write a record and wait for the disk; its position.

        *Raises* DiskFullError when the disk refuses; nothing of the record counts then.
        """
        body = b"".join(_part_bytes(part) for part in parts)
        position = self.position + 1
        header = _HEADER.pack(_MARK, position, len(body), _checksum(position, body))
        try:
            if self._file is None or self._size > SEGMENT_BYTES:
                self._begin_segment(position)
            assert self._file is not None
            _write(self._file, header + body)
            os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        except OSError as exc:
            # What was written of it is no record: the next one goes into another file.
            self.close()
            raise DiskFullError(
                f"{self._folder}: the journal cannot be written: {exc.strerror}",
                hint="free some space; what was acknowledged stands",
            ) from exc
        self.position = position
        self._size += len(header) + len(body)
        return position

    def forget(self, position: int) -> None:
        """Remove the segments whose records all lie at or before `position`: the database has them."""
        segments = _segments(self._folder)
        for (_, path), (following, _) in pairwise(segments):
            if following <= position + 1:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every segment: the database has all of it."""
        self.close()
        for _, path in _segments(self._folder):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the segment; the next record begins another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin_segment(self, position: int) -> None:
        self.close()
        path = self._folder / f"{position:016d}{_ENDING}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._size = 0
        sync_folder(self._folder)


def read_journal(folder: Path, after: int) -> Iterator[LogRecord | Damage]:
    """The records behind position `after` in order, and where some are lost between them.

    A segment that ends amid a record was cut short by a crash: of that record nobody was told.

    *Raises* StoreError for a folder that cannot be read.
    """
    last = after
    segments = _segments(folder)
    for number, (first, path) in enumerate(segments):
        if number + 1 < len(segments) and segments[number + 1][0] <= after + 1:
            continue
        if first > last + 1:
            yield Damage(path, 0, last)
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise StoreError(f"{path} cannot be read: {exc.strerror}") from exc
        offset = 0
        while offset < len(data):
            record, length = _record_at(data, offset)
            if record is None:
                if (found := data.find(_MARK, offset + 1)) == -1:
                    break
                offset = found
                continue
            if record.position > last + 1 and offset:
                yield Damage(path, offset, last)
            offset += length
            if record.position > last:
                last = record.position
                yield record


def last_position(folder: Path) -> int:
    """The position of the last record that can be read; 0: there is none."""
    records = [one for one in read_journal(folder, 0) if isinstance(one, LogRecord)]
    return records[-1].position if records else 0


def _segments(folder: Path) -> list[tuple[int, Path]]:
    """First position and file of each segment, in order."""
    found = [path for path in folder.glob(f"*{_ENDING}") if path.stem.isdigit()]
    return sorted((int(path.stem), path) for path in found)


def _part_bytes(part: LogRows) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, part.rows.schema) as writer:
        writer.write_table(part.rows)
    stream: bytes = sink.getvalue().to_pybytes()
    name = part.dataset.encode()
    return _PART.pack(len(name), part.refused, len(stream)) + name + stream


def _record_at(data: bytes, offset: int) -> tuple[LogRecord | None, int]:
    """The record that begins there, and its length; None where none does that is whole."""
    if len(data) - offset < _HEADER.size:
        return None, 0
    mark, position, length, checksum = _HEADER.unpack_from(data, offset)
    start = offset + _HEADER.size
    body = data[start : start + length]
    if mark != _MARK or len(body) < length or _checksum(position, body) != checksum:
        return None, 0
    return LogRecord(position, tuple(_parts(body))), _HEADER.size + length


def _checksum(position: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<QQ", position, len(body))))


def _parts(body: bytes) -> Iterator[LogRows]:
    offset = 0
    while offset < len(body):
        named, refused, length = _PART.unpack_from(body, offset)
        offset += _PART.size
        name = body[offset : offset + named].decode()
        stream = body[offset + named : offset + named + length]
        yield LogRows(name, pa.ipc.open_stream(stream).read_all(), refused)
        offset += named + length


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
