# SPDX-License-Identifier: Apache-2.0
"""A snapshot of one chain: which calls it takes, which rows come of them, what is said of the rest."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from aiohttp import web
from scripted_server import ScriptedServer

from ttapi.errors import ResponseError
from ttapi.sources.http import HostLimits, HttpClient
from ttapi.sources.tastytrade.api import TastytradeApi
from ttapi.sources.tastytrade.option_quotes import read_option_quotes
from ttapi.sources.traffic import Quarantine, Traffic

NOW = datetime(2014, 6, 2, 19, 45, 30, 900_000, tzinfo=UTC)
SHARES = [{"deliverable-type": "Shares", "amount": "100.0"}]
QUOTE = {
    "instrument-type": "Equity Option",
    "updated-at": "2014-06-02T19:45:29.123+00:00",
    "bid": "0.1",
    "ask": "0.15",
    "bid-size": "7.0",
    "ask-size": "9.0",
    "mark": "0.125",
    "summary-date": "2014-06-02",
    "prev-close-date": "2014-05-30",
    "is-trading-halted": False,
    "halt-start-time": -1,
}


class Vendor:
    """A chain and what is quoted of it; notes what it is asked."""

    def __init__(self, symbol="AAPL", strikes=("490.0",), *, deliverables=SHARES, **quotes):
        self.symbol, self.strikes, self.deliverables = symbol, strikes, deliverables
        self.quotes = quotes
        self.kind = "equity" if deliverables else "index"
        self.asked = []

    def contract(self, kind, strike):
        return f"{self.symbol:6}140621{kind}{int(float(strike) * 1000):08d}"

    async def __call__(self, request, _number):
        items = self._quotes(request) if "market-data" in request.path else [self._chain()]
        return web.json_response({"data": {"items": items}})

    def _chain(self):
        strikes = [
            {"strike-price": s, "call": self.contract("C", s), "put": self.contract("P", s)}
            for s in self.strikes
        ]
        return {
            "underlying-symbol": self.symbol,
            "root-symbol": self.symbol,
            "option-chain-type": "Standard",
            "shares-per-contract": 100,
            "deliverables": self.deliverables,
            "expirations": [
                {"expiration-date": "2014-06-21", "settlement-type": "PM", "strikes": strikes}
            ],
        }

    def _quotes(self, request):
        asked = {kind: text.split(",") for kind, text in request.query.items()}
        self.asked.append({kind: len(names) for kind, names in asked.items()})
        return [
            {"symbol": name, **QUOTE, **self.quotes.get(name.replace(" ", "_"), {})}
            for kind, names in asked.items()
            for name in names
            if kind in {"equity-option", self.kind}
            and self.quotes.get(name.replace(" ", "_")) != "none"
        ]


def snapshot(vendor, tmp_path, symbol="AAPL"):
    async def read(server):
        tuning = HostLimits(requests_per_s=10_000.0, give_up_s=0.1)
        async with HttpClient(server.url, Traffic(), tuning=tuning) as client:
            return await read_option_quotes(
                TastytradeApi(client, Quarantine(tmp_path)), symbol, NOW
            )

    with ScriptedServer(vendor) as server:
        return asyncio.run(read(server))


def test_a_contract_has_its_terms_and_its_quote_of_one_instant(tmp_path):
    vendor = Vendor()
    found = snapshot(vendor, tmp_path)
    call, put, own = sorted(
        found.rows, key=lambda row: (row["contract"] == "AAPL", row["contract"])
    )
    assert call == {
        "symbol": "AAPL",
        "snapshot": "AAPL 2014-06-02T19:45:30",
        "snapshot_at": datetime(2014, 6, 2, 19, 45, 30),
        "contract": "AAPL  140621C00490000",
        "option_type": "C",
        "root": "AAPL",
        "expiration_date": date(2014, 6, 20),
        "contract_expiration_date": date(2014, 6, 21),
        "settlement": "PM",
        "strike": 490.0,
        "exercise_style": "A",
        "multiplier": 100,
        "is_adjusted": False,
        "bid": 0.1,
        "ask": 0.15,
        "bid_size": 7.0,
        "ask_size": 9.0,
        "mark": 0.125,
        **dict.fromkeys(("last", "volume", "open_interest", "open", "day_high", "day_low")),
        "quote_time": datetime(2014, 6, 2, 19, 45, 29, 123_000),
        **dict.fromkeys(("close", "close_price_type", "prev_close")),
        "summary_date": date(2014, 6, 2),
        "prev_close_date": date(2014, 5, 30),
        "is_trading_halted": False,
        "extra": '{"halt-start-time":-1}',
    }
    assert (put["contract"], put["option_type"]) == ("AAPL  140621P00490000", "P")
    assert (own["contract"], own["snapshot"], own["mark"], own.get("root")) == (
        "AAPL", call["snapshot"], 0.125, None,
    )  # fmt: skip
    assert (found.notes, found.rejects) == ([], [])
    assert vendor.asked == [{"equity": 1, "equity-option": 2}]


@pytest.mark.parametrize(("strikes", "calls"), [(49, [99]), (50, [100, 1]), (100, [100, 100, 1])])
def test_a_call_asks_for_a_hundred_symbols_of_all_kinds(tmp_path, strikes, calls):
    vendor = Vendor(strikes=[f"{100 + n}.0" for n in range(strikes)])
    found = snapshot(vendor, tmp_path)
    assert sorted((sum(asked.values()) for asked in vendor.asked), reverse=True) == calls
    assert len({row["contract"] for row in found.rows}) == len(found.rows) == 2 * strikes + 1


def test_an_index_is_asked_for_as_one_and_its_options_are_european(tmp_path):
    vendor = Vendor("SPX", deliverables=[])
    found = snapshot(vendor, tmp_path, "SPX")
    assert vendor.asked == [{"index": 1, "equity-option": 2}]
    assert {row["exercise_style"] for row in found.rows if row["contract"] != "SPX"} == {"E"}


def test_an_underlying_of_the_other_kind_is_asked_for_once_more(tmp_path):
    vendor = Vendor(deliverables=[])
    vendor.kind = "equity"
    found = snapshot(vendor, tmp_path)
    assert vendor.asked == [{"index": 1, "equity-option": 2}, {"equity": 1}]
    assert "AAPL" in {row["contract"] for row in found.rows}


def test_what_the_vendor_does_not_quote_is_a_note_and_a_bad_quote_is_refused(tmp_path):
    vendor = Vendor(
        strikes=("490.0", "495.0"),
        AAPL="none",
        AAPL__140621C00490000="none",
        AAPL__140621P00495000={"bid": "much"},
    )
    found = snapshot(vendor, tmp_path)
    assert sorted(row["contract"] for row in found.rows) == [
        "AAPL  140621C00495000",
        "AAPL  140621P00490000",
    ]
    assert [reason for reason, _ in found.rejects] == ["field 'bid' is 'much', not number"]
    assert found.notes == [
        "no quote: the vendor has none of 2 of 5 symbols asked for, such as AAPL",
    ]


def test_an_answer_about_something_else_fails_the_snapshot(tmp_path):
    class Confused(Vendor):
        def _quotes(self, request):
            return [{**item, "symbol": "MSFT"} for item in super()._quotes(request)]

    with pytest.raises(ResponseError, match="'MSFT', which was not asked for"):
        snapshot(Confused(), tmp_path)
