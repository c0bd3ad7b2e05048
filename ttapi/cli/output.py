# SPDX-License-Identifier: Apache-2.0
"""Query results in the formats people and programs ask for.

The file holds instants as TIMESTAMP in UTC. A table shows them in the display zone, named in the
column's head; every other format is UTC, ISO 8601.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ttapi.errors import DiskFullError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_ROWS = 1000
"""A table shows at most this many rows, and says so when there are more."""


def write_result(table: pa.Table, fmt: str, target: Path | None, *, zone: str) -> str | None:
    """Write `table` to `target` (None: standard output); returns a remark for standard error, or None.

    *Raises* UsageError for an unknown format, or a binary one aimed at a terminal.
    """
    if fmt not in FORMATS:
        raise UsageError(f"{fmt!r} is no format", hint=", ".join(FORMATS))
    writer, is_binary = FORMATS[fmt]
    if target is None:
        if is_binary and sys.stdout.isatty():
            raise UsageError(
                f"{fmt} is binary; name a file with -o",
                hint="ttapi sql ... --format parquet -o out.parquet",
            )
        remark = writer(table, sys.stdout.buffer, zone)
        sys.stdout.flush()
        return remark
    return _write_file(table, writer, target, zone)


def _write_file(table: pa.Table, writer: Writer, target: Path, zone: str) -> str | None:
    import os
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.absolute().parent)
    except OSError as exc:
        raise UsageError(f"{target} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(descriptor, "wb") as stream:
            remark = writer(table, stream, zone)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except OSError as exc:
        Path(name).unlink(missing_ok=True)
        raise DiskFullError(
            f"{target} could not be written: {exc.strerror}", hint="nothing was left behind"
        ) from exc
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return remark


def plain(value: Any) -> Any:
    """A value as JSON holds it: instants and dates as ISO 8601, NaN and infinities as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        instant = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return instant.isoformat() + "Z"
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value)


def _rows(table: pa.Table) -> Iterator[list[Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield list(row)


def _values(column: pa.Array) -> list[Any]:
    """A column's values; as text where Python has no such date (infinity, the year 10000)."""
    import pyarrow as pa

    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = [_endless(text) for text in column.cast(pa.string()).to_pylist()]
    return values


def _endless(text: str | None) -> str | None:
    """Arrow's remark on a date beyond all dates as the engine writes it."""
    if text is None or not text.startswith("<value out of range"):
        return text
    return "-infinity" if ": -" in text else "infinity"


def _names(table: pa.Table) -> list[str]:
    """Column names, a repeated one numbered: an object holds each name once."""
    seen: dict[str, int] = {}
    names = []
    for name in table.column_names:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _write_json(table: pa.Table, stream: IO[bytes], _zone: str) -> None:
    names = _names(table)
    stream.write(b"[")
    for index, row in enumerate(_rows(table)):
        stream.write(b",\n" if index else b"\n")
        stream.write(
            json.dumps(dict(zip(names, map(plain, row), strict=True)), ensure_ascii=False).encode()
        )
    stream.write(b"\n]\n" if table.num_rows else b"]\n")


def _write_jsonl(table: pa.Table, stream: IO[bytes], _zone: str) -> None:
    names = _names(table)
    for row in _rows(table):
        stream.write(
            json.dumps(dict(zip(names, map(plain, row), strict=True)), ensure_ascii=False).encode()
            + b"\n"
        )


def _write_csv(table: pa.Table, stream: IO[bytes], _zone: str) -> None:
    import csv
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow(["" if (v := plain(value)) is None else _csv_text(v) for value in row])
    text.detach()


def _csv_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else value


def _write_markdown(table: pa.Table, stream: IO[bytes], zone: str) -> str | None:
    heads, rows, remark = _shown(table, zone)
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join(" --- " for _ in heads) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    stream.write(("\n".join(lines) + "\n").encode())
    return remark


def _write_table(table: pa.Table, stream: IO[bytes], zone: str) -> str | None:
    heads, rows, remark = _shown(table, zone)
    numeric = [_is_number(field.type) for field in table.schema]
    widths = [max([len(head), *(len(row[i]) for row in rows)]) for i, head in enumerate(heads)]
    lines = [_line(heads, widths, numeric), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, numeric) for row in rows]
    stream.write(("\n".join(line.rstrip() for line in lines) + "\n").encode())
    return remark


def _line(cells: list[str], widths: list[int], numeric: list[bool]) -> str:
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    )
    return "  ".join(padded)


def _shown(table: pa.Table, zone: str) -> tuple[list[str], list[list[str]], str | None]:
    import pyarrow as pa

    display = ZoneInfo(zone)
    heads = [
        f"{field.name} ({zone})" if pa.types.is_timestamp(field.type) else field.name
        for field in table.schema
    ]
    rows = [[_cell(value, display) for value in row] for row in _rows(table.slice(0, TABLE_ROWS))]
    remark = None
    if table.num_rows > TABLE_ROWS:
        remark = f"{TABLE_ROWS:,} of {table.num_rows:,} rows shown; --format csv writes all"
    return heads, rows, remark


def _cell(value: Any, display: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        try:
            return instant.astimezone(display).strftime("%Y-%m-%d %H:%M:%S")
        except OverflowError:
            return str(value)
    if isinstance(value, dict | list):
        return json.dumps(plain(value), ensure_ascii=False)
    return str(value).replace("\n", "\\n")


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _write_parquet(table: pa.Table, stream: IO[bytes], _zone: str) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, stream, compression="zstd")


def _write_arrow(table: pa.Table, stream: IO[bytes], _zone: str) -> None:
    import pyarrow as pa

    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)


Writer = Callable[["pa.Table", IO[bytes], str], "str | None"]

FORMATS: dict[str, tuple[Writer, bool]] = {
    "table": (_write_table, False),
    "csv": (_write_csv, False),
    "json": (_write_json, False),
    "jsonl": (_write_jsonl, False),
    "markdown": (_write_markdown, False),
    "parquet": (_write_parquet, True),
    "arrow": (_write_arrow, True),
}
"""Writer by format, and whether it is binary."""
