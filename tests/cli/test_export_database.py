# SPDX-License-Identifier: Apache-2.0
"""`ttapi export --database`: a file for somebody else, with nothing private in it."""

from __future__ import annotations

import duckdb
import pytest

from ttapi.store.shared_database import share_database

PLUGIN = """
import pyarrow as pa

from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

COLUMNS = (
    Column("account_number", "VARCHAR", "whose"),
    Column("symbol", "VARCHAR", "what"),
    Column("quantity", "DOUBLE", "shares"),
)


def resource(name, is_private):
    return Resource(
        name=name, table=f"broker_{name}", about="Rows of a broker.", columns=COLUMNS,
        grain=("account_number", "symbol"), keys=("symbol",), time_column=None, ttl="1d",
        is_private=is_private,
    )


class Broker:
    name = "broker"
    about = "A broker."
    version = "1"
    setting_names = ()
    sql_folder = None
    resources = (resource("positions", True), resource("listings", False))

    def missing_setting(self, resource, context):
        return None

    def survey(self, resource, context):
        return [Unit(f"{resource.name}-5WX00042")]

    def fetch(self, resource, requests, context):
        for request in requests:
            rows = pa.table({
                "account_number": ["5WX00042", "5WX00043"],
                "symbol": ["AAA", f"OF-{resource.name}"],
                "quantity": [10.0, 20.0],
                "unit": pa.array([0, 0], pa.int32()),
                "line": pa.array([1, 2], pa.int32()),
                "known_at": pa.array([None, None], pa.timestamp("us")),
            })
            rejects = pa.table(
                [pa.array([0], pa.int32()), pa.array([3], pa.int32()), ["odd"], ["5WX00044 of " + resource.name]],
                ["unit", "line", "reason", "text"],
            )
            yield Batch((UnitReport(request.unit, "h", 3, 2, 1),), rows, rejects)
"""
MODELS = {
    "views/holdings.sql": "select p.symbol::varchar as symbol -- what\nfrom raw.broker_positions as p",
    "views/holders.sql": "select h.symbol::varchar as symbol -- what\nfrom holdings as h",
    "views/listed.sql": "select l.symbol::varchar as symbol -- what\nfrom raw.broker_listings as l",
    "views/listed_by.sql": "select l.account_number::varchar as account -- whose\nfrom raw.broker_listings as l",
    "views/listed_twice.sql": "select l.account::varchar as account -- whose\nfrom listed_by as l",
}


@pytest.fixture(scope="module")
def once_loaded(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("broker"))
    (lab.home.sources / "broker.py").write_text(PLUGIN)
    for path, text in MODELS.items():
        lab.write_model(path, f"-- about: A test.\n-- kind: view\n{text}\n")
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,1000,0"])
    done = lab.ttapi("refresh")
    assert done.returncode == 0, done.stderr
    assert lab.rows("select count(*) from holders") == [(2,)]
    return lab


@pytest.fixture
def broker(once_loaded, tmp_path):
    return once_loaded.copied(tmp_path)


@pytest.fixture(scope="module")
def shared(once_loaded, tmp_path_factory):
    target = tmp_path_factory.mktemp("shared") / "shared.duckdb"
    done = once_loaded.ttapi("export", "--database", target)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(target), read_only=True) as connection:
        yield connection, done.stderr, target


def test_private_relations_and_all_that_read_them_stay_out(shared):
    connection, said, _ = shared
    names = {
        row[0]
        for row in connection.execute(
            "select table_name from duckdb_tables() union select view_name from duckdb_views()"
        ).fetchall()
    }
    assert names & {"broker_positions", "holdings", "holders", "listed_by", "listed_twice"} == set()
    assert {"broker_listings", "listed", "eod", "rejects"} <= names
    left = sorted(
        line.removeprefix("left out: ") for line in said.splitlines() if "left out" in line
    )
    bundled = ("accounts", "balances", "positions", "transactions")
    assert left == sorted([
        *(f"main.{name}" for name in bundled), *(f"raw.tastytrade_{name}" for name in bundled),
        "main.portfolio_risk", "main.position_greeks", "main.holders", "main.holdings", "main.listed_by", "main.listed_twice",
        "raw.broker_listings.account_number", "raw.broker_positions",
    ])  # fmt: skip


def test_no_cell_of_the_copy_tells_of_a_private_dataset(shared):
    connection, _, target = shared
    columns = connection.execute(
        "select c.schema_name, c.table_name, c.column_name from duckdb_columns() as c join duckdb_tables() as t"
        " using (table_oid) where c.data_type = 'VARCHAR' and not c.internal"
    ).fetchall()
    for schema, table, column in columns:
        query = f'select distinct "{column}" from "{schema}"."{table}"'
        cells = [str(row[0]) for row in connection.execute(query).fetchall()]
        assert [c for c in cells if "positions" in c or "holdings" in c] == [], (table, column)
    assert b"OF-positions" not in target.read_bytes()
    assert connection.execute("select symbol from listed order by all").fetchall() == [
        ("AAA",),
        ("OF-listings",),
    ]


def test_every_view_of_the_copy_can_be_read(shared):
    connection, _, target = shared
    views = connection.execute(
        "select schema_name, view_name from duckdb_views() where not internal"
    ).fetchall()
    assert len(views) > 15
    for schema, view in views:
        connection.execute(f'select * from "{schema}"."{view}" limit 1').fetchall()
    assert [path.name for path in target.parent.glob("shared*")] == ["shared.duckdb"]
    tags = connection.execute(
        "select tags['storage_version'] from duckdb_databases() where not internal"
    ).fetchall()
    assert tags == [("v1.2.0+",)]


def test_what_the_file_itself_declares_private_stays_out_too(broker):
    done = share_database(broker.home, broker.data / "shared.duckdb", ())
    assert {"raw.broker_positions", "main.holdings", "main.holders"} <= set(done.left_out)


def test_what_is_there_is_not_overwritten(broker):
    target = broker.data / "shared.duckdb"
    target.write_text("mine")
    done = broker.ttapi("export", "--database", target)
    assert (done.returncode, target.read_text()) == (2, "mine")
    done = broker.ttapi("export", "--database", broker.data / "no" / "folder.duckdb")
    assert done.returncode == 2
    assert "is no folder" in done.stderr
