# SPDX-License-Identifier: Apache-2.0
"""What a chain's row says of its contracts, when events could be known, how requests are grouped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from ttapi.errors import UsageError
from ttapi.sources.contract import SourceContext, Unit, UnitRequest
from ttapi.sources.tastytrade.fetch import _groups, _positive
from ttapi.sources.tastytrade.instruments import _known_at
from ttapi.sources.tastytrade.market_fields import METRICS
from ttapi.sources.tastytrade.option_quotes import _exercise_style, _options, _terms_by_contract

SHARES, CASH = '[{"deliverable-type":"Shares"}]', '[{"deliverable-type":"Cash"}]'


@pytest.mark.parametrize(
    ("symbol", "deliverables", "style"),
    [("AAPL", SHARES, "A"), ("SPX", CASH, "E"), ("OEX", CASH, "A"), ("VIX", None, "E"), ("NEW", CASH, None), ("NEW", None, None)],
)  # fmt: skip
def test_options_on_shares_are_american_and_those_on_known_indices_european(
    symbol, deliverables, style
):
    assert _exercise_style(symbol, {"deliverables": deliverables}) == style


def test_each_side_of_a_strike_has_its_terms():
    row = {
        "root": "SPY", "expiration_date": date(2024, 6, 21), "vendor_expiration_date": date(2024, 6, 22), "settlement_type": "PM",
        "strike": 500.0, "shares_per_contract": 100, "option_chain_type": "Standard", "deliverables": SHARES, "call": "C1", "put": None,
    }  # fmt: skip
    terms = {
        "root": "SPY", "expiration_date": date(2024, 6, 21), "contract_expiration_date": date(2024, 6, 22), "settlement": "PM",
        "strike": 500.0, "exercise_style": "A", "multiplier": 100, "is_adjusted": False,
    }  # fmt: skip
    assert _terms_by_contract("SPY", [row]) == {
        "C1": {"contract": "C1", "option_type": "C", **terms}
    }
    other = row | {"call": "C2", "put": "P2", "option_chain_type": "Non-standard"}
    found = _terms_by_contract("SPY", [row, other])
    assert list(found) == ["C1", "C2", "P2"]
    assert (found["P2"]["option_type"], found["P2"]["is_adjusted"]) == ("P", True)
    assert (_options([]), _options(["A", "B"])) == ([], [("equity-option", "A,B")])


@pytest.mark.parametrize(
    ("day", "kind", "known_at"),
    [
        (date(2024, 6, 14), "dividend", datetime(2024, 6, 14, 13, 30)),
        (date(2024, 6, 14), "earnings", datetime(2024, 6, 14, 20)),
        (date(2024, 6, 15), "dividend", datetime(2024, 6, 17, 13, 30)),
        (date(2024, 6, 15), "earnings", datetime(2024, 6, 17, 20)),
        (date(2024, 12, 24), "earnings", datetime(2024, 12, 24, 18)),
        (date(1900, 1, 1), "dividend", datetime(1900, 1, 1, 21)),
        (date(2100, 1, 1), "earnings", datetime(2100, 1, 1, 21)),
    ],
)
def test_a_dividend_is_known_at_the_open_and_a_report_at_the_close_of_its_session(
    day, kind, known_at
):
    assert _known_at(day, kind) == known_at


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [2, 2, 1])]
)
def test_requests_go_in_calls_of_as_many_as_one_answers(count, sizes):
    requests = [UnitRequest(Unit(f"S{n}")) for n in range(count)]
    groups = _groups(replace(METRICS, units_a_call=2), requests)
    assert [len(group) for group in groups] == sizes
    assert [one for group in groups for one in group] == requests


@pytest.mark.parametrize(
    ("text", "number"), [("", 7.0), (" ", 7.0), ("0.01", 0.01), ("100000", 100_000.0), (" 5 ", 5.0)]
)
def test_a_setting_that_is_a_number_above_0_is_taken(text, number):
    context = SourceContext({"in_flight": text}, datetime(2024, 6, 14, tzinfo=UTC))
    assert _positive(context, "in_flight", 7) == number


@pytest.mark.parametrize("text", ["0", "0.009", "-1", "100000.1", "nan", "many"])
def test_a_setting_that_is_none_is_refused(text):
    context = SourceContext({"in_flight": text}, datetime(2024, 6, 14, tzinfo=UTC))
    with pytest.raises(UsageError, match="is no number above 0"):
        _positive(context, "in_flight", 7)
