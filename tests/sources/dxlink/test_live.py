# SPDX-License-Identifier: Apache-2.0
"""Events as columns: the same values as the dict way gives, whatever form the server chose."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.dxfeed import streamer_symbol
from ttapi.sources.dxlink import live as live_module
from ttapi.sources.dxlink.events import decode_feed_data
from ttapi.sources.dxlink.live import BY_EVENT, BY_RESOURCE, LIVE_TYPES, LiveColumns

AT = datetime(2024, 6, 14, 20, 0, 0, 123456, tzinfo=UTC)
ARRIVED = AT.replace(tzinfo=None)
SYMBOLS = {"SPY": "SPY", "BRK/B": "BRK.B", ".SPY240621C500": "SPY   240621C00500000"}
QUOTE = BY_EVENT["Quote"].fields


def rows_of(data, granted, symbols=None, at=AT):
    """Rows by resource, and how many events were refused."""
    columns = LiveColumns(SYMBOLS if symbols is None else symbols)
    batches = columns.take(data, granted, at) + columns.cut()
    assert columns.is_empty
    found, refused = {}, 0
    for resource, rows, lost in batches:
        found.setdefault(resource.name, []).extend(rows.to_pylist())
        refused += lost
    return found, refused


def quote(**values):
    event = dict.fromkeys(QUOTE, 0) | {"eventSymbol": "SPY", "bidPrice": 1.5, "askPrice": 1.6, "bidSize": 10, "askSize": 20.0, "bidExchangeCode": "Q", "askExchangeCode": "", "sequence": 7}  # fmt: skip
    return [(event | values)[name] for name in QUOTE]


def test_a_quote_becomes_a_row_in_declared_columns():
    found, refused = rows_of(["Quote", quote(askTime=1718395200123)], {"Quote": QUOTE})
    assert refused == 0
    assert found == {
        "quotes": [
            {
                "symbol": "SPY", "streamer_symbol": "SPY", "received_at": ARRIVED,
                "event_time": datetime(2024, 6, 14, 20, 0, 0, 123000), "sequence": 7,
                "bid": 1.5, "ask": 1.6, "bid_size": 10.0, "ask_size": 20.0,
                "bid_exchange": "Q", "ask_exchange": None,
            }
        ]
    }  # fmt: skip


@pytest.mark.parametrize("live", LIVE_TYPES, ids=lambda one: one.event_type)
def test_every_type_gives_the_columns_its_log_declares(live):
    flat = ["SPY" if name == "eventSymbol" else 0 for name in live.fields]
    columns = LiveColumns(SYMBOLS)
    columns.take([live.event_type, flat], {live.event_type: live.fields}, AT)
    ((resource, rows, refused),) = columns.cut()
    assert (resource, refused) == (live.resource, 0)
    declared = [(c.name, c.type) for c in resource.columns if c.name != "arrival"]
    engine = {"DOUBLE": pa.float64(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_()}  # fmt: skip
    assert [(f.name, f.type) for f in rows.schema] == [(n, engine[t]) for n, t in declared]
    assert BY_RESOURCE[resource.name] is live


@pytest.mark.parametrize(
    ("value", "kept"),
    [("NaN", None), ("Infinity", None), ("-Infinity", None), (None, None), ("7", None), ([1], None), (0, 0.0), (-0.0, 0.0), (3, 3.0), (2.5, 2.5), (1e308, 1e308)],
)  # fmt: skip
def test_a_price_is_a_finite_number_or_none(value, kept):
    found, refused = rows_of(["Quote", quote() + quote(bidPrice=value)], {"Quote": QUOTE})
    assert ([row["bid"] for row in found["quotes"]], refused) == ([1.5, kept], 0)


def test_a_number_beyond_all_numbers_is_none():
    data = json.loads(json.dumps(["Quote", quote()]).replace("1.5", "1e999"))
    found, _ = rows_of(data, {"Quote": QUOTE})
    assert found["quotes"][0]["bid"] is None


def test_columns_stand_where_the_server_put_them():
    names = tuple(reversed(QUOTE))
    found, _ = rows_of(["Quote", quote()[::-1]], {"Quote": names})
    assert found == rows_of(["Quote", quote()], {"Quote": QUOTE})[0]
    few = ("eventSymbol", "bidPrice", "somethingNew")
    found, refused = rows_of(["Quote", ["SPY", 1.5, {}, "SPY", 1.25, []]], {"Quote": few})
    assert ([(r["bid"], r["ask"], r["event_time"]) for r in found["quotes"]], refused) == ([(1.5, None, None), (1.25, None, None)], 0)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "granted", "refused"),
    [
        (["Quote", quote()[:-1]], {"Quote": QUOTE}, 1),
        (["Quote", [*quote(), 1]], {"Quote": QUOTE}, 2),
        (["Quote", quote()], {}, 1),
        (["Quote", quote(eventSymbol="QQQ")], {"Quote": QUOTE}, 1),
        (["Quote", quote(eventSymbol=None)], {"Quote": QUOTE}, 1),
        (["Quote", quote(eventSymbol=["SPY"])], {"Quote": QUOTE}, 1),
        (["Quote", []], {"Quote": QUOTE}, 0),
        (["Profile", ["SPY", 1]], {"Profile": ("eventSymbol", "beta")}, 0),
        (["Quote"], {"Quote": QUOTE}, 0),
        ({"Quote": []}, {"Quote": QUOTE}, 0),
        (None, {}, 0),
        ([1, [2]], {}, 0),
    ],
)
def test_what_cannot_be_read_is_counted_and_spoils_nothing(data, granted, refused):
    columns = LiveColumns(SYMBOLS)
    first = columns.take(data, granted, AT)
    last = columns.take(["Quote", quote()], {"Quote": QUOTE}, AT) + columns.cut()
    batches = first + last
    assert sum(lost for _, _, lost in batches) == refused
    assert [r["bid"] for _, rows, _ in batches for r in rows.to_pylist()] == [1.5]


def test_what_ends_a_history_is_no_event():
    names = BY_EVENT["TimeAndSale"].fields
    event = dict.fromkeys(names, 0) | {"eventSymbol": "SPY", "price": 5.0, "type": "NEW"}
    flat = [(event | {"eventFlags": flags})[name] for flags in (4, 0x0A, 0x02, 0) for name in names]
    found, refused = rows_of(["TimeAndSale", flat], {"TimeAndSale": names})
    assert (len(found["time_and_sales"]), refused) == (2, 0)


def test_a_batch_is_cut_at_its_size_and_when_the_columns_change(monkeypatch):
    monkeypatch.setattr(live_module, "CUT", 3)
    columns = LiveColumns(SYMBOLS)
    assert columns.take(["Quote", quote() * 2], {"Quote": QUOTE}, AT) == []
    assert not columns.is_empty
    later = AT + timedelta(seconds=1)
    ((_, rows, _),) = columns.take(["Quote", quote()], {"Quote": QUOTE}, later)
    assert rows["received_at"].to_pylist() == [ARRIVED, ARRIVED, ARRIVED + timedelta(seconds=1)]
    assert columns.take(["Quote", quote()], {"Quote": QUOTE}, AT) == []
    ((_, rows, _),) = columns.take(["Quote", quote()[::-1]], {"Quote": QUOTE[::-1]}, AT)
    assert rows.num_rows == 1
    ((_, rows, _),) = columns.cut()
    assert rows["bid"].to_pylist() == [1.5]
    assert columns.cut() == []


values = st.one_of(
    st.none(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "", "Q", "\0"]),
)  # fmt: skip
events = st.lists(st.tuples(st.sampled_from([*SYMBOLS, "QQQ"]), st.lists(values, min_size=len(QUOTE) - 1, max_size=len(QUOTE) - 1)), max_size=20)  # fmt: skip


@given(events)
def test_prices_and_sizes_are_those_of_the_dict_way(drawn):
    flat = [cell for symbol, rest in drawn for cell in (symbol, *rest)]
    found, refused = rows_of(["Quote", flat], {"Quote": QUOTE})
    decoded = decode_feed_data(["Quote", flat], {"Quote": QUOTE}).events
    wanted = [e for e in decoded if e["eventSymbol"] in SYMBOLS]
    assert refused == len(drawn) - len(wanted)

    def number(value):
        return (
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        )

    told = [(r["streamer_symbol"], r["symbol"], r["bid"], r["ask_size"]) for r in found.get("quotes", [])]  # fmt: skip
    assert told == [(e["eventSymbol"], SYMBOLS[e["eventSymbol"]], number(e["bidPrice"]), number(e["askSize"])) for e in wanted]  # fmt: skip


millis = st.integers(-10, 2**64) | st.sampled_from(
    [0, 1, live_module.YEAR_3000 - 1, live_module.YEAR_3000]
)


@given(st.lists(st.tuples(millis, millis), min_size=1, max_size=5))
def test_instants_of_many_events_are_those_of_each_alone(drawn):
    def instants(pairs):
        return live_module._array_of("instant", [list(one) for one in zip(*pairs, strict=True)])

    each = [instants([pair]).to_pylist()[0] for pair in drawn]
    assert instants(drawn * 200).to_pylist() == each * 200


@pytest.mark.parametrize(
    ("symbol", "streamed"),
    [
        ("SPY", "SPY"), ("BRK.B", "BRK/B"), ("/ESZ26", "/ESZ26"), (".SPY240621C500", ".SPY240621C500"),
        ("SPY   240621C00500000", ".SPY240621C500"), ("SPXW  261231P05002500", ".SPXW261231P5002.5"),
        ("F     260116C00012350", ".F260116C12.35"), ("XYZ1  260116P00000500", ".XYZ1260116P0.5"),
    ],
)  # fmt: skip
def test_a_symbol_is_streamed_under_dxfeeds_name(symbol, streamed):
    assert streamer_symbol(symbol) == streamed
