# SPDX-License-Identifier: Apache-2.0
"""Futures, their options and coins agree with the market they follow."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest

from ttapi.simulator.derivatives.surface import RATE
from ttapi.simulator.derivatives.symbols import FutureOption
from ttapi.simulator.stored_market import market_from_folder
from ttapi.simulator.vendor_market import VendorMarket

MIDDAY = datetime(2026, 11, 20, 17, 3, 20, tzinfo=UTC)
EVENING = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="module", params=[MIDDAY, EVENING], ids=["midday", "evening"])
def market(request):
    return VendorMarket(7, request.param, symbols=30)


def products(market):
    return {product.code: product for product in market.board.products(market.now)}


def years(market, contract):
    return (contract.expires_at - market.now).total_seconds() / 365 / 86_400


@pytest.mark.parametrize(("code", "index"), [("ES", "SPX"), ("NQ", "NDX")])
def test_an_index_future_is_what_the_index_is_worth_then(market, code, index):
    for contract in market.board.contracts(products(market)[code], market.now):
        forward = market.surface(index).forward(years(market, contract))
        assert market.board.price(contract, market.now) == pytest.approx(forward, abs=0.126)


def test_volatility_futures_lie_between_the_index_and_its_usual_level(market):
    spot = market.spot("VIX")
    low, high = sorted((spot, 20.0))
    for contract in market.board.contracts(products(market)["VX"], market.now):
        assert low - 0.05 <= market.board.price(contract, market.now) <= high + 0.05


@pytest.mark.parametrize("code", ["ES", "CL"])
def test_calls_and_puts_on_a_future_are_at_parity(market, code):
    for options in market.board.options(products(market)[code], market.now):
        future = market.board.price(options.future, market.now)
        discount = math.exp(-RATE * years(market, options))
        strikes = market.board.strikes(options, market.now)
        assert float(strikes[0]) < future < float(strikes[-1])
        for strike in strikes[:: len(strikes) // 5]:
            call, put = (
                market.greeks(FutureOption(options, kind, strike).streamer_symbol) for kind in "CP"
            )
            assert call.price - put.price == pytest.approx(
                discount * (future - float(strike)), abs=1e-6
            )


def test_options_of_index_and_future_are_thought_equally_volatile(market):
    """At the money, at the same moment: one surface prices both."""
    options = next(
        one
        for one in market.board.options(products(market)["ES"], market.now)
        if one.kind == "Regular"
    )
    future = market.board.price(options.future, market.now)
    strike = min(market.board.strikes(options, market.now), key=lambda k: abs(float(k) - future))
    greeks = market.greeks(FutureOption(options, "C", strike).streamer_symbol)
    surface, t = market.surface("SPX"), years(market, options)
    moneyness = float(strike) / future
    assert greeks.volatility == pytest.approx(surface.volatility(moneyness * surface.forward(t), t))


def test_everything_is_quoted_around_its_price(market):
    board, now = market.board, market.now
    found = [coin.symbol for coin in board.coins(now)]
    for product in board.products(now):
        found += [contract.streamer_symbol for contract in board.contracts(product, now)]
        for options in board.options(product, now)[:2]:
            strike = board.strikes(options, now)[3]
            found += [FutureOption(options, kind, strike).streamer_symbol for kind in "CP"]
    assert len(found) > 40
    for symbol in found:
        quote, trade, summary = market.quote(symbol), market.trade(symbol), market.summary(symbol)
        assert 0 <= quote.bid <= trade.price <= quote.ask, symbol
        assert quote.bid < quote.ask
        assert trade.change == pytest.approx(trade.price - summary.prev_close, abs=0.011)
        assert summary.date == date(2026, 11, 20) > summary.prev_date
        assert market.profile(symbol).description
        if summary.open is not None:
            assert summary.low <= min(summary.open, trade.price) <= summary.high


def test_a_symbol_nobody_lists_is_nothing(market):
    for symbol in ("/ESZ9", "/XXZ6", "./ESZ6 EW9Z6 261204C7000", "./ESZ26C7000.5:XCME", "XRP/USD"):
        assert (market.quote(symbol), market.trade(symbol), market.greeks(symbol)) == (None,) * 3


def test_futures_come_with_the_years_and_coins_later():
    def listed(year):
        board = VendorMarket(7, datetime(year, 6, 3, 17, tzinfo=UTC), symbols=30).board
        now = datetime(year, 6, 3, 17, tzinfo=UTC)
        return (
            [product.code for product in board.products(now)],
            [coin.symbol for coin in board.coins(now)],
        )

    assert listed(1997) == (["CL"], [])
    assert listed(2003) == (["ES", "NQ", "CL"], [])
    assert listed(2016) == (["ES", "NQ", "CL", "VX"], ["BTC/USD"])


def test_a_market_of_stored_bars_has_futures_on_the_indices_it_holds(tmp_path):
    rows = ["symbol,date,open,high,low,close,volume"]
    for year, days in ((2025, range(1, 10)), (2026, range(2, 12))):
        rows += [f"SPX,{year}-11-{day:02d},6000,6010,5990,6001," for day in days]
    (tmp_path / "bars.csv").write_text("\n".join(rows) + "\n")
    market = market_from_folder(tmp_path, datetime(2026, 11, 11, 22, tzinfo=UTC))
    assert list(products(market)) == ["ES"]
    assert market.board.coins(market.now) == ()
    nearest = market.board.contracts(products(market)["ES"], market.now)[0]
    assert market.board.price(nearest, market.now) == pytest.approx(
        6001 * math.exp(RATE * years(market, nearest)), abs=0.13
    )
