# SPDX-License-Identifier: Apache-2.0
"""Where and when option quotes are from: columns, folders, names of files; packed files, files left out."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from ttapi.sources.contract import SourceContext
from ttapi.sources.files import FilesSource

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)
HEADER = "expiry,strike,right,bid,ask\n"
CLOSE = datetime(2014, 6, 2, 20)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("AAPL/20140602.csv", "AAPL"),
        ("aapl/2014-06-02.csv", "AAPL"),
        ("options/MSFT_2014-06-02.csv", "MSFT"),
        ("options/20140602_brk-b.csv", "BRK.B"),
        ("AAPL/quotes_20140602.csv", "AAPL"),
        ("BRK.B/20140602.csv", "BRK.B"),
    ],
)
def test_the_place_names_the_underlying_and_the_day(read_quotes, name, symbol):
    found = read_quotes(HEADER + "20140606,490,C,1,2\n", name=name)
    assert [(r["symbol"], r["snapshot_at"]) for r in found.rows] == [(symbol, CLOSE)]


def test_the_chosen_folder_itself_may_name_the_underlying(read_quotes):
    found = read_quotes(HEADER + "20140606,490,C,1,2\n", path="AAPL")
    assert [(r["symbol"], r["unit"]) for r in found.rows] == [("AAPL", "20140602.csv")]


INSTANTS = {
    "instant with offset": ("quote_datetime", "2014-06-02T15:45:00-04:00", "2014-06-02T19:45:00"),
    "instant in UTC": ("snapshot_at", "2014-06-02 19:45:30.9", "2014-06-02T19:45:30"),
    "date": ("quote_date", "06/02/2014", "2014-06-02T20:00:00"),
    "date in capitals": ("DataDate", "2014-06-02", "2014-06-02T20:00:00"),
    "midnight is a date": ("timestamp", "2014-06-02 00:00:00", "2014-06-02T20:00:00"),
    "date with midnight": ("date", "2014-06-02 00:00:00", "2014-06-02T20:00:00"),
    "early close": ("date", "20131129", "2013-11-29T18:00:00"),
    "quote time": ("quote_time", "2014-06-02T19:59:00Z", "2014-06-02T19:59:00"),
}


@pytest.mark.parametrize(("column", "text", "told"), INSTANTS.values(), ids=INSTANTS)
def test_the_instant_of_a_snapshot(read_quotes, column, text, told):
    found = read_quotes(
        f"ticker,expiry,strike,right,{column}\nSPY,20140606,190,P,{text}\n", name="all.csv"
    )
    assert found.column("snapshot") == [f"SPY {told}"]
    assert found.column("known_at") == [datetime.fromisoformat(told)]


def test_a_snapshot_still_to_come_is_known_when_it_is_loaded(read_quotes):
    found = read_quotes(HEADER + "20240621,190,P,1,2\n", name="SPY/20240614.csv")
    assert (found.column("known_at"), found.column("snapshot")) == (
        [None],
        ["SPY 2024-06-14T20:00:00"],
    )


PLACELESS = {
    "no symbol": ("quotes here/20140602.csv", HEADER + "20140606,490,C,1,2", "no symbol"),
    "no instant": (
        "AAPL/quotes.csv",
        HEADER + "20140606,490,C,1,2",
        "no instant: neither a column nor the file's name has one",
    ),
    "impossible day": (
        "AAPL/20141399.csv",
        HEADER + "20140606,490,C,1,2",
        "no instant: neither a column nor the file's name has one",
    ),
    "option as symbol": (
        "20140602.csv",
        "symbol,expiry,strike,right\nAAPL  140606C00490000,20140606,490,C",
        "symbol is an option's, and no column names the underlying",
    ),
    "unparsable instant": (
        "AAPL/1.csv",
        "expiry,strike,right,snapshot_at\n20140606,490,C,noon",
        "unparsable snapshot_at",
    ),
    "settlement": (
        "AAPL/20140602.csv",
        "expiry,strike,right,settlement\n20140606,490,C,noon",
        "settlement is neither AM nor PM",
    ),
    "style": (
        "AAPL/20140602.csv",
        "expiry,strike,right,exercise_style\n20140606,490,C,Bermudan",
        "exercise_style is neither A nor E",
    ),
    "root": (
        "AAPL/20140602.csv",
        "expiry,strike,right,root\n20140606,490,C,TOOLONG",
        "root is none of an option",
    ),
}


@pytest.mark.parametrize(("name", "content", "reason"), PLACELESS.values(), ids=PLACELESS)
def test_what_nothing_tells_is_refused(read_quotes, name, content, reason):
    assert read_quotes(content + "\n", name=name).refused == [(2, reason)]


def test_the_same_bytes_under_another_name_are_other_quotes(tmp_path, fetched):
    for folder in ("AAPL", "MSFT"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "20140602.csv").write_text(HEADER + "20140606,490,C,1,2\n")
    first = fetched(FilesSource(), "option_quotes", {"option_quotes_path": str(tmp_path / "AAPL")})
    known = {"20140602.csv": first.report.content_hash}
    for folder, is_unchanged in (("AAPL", True), ("MSFT", False)):
        settings = {"option_quotes_path": str(tmp_path / folder)}
        found = fetched(FilesSource(), "option_quotes", settings, known)
        assert found.report.is_unchanged is is_unchanged


def test_a_query_for_a_symbol_reads_the_files_its_place_or_text_names(tmp_path):
    for name in (
        "AAPL/20140602.csv",
        "MSFT/20140602.csv",
        "MSFT/20140603.csv.gz",
        "all/20140602.csv",
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("ticker\nIBM\n" if name.startswith("all") else HEADER)
    source = FilesSource()
    resource = next(r for r in source.resources if r.name == "option_quotes")

    def held(path, *values):
        context = SourceContext({"option_quotes_path": str(tmp_path / path)}, NOW)
        units = source.survey(resource, context)
        return [u.key for u in source.units_holding(resource, units, frozenset(values), context)]

    # What is packed cannot be searched, and is read to be sure.
    assert held("", "AAPL") == ["AAPL/20140602.csv", "MSFT/20140603.csv.gz"]
    assert held("", "IBM") == ["MSFT/20140603.csv.gz", "all/20140602.csv"]
    assert held("AAPL", "AAPL") == ["20140602.csv"]
    assert held("AAPL", "IBM") == []


def test_packed_files_are_read_and_damaged_ones_fail_alone(read_quotes, tmp_path):
    packed = gzip.compress((HEADER + "20140606,490,C,1,2\n").encode())
    bomb = gzip.compress(b"a" * (1 << 23))
    (tmp_path / "AAPL").mkdir()
    for name, content in {
        "20140603.csv.gz": packed[:-9],
        "20140604.csv.gz": packed[:20] + b"\xff\xff" + packed[22:],
        "20140605.csv.gz": packed + b"more",
        "20140606.csv.gz": bomb,
        "20140609.txt.gz": packed + gzip.compress(b"20140606,495,C,1,2\n") + b"\0" * 8,
        "20140610.csv": packed,
        "20140611.zip": packed,
    }.items():
        (tmp_path / "AAPL" / name).write_bytes(content)
    found = read_quotes(packed, name="AAPL/20140602.csv.gz")
    assert {key.removeprefix("AAPL/"): (r.rows_accepted, r.error) for key, r in found.reports.items()} == {
        "20140602.csv.gz": (1, None),
        "20140603.csv.gz": (0, "AAPL/20140603.csv.gz: its gzip compression ends in the middle (fetch it again)"),
        "20140604.csv.gz": (0, "AAPL/20140604.csv.gz: its gzip compression is damaged (fetch it again)"),
        "20140605.csv.gz": (0, "AAPL/20140605.csv.gz: something else follows its gzip compression (fetch it again)"),
        "20140606.csv.gz": (
            0,
            f"AAPL/20140606.csv.gz: unpacks to more than 4,194,304 bytes from {len(bomb):,}",
        ),
        "20140609.txt.gz": (2, None),
        "20140610.csv": (1, None),
    }  # fmt: skip
