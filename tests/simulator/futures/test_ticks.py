# SPDX-License-Identifier: Apache-2.0
"""Prices of futures lie on their tick, and none falls to zero."""

from __future__ import annotations

import pytest

from ttapi.simulator.derivatives.board import _ticked, _up


@pytest.mark.parametrize(
    ("price", "tick", "ticked"),
    [(100.1, 0.25, 100.0), (100.13, 0.25, 100.25), (100.25, 0.25, 100.25), (0.25, 0.25, 0.25), (0.1, 0.25, 0.25), (0.0, 0.25, 0.25), (-3.0, 0.25, 0.25), (0.5, 0.25, 0.5), (71.234, 0.01, 71.23)],
)  # fmt: skip
def test_a_price_is_that_of_the_nearest_tick_and_one_tick_at_least(price, tick, ticked):
    assert _ticked(price, tick) == ticked


@pytest.mark.parametrize(("price", "up"), [(1.0, 1.0), (1.01, 1.25), (1.25, 1.25), (0.0, 0.0)])
def test_an_ask_is_rounded_up_and_stays_where_it_lies_on_a_tick(price, up):
    assert _up(price, 0.25) == up
