# SPDX-License-Identifier: Apache-2.0
"""One golden file per format, nulls, instants, awkward text and a cut answer included."""

from __future__ import annotations

import gc
import io
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ttapi.formats.records import FORMATS
from ttapi.formats.text import DisplayStyle, count_text
from ttapi.store.rows import Rows

TABLE = pa.table(
    {
        "symbol": pa.array(["AAA", 'B"|,\n<b>', None, "日経\x1b[31m"]),
        "close": pa.array([1234567.5, None, float("nan"), -0.125]),
        "n": pa.array([1, -2_000_000, None, 4], pa.int64()),
        "date": pa.array([date(2024, 6, 14), None, None, date(2024, 6, 17)]),
        "known_at": pa.array(
            [datetime(2024, 6, 14, 20, 0), None, None, datetime(2024, 1, 2, 21, 0)],
            pa.timestamp("us"),
        ),
        "is_ok": pa.array([True, False, None, True]),
        "strike": pa.array([Decimal("1.50"), None, None, Decimal("2.25")], pa.decimal128(9, 2)),
        "legs": pa.array([[1, 2], [], None, [3]], pa.list_(pa.int32())),
    }
)
BINARY = {
    "parquet": lambda data: pq.read_table(io.BytesIO(data)),
    "arrow": lambda data: pa.ipc.open_stream(io.BytesIO(data)).read_all(),
}


def whole():
    """The rows of `TABLE`, `known_at` being declared an instant."""
    return Rows(TABLE, TABLE.num_rows).with_instants(frozenset({"known_at"}))


def written(name, page, look):
    buffer = io.BytesIO()
    remark = FORMATS[name].write(page, buffer, look)
    return buffer.getvalue(), remark


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_format_closes_a_stream_whose_reader_has_left(name):
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "wb")
    with pytest.raises(BrokenPipeError):
        FORMATS[name].write(Rows(TABLE, TABLE.num_rows), stream, DisplayStyle())
        stream.flush()
    gc.collect()
    assert not stream.closed
    # What is still in its buffer cannot be written anywhere else.
    with Path(os.devnull).open("wb") as nobody:
        os.dup2(nobody.fileno(), writing)
    stream.close()


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_is_as_its_golden_file(golden, name):
    data, remark = written(name, whole(), DisplayStyle(width=100))
    text = str(BINARY[name](data)) if name in BINARY else data.decode()
    golden(f"{name}.txt", text + (f"remark: {remark}\n" if remark else ""))


def test_binary_formats_hold_the_very_table():
    for name, read in BINARY.items():
        data, _ = written(name, Rows(TABLE, TABLE.num_rows), DisplayStyle())
        assert str(read(data).to_pylist()) == str(TABLE.to_pylist())


def test_null_header_separator_and_thousands_are_as_set():
    look = DisplayStyle(null="-", has_header=False, separator=";", thousands="_")
    table = TABLE.select(["symbol", "n", "close"]).slice(0, 2)
    assert (
        written("csv", Rows(table, 2), look)[0].decode()
        == 'AAA;1;1234567.5\n"B""|,\n<b>";-2000000;-\n'
    )
    assert written("table", Rows(table, 2), look)[0].decode().split() == [
        "AAA", "1", "1_234_567.5", 'B"|,\\n<b>', "-2_000_000", "-",
    ]  # fmt: skip


def test_a_cut_answer_shows_that_it_is_cut():
    page = Rows(pa.table({"n": pa.array([1, 2], pa.int64())}), 60_137)
    assert count_text(page) == "2 of 60,137 rows shown"
    assert written("duckbox", page, DisplayStyle())[0].decode().count("·") == 2
    assert (
        "<caption>2 of 60,137 rows shown</caption>"
        in written("html", page, DisplayStyle())[0].decode()
    )


@pytest.mark.parametrize("width", [20, 40, 80, 100, 200])
def test_duckbox_keeps_to_the_width_or_to_its_outer_columns(width):
    wide = pa.table({f"column_{n}": [n * 10**11] for n in range(20)})
    data, remark = written("duckbox", Rows(wide, 1), DisplayStyle(width=width))
    lines = data.decode().splitlines()
    shown = [head.strip() for head in lines[1].strip("│").split("│")]
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= max(width, 2 * 16 + 8)
    left_out = 20 - len([head for head in shown if head != "…"])
    assert remark == f"{20 - left_out} of 20 columns shown; .mode line shows all"
    # A number is whole or not there.
    assert {cell.strip() for cell in lines[4].strip("│").split("│")} - {"…"} <= {
        str(n * 10**11) for n in range(20)
    }


def test_an_empty_answer_has_its_heads_in_every_format():
    empty = Rows(TABLE.slice(0, 0), 0)
    for name in ("duckbox", "box", "table", "markdown", "csv", "html"):
        assert b"symbol" in written(name, empty, DisplayStyle(width=200))[0]
    assert written("json", empty, DisplayStyle())[0] == b"[]\n"
    assert (
        written("line", empty, DisplayStyle())[0]
        == written("jsonl", empty, DisplayStyle())[0]
        == b""
    )


def test_a_sheet_runs_no_cell():
    page = Rows(pa.table({"=a": ["=1+1", "@x", "-x", "fine"], "n": [-1, 2, 3, 4]}), 4)
    assert written("sheet", page, DisplayStyle())[0].decode("utf-8-sig") == (
        "'=a,n\n'=1+1,-1\n'@x,2\n'-x,3\nfine,4\n"
    )
