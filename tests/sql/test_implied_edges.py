# SPDX-License-Identifier: Apache-2.0
"""Where quotes, clocks and reports are odd: what stands beside a sound chain must not bend it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from math import exp

import pytest
from option_market import (
    IMPLIED,
    Contract,
    chain_of,
    rebuild,
    smile,
    store,
    whole_database,
    years_to,
)

NEAR, LATER = date(2026, 3, 20), date(2026, 4, 17)
CLOSE = datetime(2026, 3, 6, 21)  # a Friday, 16:00 in New York
OPENING = datetime(2026, 3, 2, 14, 30)
"""Of the Monday that chains are taken on by default, 9:30 in New York."""


@pytest.fixture(scope="module")
def market():
    """A database of every model."""
    con, graph = whole_database()
    yield con, graph
    con.close()


def implied(market, symbol, contracts, **changes):
    con, graph = market
    store(con, symbol, contracts, **changes)
    rebuild(con, graph, *IMPLIED)
    return con


def test_a_contract_twice_in_a_snapshot_is_the_later_line(market):
    chain = chain_of([NEAR], strikes=range(80, 125, 5))
    first = [
        Contract(c.strike, c.option_type, NEAR, c.bid, c.ask, {"line": n})
        for n, c in enumerate(chain)
    ]
    dearer = Contract(105.0, "C", NEAR, 2.0, 2.02, {"line": 900})
    con = implied(market, "TWI", [dearer, *first])
    assert con.execute(
        "select bid from chain where underlying = 'TWI' and strike = 105 and option_type = 'C'"
    ).fetchall() == [(2.0,)]


@pytest.mark.parametrize(
    ("symbol", "kind", "strikes", "order"),
    [("LAC", "C", (100.0, 105.0), 1), ("LAP", "P", (100.0, 95.0), 1), ("LAD", "C", (100.0, 105.0), -1)],
)  # fmt: skip
def test_of_a_ladder_of_two_both_are_solved_though_the_second_is_dearer(
    market, symbol, kind, strikes, order
):
    quotes = ((2.0, 2.02), (3.0, 3.02))[::order]
    ladder = [
        Contract(strike, kind, NEAR, *quote) for strike, quote in zip(strikes, quotes, strict=True)
    ]
    con = implied(market, symbol, ladder)
    found = con.execute(
        "select strike, iv_reason, implied_volatility is not null from chain where underlying = ?",
        [symbol],
    ).fetchall()
    assert sorted(found) == sorted((strike, None, True) for strike in strikes)


def test_a_refused_quote_is_no_price_of_a_straddle(market):
    chain = chain_of([NEAR], strikes=range(80, 125, 5))
    crossed = [
        Contract(100.0, "C", NEAR, 9.3, 9.1) if (c.strike, c.option_type) == (100, "C") else c
        for c in chain
    ]
    con = implied(market, "SND", chain)
    con = implied(market, "CRO", crossed)
    found = dict(
        con.execute(
            "select underlying, (atm_strike, straddle) from derived.expiration_implied where underlying in ('SND', 'CRO')"
        ).fetchall()
    )
    assert found["SND"][0] == 100
    assert found["CRO"][0] == 105
    assert con.execute(
        "select mid, iv_reason from chain where underlying = 'CRO' and strike = 100 and option_type = 'C'"
    ).fetchall() == [(None, "crossed quote")]


def test_the_move_of_the_last_day_is_of_what_is_left_of_it(market):
    morning = datetime(2026, 3, 20, 14)
    chain = chain_of([NEAR], strikes=range(95, 106), taken_at=morning)
    con = implied(market, "DAY", chain, taken_at=morning)
    moves = dict(
        con.execute(
            "select method, expected_move from expected_move where underlying = 'DAY'"
        ).fetchall()
    )
    volatility = con.execute(
        "select implied_volatility from term_structure where underlying = 'DAY'"
    ).fetchall()[0][0]
    assert moves["calendar"] == pytest.approx(100 * volatility * (6 / 24 / 365) ** 0.5)
    assert moves["trading"] == pytest.approx(100 * volatility * (6 / 6.5 / 252) ** 0.5)


def test_expired_series_are_no_longer_listed(market):
    after = datetime(2026, 3, 20, 20, 30)
    con = implied(
        market, "PST", chain_of([NEAR], strikes=range(90, 115, 5), taken_at=CLOSE), taken_at=after
    )
    assert con.execute(
        "select count(*) from term_structure where underlying = 'PST'"
    ).fetchall() == [(0,)]
    assert con.execute(
        "select distinct iv_reason from chain where underlying = 'PST'"
    ).fetchall() == [("expired",)]


def test_a_weekend_s_snapshot_does_not_take_the_place_of_friday_s(market):
    chain = chain_of([NEAR, LATER], taken_at=CLOSE)
    con = implied(market, "WKD", chain, taken_at=CLOSE)
    before = con.execute("select * from iv_history where underlying = 'WKD'").fetchall()
    con = implied(market, "WKD", chain, taken_at=datetime(2026, 3, 8, 23))
    assert con.execute("select * from iv_history where underlying = 'WKD'").fetchall() == before
    con = implied(market, "SUN", chain, taken_at=datetime(2026, 3, 8, 23))
    assert con.execute("select date from iv_history where underlying = 'SUN'").fetchall() == [
        (date(2026, 3, 6),)
    ]


def report(con, symbol, day, hint):
    con.execute(
        "insert into raw.tastytrade_market_metrics (symbol, updated_at, earnings_expected_report_date, earnings_time_of_day,"
        " unit_id, known_at, load_id, is_current) values (?, '2026-02-02', ?, ?, 1, '2026-02-02', 1, true)",
        [symbol, day, hint],
    )


@pytest.mark.parametrize(("hint", "flags"), [("AMC", [True, True]), ("BMO", None)])
def test_a_report_of_today_is_ahead_after_the_close_alone(market, hint, flags):
    symbol = f"R{hint}"
    con = market[0]
    report(con, symbol, CLOSE.date(), hint)
    implied(market, symbol, chain_of([NEAR, LATER], taken_at=CLOSE), taken_at=CLOSE)
    rows = con.execute(
        "select is_after_earnings from earnings_volatility where underlying = ? order by expiration_date",
        [symbol],
    ).fetchall()
    assert [flag for (flag,) in rows] == (flags or [])


def test_a_ticker_of_its_own_digit_is_no_adjusted_series_and_dividends_are_carried(market):
    con = market[0]
    con.execute(
        "insert into raw.corporate_actions (symbol, ex_date, kind, cash, unit_id, known_at, load_id, is_current)"
        " values ('DIV', '2026-03-10', 'dividend', 1.5, 1, '2026-03-01', 1, true),"
        " ('DIV', '2026-06-10', 'dividend', 9.0, 1, '2026-03-02', 1, true)"
    )
    calls = [
        c
        for c in chain_of([NEAR], strikes=range(90, 115, 5), taken_at=CLOSE)
        if c.option_type == "C"
    ]
    implied(market, "DIV", calls, taken_at=CLOSE)
    ((forward, method),) = con.execute(
        "select distinct forward, forward_method from chain where underlying = 'DIV'"
    ).fetchall()
    years = years_to(NEAR, taken_at=CLOSE)
    assert method == "carry"
    assert forward == pytest.approx(
        100 * 2.718281828459045 ** (0.04 * years) - 1.5 * 2.718281828459045 ** (0.04 * 10 / 365)
    )
    assert smile(100, 100, years) > 0


@pytest.mark.parametrize(
    ("spot", "is_in_basis"), [(100.0, True), (85.0, True), (700.0, False), (50.0, False)]
)
def test_a_spot_in_another_basis_than_its_strikes_prices_nothing(market, spot, is_in_basis):
    chain = chain_of([NEAR, LATER], strikes=range(80, 125, 5))
    symbol = f"B{spot:.0f}"
    con = implied(market, symbol, chain, spot=spot)
    found = con.execute(
        """
        select count(*), count(*) filter (where iv_reason = 'spot in another basis'),
            count(coalesce(implied_volatility, delta, gamma, spot, intrinsic))
        from chain where underlying = ?
        """,
        [symbol],
    ).fetchone()
    contracts = len(chain)
    priced, refused = (contracts, 0, contracts), (contracts, contracts, 0)
    assert found == (priced if is_in_basis else refused)


def test_an_index_that_nobody_can_carry_may_stand_far_from_its_forward(market):
    con = implied(market, "VIX", chain_of([LATER], strikes=range(80, 125, 5)), spot=190.0)
    priced = "select count(*) > 8 from chain where underlying = 'VIX' and implied_volatility > 0"
    assert con.execute(priced).fetchall() == [(True,)]


def test_without_a_spot_no_value_of_exercise_is_said(market):
    con = implied(market, "NIL", chain_of([NEAR], strikes=range(80, 125, 5)), spot=None)
    read = "select distinct intrinsic, extrinsic from {} where underlying = 'NIL'"
    assert con.execute(read.format("chain")).fetchall() == [(None, None)]
    asof = "chain_asof('NIL', '2027-01-01')"
    assert con.execute(read.format(asof)).fetchall() == [(None, None)]


def test_quotes_at_the_very_border_are_sound_and_beyond_it_are_not(market):
    chain = {(c.strike, c.option_type): c for c in chain_of([NEAR], strikes=range(80, 125, 5))}

    def odd(strike, bid_share, ask_share, seconds=0):
        sound = chain[strike, "C"]
        # A whole number of 64ths is exact, so that what should be equal is.
        middle = max(1, round((sound.bid + sound.ask) * 32)) / 64
        at = OPENING + timedelta(seconds=seconds)
        chain[strike, "C"] = Contract(strike, "C", NEAR, middle * bid_share, middle * ask_share, {"quote_time": at})  # fmt: skip

    odd(95, 0.5, 1.5)
    odd(100, 0.5, 1.5625)
    odd(105, 0.75, 1.25, seconds=-1)
    odd(110, 1.0, 1.0)
    con = implied(market, "BOR", chain.values())
    found = dict(
        con.execute(
            "select strike, iv_reason from chain where underlying = 'BOR' and option_type = 'C' and strike between 95 and 110"
        ).fetchall()
    )
    assert found == {95: None, 100: "wide quote", 105: "stale quote", 110: "locked quote"}


def calls(taken_at):
    chain = chain_of([NEAR], strikes=range(90, 115, 5), taken_at=taken_at)
    return [one for one in chain if one.option_type == "C"]


@pytest.mark.parametrize(
    ("symbol", "ex_date", "is_paid"),
    [("DV1", NEAR, True), ("DV2", NEAR + timedelta(days=1), False)],
)
def test_a_dividend_of_the_last_day_is_in_the_forward_and_one_after_it_is_not(
    market, symbol, ex_date, is_paid
):
    market[0].execute(
        "insert into raw.corporate_actions (symbol, ex_date, kind, cash, unit_id, known_at, load_id, is_current)"
        " values (?, ?, 'dividend', 1.5, 1, '2026-03-01', 1, true)",
        [symbol, ex_date],
    )
    con = implied(market, symbol, calls(CLOSE), taken_at=CLOSE)
    ((forward,),) = con.execute(
        "select distinct forward from chain where underlying = ?", [symbol]
    ).fetchall()
    carried = 100 * exp(0.04 * years_to(NEAR, taken_at=CLOSE))
    assert forward == pytest.approx(carried - (1.5 if is_paid else 0))


@pytest.mark.parametrize(("symbol", "seconds", "is_over"), [("XP1", 0, True), ("XP2", -60, False)])
def test_at_the_instant_of_its_expiration_an_option_has_expired(market, symbol, seconds, is_over):
    taken_at = datetime(2026, 3, 20, 20) + timedelta(seconds=seconds)
    con = implied(market, symbol, [Contract(100.0, "C", NEAR, 1.0, 1.1, {"quote_time": taken_at})], taken_at=taken_at)  # fmt: skip
    found = con.execute(
        "select iv_reason = 'expired' from derived.option_implied where underlying = ?", [symbol]
    ).fetchall()
    assert [bool(over) for (over,) in found] == [is_over]


def test_on_the_day_of_a_new_rate_that_rate_holds_and_no_other(market):
    con = market[0]
    con.execute("begin")
    con.execute(
        "insert into raw.rates (date, tenor_days, rate, unit_id, known_at, load_id, is_current)"
        " values ('2026-03-05', 30, 0.01, 1, '2026-03-01', 1, true), ('2026-03-06', 30, 0.03, 1, '2026-03-01', 1, true)"
    )
    implied(market, "RTE", calls(CLOSE), taken_at=CLOSE)
    found = con.execute("select rate, count(*) from chain where underlying = 'RTE' group by 1").fetchall()  # fmt: skip
    con.execute("rollback")
    assert found == [(0.03, 5)]
