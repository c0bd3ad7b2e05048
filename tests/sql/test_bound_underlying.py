# SPDX-License-Identifier: Apache-2.0
"""Whoever binds the underlying asks for its quotes alone, whatever relation is named."""

from __future__ import annotations

import pytest

from ttapi.models.resolve import resolve
from ttapi.refresh.coverage import name_scope, raw_demands

RELATIONS = (
    "chain",
    "term_structure",
    "skew",
    "surface",
    "constant_maturity_iv",
    "vix_style",
    "iv_history",
    "iv_rank",
    "expected_move",
    "forward_volatility",
    "variance_risk_premium",
    "max_pain",
    "gamma_exposure",
    "put_call",
    "earnings_volatility",
    "move_outcomes",
    "move_calibration",
    "position_greeks",
    "portfolio_risk",
)
QUERIES = {name: f"select * from {name} where underlying = 'AAA'" for name in RELATIONS} | {
    "market_grid": "select * from market_grid where symbol = 'AAA'",
    "chain_asof": "select * from chain_asof('aaa', '2024-06-05')",
    "priced": "select bsm_iv(spot, strike, years, rate, 0, mid, option_type) from chain where underlying = 'AAA'",
}


@pytest.fixture(scope="module")
def datasets(template_home, lab_type):
    """What is installed."""
    return lab_type(template_home, template_home.root).environment().datasets


@pytest.mark.parametrize("name", QUERIES)
def test_the_underlying_reaches_the_quotes(datasets, name):
    found = resolve(QUERIES[name], name_scope(datasets))
    demands = raw_demands(found.reads, datasets)
    for raw in ("raw.option_quotes", "raw.tastytrade_option_quotes"):
        assert demands[raw].keys == frozenset({"AAA"}), raw


def test_who_binds_nothing_is_answered_by_what_is_held(vendor_home):
    done = vendor_home.ttapi("sql", "explain refresh select * from chain", "--json")
    assert done.returncode == 0, done.stderr
    assert "needs symbol: bind it" in done.stdout
    done = vendor_home.ttapi("sql", "explain refresh select * from chain where underlying = 'VIX'")
    assert "needs symbol" not in done.stdout
