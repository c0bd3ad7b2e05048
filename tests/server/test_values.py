# SPDX-License-Identifier: Apache-2.0
"""Every type in every format over HTTP: what arrives is what the engine's own cast to text shows."""

from __future__ import annotations

import csv
import io
import json
import math

import duckdb
import pyarrow as pa
import pytest
from values_by_type import NUMBERS, VALUES, column_of

SQL = "/api/v1/sql"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def answered(admin, sql, accept):
    answer = admin.post(SQL, json={"sql": sql, "refresh": False}, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("kind", VALUES)
def test_sql_over_http_answers_as_the_engine_writes_every_type(admin, engine, tmp_path, kind):
    sql = column_of(kind, VALUES[kind])
    truth = [row[0] for row in engine.sql(sql).project("v::varchar").fetchall()]

    found = [row["v"] for row in json.loads(answered(admin, sql, "application/json").text, parse_int=str, parse_float=str)["rows"]]  # fmt: skip
    if kind in NUMBERS:
        finite = [t if t is None or math.isfinite(float(t)) else None for t in truth]
        # The same number has two texts: 1e-7 and 1e-07.
        same = float if kind == "double" else str
        assert [None if t is None else same(t) for t in found] == [None if t is None else same(t) for t in finite]  # fmt: skip
    elif kind == "boolean":
        assert found == [True, None]
    elif kind not in NESTED:
        assert found == truth
    else:
        assert found == NESTED[kind]

    text = answered(admin, sql, "text/csv").text
    assert [row[0] if row else "" for row in csv.reader(io.StringIO(text, newline=""))] == ["v", *(t or "" for t in truth)]  # fmt: skip

    table = pa.ipc.open_stream(answered(admin, sql, ARROW).content).read_all()
    as_declared = "v::hugeint" if kind == "hugeint" else "v::hugeint[]" if kind == "hugeint[]" else "v"  # fmt: skip
    arrow = engine.from_arrow(table).project(f"({as_declared})::varchar").fetchall()
    assert [row[0] for row in arrow] == truth

    file = tmp_path / "v.parquet"
    file.write_bytes(answered(admin, sql, PARQUET).content)
    parquet = engine.read_parquet(str(file)).project("v::varchar").fetchall()
    assert [row[0] for row in parquet] == truth


NESTED = {
    "integer[]": [["1", None], [], None],
    "integer[2]": [["1", "2"], None],
    "double[]": [[None, "1.5"], None],
    "hugeint[]": [["-170141183460469231731687303715884105728"], None],
    "map(varchar, integer)": [{"k": "1"}, None],
    "json": [{"a": ["1", None]}, None],
    "struct(a integer, b struct(c varchar))": [{"a": "1", "b": {"c": "x"}}, None],
}
"""What JSON says of values that hold others; numbers as their digits."""
