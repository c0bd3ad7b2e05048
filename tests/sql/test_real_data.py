# SPDX-License-Identifier: Apache-2.0
"""Twelve real symbols, 1998 to 2021, with their splits and dividends."""

from __future__ import annotations

import csv
import math
import shutil
from collections import defaultdict
from datetime import UTC, date, datetime

import pytest

from ttapi.home import Home

NOW = datetime(2021, 4, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def real(real_data, template_home, tmp_path_factory, request):
    lab_type = request.getfixturevalue("lab_type")
    root = tmp_path_factory.mktemp("real") / "home"
    shutil.copytree(template_home.root, root, symlinks=True)
    lab = lab_type(Home(root), root, now=NOW)
    lab.environ = {
        "TTAPI_METASTOCK_PATH": str(real_data / "metastock"),
        "TTAPI_FILES_CORPORATE_ACTIONS_PATH": str(real_data / "corporate_actions"),
    }
    lab.outcome = lab.refresh()
    return lab


def test_every_file_imports_without_a_refused_row(real, real_data):
    lines = sum(
        len(f.read_text().splitlines()) - 1 for f in (real_data / "metastock").glob("*.csv")
    )
    bars = next(d for d in real.outcome.datasets if d.dataset == "raw.metastock_bars")
    assert (bars.rows_in, bars.rows_accepted, bars.rows_refused) == (lines, lines, 0)
    assert real.rows("select count(*) from eod") == [(lines,)]
    assert real.outcome.exit_code == 0


def test_aapl_split_of_2014_adjusts_prices_and_volumes(real):
    rows = real.rows(
        "select b.date, b.close, a.split_factor, a.adj_volume / b.volume from eod b join eod_adjusted a using (symbol, date)"
        " where symbol = 'AAPL' and date in ('2014-06-06', '2014-06-09') order by date"
    )
    # 7:1 on 2014-06-09, and 4:1 on 2020-08-31 after it.
    assert [(d, f) for d, _, f, _ in rows] == [
        (date(2014, 6, 6), pytest.approx(1 / 28, rel=1e-12)),
        (date(2014, 6, 9), pytest.approx(1 / 4, rel=1e-12)),
    ]
    assert [round(v, 9) for *_, v in rows] == [28.0, 4.0]
    ((log_return,),) = real.rows(
        "select log_return from returns where symbol = 'AAPL' and date = '2014-06-09'"
    )
    assert abs(log_return) < 0.03


@pytest.mark.parametrize("symbol", ["AAPL", "SPY", "IBM", "AIG"])
def test_factors_equal_an_independent_computation(real, real_data, symbol):
    expected = _factors(real_data, symbol)
    rows = real.rows(
        f"select date, split_factor, dividend_factor from eod_adjusted where symbol = '{symbol}'"
    )
    assert len(rows) == len(expected)
    for day, split, dividend in rows:
        assert (split, dividend) == pytest.approx(expected[day], rel=1e-11)


def test_without_actions_the_aapl_split_is_in_health(real_data, lab):
    lab.now = NOW
    shutil.copy(real_data / "metastock" / "AAPL.csv", lab.metastock)
    lab.refresh()
    found = lab.rows(
        "select detail from health where code = 'unrecorded split' and subject = 'AAPL' order by detail"
    )
    assert [detail[:10] for (detail,) in found if "2014" in detail[:4]] == ["2014-06-09"]
    assert "7:1" in next(d for (d,) in found if d.startswith("2014-06-09"))


def test_with_actions_no_recorded_split_is_suspected(real):
    rows = real.rows(
        "select subject, detail[:10] from health where code = 'unrecorded split' and subject in ('AAPL', 'SPY', 'IBM')"
    )
    assert rows == []


def test_as_of_the_last_bar_equals_the_stored_table(real):
    names = "root, expiration_date, settlement, as_of, dte_trading, n_obs, stddev, stddev_scaled, q05, q95, low_1s, high_3s, quality"
    for symbol in ("AAPL", "SPY"):
        stored = real.rows(
            f"select {names} from returns_stddev where symbol = '{symbol}' order by expiration_date, settlement"
        )
        known = real.rows(
            f"select {names} from returns_stddev_asof('2021-03-31', '{symbol}') order by expiration_date, settlement"
        )
        assert stored
        assert [r[:6] for r in known] == [r[:6] for r in stored]
        for one, other in zip(known, stored, strict=True):
            assert one[6:-1] == pytest.approx(other[6:-1], rel=1e-9)


def test_as_of_uses_nothing_later(real):
    rows = real.rows(
        "select as_of, last_close, min(expiration_date) from returns_stddev_asof('2014-06-06', 'AAPL') group by all"
    )
    ((as_of, last_close, first),) = rows
    assert (as_of, last_close) == (date(2014, 6, 6), 645.57)
    assert first > as_of


def _factors(real_data, symbol):
    """Factor pair by date, by the definition: one pass over bars and actions, newest first."""
    with (real_data / "metastock" / f"{symbol}.csv").open() as stream:
        bars = [(_day(r["<DTYYYYMMDD>"]), float(r["<CLOSE>"])) for r in csv.DictReader(stream)]
    actions = defaultdict(list)
    with (real_data / "corporate_actions" / f"{symbol}.csv").open() as stream:
        for row in csv.DictReader(stream):
            actions[_day(row["last_cum_date"])].append(row)
    split = dividend = 1.0
    factors = {}
    days = [day for day, _ in bars]
    pending = sorted(actions, reverse=True)
    for day, close in reversed(bars):
        while pending and pending[0] >= day:
            cum = pending.pop(0)
            before = close if cum == day else _close_on_or_before(bars, days, cum)
            for row in actions[cum]:
                if row["kind"] == "split":
                    split /= float(row["new_shares_per_old"])
            cash = sum(float(r["cash_usd"]) for r in actions[cum] if r["kind"] == "dividend")
            dividend *= 1 - cash / before
        factors[day] = (split, dividend)
    assert math.isfinite(split * dividend)
    return factors


def _close_on_or_before(bars, days, day):
    import bisect

    return bars[bisect.bisect_right(days, day) - 1][1]


def _day(text):
    return datetime.strptime(text, "%Y%m%d").date()
