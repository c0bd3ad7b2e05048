# SPDX-License-Identifier: Apache-2.0
"""A row explained for a person: its formulas, its inputs, the calls that said them, within the screen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ttapi.api import InputRows, SourceCall
from ttapi.audit.why import ExplainedColumn
from ttapi.cli.why import _call, _columns, _inputs, cut


@pytest.mark.parametrize(
    ("count", "more"), [(5, []), (6, ["            and 1 more: --json has them all"])]
)
def test_five_ingredients_of_a_formula_are_shown(count, more):
    made = [f"x{n} = {n}" for n in range(count)]
    columns = [
        ExplainedColumn("width", 3.25, "x0 + x1", made, "span", "USD"),
        ExplainedColumn("date", None, None, (), "raw.bars.date", None),
    ]
    assert list(_columns(SimpleNamespace(columns=columns))) == [
        "width  3.25  USD",
        "         = x0 + x1  [span]",
        *(f"           x{n} = {n}" for n in range(5)),
        *(line.replace("            and", "           and") for line in more),
        "date   -   ",
        "         <- raw.bars.date",
    ]


@pytest.mark.parametrize(
    ("total", "until", "head"),
    [
        (2, None, []),
        (2, "date <= '2024-06-12'", []),
        (3, None, ["  the last 2:"]),
        (3, "date <= '2024-06-12'", ["  the last 2 up to date '2024-06-12':"]),
    ],
)
def test_what_is_left_out_of_the_inputs_is_said(total, until, head):
    rows = [{"symbol": "AAA", "n": 1.5}, {"symbol": "B" * 30, "n": None}]
    found = InputRows("raw.bars", "symbol = 'AAA'", until, total, rows, ["symbol", "n"])
    assert list(_inputs(found)) == [
        f"raw.bars: {total} rows where symbol = 'AAA'",
        *head,
        f"  {'symbol':24}  n  ",
        f"  {'AAA':24}  1.5",
        f"  {'B' * 24}  -  ",
    ]


def test_inputs_that_no_part_of_the_key_reaches_are_counted_in_all():
    found = InputRows("raw.rates", "true", None, 1200, [], ["rate"])
    assert list(_inputs(found)) == ["raw.rates: 1,200 rows in all: no part of the key reaches it"]


@pytest.mark.parametrize(("lines", "told"), [((), ""), ((4,), " line 4"), ((4, 7), " lines 4, 7")])
def test_a_call_names_its_lines(lines, told):
    call = SourceCall("raw.bars", "metastock", "AAA.csv", lines, "0123456789abcdef", 7, "noon", "ttapi sql")  # fmt: skip
    assert _call(call) == (
        f"raw.bars <- AAA.csv{told} (metastock), content 0123456789ab; load 7, noon UTC by ttapi sql"
    )
    bare = SourceCall("raw.bars", None, "AAA.csv", lines, None, 7, "noon", None)
    assert _call(bare) == f"raw.bars <- AAA.csv{told}; load 7, noon UTC"


@pytest.mark.parametrize(("width", "text"), [(6, "abcde"), (5, "abcde"), (4, "abc…")])
def test_a_line_is_cut_where_the_screen_ends(width, text):
    assert cut("abcde", width) == text
