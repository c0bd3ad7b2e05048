# SPDX-License-Identifier: Apache-2.0
"""`ttapi lineage` and `ttapi why` as a user runs them."""

from __future__ import annotations

import json
from datetime import date

import pytest

DAYS = [date(2024, 6, day) for day in (10, 11, 12, 13)]


@pytest.fixture(scope="module")
def loaded(make_lab, tmp_path_factory):
    """One symbol of four bars and a view of the user's own."""
    lab = make_lab(tmp_path_factory.mktemp("spans"))
    lab.write_bars("AAA.csv", [(day, 10, 12, 9, 10 + n) for n, day in enumerate(DAYS)])
    lab.write_model(
        "views/span.sql",
        "-- grain: symbol, date\nselect\n    e.symbol,\n    e.date,\n    e.high - e.low as width -- USD\nfrom eod as e\n",
    )
    lab.refresh()
    return lab


@pytest.fixture
def market(loaded, tmp_path):
    return loaded.copied(tmp_path)


def test_a_column_of_the_users_own_is_told_down_to_the_setting(market):
    done = market.ttapi("lineage", "span.width")
    assert (done.returncode, done.stdout) == (
        0,
        (
            "span.width = e.high - e.low\n"
            "├─ eod.high\n"
            "│  └─ staged.eod.high\n"
            "│     ├─ raw.metastock_bars.high <- source metastock, [sources.metastock] path\n"
            "│     └─ staged.eod_completions.high\n"
            "│        └─ staged.candles.high\n"
            "│           └─ raw.dxlink_candles.high <- source dxlink, [sources.dxlink] token\n"
            "└─ eod.low\n"
            "   └─ staged.eod.low\n"
            "      ├─ raw.metastock_bars.low <- source metastock, [sources.metastock] path\n"
            "      └─ staged.eod_completions.low\n"
            "         └─ staged.candles.low\n"
            "            └─ raw.dxlink_candles.low <- source dxlink, [sources.dxlink] token\n"
        ),
    ), done.stderr


def test_a_relation_is_told_with_its_columns(market):
    assert market.ttapi("lineage", "span").stdout == (
        "span\n"
        "└─ eod\n"
        "   └─ staged.eod\n"
        "      ├─ raw.metastock_bars <- source metastock, [sources.metastock] path\n"
        "      └─ staged.eod_completions\n"
        "         └─ staged.candles\n"
        "            └─ raw.dxlink_candles <- source dxlink, [sources.dxlink] token\n"
        "\n"
        "symbol  raw.dxlink_candles.symbol, raw.metastock_bars.symbol\n"
        "date    raw.dxlink_candles.date, raw.metastock_bars.date\n"
        "width   raw.dxlink_candles(high, low), raw.metastock_bars(high, low)\n"
    )


