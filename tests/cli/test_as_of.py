# SPDX-License-Identifier: Apache-2.0
"""`ttapi sql --as-of T` and `ttapi lookahead` as a user runs them."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest

from ttapi.api import Database
from ttapi.errors import UsageError

DAYS = [date(2024, 6, day) for day in (10, 11, 12, 13)]
CORRECTED = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def loaded(make_lab, tmp_path_factory):
    """One symbol of four bars, the second corrected today, and two views of the user's own."""
    lab = make_lab(tmp_path_factory.mktemp("corrected"))
    rows = [(day, 10, 12, 9, 10 + n) for n, day in enumerate(DAYS)]
    lab.write_bars("AAA.csv", rows)
    lab.write_model(
        "views/tomorrow.sql",
        "-- grain: symbol, date\nselect\n    e.symbol,\n    e.date,\n"
        "    lead(e.close) over (partition by e.symbol order by e.date) as next_close -- USD\nfrom eod e\n",
    )
    lab.write_model(
        "views/so_far.sql",
        "-- grain: symbol, date\nselect\n    e.symbol,\n    e.date,\n"
        "    max(e.high) over (partition by e.symbol order by e.date) as highest -- USD\nfrom eod e\n",
    )
    lab.now = CORRECTED - timedelta(hours=1)
    lab.refresh()
    rows[1] = (DAYS[1], 10, 12, 9, 11.5)
    lab.write_bars("AAA.csv", rows)
    lab.now = CORRECTED
    lab.refresh()
    return lab


@pytest.fixture
def market(loaded, tmp_path):
    return loaded.copied(tmp_path)


def ask(lab, sql, as_of, *options):
    return lab.ttapi("sql", sql, "--as-of", as_of, "--csv", "--no-header", *options)


@pytest.mark.parametrize(
    ("as_of", "rows"),
    [
        ("2024-06-11", "2024-06-10,10.0\n2024-06-11,11.0\n"),
        ("2024-06-11T20:00", "2024-06-10,10.0\n2024-06-11,11.0\n"),
        ("2024-06-11T16:00-04:00", "2024-06-10,10.0\n2024-06-11,11.0\n"),
        ("2024-06-11 19:59:59Z", "2024-06-10,10.0\n"),
        ("2024-06-11T00:00", "2024-06-10,10.0\n"),
        ("2024-06-09", ""),
        ("2024-06-14T22:00", "2024-06-10,10.0\n2024-06-11,11.5\n2024-06-12,12.0\n2024-06-13,13.0\n"),
        ("2024-06-14T21:59:59", "2024-06-10,10.0\n2024-06-11,11.0\n2024-06-12,12.0\n2024-06-13,13.0\n"),
    ],
)  # fmt: skip
def test_rows_are_those_known_then(market, as_of, rows):
    done = ask(market, "select date, close from eod where symbol = 'AAA' order by date", as_of)
    assert (done.returncode, done.stdout) == (0, rows), done.stderr
    assert ": eod -> eod_asof\n-- 0 calls, " in done.stderr


def test_a_view_of_ones_own_and_several_statements_are_read_by_definition(market):
    text = ".mode csv\nselect max(next_close) as m from tomorrow;\nselect count(*) as n from calendar where market = 'CFE' and date = '2024-06-12';\n"
    file = market.data / "two.sql"
    file.write_text(text)
    done = market.ttapi("sql", "--as-of", "2024-06-12", "-f", file, "--csv")
    assert (done.returncode, done.stdout) == (0, "m\n12.0\nn\n1\n"), done.stderr
    head = "-- as of 2024-06-12 (until midnight UTC): "
    told = [line for line in done.stderr.splitlines() if line.startswith(head)]
    assert told == [f"{head}tomorrow -> its definition", f"{head}calendar as it is"]


@pytest.mark.parametrize("relation", ["portfolio_risk", "position_greeks", "chain"])
def test_what_needs_its_underlying_is_answered_with_one(market, relation):
    done = ask(market, f"select underlying from {relation} where underlying = 'AAA'", "2024-06-12")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f": {relation} -> " in done.stderr
    refused = ask(market, f"select underlying from {relation}", "2024-06-12")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith(
        ": chain is answered for its underlying alone\n"
        "       where underlying = ..., or underlying in (...) of 32 at most\n"
    )


