# SPDX-License-Identifier: Apache-2.0
"""What chains become: terms, skew, constant maturities, ranks, moves, pain and exposure, held by published numbers."""

from __future__ import annotations

from datetime import date, datetime
from math import exp, sqrt

import pytest
from option_market import (
    IMPLIED,
    TAKEN_AT,
    Contract,
    chain_of,
    rebuild,
    smile,
    store,
    whole_database,
    years_to,
)

EXPIRATIONS = [
    date(2026, 3, 13),
    date(2026, 3, 27),
    date(2026, 4, 2),
    date(2026, 4, 17),
    date(2026, 9, 18),
]


@pytest.fixture(scope="module")
def market():
    """AAA with five expirations and many strikes."""
    con, graph = whole_database()
    store(con, "AAA", chain_of(EXPIRATIONS, strikes=range(60, 145, 2)))
    rebuild(con, graph, *IMPLIED)
    yield con, graph
    con.close()


@pytest.fixture
def value(market):
    """The one value of a query."""
    con, _ = market
    return lambda sql: con.execute(f"select {sql}").fetchall()[0][0]


PUBLISHED = [
    ("interpolated_volatility(0.22, 24, 0.20, 52, 30)", 0.2127909773),
    ("interpolated_volatility(0.22, 24, 0.20, 52, 45)", 0.2027806697),
    ("interpolated_volatility(sqrt(.01846292), 35924, sqrt(.01882101), 46394, 43200)", 0.136858208),
    ("forward_volatility_between(0.22, 24, 0.20, 52)", 0.1811077028),
    ("expected_move_calendar(100, 0.32, 45)", 11.2359501308),
    ("expected_move_trading(100, 0.32, 31)", 11.2235579906),
    ("expected_move_weighted(7.35, 5.20, 3.60)", 6.33),
    ("expected_move_mean(100, 0.32, 45)", 8.9649911353),
    ("expected_move_straddle(10)", 8.5),
]


@pytest.mark.parametrize(("expression", "answer"), PUBLISHED)
def test_published_numbers(value, expression, answer):
    assert value(expression) == pytest.approx(answer, abs=1e-9 if answer < 1 else 1e-8)


def test_total_variance_that_falls_gives_no_forward_volatility(value):
    assert value("forward_volatility_between(0.30, 10, 0.18, 20)") is None
    assert value("interpolated_volatility(0.22, 24, 0.20, 52, 60)") is None


def test_terms_have_the_volatility_at_the_forward(market):
    con, _ = market
    found = con.execute(
        "select expiration_date, implied_volatility, model_free_volatility, dte_calendar, dte_trading"
        " from term_structure where underlying = 'AAA' order by 1"
    ).fetchall()
    assert [row[0] for row in found] == EXPIRATIONS
    for expires, volatility, model_free, days, sessions in found:
        years = years_to(expires)
        at_forward = smile(100 * exp(0.04 * years), 100, years)
        assert volatility == pytest.approx(at_forward, abs=2e-4)
        assert model_free == pytest.approx(volatility, rel=0.06)
        assert days == (expires - TAKEN_AT.date()).days
        assert 0 < sessions < days


def test_skew_is_that_of_the_surface_at_the_delta(market):
    con, _ = market
    rows = con.execute(
        "select iv_25d_call, iv_25d_put, iv_10d_put, risk_reversal_25d_call_minus_put, put_skew_25d_put_minus_atm, atm_iv"
        " from skew where underlying = 'AAA' and expiration_date = '2026-09-18'"
    ).fetchall()
    ((call, put, far_put, reversal, put_skew, atm),) = rows
    years = years_to(date(2026, 9, 18))
    for volatility, delta in ((call, 0.25), (put, -0.25), (far_put, -0.1)):
        strike = _strike_of(delta, years, volatility)
        assert volatility == pytest.approx(smile(strike, 100, years), abs=5e-4)
    assert reversal == pytest.approx(call - put)
    assert put_skew == pytest.approx(put - atm)
    assert call < atm < put < far_put


