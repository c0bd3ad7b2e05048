# SPDX-License-Identifier: Apache-2.0
"""Rows for programs: json, jsonl, csv, parquet, arrow. All in UTC, nothing cut."""

from __future__ import annotations

import codecs
import csv
import io
import json
from typing import IO, TYPE_CHECKING, Any

from ttapi.formats.cells import names_of, plain, rows_of

if TYPE_CHECKING:
    from ttapi.formats.look import Look, Page

# OWASP's list for CSV injection: what makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_json(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write one array of objects."""
    del look  # JSON has one look
    stream.write(b"[")
    for index, line in enumerate(_objects(page)):
        stream.write((b",\n" if index else b"\n") + line)
    stream.write(b"\n]\n" if page.table.num_rows else b"]\n")


def write_jsonl(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write one object a line."""
    del look  # JSON has one look
    for line in _objects(page):
        stream.write(line + b"\n")


def _objects(page: Page) -> Any:
    names = names_of(page.table)
    for row in rows_of(page.table):
        pairs = dict(zip(names, map(plain, row), strict=True))
        yield json.dumps(pairs, ensure_ascii=False).encode()


def write_csv(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write comma-separated values, RFC 4180, a missing value empty."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n", delimiter=look.separator)
    if look.has_header:
        writer.writerow(page.table.column_names)
    null = look.null or ""
    for row in rows_of(page.table):
        writer.writerow([null if (v := plain(value)) is None else _csv_text(v) for value in row])
    text.detach()


def _csv_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else value


def write_sheet(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write csv for a spreadsheet: what it would run as a formula gets an apostrophe, no number does."""
    stream.write(codecs.BOM_UTF8)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n", delimiter=look.separator)
    writer.writerow(_harmless(name) for name in page.table.column_names)
    for row in rows_of(page.table):
        cells = ("" if (v := plain(value)) is None else _csv_text(v) for value in row)
        writer.writerow(_harmless(cell) if isinstance(cell, str) else cell for cell in cells)
    text.detach()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_parquet(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write a Parquet file, zstd."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    pq.write_table(page.table, stream, compression="zstd")


def write_arrow(page: Page, stream: IO[bytes], look: Look) -> None:
    """Write an Arrow IPC stream."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    del look  # types say it all
    with pa.ipc.new_stream(stream, page.table.schema) as writer:
        writer.write_table(page.table)
