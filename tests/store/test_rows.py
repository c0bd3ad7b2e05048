# SPDX-License-Identifier: Apache-2.0
"""Every type in every format: what is shown and written is what the engine's own cast to text shows."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_by_type import NUMBERS, VALUES, column_of

from ttapi.formats.records import FORMATS
from ttapi.formats.text import DisplayStyle, notebook_html, prompt_text
from ttapi.store.reader import _fetched
from ttapi.store.rows import Rows, columns_of, with_arrow_types

ZONE = "Asia/Kolkata"
PEOPLE = ("table", "duckbox", "box", "markdown", "line", "html")


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as con:
        con.execute(f"set timezone = '{ZONE}'")
        yield con


def answered(engine, sql, keep_rows=None):
    """The rows of `sql`, as a session has them, and what the engine's cast to text shows of them."""
    relation = engine.sql(sql)
    columns = columns_of(relation)
    table, total = _fetched(with_arrow_types(relation, columns), keep_rows)
    rows = Rows(table.rename_columns([c.name for c in columns]), total, columns, engine)
    truth = [row[0] for row in relation.project("#1::varchar").fetchall()]
    return rows, truth


def written(name, rows):
    buffer = io.BytesIO()
    remark = FORMATS[name].write(rows, buffer, DisplayStyle())
    return buffer.getvalue(), remark


def shown_by(name, data):
    """The cells of the one column that `data` holds."""
    text = data.decode()
    if name == "html":
        return re.findall(r"<td[^>]*>(.*?)</td>", text)
    lines = text.splitlines()
    if name == "line":
        return [line.partition("= ")[2] for line in lines if line]
    body = {"table": lines[2:], "markdown": lines[2:], "box": lines[3:-1], "duckbox": lines[4:-1]}
    return [line.strip("│| ") for line in body[name]]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", PEOPLE)
