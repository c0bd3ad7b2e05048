# SPDX-License-Identifier: Apache-2.0
"""SQL over HTTP: the engine's rows in every form, what may not be asked refused, ages told beside."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

SQL = "/api/v1/sql"
COUNT = "select symbol, count(*) as bars from eod group by symbol order by symbol"


def test_rows_come_with_types_generation_and_age(admin, daemon):
    answer = admin.post(SQL, json={"sql": COUNT})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["rows"] == [
        {"symbol": "AAA", "bars": 60},
        {"symbol": "BBB", "bars": 40},
        {"symbol": "C.C", "bars": 25},
    ]
    assert document["columns"] == [
        {"name": "symbol", "type": "VARCHAR"},
        {"name": "bars", "type": "BIGINT"},
    ]
    assert (document["row_count"], document["is_truncated"]) == (3, False)
    assert str(document["generation"]) == answer.headers["x-ttapi-generation"]
    assert set(document["ages_s"]) >= {"raw.metastock_bars"}
    assert float(answer.headers["x-ttapi-data-age-s"]) >= 0
    with daemon.served.published.reading() as held:
        assert held.number == document["generation"]


def test_the_same_rows_come_as_csv_and_arrow(admin):
    text = admin.post(SQL, json={"sql": COUNT}, headers={"accept": "text/csv"})
    assert list(csv.reader(io.StringIO(text.text))) == [["symbol", "bars"], ["AAA", "60"], ["BBB", "40"], ["C.C", "25"]]  # fmt: skip
    arrow = admin.post(SQL, json={"sql": COUNT}, headers={"accept": "application/vnd.apache.arrow.stream"})  # fmt: skip
    assert pa.ipc.open_stream(arrow.content).read_all().to_pydict() == {"symbol": ["AAA", "BBB", "C.C"], "bars": [60, 40, 25]}  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ("select ?::int + ? as n", [1, 2], [{"n": 3}]),
        ("select count(*) as n from eod where symbol = $symbol", {"symbol": "BBB"}, [{"n": 40}]),
        ("select '; drop table eod' as n", [], [{"n": "; drop table eod"}]),
        ("select 1 as n where false", [], []),
        ("select 9007199254740993 as n, 'NaN'::double as x", [], [{"n": 9007199254740993, "x": None}]),
    ],
)  # fmt: skip
def test_values_are_bound_and_told_as_the_engine_has_them(admin, sql, parameters, rows):
    assert admin.post(SQL, json={"sql": sql, "parameters": parameters}).json()["rows"] == rows


def test_a_column_without_a_type_is_of_type_null(admin):
    document = admin.post(SQL, json={"sql": "select null as n, [null] as l"}).json()
    assert document["columns"] == [{"name": "n", "type": "NULL"}, {"name": "l", "type": "NULL[]"}]  # fmt: skip
    assert document["rows"] == [{"n": None, "l": [None]}]


def test_an_answer_is_cut_where_asked_and_says_so(admin):
    document = admin.post(SQL, json={"sql": "select * from eod", "max_rows": 7}).json()
    assert (document["row_count"], document["is_truncated"], len(document["rows"])) == (7, True, 7)
    assert any("only the first 7 rows" in note for note in document["notes"])


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"sql": "select nothing from eod"}, 422, "nothing"),
        ({"sql": "selct 1"}, 422, "syntax"),
        ({"sql": "select 1; select 2"}, 422, "one"),
        ({"sql": "create table x as select 1"}, 422, "CREATE is not answered"),
        ({"sql": "copy eod to '/tmp/x.csv'"}, 422, "COPY is not answered"),
        ({"sql": "from read_text('/etc/passwd')"}, 422, "read_text"),
        ({"sql": ""}, 422, "sql"),
        ({"sql": "select 1", "max_rows": 0}, 422, "max_rows"),
        ({"sql": "select 1", "and": "more"}, 422, "and"),
        ({"sql": "select 1", "max_age": "soon"}, 422, "soon"),
        ({}, 422, "sql"),
        ({"sql": "select sum(a.range * b.range) from range(1000000) a, range(1000000) b", "timeout_s": 0.2}, 504, "0.2"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_problem_that_says_why(admin, is_problem, body, status, told):
    assert told.lower() in is_problem(admin.post(SQL, json=body), status).lower()
    assert admin.post(SQL, json={"sql": "select 1 as n"}).json()["rows"] == [{"n": 1}]


def test_private_relations_are_absent_for_those_who_may_not_see_them(daemon):
    answers = {}
    for role in ("viewer", "analyst", "operator", "admin"):
        with daemon.client(role) as client:
            answers[role] = client.post(SQL, json={"sql": "select count(*) as n from raw.tastytrade_accounts", "refresh": False})  # fmt: skip
    assert {role: one.status_code for role, one in answers.items()} == {"viewer": 422, "analyst": 422, "operator": 200, "admin": 200}  # fmt: skip
    assert "does not exist" in answers["viewer"].json()["detail"]


def test_a_viewers_query_refreshes_nothing_and_an_analysts_does(make_lab, run_daemon, tmp_path):
    lab = make_lab(tmp_path)
    lab.write_bars("NEW.csv", [(lab.now.date(), 10, 11, 9, 10)])
    with run_daemon(lab) as daemon:
        asked = {"sql": "select count(*) as n from eod where symbol = 'NEW'"}
        with daemon.client("viewer") as client:
            held = client.post(SQL, json=asked).json()
        with daemon.client("analyst") as client:
            left = client.post(SQL, json=asked | {"refresh": False}).json()
            fresh = client.post(SQL, json=asked).json()
    assert [one["rows"] for one in (held, left, fresh)] == [[{"n": 0}], [{"n": 0}], [{"n": 1}]]
    assert any("stale" in note for note in held["notes"])
