# SPDX-License-Identifier: Apache-2.0

"""Every dialect of MetaStock ASCII reads as the same bar."""

from __future__ import annotations

from datetime import date, datetime

import pytest

HEADER = "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
ROW = "AAPL,D,20240102,000000,187.15,188.44,183.885,185.64,82488700,0\n"


def test_full_file_gives_whole_rows(read_bars):
    found = read_bars(HEADER + ROW)
    assert found.rows == [
        {
            "symbol": "AAPL",
            "date": date(2024, 1, 2),
            "open": 187.15,
            "high": 188.44,
            "low": 183.885,
            "close": 185.64,
            "volume": 82488700.0,
            "open_interest": 0.0,
            "ticker": "AAPL",
            "per": "D",
            "time": "000000",
            "source": "metastock",
            "unit": "AAPL.csv",
            "line": 2,
            "known_at": datetime(2024, 1, 2, 21, 0),
        }
    ]
    assert (found.report.first_date, found.report.last_date) == (date(2024, 1, 2), date(2024, 1, 2))
    assert not found.report.has_duplicates
    assert found.report.notes == ()


DIALECTS = {
    "seven columns": "<TICKER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nAAPL,20240102,1.5,2,1,1.75,900\n",
    "eight columns": "<TICKER>,<PER>,<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nAAPL,D,20240102,1.5,2,1,1.75,900\n",
    "name column": "ticker,name,per,date,open,high,low,close,vol\nAAPL,Apple Inc.,D,20240102,1.5,2,1,1.75,900\n",
    "quoted": '"Ticker","Date","Open","High","Low","Close","Volume"\n"AAPL","20240102","1.5","2","1","1.75","900"\n',
    "brackets": "[ticker],[date],[open],[high],[low],[close],[vol]\nAAPL,20240102,1.5,2,1,1.75,900\n",
    "bare upper case": "TICKER,DATE,OPEN,HIGH,LOW,CLOSE,VOLUME\nAAPL,20240102,1.5,2,1,1.75,900\n",
    "another order": "DATE,CLOSE,OPEN,HIGH,LOW,VOL,TICKER\n20240102,1.75,1.5,2,1,900,AAPL\n",
    "semicolons": "ticker;date;open;high;low;close;vol\nAAPL;20240102;1.5;2;1;1.75;900\n",
    "tabs": "ticker\tdate\topen\thigh\tlow\tclose\tvol\nAAPL\t20240102\t1.5\t2\t1\t1.75\t900\n",
    "decimal comma": "ticker;date;open;high;low;close;vol\nAAPL;20240102;1,5;2,0;1;1,75;900\n",
    "decimal comma, thousands": "ticker;date;open;high;low;close;vol\nAAPL;20240102;1,5;2;1;1,75;0.900,0\n",
    "quoted thousands": 'ticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,"0,000,900"\n',
    "blanks": "ticker, date, open, high, low, close, vol\nAAPL , 20240102, 1.5, 2, 1, 1.75, 900\n",
    "no header, seven": "AAPL,20240102,1.5,2,1,1.75,900\n",
    "no header, eight": "AAPL,D,20240102,1.5,2,1,1.75,900\n",
    "no header, nine": "AAPL,D,20240102,000000,1.5,2,1,1.75,900\n",
    "no header, ten": "AAPL,D,20240102,000000,1.5,2,1,1.75,900,0\n",
    "no header, name": "AAPL,Apple Inc.,D,20240102,1.5,2,1,1.75,900\n",
    "no header, no ticker": "20240102,1.5,2,1,1.75,900\n",
    "no header, semicolons": "AAPL;D;20240102;1,5;2;1;1,75;900\n",
    "carriage returns": "ticker,date,open,high,low,close,vol\r\nAAPL,20240102,1.5,2,1,1.75,900\r\n",
    "old Macintosh": "ticker,date,open,high,low,close,vol\rAAPL,20240102,1.5,2,1,1.75,900\r",
    "no last line end": "ticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,900",
    "byte order mark": "\ufeffticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,900\n",
    "NUL tail": "ticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,900\n\0\0\0\0",
    "Ctrl-Z": "ticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,900\n\x1a",
    "blank lines": "\n\nticker,date,open,high,low,close,vol\n\nAAPL,20240102,1.5,2,1,1.75,900\n  \n",
    "exponent volume": "ticker,date,open,high,low,close,vol\nAAPL,20240102,1.5,2,1,1.75,9E+02\n",
    "trailing delimiter": "ticker,date,open,high,low,close,vol,\nAAPL,20240102,1.5,2,1,1.75,900,\n",
}  # fmt: skip


@pytest.mark.parametrize("content", DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_reads_as_the_same_bar(read_bars, content):
    found = read_bars(content)
    bar = ("symbol", "date", "open", "high", "low", "close", "volume", "per")
    assert [tuple(row[name] for name in bar) for row in found.rows] == [
        ("AAPL", date(2024, 1, 2), 1.5, 2.0, 1.0, 1.75, 900.0, "D")
    ]
    assert found.rejects == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "latin-1"])
