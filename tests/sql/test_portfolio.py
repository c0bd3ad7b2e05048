# SPDX-License-Identifier: Apache-2.0
"""What is held, priced on the chain: Greeks of legs, risk of underlyings, betas, the grid; on a simulated vendor's home."""

from __future__ import annotations

import pytest


def test_a_leg_has_its_contract_s_greeks_times_what_is_held(vendor_home):
    rows = vendor_home.rows(
        """
        select g.symbol, g.delta, g.gamma, g.theta, g.vega, p.quantity * p.multiplier as units,
            c.delta, c.gamma, c.theta, c.vega
        from position_greeks as g
        join positions as p using (account_number, symbol, instrument_type)
        join chain as c on c.occ_symbol = g.symbol
        where g.instrument_type = 'Equity Option' and c.delta is not null
        """
    )
    assert rows
    for _, *greeks, units, delta, gamma, theta, vega in rows:
        assert greeks == pytest.approx([units * one for one in (delta, gamma, theta, vega)])


def test_shares_are_their_own_delta(vendor_home):
    rows = vendor_home.rows(
        "select g.delta, g.quantity, g.gamma, g.vega from position_greeks as g where g.instrument_type = 'Equity'"
    )
    assert rows
    assert all((delta, gamma, vega) == (quantity, 0, 0) for delta, quantity, gamma, vega in rows)


def test_risk_is_the_sum_of_the_legs(vendor_home):
    rows = vendor_home.rows(
        """
        select r.underlying, r.delta, r.theta, r.legs, s.delta, s.theta, s.legs, r.delta_dollars, r.spot,
            r.one_sigma_up, r.one_sigma_down, r.gamma, r.one_sigma_move
        from portfolio_risk as r
        join (
            select underlying, sum(delta) as delta, sum(theta) as theta, count(*) as legs
            from position_greeks group by 1
        ) as s on s.underlying = r.underlying
        """
    )
    assert rows
    for (
        _,
        delta,
        theta,
        legs,
        own_delta,
        own_theta,
        own_legs,
        dollars,
        spot,
        up,
        down,
        gamma,
        move,
    ) in rows:
        assert legs == own_legs
        if own_delta is not None:
            assert (delta, theta) == (pytest.approx(own_delta), pytest.approx(own_theta))
        if None not in {delta, spot}:
            assert dollars == pytest.approx(delta * spot)
        if None not in {up, down, move}:
            assert up - down == pytest.approx(2 * delta * move)
            assert up + down == pytest.approx(
                gamma * move * move + 2 * (up + down - gamma * move * move) / 2
            )


def test_beta_is_the_slope_of_the_returns(vendor_home):
    pairs = vendor_home.rows(
        """
        select s.log_return, b.log_return
        from returns as s join returns as b on b.symbol = 'SPY' and b.date = s.date
        where s.symbol = 'AAPL' and s.sessions_spanned = 1 and b.sessions_spanned = 1
        order by s.date desc limit 100
        """
    )
    xs, ys = zip(*pairs, strict=True)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((y - mean_y) ** 2 for y in ys)
    assert vendor_home.rows("select beta('AAPL', 'SPY', 100)") == [(pytest.approx(slope),)]
    assert vendor_home.rows("select beta('SPY', 'SPY', 100), beta('AAPL', 'NONE', 100)") == [
        (pytest.approx(1), None)
    ]


def test_the_grid_shows_what_is_implied(vendor_home):
    ((iv30, expected, last, days, minus, hv30),) = vendor_home.rows(
        "select iv30, expected_move, last, dte, iv30_minus_hv30, hv30 from market_grid where symbol = 'VIX'"
    )
    ((volatility,),) = vendor_home.rows(
        "select implied_volatility from term_structure as t join market_grid as g"
        " on g.symbol = t.underlying and g.next_monthly = t.expiration_date where t.underlying = 'VIX'"
    )
    assert vendor_home.rows("select iv30 from iv_rank where underlying = 'VIX'") == [(iv30,)]
    assert expected == pytest.approx(last * volatility * (days / 365) ** 0.5)
    assert minus == pytest.approx(iv30 - hv30)


def test_ranks_stand_beside_the_vendor_s(vendor_home):
    rows = vendor_home.rows(
        "select r.vendor_iv_rank, m.implied_volatility_index_rank, r.vendor_iv_percentile, m.implied_volatility_percentile"
        " from iv_rank as r join market_metrics as m on m.symbol = r.underlying"
    )
    assert rows
    assert all(row[0] == row[1] and row[2] == row[3] for row in rows)
