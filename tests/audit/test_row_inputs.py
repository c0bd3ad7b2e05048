# SPDX-License-Identifier: Apache-2.0
"""The inputs behind a row: which rows, up to when, and what is told of keys and of what lacks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import duckdb
import pytest

from ttapi.audit import why
from ttapi.audit.lookahead import _differs, _limit
from ttapi.audit.row_inputs import FoundRow, _condition, _date_bounds, _inputs, _listed
from ttapi.models.as_of import AsOf
from ttapi.models.limits import RelationRead, ValueRange, ValueSet
from ttapi.refresh.freshness import InputAge

EARLY, LATE = date(2024, 6, 13), date(2024, 6, 14)


def read(**limits):
    return RelationRead("eod", {name: frozenset([limit]) for name, limit in limits.items()})


AAA, BBB = ValueSet(frozenset(["AAA"])), ValueSet(frozenset(["BBB"]))


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        ([read()], "true"),
        ([read(symbol=AAA)], "symbol = 'AAA'"),
        ([read(symbol=AAA), read()], "true"),
        ([read(symbol=AAA, date=ValueRange("1", "2", False, True)), read(symbol=AAA)], "symbol = 'AAA'"),
        ([read(symbol=AAA), read(symbol=BBB)], "(symbol = 'AAA') or (symbol = 'BBB')"),
        ([read(symbol=ValueSet(frozenset(["b", "a"])))], "symbol in ('a', 'b')"),
        ([read(n=ValueRange("1", "2", True, False))], "n > '1' and n <= '2'"),
    ],
)  # fmt: skip
def test_of_two_ways_to_read_a_relation_the_wider_counts(ways, told):
    assert _condition(ways).replace('"', "") == told


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_rows_are_shown_up_to_the_latest_date_that_is_made_of_them(names):
    values = {"a": EARLY, "b": LATE, "n": 1}
    row = FoundRow(
        (), {n: values[n] for n in (*names, "n")}, {"a": "DATE", "b": "DATE", "n": "BIGINT"}
    )
    upstreams = {("top", "a"): [("bars", "date")], ("top", "b"): [("bars", "date")]}
    lineage = SimpleNamespace(upstreams=lambda node: upstreams.get(node, []))
    assert _date_bounds(lineage, "top", row) == {"bars": {"date": LATE}}


class Reader:
    """What is asked of a published file, of a database in memory."""

    def __init__(self, connection):
        self.connection = connection

    def run(self, sql):
        return SimpleNamespace(table=self.connection.sql(sql).to_arrow_table())


def test_of_a_log_the_last_events_are_shown_up_to_the_row_s_own():
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.events as select 'SPY' as symbol, timestamp '2024-06-14 20:00:00' + to_seconds(n // 2)"
            " as received_at, n as arrival, n::double as bid, true as is_current from range(20) t(n)"
        )
        arrived = datetime(2024, 6, 14, 20, 0, 4)
        found = _inputs(Reader(connection), "raw.events", [read(symbol=AAA), read()], {}, {"bid"}, arrived=arrived)  # fmt: skip
    assert [row["arrival"] for row in found.rows] == [9, 8, 7, 6, 5]
    assert (found.until, found.total) == ("received_at <= '2024-06-14 20:00:04'", 20)
    assert found.columns == ["symbol", "received_at", "arrival", "bid"]


@pytest.mark.parametrize(("count", "more"), [(20, ""), (21, "\n       ...")])
def test_twenty_keys_that_match_are_listed(count, more):
    rows = [{"symbol": f"S{n}", "n": n} for n in range(count)]
    told = "".join(f"\n       S{n} {n}" for n in range(20))
    assert _listed(rows, ["symbol", "n"]) == f"symbol, n:{told}{more}"


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ("a", "raw.a was never loaded"),
        ("ab", "raw.a was never loaded, raw.b was never loaded"),
        ("abc", "raw.a was never loaded, raw.b was never loaded and 1 more"),
    ],
)
def test_two_inputs_that_were_never_asked_for_are_named(monkeypatch, lacking, told):
    names = [f"raw.{name}" for name in "abcd"]
    datasets = {
        name: SimpleNamespace(name=name, kind="raw", missing_setting=None, is_log=False)
        for name in names
    }
    environment = SimpleNamespace(datasets=datasets, held=lambda: None)
    monkeypatch.setattr(why, "closure", lambda *_: names)
    monkeypatch.setattr(
        why, "input_age", lambda name, *_: InputAge(name, None if name[-1] in lacking else 1.0)
    )
    assert why._what_lacks(environment, "eod") == f"{told}; ttapi refresh eod fills it"


def kept(as_of, kind="DATE"):
    """Of the rows around midnight, those up to `as_of`."""
    rows = "values (date '2024-06-13'), (date '2024-06-14')"
    if kind == "TIMESTAMP":
        rows = "values (timestamp '2024-06-13 20:00'), (timestamp '2024-06-13 20:00:01')"
    test = _limit("day", {"day": kind}, as_of)
    return [
        row[0] for row in duckdb.sql(f"select day from ({rows}) as r(day) where {test}").fetchall()
    ]


def test_the_day_of_an_instant_is_not_over():
    instant = AsOf(datetime(2024, 6, 14, 20, tzinfo=UTC))
    assert kept(instant) == [EARLY]
    assert kept(AsOf(datetime(2024, 6, 15, tzinfo=UTC), LATE)) == [EARLY, LATE]
    assert kept(AsOf(datetime(2024, 6, 13, 20, tzinfo=UTC)), "TIMESTAMP") == [
        datetime(2024, 6, 13, 20)
    ]
    assert kept(AsOf(instant.until - timedelta(days=1))) == []


@pytest.mark.parametrize(
    ("past", "present", "kind", "is_other"),
    [
        ("1.0", "1.0", "DOUBLE", False),
        ("1.0", "1.0 + 1e-12", "DOUBLE", False),
        ("1.0", "1.0 + 1e-8", "DOUBLE", True),
        ("null", "1.0", "DOUBLE", True),
        ("1.0", "null", "DOUBLE", True),
        ("null", "null", "DOUBLE", False),
        ("0.0", "1e-300", "DOUBLE", True),
        ("1", "2", "BIGINT", True),
        ("1", "null", "BIGINT", True),
    ],
)
def test_values_differ_beyond_their_last_digits_and_from_nothing(past, present, kind, is_other):
    query = f"select {_differs('x', kind)} from (select {past}::{kind} as x) as p, (select {present}::{kind} as x) as a"
    assert duckdb.sql(query).fetchall() == [(is_other,)]
