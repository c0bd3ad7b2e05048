# SPDX-License-Identifier: Apache-2.0
"""Invented ticker symbols: short, pronounceable, and nobody's.

Four letters, consonant and vowel by turns, with a Q in it or an X or Z in front. Exchanges have
listed few such symbols; those known are left out, as are words that mean something.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

INDEX_SYMBOL = "ZQIX"
"""The invented fund that holds the whole invented market."""
TAKEN = frozenset(
    {"QABA", "QADA", "QEFA", "QETA", "QIWI", "QOMO", "QUMU", "QURE", "QUSA", "QUVU"}
    | {"XATA", "XELA", "XENE", "XETA", "XICO", "XIDE", "XOMA", "XONE"}
    | {"ZENA", "ZETA", "ZIGO", "ZILA", "ZIVO", "ZONE", "ZURA"}
    | {"BIQI", "TEQI"}
    | {"DAQO", "DUQU", "XERO", "ZARA", "ZERO", "ZIKA", "ZULU"}
)
"""Symbols of this shape that are or were listed, then words that mean something."""
_RUDE = ("COQ", "DIQ", "FAQ", "FUQ", "NIQ")

_VOWELS = "AEIOU"
_CONSONANTS = "BCDFGHKLMNPRSTVW"


def invented_tickers(
    rng: random.Random, count: int, avoid: frozenset[str] = frozenset()
) -> list[str]:
    """`count` different symbols in an order of `rng`'s choice, at most 1,200 or so, none to `avoid`."""
    return rng.sample([symbol for symbol in candidates() if symbol not in avoid], count)


def candidates() -> list[str]:
    """Every symbol that may be given, ascending."""
    shapes = [(first, _CONSONANTS) for first in "QXZ"] + [(first, "Q") for first in _CONSONANTS]
    made = {
        a + b + c + d
        for first, third in shapes
        for a, b, c, d in product(first, _VOWELS, third, _VOWELS)
    }
    return sorted(symbol for symbol in made - TAKEN if not symbol.startswith(_RUDE))
