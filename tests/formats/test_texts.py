# SPDX-License-Identifier: Apache-2.0
"""Values, lengths of time, amounts and widths as texts: each border on both of its sides."""

from __future__ import annotations

import csv
import io
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest

from ttapi.errors import closest, did_you_mean
from ttapi.formats.records import write_csv, write_sheet
from ttapi.formats.text import (
    DisplayStyle,
    cells,
    count_text,
    heads_of,
    html_text,
    notebook_html,
    prompt_text,
    write_duckbox,
)
from ttapi.formats.values import (
    amount,
    fitted,
    grouped,
    padded,
    plain,
    seconds_text,
    shown,
    width_of,
)
from ttapi.store.rows import Rows


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.0999, "100 ms"), (0.1, "0.1 s"), (89.9, "89.9 s"), (90, "2 min"), (5399, "90 min"),
        (5400, "2 h"), (172_799, "48 h"), (172_800, "2 d"), (864_000, "10 d"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_short(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1200, "1,200 rows")]
)
def test_one_is_no_plural(count, text):
    assert amount(count, "row") == text


def test_a_page_says_what_it_holds_of_the_answer():
    table = pa.table({"a": [1, 2]})
    assert [count_text(Rows(table, n)) for n in (2, 3)] == ["2 rows", "2 of 3 rows shown"]
    assert [Rows(table, n).is_cut for n in (2, 3)] == [False, True]
    assert "<caption>" not in html_text(Rows(table, 2), DisplayStyle())
    assert "<caption>2 of 3 rows shown</caption>" in html_text(Rows(table, 3), DisplayStyle())


HALF = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None), (True, True), (5, 5), ("x", "x"), (0.5, 0.5), (math.nan, None), (math.inf, None), (-math.inf, None),
        (datetime(2024, 6, 14, 20), "2024-06-14T20:00:00Z"),
        (datetime(2024, 6, 14, 20, tzinfo=HALF), "2024-06-14T14:30:00Z"),
        (date(2024, 6, 14), "2024-06-14"), (time(9, 30), "09:30:00"), (timedelta(minutes=1), 60.0),
        (Decimal("2.50"), 2.5), (Decimal(2), 2), (Decimal("1E+2"), 100), (b"\xff\x00", "ff00"),
        ({1: (math.nan, b"a")}, {"1": [None, "61"]}), (UTC, "UTC"),
    ],
)  # fmt: skip
def test_a_value_is_what_json_holds(value, said):
    found = plain(value)
    assert (found, type(found)) == (said, type(said))


@pytest.mark.parametrize(
    ("value", "look", "text"),
    [
        (None, DisplayStyle(), "NULL"), (None, DisplayStyle(null="-"), "-"), (None, DisplayStyle(null=""), ""),
        (True, DisplayStyle(thousands=","), "true"), (1234567, DisplayStyle(), "1234567"), (1234567, DisplayStyle(thousands=" "), "1 234 567"),
        (-1234.5, DisplayStyle(thousands=","), "-1,234.5"), (1e20, DisplayStyle(thousands=","), "1e+20"),
        (0.1 + 0.2, DisplayStyle(), "0.30000000000000004"), (datetime(2024, 6, 14, 20), DisplayStyle(), "2024-06-14 20:00:00"),
        ([1, None], DisplayStyle(thousands=","), "[1, NULL]"), ("1234567", DisplayStyle(thousands=","), "1234567"),
        ("a\tb\x1b", DisplayStyle(), "a\\tb\\x1b"),
    ],
)  # fmt: skip
def test_a_cell_is_one_line_for_people(value, look, text):
    assert cells(Rows(pa.table({"v": [value]}), 1), look, "NULL") == [[text]]


@pytest.mark.parametrize(
    ("text", "spaced"),
    [
        ("999", "999"), ("1000", "1_000"), ("-999.25", "-999.25"), ("-1000000.1234", "-1_000_000.1234"), ("-0.5", "-0.5"),
        ("1e+20", "1e+20"), ("1234.5e+20", "1234.5e+20"), ("nan", "nan"), ("-inf", "-inf"),
    ],
)  # fmt: skip
def test_digits_before_the_point_stand_in_threes(text, spaced):
    assert grouped(text, "_") == spaced


