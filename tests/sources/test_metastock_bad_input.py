# SPDX-License-Identifier: Apache-2.0

"""Each kind of bad input has one fixed outcome, and every line is accounted for."""

from __future__ import annotations

from datetime import date, datetime

import pytest

HEADER = "ticker,date,open,high,low,close,vol\n"
GOOD = "AAPL,20240102,1.5,2,1,1.75,900\n"
AFTER = "AAPL,20240103,1.5,2,1,1.75,900\n"

REFUSED = {
    "unparsable date": ("AAPL,2024-13-45,1,2,1,1,9", "unparsable date"),
    "date with letters": ("AAPL,yesterday,1,2,1,1,9", "unparsable date"),
    "impossible day": ("AAPL,20240230,1,2,1,1,9", "unparsable date"),
    "empty date": ("AAPL,,1,2,1,1,9", "unparsable date"),
    "seven digits": ("AAPL,1240102,1,2,1,1,9", "unparsable date"),
    "seven digits, as if a date": ("AAPL,2024013,1,2,1,1,9", "unparsable date"),
    "year before markets": ("AAPL,00240102,1,2,1,1,9", "unparsable date"),
    "date 0": ("AAPL,0,1,2,1,1,9", "date is 0"),
    "date 00000000": ("AAPL,00000000,1,2,1,1,9", "date is 0"),
    "date 19000101": ("AAPL,19000101,1,2,1,1,9", "date is 1900-01-01, a placeholder"),
    "future date": ("AAPL,20240615,1,2,1,1,9", "date lies in the future"),
    "close dash": ("AAPL,20240104,1,2,1,-,9", "unparsable close"),
    "close NA": ("AAPL,20240104,1,2,1,NA,9", "unparsable close"),
    "close empty": ("AAPL,20240104,1,2,1,,9", "unparsable close"),
    "close nan": ("AAPL,20240104,1,2,1,nan,9", "unparsable close"),
    "close inf": ("AAPL,20240104,1,2,1,inf,9", "unparsable close"),
    "close overflow": ("AAPL,20240104,1,2,1,1e400,9", "unparsable close"),
    "close 0": ("AAPL,20240104,1,2,1,0,9", "close is not above 0"),
    "close negative zero": ("AAPL,20240104,1,2,1,-0,9", "close is not above 0"),
    "close negative": ("AAPL,20240104,1,2,1,-37.63,9", "close is not above 0"),
    "short row": ("AAPL,20240104,1,2,1,1", "wrong field count: 6, not 7"),
    "long row": ("AAPL,20240104,1,2,1,1,9,9", "wrong field count: 8, not 7"),
    "wrong delimiter": ("AAPL;20240104;1;2;1;1;9", "wrong field count: 1, not 7"),
    "decimal comma": ("AAPL,20240104,1,5,2,1,1,75,9", "wrong field count: 9, not 7"),
    "open quote": ('AAPL,20240104,"1,2,1,1,9', "wrong field count: 3, not 7"),
    "only delimiters": (",,,,,,", "unparsable date"),
    "repeated header": (HEADER.strip(), "repeated header"),
    "header of another shape": ("<DATE>,<CLOSE>", "repeated header"),
}


