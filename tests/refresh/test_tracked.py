# SPDX-License-Identifier: Apache-2.0
"""Snapshots are wanted by their symbol and handed on one by one: what was computed of the others stands."""

from __future__ import annotations

import pytest

KEYS = "select distinct key from catalog.changed_keys where dataset = '{}' and load_id = (select max(load_id) from catalog.loads)"


@pytest.fixture
def written(lab):
    """A table by snapshot over two days of AAA and one of BBB, nothing of it loaded."""
    lab.environ["TTAPI_FILES_OPTION_QUOTES_PATH"] = str(lab.data / "chains")
    for symbol, day in (("AAA", "20240611"), ("AAA", "20240612"), ("BBB", "20240611")):
        write(lab, symbol, day, "1,2")
    lab.write_model(
        "derived/mids.sql",
        "-- kind: table\n-- grain: snapshot, contract\n-- incremental: snapshot\n"
        "select q.symbol, q.snapshot, q.contract, (q.bid + q.ask) / 2 as mid\n"
        "from raw.option_quotes as q where q.is_current and q.strike is not null",
    )
    return lab


@pytest.fixture
def quoted(written):
    """The same, loaded."""
    assert written.refresh("derived.mids").exit_code == 0
    return written


def write(lab, symbol, day, prices):
    file = lab.data / "chains" / symbol / f"{day}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"expiry,strike,right,bid,ask\n20240621,100,C,{prices}\n")


def mids(lab):
    return lab.rows("select snapshot, mid from derived.mids order by snapshot")


def test_a_new_snapshot_and_a_corrected_one_are_all_that_is_computed(quoted):
    whole = mids(quoted)
    assert whole == [
        ("AAA 2024-06-11T20:00:00", 1.5),
        ("AAA 2024-06-12T20:00:00", 1.5),
        ("BBB 2024-06-11T20:00:00", 1.5),
    ]
    write(quoted, "AAA", "20240613", "3,4")
    write(quoted, "BBB", "20240611", "5,6")
    quoted.refresh("derived.mids")
    told = [("AAA 2024-06-13T20:00:00",), ("BBB 2024-06-11T20:00:00",)]
    for dataset in ("raw.option_quotes", "derived.mids"):
        assert sorted(quoted.rows(KEYS.format(dataset))) == told
    assert mids(quoted) == [
        *whole[:2],
        ("AAA 2024-06-13T20:00:00", 3.5),
        ("BBB 2024-06-11T20:00:00", 5.5),
    ]


def test_a_query_for_a_symbol_reads_that_symbols_files(written):
    for symbol, rows, slices in (("AAA", "2", 2), ("AAA", "2", 0), ("BBB", "1", 1)):
        sql = f"select count(*) from derived.mids where symbol = '{symbol}'"
        done = written.ttapi("sql", "--format", "csv", sql)
        told = f"fetched {slices} slice" if slices else "0 calls"
        assert (done.stdout.splitlines()[1:], told in done.stderr) == ([rows], True), done.stderr
