# SPDX-License-Identifier: Apache-2.0
"""The vendor's JSON into typed rows: exact where it must be, refused where it is something else."""

from __future__ import annotations

import json
import time
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.sources.contract import Unit, UnitRequest
from ttapi.sources.tastytrade.accounts import TRANSACTION_EFFECTS, TRANSACTION_FIELDS
from ttapi.sources.tastytrade.fields import Content, DriftError, FieldError, fields, row_of, signed
from ttapi.sources.tastytrade.market_fields import WATCHLISTS
from ttapi.sources.tastytrade.rows import batch_of, read_unit

KINDS = ("text", "number", "money", "whole", "flag", "date", "instant", "json")
TABLE = {kind: fields(f"x {kind} said") for kind in KINDS}
NOTHING = frozenset()


def read(kind, value):
    return row_of({"x": value}, TABLE[kind], known=NOTHING)["x"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("money", "0.1", Decimal("0.100000")),
        ("money", 0.1, Decimal("0.100000")),
        ("money", "-1234567890.123456", Decimal("-1234567890.123456")),
        ("money", "NaN", None),
        ("money", "Infinity", None),
        ("money", "", None),
        ("money", None, None),
        ("money", 7, Decimal("7.000000")),
        ("number", "0.1", 0.1),
        ("number", "1e-3", 0.001),
        ("number", 3, 3.0),
        ("number", "NaN", None),
        ("number", "-inf", None),
        ("whole", "100", 100),
        ("whole", "100.0", 100),
        ("whole", 1e3, 1000),
        ("whole", "9223372036854775807", 2**63 - 1),
        ("whole", "-9223372036854775807", 1 - 2**63),
        ("whole", 0, 0),
        ("number", 0, 0.0),
        ("money", "99999999999999.999999", Decimal("99999999999999.999999")),
        ("flag", False, False),
        ("flag", "true", True),
        ("flag", "False", False),
        ("flag", True, True),
        ("text", 5, "5"),
        ("text", False, "false"),
        ("text", True, "true"),
        ("text", " padded ", " padded "),
        ("date", "2026-08-31 UTC", date(2026, 8, 31)),
        ("date", "2024-06-14T20:00:00Z", date(2024, 6, 14)),
        ("instant", "2024-06-14T20:00:00.123+00:00", datetime(2024, 6, 14, 20, 0, 0, 123000)),
        ("instant", "2024-06-14T16:00:00-04:00", datetime(2024, 6, 14, 20)),
        ("json", [{"value": "0.01"}], '[{"value":"0.01"}]'),
        ("json", [], None),
    ],
)
def test_values_are_read_as_their_kind(kind, value, expected):
    assert read(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("money", "1_000", "'1_000'"),
        ("money", "1e400", "'1e400'"),
        ("money", "1e14", "'1e14'"),
        ("money", "0x10", "'0x10'"),
        ("money", True, "True"),
        ("number", "1_000", "'1_000'"),
        ("number", "1e400", "'1e400'"),
        ("number", "\u0661", "'\u0661'"),
        ("number", "1,5", "'1,5'"),
        ("number", ["1"], "a list"),
        ("number", False, "False"),
        ("whole", "1.5", "'1.5'"),
        ("whole", "1e30", "'1e30'"),
        ("whole", "NaN", "'NaN'"),
        ("whole", "1_0", "'1_0'"),
        ("whole", "9223372036854775808", "'9223372036854775808'"),
        ("whole", True, "True"),
        ("money", "100000000000000", "'100000000000000'"),
        ("flag", "yes", "'yes'"),
        ("flag", 1, "1"),
        ("text", {"a": 1}, "an object"),
        ("date", "14.06.2024", "'14.06.2024'"),
        ("date", 20240614, "20240614"),
        ("instant", "noon", "'noon'"),
        ("json", "text", "'text'"),
    ],
)
def test_what_is_something_else_is_refused_by_field_and_kind(kind, value, shown):
    with pytest.raises(FieldError) as told:
        read(kind, value)
    assert str(told.value) == f"field 'x' is {shown}, not {kind}"


