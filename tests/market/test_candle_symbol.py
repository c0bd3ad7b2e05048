# SPDX-License-Identifier: Apache-2.0
"""Candle symbols are read, written, and matched by the form dxFeed answers with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.dxfeed import (
    PERIOD_TYPES,
    CandleSymbol,
    event_index,
    normalise_candle_symbol,
    parse_candle_symbol,
)

BASES = ("AAPL", "BRK/B", ".SPY250117C600", "/ESZ26:XCME", "BTC/USD:CXTALP", "./EW3N24C4400:XCME")

SERIES = st.builds(
    CandleSymbol,
    base=st.sampled_from(BASES),
    period=st.sampled_from(sorted(PERIOD_TYPES)),
    count=st.integers(1, 400) | st.sampled_from([0.5, 2.25]),
    tho=st.booleans(),
    price=st.sampled_from(["last", "bid", "ask", "mark", "s"]),
    alignment=st.sampled_from(["m", "s"]),
    exchange=st.sampled_from(["", "Q"]),
    price_level=st.sampled_from(["", "0.5"]),
)


@given(SERIES)
def test_a_series_survives_being_written_and_read(series):
    assert parse_candle_symbol(str(series)) == series


@given(SERIES)
def test_the_normalised_form_is_its_own_normalised_form(series):
    assert normalise_candle_symbol(str(series)) == str(series)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("AAPL{=1d}", "AAPL{=d}"),
        ("AAPL{=d}", "AAPL{=d}"),
        ("AAPL{=1d,tho=true}", "AAPL{=d,tho=true}"),
        ("AAPL{tho=true,=1d}", "AAPL{=d,tho=true}"),
        ("AAPL{=5m,price=mark,a=s}", "AAPL{=5m,a=s,price=mark}"),
        ("AAPL{=1d,price=last,tho=false,a=m}", "AAPL{=d}"),
        ("AAPL{=1t}", "AAPL"),
        ("AAPL", "AAPL"),
        ("AAPL&Q{=1h}", "AAPL&Q{=h}"),
        ("AAPL{=5.0m}", "AAPL{=5m}"),
    ],
)
def test_symbols_are_normalised_as_dxfeed_does(asked, answered):
    assert normalise_candle_symbol(asked) == answered


@pytest.mark.parametrize(
    "text", ["", "{=d}", "AAPL{=d", "AAPL{}", "AAPL{=0d}", "AAPL{=3x}", "AAPL{=d,=5m}", "A{=d,tho=yes}", "A{=d,zz=1}", "A{d}"]
)  # fmt: skip
def test_what_is_no_candle_symbol_is_refused_and_left_as_it_is(text):
    with pytest.raises(ValueError):
        parse_candle_symbol(text)
    assert normalise_candle_symbol(text) == text


def test_an_index_is_the_one_a_captured_event_bears():
    assert event_index(1684559855338) == 7235129486797176832