@pytest.mark.parametrize(
    ("sql", "as_of", "told"),
    [
        ("select * from health", "2024-06-12", "health has no as-of form: sql/views/health.sql reads catalog.notes"),
        ("select 1", "2024-06-15", "--as-of 2024-06-15 is later than now, 2024-06-14 22:00:00 UTC"),
        ("select 1", "2024-06-14T22:00:01", "is later than now"),
        ("select 1", "last week", "--as-of 'last week' is no point in time\n       a day as 2014-06-06"),
        ("create temp table a as select 1", "2024-06-12", "only a SELECT is answered"),
        ("explain refresh select * from eod", "2024-06-12", "only a SELECT is answered"),
        ("describe eod", "2024-06-12", "only a SELECT is answered"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_as_of_then_ends_with_two(market, sql, as_of, told):
    done = ask(market, sql, as_of)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_wrong_name_is_told_of_the_text_as_it_was_written(market):
    done = ask(market, "select clos from eod where symbol = 'AAA'", "2024-06-12")
    assert done.returncode == 1
    told = done.stderr.partition("ttapi: ")[2].splitlines()
    assert told[1:] == [
        "       LINE 1: select clos from eod where symbol = 'AAA'",
        "                      ^^^^",
        "       did you mean close?",
    ]


def test_a_receipt_and_a_point_in_time_do_not_go_together(market):
    done = ask(market, "select 1", "2024-06-12", "--receipt", market.data / "r.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--receipt and --as-of: one of the two" in done.stderr


def test_what_was_asked_since_is_fresh_as_of_then_and_what_never_was_is_fetched(market):
    market.now += timedelta(days=7)
    sql = "select count(*) from eod where symbol = 'AAA'"
    done = ask(market, sql, "2024-06-12")
    assert (done.stdout, "-- 0 calls" in done.stderr) == ("3\n", True), done.stderr
    done = market.ttapi("sql", sql, "--csv", "--no-header")
    assert (done.stdout, "-- 0 calls" in done.stderr) == ("4\n", False), done.stderr
    market.write_bars("BBB.csv", [(DAYS[0], 1, 1, 1, 1)])
    done = ask(market, "select count(*) from eod where symbol = 'BBB'", market.now.isoformat())
    assert done.stdout == "1\n", done.stderr


def test_a_program_names_a_day_an_instant_or_a_text(market):
    environ = {**market.environ, "TTAPI_NOW": market.now.isoformat()}
    with closing(Database(market.home, environ=environ)) as database:
        sql = "select count(*) as n from eod where symbol = $symbol"
        for given in (date(2024, 6, 11), datetime(2024, 6, 11, 20), "2024-06-11"):
            answer = database.sql(sql, {"symbol": "AAA"}, as_of=given)
            assert answer.arrow().to_pylist() == [{"n": 2}]
        assert answer.prepared.as_of == "as of 2024-06-11 (until midnight UTC): eod -> eod_asof"
        with pytest.raises(UsageError, match="later than now"):
            database.sql("select 1", as_of=date(2030, 1, 1))


def test_lookahead_names_the_rows_and_what_came_later(market):
    done = market.ttapi("lookahead", "tomorrow", "--as-of", "2024-06-12")
    assert done.returncode == 1, done.stderr
    assert done.stdout == (
        "tomorrow as of 2024-06-12 (until midnight UTC): 3 rows up to then by date, 2 could not be known as they stand\n"
        "  symbol AAA, date 2024-06-10: next_close is 11.5, was 11.0\n"
        "  symbol AAA, date 2024-06-12: next_close is 13.0, was null\n"
        "behind them, known later only\n"
        "  raw.metastock_bars: symbol AAA, per D, date 2024-06-13, time 000000, known at 2024-06-13 20:00 UTC, the first of 3\n"
    )


def test_lookahead_finds_nothing_in_an_honest_view(market):
    done = market.ttapi("lookahead", "so_far", "--as-of", "2024-06-12", "--symbols", "aaa,bbb")
    assert (done.returncode, done.stdout) == (
        0,
        "so_far as of 2024-06-12 (until midnight UTC): 3 rows up to then by date, none uses what was known later\n",
    ), done.stderr
    early = market.ttapi("lookahead", "so_far", "--as-of", "2024-06-09")
    assert (
        early.stdout == "so_far as of 2024-06-09 (until midnight UTC): no row up to then by date\n"
    )


def test_lookahead_as_json(market):
    done = market.ttapi("lookahead", "eod", "--as-of", "2024-06-14T21:30", "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["rows"], found["early"]) == (4, 1)
    assert found["examples"] == [
        {"key": {"symbol": "AAA", "date": "2024-06-11"}, "column": "close", "value": "11.5", "value_then": "11.0"}
    ]  # fmt: skip
    (late,) = found["inputs"]
    assert (late["relation"], late["key"]["date"], late["known_at"]) == (
        "raw.metastock_bars", "2024-06-11", "2024-06-14 22:00:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("eodd",), "'eodd' is no relation of the models\n       did you mean eod?"),
        (("eod_asof",), "'eod_asof' is a macro, no relation"),
        (("health",), "health names no grain"),
        (("eod_conflicts",), "eod_conflicts has no as-of form"),
        (("symbols", "--by", "halted"), "symbols has no date or instant 'halted'\n       did you mean halted_at?"),
        (("symbol_summary",), "symbol_summary has no column that says what time a row is of"),
        (("calendar", "--symbols", "A"), "calendar has no column symbol"),
    ],
)  # fmt: skip
def test_lookahead_refuses_what_cannot_be_compared(market, words, told):
    done = market.ttapi("lookahead", *words, "--as-of", "2024-06-12")
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
