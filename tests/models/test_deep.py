# SPDX-License-Identifier: Apache-2.0
"""SQL that programs write, deeper than can be taken apart: it reads more and says so, and stops nothing."""

from __future__ import annotations

import pytest

from ttapi.models.limits import NameScope, RelationRead
from ttapi.models.references import TOO_DEEP
from ttapi.models.resolve import resolve

NAMES = NameScope(
    {"eod": ("symbol", "date", "close"), "staged.eod": ("symbol",), "rates": ("rate",)}
)


def keys(n):
    return "select count(*) from eod where " + " or ".join(f"symbol = 'S{i}'" for i in range(n))


def union(n):
    return " union all ".join(f"select {i} as n from eod" for i in range(n))


def total(n):
    return f"select {' + '.join(['close'] * n)} as x from eod"


def joined(n):
    return f"select {' || '.join(['symbol'] * n)} as x from eod"


def nested(n):
    return "select * from (" * n + "select close from eod" + ")" * n


def bracketed(n):
    return f"select {'(' * n}close{')' * n} as x from eod"


def cased(n):
    return f"select {'case when close > 1 then 1 else ' * n}0{' end' * n} as x from eod"


SHAPES = [keys, union, total, joined, nested, bracketed, cased]


@pytest.mark.parametrize("depth", [1, 30, 200, 3000])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_any_depth_reads_what_it_names(shape, depth):
    found = resolve(shape(depth), NAMES)
    assert "eod" in {read.relation for read in found.reads}
    assert "rates" not in {read.relation for read in found.reads}
    if depth == 1:
        assert found.unresolved == ()
    if found.unresolved:
        assert found.unresolved == (TOO_DEEP,)
        assert RelationRead("eod") in found.reads, "without limits"


def test_what_is_not_too_deep_keeps_its_limits():
    (read,) = resolve(keys(100), NAMES).reads
    assert len(read.limits["symbol"]) >= 1
