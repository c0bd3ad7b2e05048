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

_RUN = re.compile(rb"[A-Z0-9]+")
_FEW = 30
_PLAIN = (".csv", ".txt", ".asc", ".prn", ".dat", ".tsv")
_NOT_TEXT = (b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK", b"PAR1")


def files_naming(tree: Tree, units: Sequence[Unit], values: frozenset[str]) -> list[Unit]:
    """Those of `units` that may hold one of `values`, in order."""
    words = {_longest_word(value) for value in values}
    if b"" in words:
        return list(units)
    return [unit for unit in units if _may_hold(tree, unit, words)]


def _longest_word(value: str) -> bytes:
    """The longest run of letters and digits: sources differ in how they write BRK.B."""
    runs = _RUN.findall(value.upper().encode())
    return max(runs, key=len) if runs else b""


def _may_hold(tree: Tree, unit: Unit, words: set[bytes]) -> bool:
    if _names_one(unit.key.encode(), words) or not unit.key.lower().endswith(_PLAIN):
        return True
    try:
        content = tree.read(unit)
    except SourceError:
        return True
    if content.startswith(_NOT_TEXT):
        return True
    return _names_one(content, words)


def _names_one(text: bytes, words: set[bytes]) -> bool:
    """Whether one of `words` stands in `text` by itself, in whatever case."""
    upper = text.upper()
    # A few are looked for faster than all words of a file are told apart.
    if len(words) <= _FEW and not any(word in upper for word in words):
        return False
    return not words.isdisjoint(_RUN.findall(upper))
