# SPDX-License-Identifier: Apache-2.0
"""Chains: forward, implied volatility and Greeks of a market whose truth is known, and quotes that say nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from option_market import (
    IMPLIED,
    RATE,
    TAKEN_AT,
    Contract,
    black_scholes,
    chain_of,
    rebuild,
    smile,
    store,
    whole_database,
    years_to,
)

NEAR, MIDDLE, FAR = date(2026, 3, 20), date(2026, 4, 17), date(2026, 9, 18)
SOUND = chain_of([NEAR], strikes=range(80, 125, 5))


@pytest.fixture(scope="module")
def market():
    """One sound underlying AAA with three expirations, and one of bad quotes, BAD, beside a sound chain."""
    con, graph = whole_database()
    store(con, "AAA", chain_of([NEAR, MIDDLE, FAR]))
    rebuild(con, graph, *IMPLIED)
    yield con, graph
    con.close()


@pytest.fixture(scope="module")
def reasons_of(market):
    """The iv_reason of one odd contract among sound ones, and its implied volatility."""
    con, graph = market
    count = iter(range(1000))

    def ask(odd, *, spot=100.0, sound=SOUND, taken_at=TAKEN_AT):
        symbol = f"B{next(count)}"
        contracts = [c for c in sound if (c.strike, c.option_type) != (odd.strike, odd.option_type)]
        store(con, symbol, [*contracts, odd], spot=spot, taken_at=taken_at)
        rebuild(con, graph, "derived.option_snapshots", "derived.option_implied")
        return con.execute(
            "select iv_reason, implied_volatility from chain"
            " where underlying = ? and strike = ? and option_type = ? and expiration_date = ?",
            [symbol, odd.strike, odd.option_type, odd.expiration_date],
        ).fetchall()[0]

    return ask


def test_the_volatility_of_every_quoted_contract_is_the_one_it_was_priced_with(market):
    con, _ = market
    found = con.execute(
        "select strike, expiration_date, years, implied_volatility, iv_reason from chain where underlying = 'AAA'"
    ).fetchall()
    assert len(found) == 3 * 17 * 2
    off = [
        abs(iv - smile(strike, 100, years))
        for strike, expires, years, iv, _ in found
        if iv is not None
    ]
    assert len(off) > 80
    assert max(off) < 1e-6
    assert {reason for *_, iv, reason in found if iv is None} <= {"wide quote", "vega too small"}
    (far,) = {years for _, expires, years, *_ in found if expires == FAR}
    assert far == pytest.approx(years_to(FAR), abs=1e-12)


def test_the_forward_is_that_of_parity_and_greeks_are_those_of_the_macros(market):
    con, _ = market
    forwards = con.execute(
        "select distinct expiration_date, forward, forward_method, rate, years from chain where underlying = 'AAA' order by 1"
    ).fetchall()
    for expires, forward, method, rate, years in forwards:
        assert (method, rate) == ("parity", RATE)
        assert forward == pytest.approx(100 * 2.718281828459045 ** (RATE * years), rel=1e-7), (
            expires
        )
    worst = con.execute(
        """
        select max(abs(c.delta - bsm_delta(100, c.strike, c.years, c.rate, 0, c.implied_volatility, c.option_type))),
            max(abs(c.vega - bsm_vega(100, c.strike, c.years, c.rate, 0, c.implied_volatility, c.option_type))),
            max(abs(c.theta - bsm_theta(100, c.strike, c.years, c.rate, 0, c.implied_volatility, c.option_type))),
            max(abs(c.extrinsic + c.intrinsic - c.mid)), bool_and(c.bid_iv <= c.implied_volatility)
        from chain as c where c.underlying = 'AAA' and c.implied_volatility is not null
        """
    ).fetchall()[0]
    assert max(worst[:4]) < 1e-6
    assert worst[4] is True


def test_the_forward_outlives_one_wild_quote(reasons_of, market):
    con, _ = market
    price = black_scholes(100, 100, years_to(NEAR), 0.27, "C")
    reasons_of(Contract(100.0, "C", NEAR, price + 2, price + 2.02))
    forwards = con.execute(
        f"select distinct forward from chain where expiration_date = '{NEAR}'"
        " and underlying in ('AAA', (select max(underlying) from chain where underlying like 'B%'))"
    ).fetchall()
    assert [forward for (forward,) in forwards] == pytest.approx(
        [forwards[0][0]] * len(forwards), rel=1e-9
    )


ODD = {
    "no quote": [
        Contract(110.0, "C", NEAR),
        Contract(110.0, "C", NEAR, 0.0, 0.0),
        Contract(110.0, "C", NEAR, more={"mark": 0.0}),
    ],
    "zero bid": [Contract(110.0, "C", NEAR, 0.0, 0.3)],
    "one-sided quote": [
        Contract(110.0, "C", NEAR, 0.3, None),
        Contract(110.0, "C", NEAR, None, 0.3),
        Contract(110.0, "C", NEAR, 0.3, 0.0),
    ],
    "crossed quote": [Contract(110.0, "C", NEAR, 0.4, 0.3)],
    "locked quote": [Contract(110.0, "C", NEAR, 0.3, 0.3)],
    "wide quote": [Contract(110.0, "C", NEAR, 0.01, 0.6)],
    "stale quote": [
        Contract(110.0, "C", NEAR, 0.3, 0.31, {"quote_time": TAKEN_AT - timedelta(days=3)})
    ],
    "adjusted contract": [
        Contract(110.0, "C", NEAR, 0.3, 0.31, {"multiplier": 10}),
        Contract(110.0, "C", NEAR, 0.3, 0.31, {"is_adjusted": True}),
    ],
    "below intrinsic": [Contract(80.0, "C", NEAR, 19.5, 19.6)],
    "above upper bound": [Contract(80.0, "C", NEAR, 101.0, 101.1)],
    "out of line": [Contract(110.0, "C", NEAR, 9.0, 9.1)],
}


@pytest.mark.parametrize(
    ("reason", "odd"), [(reason, odd) for reason, several in ODD.items() for odd in several]
)
def test_a_quote_that_says_nothing_gives_null_and_its_reason(reasons_of, reason, odd):
    assert reasons_of(odd) == (reason, None)


def test_without_a_price_of_the_underlying_nothing_is_computed(reasons_of):
    assert reasons_of(SOUND[0], spot=None) == ("no spot", None)


def test_on_the_afternoon_of_expiration_it_has_expired_and_an_hour_before_it_has_not(reasons_of):
    morning = datetime(2026, 3, 20, 19)  # 15:00 in New York
    close = datetime(2026, 3, 20, 20)
    chain = chain_of([NEAR], strikes=range(97, 104), taken_at=morning)
    odd = next(c for c in chain if (c.strike, c.option_type) == (101.0, "C"))
    assert reasons_of(odd, sound=chain, taken_at=close) == ("expired", None)
    reason, volatility = reasons_of(odd, sound=chain, taken_at=morning)
    assert reason is None
    assert volatility == pytest.approx(smile(101, 100, 1 / 8760), abs=1e-4)


def test_strikes_with_one_side_only_are_priced_on_the_forward_of_the_others(reasons_of):
    chain = [c for c in SOUND if not (c.strike == 110 and c.option_type == "P")]
    odd = next(c for c in chain if (c.strike, c.option_type) == (110.0, "C"))
    reason, volatility = reasons_of(odd, sound=chain)
    assert (reason, volatility) == (None, pytest.approx(smile(110, 100, years_to(NEAR)), abs=1e-6))


def test_without_any_pair_the_forward_is_the_price_carried(reasons_of, market):
    con, _ = market
    chain = [c for c in SOUND if c.option_type == "C"]
    odd = next(c for c in chain if c.strike == 105)
    reason, volatility = reasons_of(odd, sound=chain)
    assert (reason, volatility) == (None, pytest.approx(smile(105, 100, years_to(NEAR)), abs=1e-6))
    methods = con.execute(
        "select distinct forward_method from chain where underlying not in ('AAA') and forward_method = 'carry'"
    ).fetchall()
    assert methods == [("carry",)]


def test_two_settlements_on_one_date_are_two_series(market):
    con, graph = market
    morning = years_to(NEAR, "AM")
    early = []
    for strike in range(80, 125, 5):
        for kind in "CP":
            price = black_scholes(100, strike, morning, 0.4, kind)
            quote = (price * 0.999, price * 1.001)
            more = {"settlement": "AM", "root": "TWO", "contract": f"TWO  A{strike}{kind}"}
            early.append(Contract(float(strike), kind, NEAR, *quote, more))
    store(con, "TWO", [*chain_of([NEAR], strikes=range(80, 125, 5)), *early])
    rebuild(con, graph, *IMPLIED)
    found = con.execute(
        "select settlement, implied_volatility from term_structure where underlying = 'TWO' order by 1"
    ).fetchall()
    assert found == [
        ("AM", pytest.approx(0.4, abs=1e-3)),
        ("PM", pytest.approx(smile(100, 100, years_to(NEAR)), abs=2e-3)),
    ]
    one = con.execute(
        "select count(*) from derived.latest_expirations where underlying = 'TWO' and is_main"
    ).fetchall()
    assert one == [(1,)]