def _strike_of(delta, years, volatility):
    """Strike of a spot delta (no dividends), by the inverse of the normal distribution."""
    from statistics import NormalDist

    d1 = NormalDist().inv_cdf(delta if delta > 0 else 1 + delta)
    deviation = volatility * sqrt(years)
    return 100 * exp(0.04 * years) * exp(-(d1 * deviation - deviation * deviation / 2))


def test_the_surface_has_the_volatility_of_each_point(market):
    con, _ = market
    rows = con.execute(
        "select expiration_date, point, strike, implied_volatility from surface"
        " where underlying = 'AAA' and axis = 'moneyness' and implied_volatility is not null"
    ).fetchall()
    assert len(rows) > 40
    for expires, point, strike, volatility in rows:
        years = years_to(expires)
        assert strike == pytest.approx(point * 100 * exp(0.04 * years), rel=1e-6)
        assert volatility == pytest.approx(smile(strike, 100, years), abs=1e-3)
    middle = con.execute(
        "select s.implied_volatility, t.implied_volatility from surface as s join term_structure as t"
        " on t.underlying = s.underlying and t.expiration_date = s.expiration_date"
        " where s.underlying = 'AAA' and s.axis = 'moneyness' and s.point = 1"
    ).fetchall()
    assert len(middle) == 5
    for here, there in middle:
        assert here == pytest.approx(there, abs=1e-9)


def test_constant_maturities_lie_between_their_neighbours_and_nowhere_else(market):
    con, _ = market
    rows = con.execute(
        "select days, implied_volatility, flat_implied_volatility, is_extrapolated, days_before, iv_before, days_after, iv_after"
        " from constant_maturity_iv where underlying = 'AAA' order by 1"
    ).fetchall()
    assert [row[0] for row in rows] == [7, 14, 30, 60, 90, 180, 365]
    for days, volatility, flat, is_beyond, t1, v1, t2, v2 in rows:
        if days in (7, 365):
            assert (volatility, is_beyond) == (None, True)
            assert flat == (v2 if days == 7 else v1)
            continue
        w = (v1**2 * t1 * (t2 - days) + v2**2 * t2 * (days - t1)) / (t2 - t1)
        assert volatility == pytest.approx(sqrt(w / days), rel=1e-12)
        assert (flat, is_beyond) == (volatility, False)


def test_vix_style_is_near_the_volatility_of_thirty_days_and_takes_the_ends_of_weeks(market):
    con, _ = market
    ((volatility, method, near, later),) = con.execute(
        "select volatility, method, near_expiration_date, next_expiration_date from vix_style where underlying = 'AAA'"
    ).fetchall()
    # 3 April 2026 is Good Friday: the Thursday before ends its week.
    assert method == "ends of weeks of 23 to 37 days"
    assert (near, later) == (date(2026, 3, 27), date(2026, 4, 2))
    thirty = con.execute(
        "select implied_volatility from constant_maturity_iv where underlying = 'AAA' and days = 30"
    ).fetchall()[0][0]
    assert volatility == pytest.approx(thirty, rel=0.05)


def test_vix_stops_after_two_strikes_without_a_bid(market):
    con, graph = market
    near = date(2026, 3, 27)
    contracts = chain_of([near], strikes=range(70, 131, 5))
    silent = [
        Contract(c.strike, c.option_type, near, 0.0, 0.05)
        if (c.option_type, c.strike) in {("P", 85.0), ("P", 80.0)}
        else c
        for c in contracts
    ]
    for symbol, some in (("ALL", contracts), ("CUT", silent)):
        store(con, symbol, some)
    rebuild(con, graph, *IMPLIED)
    strikes = dict(
        con.execute(
            "select underlying, variance_strikes from derived.expiration_implied where underlying in ('ALL', 'CUT')"
        ).fetchall()
    )
    beyond = {85, 80, 75, 70}
    sound = con.execute(
        "select count(*) from chain where underlying = 'ALL' and option_type = 'P' and strike in (70, 75) and bid > 0"
    ).fetchall()[0][0]
    assert strikes["ALL"] - strikes["CUT"] == len(beyond) - 2 + sound


