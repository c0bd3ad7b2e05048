# SPDX-License-Identifier: Apache-2.0
"""One answer per output format, nulls, instants and awkward text included."""

from __future__ import annotations

import io
import json
from datetime import date, datetime

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from ttapi.cli.output import FORMATS, TABLE_ROWS, write_result
from ttapi.errors import UsageError

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
        write.remark = write_result(table, fmt, target, zone="America/New_York")
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
        ",,,,,\n"
    )  # fmt: skip
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    assert (
        pyarrow.csv.read_csv(written("csv"), parse_options=options).column("symbol").to_pylist()[1]
        == 'B"|,\n'
    )


def test_table_shows_instants_in_the_display_zone_named_in_the_head(written):
    lines = written("table").read_text().splitlines()
    assert lines[0].split() == [
        "symbol",
        "close",
        "n",
        "date",
        "known_at",
        "(America/New_York)",
        "is_ok",
    ]
    assert "2024-06-14 16:00:00" in lines[2]
    assert all(line == line.rstrip() for line in lines)
    assert len(lines) == 5


def test_markdown_escapes_bars(written):
    lines = written("markdown").read_text().splitlines()
    assert lines[0] == "| symbol | close | n | date | known_at (America/New_York) | is_ok |"
    assert lines[2] == "| AAA | 1.5 | 1 | 2024-06-14 | 2024-06-14 16:00:00 | True |"
    assert '| B"\\|,\\n |' in lines[3]


def test_parquet_and_arrow_hold_the_table(written):
    assert pq.read_table(written("parquet")).equals(TABLE) or str(
        pq.read_table(written("parquet"))
    ) == str(TABLE)
    with pa.ipc.open_stream(io.BytesIO(written("arrow").read_bytes())) as reader:
        assert str(reader.read_all()) == str(TABLE)


def test_a_long_table_says_that_it_is_cut(written):
    long = pa.table({"n": pa.array(range(TABLE_ROWS + 5))})
    lines = written("table", long).read_text().splitlines()
    assert len(lines) == TABLE_ROWS + 2
    assert written.remark == "1,000 of 1,005 rows shown; --format csv writes all"
    assert len(written("csv", long).read_text().splitlines()) == TABLE_ROWS + 6
    assert written.remark is None


def test_an_unknown_format_and_an_unwritable_target_are_usage_errors(tmp_path):
    with pytest.raises(UsageError, match="'xml' is no format"):
        write_result(TABLE, "xml", None, zone="UTC")
    with pytest.raises(UsageError, match="cannot be written"):
        write_result(TABLE, "csv", tmp_path / "none" / "x.csv", zone="UTC")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    target = tmp_path / "x.csv"
    target.write_text("old")

    def broken(table, stream, zone):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    formats = {**FORMATS, "broken": (broken, False)}
    monkeypatch.setattr("ttapi.cli.output.FORMATS", formats)
    from ttapi.errors import DiskFullError

    with pytest.raises(DiskFullError, match="No space left"):
        write_result(TABLE, "broken", target, zone="UTC")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
