# SPDX-License-Identifier: Apache-2.0
"""The hash of an answer, by a rule that neither threads nor storage order can move.

Every cell becomes text: null, true and false; whole numbers; floating point to 12 significant
digits (NaN is `nan`, -0 is 0); decimals without trailing zeros; dates and instants in ISO 8601;
lists and structs cell by cell. A row is hashed cell by cell; the answer's hash is the sum of its
rows' hashes, so the order of rows does not matter, and how often a row occurs does. Names and
number of columns are part of it, their types are not. An ORDER BY says in which order equal rows
come out; with ties left open it may say several, so order is no part of the proof.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

RULE = "blake2b-128 of rows, summed; floats to 12 significant digits; order of rows left out"
_MODULUS = 1 << 128


def result_hash(table: pa.Table) -> str:
    """32 hexadecimal digits that equal answers share."""
    total = int.from_bytes(_digest("\x1e".join(table.column_names)), "big")
    for batch in table.to_batches(max_chunksize=50_000):
        columns = [[cell_text(value) for value in column.to_pylist()] for column in batch.columns]
        for row in zip(*columns, strict=True):
            total += int.from_bytes(_digest("\x1f".join(row)), "big")
    return f"{total % _MODULUS:032x}"


def cell_text(value: object) -> str:
    """One cell as the rule has it."""
    if value is None:
        return "\0"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value + 0.0:.12g}" if value else "0"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list):
        return "[" + "\x1d".join(cell_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + "\x1d".join(f"{k}\x1c{cell_text(item)}" for k, item in value.items()) + "}"
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