def test_wide_characters_fill_two_columns_and_combining_ones_none():
    assert [width_of(text) for text in ("abc", "日経", "e\u0301", "é")] == [3, 4, 1, 1]
    assert [fitted("abcd", n) for n in (5, 4, 3, 1)] == ["abcd", "abcd", "ab…", "…"]
    assert [fitted("日経", n) for n in (4, 3, 2)] == ["日経", "日…", "…"]
    assert padded("日", 4, is_right=True) == "  日"
    assert padded("日", 4, is_right=False) == "日  "
    assert padded("long", 2, is_right=True) == "long"
    assert shown("a\nb\u202e") == "a\\nb\\x202e"


def test_a_declared_instant_alone_names_its_zone():
    moment = datetime(2024, 1, 1)
    rows = Rows(pa.table([[1], [moment], [moment]], ["a", "known_at", "month"]), 1)
    marked = rows.with_instants(frozenset({"known_at", "a"}))
    assert heads_of(marked.columns, "UTC") == ["a", "known_at (UTC)", "month"]
    assert marked.texts("Asia/Tokyo") == [["1", "2024-01-01 09:00:00", "2024-01-01 00:00:00"]]
    buffer = io.BytesIO()
    write_csv(marked, buffer, DisplayStyle())
    assert buffer.getvalue() == b"a,known_at,month\n1,2024-01-01T00:00:00Z,2024-01-01 00:00:00\n"


def test_a_prompt_shows_twenty_rows_and_a_notebook_fifty():
    table = pa.table({"n": list(range(60))})
    lines = prompt_text(Rows(table, 60), "UTC").splitlines()
    assert (lines[-1], len(lines)) == ("20 of 60 rows shown", 20 + 1 + 4 + 1 + 3)
    assert prompt_text(Rows(table.slice(0, 20), 20), "UTC").splitlines()[-1] == "20 rows"
    assert notebook_html(Rows(table, 60), "UTC").count("<tr>") == 51
    wide = pa.table({f"column_{n}": ["some text or other"] for n in range(9)})
    assert (
        prompt_text(Rows(wide, 1), "UTC").splitlines()[-1] == "5 of 9 columns shown; .pl() has all"
    )


def test_what_is_like_a_name_is_offered():
    known = ["eod", "returns", "Volatility", "volatility_latest"]
    assert closest("VOLATILITI", known) == ["Volatility", "volatility_latest"]
    assert closest("volatiliti", known, 1) == ["Volatility"]
    assert did_you_mean("return", known) == "did you mean returns?"
    assert did_you_mean("volatilty", known) == "did you mean Volatility or volatility_latest?"
    assert did_you_mean("xyz", known) is None


@pytest.mark.parametrize("begin", list("=+-@\t\r"))
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(begin):
    buffer = io.BytesIO()
    table = pa.table({f"{begin}head": [f"{begin}1+1", "1=1", None], "n": [-1, 2, 3]})
    write_sheet(Rows(table, 3), buffer, DisplayStyle())
    rows = list(csv.reader(io.StringIO(buffer.getvalue().decode("utf-8-sig"), newline="")))
    assert rows == [[f"'{begin}head", "n"], [f"'{begin}1+1", "-1"], ["1=1", "2"], ["", "3"]]


def test_a_frame_as_wide_as_the_screen_is_shown_whole_and_one_wider_is_not():
    table = pa.table({name: ["twelve chars"] for name in "abc"})
    texts = {}
    for width in (46, 45, 0):
        buffer = io.BytesIO()
        texts[width] = (
            write_duckbox(Rows(table, 1), buffer, DisplayStyle(width=width)),
            buffer.getvalue(),
        )
    assert texts[46] == texts[0]
    assert texts[46][0] is None
    assert texts[45][0] == "2 of 3 columns shown; .mode line shows all"


@pytest.mark.parametrize("text", ["a\rb", "a\nb", 'a"b', "a,b", "\r", " a ", "日経"])
def test_a_text_of_csv_is_read_back_whatever_it_holds(text):
    buffer = io.BytesIO()
    write_csv(Rows(pa.table({"a": [text, "x"], "b": [1, 2]}), 2), buffer, DisplayStyle())
    rows = list(csv.reader(io.StringIO(buffer.getvalue().decode(), newline="")))
    assert rows == [["a", "b"], [text, "1"], ["x", "2"]]
