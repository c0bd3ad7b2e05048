# SPDX-License-Identifier: Apache-2.0
"""What every source of files puts into its batches alike: content hashes and refused lines."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa

from ttapi.sources.texts import TEXT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

REJECT_SCHEMA = pa.schema(
    [("unit", pa.int32()), ("line", pa.int32()), ("reason", pa.string()), ("text", pa.string())]
)


def content_hash(content: bytes, reading: str = "") -> str:
    """A hash of bytes and of the settings they are read by, 32 hexadecimal digits."""
    person = hashlib.blake2b(reading.encode(), digest_size=16).digest() if reading else b""
    return hashlib.blake2b(content, digest_size=16, person=person).hexdigest()


def reject_table(refused: Iterable[tuple[int, int, str, str]]) -> pa.Table | None:
    """The rejects of a batch from (unit, line, reason, text); None when nothing was refused."""
    rows = list(refused)
    if not rows:
        return None
    units, lines, reasons, texts = zip(*rows, strict=True)
    arrays = [units, lines, reasons, [text[:TEXT_LIMIT] for text in texts]]
    return pa.table(
        {
            field.name: pa.array(values, field.type)
            for field, values in zip(REJECT_SCHEMA, arrays, strict=True)
        }
    )
