# SPDX-License-Identifier: Apache-2.0
"""What the unmodified `tastytrade` client of PyPI reads from a simulator, as one JSON object.

usage: tastytrade_probe.py BASE_URL CLIENT_SECRET REFRESH_TOKEN ADJUSTED_SYMBOL
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date

from tastytrade import Account, Session
from tastytrade.instruments import (
    Cryptocurrency,
    Equity,
    Future,
    FutureOption,
    FutureOptionProduct,
    FutureProduct,
    NestedFutureOptionChain,
    NestedOptionChain,
    Option,
    get_future_option_chain,
)
from tastytrade.instruments import get_option_chain as get_flat_chain
from tastytrade.market_data import get_market_data_by_type
from tastytrade.market_sessions import ExchangeType, get_market_holidays, get_market_sessions
from tastytrade.metrics import (
    get_dividends,
    get_earnings,
    get_market_metrics,
    get_risk_free_rate,
)
from tastytrade.search import symbol_search
from tastytrade.watchlists import PublicWatchlist


def redirect_to(host, port):
    """An event hook: every request for the vendor goes to the simulator."""

    async def hook(request):
        if request.url.host.endswith("tastyworks.com"):
            request.url = request.url.copy_with(scheme="http", host=host, port=port)

    return hook


async def read(base_url, secret, refresh, adjusted):
    host, port = base_url.removeprefix("http://").split(":")
    hooks = {"request": [redirect_to(host, int(port))]}
    # The client gives up after 5 s, in which a busy machine may not have drawn the market.
    async with Session(secret, refresh, event_hooks=hooks, timeout=600) as session:
        customer = await session.get_customer()
        accounts = await Account.get(session)
        account = accounts[0]
        balance = await account.get_balances(session)
        positions = await account.get_positions(session, include_marks=True)
        history = await account.get_history(session, page_offset=None)
        spx = await NestedOptionChain.get(session, "SPX")
        brk = await NestedOptionChain.get(session, "BRK/B")
        odd = await NestedOptionChain.get(session, adjusted)
        flat = await get_flat_chain(session, "F")
        option = await Option.get(session, odd[1].expirations[0].strikes[0].call)
        metrics = await get_market_metrics(session, ["SPY", "AAPL", "SPX", "BRK/B", "NOSUCH"])
        everything = await Equity.get(session, [], per_page=100, page_offset=None)
        active = await Equity.get_active_equities(session, page_offset=None)
        quotes = await get_market_data_by_type(
            session, equities=["AAPL", "SPY"], indices=["SPX"], options=[option.symbol]
        )
        return {
            "customer": customer.id,
            "accounts": [a.account_number for a in accounts],
            "cash": str(balance.cash_balance),
            "positions": [[p.symbol, p.quantity_direction, str(p.quantity)] for p in positions],
            "transactions": len({t.id for t in history}),
            "transactions_read": len(history),
            "booked": str(sum(t.net_value for t in history)),
            "roots": [[c.root_symbol, len(c.expirations)] for c in spx],
            "brk_call": brk[0].expirations[0].strikes[0].call,
            "adjusted": [[c.root_symbol, c.option_chain_type, len(c.deliverables)] for c in odd],
            "flat": sum(len(options) for options in flat.values()),
            "option": [option.symbol, option.streamer_symbol],
            "metrics": {
                m.symbol: [
                    str(m.implied_volatility_index),
                    len(m.option_expiration_implied_volatilities),
                    m.earnings is not None,
                ]
                for m in metrics
            },
            "equities": len(everything),
            "active": len(active),
            "one": (await Equity.get(session, "BRK/B")).symbol,
            "quotes": [q.symbol for q in quotes],
            "dividends": len(await get_dividends(session, "AAPL")),
            "earnings": len(await get_earnings(session, "AAPL", date(2020, 1, 1))),
            "rate": str(await get_risk_free_rate(session)),
            "found": [s.symbol for s in await symbol_search(session, "AA")],
            "watchlists": [w.name for w in await PublicWatchlist.get(session)],
            "sessions": [
                s.status.value for s in await get_market_sessions(session, [ExchangeType.NYSE])
            ],
            "holidays": len((await get_market_holidays(session)).holidays),
            **await read_futures(session),
            "kinds": sorted({p.instrument_type.value for p in positions}),
            "is_valid": await session.validate(),
        }


async def read_futures(session):
    """Futures, options on them and cryptocurrencies."""
    futures = await Future.get(session, page_offset=None, per_page=7)
    future = await Future.get(session, "/ESU4")
    nested = await NestedFutureOptionChain.get(session, "/ES")
    flat = await get_future_option_chain(session, "ES")
    rows = [row for chain in nested.option_chains for row in chain.expirations]
    call = await FutureOption.get(session, rows[0].strikes[0].call)
    coins = await Cryptocurrency.get(session)
    data = await get_market_data_by_type(
        session,
        futures=[future.symbol],
        future_options=[call.symbol],
        cryptocurrencies=["BTC/USD"],
    )
    return {
        "futures": [f.symbol for f in futures],
        "nasdaq": [f.symbol for f in await Future.get(session, product_codes=["NQ"])],
        "future": [future.streamer_symbol, str(future.expiration_date), future.active_month],
        "products": [p.code for p in await FutureProduct.get(session)],
        "product": (await FutureProduct.get(session, "VX", "CFE")).description,
        "option_product": (await FutureOptionProduct.get(session, "EW3")).expiration_type,
        "option_roots": len(await FutureOptionProduct.get(session)),
        "future_chain": [
            sorted({r.option_contract_symbol for r in rows}),
            sum(2 * len(r.strikes) for r in rows),
            sum(len(options) for options in flat.values()),
            sorted({f.symbol for f in nested.futures}),
        ],
        "future_option": [call.symbol, call.streamer_symbol, call.underlying_symbol],
        "coins": [c.symbol for c in coins],
        "coin": (await Cryptocurrency.get(session, "ETH/USD")).streamer_symbol,
        "others": [[d.symbol, d.instrument_type.value, d.bid is not None] for d in data],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(read(*sys.argv[1:]))))
