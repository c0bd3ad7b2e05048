# SPDX-License-Identifier: Apache-2.0
"""Last days of futures as the exchanges had them, and the options between."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ttapi.simulator.derivatives.contracts import PRODUCTS, active_places, contracts_of, options_of
from ttapi.simulator.derivatives.symbols import FutureOption, read_future_option

NOW = datetime(2024, 5, 20, 17, 0, tzinfo=UTC)
BY_CODE = {product.code: product for product in PRODUCTS}


@pytest.mark.parametrize(
    ("code", "symbol", "streamer", "expires"),
    [
        # CME: third Friday; Good Friday is none.
        ("ES", "/ESM4", "/ESM24:XCME", date(2024, 6, 21)),
        ("NQ", "/NQZ4", "/NQZ24:XCME", date(2024, 12, 20)),
        # NYMEX 200: May 25 was a Saturday; December 25 is a holiday.
        ("CL", "/CLM4", "/CLM24:XNYM", date(2024, 5, 21)),
        ("CL", "/CLZ4", "/CLZ24:XNYM", date(2024, 11, 20)),
        ("CL", "/CLF5", "/CLF25:XNYM", date(2024, 12, 19)),
        # CFE's final settlements: a Tuesday, for the Wednesday was Juneteenth.
        ("VX", "/VXM4", "/VXM24:XCBF", date(2024, 6, 18)),
        ("VX", "/VXF5", "/VXF25:XCBF", date(2025, 1, 22)),
    ],
)
def test_a_contract_ends_when_the_exchange_says(code, symbol, streamer, expires):
    found = {one.symbol: one for one in contracts_of(BY_CODE[code], NOW)}
    assert (found[symbol].streamer_symbol, found[symbol].expires) == (streamer, expires)


@pytest.mark.parametrize("code", BY_CODE)
def test_so_many_contracts_are_listed_in_order_and_none_has_ended(code):
    product = BY_CODE[code]
    for month in range(1, 13):
        for day in (1, 17, 21, 28):
            now = datetime(2025, month, day, 20, 0, tzinfo=UTC)
            found = contracts_of(product, now)
            assert len({one.symbol for one in found}) == product.count
            assert [one.expires for one in found] == sorted(one.expires for one in found)
            assert all(one.expires_at > now for one in found)


def test_the_active_contract_is_the_next_one_some_sessions_before_the_end():
    """ES rolls four sessions before its expiration, CL three."""
    for code, last_day, next_day in (
        ("ES", datetime(2024, 6, 13, 17, tzinfo=UTC), datetime(2024, 6, 14, 17, tzinfo=UTC)),
        ("CL", datetime(2024, 5, 15, 17, tzinfo=UTC), datetime(2024, 5, 16, 17, tzinfo=UTC)),
    ):
        before, after = (contracts_of(BY_CODE[code], now) for now in (last_day, next_day))
        assert active_places(before, last_day) == 0
        assert active_places(after, next_day) == 1


def test_options_are_of_months_weeks_and_month_ends():
    futures = contracts_of(BY_CODE["ES"], NOW)
    found = [
        (one.code, one.future.symbol, one.expires, one.kind, one.settlement, one.is_american)
        for one in options_of(futures, NOW)
    ]
    assert found == [
        ("EW4K4", "/ESM4", date(2024, 5, 24), "Weekly", "PM", False),
        ("EWK4", "/ESM4", date(2024, 5, 31), "End-Of-Month", "PM", False),
        ("EW1M4", "/ESM4", date(2024, 6, 7), "Weekly", "PM", False),
        ("EW2M4", "/ESM4", date(2024, 6, 14), "Weekly", "PM", False),
        ("ESM4", "/ESM4", date(2024, 6, 21), "Regular", "AM", True),
        ("EWM4", "/ESU4", date(2024, 6, 28), "End-Of-Month", "PM", False),
        ("EWN4", "/ESU4", date(2024, 7, 31), "End-Of-Month", "PM", False),
        ("ESU4", "/ESU4", date(2024, 9, 20), "Regular", "AM", True),
        ("ESZ4", "/ESZ4", date(2024, 12, 20), "Regular", "AM", True),
        ("ESH5", "/ESH5", date(2025, 3, 21), "Regular", "AM", True),
        ("ESM5", "/ESM5", date(2025, 6, 20), "Regular", "AM", True),
    ]


def test_options_on_oil_end_before_their_future_and_volatility_has_none():
    oil = options_of(contracts_of(BY_CODE["CL"], NOW), NOW)
    assert {one.code: one.expires for one in oil}["LOV4"] == date(2024, 9, 17)
    assert options_of(contracts_of(BY_CODE["VX"], NOW), NOW) == ()


def test_both_spellings_of_an_option_are_read_back():
    for product in (BY_CODE["ES"], BY_CODE["NQ"], BY_CODE["CL"]):
        for options in options_of(contracts_of(product, NOW), NOW):
            for text in ("4400", "72.5", "1"):
                made = FutureOption(options, "P", Decimal(text))
                for spelt, code in (
                    (made.symbol, options.code),
                    (made.streamer_symbol, options.streamer_code),
                ):
                    read = read_future_option(spelt)
                    assert (read.code, read.option_type, str(read.strike)) == (code, "P", text)


def test_a_symbol_is_spelt_as_the_vendor_does():
    options = options_of(contracts_of(BY_CODE["ES"], NOW), NOW)[0]
    option = FutureOption(options, "C", Decimal(5400))
    assert option.symbol == "./ESM4 EW4K4 240524C5400"
    assert option.streamer_symbol == "./EW4K24C5400:XCME"


@pytest.mark.parametrize(
    "text", ["./ESM4", "/ESM4", "", "./ESM4 EW4K4 240524X5400", ".SPY240621C5"]
)
def test_other_texts_are_no_options_on_futures(text):
    assert read_future_option(text) is None
