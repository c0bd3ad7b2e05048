# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import resource

import duckdb
import pytest
from store_samples import in_child

from ttapi.errors import DiskFullError, QueryError, UsageError
from ttapi.store import ExportRequest, export_changed, export_query, export_target
from ttapi.store.publish import publish

CELLS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", "", None, "'=x"]


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def test_parquet_and_csv_hold_the_answer(connection, tmp_path):
    for name in ("parquet", "csv"):
        target = tmp_path / f"t.{name}"
        rows = export_query(
            connection,
            "select range as a, 'x' as b from range(3) /* é; */; -- a;\n ; ",
            target,
            name,
        )
        assert rows == 3
        assert connection.execute(f"select * from '{target}'").fetchall() == [
            (0, "x"),
            (1, "x"),
            (2, "x"),
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.parquet"]


def test_a_second_export_replaces_the_first_whole(connection, tmp_path):
    target = tmp_path / "t.csv"
    export_query(connection, "select range as a from range(100)", target, "csv")
    export_query(connection, "select 1 as a", target, "csv")
    assert target.read_text() == "a\n1\n"


def test_formula_cells_get_an_apostrophe_and_numbers_do_not(connection, tmp_path):
    connection.execute("create table t (n integer, v varchar)")
    for number, cell in enumerate(CELLS):
        connection.execute("insert into t values (?, ?)", [-number, cell])
    target = tmp_path / "t.csv"
    export_query(connection, "select * from t order by n desc", target, "csv", is_formula_safe=True)
    with target.open(newline="") as stream:
        read = list(csv.reader(stream))[1:]
    assert [row[0] for row in read] == [str(-n) for n in range(len(CELLS))]
    assert [row[1] for row in read] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "plain", "", "", "'=x",
    ]  # fmt: skip


def test_partitions_replace_the_whole_folder(connection, tmp_path):
    target = tmp_path / "bars"
    query = "select * from (values ('A', 1), ('B', 2)) as t(symbol, close)"
    export_query(connection, query, target, "parquet", partition_by=["symbol"])
    export_query(
        connection, f"{query} where symbol = 'A'", target, "parquet", partition_by=["symbol"]
    )
    assert sorted(path.name for path in target.iterdir()) == ["symbol=A"]
    assert connection.execute(f"select symbol, close from '{target}/**/*.parquet'").fetchall() == [
        ("A", 1)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["bars"]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("create table x (a integer)", UsageError),
        ("select 1; select 2", UsageError),
        ("", UsageError),
        ("select nonsense", QueryError),
        ("selec", QueryError),
        ("select 1) to '/dev/null' (format csv); --", QueryError),
    ],
)
def test_what_is_no_single_query_is_refused_and_leaves_no_file(connection, tmp_path, sql, kind):
    with pytest.raises(kind):
        export_query(connection, sql, tmp_path / "t.csv", "csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".hidden", "a..b", "x\0", "a\\b", "x.tmp-1", "a b"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UsageError):
        export_target(tmp_path, name, "csv")


def test_a_good_name_stays_in_its_folder(tmp_path):
    assert export_target(tmp_path, "staged.eod", "parquet") == tmp_path / "staged.eod.parquet"


def test_only_parquet_is_partitioned(connection, tmp_path):
    with pytest.raises(UsageError, match="only Parquet"):
        export_query(connection, "select 1 as a", tmp_path / "t", "csv", partition_by=["a"])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_full_disk_leaves_the_older_file_and_nothing_half_written(tmp_path, kind):
    target = tmp_path / f"t.{kind}"
    target.write_text("older")

    def fill():
        connection = duckdb.connect()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            export_query(connection, "select hash(range) as a from range(300000)", target, kind)
        except DiskFullError:
            return "refused"
        return "written"

    assert in_child(fill) == ["ok", "refused"]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        (target.name, "older")
    ]


def test_changed_datasets_are_written_from_the_published_file(fresh_store, home):
    with fresh_store.transaction() as cursor:
        cursor.execute("create table raw.t as select 1 as a")
        cursor.execute("create view main.v as select a from raw.t")
    publish(fresh_store)
    outcomes = export_changed(
        home,
        [
            ExportRequest("raw.t", "parquet"),
            ExportRequest("v", "csv"),
            ExportRequest("absent", "csv"),
            ExportRequest("../evil", "csv"),
        ],
    )
    assert [(o.relation, o.rows) for o in outcomes] == [
        ("raw.t", 1),
        ("v", 1),
        ("absent", None),
        ("../evil", None),
    ]
    assert "absent does not exist" in outcomes[2].error
    assert "names no relation" in outcomes[3].error
    assert sorted(path.name for path in home.exports.iterdir()) == ["raw.t.parquet", "v.csv"]
    assert (home.exports / "v.csv").read_text() == "a\n1\n"


def test_a_failed_child_is_an_outcome_not_an_exception(home):
    outcomes = export_changed(home, [ExportRequest("t", "csv")])
    assert [(o.rows, "ended with code" in o.error) for o in outcomes] == [(None, True)]
    assert export_changed(home, []) == ()
