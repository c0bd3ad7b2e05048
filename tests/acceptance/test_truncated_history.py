# SPDX-License-Identifier: Apache-2.0
"""A history the feed cuts short: what came is stored, and the ledger covers no more than came."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

pytestmark = pytest.mark.compat

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


@pytest.fixture
def cut_short(lab):
    """A home whose feed gives the newest three candles of each history."""
    with VendorServer(VendorMarket(7, NOW, symbols=30), faults=["snip:at=3"]) as server:
        lab.environ |= {
            "TTAPI_DXLINK_URL": server.dxlink_url,
            "TTAPI_DXLINK_TOKEN": server.credentials.quote_token,
        }
        yield lab


def test_the_gap_is_in_the_ledger_and_in_health_and_is_not_asked_for_again(cut_short):
    done = cut_short.ttapi("refresh", "raw.dxlink_candles", "--symbols", "SPY")
    assert done.returncode == 0, done.stderr
    days = [date(2024, 6, day) for day in (12, 13, 14)]
    assert cut_short.rows("select date from raw.dxlink_candles order by date") == [
        (day,) for day in days
    ]
    (unit,) = cut_short.rows(
        "select covered_from, first_date from catalog.units where dataset = 'raw.dxlink_candles'"
    )
    assert unit == (date(2024, 6, 12), date(2024, 6, 12))
    assert cut_short.rows(
        "select code, detail from health where dataset = 'raw.dxlink_candles'"
    ) == [
        (
            "history is truncated",
            "the feed sent nothing before 2024-06-12, its limit of candles",
        )
    ]
    again = cut_short.ttapi("refresh", "raw.dxlink_candles", "--symbols", "SPY")
    assert "0 source calls" in again.stderr
