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
    Page,
    html_text,
    notebook_html,
    prompt_text,
    type_text,
    write_duckbox,
)
from ttapi.formats.values import (
    amount,
    cell_text,
    fitted,
    heads_of,
    names_of,
    padded,
    plain,
    rows_of,
    seconds_text,
    shown,
    width_of,
)


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
    assert [Page(table, n).count_text for n in (2, 3)] == ["2 rows", "2 of 3 rows shown"]
    assert [Page(table, n).is_cut for n in (2, 3)] == [False, True]
    assert "<caption>" not in html_text(Page(table, 2), DisplayStyle())
    assert "<caption>2 of 3 rows shown</caption>" in html_text(Page(table, 3), DisplayStyle())


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
        (-1234.5, DisplayStyle(thousands=","), "-1,234.5"), (-0.5, DisplayStyle(thousands=","), "-0.5"), (999.0, DisplayStyle(thousands=","), "999"),
        (1e20, DisplayStyle(thousands=","), "1e+20"), (math.nan, DisplayStyle(thousands=","), "nan"), (0.1 + 0.2, DisplayStyle(), "0.3"),
        (datetime(2024, 6, 14, 20), DisplayStyle(), "2024-06-14 16:00:00"), (datetime(2024, 6, 14, 20), DisplayStyle(zone="UTC"), "2024-06-14 20:00:00"),
        (datetime(2024, 6, 14, 20, tzinfo=HALF), DisplayStyle(zone="UTC"), "2024-06-14 14:30:00"),
        (datetime(1, 1, 1), DisplayStyle(), "0001-01-01 00:00:00"), ([1, math.nan], DisplayStyle(), "[1, null]"), ("a\tb\x1b", DisplayStyle(), "a\\tb\\x1b"),
    ],
)  # fmt: skip
def test_a_cell_is_one_line_for_people(value, look, text):
    assert cell_text(value, look, "NULL") == text


def test_wide_characters_fill_two_columns_and_combining_ones_none():
    assert [width_of(text) for text in ("abc", "日経", "e\u0301", "é")] == [3, 4, 1, 1]
    assert [fitted("abcd", n) for n in (5, 4, 3, 1)] == ["abcd", "abcd", "ab…", "…"]
    assert [fitted("日経", n) for n in (4, 3, 2)] == ["日経", "日…", "…"]
    assert padded("日", 4, is_right=True) == "  日"
    assert padded("日", 4, is_right=False) == "日  "
    assert padded("long", 2, is_right=True) == "long"
    assert shown("a\nb\u202e") == "a\\nb\\x202e"


def test_names_of_one_table_are_told_apart_and_instants_name_their_zone():
    table = pa.table(
        [pa.array([1]), pa.array([2]), pa.array([datetime(2024, 1, 1)]), pa.array([3])],
        ["a", "a", "t", "a"],
    )
    assert names_of(table) == ["a", "a_2", "t", "a_3"]
    assert heads_of(table, "UTC") == ["a", "a", "t (UTC)", "a"]


def test_dates_beyond_all_dates_are_words():
    days = pa.array([0, 2**31 - 2, -(2**31) + 2, None], pa.int32()).cast(pa.date32())
    assert list(rows_of(pa.table({"d": days}))) == [["1970-01-01"], ["infinity"], ["-infinity"], [None]]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (pa.string(), "varchar"), (pa.float64(), "double"), (pa.date32(), "date"), (pa.timestamp("us"), "UTC"),
        (pa.list_(pa.timestamp("us")), "UTC[]"), (pa.decimal128(9, 2), "decimal(9,2)"), (pa.int64(), "int64"),
        (pa.struct([("a", pa.int32())]), "struct"), (pa.bool_(), "boolean"),
    ],
)  # fmt: skip
def test_a_type_is_called_as_the_engine_calls_it(kind, text):
    assert type_text(kind, "UTC") == text


def test_a_prompt_shows_twenty_rows_and_a_notebook_fifty():
    table = pa.table({"n": list(range(60))})
    lines = prompt_text(table, 60, "UTC").splitlines()
    assert (lines[-1], len(lines)) == ("20 of 60 rows shown", 20 + 1 + 4 + 1 + 3)
    assert prompt_text(table.slice(0, 20), 20, "UTC").splitlines()[-1] == "20 rows"
    assert notebook_html(table, 60, "UTC").count("<tr>") == 51


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
    write_sheet(Page(table, 3), buffer, DisplayStyle())
    rows = list(csv.reader(io.StringIO(buffer.getvalue().decode("utf-8-sig"), newline="")))
    assert rows == [[f"'{begin}head", "n"], [f"'{begin}1+1", "-1"], ["1=1", "2"], ["", "3"]]


def test_a_frame_as_wide_as_the_screen_is_shown_whole_and_one_wider_is_not():
    table = pa.table({name: ["twelve chars"] for name in "abc"})
    texts = {}
    for width in (46, 45, 0):
        buffer = io.BytesIO()
        texts[width] = (
            write_duckbox(Page(table, 1), buffer, DisplayStyle(width=width)),
            buffer.getvalue(),
        )
    assert texts[46] == texts[0]
    assert texts[46][0] is None
    assert texts[45][0] == "2 of 3 columns shown; .mode line shows all"


@pytest.mark.parametrize("text", ["a\rb", "a\nb", 'a"b', "a,b", "\r", " a ", "日経"])
def test_a_text_of_csv_is_read_back_whatever_it_holds(text):
    buffer = io.BytesIO()
    write_csv(Page(pa.table({"a": [text, "x"], "b": [1, 2]}), 2), buffer, DisplayStyle())
    rows = list(csv.reader(io.StringIO(buffer.getvalue().decode(), newline="")))
    assert rows == [["a", "b"], [text, "1"], ["x", "2"]]
