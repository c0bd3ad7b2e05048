# SPDX-License-Identifier: Apache-2.0
"""Values as text and as JSON.

The file holds instants as TIMESTAMP in UTC. Formats for people show them in the display zone;
every other format is UTC, ISO 8601.

Lengths of time, and amounts of things, as people read them.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

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


def grouped(text: str, separator: str) -> str:
    """The text of a number with `separator` between groups of three digits."""
    whole, dot, rest = text.partition(".")
    sign, digits = (whole[:1], whole[1:]) if whole[:1] == "-" else ("", whole)
    if not digits.isdecimal() or "e" in rest:
        return text
    return sign + f"{int(digits):,}".replace(",", separator) + dot + rest


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
