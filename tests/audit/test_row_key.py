# SPDX-License-Identifier: Apache-2.0
"""Words that name one row: values of the grain in order, or column=value."""

from __future__ import annotations

import pytest

from ttapi.audit.receipt import cell_text
from ttapi.audit.row_inputs import Condition, _conditions, key_text
from ttapi.errors import UsageError
from ttapi.sqltext import identifier, literal

TYPES = {"symbol": "VARCHAR", "date": "DATE", "close": "DOUBLE"}
GRAIN = ("symbol", "date")


def conditions(*words, grain=GRAIN):
    return [(c.column, c.value) for c in _conditions("eod", grain, words, TYPES)]


def test_words_take_the_places_of_the_grain_that_are_left():
    assert conditions() == []
    assert conditions("SPY") == [("symbol", "SPY")]
    assert conditions("SPY", "2024-06-14") == [("symbol", "SPY"), ("date", "2024-06-14")]
    assert conditions("Date = 2024-06-14", "SPY") == [("symbol", "SPY"), ("date", "2024-06-14")]
    assert conditions("symbol=SPY", "2024-06-14") == [("date", "2024-06-14"), ("symbol", "SPY")]
    assert conditions("close=1", "SPY") == [("symbol", "SPY"), ("close", "1")]
    assert conditions("A-B=C", grain=("symbol",)) == [("symbol", "A-B=C")]


@pytest.mark.parametrize(
    ("words", "grain", "told"),
    [
        (("SPY", "2024-06-14", "x"), GRAIN, "3 values are more than the key has places"),
        (("symbol=SPY", "date=x", "y"), GRAIN, "its key is symbol, date"),
        (("SPY",), (), "it names no grain: give column=value"),
        (("open=1",), GRAIN, "eod has no column 'open'"),
    ],
)
def test_words_that_are_no_key_are_refused(words, grain, told):
    with pytest.raises(UsageError) as refused:
        conditions(*words, grain=grain)
    assert told in str(refused.value)


def test_a_key_is_told_and_quoted():
    assert key_text([Condition("symbol", "SPY"), Condition("date", "x")]) == "symbol SPY, date x"
    assert key_text([]) == "a key"
    assert (identifier('a"b'), literal("a'b")) == ('"a""b"', "'a''b'")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\0"), (True, "true"), (False, "false"), (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.1 + 0.2, "0.3"),
        (123456789012.5, "123456789012"), (5, "5"), ("x", "x"), ([1, None], "[1\x1d\0]"), ({"a": 0.5}, "{a\x1c0.5}"),
    ],
)  # fmt: skip
def test_a_cell_is_hashed_by_its_text(value, text):
    assert cell_text(value) == text
