# SPDX-License-Identifier: Apache-2.0
"""What an open home offers beside SQL: planned, refreshed, told, explained and written to files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from ttapi.api import Database, ExportFiles, Freshness, RefreshRequest, operations, read_receipt
from ttapi.errors import QueryError, UsageError
from ttapi.home import Home
from ttapi.refresh import planner

BARS = [(date(2024, 6, 13), 10, 11, 9, 10), (date(2024, 6, 14), 10, 12, 10, 12)]


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    """One symbol, refreshed."""
    lab = make_lab(tmp_path_factory.mktemp("operations"))
    lab.write_bars("AAA.csv", BARS)
    lab.refresh("eod")
    return lab


@pytest.fixture
def market(once_made, tmp_path):
    return once_made.copied(tmp_path)


@pytest.fixture
def database(market):
    with Database(market.home, environ=market.variables) as database:
        yield database


def test_a_plan_names_what_a_refresh_then_does_and_nothing_is_left_to_do(market, database):
    market.write_bars("BBB.csv", BARS)
    asked = [step for step in database.plan("raw.metastock_bars") if step.action == "ask"]
    assert [(step.dataset, step.slices) for step in asked] == [("raw.metastock_bars", ("BBB.csv",))]
    outcome = database.refresh("raw.metastock_bars")
    assert [(d.dataset, d.rows_accepted) for d in outcome.datasets if d.rows_in] == [
        ("raw.metastock_bars", 2)
    ]
    assert [step for step in database.plan("raw.metastock_bars") if step.action == "ask"] == []


def test_status_of_one_dataset_is_one_row_and_of_a_wrong_one_what_was_meant(database):
    (row,) = database.status("metastock_bars").rows
    assert (row.dataset, row.verdict) == ("raw.metastock_bars", "fresh")
    with pytest.raises(UsageError, match="'metastock_bar' is no dataset") as refused:
        database.status("metastock_bar")
    assert "metastock_bars" in str(refused.value.hint)


def test_status_goes_on_where_the_default_list_names_nobody(market):
    environ = market.variables | {"TTAPI_UNIVERSE_DEFAULT": "nobodys_list"}
    with Database(market.home, environ=environ) as database:
        found = database.status()
    assert found.universe_error == "no universe is called 'nobodys_list'"
    assert "raw.metastock_bars" in [row.dataset for row in found.rows]


def test_calls_of_a_refresh_are_counted_by_the_state_the_last_one_left(market):
    request = RefreshRequest(targets=("raw.metastock_bars",), force=True)
    assert operations.count_calls(market.environment(), request) == 0


def test_calls_are_counted_over_all_steps_and_with_the_same_force(market, monkeypatch):
    def steps(*_, force, **__):
        return [SimpleNamespace(calls=3 if force else 1), SimpleNamespace(calls=4)]

    monkeypatch.setattr(planner, "plan_refresh", steps)
    requests = [
        RefreshRequest(targets=("raw.metastock_bars",), force=force) for force in (False, True)
    ]
    counted = [operations.count_calls(market.environment(), request) for request in requests]
    assert counted == [5, 7]


def test_members_of_a_list_are_added_to_the_symbols_that_were_named(market, monkeypatch):
    left = SimpleNamespace(home_state=None)
    monkeypatch.setattr(operations, "refresh", lambda *_, **__: left)
    for given, wanted in ((None, {"BBB", "CCC"}), (frozenset(["AAA"]), {"AAA", "BBB", "CCC"})):
        environment = market.environment(symbols=given)
        assert operations.add_members(environment, "BBB,CCC").symbols == wanted


def test_what_was_asked_of_the_network_is_told_of_the_home_and_of_no_dataset(market):
    account = {"requests": 1, "outcomes": {"200": 1}, "allowed_per_s": 60, "pace_per_s": 30.0}
    environment = market.environment()
    left = replace(environment.home_state, traffic={"vendor": account})
    environment = environment.after(left)
    assert operations.status(environment).traffic == {
        "vendor": "1 request (1 x 200), pace 30 of 60/s"
    }
    assert operations.status(environment, "eod").traffic == {}


def test_of_several_statements_the_one_with_rows_answers_else_the_last(database):
    texts = {
        "create temp table a as select 1 as n; create temp view b as from a": "CREATE",
        "create temp table c as select 1 as n; drop table c": "DROP",
        "create temp table d as select 1 as n; from d; drop table d": "SELECT",
    }
    assert [database.sql(text).statement.kind for text in texts] == list(texts.values())


def test_a_default_schema_lasts_until_another_is_set(database):
    seen = []
    for text in (
        "select 1 as n",
        "use staged",
        "select 1 as n",
        "set schema = 'raw'",
        "select 2 as n",
    ):
        database.sql(text)
        seen.append(database.request("select 1", Freshness()).schema)
    assert seen == ["main", "staged", "staged", "raw", "raw"]


def test_a_home_never_made_is_refused_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(UsageError, match="holds no ttapi database") as refused:
        operations.require_home(Home(tmp_path / "none"))
    assert refused.value.hint == f"ttapi --home {tmp_path / 'none'} init makes one"


def test_a_folder_of_files_is_noted_once_and_a_second_one_is_refused(market, monkeypatch):
    for name, value in market.variables.items():
        monkeypatch.setenv(name, value)
    folder = market.data / "own"
    folder.mkdir()
    for _ in range(2):
        operations.make_home(market.environment(), metastock=folder)
    noted = f'[sources.metastock]\npath = "{folder}"\n'
    assert market.home.settings_file.read_text().count(noted) == 1
    with pytest.raises(UsageError, match=r"has a \[sources.metastock\] section already"):
        operations.make_home(market.environment(), metastock=market.data)


def test_an_export_is_a_file_a_format_with_its_rows(market, tmp_path):
    files = ExportFiles(tmp_path / "out", "bars", ("parquet", "csv"))
    query = "select symbol, date, close from eod order by date"
    written = list(operations.export(market.home, query, files))
    out = tmp_path / "out"
    assert written == [(out / "bars.parquet", 2), (out / "bars.csv", 2)]
    assert pq.read_table(out / "bars.parquet").column("close").to_pylist() == [10.0, 12.0]
    assert (out / "bars.csv").read_text().splitlines() == [
        "symbol,date,close",
        "AAA,2024-06-13,10.0",
        "AAA,2024-06-14,12.0",
    ]


def test_an_export_of_a_name_that_is_wrong_tells_the_one_that_was_meant(market, tmp_path):
    files = ExportFiles(tmp_path, "bars", ("csv",))
    with pytest.raises(QueryError) as refused:
        list(operations.export(market.home, "select * from calender", files))
    assert refused.value.hint == "did you mean calendar?"


def test_a_receipt_is_of_one_select_and_is_proved_again(market, database, tmp_path):
    with pytest.raises(UsageError, match="a receipt is for one SELECT"):
        operations.provable_select(database, "select 1; select 2")
    sql = operations.provable_select(database, "select close from eod order by date;")
    # Cut to one row for a screen: the receipt is of the whole answer.
    (answer,) = database.answers(sql, keep_rows=1, freshness=Freshness(refresh=False))
    operations.leave_receipt(database, sql, answer, tmp_path / "receipt.json")
    receipt = read_receipt(tmp_path / "receipt.json")
    found = operations.replay(market.environment(), receipt)
    assert (receipt.rows, found.is_equal, found.rows) == (2, True, 2)


def test_an_open_home_explains_a_row_and_where_it_comes_from(database):
    found = database.why("eod", ["AAA", "2024-06-14"])
    assert [(call.unit, call.lines) for call in found.calls] == [("AAA.csv", [3])]
    graph = database.lineage()
    assert ("raw.metastock_bars", "close") in graph.roots(("eod", "close"))
    assert database.look_ahead("eod", "2024-06-13").early == 0


def test_the_published_file_answers_by_its_rows(market):
    with operations.published(market.home) as ask:
        assert ask("select count(*) from eod") == [(2,)]


@pytest.mark.parametrize(
    ("now", "is_open", "until"),
    [
        ("2024-06-14 13:29", False, "2024-06-14 13:30"),
        ("2024-06-14 13:30", True, "2024-06-14 20:00"),
        ("2024-06-14 19:59", True, "2024-06-14 20:00"),
        ("2024-06-14 20:00", False, "2024-06-17 13:30"),
        ("2024-07-03 16:59", True, "2024-07-03 17:00"),
        ("2024-07-03 17:00", False, "2024-07-05 13:30"),
    ],
)
def test_a_phase_of_the_market_begins_with_its_first_instant(now, is_open, until):
    phase = operations.market_phase(_utc(now))
    assert (phase.is_open, phase.until) == (is_open, _utc(until))


def test_a_session_is_over_with_its_close():
    assert operations.last_session(_utc("2024-06-17 19:59")) == date(2024, 6, 14)
    assert operations.last_session(_utc("2024-06-17 20:00")) == date(2024, 6, 17)


def _utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
