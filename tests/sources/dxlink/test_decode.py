# SPDX-License-Identifier: Apache-2.0
"""FEED_DATA is read by the names the server granted, whatever its form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.sources.dxlink.events import RefusedRows, decode_feed_data

QUOTE = {"eventType": "Quote", "eventSymbol": "SPY", "bidPrice": 10.5, "askPrice": None}
NAMES = ("eventType", "eventSymbol", "bidPrice", "askPrice", "bidSize", "sequence")
VALUES = st.none() | st.integers(0, 2**60) | st.floats(allow_nan=False, allow_infinity=False)
ROW = st.fixed_dictionaries(
    {"eventSymbol": st.sampled_from(["SPY", "AAPL", "NaN"])},
    optional=dict.fromkeys(NAMES[2:], VALUES),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["Quote", "NaN"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def on_the_wire(value):
    return "NaN" if value is None else value


@given(st.lists(ROW, min_size=1), st.permutations(NAMES), st.integers(2, len(NAMES)))
def test_compact_and_full_mean_the_same_however_fields_are_ordered(rows, order, width):
    names = [*dict.fromkeys(("eventSymbol", *order))][:width]
    full = [{n: on_the_wire(row.get(n)) for n in names} | {"eventType": "Quote"} for row in rows]
    compact = ["Quote", [row[n] for row in full for n in names]]
    wanted = [{n: row.get(n) for n in names} | {"eventType": "Quote"} for row in rows]
    assert decode_feed_data(full, {}).events == wanted
    assert decode_feed_data(compact, {"Quote": names}).events == wanted


def test_several_pairs_in_one_message_are_read_each_by_its_own_fields():
    granted = {"Quote": ("eventSymbol", "bidPrice"), "Trade": ("price", "eventSymbol", "extra")}
    decoded = decode_feed_data(
        ["Quote", ["SPY", 1.0, "QQQ", "NaN"], "Trade", [2.0, "SPY", "x"]], granted
    )
    assert decoded.events == [
        {"eventType": "Quote", "eventSymbol": "SPY", "bidPrice": 1.0},
        {"eventType": "Quote", "eventSymbol": "QQQ", "bidPrice": None},
        {"eventType": "Trade", "price": 2.0, "eventSymbol": "SPY", "extra": "x"},
    ]
    assert decoded.refused == []


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_texts_for_no_number_are_null_but_a_name_stays_a_name(text):
    decoded = decode_feed_data([QUOTE | {"bidPrice": text, "description": text}], {})
    assert decoded.events == [QUOTE | {"bidPrice": None, "description": text}]


def test_numbers_too_large_for_a_double_are_null():
    data = json.loads('[{"eventType":"Quote","eventSymbol":"A","bidPrice":1e999,"askPrice":NaN}]')
    assert decode_feed_data(data, {}).events == [
        {"eventType": "Quote", "eventSymbol": "A", "bidPrice": None, "askPrice": None}
    ]


@pytest.mark.parametrize(
    ("data", "reason", "rows"),
    [
        ({"eventType": "Quote"}, "the data of a message is no list", 1),
        (["Quote", ["SPY", 1.0, "QQQ"]], "3 values of Quote are no rows of 2 fields", 2),
        (["Quote"], "no array follows Quote", 1),
        (["Greeks", ["SPY", 1.0]], "no fields were granted for Greeks", 1),
        ([3], "neither an object nor an event type", 1),
        ([{"eventType": "Quote"}], "eventSymbol is no text", 1),
        (["Quote", [7, 1.0]], "eventSymbol is no text", 1),
        (["Quote", ["SPY", [1.0]]], "bidPrice is no single value", 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(data, reason, rows):
    decoded = decode_feed_data(data, {"Quote": ("eventSymbol", "bidPrice")})
    assert decoded.events == []
    assert [(r.reason, r.rows) for r in decoded.refused] == [(reason, rows)]


def test_a_bad_row_leaves_its_neighbours():
    decoded = decode_feed_data([QUOTE, {"eventType": "Quote"}, QUOTE], {})
    assert decoded.events == [QUOTE, QUOTE]
    assert decoded.refused == [RefusedRows("eventSymbol is no text", "{'eventType': 'Quote'}")]
    assert decoded.rows_refused == 1


@given(JSON)
def test_nothing_a_server_sends_raises(data):
    decoded = decode_feed_data(data, {"Quote": ("eventSymbol", "bidPrice")})
    assert all(isinstance(event["eventSymbol"], str) for event in decoded.events)


@pytest.mark.parametrize("name", ["eventType", "eventSymbol"])
@pytest.mark.parametrize("value", ["", None, 5, ["x"]])
def test_a_row_without_its_type_or_symbol_is_none(name, value):
    row = {"eventType": "Quote", "eventSymbol": "SPY", "bidPrice": 1.0} | {name: value}
    decoded = decode_feed_data([row], {})
    assert (decoded.events, [one.reason for one in decoded.refused]) == ([], [f"{name} is no text"])


def test_a_text_that_reads_like_no_number_is_meant_where_texts_are():
    row = {"eventType": "Profile", "eventSymbol": "NAN", "description": "NaN", "high52WeekPrice": "NaN", "beta": float("inf")}  # fmt: skip
    (event,) = decode_feed_data([row], {}).events
    assert event == row | {"high52WeekPrice": None, "beta": None}


@pytest.mark.parametrize(("count", "lost"), [(1, 1), (3, 2), (5, 3)])
def test_an_array_that_holds_no_whole_rows_is_lost_with_all_it_began(count, lost):
    decoded = decode_feed_data(["Quote", [1] * count], {"Quote": ("eventSymbol", "bidPrice")})
    assert (decoded.events, decoded.rows_refused) == ([], lost)
