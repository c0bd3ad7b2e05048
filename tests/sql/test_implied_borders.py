# SPDX-License-Identifier: Apache-2.0
"""What is made of implied volatilities at its borders: which snapshot, which expiration, which day counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (10, 11, 12, 13, 14))
CLOSE = datetime(2024, 6, 14, 20)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def put(market, table, **row):
    marks = ", ".join("?" for _ in row)
    market.con.execute(f"insert into derived.{table} ({', '.join(row)}) values ({marks})", list(row.values()))  # fmt: skip


def tenor(market, symbol, taken_at, volatility, day=None):
    """What one snapshot says of thirty days."""
    put(
        market, "tenor_implied", snapshot=f"{symbol} {taken_at}", underlying=symbol, snapshot_at=taken_at,
        date=day or taken_at.date(), days=30, implied_volatility=volatility,
    )  # fmt: skip


def term(market, symbol, expires, *, taken_at=CLOSE, root=None, settlement="PM", **more):
    """One expiration of a snapshot, with its snapshot."""
    snapshot = f"{symbol} {taken_at}"
    if not market.rows("select 1 from derived.option_snapshots where snapshot = ?", snapshot):
        put(market, "option_snapshots", snapshot=snapshot, underlying=symbol, snapshot_at=taken_at, date=taken_at.date())  # fmt: skip
    said = {"atm_iv": 0.2, "years": (expires - taken_at.date()).days / 365, "variance": 0.04, "quotes": 10}  # fmt: skip
    put(
        market, "expiration_implied", snapshot=snapshot, underlying=symbol, snapshot_at=taken_at, date=taken_at.date(),
        root=root or symbol, expiration_date=expires, settlement=settlement, dte_calendar=(expires - taken_at.date()).days,
        **said | more,
    )  # fmt: skip


def test_of_a_day_s_snapshots_the_last_within_an_hour_of_the_close_stands(market):
    for n, after in enumerate((-HOUR, timedelta(), HOUR, HOUR + SECOND)):
        tenor(market, "HOU", CLOSE + after, 0.1 * (n + 1))
    for n, after in enumerate((2 * HOUR, 3 * HOUR)):
        tenor(market, "LAT", CLOSE + after, 0.1 * (n + 1))
    assert market.rows(
        "select underlying, snapshot_at, iv30 from iv_history where underlying in ('HOU', 'LAT') order by 1"
    ) == [("HOU", CLOSE + HOUR, pytest.approx(0.3)), ("LAT", CLOSE + 3 * HOUR, pytest.approx(0.2))]


def test_a_rank_is_of_252_sessions_the_newest_included(market):
    sessions = market.rows(
        "select date from calendar where market = 'XNYS' and is_trading_day and date <= ? order by date desc limit 254",
        FRI,
    )
    for age, (day,) in enumerate(sessions):
        lowest = {253: 0.01, 252: 0.02, 251: 0.1}.get(age, 0.3)
        tenor(market, "LOW", datetime.combine(day, CLOSE.time()), 0.2 if age == 0 else lowest)
    assert market.rows(
        "select iv30_low, iv30_high, iv_rank, iv_percentile, n_sessions from iv_rank where underlying = 'LOW'"
    ) == [(0.1, 0.3, pytest.approx(0.5), 2 / 252, 252)]


@pytest.mark.parametrize(("symbol", "days", "shown"), [("GI6", 6, 0.2), ("GI7", 7, None)])
def test_the_grid_shows_what_was_implied_in_the_week_before_its_bar(market, symbol, days, shown):
    market.bars(symbol, [(THU, 10.0), (FRI, 11.0)])
    market.rebuild("derived.adjustment_factors", "derived.latest_bars")
    day = FRI - timedelta(days=days)
    tenor(market, symbol, datetime.combine(day, CLOSE.time()), 0.2, date(2024, 6, 7) if days == 7 else MON)  # fmt: skip
    assert market.rows("select iv30 from market_grid where symbol = ?", symbol) == [(shown,)]


VIX = {
    # Fridays, and weekly ends all of them; 30 days is 43,200 minutes.
    "VX1": ([30, 31], "ends of weeks of 23 to 37 days", 30, 31),
    "VX2": ([24, 36.9], "ends of weeks of 23 to 37 days", 24, 36.9),
    "VX3": ([23, 36], "expirations around 30 days", 23, 36),
    "VX4": ([24, 37], "expirations around 30 days", 24, 37),
    "VX5": ([31, 36], None, None, 31),
    "VX6": ([30, 38], "expirations around 30 days", 30, 38),
}


@pytest.mark.parametrize("symbol", VIX)
def test_thirty_days_lie_between_ends_of_weeks_of_more_than_23_and_less_than_37(market, symbol):
    days, method, near, later = VIX[symbol]
    for n, after in enumerate(days):
        # Which Friday it is said to be tells the rows apart: the years alone decide.
        term(market, symbol, date(2024, 7, 12) + n * timedelta(days=7), years=after / 365)
    ((found, *minutes),) = market.rows(
        "select method, near_minutes, next_minutes from vix_style where underlying = ?", symbol
    )
    assert found == method
    if method:
        assert minutes == [pytest.approx(near * 1440), pytest.approx(later * 1440)]


def test_of_two_series_on_one_date_the_quoted_one_is_taken_and_of_equals_the_one_of_the_close(
    market,
):
    first, second, third = (date(2024, 7, day) for day in (12, 19, 26))
    term(market, "MAI", first, settlement="AM")
    term(market, "MAI", first, root="MAIW", settlement="PM")
    term(market, "MAI", second, settlement="AM", quotes=11)
    term(market, "MAI", second, root="MAIW", settlement="PM")
    term(market, "MAI", third, settlement="AM", quotes=1)
    term(market, "MAI", third, root="MAIW", settlement="PM", quotes=99, atm_iv=None)
    assert market.rows(
        "select expiration_date, settlement from derived.latest_expirations where underlying = 'MAI' and is_main order by 1"
    ) == [(first, "PM"), (second, "AM"), (third, "AM")]


def test_a_move_is_of_the_sessions_left_and_on_the_last_day_of_what_is_left_of_it(market):
    monday = date(2024, 6, 17)
    for symbol, expires, taken_at, years in (
        ("EM1", monday, CLOSE, 3 / 365),
        ("EM0", FRI, CLOSE - timedelta(hours=3.25), 3.25 / 8760),
    ):
        term(market, symbol, expires, taken_at=taken_at, years=years, spot=100.0)
    found = market.rows(
        "select underlying, dte_trading, expected_move from expected_move where method = 'trading' and underlying like 'EM_' order by 1"
    )
    session = 100 * 0.2 / 252**0.5
    assert found == [
        ("EM0", 0, pytest.approx(session * 0.5**0.5)),
        ("EM1", 1, pytest.approx(session)),
    ]


@pytest.mark.parametrize(("kind", "sign"), [("C", 1), ("P", -1)])
def test_calls_alone_or_puts_alone_have_a_gamma_exposure_of_their_sign(market, kind, sign):
    expires = date(2024, 7, 19)
    term(market, "GEX", expires)
    put(
        market, "option_implied", snapshot=f"GEX {CLOSE}", snapshot_at=CLOSE, date=FRI, occ_symbol="GEX", underlying="GEX",
        root="GEX", expiration_date=expires, settlement="PM", strike=100.0, option_type=kind, multiplier=100, is_adjusted=False,
        spot=100.0, gamma=0.02, open_interest=50.0,
    )  # fmt: skip
    assert market.rows(
        "select gamma_exposure, contracts, as_of_oi from gamma_exposure where underlying = 'GEX'"
    ) == [(pytest.approx(sign * 0.02 * 50 * 100 * 100 * 100 * 0.01), 1, THU)]


def test_outcomes_are_counted_by_how_far_away_they_were(market):
    market.bars("OUT", [(MON, 100.0), (FRI, 101.0)])
    borders = {7: "0-7", 8: "8-21", 21: "8-21", 22: "22-45", 45: "22-45", 46: "46-90", 90: "46-90", 91: "91+"}  # fmt: skip
    for days in borders:
        said = {"root": f"OUT{days}", "forward": 100.0, "years": days / 365}
        term(market, "OUT", FRI, taken_at=datetime(2024, 6, 10, 20), **said)
        market.con.execute("update derived.expiration_implied set dte_calendar = ? where root = ?", [days, said["root"]])  # fmt: skip
    market.rebuild("derived.suspected_splits", "derived.adjustment_factors")
    found = market.rows("select dte_calendar, dte_bucket from move_outcomes where underlying = 'OUT' order by 1")  # fmt: skip
    assert dict(found) == borders


def test_an_outcome_across_a_suspected_split_is_none_and_one_from_its_day_on_is(market):
    market.bars("SUS", [(MON, 100.0), (TUE, 50.0), (WED, 50.0), (FRI, 51.0)])
    for day in (10, 11, 12):
        term(market, "SUS", FRI, taken_at=datetime(2024, 6, day, 20), forward=50.0)
    market.rebuild("derived.suspected_splits", "derived.adjustment_factors")
    found = market.rows("select date from move_outcomes where underlying = 'SUS' order by 1")
    assert found == [(TUE,), (WED,)]


@pytest.mark.parametrize(
    ("close", "off", "reason"),
    [(100.0, 0.005, "duplicate"), (100.0, 0.0052, "differs"), (10_000.0, 0.0149, "duplicate"), (10_000.0, 0.0151, "differs")],
)  # fmt: skip
def test_a_candle_rounded_otherwise_is_a_duplicate(market, close, off, reason):
    market.bars("TOL", [(MON, close + off)])
    market.insert(
        "dxlink_candles", symbol="TOL", tho=False, period="d", date=MON, time=datetime(2024, 6, 10), open=close, high=close,
        low=close, close=close,
    )  # fmt: skip
    assert market.rows("select reason from eod_conflicts where symbol = 'TOL'") == [(reason,)]
