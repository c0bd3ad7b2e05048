# SPDX-License-Identifier: Apache-2.0
"""The simulated market at its borders: reports, strikes, realised volatility, symbols."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ttapi.simulator.derivatives.chain import (
    Expiration,
    expirations_of,
    round_strike,
    strike_ladder,
    third_friday,
)
from ttapi.simulator.derivatives.surface import Surface, VarianceHistory
from ttapi.simulator.derivatives.symbols import Contract, read_occ_symbol, read_streamer_symbol


def test_a_report_counts_from_its_own_instant_on():
    surface = Surface(100.0, 0.0, 0.04, 0.04, 0.0, 1.0, reports=(0.5, 0.5))
    assert surface.atm_variance(0.4999) == pytest.approx(0.04 * 0.4999)
    assert surface.atm_variance(0.5) == pytest.approx(0.04 * 0.5 + 2 * 0.035**2)


def test_a_surface_at_the_very_limit_stands():
    assert Surface(100.0, 0.0, 0.04, 0.04, rho=-1.0, eta=1.0).eta == 1.0
    for rho in (0.5, -0.5):
        with pytest.raises(ValueError, match="butterflies"):
            Surface(100.0, 0.0, 0.04, 0.04, rho=rho, eta=1.34)


@pytest.mark.parametrize(
    ("price", "step"),
    [(4.99, "0.5"), (24.99, "0.5"), (25.0, "1"), (99.99, "1"), (100.0, "2.5"), (249.99, "2.5"), (250.0, "5"), (999.99, "5"), (1000.0, "10")],
)  # fmt: skip
def test_strikes_are_wider_from_each_price_on(price, step):
    ladder = strike_ladder(price, 0.2, 30 / 365)
    nearest = sorted(ladder, key=lambda strike: abs(float(strike) - price))[:2]
    assert abs(nearest[0] - nearest[1]) == Decimal(step)
    assert round_strike(price) % (Decimal(step) * 8) == 0


@pytest.mark.parametrize(("days", "times"), [(45, 1), (46, 2), (200, 2), (201, 4)])
def test_strikes_are_wider_with_the_days(days, times):
    ladder = strike_ladder(50.0, 0.2, days / 365)
    nearest = sorted(ladder, key=lambda strike: abs(float(strike) - 50.0))[:2]
    assert abs(nearest[0] - nearest[1]) == times
    assert list(ladder) == sorted(ladder)


def test_realised_volatility_is_of_the_last_sessions_less_one():
    history = VarianceHistory((), (0.5, 0.01, 0.03), (), 0.0)
    assert history.realized(2) == pytest.approx(math.sqrt(252 * 0.0002))
    assert (history.realized(1), VarianceHistory((), (0.1,), (), 0.0).realized(5)) == (0.0, 0.0)


CALL = Contract("SPY", date(2024, 6, 21), "C", Decimal("500.5"))


def test_both_symbols_of_a_contract_are_read_back():
    assert (CALL.occ_symbol, CALL.streamer_symbol) == ("SPY   240621C00500500", ".SPY240621C500.5")
    assert read_occ_symbol(CALL.occ_symbol) == CALL
    assert read_streamer_symbol(CALL.streamer_symbol) == CALL
    assert read_streamer_symbol(".SPY240621C500").strike == 500
    for wrong in ("SPY240621C00500500", "SPY   240631C00500500", "SPY   240621X00500500", ""):
        assert read_occ_symbol(wrong) is None


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [(2024, 6, date(2024, 6, 21)), (2024, 11, date(2024, 11, 15)), (2024, 13, date(2025, 1, 17)), (2024, 0, date(2023, 12, 15)), (2024, -1, date(2023, 11, 17))],
)  # fmt: skip
def test_months_beyond_the_year_are_of_the_next_one(year, month, day):
    assert third_friday(year, month) == day


def test_an_expiration_is_listed_from_its_first_session_through_its_last():
    weekly = Expiration(date(2024, 6, 12), "PM", "weekly")
    days = [date(2024, 4, 1) + timedelta(days=n) for n in range(90)]
    listed = [day for day in days if weekly in expirations_of("SPY", day)]
    # Listed 36 days ahead, and on every day from then on.
    assert listed == [date(2024, 5, 7) + timedelta(days=n) for n in range(37)]