def test_expected_moves_are_named_and_of_their_formulas(market):
    con, _ = market
    rows = con.execute(
        "select e.method, e.expected_move, t.implied_volatility, t.dte_calendar, t.dte_trading"
        " from expected_move as e join term_structure as t"
        " on t.underlying = e.underlying and t.expiration_date = e.expiration_date"
        " where e.underlying = 'AAA' and e.expiration_date = '2026-04-17' order by 1"
    ).fetchall()
    moves = {method: move for method, move, *_ in rows}
    (_, _, volatility, days, sessions) = rows[0]
    assert list(moves) == ["calendar", "mean", "straddle_85", "trading", "weighted"]
    assert moves["calendar"] == pytest.approx(100 * volatility * sqrt(days / 365))
    assert moves["trading"] == pytest.approx(100 * volatility * sqrt(sessions / 252))
    assert moves["mean"] == pytest.approx(sqrt(2 / 3.141592653589793) * moves["calendar"])
    assert moves["straddle_85"] / 0.85 == pytest.approx(moves["mean"], rel=0.02)


def test_max_pain_put_call_and_gamma_exposure_are_the_worked_examples(market):
    con, graph = market
    expires = date(2026, 3, 27)
    interest = {90: (120, 300), 95: (200, 450), 100: (600, 700), 105: (500, 250), 110: (400, 80)}
    contracts = [
        Contract(
            c.strike,
            c.option_type,
            c.expiration_date,
            c.bid,
            c.ask,
            {"open_interest": float(interest[c.strike][c.option_type == "P"])},
        )
        for c in chain_of([expires], spot=101.0, strikes=range(90, 111, 5))
    ]
    store(con, "OI", contracts, spot=101.0)
    rebuild(con, graph, *IMPLIED)
    assert con.execute(
        "select max_pain, pain from max_pain where underlying = 'OI'"
    ).fetchall() == [(100.0, 425_000.0)]
    ((ratio, whole),) = con.execute(
        "select put_call_open_interest, underlying_put_call_open_interest from put_call where underlying = 'OI'"
    ).fetchall()
    assert (ratio, whole) == (pytest.approx(0.9780219780), pytest.approx(0.9780219780))
    gammas = dict(zip((90, 95, 100, 105, 110), (0.012, 0.025, 0.034, 0.026, 0.013), strict=True))
    for strike, gamma in gammas.items():
        con.execute(
            "update derived.option_implied set gamma = ? where underlying = 'OI' and strike = ?",
            [gamma, strike],
        )
    ((exposure, as_of),) = con.execute(
        "select gamma_exposure, as_of_oi from gamma_exposure where underlying = 'OI'"
    ).fetchall()
    assert exposure == pytest.approx(-11731.15, abs=0.005)
    assert as_of == date(2026, 2, 27)


def test_without_calls_there_is_no_ratio_and_of_equal_pains_the_lowest_strike_is_taken(market):
    con, graph = market
    expires = date(2026, 3, 27)
    puts = [
        Contract(
            c.strike,
            c.option_type,
            expires,
            c.bid,
            c.ask,
            {"open_interest": 0.0 if c.option_type == "C" else 10.0 * (c.strike == 95)},
        )
        for c in chain_of([expires], strikes=(95, 100, 105))
    ]
    store(con, "PUTS", puts)
    rebuild(con, graph, *IMPLIED)
    assert con.execute(
        "select put_call_open_interest from put_call where underlying = 'PUTS'"
    ).fetchall() == [(None,)]
    assert con.execute("select max_pain from max_pain where underlying = 'PUTS'").fetchall() == [
        (95.0,)
    ]