def test_lineage_as_json_and_as_mermaid(market):
    found = json.loads(market.ttapi("lineage", "span.width", "--json").stdout)
    assert found == {
        "relation": "span",
        "column": "width",
        "columns": [
            {
                "column": "width",
                "expression": "e.high - e.low",
                "upstreams": [{"relation": "eod", "column": c} for c in ("high", "low")],
                "roots": [
                    {"relation": relation, "column": c, "source": source, "setting": setting}
                    for relation, source, setting in (
                        ("raw.dxlink_candles", "dxlink", "token"),
                        ("raw.metastock_bars", "metastock", "path"),
                    )
                    for c in ("high", "low")
                ],
            }
        ],
        "read_by": [],
    }  # fmt: skip
    assert market.ttapi("lineage", "staged.candles.close", "--mermaid").stdout == (
        "flowchart LR\n"
        '    n0["staged.candles.close"]\n'
        '    n1["raw.dxlink_candles.close"]\n'
        "    n1 --> n0\n"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("eodd", "'eodd' is no relation\n       did you mean eod?"),
        ("eod.clos", "eod has no column 'clos'\n       did you mean close?"),
        ("nothing.like.it", "'nothing.like.it' is no relation"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(market, name, told):
    done = market.ttapi("lineage", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_why_tells_a_value_up_to_the_line_of_its_file(market):
    done = market.ttapi("why", "span", "AAA", "2024-06-12")
    assert done.returncode == 0, done.stderr
    assert "width   3           USD\n" in done.stdout
    assert "= e.high - e.low  [span]" in done.stdout
    assert "raw.metastock_bars: 1 row where symbol = 'AAA' and date = '2024-06-12'" in done.stdout
    assert "raw.metastock_bars <- AAA.csv line 4 (metastock)" in done.stdout
    assert "by ttapi refresh" in done.stdout


def test_why_as_json_has_inputs_calls_checks_and_what_depends_on_it(market):
    found = json.loads(market.ttapi("why", "staged.eod", "date=2024-06-13", "--json").stdout)
    assert found["key"] == {"date": "2024-06-13"}
    (inputs,) = found["inputs"]
    assert (inputs["total"], inputs["rows"][0]["close"]) == (1, 13.0)
    (call,) = found["calls"]
    assert (call["unit"], call["lines"], call["load_id"]) == ("AAA.csv", [5], 2)
    assert {check["failures"] for check in found["checks"]} == {0}
    assert {"eod", "span", "volatility"} <= set(found["downstream"])


def test_why_shows_the_last_rows_a_window_can_have_read(market):
    found = json.loads(market.ttapi("why", "returns", "AAA", "2024-06-12", "--json").stdout)
    (bars,) = [one for one in found["inputs"] if one["relation"] == "raw.metastock_bars"]
    assert (bars["total"], bars["until"]) == (4, "date <= '2024-06-12'")
    assert [row["date"] for row in bars["rows"]] == ["2024-06-12", "2024-06-11", "2024-06-10"]
    (log_return,) = [c for c in found["columns"] if c["name"] == "log_return"]
    assert log_return["formula"] == "ln(s.gross_return)"
    assert log_return["ingredients"] == [
        "gross_return = s.adj_close / lag(s.adj_close) over by_date"
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("eod", "AAA"), "4 rows of eod have symbol AAA; name one\n       symbol, date:\n       AAA 2024-06-10"),
        (("eod", "AAB", "2024-06-12"), "eod has no row with symbol AAB, date 2024-06-12\n       nearest symbol: AAA"),
        (("eod", "AAA", "2024-06-15"), "nearest date: 2024-06-13, 2024-06-12"),
        (("eod", "AAA", "12 June"), "dates are written 2024-06-21"),
        (("eod", "AAA", "2024-06-12", "more"), "3 values are more than the key has places"),
        (("eod", "colour=red"), "eod has no column 'colour'"),
        (("volatility_over", "AAA"), "volatility_over(symbol, lookback) is a macro"),
        (("eod.close", "AAA"), "'eod.close' is a column"),
        (("eodd", "AAA"), "did you mean eod?"),
    ],
)  # fmt: skip
def test_why_refuses_what_names_no_one_row(market, words, told):
    done = market.ttapi("why", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_why_says_what_fills_a_relation_that_lacks_the_row(lab):
    lab.write_bars("AAA.csv", [(DAYS[0], 10, 13, 9, 10)])
    lab.write_bars("BBB.csv", [(DAYS[0], 10, 13, 9, 10)])

    def hint(*words):
        done = lab.ttapi("why", *words)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr.splitlines()[1].strip()

    fills = "ttapi refresh eod fills it"
    assert hint("eod", "AAA") == f"raw.metastock_bars was never loaded; {fills}"
    assert lab.ttapi("sql", "select * from eod where symbol = 'BBB'").returncode == 0
    assert hint("eod", "AAA") == f"raw.metastock_bars is loaded in part (BBB); {fills}"
    assert hint("corporate_actions", "AAA") == "not set: [sources.files] corporate_actions_path"
    assert lab.ttapi("refresh", "eod").returncode == 0
    assert hint("eod", "CCC") == "nearest symbol: AAA, BBB"


def test_a_receipt_is_left_and_proved_from_the_command_line(market):
    file = market.data / "receipt.json"
    done = market.ttapi("sql", "-c", "select * from span", "--format", "csv", "--receipt", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "symbol,date,width"
    market.write_bars("AAA.csv", [(day, 10, 13, 9, 10) for day in DAYS])
    market.refresh()
    proved = market.ttapi("replay", file)
    assert (proved.returncode, proved.stdout) == (
        0,
        "equal: 4 rows as after load 2, 1 load later\n",
    ), proved.stderr
    file.write_text(file.read_text().replace("select", "SELECT"))
    edited = market.ttapi("replay", file)
    assert (edited.returncode, edited.stdout) == (2, "")
    assert "its seal does not match" in edited.stderr


@pytest.mark.parametrize(
    ("sql", "code", "told"),
    [
        ("select 1; select 2", 2, "a receipt is for one SELECT"),
        ("create temp table t as select 1", 2, "a receipt is for one SELECT"),
        ("select now()", 2, "no receipt"),
        ("select * from no_such_table", 1, "no_such_table"),
    ],
)
def test_no_receipt_is_left_where_there_is_nothing_to_prove(market, sql, code, told):
    file = market.data / "receipt.json"
    done = market.ttapi("sql", "-c", sql, "--receipt", file)
    assert done.returncode == code
    assert told in done.stderr
    assert not file.exists()
