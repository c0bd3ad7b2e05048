# SPDX-License-Identifier: Apache-2.0
"""The resource `option_quotes` of the source `files`: contracts and instants told apart, nothing guessed in silence."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from ttapi.sources.files import FilesSource

HEADER = "expiry,strike,right,bid,ask\n"
CLOSE = datetime(2014, 6, 2, 20)


def test_a_quote_gets_its_contract_its_session_and_its_instant(read_quotes):
    found = read_quotes("expiry,strike,right,bid,ask,iv,delta\n20140621,92.5,c,0,0.05,0.4,-0.1\n")
    assert found.rows == [
        {
            "symbol": "AAPL",
            "snapshot": "AAPL 2014-06-02T20:00:00",
            "snapshot_at": CLOSE,
            "contract": "AAPL  140621C00092500",
            "root": "AAPL",
            "expiration_date": date(2014, 6, 20),
            "contract_expiration_date": date(2014, 6, 21),
            "settlement": "PM",
            "strike": 92.5,
            "option_type": "C",
            "exercise_style": "A",
            "multiplier": 100,
            "is_adjusted": False,
            "bid": 0.0,
            "ask": 0.05,
            **dict.fromkeys(("bid_size", "ask_size", "mark", "last", "volume", "open_interest")),
            "spot": None,
            "quote_time": None,
            "vendor_implied_volatility": 0.4,
            "vendor_delta": -0.1,
            **dict.fromkeys(("vendor_gamma", "vendor_theta", "vendor_vega", "vendor_rho")),
            "unit": "AAPL/20140602.csv",
            "line": 2,
            "known_at": CLOSE,
        }
    ]


def test_a_row_without_a_contract_is_the_underlyings(read_quotes):
    found = read_quotes(
        "expiry,strike,right,close,volume\n,,,633.4,131\n20140606,490,C,138.325,0\n"
    )
    assert [
        (r["contract"], r["root"], r["multiplier"], r["mark"], r["spot"], r["volume"])
        for r in found.rows
    ] == [
        ("AAPL", None, None, 633.4, 633.4, 131.0),
        ("AAPL  140606C00490000", "AAPL", 100, 138.325, None, 0.0),
    ]


@pytest.mark.parametrize(
    ("cells", "spot"),
    [(",,,10,11,,", 10.5), (",,,11,10,,9", 9.0), (",,,,,12,9", 12.0), (",,,0,0,0,9", 9.0)],
    ids=["the middle", "crossed", "mark", "nothing but the last"],
)
def test_the_underlyings_price_is_what_the_row_has(read_quotes, cells, spot):
    found = read_quotes(f"expiry,strike,right,bid,ask,mark,last\n{cells}\n")
    assert found.column("spot") == [spot]


def test_close_is_the_mark_only_where_the_file_quotes_nothing_else(read_quotes):
    found = read_quotes("expiry,strike,right,bid,close\n20140606,490,C,1,2\n")
    assert [(r["mark"], r["last"]) for r in found.rows] == [(None, 2.0)]
    found = read_quotes("expiry,strike,right,close\n20140606,490,C,2\n20140606,495,C,0\n")
    assert found.column("mark") == [2.0, None]


def test_crossed_and_locked_quotes_are_kept_and_a_mark_of_0_beside_them(read_quotes):
    found = read_quotes(
        "expiry,strike,right,bid,ask,mark,last\n20140606,490,C,2,1,0,0\n20140606,490,P,1,1,,\n"
    )
    assert [(r["bid"], r["ask"], r["mark"], r["last"]) for r in found.rows] == [
        (2.0, 1.0, 0.0, None),
        (1.0, 1.0, None, None),
    ]


def test_an_occ_symbol_says_it_all_and_columns_may_not_contradict_it(read_quotes):
    found = read_quotes(
        "underlying,symbol,quote_date,bid,ask,strike,option_type,expiration_date,contract_size\n"
        "SPX,SPXW  140621C01900000,20140602,1,2,,,,\n"
        "SPX,SPX140621P01900000,20140602,1,2,1900,put,20140620,100\n"
        "AAPL,AAPL7 140621C00490000,20140602,1,2,490,call,,10\n"
        "AAPL,AAPL  140621C00490000,20140602,1,2,491,,,\n"
        "AAPL,AAPL  140621C00490000,20140602,1,2,,P,,\n"
        "AAPL,AAPL  140621C00490000,20140602,1,2,,,20140627,\n"
        "AAPL,AAPL  141321C00490000,20140602,1,2,,,,\n",
        name="all.csv",
    )
    assert [
        (r["contract"], r["root"], r["settlement"], r["exercise_style"], r["multiplier"], r["is_adjusted"])
        for r in found.rows
    ] == [
        ("SPXW  140621C01900000", "SPXW", "PM", "E", 100, False),
        ("SPX   140621P01900000", "SPX", "AM", "E", 100, False),
        ("AAPL7 140621C00490000", "AAPL7", "PM", "A", 10, True),
    ]  # fmt: skip
    assert found.column("expiration_date") == [date(2014, 6, 20)] * 3
    assert found.refused == [
        (5, "strike is not that of occ_symbol"),
        (6, "option_type is not that of occ_symbol"),
        (7, "expiration_date is not that of occ_symbol"),
        (8, "no expiration_date"),
    ]


REFUSED = {
    "no expiration": (",490,C,1,2", "no expiration_date"),
    "no strike": ("20140606,,C,1,2", "no strike above 0"),
    "strike 0": ("20140606,0,C,1,2", "no strike above 0"),
    "strike text": ("20140606,many,C,1,2", "no strike above 0"),
    "strike beyond symbols": ("20140606,100000,C,1,2", "strike is not below 100000"),
    "no type": ("20140606,490,,1,2", "no option_type"),
    "unknown type": ("20140606,490,X,1,2", "unknown option_type"),
    "bad date": ("2014-13-45,490,C,1,2", "unparsable expiration_date"),
    "date 0": ("00000000,490,C,1,2", "expiration_date is 0"),
    "negative bid": ("20140606,490,C,-1,2", "negative bid"),
    "negative ask": ("20140606,490,C,1,-2", "negative ask"),
    "nothing": (",,,,", "neither a contract nor a price of the underlying"),
    "short": ("20140606,490,C", "wrong field count: 3, not 5"),
    "repeated header": (HEADER.strip(), "repeated header"),
}


@pytest.mark.parametrize(("line", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_bad_quote_is_refused_and_its_neighbours_stay(read_quotes, line, reason):
    found = read_quotes(HEADER + "20140606,490,C,1,2\n" + line + "\n20140606,495,P,1,2\n")
    assert found.rejects == [("AAPL/20140602.csv", 3, reason, line)]
    assert found.column("line") == [2, 4]


def test_a_file_without_contracts_fails_and_says_how_columns_are_mapped(read_quotes):
    report = read_quotes("secid,exdate,cp\n1,20140606,C\n").report
    assert "has no column expiration_date or occ_symbol" in (report.error or "")


def test_a_column_of_another_name_is_mapped_by_a_setting(read_quotes):
    found = read_quotes(
        "id,quote_date,bid\nAAPL  140606C00490000,20140602,1\n",
        columns="occ_symbol=id",
    )
    assert found.column("contract") == ["AAPL  140606C00490000"]


def test_every_real_chain_is_read(real_data, fetched):
    found = fetched(
        FilesSource(), "option_quotes", {"option_quotes_path": str(real_data / "chains")}
    )
    assert found.rejects == []
    assert {key: report.rows_accepted for key, report in found.reports.items()} == {
        "AAPL/20140602.csv.gz": 4533,
        "AAPL/20140603.csv.gz": 4533,
        "AAPL/20140604.csv.gz": 4533,
        "AAPL/20140605.csv.gz": 2353,
        "AAPL/20140606.csv.gz": 2181,
        "AAPL/20140609.csv.gz": 4361,
    }
    assert not any(report.has_duplicates for report in found.reports.values())
    own = {r["snapshot"]: r["spot"] for r in found.rows if r["contract"] == "AAPL"}
    assert len(own) == 6
    assert own["AAPL 2014-06-02T20:00:00"] == 633.4
    monthly = {
        r["expiration_date"]
        for r in found.rows
        if r["contract_expiration_date"] == date(2014, 6, 21)
    }
    assert monthly == {date(2014, 6, 20)}
    assert {len(r["contract"]) for r in found.rows} == {4, 21}
