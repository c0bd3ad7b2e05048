# SPDX-License-Identifier: Apache-2.0
"""Chains from files of one's own: what is computed again, what was known when, why a volatility is what it is."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from ttapi.api import Database

SNAPSHOT_ROWS = "select snapshot, count(*) from derived.option_implied group by 1 order by 1"
KEYS = (
    "select dataset, list(distinct key order by key) from catalog.changed_keys"
    " where load_id = (select max(load_id) from catalog.loads) and dataset like 'derived.%' group by 1 order by 1"
)
IMPLIED = ["derived.expiration_implied", "derived.option_implied", "derived.option_snapshots"]


def write_chain(lab, symbol, day, spot=100.0, shift=0.0):
    """A small chain that expires in ten days and in 38; prices are about those of 20 percent a year."""
    rows = ["expiration,strike,type,bid,ask", f",,,{spot},{spot}"]
    for expires, scale in (("2024-06-21", 1.0), ("2024-07-19", 2.0)):
        for strike in range(90, 111, 5):
            value = (
                max(0.0, spot - strike) + scale * 1.6 * 0.75 ** (abs(spot - strike) / scale) + shift
            )
            put = (
                value - spot + strike * 0.9989
                if expires < "2024-07"
                else value - spot + strike * 0.9959
            )
            for kind, price in (("C", value), ("P", max(put, 0.05))):
                rows.append(f"{expires},{strike},{kind},{price - 0.01:.4f},{price + 0.01:.4f}")
    file = lab.data / "chains" / symbol / f"{day}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    """AAA on two days and BBB on one, computed."""
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.environ["TTAPI_FILES_OPTION_QUOTES_PATH"] = str(lab.data / "chains")
    write_chain(lab, "AAA", "20240611")
    write_chain(lab, "AAA", "20240612", spot=101.0)
    write_chain(lab, "BBB", "20240612")
    assert lab.refresh("chain", "iv_history").exit_code == 0
    return lab


@pytest.fixture
def quoted(once_made, tmp_path):
    return once_made.copied(tmp_path)


def test_a_new_snapshot_is_all_that_is_computed(quoted):
    before = quoted.rows(SNAPSHOT_ROWS)
    assert len(before) == 3
    write_chain(quoted, "BBB", "20240613", spot=99.0)
    assert quoted.refresh("chain", "iv_history").exit_code == 0
    changed = dict(quoted.rows(KEYS))
    assert {name: changed[name] for name in IMPLIED} == {
        name: ["BBB 2024-06-13T20:00:00"] for name in IMPLIED
    }
    assert quoted.rows(SNAPSHOT_ROWS) == [*before, ("BBB 2024-06-13T20:00:00", 20)]


def test_a_rate_touches_the_snapshots_it_holds_for_and_no_others(quoted):
    rates = quoted.data / "rates.csv"
    rates.write_text("date,tenor_days,rate\n2024-06-12,30,0.05\n")
    quoted.environ["TTAPI_FILES_RATES_PATH"] = str(rates)
    assert quoted.refresh("chain", "iv_history").exit_code == 0
    changed = dict(quoted.rows(KEYS))
    both = ["AAA 2024-06-12T20:00:00", "BBB 2024-06-12T20:00:00"]
    assert [changed[name] for name in IMPLIED] == [both] * 3
    assert quoted.rows("select distinct date, rate from derived.option_implied order by 1") == [
        (date(2024, 6, 11), 0.04),
        (date(2024, 6, 12), 0.05),
    ]


def test_step_by_step_equals_built_at_once(quoted):
    write_chain(quoted, "AAA", "20240612", spot=102.0)
    write_chain(quoted, "CCC", "20240613")
    assert quoted.refresh("chain", "iv_history").exit_code == 0
    tables = ("option_snapshots", "option_implied", "expiration_implied", "tenor_implied")
    versions = [
        quoted.rows(f"select count(*), sum(hash(t)::hugeint) from derived.{t} as t") for t in tables
    ]
    stored = [(f"{rows:x}-{total or 0:x}",) for [(rows, total)] in versions]
    names = ", ".join(f"'derived.{t}'" for t in tables)
    kept = dict(
        quoted.rows(f"select dataset, version from catalog.state where dataset in ({names})")
    )
    assert [(kept[f"derived.{t}"],) for t in tables] == stored
    (quoted.home.sql / "derived").mkdir(exist_ok=True)
    whole = quoted.rows("select * from derived.option_implied order by snapshot, occ_symbol")
    again = quoted.rows(
        "select * from derived.implied_at(timestamp '9999-12-31', null) order by snapshot, occ_symbol"
    )
    assert len(whole) == len(again) == 80


def test_a_chain_as_of_a_day_is_what_the_chain_was_then_whatever_came_later(quoted):
    first = quoted.rows(
        "select * exclude (quote_age_s) from chain where underlying = 'AAA' order by occ_symbol"
    )
    assert (
        quoted.rows(
            "select * exclude (quote_age_s) from chain_asof('AAA', '2024-06-12') order by occ_symbol"
        )
        == first
    )
    before = quoted.rows(
        "select * exclude (quote_age_s) from chain_asof('AAA', '2024-06-11') order by occ_symbol"
    )
    later = datetime(2024, 6, 17, 22, tzinfo=UTC)
    write_chain(quoted, "AAA", "20240611", spot=98.0)
    write_chain(quoted, "AAA", "20240614", spot=97.0)
    assert quoted.refresh("chain", now=later).exit_code == 0
    assert (
        quoted.rows(
            "select * exclude (quote_age_s) from chain_asof('AAA', '2024-06-12') order by occ_symbol"
        )
        == first
    )
    assert (
        quoted.rows(
            "select * exclude (quote_age_s) from chain_asof('AAA', '2024-06-11') order by occ_symbol"
        )
        == before
    )
    assert quoted.rows("select distinct spot from chain_asof('AAA', '2024-06-17')") == [(97.0,)]
    corrected = quoted.rows(
        "select distinct spot from derived.implied_at(timestamp '2024-06-18', null) where snapshot like 'AAA 2024-06-11%'"
    )
    assert corrected == [(98.0,)]


def test_as_of_reaches_what_is_computed_of_chains(quoted):
    quoted.now = datetime(2024, 6, 14, 22, tzinfo=UTC)
    relations = (
        "term_structure",
        "skew",
        "constant_maturity_iv",
        "iv_history",
        "max_pain",
        "put_call",
    )
    environ = {**quoted.environ, "TTAPI_NOW": quoted.now.isoformat()}
    with closing(Database(quoted.home, environ=environ)) as database:
        for name in relations:
            sql = f"select * from {name} where underlying = 'AAA'"
            rows = database.sql(sql, as_of=date(2024, 6, 11)).arrow().to_pylist()
            assert rows, name
            days = {row.get("snapshot_at", datetime(2024, 6, 11)).date() for row in rows}
            assert days == {date(2024, 6, 11)}, name


def test_why_tells_how_a_volatility_came_about(quoted):
    contract = "AAA   240719C00100000"
    done = quoted.ttapi("why", "chain", contract, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["implied"]
    (iv, forward, rate) = quoted.rows(
        f"select implied_volatility, forward, rate from chain where occ_symbol = '{contract}'"
    )[0]
    assert (told["volatility"], told["forward"], told["rate"]) == (iv, forward, rate)
    assert told["quote"].startswith("bid 3.")
    assert told["lower_bound"] < told["price"] < told["upper_bound"]
    strikes = [pair["strike"] for pair in told["pairs"]]
    assert sorted(strikes) == [90, 95, 100, 105, 110]
    assert forward == sorted(pair["forward"] for pair in told["pairs"])[2]
    assert "default constant" in told["rate_from"]
    text = quoted.ttapi("why", "chain", contract).stdout
    assert "the median of put-call parity at 5 strikes" in text
    assert "AAA/20240612.csv line" in text


def test_why_tells_why_there_is_none(quoted):
    file = quoted.data / "chains/AAA/20240612.csv"
    lines = file.read_text().splitlines()
    odd = next(n for n, line in enumerate(lines) if line.startswith("2024-07-19,110,C"))
    lines[odd] = "2024-07-19,110,C,0.9,0.5"
    file.write_text("\n".join(lines) + "\n")
    quoted.refresh("chain")
    text = quoted.ttapi("why", "chain", "AAA   240719C00110000").stdout
    assert "no implied volatility: crossed quote (bid 0.9, ask 0.5" in text


CHARTS = [
    (".chart smile AAA", "expiration 2024-07-19"),
    (".chart smile AAA 2024-06-21", "expiration 2024-06-21"),
    (".chart term AAA", "implied_volatility by days"),
    (".chart surface AAA", "implied volatility in percent by strike / forward"),
]


def test_charts_of_a_symbol_are_drawn_and_mistakes_told(quoted, tmp_path):
    png = tmp_path / "smile.png"
    lines = [line for line, _ in CHARTS] + [f".chart smile AAA {png}"]
    done = quoted.ttapi("sql", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    for _, told in CHARTS:
        assert told in done.stdout
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for line, told in (
        (".chart smile ZZZ", "nothing is held to draw the smile of ZZZ"),
        (".chart term", "usage: .chart"),
        (".chart term AAA 2024-06-21", ".chart term takes a symbol alone"),
        (".chart cone AAA", "nothing is held to draw the cone of AAA"),
    ):
        done = quoted.ttapi("sql", stdin=line + "\n")
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
