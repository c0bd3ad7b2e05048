# SPDX-License-Identifier: Apache-2.0
"""Histories are paced, end when they are settled, and fail alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ttapi.sources.dxlink.candles import ANSWER_S, SETTLE_S, CandleRequest, HistoryRun
from ttapi.sources.dxlink.events import RefusedRows


def requests(*symbols):
    return [CandleRequest(f"{symbol}{{=1d}}", 0) for symbol in symbols]


def row(symbol, time, close=1.0, flags=0):
    return {"eventType": "Candle", "eventSymbol": f"{symbol}{{=d}}", "eventFlags": flags, "time": time, "close": close}  # fmt: skip


def whole(symbol, *times):
    """A history of those times, newest first."""
    rows = [row(symbol, time) for time in sorted(times, reverse=True)] + [
        row(symbol, 0, None, 0x0A)
    ]
    rows[0]["eventFlags"] |= 0x04
    return rows


def symbols(subscriptions):
    return [subscription.symbol for subscription in subscriptions]


def test_as_many_as_allowed_are_under_way_and_the_next_follow():
    run = HistoryRun(requests("A", "B", "C", "D"), in_flight=2)
    assert symbols(run.next_requests(0)) == ["A{=d}", "B{=d}"]
    assert run.next_requests(0) == []
    run.take(whole("B", 1), [], 1)
    assert symbols(run.next_requests(1)) == ["C{=d}"]
    assert run.finished(1) == []
    assert [h.request.symbol for h in run.finished(1 + SETTLE_S)] == ["B{=1d}"]


def test_a_correction_on_its_heels_is_part_of_a_history():
    run = HistoryRun(requests("A"))
    run.next_requests(0)
    run.take(whole("A", 1, 2), [], 0)
    run.take([row("A", 1, 9.0)], [], SETTLE_S / 2)
    (history,) = run.finished(SETTLE_S)
    assert [(c["time"], c["close"]) for c in history.candles] == [(1, 9.0), (2, 1.0)]
    assert not run.is_open


def test_what_does_not_come_fails_alone_with_what_the_server_said():
    run = HistoryRun(requests("A", "B"))
    run.next_requests(0)
    run.complaint = "BAD_ACTION no such symbol"
    run.take([row("B", 5, flags=4)], [], ANSWER_S - 1)
    (failed,) = run.finished(ANSWER_S)
    assert failed.request.symbol == "A{=1d}"
    assert failed.error == "no whole history of A{=d} came within 90 s; the server said: BAD_ACTION no such symbol"  # fmt: skip
    assert run.due_at() == ANSWER_S - 1 + ANSWER_S


def test_two_requests_for_one_series_take_turns():
    run = HistoryRun([CandleRequest("A{=d}", 5), CandleRequest("A{=1d}", 0)])
    assert [s.from_time for s in run.next_requests(0)] == [5]
    run.take(whole("A", 7), [], 0)
    run.finished(SETTLE_S)
    assert [s.from_time for s in run.next_requests(SETTLE_S)] == [0]


def test_rows_that_cannot_be_read_are_told_of_those_under_way():
    run = HistoryRun(requests("A"))
    run.next_requests(0)
    bad = row("A", "noon")
    run.take(
        [row("A", 3, flags=4), bad, row("A", 0, None, 0x0A)], [RefusedRows("no row", "x", 3)], 0
    )
    (history,) = run.finished(SETTLE_S)
    assert [c["time"] for c in history.candles] == [3]
    assert [r.reason for r in history.refused] == ["time is no whole number"]
    assert history.rows_unread == 3


def test_rows_of_nobody_are_no_matter():
    run = HistoryRun(requests("A"))
    run.next_requests(0)
    run.take([*whole("Z", 1), {"eventType": "Quote", "eventSymbol": "A{=d}"}], [], 0)
    assert run.finished(0) == []


def test_after_a_drop_only_the_incomplete_is_asked_anew():
    run = HistoryRun(requests("A", "B"))
    run.next_requests(0)
    run.take([*whole("A", 1), row("B", 9, flags=4)], [], 0)
    run.start_over(10)
    run.take([row("B", 1, flags=0x0C)], [], 10)
    done = {h.request.symbol: [c["time"] for c in h.candles] for h in run.finished(11)}
    assert done == {"A{=1d}": [1], "B{=1d}": [1]}


def test_giving_up_names_everything_left_once():
    run = HistoryRun(requests("A", "B", "C"), in_flight=1)
    run.next_requests(0)
    assert [(h.request.symbol, h.error) for h in run.give_up("gone")] == [("A{=1d}", "gone"), ("B{=1d}", "gone"), ("C{=1d}", "gone")]  # fmt: skip
    assert not run.is_open


@given(st.lists(st.sets(st.integers(1, 50)), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_every_request_gets_its_own_rows_whatever_the_pace(histories, in_flight, data):
    names = [f"S{n}" for n in range(len(histories))]
    run = HistoryRun(requests(*names), in_flight)
    queues, found, now = {}, {}, 0.0
    while run.is_open:
        for subscription in run.next_requests(now):
            name = subscription.symbol.partition("{")[0]
            queues[name] = whole(name, *histories[names.index(name)])
        waiting = sorted(name for name, queue in queues.items() if queue)
        if waiting:
            name = data.draw(st.sampled_from(waiting))
            count = data.draw(st.integers(1, len(queues[name])))
            run.take(queues[name][:count], [], now)
            del queues[name][:count]
        now += 0.1
        for history in run.finished(now):
            found[history.request.symbol.partition("{")[0]] = [c["time"] for c in history.candles]
    assert found == {name: sorted(times) for name, times in zip(names, histories, strict=True)}


def test_the_end_of_a_dropped_history_ends_nothing():
    run = HistoryRun(requests("A"))
    run.next_requests(0)
    run.take([row("A", 9, flags=4)], [], 0)
    run.start_over(1)
    run.take([row("A", 8, flags=8)], [], 1)
    assert run.finished(1 + SETTLE_S) == []
