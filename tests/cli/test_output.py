# SPDX-License-Identifier: Apache-2.0
"""Answers written to files and to standard output: whole or not at all."""

from __future__ import annotations

import json
from datetime import date, datetime

import pyarrow as pa
import pyarrow.csv
import pytest

from ttapi.errors import DiskFullError, UsageError
from ttapi.formats.records import FORMATS, Format, format_named, write_result
from ttapi.formats.text import DisplayStyle
from ttapi.store.rows import Rows

TABLE = pa.table(
    {
        "symbol": pa.array(["AAA", 'B"|,\n', None]),
        "close": pa.array([1.5, None, float("nan")]),
        "n": pa.array([1, -2, None], pa.int64()),
        "date": pa.array([date(2024, 6, 14), None, None]),
        "known_at": pa.array([datetime(2024, 6, 14, 20, 0), None, None], pa.timestamp("us")),
        "is_ok": pa.array([True, False, None]),
    }
)
ROW = {
    "symbol": "AAA",
    "close": 1.5,
    "n": 1,
    "date": "2024-06-14",
    "known_at": "2024-06-14T20:00:00Z",
    "is_ok": True,
}
NULLS = dict.fromkeys(ROW)


@pytest.fixture
def written(tmp_path):
    def write(fmt, table=TABLE):
        target = tmp_path / f"out.{fmt}"
        rows = Rows(table, table.num_rows).with_instants(frozenset({"known_at"}))
        write_result(rows, fmt, target, DisplayStyle())
        return target

    return write


def test_json_is_one_array_of_objects(written):
    assert json.loads(written("json").read_text()) == [
        ROW,
        {**NULLS, "symbol": 'B"|,\n', "n": -2, "is_ok": False},
        NULLS,
    ]
    assert json.loads(written("json", TABLE.slice(0, 0)).read_text()) == []


def test_jsonl_is_one_object_a_line(written):
    lines = written("jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        ROW,
        {**NULLS, "symbol": 'B"|,\n', "n": -2, "is_ok": False},
        NULLS,
    ]


def test_csv_is_read_back_by_a_second_parser(written):
    assert written("csv").read_text() == (
        "symbol,close,n,date,known_at,is_ok\n"
        "AAA,1.5,1,2024-06-14,2024-06-14T20:00:00Z,true\n"
        '"B""|,\n",,-2,,,false\n'
        ",nan,,,,\n"
    )
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.read_csv(written("csv"), parse_options=options)
    assert read.column("symbol").to_pylist()[1] == 'B"|,\n'


def test_formats_have_the_names_people_know(tmp_path):
    assert (format_named("jsonlines"), format_named("md")) == ("jsonl", "markdown")
    assert format_named("auto") == "csv"
    with pytest.raises(UsageError, match="'xml' is no format"):
        format_named("xml")
    with pytest.raises(UsageError, match="cannot be written"):
        write_result(Rows(TABLE, 3), "csv", tmp_path / "none" / "x.csv", DisplayStyle())


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "x.csv"
    target.write_text("old")

    def broken(page, stream, look):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, "broken", Format(broken, "breaks"))
    with pytest.raises(DiskFullError, match="No space left"):
        write_result(Rows(TABLE, 3), "broken", target, DisplayStyle())
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
