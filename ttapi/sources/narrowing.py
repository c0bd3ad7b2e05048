# SPDX-License-Identifier: Apache-2.0
"""Which files can hold a symbol, without parsing one: those whose name or bytes contain it.

A file is left out only when none of the symbols' letters stand in it, in whatever column or case;
what cannot be searched (UTF-16, compressed, unreadable) is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttapi.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttapi.sources.contract import Unit
    from ttapi.sources.folder import Tree

_PLAIN = (".csv", ".txt", ".asc", ".prn", ".dat", ".tsv")
_NOT_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK", b"PAR1")


def files_naming(tree: Tree, units: Sequence[Unit], values: frozenset[str]) -> list[Unit]:
    """Those of `units` that may hold one of `values`, in order."""
    words = {_longest_word(value) for value in values}
    if b"" in words:
        return list(units)
    pattern = re.compile(
        b"|".join(rb"(?<![A-Z0-9])" + re.escape(w) + rb"(?![A-Z0-9])" for w in sorted(words))
    )
    return [unit for unit in units if _may_hold(tree, unit, words, pattern)]


def _longest_word(value: str) -> bytes:
    """The longest run of letters and digits: sources differ in how they write BRK.B."""
    runs = re.findall(r"[A-Z0-9]+", value.upper())
    return max(runs, key=len).encode() if runs else b""


def _may_hold(tree: Tree, unit: Unit, words: set[bytes], pattern: re.Pattern[bytes]) -> bool:
    if pattern.search(unit.key.upper().encode()) or not unit.key.lower().endswith(_PLAIN):
        return True
    try:
        content = tree.read(unit)
    except SourceError:
        return True
    if content.startswith(_NOT_TEXT):
        return True
    upper = content.upper()
    return any(word in upper for word in words) and pattern.search(upper) is not None
