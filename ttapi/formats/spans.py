# SPDX-License-Identifier: Apache-2.0
"""Lengths of time, and amounts of things, as people read them."""

from __future__ import annotations


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
