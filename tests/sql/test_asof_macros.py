# SPDX-License-Identifier: Apache-2.0
"""The `..._asof` macros: what was known later has no part in them."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from ttapi.home import Home
from ttapi.market.calendar import sessions
from ttapi.models.model import macro_parts

DAYS = [d for d in sessions("XNYS").dates if d.year == 2024 and sessions("XNYS").is_session(d)][:90]
T = datetime(2024, 5, 1, 22, tzinfo=UTC)
BEFORE = [day for day in DAYS if day <= T.date()]


def bars(days, base):
    return [(d, base, base + 9, base - 1, base + n % 5) for n, d in enumerate(days)]


@pytest.fixture(scope="module")
def market(template_home, lab_type, tmp_path_factory):
    """One symbol in two files that disagree; the first reaches further by T, the other since."""
    folder = tmp_path_factory.mktemp("asof")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder, now=T)
    lab.environ["TTAPI_METASTOCK_PATH"] = str(lab.metastock)
    lab.write_bars("AAA.csv", bars(BEFORE, 50))
    lab.write_bars("more/AAA.csv", bars(BEFORE[:-1], 70))
    lab.write_actions("AAA", [("20240306", "split", 2, ""), ("20240320", "dividend", "", 0.5)])
    # The same dividend, from a second file.
    shutil.copytree(lab.data / "actions", lab.data / "actions" / "more")
    lab.refresh()
    lab.then = {
        "eod": lab.rows("select * from eod order by date"),
        "returns_stddev": lab.rows(
            "select * from returns_stddev where root = 'EQUITY' order by expiration_date, settlement"
        ),
    }
    lab.write_bars("more/AAA.csv", bars(DAYS, 70))
    lab.now = T + timedelta(days=40)
    lab.refresh()
    return lab


def alike(rows):
    return [
        tuple(pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for v in row)
        for row in rows
    ]


@pytest.mark.parametrize("relation", ["eod", "returns_stddev"])
@pytest.mark.parametrize("as_of", ["2024-05-01", "2024-05-01 22:00:00", "2024-05-01 20:00:00"])
def test_a_macro_gives_what_the_relation_gave_then(market, relation, as_of):
    then = market.then[relation]
    found = market.rows(f"select * from {relation}_asof('{as_of}', 'aaa')")
    assert len(then) > 4
    assert found == alike(then)


def test_a_file_that_reaches_further_since_has_taken_its_place_since(market):
    assert market.rows("select min(close), max(date) from eod") == [(70.0, DAYS[-1])]
    assert market.rows("select min(close), max(date) from eod_asof('2024-05-01', 'AAA')") == [
        (50.0, date(2024, 5, 1))
    ]


def test_one_action_in_two_files_counts_once(market):
    assert market.rows("select count(*) from raw.corporate_actions where replaced_at is null") == [
        (4,)
    ]
    assert market.rows("select count(*) from corporate_actions") == [(2,)]


def test_rows_known_later_change_no_macro(market, tmp_path):
    file = tmp_path / "poisoned.duckdb"
    shutil.copy(market.home.public_file, file)
    file.chmod(0o600)
    calls = {
        model.stem: f"select * from {model.stem}({', '.join(_given(macro_parts(model)))}) as v order by all"
        for model in market.environment().graph.models.values()
        if model.schema == "main" and model.kind == "macro" and model.stem.endswith("_asof")
    }
    assert {"eod_asof", "returns_stddev_asof"} <= set(calls)
    with duckdb.connect(file) as connection:
        before = {name: connection.execute(sql).fetchall() for name, sql in calls.items()}
        for (table,) in connection.execute(
            "select table_name from duckdb_columns() where schema_name = 'raw' and column_name = 'known_at'"
        ).fetchall():
            _poison(connection, table)
        assert {name: connection.execute(sql).fetchall() for name, sql in calls.items()} == before


def _given(macro):
    return [
        "timestamp '2024-05-01 22:00:00'" if p == "as_of" else "'AAA'" for p in macro.parameters
    ]


def _poison(connection, table):
    """Every row once more, with other numbers, known and current since a second after T; but for
    what is known by rule or by setting."""
    if table in {"calendar_days", "listing_horizons", "price_basis"}:
        return
    numbers = [
        name
        for (name,) in connection.execute(
            "select column_name from duckdb_columns() where schema_name = 'raw' and table_name = ?"
            " and data_type = 'DOUBLE'",
            [table],
        ).fetchall()
    ]
    changed = "".join(f", {name} * 10 as {name}" for name in numbers)
    later = "timestamp '2024-05-01 22:00:01'"
    connection.execute(
        f"insert into raw.{table} select * replace ({later} as known_at, true as is_current{changed})"
        f" from raw.{table}"
    )
    connection.execute(f"update raw.{table} set replaced_at = {later} where known_at < {later}")
