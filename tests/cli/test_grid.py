# SPDX-License-Identifier: Apache-2.0
"""The market grid: a row a symbol, empty columns left out and named, --list, --json."""

from __future__ import annotations

import io
import json
import math
import re
from datetime import date

import pytest

from ttapi.market.calendar import sessions


@pytest.fixture
def market(lab):
    """AAA with 40 bars, BBB with one; a split of BBB's price never recorded."""
    calendar = sessions("XNYS")
    end = calendar.session_no(date(2024, 6, 14))
    days = calendar.dates[end - 40 : end]
    closes = [100 * math.exp(0.01 * (i % 3)) for i in range(40)]
    lab.write_bars("AAA.csv", [(d, c, c + 1, c - 1, c) for d, c in zip(days, closes, strict=True)])
    lab.write_bars("BBB.csv", [(days[-1], 50, 51, 49, 50)])
    return lab


def test_a_row_says_what_the_last_bars_say(market):
    rows = json.loads(market.ttapi("grid", "--json").stdout)
    first, second = rows
    assert [row["symbol"] for row in rows] == ["AAA", "BBB"]
    assert first["as_of"] == "2024-06-14"
    assert first["last"] == pytest.approx(100)
    assert first["change"] == pytest.approx(math.exp(-0.02) - 1, rel=1e-12)
    assert (first["next_monthly"], first["dte"]) == ("2024-06-21", 7)
    ((hv20, hv30),) = market.rows(
        "select max(close_to_close) filter (where lookback = 20), max(close_to_close) filter (where lookback = 30)"
        " from volatility_latest where symbol = 'AAA'"
    )
    assert (first["hv20"], first["hv30"]) == (hv20, hv30)
    assert (second["last"], second["change"], second["hv20"]) == (50, None, None)
    assert first["iv30"] is None
    assert first["age_s"] > 0


def test_the_screen_leaves_empty_columns_out_and_names_them(market):
    done = market.ttapi("grid", "--list", "AAA,ZZZ")
    assert done.returncode == 0, done.stderr
    head, *_, caption = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert head == [
        *("symbol", "as", "of", "last", "change", "HV20", "HV30", "monthly", "DTE", "checked")
    ]
    assert " ".join(caption).startswith("1 symbol; no data yet: IV30")
    assert "AAA" in done.stdout
    assert "BBB" not in done.stdout


def test_an_old_last_bar_is_seen(market):
    market.write_bars("OLD.csv", [(date(2024, 5, 6), 50, 51, 49, 50)])
    text = market.ttapi("grid").stdout
    (newest,), *_ = market.rows("select max(as_of)::varchar from market_grid")
    behind = market.rows(f"select symbol, as_of::varchar from market_grid where as_of < '{newest}'")
    assert behind
    for symbol, as_of in behind:
        assert any(line.split()[:2] == [symbol, as_of] for line in text.splitlines())
    assert f"{len(behind)} without a bar of {newest}" in text


def test_the_grid_is_updated_in_place_until_ctrl_c():
    from rich.console import Console

    from ttapi.cli.grid import COLUMNS, watch_grid

    def row(last):
        return {**{name: None for name, _, _ in COLUMNS}, "symbol": "AAA", "last": last}

    later = iter([[row(11.0)], [row(12.0), {**row(7.0), "symbol": "BBB"}]])

    def read():
        try:
            return next(later)
        except StopIteration:
            raise KeyboardInterrupt from None

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=24, color_system=None)
    watch_grid([row(10.0)], read, 0.001, console=console)
    text = screen.getvalue()
    entered, left = text.index("\x1b[?1049h"), text.index("\x1b[?1049l")
    shown = [text.index(price) for price in ("10.00", "11.00", "12.00", "7.00")]
    assert entered < shown[0] < shown[1] < shown[2] < shown[3] < left
    assert text.count("\x1b[H") >= 3


def test_what_changed_since_the_last_look_is_bold():
    from rich.console import Console

    from ttapi.cli.grid import COLUMNS, watch_grid

    blank = {name: None for name, _, _ in COLUMNS}
    looks = iter([{"last": 11.0, "hv20": 0.2}, {"last": 11.0, "hv20": 0.3}])

    def read():
        if (found := next(looks, None)) is None:
            raise KeyboardInterrupt
        return [{**blank, "symbol": "AAA", **found}]

    screen = io.StringIO()
    console = Console(
        file=screen, force_terminal=True, width=80, height=24, color_system="standard"
    )
    first = {**blank, "symbol": "AAA", "last": 10.0, "hv20": 0.2}
    watch_grid([first], read, 0.001, console=console)
    shown = re.findall(r"(\x1b\[1m)?(1\d\.00|\d\d\.0%)", screen.getvalue())
    assert [(bool(bold), text) for bold, text in dict.fromkeys(shown)] == [
        (False, "10.00"),
        (False, "20.0%"),
        (True, "11.00"),
        (False, "11.00"),
        (True, "30.0%"),
    ]


def test_one_symbol_of_the_grid_reads_its_file_alone(market):
    done = market.ttapi(
        "sql", "--format", "csv", "select last from market_grid where symbol = 'BBB'"
    )
    assert done.stdout == "last\n50.0\n"
    assert "fetched 3 slices" in done.stderr, "BBB.csv, the settings of price basis and rate"


def test_an_unknown_list_and_an_impossible_pause_are_refused(market):
    for options, word in ((["--list", "nosuch"], "nosuch"), (["--every", "0"], "--every")):
        done = market.ttapi("grid", *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert word in done.stderr


def test_an_empty_grid_says_what_to_do(lab):
    done = lab.ttapi("grid", "--no-refresh")
    assert done.returncode == 0
    assert "ttapi refresh" in done.stderr


def test_a_price_that_stands_still_is_no_loss_and_a_symbol_without_a_bar_is_behind():
    from ttapi.cli.grid import COLUMNS, _cell, _signed_percent, _table

    blank = {name: None for name, _, _ in COLUMNS}
    rows = [
        {**blank, "symbol": "AAA", "as_of": "2024-06-14", "change": 0.0},
        {**blank, "symbol": "BBB"},
    ]
    assert _cell(rows[0], rows[0], "change", _signed_percent) == "[green]+0.00%[/]"
    assert str(_table(rows, {}).caption).startswith(
        "2 symbols; 1 without a bar of 2024-06-14; no data yet:"
    )