def test_people_are_shown_what_the_engine_shows(engine, name, kind):
    rows, truth = answered(engine, column_of(kind, VALUES[kind]))
    null = "NULL" if name in {"box", "duckbox"} else ""
    wanted = [null if text is None else text.replace("\n", "\\n").strip() for text in truth]
    found = [cell.replace("\\|", "|").strip() for cell in shown_by(name, written(name, rows)[0])]
    if name == "html":
        wanted = [text.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#x27;") for text in wanted]  # fmt: skip
    if name != "line":
        assert found == wanted
    else:
        # A value that shows nothing leaves its line without one.
        assert [cell for cell in found if cell] == [text for text in wanted if text]


@pytest.mark.parametrize("kind", VALUES)
def test_csv_holds_what_the_engine_shows_and_tells_no_value_from_no_text(engine, tmp_path, kind):
    # Of one column alone a line without a value is blank, which the engine's own reader passes over.
    rows, truth = answered(engine, f"select v, 1 as n from ({column_of(kind, VALUES[kind])})")
    file = tmp_path / "v.csv"
    file.write_bytes(written("csv", rows)[0])
    with file.open(newline="") as stream:
        assert [row[0] for row in csv.reader(stream)][1:] == [text or "" for text in truth]
    options = "header = true, columns = {'v': 'varchar', 'n': 'int'}, sep = ',', allow_quoted_nulls = false"
    read = engine.sql(f"from read_csv('{file}', {options})").fetchall()
    assert [row[0] for row in read] == truth


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("name", ["json", "jsonl"])
def test_json_holds_digits_as_they_are_and_the_engines_text_of_the_rest(engine, name, kind):
    rows, truth = answered(engine, column_of(kind, VALUES[kind]))
    data, remark = written(name, rows)
    lines = data.decode().strip("[]\n").split("\n")
    cells = [line.removesuffix(",").removeprefix('{"v": ').removesuffix("}") for line in lines]
    is_nonfinite = any(text and ("nan" in text or text.lstrip("-") == "inf") for text in truth)
    assert (remark is not None) == (is_nonfinite and kind in {"float", "double", "double[]"})
    nested = {
        "integer[]": ["[1, null]", "[]", "null"], "integer[2]": ["[1, 2]", "null"], "double[]": ["[null, 1.5]", "null"],
        "hugeint[]": ["[-170141183460469231731687303715884105728]", "null"],
        "map(varchar, integer)": ['{"k": 1}', "null"], "json": ['{"a": [1, null]}', "null"],
        "struct(a integer, b struct(c varchar))": ['{"a": 1, "b": {"c": "x"}}', "null"],
    }  # fmt: skip
    if kind in nested:
        assert cells == nested[kind]
    elif kind in NUMBERS:
        assert cells == ["null" if t is None or not math.isfinite(float(t)) else t for t in truth]
    elif kind == "boolean":
        assert cells == ["true", "null"]
    else:
        assert [json.loads(cell) for cell in cells] == truth


@pytest.mark.parametrize("kind", VALUES)
def test_parquet_and_arrow_bring_back_every_value(engine, tmp_path, kind):
    rows, truth = answered(engine, column_of(kind, VALUES[kind]))
    data, remark = written("parquet", rows)
    file = tmp_path / "v.parquet"
    file.write_bytes(data)
    parquet = engine.read_parquet(str(file)).project("v::varchar").fetchall()
    assert [row[0] for row in parquet] == truth
    stream, _ = written("arrow", rows)
    table = pa.ipc.open_stream(stream).read_all()
    source = "v::hugeint" if kind == "hugeint" else "v::hugeint[]" if kind == "hugeint[]" else "v"
    arrow = engine.from_arrow(table).project(f"({source})::varchar").fetchall()
    assert [row[0] for row in arrow] == truth
    is_kept = not pa.types.is_string(pq.read_schema(file).field("v").type)
    is_text = rows.columns[0].type.id in {"varchar", "json", "enum"}
    assert (remark is None) == (is_kept or is_text)


@pytest.mark.parametrize("name", [*PEOPLE, "csv", "jsonl"])
def test_a_tuple_is_shown_as_the_engine_shows_it(engine, name):
    rows, truth = answered(engine, "select row(1, 'x') as v")
    assert truth == ["(1, x)"]
    assert "(1, x)" in written(name, rows)[0].decode()


def test_an_answer_that_outlives_its_session_is_shown_all_the_same():
    with duckdb.connect() as con:
        rows, _ = answered(con, "select 1::hugeint as a, interval '1 month' as b")
    assert rows.texts("UTC") == [["1", "1 month"]]


def test_names_that_repeat_are_numbered_as_the_engine_does(engine):
    sql = "select 1 as a, 2 as a, 3 as a_1, 4 as a, 5 as B, 6 as A"
    rows, _ = answered(engine, sql)
    assert rows.unique_names == engine.sql(f"select * from ({sql})").columns
    assert rows.unique_names == ["a", "a_1", "a_1_1", "a_2", "B", "A_3"]
    assert written("csv", rows)[0] == b"a,a,a_1,a,B,A\n1,2,3,4,5,6\n"
    assert written("jsonl", rows)[0] == (
        b'{"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4, "B": 5, "A_3": 6}\n'
    )
    assert rows.frame_table().column_names == rows.unique_names


def test_a_frame_takes_an_interval_for_a_duration_unless_it_has_months(engine):
    rows, _ = answered(
        engine, "select unnest([interval '3 days', interval '-1 second', null]) as gap"
    )
    assert rows.frame_table().column("gap").cast(pa.int64()).to_pylist() == [259_200_000_000, -1_000_000, None]  # fmt: skip
    rows, _ = answered(engine, "select unnest([interval '3 days', interval '1 month']) as gap")
    assert rows.frame_table().column("gap").to_pylist() == ["3 days", "1 month"]


def test_a_type_without_a_counterpart_is_told(engine):
    rows, _ = answered(engine, "select interval '1 day' as gap, 2::uhugeint as n, 'x' as s")
    assert written("parquet", rows)[1] == "gap, n are text: Parquet has no such type"
    assert written("arrow", rows)[1] == "gap, n are text: Arrow has no such type"
    assert prompt_text(rows, "UTC").splitlines()[2].split() == ["│", "interval", "│", "uhugeint", "│", "varchar", "│"]  # fmt: skip
    assert "<td>1 day</td>" in notebook_html(rows, "UTC")
    rows, _ = answered(engine, "select uuid() as u, row(1, 'x') as pair, [uuid()] as several")
    assert written("parquet", rows)[1] == "u, pair, several are text: Parquet has no such type"
    assert written("arrow", rows)[1] == "pair is text: Arrow has no such type"
    rows, _ = answered(engine, f"select (-{2**127 - 1})::hugeint - 1 as least, 5::hugeint as few")
    assert written("arrow", rows)[1] == "least is text: Arrow has no such type"


def test_many_rows_stay_in_order_and_a_cut_answer_counts_them_all(engine):
    rows, truth = answered(engine, "from range(300_001)")
    assert written("csv", rows)[0].decode().splitlines() == ["range", *truth]
    assert [json.loads(line)["range"] for line in written("jsonl", rows)[0].splitlines()] == list(range(300_001))  # fmt: skip
    cut, _ = answered(engine, "from range(300_001)", keep_rows=3)
    assert (cut.total, cut.texts("UTC")) == (300_001, [["0"], ["1"], ["2"]])


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(
    st.lists(st.tuples(TEXTS | st.none(), st.floats() | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none()), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t", "|", "e", "-"]),
    st.sampled_from(["", "NULL", "x"]),
)  # fmt: skip
def test_whatever_a_row_holds_csv_and_json_give_it_back(drawn, separator, null):
    table = pa.table({
        "s": pa.array([row[0] for row in drawn], pa.string()),
        "f": pa.array([row[1] for row in drawn], pa.float64()),
        "n": pa.array([row[2] for row in drawn], pa.int64()),
    })  # fmt: skip
    rows = Rows(table, len(drawn))
    buffer = io.BytesIO()
    FORMATS["csv"].write(rows, buffer, DisplayStyle(separator=separator, null=null))
    read = list(csv.reader(io.StringIO(buffer.getvalue().decode(), newline=""), delimiter=separator))  # fmt: skip
    for cells, (text, number, count) in zip(read[1:], drawn, strict=True):
        assert cells[0] == (null if text is None else text)
        assert cells[2] == (null if count is None else str(count))
        if number is None:
            assert cells[1] == null
        else:
            assert float(cells[1]) == number or math.isnan(number)
    held = [json.loads(line) for line in written("jsonl", rows)[0].split(b"\n")[:-1]]
    finite = [row[1] if row[1] is not None and math.isfinite(row[1]) else None for row in drawn]
    assert [(one["s"], one["f"], one["n"]) for one in held] == [
        (row[0], number, row[2]) for row, number in zip(drawn, finite, strict=True)
    ]
