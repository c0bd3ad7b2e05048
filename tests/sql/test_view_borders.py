# SPDX-License-Identifier: Apache-2.0
"""Public views at their borders, over raw rows in memory: who wins, what is left out, what is said of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (10, 11, 12, 13, 14))
NOON = datetime(2024, 6, 14, 12)


def unit(market, key, **changes):
    row = {
        "unit_id": 900, "dataset": "raw.metastock_bars", "key": key, "rows_in": 1, "rows_accepted": 1, "rows_refused": 0,
        "has_duplicates": False, "load_id": 1, "loaded_at": NOON, "checked_at": NOON, "is_vanished": False,
    } | changes  # fmt: skip
    marks = ", ".join("?" for _ in row)
    market.con.execute(f"insert into catalog.units ({', '.join(row)}) values ({marks})", list(row.values()))  # fmt: skip


def health(market, dataset="raw.metastock_bars"):
    return market.rows("select code, subject, detail from health where dataset = ? order by all", dataset)  # fmt: skip


def test_a_unit_is_told_of_when_it_failed_went_or_gave_no_row(market):
    unit(market, "good.csv")
    unit(market, "failed.csv", error="torn")
    unit(market, "gone.csv", is_vanished=True)
    unit(market, "both.csv", is_vanished=True, error="torn")
    unit(market, "empty.csv", rows_accepted=0, rows_refused=3)
    unit(market, "told.csv", rows_accepted=0)
    market.con.execute(
        "insert into catalog.notes values ('raw.metastock_bars', 'told.csv', 'no candle came', 'unknown', 1, ?)", [NOON]
    )  # fmt: skip
    assert health(market) == [
        ("no accepted row", "empty.csv", "3 rows refused"),
        ("no candle came", "told.csv", "unknown"),
        ("unit failed", "both.csv", "torn"),
        ("unit failed", "failed.csv", "torn"),
        ("unit vanished", "gone.csv", "its rows are kept"),
    ]


def test_refused_rows_are_counted_with_their_first_line(market):
    for line, reason in ((7, "late"), (3, "torn"), (None, "nowhere")):
        market.con.execute(
            "insert into raw.rejects (dataset, unit_id, file, line, reason, load_id, loaded_at) values ('raw.rejected', 1, 'a.csv', ?, ?, 1, ?)",
            [line, reason, NOON],
        )
    market.con.execute(
        "insert into raw.rejects (dataset, unit_id, file, line, reason, load_id, loaded_at, replaced_at) values ('raw.rejected', 1, 'b.csv', 1, 'old', 1, ?, ?)",
        [NOON, NOON],
    )
    assert health(market, "raw.rejected") == [("rows refused", "a.csv", "3 rows, such as line 3: torn")]  # fmt: skip


def test_a_check_is_told_of_when_it_found_something(market):
    for name, failures in (("good", 0), ("bad", 1)):
        market.con.execute(
            "insert into catalog.checks (dataset, check_name, failures, sample, load_id, checked_at) values ('raw.checked', ?, ?, '{}', 1, ?)",
            [name, failures, NOON],
        )
    assert health(market, "raw.checked") == [("check failed", "bad", "1 bad rows, such as {}")]


def test_a_list_of_ones_own_hides_a_shipped_one_of_its_name_and_that_a_watchlist(market):
    market.insert("shipped_universes", name="one", symbol="S", as_of=MON, about="")
    market.insert("tastytrade_watchlists", name="one", symbol="W")
    market.insert("tastytrade_watchlists", name="two", symbol="W")
    market.insert("universes", name="one", symbol="F", valid_from=MON, valid_to=TUE)
    market.insert("universes", name="one", symbol="OLD", is_current=False)
    asked = "select name, symbol, valid_from, valid_to, source from universes where name in ('one', 'two') order by all"
    assert market.rows(asked) == [
        ("one", "F", MON, TUE, "files"),
        ("two", "W", None, None, "watchlist"),
    ]
    market.con.execute("delete from raw.universes")
    assert market.rows(asked) == [
        ("one", "S", MON, None, "shipped"),
        ("two", "W", None, None, "watchlist"),
    ]


def test_a_summary_needs_more_than_thirty_bars(market):
    for symbol, count in (("S30", 30), ("S31", 31)):
        market.bars(symbol, [(MON - timedelta(days=n), 1.0 + n % 2) for n in range(count)])
    found = market.rows("select symbol, n_days, close_std_pop < 0.5, mean_close < 1.5 from symbol_summary where symbol like 'S3_'")  # fmt: skip
    assert found == [("S31", 31, True, True)]


def metrics(market, symbol, **row):
    market.insert("tastytrade_market_metrics", symbol=symbol, updated_at=datetime(2024, 6, 12, 20), **row)  # fmt: skip


def events(market, symbol):
    return market.rows(
        "select date, type, time_hint, amount, is_estimated from events where symbol = ? order by all", symbol
    )  # fmt: skip


def test_what_is_expected_is_on_or_after_the_day_it_was_said_and_not_yet_past(market):
    metrics(market, "EV1", earnings_expected_report_date=TUE)
    metrics(market, "EV2", earnings_expected_report_date=WED, earnings_time_of_day="AMC", earnings_estimated=False)  # fmt: skip
    metrics(market, "EV3", earnings_expected_report_date=WED)
    market.insert(
        "tastytrade_events", symbol="EV3", date=WED, type="earnings", earnings_per_share=1.0
    )
    metrics(
        market, "EV4", dividend_ex_date=THU, dividend_next_date=FRI, dividend_rate_per_share=0.5
    )
    metrics(
        market, "EV5", dividend_ex_date=THU, dividend_next_date=THU, dividend_rate_per_share=0.5
    )
    assert events(market, "EV1") == []
    assert events(market, "EV2") == [(WED, "earnings", "AMC", None, False)]
    assert events(market, "EV3") == [(WED, "earnings", None, None, False)]
    assert events(market, "EV4") == [
        (THU, "dividend", None, 0.5, False),
        (FRI, "dividend", None, None, True),
    ]
    assert events(market, "EV5") == [(THU, "dividend", None, 0.5, False)]


def test_the_grid_names_the_next_report_and_the_next_monthly_on_or_after_its_bar(market):
    third_friday = date(2024, 6, 21)
    for symbol, last in (("GR1", FRI), ("GR2", third_friday), ("GR3", date(2024, 6, 24))):
        market.bars(symbol, [(THU, 10.0), (last, 11.0)])
        for day in (THU, third_friday, date(2024, 9, 20)):
            market.insert("tastytrade_events", symbol=symbol, date=day, type="earnings")
    market.rebuild("derived.adjustment_factors", "derived.latest_bars")
    assert market.rows(
        "select symbol, as_of, last, round(change, 12), next_earnings, next_monthly, dte from market_grid where symbol like 'GR_' order by 1"
    ) == [
        ("GR1", FRI, 11.0, 0.1, third_friday, third_friday, 7),
        ("GR2", third_friday, 11.0, 0.1, third_friday, third_friday, 0),
        ("GR3", date(2024, 6, 24), 11.0, 0.1, date(2024, 9, 20), date(2024, 7, 19), 25),
    ]


def test_of_two_bars_of_a_day_the_loser_is_told_with_what_it_says(market):
    market.bars("CON", [(MON, 10.0)], unit_id=901)
    market.bars("CON", [(MON, 10.0), (TUE, 9.0)], unit_id=902, is_current=False)
    market.bars("CON", [(TUE, 8.0)], unit_id=901)
    market.bars("CON", [(MON, 7.0)], unit_id=902, is_current=False, replaced_at=NOON)
    unit(market, "win.csv", unit_id=901)
    unit(market, "lose.csv", unit_id=902)
    assert market.rows(
        "select date, close, file, winner_close, winner_file, reason from eod_conflicts where symbol = 'CON' order by 1"
    ) == [
        (MON, 10.0, "lose.csv", 10.0, "win.csv", "duplicate"),
        (TUE, 9.0, "lose.csv", 8.0, "win.csv", "differs"),
    ]


def two_sources(market, symbol, differing, of=6, ratio=2.0):
    """Bars and candles of `of` days, those at `differing` in another price; a day that candles alone have."""
    days = [date(2024, 5, day) for day in (1, 2, 3, 6, 7, 8, 9, 10)]
    market.bars(symbol, [(day, 100.0) for day in days[:of]])
    for n, day in enumerate(days[: of + 1]):
        close = 100.0 / ratio if n in differing else 100.0
        market.insert(
            "dxlink_candles", symbol=symbol, tho=False, period="d", date=day, time=datetime(2024, 5, day.day), open=close,
            high=close, low=close, close=close,
        )  # fmt: skip
    market.rebuild("staged.basis_differences", "staged.eod_completions")
    findings = market.rows("select finding, bars, ratio from staged.basis_differences where symbol = ?", symbol)  # fmt: skip
    bars = market.rows("select count(*) from eod where symbol = ?", symbol)[0][0]
    as_of = market.rows(f"select count(*) from eod_asof(date '2024-06-14', '{symbol}')")[0][0]
    return findings, bars - of, as_of - of


@pytest.mark.parametrize(
    ("symbol", "differing", "of", "findings"),
    [
        ("TS1", (), 6, []),
        ("TS2", (2,), 6, []),
        ("TS3", (2, 3), 6, []),
        ("TS4", (2, 3, 4), 6, [("other price basis", 3, 2.0)]),
        ("TS5", (0, 2, 4), 6, []),  # half of them, never in a row
        ("TS6", (0, 2, 4, 6), 7, [("other prices", 4, 2.0)]),
        ("TS7", (0,), 1, [("other price basis", 1, 2.0)]),
        ("TS8", (0, 1), 2, [("other price basis", 2, 2.0)]),
    ],
)
def test_sources_in_other_prices_are_not_mixed_today_or_as_of_then(
    market, symbol, differing, of, findings
):
    added = 0 if findings else 1
    assert two_sources(market, symbol, differing, of) == (findings, added, added)


@pytest.mark.parametrize(
    ("symbol", "ratio", "is_same"),
    [("RA1", 1.0019, True), ("RA2", 1.0021, False), ("RA3", 1 / 1.0019, True), ("RA4", 1 / 1.0021, False)],
)  # fmt: skip
def test_a_fifth_of_a_percent_is_no_other_price(market, symbol, ratio, is_same):
    found = two_sources(market, symbol, range(7), 6, ratio)
    assert (found[0] == [], found[1:]) == (is_same, (1, 1) if is_same else (0, 0))