RANKS = [
    ([0.30, 0.60, 0.45], 0.5, 0.5),
    ([0.18, 0.22, 0.15, 0.40, 0.25, 0.30, 0.21, 0.19, 0.27, 0.24, 0.26], 0.44, 0.7),
    ([0.30, 0.10, 0.11, 0.15, 0.17, 0.20], 0.5, 0.8),
    ([0.2, 0.2], None, 0.0),
]


@pytest.mark.parametrize(("history", "rank", "percentile"), RANKS)
def test_rank_and_percentile_are_the_published_examples(market, history, rank, percentile):
    con, _ = market
    symbol = f"R{len(history)}"
    sessions = [
        day
        for (day,) in con.execute(
            "select date from calendar where market = 'XNYS' and is_trading_day and date <= '2026-03-02' order by date desc limit ?",
            [len(history)],
        ).fetchall()
    ][::-1]
    for day, volatility in zip(sessions, history, strict=True):
        con.execute(
            "insert into derived.tenor_implied (snapshot, underlying, snapshot_at, date, days, implied_volatility) values (?, ?, ?, ?, 30, ?)",
            [f"{symbol} {day}", symbol, datetime.combine(day, TAKEN_AT.time()), day, volatility],
        )
    found = con.execute(
        "select iv_rank, iv_percentile, n_sessions from iv_rank where underlying = ?", [symbol]
    ).fetchall()
    want = None if rank is None else pytest.approx(rank)
    assert found == [(want, pytest.approx(percentile), len(history))]


def test_only_the_past_252_sessions_count(market):
    con, _ = market
    sessions = con.execute(
        "select date from calendar where market = 'XNYS' and is_trading_day and date <= '2026-03-02' order by date desc limit 254"
    ).fetchall()
    for age, (day,) in enumerate(sessions):
        # The oldest two are out of the range's year; the older of them of the percentile's too.
        volatility = {253: 0.9, 252: 0.8}.get(age, 0.2 + age / 10_000)
        con.execute(
            "insert into derived.tenor_implied (snapshot, underlying, snapshot_at, date, days, implied_volatility) values (?, 'OLD', ?, ?, 30, ?)",
            [f"OLD {day}", datetime.combine(day, TAKEN_AT.time()), day, volatility],
        )
    ((high, n, percentile),) = con.execute(
        "select iv30_high, n_sessions, iv_percentile from iv_rank where underlying = 'OLD'"
    ).fetchall()
    assert (high, n, percentile) == (pytest.approx(0.2 + 251 / 10_000), 252, 0.0)


def test_a_report_is_taken_out_by_two_expirations_after_it(market):
    con, graph = market
    ambient, event = 0.2, 0.05
    expirations = [date(2026, 3, 13), date(2026, 3, 27), date(2026, 4, 17)]
    rows = []
    for expires in expirations:
        years = years_to(expires)
        total = ambient**2 * years + (event**2 if expires > date(2026, 3, 18) else 0)
        rows += chain_of_flat(expires, sqrt(total / years))
    store(con, "ERN", rows)
    con.execute(
        "insert into raw.tastytrade_events (symbol, date, type, unit_id, known_at, load_id, is_current) values ('ERN', '2026-03-18', 'earnings', 1, '2026-01-01', 1, true)"
    )
    rebuild(con, graph, *IMPLIED)
    found = con.execute(
        "select is_after_earnings, ambient_volatility, earnings_move, stripped_volatility from earnings_volatility where underlying = 'ERN' order by expiration_date"
    ).fetchall()
    assert [row[0] for row in found] == [False, True, True]
    for _, ordinary, move, stripped in found:
        assert ordinary == pytest.approx(ambient, abs=1e-4)
        assert move == pytest.approx(event, abs=1e-4)
        assert stripped == pytest.approx(ambient, abs=1e-4)


def chain_of_flat(expires, volatility):
    """A chain of one volatility."""
    from option_market import black_scholes

    years = years_to(expires)
    return [
        Contract(float(strike), kind, expires, price - 0.005, price + 0.005)
        for strike in range(85, 121)
        for kind in "CP"
        if (price := black_scholes(100, strike, years, volatility, kind)) > 0.02
    ]
