# SPDX-License-Identifier: Apache-2.0
"""Values as text and as JSON.

The file holds instants as TIMESTAMP in UTC. Formats for people show them in the display zone;
every other format is UTC, ISO 8601.

Lengths of time, and amounts of things, as people read them.
"""

from __future__ import annotations

import json
import math
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from ttapi.formats.text import DisplayStyle

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


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


def rows_of(table: pa.Table) -> Iterator[list[Any]]:
    """The rows, as Python values."""
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [_values(column) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield list(row)


def names_of(table: pa.Table) -> list[str]:
    """Column names, a repeated one numbered: an object holds each name once."""
    seen: dict[str, int] = {}
    names = []
    for name in table.column_names:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def heads_of(table: pa.Table, zone: str) -> list[str]:
    """Column names for people: an instant names its zone."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    return [
        shown(f"{field.name} ({zone})" if pa.types.is_timestamp(field.type) else field.name)
        for field in table.schema
    ]


def cell_text(value: Any, look: DisplayStyle, null: str = "") -> str:
    """A value for people, on one line and without control characters."""
    if value is None:
        return null if look.null is None else look.null
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value, look.thousands)
    if isinstance(value, int):
        return f"{value:,}".replace(",", look.thousands) if look.thousands else str(value)
    if isinstance(value, datetime):
        instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        try:
            return instant.astimezone(_zone(look.zone)).strftime("%Y-%m-%d %H:%M:%S")
        except OverflowError:
            return str(value)
    if isinstance(value, dict | list):
        return shown(json.dumps(plain(value), ensure_ascii=False))
    return shown(str(value))


def shown(text: str) -> str:
    """`text` with what would move a cursor or colour a terminal written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _ESCAPES.get(c, f"\\x{ord(c):02x}") for c in text)


def width_of(text: str) -> int:
    """Screen columns of `text`: a wide character fills two, a combining one none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def fitted(text: str, width: int) -> str:
    """`text` cut to `width` screen columns, the cut marked."""
    if width_of(text) <= width:
        return text
    kept, used = "", 0
    for char in text:
        used += width_of(char)
        if used > width - 1:
            break
        kept += char
    return kept + "…"


def padded(text: str, width: int, *, is_right: bool) -> str:
    """`text` filled with blanks to `width` screen columns."""
    blanks = " " * max(0, width - width_of(text))
    return blanks + text if is_right else text + blanks


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type stand at the right."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _float_text(value: float, thousands: str) -> str:
    text = f"{value:.10g}"
    if thousands and "e" not in text and math.isfinite(value):
        whole, dot, rest = text.partition(".")
        grouped = f"{int(whole):,}".replace(",", thousands)
        return ("-" if whole == "-0" else "") + grouped + dot + rest
    return text


def _values(column: pa.Array) -> list[Any]:
    """A column's values; as text where Python has no such date (infinity, the year 10000)."""
    import pyarrow as pa  # noqa: PLC0415 - a shell's first prompt does not wait for it

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


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def seconds_text(seconds: float) -> str:
    """`3 ms`, `0.4 s`, `2 min`, `26 h`, `9 d`: short enough for a line of talk."""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"


def amount(count: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
