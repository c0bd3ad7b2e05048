# SPDX-License-Identifier: Apache-2.0
"""The hub: numbers without holes, a snapshot for who comes, what was missed for who comes back."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.config import bundled_folder
from ttapi.live.hub import AWAY_S, KEPT, KINDS, Hub
from ttapi.sources.contract import StreamBatch
from ttapi.sources.dxlink.live import BY_RESOURCE, LiveColumns

AT = datetime(2024, 6, 14, 20, 0, 0, 500000, tzinfo=UTC)
FIELD = {"quotes": ("Quote", "bidPrice"), "time_and_sales": ("TimeAndSale", "price"), "minutes": ("Candle", "close")}  # fmt: skip


def batch(name, *events):
    """Events (symbol, price) of one resource, in one batch."""
    event_type, field = FIELD[name]
    columns = LiveColumns({"SPY": "SPY", "QQQ": "QQQ"})
    columns.take([event_type, [v for event in events for v in event]], {event_type: ("eventSymbol", field)}, AT)  # fmt: skip
    ((resource, rows, _),) = columns.cut()
    assert resource == BY_RESOURCE[name].resource
    return StreamBatch(resource, rows)


def told(messages):
    """Number and price of each."""
    found = [json.loads(message) for message in messages]
    return [(m["sequence"], m["data"]["bid" if m["type"] == "quote" else "price"]) for m in found]


def test_who_comes_gets_the_newest_event_with_its_number_and_units():
    hub = Hub()
    hub.put(batch("quotes", ("SPY", 1.0), ("QQQ", 5.0), ("SPY", 2.0)))
    hub.put(batch("quotes", ("SPY", 3.0)))
    sequence, snapshot = hub.watch("quote:SPY")
    message = json.loads(snapshot)
    assert (sequence, message["sequence"], message["type"], message["topic"]) == (2, 2, "snapshot", "quote:SPY")  # fmt: skip
    assert message["timestamp"] == "2024-06-14T20:00:00.500000Z"
    assert message["data"]["bid"] == 3.0
    assert message["data"]["symbol"] == "SPY"
    assert hub.watch("quote:IWM") == (0, None)


def test_of_quotes_the_last_of_a_batch_counts_and_of_prints_every_one():
    hub = Hub()
    for topic in ("quote:SPY", "tick:SPY"):
        hub.watch(topic)
    for name in ("quotes", "time_and_sales"):
        hub.put(batch(name, ("SPY", 1.0), ("SPY", 2.0), ("QQQ", 9.0)))
    assert told(hub.missed("quote:SPY", 0).messages) == [(1, 2.0)]
    assert told(hub.missed("tick:SPY", 0).messages) == [(1, 1.0), (2, 2.0)]
    assert told(hub.missed("tick:SPY", 1).messages) == [(2, 2.0)]
    assert hub.missed("tick:SPY", 2).messages == ()


def test_a_bar_has_its_own_topic():
    hub = Hub()
    hub.put(batch("minutes", ("SPY", 4.0)))
    _, snapshot = hub.watch("bar:SPY:time:60")
    assert json.loads(snapshot)["data"]["close"] == 4.0


def test_what_is_no_longer_kept_is_counted():
    hub = Hub()
    hub.watch("tick:SPY")
    for n in range(KEPT + 5):
        hub.put(batch("time_and_sales", ("SPY", float(n))))
    missed = hub.missed("tick:SPY", 0)
    assert (len(missed.messages), missed.sequence, missed.lost) == (KEPT, KEPT + 5, 5)
    assert hub.missed("tick:SPY", 5).lost == 0
    assert hub.missed("tick:SPY", KEPT + 5).lost == 0


def test_who_comes_back_within_a_minute_goes_on_and_later_what_nobody_watches_is_numbered_alone():
    now = [0.0]
    hub = Hub(clock=lambda: now[0])
    hub.watch("tick:SPY")
    hub.put(batch("time_and_sales", ("SPY", 1.0)))
    hub.unwatch("tick:SPY")
    now[0] = AWAY_S - 1
    hub.put(batch("time_and_sales", ("SPY", 2.0), ("SPY", 3.0)))
    hub.watch("tick:SPY")
    assert told(hub.missed("tick:SPY", 1).messages) == [(2, 2.0), (3, 3.0)]
    hub.unwatch("tick:SPY")
    now[0] += AWAY_S
    hub.put(batch("time_and_sales", ("SPY", 4.0)))
    sequence, snapshot = hub.watch("tick:SPY")
    assert (sequence, json.loads(snapshot)["data"]["price"]) == (4, 4.0)
    missed = hub.missed("tick:SPY", 1)
    assert (missed.messages, missed.lost) == ((), 3)


def minutes(*candles):
    """A batch of candles: minute since 1970, close."""
    columns = LiveColumns({"SPY": "SPY"})
    flat = [v for minute, close in candles for v in ("SPY", 60_000 * minute, close)]
    columns.take(["Candle", flat], {"Candle": ("eventSymbol", "time", "close")}, AT)
    ((resource, rows, _),) = columns.cut()
    return StreamBatch(resource, rows)


def closes(hub, after=0):
    """Minute and close of the messages about bars."""
    messages = [json.loads(one)["data"] for one in hub.missed("bar:SPY:time:60", after).messages]
    return [(one["start"][14:16], one["close"]) for one in messages]


def test_of_a_minute_the_last_word_is_kept_when_the_next_begins():
    hub = Hub()
    hub.watch("bar:SPY:time:60")
    for batch_of in (((1, 1.0), (1, 2.0)), ((2, 3.0),), ((2, 4.0), (2, 5.0))):
        hub.put(minutes(*batch_of))
    assert closes(hub) == [("01", 2.0), ("02", 5.0)]


def test_minutes_that_were_missed_come_after_one_another_and_none_before_what_was_told():
    """A history comes with the newest minute first."""
    hub = Hub()
    hub.watch("bar:SPY:time:60")
    hub.put(minutes((3, 3.0)))
    hub.put(minutes((5, 5.0), (4, 4.0), (3, 3.5), (2, 2.0)))
    assert closes(hub) == [("03", 3.5), ("04", 4.0), ("05", 5.0)]
    hub.put(minutes((4, 4.5)))
    assert closes(hub) == [("03", 3.5), ("04", 4.0), ("05", 5.0)]
    _, snapshot = hub.watch("bar:SPY:time:60")
    assert json.loads(snapshot)["data"]["close"] == 5.0


@pytest.mark.parametrize(
    ("kind", "relation"),
    [("quotes", "quotes"), ("time_and_sales", "ticks"), ("trades", "trades"), ("greeks", "greeks"), ("minutes", "bars")],
)  # fmt: skip
def test_what_a_message_holds_is_called_as_the_relation_calls_it(kind, relation):
    live = BY_RESOURCE[kind]
    columns = LiveColumns({"SPY": "SPY"})
    columns.take([live.event_type, ["SPY"]], {live.event_type: ("eventSymbol",)}, AT)
    ((resource, rows, _),) = columns.cut()
    hub = Hub()
    hub.put(StreamBatch(resource, rows))
    topic = f"{KINDS[kind]}:SPY" + (":time:60" if kind == "minutes" else "")
    told_names = set(json.loads(hub.watch(topic)[1])["data"])
    text = (bundled_folder("sql") / "views" / f"{relation}.sql").read_text()
    declared = set(re.findall(r" as (\w+),?(?: --|$)", text, re.MULTILINE))
    assert told_names - declared <= {
        "streamer_symbol",
        "vendor_sequence",
        "is_valid",
        "is_extended",
        "ask_market_center",
    }


def test_an_empty_batch_and_a_resource_without_topics_change_nothing():
    hub = Hub()
    empty = batch("quotes", ("SPY", 1.0))
    hub.put(StreamBatch(empty.resource, empty.rows.slice(0, 0)))
    assert hub.watch("quote:SPY") == (0, None)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), max_size=12), st.data())
def test_who_asks_in_any_rhythm_sees_each_print_once_and_in_order(batches, data):
    hub = Hub()
    hub.watch("tick:SPY")
    seen, got = 0, []
    for prices in batches:
        hub.put(batch("time_and_sales", *(("SPY", float(p)) for p in prices)))
        if data.draw(st.booleans()):
            missed = hub.missed("tick:SPY", seen)
            assert missed.lost == 0
            got += told(missed.messages)
            seen = missed.sequence
    got += told(hub.missed("tick:SPY", seen).messages)
    sent = [float(p) for prices in batches for p in prices]
    assert got == list(enumerate(sent, 1))


def test_rows_are_not_copied_for_topics_nobody_watches():
    hub = Hub()
    given_batch = batch("quotes", ("SPY", 1.0))
    before = pa.total_allocated_bytes()
    for _ in range(100):
        hub.put(given_batch)
    assert pa.total_allocated_bytes() == before
