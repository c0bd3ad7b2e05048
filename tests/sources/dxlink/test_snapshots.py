# SPDX-License-Identifier: Apache-2.0
"""A snapshot or a transaction is seen as a whole or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ttapi.sources.dxlink.events import EventAssembler, Series

TX, REMOVE, BEGIN, END, SNIP = 0x01, 0x02, 0x04, 0x08, 0x10


def event(symbol, time, close, flags=0):
    return {"eventType": "Candle", "eventSymbol": symbol, "eventFlags": flags, "time": time, "close": close}  # fmt: skip


def snapshot(symbol, closes, ending=END | REMOVE):
    """Newest first, then what ends it: a row of its own, as the vendor sends it."""
    rows = [event(symbol, time, close) for time, close in sorted(closes.items(), reverse=True)]
    rows.append(event(symbol, 0, None, ending))
    rows[0]["eventFlags"] |= BEGIN
    return rows


def fed(events, state=None, until=None):
    """By symbol the closes by time after `events`, and which histories are truncated."""
    assembler, series = EventAssembler(), state if state is not None else {}
    for item in events[:until]:
        if change := assembler.take(item):
            series.setdefault(change.symbol, Series()).apply(change)
    assembler.drop()
    return series


def closes(series):
    return {
        symbol: {time: row["close"] for (time,), row in one.rows.items()}
        for symbol, one in series.items()
    }


HISTORIES = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]),
    st.dictionaries(st.integers(1, 60), st.integers(1, 9), max_size=20),
    min_size=1,
)


@st.composite
def interleaved(draw):
    """Histories of several symbols, and their events in one order that keeps each symbol's own."""
    histories = draw(HISTORIES)
    queues = {symbol: snapshot(symbol, history) for symbol, history in histories.items()}
    order = draw(st.permutations([s for s, queue in queues.items() for _ in queue]))
    return histories, [queues[symbol].pop(0) for symbol in order]


@given(interleaved())
def test_interleaved_snapshots_are_the_same_tables(drawn):
    histories, events = drawn
    assert closes(fed(events)) == histories


@given(interleaved(), st.data())
def test_a_drop_anywhere_leaves_old_or_new_and_nothing_between(drawn, data):
    histories, events = drawn
    old = {symbol: {99: 1} for symbol in histories}
    before = [row for symbol, history in old.items() for row in snapshot(symbol, history)]
    cut = data.draw(st.integers(0, len(events)))
    found = closes(fed(events, fed(before), cut))
    done = {row["eventSymbol"] for row in events[:cut] if row["eventFlags"] & END}
    assert found == {s: histories[s] if s in done else old[s] for s in histories}


@given(interleaved(), st.data())
def test_a_dropped_snapshot_asked_again_is_the_whole_history(drawn, data):
    histories, events = drawn
    cut = data.draw(st.integers(0, len(events)))
    assert closes(fed(events, fed(events, until=cut))) == histories


@given(st.dictionaries(st.integers(1, 9), st.integers(1, 9)), st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9))))  # fmt: skip
def test_later_rows_are_upserts_whatever_their_age(history, late):
    updates = [event("A", time, close) for time, close in late]
    assert closes(fed(snapshot("A", history) + updates)) == {"A": history | dict(late)}


def test_a_transaction_is_seen_when_its_last_event_came():
    assembler = EventAssembler()
    assert assembler.take(event("A", 1, 5, TX)) is None
    assert assembler.incomplete == {"A"}
    change = assembler.take(event("A", 2, 6))
    assert (list(change.rows), change.is_snapshot) == ([(1,), (2,)], False)
    assert assembler.incomplete == frozenset()


def test_a_snapshot_whose_last_row_is_pending_waits_for_its_transaction():
    events = [event("A", 2, 6, BEGIN), event("A", 1, 5, END | TX), event("A", 2, 7)]
    assert closes(fed(events[:2])) == {}
    assert closes(fed(events)) == {"A": {1: 5, 2: 7}}


def test_a_removed_row_is_gone():
    events = [*snapshot("A", {1: 5, 2: 6}), event("A", 2, None, REMOVE)]
    assert closes(fed(events)) == {"A": {1: 5}}


def test_an_empty_history_is_a_complete_one():
    series = fed([event("A", 0, None, BEGIN | END | REMOVE)])
    assert closes(series) == {"A": {}}
    assert series["A"].is_complete


def test_a_snip_ends_and_says_that_older_rows_were_not_sent():
    series = fed(snapshot("A", {7: 1, 8: 2}, SNIP | REMOVE))
    assert closes(series) == {"A": {7: 1, 8: 2}}
    assert series["A"].is_truncated
    again = fed(snapshot("A", {7: 1}), series)
    assert not again["A"].is_truncated


def test_a_last_row_that_holds_prices_is_kept():
    assert closes(fed([event("A", 2, 6, BEGIN), event("A", 1, 5, END)])) == {"A": {1: 5, 2: 6}}


def test_a_second_begin_starts_anew():
    events = [event("A", 9, 9, BEGIN), *snapshot("A", {1: 5})]
    assert closes(fed(events)) == {"A": {1: 5}}


def test_rows_without_flags_are_plain_updates():
    bare = {"eventType": "Candle", "eventSymbol": "A", "time": 3, "close": 4}
    assert closes(fed([bare, bare | {"eventFlags": None, "close": 5}])) == {"A": {3: 5}}


def test_what_was_pending_when_the_connection_broke_is_forgotten():
    assembler = EventAssembler()
    assert assembler.take(event("A", 1, 5, TX)) is None
    assembler.drop()
    assert list(assembler.take(event("A", 2, 6)).rows) == [(2,)]


def test_a_row_that_comes_back_within_a_transaction_is_not_removed():
    assembler = EventAssembler()
    events = [event("A", 1, None, TX | REMOVE), event("A", 2, 5, TX), event("A", 1, 7, TX), event("A", 3, None, REMOVE)]  # fmt: skip
    changes = [assembler.take(item) for item in events]
    assert changes[:3] == [None, None, None]
    assert ({k[0]: row["close"] for k, row in changes[3].rows.items()}, changes[3].removed) == ({2: 5, 1: 7}, {(3,)})  # fmt: skip
    assert changes[3].is_snapshot is False
    (gone,) = [assembler.take(item) for item in [event("A", 1, 7, TX), event("A", 1, None, REMOVE)]][1:]  # fmt: skip
    assert (gone.rows, gone.removed) == ({}, {(1,)})


def test_a_snapshot_removes_nothing_and_says_whether_older_rows_exist():
    for ending, is_truncated in ((END, False), (SNIP, True), (END | SNIP, True)):
        assembler = EventAssembler()
        done = [assembler.take(item) for item in snapshot("A", {2: 5}, ending | REMOVE)][-1]
        assert (done.is_snapshot, done.is_truncated, done.removed) == (
            True,
            is_truncated,
            frozenset(),
        )
        assert assembler.incomplete == frozenset()
    assembler = EventAssembler()
    assembler.take(snapshot("A", {2: 5})[0])
    assert assembler.incomplete == {"A"}
