# SPDX-License-Identifier: Apache-2.0
"""End-of-day bars of two sources: MetaStock's files, completed by a simulated feed's candles."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from ttapi.api import Database, Freshness
from ttapi.home import Home
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
SINCE = date(2024, 1, 2)
LAST_FILE_DAY = date(2024, 5, 31)
GAP = (date(2024, 3, 5), date(2024, 3, 6))
WRONG = date(2024, 2, 6)
NEAR = date(2024, 2, 8)
ROUNDED = date(2024, 2, 9)
OFF = {WRONG: 5.0, NEAR: 0.12, ROUNDED: 0.004}
"""How far AAPL's file is from its candles."""


@pytest.fixture(scope="module")
def both(template_home, lab_type, tmp_path_factory):
    """Candles of three symbols, and of one unknown, then files: AAPL with a gap, wrong closes and a
    rounded one, SPY at twice the price, MSFT at other prices, and QQQ, of which there are no candles,
    with the gap."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder, now=NOW)
    market = VendorMarket(7, NOW, symbols=30)
    with VendorServer(market) as server:
        feed = {
            "TTAPI_DXLINK_URL": server.dxlink_url,
            "TTAPI_DXLINK_TOKEN": server.credentials.quote_token,
        }
        asked = (
            "refresh",
            "dxlink_candles",
            "--symbols",
            "AAPL,SPY,MSFT,NOSUCH",
            "--from",
            str(SINCE),
        )
        done = lab.ttapi(*asked, **feed)
        assert done.returncode == 0, done.stderr
    for symbol, close_of in (
        ("AAPL", lambda bar, _: bar.close + OFF.get(bar.date, 0)),
        ("SPY", lambda bar, _: bar.close * 2),
        ("MSFT", lambda bar, n: round(bar.close * (1.01 + n % 7 / 50), 2)),
        ("QQQ", lambda bar, _: bar.close),
    ):
        bars = [b for b in market.bars(symbol, SINCE) if b.date <= LAST_FILE_DAY]
        rows = [(b.date, b.open, b.high, b.low, close_of(b, n)) for n, b in enumerate(bars)]
        kept = [row for row in rows if symbol not in {"AAPL", "QQQ"} or row[0] not in GAP]
        lab.write_bars(f"{symbol}.csv", kept)
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    assert lab.refresh().exit_code == 0
    lab.days = {b.date for b in market.bars("AAPL", SINCE)}
    return lab


def by_source(lab, symbol):
    return lab.rows(
        f"select source, count(*) from eod where symbol = '{symbol}' group by 1 order by 1"
    )


def test_candles_stand_where_metastock_has_no_bar(both):
    tail = len([day for day in both.days if day > LAST_FILE_DAY])
    assert by_source(both, "AAPL") == [
        ("dxlink", tail + len(GAP)),
        ("metastock", len(both.days) - tail - len(GAP)),
    ]
    assert (
        both.rows("select date from eod where symbol = 'AAPL' group by 1 having count(*) > 1") == []
    )
    assert both.rows("select * from eod_gaps where symbol = 'AAPL'") == []


def test_what_lost_is_a_duplicate_or_differs_and_says_to_whom(both):
    shared = len([day for day in both.days if day <= LAST_FILE_DAY]) - len(GAP)
    assert both.rows(
        "select reason, source, winner_source, winner_file, count(*) from eod_conflicts where symbol = 'AAPL' group by all order by all"
    ) == [
        ("differs", "dxlink", "metastock", "AAPL.csv", 2),
        ("duplicate", "dxlink", "metastock", "AAPL.csv", shared - 2),
    ]
    assert both.rows(
        "select date, round(winner_close - close, 6), reason from eod_conflicts where symbol = 'AAPL' and abs(winner_close - close) > 0.001 order by all"
    ) == [(WRONG, 5.0, "differs"), (NEAR, 0.12, "differs"), (ROUNDED, 0.004, "duplicate")]


@pytest.mark.parametrize(
    ("symbol", "finding", "ratio"),
    [("SPY", "other price basis", 2.0), ("MSFT", "other prices", pytest.approx(1.07, abs=0.03))],
)
def test_sources_in_different_prices_are_told_and_not_mixed(both, symbol, finding, ratio):
    days = len([day for day in both.days if day <= LAST_FILE_DAY])
    assert by_source(both, symbol) == [("metastock", days)]
    ((found, since, told),) = both.rows(
        f"select code, since, detail from health where dataset = 'eod' and subject = '{symbol}' and code like 'other%'"
    )
    assert (found, since) == (finding, datetime(2024, 1, 2))
    assert f"on {days} dates, 2024-01-02 to 2024-05-31" in told
    assert both.rows(
        f"select finding, bars, ratio from staged.basis_differences where symbol = '{symbol}'"
    ) == [(finding, days, ratio)]
    assert both.rows(
        f"select reason, count(*) from eod_conflicts where symbol = '{symbol}' group by 1"
    ) == [(finding, len(both.days))]


def test_a_symbol_of_which_nothing_came_is_told_once_and_why(both):
    assert both.rows("select code, detail from health where subject = 'NOSUCH'") == [
        ("no candle came", "unknown symbol, or none in the interval")
    ]


def test_a_symbol_without_candles_has_its_gap_told(both):
    assert both.rows("select * from eod_gaps") == [
        ("QQQ", *GAP, 2, date(2024, 3, 4), date(2024, 3, 7))
    ]


def test_bars_as_of_a_day_are_those_of_both_sources_known_then(both):
    for symbol in ("AAPL", "SPY"):
        assert both.rows(f"select * from eod_asof('2024-06-07', '{symbol.lower()}')") == both.rows(
            f"select * from eod where symbol = '{symbol}' and date <= '2024-06-07' order by date"
        )
    # Before the close of the seventh its candle is not known.
    assert both.rows("select max(date) from eod_asof('2024-06-07 19:59:00', 'AAPL')") == [
        (date(2024, 6, 6),)
    ]
    names = "root, expiration_date, settlement, as_of, dte_trading, n_obs, quality, last_close"
    stored = both.rows(f"select {names} from returns_stddev where symbol = 'AAPL' order by all")
    assert stored[0][3] == date(2024, 6, 14)
    assert (
        both.rows(f"select {names} from returns_stddev_asof('2024-06-14', 'AAPL') order by all")
        == stored
    )


def test_a_file_that_comes_later_takes_the_place_of_the_candles_from_then_on(
    both, lab_type, tmp_path
):
    shutil.copytree(both.home.root, tmp_path / "home", symlinks=True)
    shutil.copytree(both.metastock, tmp_path / "metastock")
    later = lab_type(Home(tmp_path / "home"), tmp_path, now=datetime(2024, 6, 15, 12, tzinfo=UTC))
    later.environ["TTAPI_METASTOCK_PATH"] = str(later.metastock)
    file = later.metastock / "AAPL.csv"
    before = later.rows("select close from eod where symbol = 'AAPL' and date = '2024-06-14'")
    file.write_text(file.read_text() + "AAPL,D,20240614,000000,1,1,1,1.5,9,0\n")
    assert later.refresh().exit_code == 0
    row = "select close, source from {} where symbol = 'AAPL' and date = '2024-06-14'"
    assert later.rows(row.format("eod")) == [(1.5, "metastock")]
    # Such a bar is known since its close: what was loaded late does not rewrite the day it is of.
    assert later.rows(row.format("eod_asof('2024-06-14', 'AAPL')")) == [(1.5, "metastock")]
    assert later.rows(
        "select close, reason from eod_conflicts where symbol = 'AAPL' and date = '2024-06-14'"
    ) == [(*before[0], "differs")]


@pytest.mark.parametrize("symbol", ["AAPL", "SPY", "MSFT", "QQQ"])
@pytest.mark.parametrize("day", ["2024-01-03", "2024-02-08", "2024-03-06", "2024-06-14"])
def test_bars_as_of_a_day_are_told_apart_by_what_was_known_then(both, symbol, day):
    """By the macro, and by the definition of the bars; on the last day, as they stand."""
    environ = {**both.environ, "TTAPI_NOW": both.now.isoformat()}
    quiet = Freshness(refresh=False)
    with closing(Database(both.home, environ=environ)) as database:
        through, by_definition = (
            database.sql(
                f"select * from {relation} where symbol = '{symbol}' order by date",
                freshness=quiet,
                as_of=day,
            )
            .arrow()
            .to_pylist()
            for relation in ("eod", "staged.eod")
        )
    assert through == by_definition
    assert {row["date"] for row in through if row["source"] == "dxlink"} == (
        {d for d in both.days if d <= date.fromisoformat(day) and (d in GAP or d > LAST_FILE_DAY)}
        if symbol == "AAPL"
        else set()
    )
