# SPDX-License-Identifier: Apache-2.0
"""Charts as text, 80 columns, one golden file a kind."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from ttapi.errors import UsageError
from ttapi.formats.chart import CHARTS, draw_chart

DAYS = [date(2024, 1, 2) + timedelta(days=n) for n in range(90)]
CLOSES = [100 + 10 * math.sin(n / 9) + n / 10 for n in range(90)]
BARS = pa.table(
    {
        "date": DAYS,
        "open": CLOSES,
        "high": [c + 2 for c in CLOSES],
        "low": [c - 2 for c in CLOSES],
        "close": [c + math.cos(n) for n, c in enumerate(CLOSES)],
    }
)
SIGNED = pa.table({"symbol": ["AAA", "BBBB", "C"], "change": [1.0, -2.5, 3.0]})


@pytest.mark.parametrize("kind", list(CHARTS))
def test_every_chart_is_as_its_golden_file(golden, kind):
    table = SIGNED if kind == "bar" else BARS
    text = draw_chart(table, kind)
    assert max(map(len, text.splitlines())) <= 80
    golden(f"chart_{kind}.txt", text)


def test_a_falling_candle_is_told_from_a_rising_one_without_colour():
    bars = {"open": [10.0, 20.0], "high": [21.0, 21.0], "low": [9.0, 9.0], "close": [20.0, 10.0]}
    lines = draw_chart(pa.table({"date": DAYS[:2], **bars}), "candle").splitlines()
    assert "(█ up, ░ down)" in lines[0]
    bodies = [re.sub(r"[^█░]", "", line) for line in lines[1:]]
    assert set(bodies) == {"", "█░"}


def test_a_candle_that_ends_where_it_began_counts_as_up():
    bars = {"open": [10.0], "high": [12.0], "low": [9.0], "close": [10.0]}
    text = draw_chart(pa.table({"date": DAYS[:1], **bars}), "candle")
    assert "░" not in text.partition("\n")[2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_days_are_marked_by_their_dates_alone(count):
    table = pa.table({"date": DAYS[:count], "close": CLOSES[:count]})
    marks = draw_chart(table, "line").splitlines()[-1].split()
    assert marks[0] == "2024-01-02" and marks[-1] == str(DAYS[count - 1])
    assert set(marks) <= {str(day) for day in DAYS[:count]}


def test_columns_may_be_named():
    assert "close by date" in draw_chart(BARS, "line", "date", "close")
    assert "low: rows per range" in draw_chart(BARS, "hist", None, "low")


def test_missing_values_leave_no_point_and_instants_are_dates_too():
    table = pa.table(
        {
            "at": pa.array([datetime(2024, 1, 1, n) for n in range(4)], pa.timestamp("us")),
            "mid": [1.0, None, math.nan, 2.0],
        }
    )
    assert "01-01 00:00" in draw_chart(table)


@pytest.mark.parametrize(
    ("kind", "x", "y", "words"),
    [
        ("pie", None, None, "'pie' is no chart"),
        ("line", None, "nothing", "no column 'nothing'"),
        ("line", "symbol", "change", "neither number nor date"),
        ("line", None, "symbol", "holds no numbers"),
        ("candle", None, None, "needs a column open"),
    ],
)
def test_what_cannot_be_drawn_is_said(kind, x, y, words):
    with pytest.raises(UsageError, match=words):
        draw_chart(SIGNED, kind, x, y)


def test_no_rows_and_no_numbers_are_said():
    with pytest.raises(UsageError, match="no rows"):
        draw_chart(SIGNED.slice(0, 0))
    with pytest.raises(UsageError, match="no column of numbers"):
        draw_chart(SIGNED.select(["symbol"]))
    with pytest.raises(UsageError, match="no numbers"):
        draw_chart(pa.table({"n": pa.array([None, None], pa.float64())}), "hist")


def test_rows_of_one_value_fall_into_one_range():
    text = draw_chart(pa.table({"n": [2.5, 2.5, 2.5, 2.5]}), "hist")
    assert [line.split()[-1] for line in text.splitlines()[1:]] == ["4", "0"]
