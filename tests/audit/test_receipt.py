# SPDX-License-Identifier: Apache-2.0
"""Receipts: an answer sealed, proved again after later loads, and refused where nothing is proved."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from ttapi.api import Database, Freshness
from ttapi.audit.receipt import (
    make_receipt,
    read_receipt,
    require_provable,
    result_hash,
    write_receipt,
)
from ttapi.audit.replay import replay
from ttapi.errors import UsageError
from ttapi.store.publish import publish
from ttapi.store.store import open_store

QUERIES = (
    "select * from eod",
    "select symbol, avg(log_return) as drift, count(*) as n from returns group by symbol",
    "select * from volatility_latest where lookback = 5",
    "select count(*) as n from eod_conflicts",
    "select file, line, reason from rejects",
)


def bars(closes, start=date(2024, 5, 1)):
    """Rows of weekdays from `start`, one a close."""
    days = [start + timedelta(days=n) for n in range(60)]
    days = [day for day in days if day.weekday() < 5 and day != date(2024, 5, 27)]
    return [(day, c, c + 1, c - 1, c) for day, c in zip(days, closes, strict=False)]


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    """Two symbols, refreshed."""
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("AAA.csv", bars([10 + n % 3 for n in range(20)]))
    lab.write_bars("BBB.csv", bars([20 + n % 4 for n in range(20)]))
    lab.refresh()
    return lab


@pytest.fixture
def market(once_made, tmp_path):
    return once_made.copied(tmp_path)


def receipt_of(lab, sql):
    with Database(lab.home, environ=lab.environ) as database:
        answer = database.sql(sql, freshness=Freshness(refresh=False))
        return make_receipt(database, sql, answer.rows.table)


def test_receipts_stay_provable_after_any_later_loads_at_the_same_instant(market):
    receipts = [receipt_of(market, sql) for sql in QUERIES]
    # A correction, a lost line, a refused line, a second file that takes over a day.
    market.write_bars("AAA.csv", bars([10 + n % 5 for n in range(19)]))
    market.write_bars("more/BBB.csv", bars([30 + n for n in range(22)]))
    market.refresh()
    middle = [receipt_of(market, sql) for sql in QUERIES]
    market.write_bars("BBB.csv", ["BBB,D,2024x501,000000,1,1,1,1,1,0", *bars([7, 8, 9])])
    (market.metastock / "more" / "BBB.csv").unlink()
    market.refresh()
    environment = market.environment()
    for receipt in [*receipts, *middle]:
        found = replay(environment, receipt)
        assert (found.is_equal, found.reason) == (True, None), receipt.sql
    fresh = [receipt_of(market, sql).result_hash for sql in QUERIES]
    assert all(
        now != then.result_hash for now, then in zip(fresh[:3], receipts[:3], strict=True)
    ), "the later loads changed nothing: this test proves nothing"


def test_only_tables_that_moved_on_are_built_again(market):
    receipt = receipt_of(market, QUERIES[2])
    assert replay(market.environment(), receipt).rebuilt == []
    market.write_bars("AAA.csv", bars([10 + n % 5 for n in range(19)]))
    market.refresh()
    assert replay(market.environment(), receipt).rebuilt == ["derived.volatility_latest"]


def test_a_row_changed_behind_the_stores_back_is_found(market):
    receipt = receipt_of(market, QUERIES[0])
    with open_store(market.home, command="test", wait_s=0, now=market.now) as store:
        with store.transaction() as cursor:
            cursor.execute("update raw.metastock_bars set close = close + 1 where symbol = 'AAA'")
        publish(store)
    found = replay(market.environment(), receipt)
    assert (found.is_equal, found.reason) == (
        False,
        "the answer differs: 40 rows as then, other values",
    )


def test_a_changed_model_is_named_and_equality_refused(market):
    market.write_model("views/mine.sql", "select b.symbol, b.close from eod as b\n")
    market.refresh()
    receipt = receipt_of(market, "select * from mine")
    assert replay(market.environment(), receipt).is_equal
    market.write_model("views/mine.sql", "select b.symbol, b.open as close from eod as b\n")
    found = replay(market.environment(), receipt)
    assert (found.is_equal, found.changed_models) == (False, ["mine"])
    assert found.reason == "models changed since: mine"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select now() as t", "now()"),
        ("select random() as r", "random()"),
        ("select * from eod using sample 5", "tablesample"),
        ("select * from freshness", "catalog.freshness"),
        ("select * from catalog.loads", "catalog.loads"),
        ("select u.key from catalog.units as u, catalog.notes", "catalog.notes"),
        ("select * from 'x.csv'", "x.csv"),
        ("select * from duckdb_tables()", "duckdb_tables()"),
    ],
)
def test_what_answers_differently_by_itself_gets_no_receipt(lab, sql, named):
    with pytest.raises(UsageError, match="no receipt") as caught:
        require_provable(sql, lab.environment())
    assert named in caught.value.message.lower()


def test_of_the_catalog_only_units_and_their_versions_give_a_receipt(lab):
    sql = "select u.key, v.rows_in from catalog.units as u join catalog.unit_versions as v using (unit_id)"
    assert require_provable(sql, lab.environment()) == ()


def test_a_clock_in_a_users_own_view_is_seen_too(lab):
    lab.write_model(
        "views/today_only.sql", "select e.close from eod as e where e.date = current_date\n"
    )
    with pytest.raises(UsageError, match="current_date"):
        require_provable("select * from today_only", lab.environment())


def test_a_receipt_of_another_database_is_refused(market, lab_type, template_home):
    receipt = receipt_of(market, QUERIES[0])
    other = lab_type(template_home, market.data, {})
    with pytest.raises(UsageError, match="made after load 2, and this database has seen 1"):
        replay(other.environment(), receipt)


def test_a_receipt_of_another_history_is_refused(market):
    receipt = receipt_of(market, QUERIES[0])
    with open_store(market.home, command="test", wait_s=0, now=market.now) as store:
        with store.transaction() as cursor:
            cursor.execute("update catalog.loads set rows_in = rows_in + 1")
        publish(store)
    with pytest.raises(UsageError, match="made on another database"):
        replay(market.environment(), receipt)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[:200], "is no receipt, or a damaged one"),
        (lambda text: text.replace('"rows": 40', '"rows": 41'), "its seal does not match"),
        (lambda text: "{}", "is no receipt of this ttapi"),
        (lambda text: "[1]", "is no receipt of this ttapi"),
        (lambda text: json.dumps({**json.loads(text), "extra": 1}), "its seal does not match"),
        (lambda text: json.dumps({**json.loads(text), "seal": None}), "its seal does not match"),
    ],
)
def test_damaged_and_edited_receipts_are_told_apart_from_good_ones(market, tmp_path, damage, told):
    file = tmp_path / "receipt.json"
    receipt = receipt_of(market, QUERIES[0])
    write_receipt(receipt, file)
    assert read_receipt(file).result_hash == receipt.result_hash
    file.write_text(damage(file.read_text()))
    with pytest.raises(UsageError, match=told):
        read_receipt(file)


def table(**columns):
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def test_the_hash_of_an_answer_leaves_order_and_the_last_bits_out():
    one = table(a=[1, 2, 2], b=[0.1 + 0.2, None, -0.0])
    assert result_hash(one) == result_hash(table(a=[2, 1, 2], b=[None, 0.3, 0.0]))


@pytest.mark.parametrize(
    "other",
    [
        table(a=[1, 2], b=["x", "y"]),
        table(a=[1, 2, 2, 2], b=["x", "y", "y", "y"]),
        table(a=[1, 2, 2], b=["x", "y", None]),
        table(a=[1, 2, 2], c=["x", "y", "y"]),
        table(b=["x", "y", "y"], a=[1, 2, 2]),
    ],
    ids=["fewer", "more", "null", "name", "order of columns"],
)
def test_the_hash_tells_answers_apart(other):
    assert result_hash(table(a=[1, 2, 2], b=["x", "y", "y"])) != result_hash(other)


def test_equal_columns_in_another_order_are_another_answer():
    assert result_hash(table(a=[1], b=[1])) != result_hash(table(b=[1], a=[1]))


def test_decimals_instants_and_nested_values_have_a_text():
    nested = pa.table({"a": pa.array([[1.0, None]]), "b": pa.array([{"x": date(2024, 1, 2)}])})
    assert result_hash(nested) == result_hash(nested)
    assert result_hash(table(a=[Decimal("1.50")])) == result_hash(table(a=[Decimal("1.5")]))