@pytest.mark.parametrize(("line", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_line_is_refused_and_its_neighbours_stay(read_bars, line, reason):
    found = read_bars(HEADER + GOOD + line + "\n" + AFTER)
    assert found.rejects == [("AAPL.csv", 3, reason, line)]
    assert [(row["date"], row["line"]) for row in found.rows] == [
        (date(2024, 1, 2), 2),
        (date(2024, 1, 3), 4),
    ]


@pytest.mark.parametrize("ends", ["\r\n\n", "\n\r\n", "\r\n\r"])
def test_mixed_line_ends_keep_lines_apart(read_bars, ends):
    lines = (HEADER + GOOD + AFTER).splitlines()
    found = read_bars(lines[0] + "\n" + lines[1] + ends + lines[2] + "\n")
    assert [(row["date"].day, row["line"]) for row in found.rows] == [(2, 2), (3, 4)]


def test_decimal_comma_beside_points_reads(read_bars):
    found = read_bars("ticker;date;open;close\nAAPL;20240102;1.5;2\nAAPL;20240103;1,5;2\n")
    assert found.column("open") == [1.5, 1.5]


TORN = {
    "in a field": "AAPL,202401",
    "in the date": "AAPL,2024010,1,2,1,1,9",
    "in the close": "AAPL,20240104,1,2,1,-,",
}


@pytest.mark.parametrize("line", TORN.values(), ids=TORN)
def test_torn_last_line_is_refused(read_bars, line):
    found = read_bars(HEADER + GOOD + line)
    assert found.refused == [(3, "torn last line")]
    assert len(found.rows) == 1


def test_complete_last_line_needs_no_line_end(read_bars):
    found = read_bars(HEADER + GOOD + AFTER.strip())
    assert (len(found.rows), found.rejects) == (2, [])


def test_last_line_refused_for_its_value_is_not_called_torn(read_bars):
    found = read_bars(HEADER + GOOD + "AAPL,20240104,1,2,1,0,9")
    assert found.refused == [(3, "close is not above 0")]


ACCEPTED = {
    "blank after a number": ("AAPL,20240104,1 ,2,1,1,9", {"open": 1.0}),
    "blank before a date": ("AAPL, 20240104,1,2,1,1,9", {"open": 1.0}),
    "high below low": ("AAPL,20240104,1,1,2,1,9", {"high": 1.0, "low": 2.0}),
    "open 0": ("AAPL,20240104,0,2,1,1,9", {"open": 0.0}),
    "high and low 0": ("AAPL,20240104,0,0,0,1,9", {"high": 0.0, "low": 0.0}),
    "negative low": ("AAPL,20240104,1,2,-1,1,9", {"low": -1.0}),
    "volume -1": ("AAPL,20240104,1,2,1,1,-1", {"volume": None}),
    "volume dash": ("AAPL,20240104,1,2,1,1,-", {"volume": None}),
    "volume exponent": ("AAPL,20240104,1,2,1,1,1.23E+07", {"volume": 1.23e7}),
    "open dash": ("AAPL,20240104,-,2,1,1,9", {"open": None}),
    "open NA": ("AAPL,20240104,NA,2,1,1,9", {"open": None}),
    "open nan": ("AAPL,20240104,nan,2,1,1,9", {"open": None}),
    "high inf": ("AAPL,20240104,1,inf,1,1,9", {"high": None}),
    "low overflow": ("AAPL,20240104,1,2,-1e400,1,9", {"low": None}),
    "Saturday": ("AAPL,20240106,1,2,1,1,9", {"known_at": datetime(2024, 1, 6, 21, 0)}),
    "holiday": ("AAPL,20231225,1,2,1,1,9", {"known_at": datetime(2023, 12, 25, 21, 0)}),
    "early close": ("AAPL,20231124,1,2,1,1,9", {"known_at": datetime(2023, 11, 24, 18, 0)}),
    "summer": ("AAPL,20240604,1,2,1,1,9", {"known_at": datetime(2024, 6, 4, 20, 0)}),
}


@pytest.mark.parametrize(("line", "expected"), ACCEPTED.values(), ids=ACCEPTED)
def test_odd_line_is_accepted(read_bars, line, expected):
    found = read_bars(HEADER + GOOD + line + "\n")
    assert found.rejects == []
    assert {name: found.rows[1][name] for name in expected} == expected


@pytest.mark.parametrize(
    "content", ["", "\n\n", "\0\0\0", HEADER, HEADER.strip(), "\ufeff" + HEADER]
)
def test_file_without_rows_is_no_error(read_bars, content):
    report = read_bars(content).report
    assert (report.error, report.rows_in) == (None, 0)
    assert report.notes == ("no_rows: the file holds no rows",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("ticker,open,high\nAAPL,1,2\n", "names no date and no close column"),
        ("ticker,date,open\nAAPL,20240102,1\n", "names no close column"),
        ("Kurs,Datum,Menge\nx,20240102,3\n", "no date and close column recognised"),
        ("just text", "no date and close column recognised"),
        (b"PK\x03\x04\x00\x00\xff\xfe1\x00\x02", "no date and close column recognised"),
    ],
)
def test_file_without_date_or_close_fails_as_a_whole(read_bars, content, words):
    found = read_bars(content)
    assert found.report.error is not None
    assert found.report.error.startswith("AAPL.csv: ")
    assert words in found.report.error
    assert found.rows == []


def test_broken_utf16_fails_as_a_whole(read_bars):
    found = read_bars("ticker,date,close\n".encode("utf-16") + b"\x00")
    assert "not readable as utf-16" in (found.report.error or "")


def test_bar_of_an_open_session_is_known_when_loaded(read_bars):
    found = read_bars("ticker,date,close\nAAPL,20240613,1\nAAPL,20240614,1\n")
    assert found.column("known_at") == [datetime(2024, 6, 13, 20, 0), None]


@pytest.mark.parametrize(
    ("rows", "may_repeat"),
    [
        ("A,20240102,1\nA,20240103,1\n", False),
        ("A,20240103,1\nA,20240102,1\n", True),
        ("A,20240102,1\nA,20240102,1\n", True),
        ("A,20240102,1\nA,20240102,2\n", True),
        ("A,20240102,1\nB,20240103,2\n", True),
    ],
)
def test_duplicates_are_excluded_only_where_proven(read_bars, rows, may_repeat):
    found = read_bars("ticker,date,close\n" + rows, name="A.csv")
    assert found.report.has_duplicates is may_repeat
    assert len(found.rows) == 2


def test_descending_file_keeps_its_lines_and_span(read_bars):
    found = read_bars("ticker,date,close\nAAPL,20240103,1\nAAPL,20240102,1\n")
    assert [(row["line"], row["date"].day) for row in found.rows] == [(2, 3), (3, 2)]
    assert (found.report.first_date, found.report.last_date) == (date(2024, 1, 2), date(2024, 1, 3))


@pytest.mark.parametrize(
    ("content", "name", "notes"),
    [
        ("ticker,date,close\nMSFT,20240102,1\n", "AAPL.csv", ["name_mismatch"]),
        ("ticker,date,close\nCON,20240102,1\n", "CON_.csv", []),
        ("ticker,date,close\nAUX,20240102,1\n", "_aux.txt", []),
        ("ticker,date,close\nBRK/B,20240102,1\n", "brk-b.csv", []),
        ("ticker,date,close\nA,20240102,1\nB,20240102,1\n", "all.csv", ["mixed_tickers"]),
        ("ticker,date,close,close\nA,20240102,1,2\n", "A.csv", ["duplicate_header"]),
        ("ticker,date,close,mood\nA,20240102,1,good\n", "A.csv", ["unknown_column"]),
    ],
)
def test_oddities_are_noted(read_bars, content, name, notes):
    found = read_bars(content, name=name)
    assert [note.split(":")[0] for note in found.report.notes] == notes
    assert found.column("close")[0] == 1.0


def test_whole_file_refused_is_reported_line_by_line(read_bars):
    found = read_bars("ticker,date,close\nAAPL,0,1\nAAPL,20240102,0\n")
    assert found.refused == [(2, "date is 0"), (3, "close is not above 0")]
    assert (found.report.rows_in, found.report.rows_accepted, found.report.error) == (2, 0, None)


def test_long_refused_line_is_cut(read_bars):
    found = read_bars("ticker,date,close\n" + "x" * 9000 + "\n")
    assert [len(text) for *_, text in found.rejects] == [500]


def test_one_unlike_date_is_read_with_its_whole_file(read_bars):
    found = read_bars(HEADER + GOOD + AFTER.replace("20240103", "2024-01-03"))
    assert found.column("date") == [date(2024, 1, 2), date(2024, 1, 3)]


def test_blank_line_and_long_line_that_cancel_out_are_seen(read_bars):
    found = read_bars("date,close\n\n20240102,1.5\n1,5,1.5\n")
    assert found.refused == [(4, "wrong field count: 3, not 2")]
    assert found.column("line") == [3]


def test_field_counts_that_cancel_out_are_seen(read_bars):
    found = read_bars(HEADER + GOOD + "AAPL,20240104,1,2,1,1\nAAPL,20240105,1,2,1,1,9,9\n")
    assert found.refused == [
        (3, "wrong field count: 6, not 7"),
        (4, "wrong field count: 8, not 7"),
    ]