@pytest.fixture
def new_york(monkeypatch):
    """A machine whose zone is not UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_instant_without_a_zone_is_utc_wherever_the_machine_stands(new_york):
    assert read("instant", "2024-06-14T20:00:00") == datetime(2024, 6, 14, 20)
    assert read("instant", "2024-06-14T16:00:00-04:00") == datetime(2024, 6, 14, 20)


@given(st.decimals(min_value=-(10**13), max_value=10**13, places=6))
def test_money_is_exact_to_six_places(amount):
    assert read("money", str(amount)) == amount


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_out_reads_back_the_same(number):
    assert read("number", repr(number)) == number


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.integers())))
def test_any_value_is_read_or_refused(value):
    for kind in KINDS:
        try:
            read(kind, value)
        except FieldError as error:
            assert str(error).startswith("field 'x' is ")


def test_unknown_keys_are_kept_and_a_missing_one_is_told():
    table = fields("symbol! text said\na.b=deep number said")
    row = row_of({"symbol": "SPY", "a": {"b": "1"}, "new": [1], "z": None}, table, known={"z"})
    assert row == {"symbol": "SPY", "deep": 1.0, "extra": '{"new":[1]}'}
    for document in ({}, {"symbol": None}, {"symbol": ""}):
        with pytest.raises(FieldError, match="field 'symbol' is missing"):
            row_of(document, table, known=NOTHING)
    with pytest.raises(FieldError, match="is a list, not an object"):
        row_of([], table, known=NOTHING)


@pytest.mark.parametrize(
    ("value", "effect", "expected"),
    [("10.5", "Debit", "-10.5"), ("10.5", "Credit", "10.5"), ("-10.5", "Debit", "-10.5"),
     ("0", "None", "0"), ("10.5", None, "10.5")],
)  # fmt: skip
def test_a_debit_is_below_zero(value, effect, expected):
    document = {"id": 1, "account-number": "A", "transaction-date": "2024-06-14", "value": value}
    document["value-effect"] = effect
    row = row_of(document, TRANSACTION_FIELDS, known=frozenset(TRANSACTION_EFFECTS.values()))
    assert signed(row, document, TRANSACTION_EFFECTS)["value"] == Decimal(expected)
    assert row["extra"] is None


def content_of(*documents):
    content = Content()
    content.read(documents, fields("name! text said\nsymbol! text said"))
    return content


GOOD, BAD = {"name": "a", "symbol": "SPY"}, {"name": "a", "symbol": ["x"]}


def test_a_bad_row_is_refused_and_counted_and_the_others_stand():
    unit = read_unit(WATCHLISTS, UnitRequest(Unit("public")), content_of(GOOD, BAD, GOOD))
    report = unit.report
    assert (report.rows_in, report.rows_accepted, report.rows_refused) == (3, 2, 1)
    assert unit.rejects == (("field 'symbol' is a list, not text", json.dumps(BAD)),)
    batch = batch_of([read_unit(WATCHLISTS, UnitRequest(Unit("x")), "broken"), unit])
    assert [one.error for one in batch.units] == ["broken", None]
    assert batch.rows.column("unit").to_pylist() == [1, 1]
    assert batch.rejects.column("unit").to_pylist() == [1]


def test_more_bad_rows_than_good_are_another_answer():
    assert content_of(GOOD, BAD).rejects
    with pytest.raises(DriftError) as told:
        content_of(GOOD, BAD, BAD)
    assert str(told.value) == ("field 'symbol' is a list, not text, and 2 of 3 rows are like that")
    assert content_of().rows == []


def test_the_same_content_in_another_order_is_unchanged():
    other = {"name": "b", "symbol": "QQQ"}
    first = read_unit(WATCHLISTS, UnitRequest(Unit("public")), content_of(GOOD, other))
    request = UnitRequest(Unit("public"), first.report.content_hash)
    again = read_unit(WATCHLISTS, request, content_of(other, GOOD))
    assert (again.report.is_unchanged, again.rows) == (True, None)
    assert not read_unit(WATCHLISTS, request, content_of(other)).report.is_unchanged
