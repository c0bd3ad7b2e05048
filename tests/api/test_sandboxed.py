# SPDX-License-Identifier: Apache-2.0
"""A home asked by people who are not trusted: fresh within a budget, ages told, nothing private, no path."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from ttapi.api import Freshness, SandboxedDatabase
from ttapi.errors import QueryError, StaleError, UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def asked(make_lab, tmp_path_factory):
    """A home whose one file of bars nobody has read yet; what is asked of it changes it."""
    lab = make_lab(tmp_path_factory.mktemp("asked"))
    lab.write_bars("SPY.csv", [(date(2024, 6, 12 + day), 10 + day, 12 + day, 9 + day, 11 + day) for day in range(3)])  # fmt: skip
    lab.home.sources.mkdir(exist_ok=True)
    shutil.copy(ROOT / "fixtures" / "plugins" / "keyed.py", lab.home.sources)
    (lab.data / "levels.csv").write_text("symbol,date,level\nSPY,2024-06-14,1\nQQQ,2024-06-14,2\n")
    lab.environ["TTAPI_KEYED_FOLDER"] = str(lab.data)
    return lab


@pytest.fixture(scope="module")
def database(asked):
    with SandboxedDatabase(asked.home, environ=asked.variables, spares=0) as one:
        yield one


def rows(found):
    return found.answer.table().to_pylist()


def test_without_leave_nothing_is_refreshed_and_it_is_told(database):
    found = database.sql("select count(*) as n from eod")
    assert rows(found) == [{"n": 0}]
    assert (found.ages["raw.metastock_bars"], found.ages_s["raw.metastock_bars"]) == ("never loaded", None)  # fmt: skip
    assert "answered from what is held: some of what it reads is stale" in found.notes


def test_a_refused_statement_refreshes_nothing(database, asked):
    before = asked.home.public_file.resolve()
    for sql in ("select * from eod, read_text('/etc/passwd')", "select 1; select * from eod"):
        with pytest.raises(QueryError):
            database.sql(sql, max_calls=100)
    assert asked.home.public_file.resolve() == before


def test_with_leave_what_it_reads_is_made_fresh_first(database):
    found = database.sql("select date, close from eod where symbol = ? order by date", ["SPY"], max_calls=100)  # fmt: skip
    assert [(row["date"].isoformat(), row["close"]) for row in rows(found)] == [("2024-06-12", 11), ("2024-06-13", 12), ("2024-06-14", 13)]  # fmt: skip
    assert found.ages["raw.metastock_bars"].endswith(" old")
    assert found.notes == ()


def test_a_refresh_that_takes_more_calls_than_it_may_is_left_out(database):
    levels = "select count(*) as n from raw.keyed_levels where symbol in ('SPY', 'QQQ')"
    found = database.sql(levels, max_calls=1)
    assert rows(found) == [{"n": 0}]
    assert "not refreshed: it would take 2 source calls of 1" in found.notes
    assert sum(part.calls for part in database.plan(levels)) == 2
    found = database.sql(levels, max_calls=2)
    assert (rows(found), found.notes) == ([{"n": 2}], ())


def test_older_data_than_asked_for_is_refused(database, asked):
    later = {**asked.variables, "TTAPI_NOW": (asked.now + timedelta(days=30)).isoformat()}
    with SandboxedDatabase(asked.home, environ=later, spares=0) as one, pytest.raises(StaleError):
        one.sql("select * from eod", freshness=Freshness(max_age="1d"))


def test_rows_that_are_left_out_are_told(database):
    few = replace(database.limits, max_rows=2)
    found = database.sql("select * from calendar", limits=few)
    assert "only the first 2 rows: there are more" in found.notes
    assert (found.answer.row_count, found.rows.is_cut) == (2, True)


def test_declared_instants_are_written_as_such(database):
    found = database.sql(
        "select open_utc from calendar where market = 'XNYS' and date = '2024-06-14'"
    )
    assert b"".join(found.rows.json_lines()) == b'{"open_utc": "2024-06-14T13:30:00Z"}\n'


@pytest.mark.parametrize(
    "sql", ["select * from accounts", "select * from raw.tastytrade_accounts", "select * from portfolio_risk"]
)  # fmt: skip
def test_what_is_private_is_neither_there_nor_asked_for(database, sql):
    for ask in (lambda: database.sql(sql, max_calls=100), lambda: database.plan(sql)):
        with pytest.raises(QueryError, match="does not exist"):
            ask()


def test_nothing_private_is_named(database):
    private = {"accounts", "positions", "raw.tastytrade_accounts", "portfolio_risk"}
    assert private & {one["relation"] for one in database.relations()} == set()
    assert private & {one.dataset for one in database.status()} == set()
    assert private & set(database.why("calendar", ["XNYS", "2024-06-14"]).downstream) == set()
    for ask in (lambda: database.why("accounts", ["x"]), lambda: database.refresh(["accounts"])):
        with pytest.raises(QueryError, match="Table with name accounts does not exist!"):
            ask()
    with pytest.raises(UsageError, match="no relation is called 'accounts'"):
        database.describe("accounts")


def test_who_may_see_what_is_private_does(asked):
    with SandboxedDatabase(asked.home, environ=asked.variables, is_private_hidden=False, spares=0) as one:  # fmt: skip
        assert rows(one.sql("select count(*) as n from accounts")) == [{"n": 0}]
        assert one.describe("accounts").kind == "view"


def test_a_relation_is_described_with_what_its_columns_mean(database):
    eod = database.describe("eod")
    assert (eod.name, eod.kind, eod.grain, eod.parameters) == ("eod", "view", "symbol, date", None)
    assert eod.about.startswith("Daily bars, unadjusted")
    assert eod.columns[0]["name"] == "symbol"
    assert all(column["comment"] for column in eod.columns)
    assert eod.freshness.dataset == "eod"


@pytest.mark.parametrize(
    ("name", "parameters", "first"), [("expirations", ["as_of", "root"], "root"), ("norm_cdf", ["x"], None)]
)  # fmt: skip
def test_a_macro_is_described_with_its_parameters(database, name, parameters, first):
    found = database.describe(name)
    assert (found.kind, found.parameters) == ("macro", parameters)
    assert next((column["name"] for column in found.columns), None) == first


def test_no_error_says_where_the_home_is(database, asked):
    for sql in ("select * from nowhere", f"from '{asked.home.live_file}'", "x" * 60_000):
        with pytest.raises(QueryError) as refusal:
            database.sql(sql, max_calls=10)
        assert str(asked.home.root) not in str(refusal.value)


def test_no_complaint_about_the_home_says_where_it_is(asked, tmp_path):
    lab = asked.copied(tmp_path)
    with SandboxedDatabase(lab.home, environ=lab.variables, spares=0) as one:
        lab.home.public_file.unlink()
        with pytest.raises(UsageError, match="<file> cannot be opened") as refusal:
            one.sql("select 1 as x")
        assert str(lab.home.root) not in str(refusal.value)
