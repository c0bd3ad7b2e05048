# SPDX-License-Identifier: Apache-2.0
"""Words that cannot name a relation in some DuckDB that opens the published file."""

from __future__ import annotations

# Tried on 1.2, 1.3, 1.4, 1.5 and 2.0: `create table WORD`, read with and without an alias.
RESERVED = frozenset(
    """
    all analyse analyze and anti any array as asc asof asymmetric at authorization binary both
    by case cast check collate collation column concurrently constraint create cross default
    deferrable desc describe distinct do else end except false fetch for foreign freeze from
    full glob grant group having ilike in initially inner intersect into is isnull join lambda
    lateral leading left like limit natural not notnull null offset on only or order outer
    overlaps pivot pivot_longer pivot_wider placing positional primary qualify references
    returning right select semi show similar some summarize symmetric table tablesample then
    to trailing true union unique unpack unpivot using variadic verbose when where window with
    """.split()  # noqa: SIM905 - a hundred quotes would hide the words
)
"""Lower case; the union over all supported engines."""