def test_every_encoding_reads(read_bars, encoding):
    found = read_bars("ticker,name,date,close\nAAPL,Äpfel,20240102,1.75\n".encode(encoding))
    assert [(row["symbol"], row["close"]) for row in found.rows] == [("AAPL", 1.75)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20080121", date(2008, 1, 21)),
        ("080121", date(2008, 1, 21)),
        ("80121", date(2008, 1, 21)),
        ("103", date(2000, 1, 3)),
        ("690102", date(1969, 1, 2)),
        ("680102", date(2068, 1, 2)),
        ("2008-01-21", date(2008, 1, 21)),
        ("2008/1/21", date(2008, 1, 21)),
        ("12/21/2008", date(2008, 12, 21)),
        ("12/21/08", date(2008, 12, 21)),
        ("21/12/2008", date(2008, 12, 21)),
        ("21.12.2008", date(2008, 12, 21)),
        ("05.06.2008", date(2008, 6, 5)),
        ("21 Jan 2008", date(2008, 1, 21)),
        ("21-JAN-08", date(2008, 1, 21)),
        ('"Jan 21, 2008"', date(2008, 1, 21)),
    ],
)
def test_every_date_format_reads(read_bars, text, expected):
    found = read_bars(f"ticker,date,close\nAAPL,{text},1.75\n")
    future = expected > date(2024, 6, 14)
    assert found.column("date") == ([] if future else [expected])
    assert found.refused == ([(2, "date lies in the future")] if future else [])


def test_undecided_dates_are_month_first_and_noted(read_bars):
    found = read_bars("ticker,date,close\nAAPL,01/02/2008,1.75\n")
    assert found.column("date") == [date(2008, 1, 2)]
    assert [note.split(":")[0] for note in found.report.notes] == ["ambiguous_dates"]


def test_one_day_first_date_decides_its_whole_file(read_bars):
    found = read_bars("ticker,date,close\nAAPL,01/02/2008,1.75\nAAPL,13/02/2008,1.75\n")
    assert found.column("date") == [date(2008, 2, 1), date(2008, 2, 13)]
    assert found.report.notes == ()


@pytest.mark.parametrize(
    ("header", "text", "expected"),
    [
        ("time", "930", "0930"),
        ("time", "93000", "093000"),
        ("time", "1600", "1600"),
        ("time", "09:30", "0930"),
        ("time", "0", "0000"),
        ("time", "", None),
        ("hhmmss", "930", "000930"),
        ("hhmm", "5", "0005"),
    ],
)
def test_times_get_their_zeros_back(read_bars, header, text, expected):
    found = read_bars(f"ticker,per,date,{header},close\nAAPL,5,20240102,{text},1.75\n")
    assert [(row["per"], row["time"]) for row in found.rows] == [("5", expected)]


def test_stooq_file_loses_its_suffix_and_keeps_fractional_volume(read_bars):
    content = (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "BRK-B.US,D,20240102,000000,1.5,2,1,1.75,900.4567,0\n"
    )
    found = read_bars(content, name="brk-b.us.txt")
    assert [(row["symbol"], row["ticker"], row["volume"]) for row in found.rows] == [
        ("BRK-B", "BRK-B.US", 900.4567)
    ]
    assert found.report.notes == ()


@pytest.mark.parametrize(
    ("setting", "symbol"), [("", "VOD.US"), (".us,.uk", "VOD"), (".UK", "VOD.US")]
)
def test_suffixes_are_dropped_as_set(read_bars, setting, symbol):
    found = read_bars("ticker,date,close\nvod.us,20240102,1\n", strip_suffix=setting)
    assert found.column("symbol") == [symbol]


@pytest.mark.parametrize("ticker", ["TRUE", "NAN", "NA", "NULL", "1E5", "INF", "0700", "1.50"])
def test_tickers_that_look_like_values_stay_text(read_bars, ticker):
    found = read_bars(f"ticker,date,close\n{ticker},20240102,1\n", name=f"{ticker}.csv")
    assert [(row["symbol"], row["ticker"]) for row in found.rows] == [(ticker, ticker)]


def test_file_name_stands_for_a_missing_ticker(read_bars):
    found = read_bars("date,close\n20240102,1\n", name="brk.b.txt")
    assert [(row["symbol"], row["ticker"]) for row in found.rows] == [("BRK.B", None)]


def test_slash_in_a_ticker_becomes_a_point(read_bars):
    found = read_bars("ticker,date,close\nbrk/b,20240102,1\n", name="BRK_B.csv")
    assert found.column("symbol") == ["BRK.B"]
    assert found.report.notes == ()


@pytest.mark.parametrize("word", ["", "D", "d", "Daily", "day", "1d"])
def test_daily_bars_are_d_however_named(read_bars, word):
    found = read_bars(f"ticker,per,date,close\nAAPL,{word},20240102,1\n")
    assert found.column("per") == ["D"]
