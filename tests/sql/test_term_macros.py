# SPDX-License-Identifier: Apache-2.0
"""Macros over terms at their borders: the ends of an interval, equal terms, no time at all."""

from __future__ import annotations

import math

import pytest


@pytest.fixture
def value(bar_market):
    return lambda expression: bar_market.rows(f"select {expression}")[0][0]


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        # At both ends a volatility is that of the end, and beyond them none.
        ("interpolated_volatility(0.2, 24, 0.3, 52, 24)", 0.2),
        ("interpolated_volatility(0.2, 24, 0.3, 52, 52)", 0.3),
        ("interpolated_volatility(0.3, 52, 0.2, 24, 24)", 0.2),
        ("interpolated_volatility(0.2, 24, 0.3, 52, 23)", None),
        ("interpolated_volatility(0.2, 24, 0.3, 52, 53)", None),
        ("interpolated_volatility(0.2, 30, 0.3, 30, 30)", 0.25),
        ("interpolated_volatility(0.2, 0, 0.3, 10, 0)", None),
        ("interpolated_volatility(null, 24, 0.3, 52, 30)", None),
        ("interpolated_volatility(0.2, 24, 0.3, 52, 38)", math.sqrt((0.04 * 24 + 0.09 * 52) / 2 / 38)),
        # Total variance that stands still is a forward volatility of nought.
        ("forward_volatility_between(0.2, 40, 0.1, 160)", 0.0),
        ("forward_volatility_between(0.2, 40, 0.2, 40)", None),
        ("forward_volatility_between(0.2, 40, 0.2, 39)", None),
        ("forward_volatility_between(0.2, 40, 0.2, 80)", 0.2),
        ("expected_move_trading(100, 0.2, 0)", 0.0),
        ("expected_move_trading(100, 0.2, -1)", None),
        ("expected_move_trading(100, 0.2, 252)", 20.0),
        ("expected_move_calendar(100, 0.2, 0)", 0.0),
        ("expected_move_calendar(100, 0.2, -1)", None),
        ("expected_move_calendar(100, 0.2, 365)", 20.0),
        ("expected_move_mean(100, 0.2, 0)", 0.0),
        ("expected_move_mean(100, 0.2, -1)", None),
        ("expected_move_mean(100, 0.2, 365)", 20.0 * math.sqrt(2 / math.pi)),
        ("expected_move_weighted(10, null, 1)", None),
        # Between two points a value is straight, at them theirs.
        ("derived.between_points(0.25, 0.2, 0.3, 0.3, 0.5)", 0.4),
        ("derived.between_points(0.2, 0.2, 0.3, 0.3, 0.5)", 0.3),
        ("derived.between_points(0.3, 0.2, 0.3, 0.3, 0.5)", 0.5),
        ("derived.between_points(0.2, 0.2, 0.3, 0.2, 0.3)", 0.3),
        ("derived.between_points(0.25, null, null, 0.3, 0.5)", None),
        ("derived.intrinsic_of(100.0, 90.0, 'C')", 10.0),
        ("derived.intrinsic_of(100.0, 100.0, 'C')", 0.0),
        ("derived.intrinsic_of(100.0, 90.0, 'P')", 0.0),
        ("derived.intrinsic_of(90.0, 100.0, 'P')", 10.0),
        ("derived.intrinsic_of(null, 100.0, 'P')", None),
    ],
)  # fmt: skip
def test_a_macro_answers_at_its_border(value, expression, answer):
    found = value(expression)
    assert found is None if answer is None else found == pytest.approx(answer, abs=1e-12)
