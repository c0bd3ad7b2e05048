# SPDX-License-Identifier: Apache-2.0
"""Both spellings of a contract lead back to it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.simulator.derivatives.symbols import Contract, read_occ_symbol, read_streamer_symbol

CONTRACTS = st.builds(
    Contract,
    st.from_regex(r"[A-Z]{1,5}[0-9]?", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2068, 12, 31)),
    st.sampled_from("CP"),
    st.integers(1, 9_999_999).map(lambda thousandths: Decimal(thousandths) / 1000),
)


@given(CONTRACTS)
def test_every_contract_is_read_back_from_its_symbols(contract):
    assert read_occ_symbol(contract.occ_symbol) == contract
    assert read_streamer_symbol(contract.streamer_symbol) == contract


@pytest.mark.parametrize(
    ("contract", "occ", "streamer"),
    [
        (
            Contract("AAPL", date(2025, 1, 17), "C", Decimal(150)),
            "AAPL  250117C00150000",
            ".AAPL250117C150",
        ),
        (
            Contract("SPY", date(2023, 6, 30), "P", Decimal("412.50")),
            "SPY   230630P00412500",
            ".SPY230630P412.5",
        ),
        (
            Contract("QICO1", date(2026, 11, 20), "C", Decimal("38.75")),
            "QICO1 261120C00038750",
            ".QICO1261120C38.75",
        ),
    ],
)
def test_symbols_are_spelt_as_the_vendors_do(contract, occ, streamer):
    assert (contract.occ_symbol, contract.streamer_symbol) == (occ, streamer)


@pytest.mark.parametrize(
    "text", ["", "SPY", ".SPY", ".SPY251332C100", "SPY   251332C00100000", ".SPY251219X1"]
)
def test_other_texts_are_no_contracts(text):
    assert read_occ_symbol(text) is None
    assert read_streamer_symbol(text) is None
