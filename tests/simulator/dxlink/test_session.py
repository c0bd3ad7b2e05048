# SPDX-License-Identifier: Apache-2.0
"""The simulated server keeps the rules that real clients depend on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ttapi.simulator.dxlink.session import Close, DxLinkSession
from ttapi.simulator.faults import Faults
from ttapi.simulator.vendor_market import VendorMarket

NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
SETUP = {"type": "SETUP", "channel": 0, "version": "0.1-test", "keepaliveTimeout": 60}
AUTH = {"type": "AUTH", "channel": 0, "token": "good"}
OPEN = {
    "type": "CHANNEL_REQUEST",
    "channel": 1,
    "service": "FEED",
    "parameters": {"contract": "AUTO"},
}
DAYS = {"type": "Candle", "symbol": "SPY{=1d}", "fromTime": 1717200000000}
"""From 2024-06-01 on: ten sessions to 2024-06-14."""


@pytest.fixture(scope="module")
def market():
    return VendorMarket(7, NOW, symbols=30)


class Talk:
    """A session and what was said to it."""

    def __init__(self, market, *faults):
        self.faults = Faults(faults)
        self.session = DxLinkSession(market, "good".__eq__, self.faults, 0.0)

    def say(self, *messages, now=0.0):
        for message in messages:
            text = message if isinstance(message, str) else json.dumps(message)
            self.session.receive(text, now)
        return self.hear(now)

    def hear(self, now=0.0):
        found = []
        while items := self.session.take_outgoing(now):
            found += [item if isinstance(item, Close) else json.loads(item) for item in items]
        return found


@pytest.fixture
def talk(market):
    return lambda *faults: Talk(market, *faults)


@pytest.fixture
def ready(talk):
    """A talk with channel 1 open."""

    def start(*faults, contract="AUTO"):
        made = talk(*faults)
        made.say(SETUP, AUTH, OPEN | {"parameters": {"contract": contract}})
        return made

    return start


def subscribe(*entries, **more):
    return {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": list(entries), **more}


def compact(kind, names):
    return {"type": "FEED_SETUP", "channel": 1, "acceptDataFormat": "COMPACT", "acceptEventFields": {kind: names}}  # fmt: skip


def candles(messages):
    return [row for m in messages if m["type"] == "FEED_DATA" for row in m["data"]]


def kinds(messages):
    return [m if isinstance(m, Close) else m.get("state") or m.get("error") or m["type"] for m in messages]  # fmt: skip


def test_setup_is_answered_with_the_keepalive_and_unauthorized_unasked(talk):
    answer = talk().say({"type": "SETUP", "channel": 0, "version": "0.1-js/1.0.0"})
    assert answer == [
        {"type": "SETUP", "channel": 0, "version": "1.0-0.1-ttapi-simulator", "keepaliveTimeout": 60, "acceptKeepaliveTimeout": 60},
        {"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"},
    ]  # fmt: skip


def test_whoever_hurries_gets_the_same_answers_in_order(talk):
    hasty = talk().say(SETUP, AUTH, OPEN, subscribe({"type": "Quote", "symbol": "SPY"}))
    assert kinds(hasty) == ["SETUP", "UNAUTHORIZED", "AUTHORIZED", "CHANNEL_OPENED", "FEED_CONFIG", "FEED_DATA"]  # fmt: skip
    early = talk()
    assert early.say(AUTH, OPEN) == []
    assert kinds(early.say(SETUP)) == ["SETUP", "UNAUTHORIZED", "AUTHORIZED", "CHANNEL_OPENED"]


def test_a_wrong_token_is_refused_and_the_socket_closed(talk):
    answer = talk().say(SETUP, AUTH | {"token": "bad"})
    assert kinds(answer)[2:] == ["UNAUTHORIZED", "UNAUTHORIZED", Close(1000, "Unauthorized")]


def test_slow_authorisation_keeps_what_came_meanwhile(talk):
    slow = talk("slow-auth:s=2")
    assert kinds(slow.say(SETUP, AUTH, OPEN)) == ["SETUP", "UNAUTHORIZED"]
    slow.session.pass_time(1.9)
    assert slow.hear(1.9) == []
    slow.session.pass_time(2.0)
    assert kinds(slow.hear(2.0)) == ["AUTHORIZED", "CHANNEL_OPENED"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("{", "INVALID_MESSAGE"),
        ("[]", "INVALID_MESSAGE"),
        ({"type": "NO_SUCH", "channel": 1}, "INVALID_MESSAGE"),
        ({"type": "CHANNEL_REQUEST", "channel": "1"}, "INVALID_MESSAGE"),
        (OPEN, "BAD_ACTION"),
        (OPEN | {"channel": 2}, "BAD_ACTION"),
        (OPEN | {"channel": 3, "service": "DOM"}, "BAD_ACTION"),
        (OPEN | {"channel": 3, "parameters": {"contract": "BEST"}}, "BAD_ACTION"),
        ({"type": "FEED_SETUP", "channel": 9}, "BAD_ACTION"),
        (compact("Quote", "all"), "BAD_ACTION"),
        (subscribe({"type": "Order", "symbol": "SPY"}), "BAD_ACTION"),
        (subscribe({"type": "Quote", "symbol": "*"}), "BAD_ACTION"),
        (subscribe({"type": "Quote"}), "BAD_ACTION"),
        (subscribe(DAYS | {"fromTime": "today"}), "BAD_ACTION"),
        ({"type": "FEED_SUBSCRIPTION", "channel": 1, "add": 3}, "BAD_ACTION"),
    ],
)
def test_what_cannot_be_done_is_an_error_that_ends_nothing(ready, message, error):
    talk = ready()
    (answer,) = talk.say(message)
    assert (answer["type"], answer["error"]) == ("ERROR", error)
    assert candles(talk.say(subscribe({"type": "Quote", "symbol": "SPY"})))


def test_another_protocol_is_refused(talk):
    assert kinds(talk().say(SETUP | {"version": "2.0"})) == ["UNSUPPORTED_PROTOCOL", Close(1000, "Unsupported protocol")]  # fmt: skip


def test_a_silent_client_is_told_and_closed_and_a_silent_server_pings(ready):
    talk = ready()
    talk.session.pass_time(29.0)
    assert talk.hear(29.0) == []
    talk.session.pass_time(30.0)
    assert talk.hear(30.0) == [{"type": "KEEPALIVE", "channel": 0}]
    talk.session.pass_time(60.0)  # the whole of what was agreed may be silence
    assert kinds(talk.hear(60.0)) == ["KEEPALIVE"]
    talk.session.pass_time(61.0)
    assert kinds(talk.hear(61.0)) == ["TIMEOUT", Close(1000, "Timeout")]


@pytest.mark.parametrize("promised", [0, -1, "60", None])
def test_a_client_that_promises_no_time_has_the_servers(talk, promised):
    made = talk()
    made.say(SETUP | {"keepaliveTimeout": promised})
    made.session.pass_time(60.0)
    assert kinds(made.hear(60.0)) == ["KEEPALIVE"]


def test_compact_rows_have_the_columns_asked_for_and_no_other(ready):
    names = ["eventSymbol", "askPrice", "vwap", "bidPrice", "noSuchField"]
    config, data = ready().say(compact("Quote", names), subscribe({"type": "Quote", "symbol": "SPY"}))  # fmt: skip
    assert config == {
        "type": "FEED_CONFIG", "channel": 1, "aggregationPeriod": 0.0, "dataFormat": "COMPACT", "eventFields": {"Quote": names},
    }  # fmt: skip
    kind, (symbol, ask, vwap, bid, unknown) = data["data"]
    assert (kind, symbol, vwap, unknown) == ("Quote", "SPY", "NaN", "NaN")
    assert 0 < bid < ask


def test_one_compact_message_holds_one_type(ready):
    data = ready().say(
        {"type": "FEED_SETUP", "channel": 1, "acceptDataFormat": "COMPACT"},
        subscribe({"type": "Quote", "symbol": "SPY"}, {"type": "Trade", "symbol": "SPY"}),
    )
    assert [len(m["data"]) for m in data if m["type"] == "FEED_DATA"] == [2, 2]


def test_a_history_is_newest_first_between_its_flags_under_the_normalised_symbol(ready, market):
    rows = candles(ready(contract="HISTORY").say(subscribe(DAYS)))
    bars = market.bars("SPY", datetime(2024, 6, 1).date())
    assert [r["close"] for r in rows[:-1]] == [bar.close for bar in reversed(bars)]
    assert [r["eventFlags"] for r in rows] == [4, *[0] * (len(bars) - 1), 0x0A]
    assert {r["eventSymbol"] for r in rows} == {"SPY{=d}"}
    assert (rows[-1]["close"], rows[-1]["time"], rows[-1]["count"]) == ("NaN", 1717200000000, 0)


def test_a_bare_candle_symbol_is_echoed_as_it_was_sent(ready):
    (row,) = candles(ready().say(subscribe({"type": "Candle", "symbol": "SPY", "fromTime": 0})))
    assert row["eventSymbol"] == "SPY"


@pytest.mark.parametrize("symbol", ["NOSUCH{=d}", "SPY{=3x}", "SPY{"])
def test_what_has_no_history_has_an_empty_one(ready, symbol):
    (row,) = candles(ready().say(subscribe(DAYS | {"symbol": symbol})))
    assert (row["eventFlags"], row["close"]) == (0x0E, "NaN")


def test_nothing_known_is_no_message_and_never_an_empty_list(ready):
    assert kinds(ready().say(subscribe({"type": "Quote", "symbol": "NOSUCH"}))) == ["FEED_CONFIG"]


def test_a_history_longer_than_the_cap_is_snipped(ready):
    rows = candles(ready("snip:at=3").say(subscribe(DAYS)))
    assert [r["eventFlags"] for r in rows] == [4, 0, 0x10]
    assert "NaN" not in {r["close"] for r in rows}


def test_auto_can_answer_candles_with_nothing_while_history_answers(ready):
    assert [r["eventFlags"] for r in candles(ready("auto-empty-candles").say(subscribe(DAYS)))] == [0x0E]  # fmt: skip
    history = ready("auto-empty-candles", contract="HISTORY")
    assert len(candles(history.say(subscribe(DAYS)))) == 11


def test_removed_and_reset_subscriptions_are_forgotten():
    moments = [NOW.replace(hour=15, minute=minute) for minute in (0, 5, 10)]
    clock = iter(moments)
    moment = [next(clock)]
    talk = Talk(VendorMarket(7, lambda: moment[0], symbols=30))
    talk.say(SETUP, AUTH, OPEN)
    names = {"type": "Trade", "symbol": "SPY"}, {"type": "Trade", "symbol": "QQQ"}
    talk.say(subscribe(*names))
    for change, left in (({"remove": [names[0]]}, {"QQQ"}), ({"reset": True}, set())):
        talk.say({"type": "FEED_SUBSCRIPTION", "channel": 1, **change})
        moment[0] = next(clock)
        talk.session.update()
        assert {row["eventSymbol"] for row in candles(talk.hear())} == left


def test_the_forming_bar_is_repeated_when_it_changed_and_only_then():
    moment = [NOW.replace(hour=15)]
    talk = Talk(VendorMarket(7, lambda: moment[0], symbols=30))
    talk.say(SETUP, AUTH, OPEN)
    first = candles(talk.say(subscribe(DAYS)))[0]
    talk.session.update()
    assert talk.hear() == []
    moment[0] = NOW.replace(hour=16)
    talk.session.update()
    (again,) = candles(talk.hear())
    assert (again["time"], again["eventFlags"]) == (first["time"], 0)
    assert again["volume"] > first["volume"]


def test_a_cancelled_channel_is_closed(ready):
    talk = ready()
    assert talk.say({"type": "CHANNEL_CANCEL", "channel": 1}) == [{"type": "CHANNEL_CLOSED", "channel": 1}]  # fmt: skip
    assert kinds(talk.say(subscribe(DAYS))) == ["BAD_ACTION"]


def test_faults_change_form_and_order(ready):
    assert len(candles(ready("duplicates").say(subscribe(DAYS)))) > 11
    (config, *_) = ready("reorder-fields", "fewer-fields").say(compact("Candle", ["eventSymbol", "VWAP", "close"]))  # fmt: skip
    assert config["eventFields"] == {"Candle": ["close", "eventSymbol"]}
    single = ready("one-event-per-array").say(subscribe(DAYS))
    assert {len(m["data"]) for m in single if m["type"] == "FEED_DATA"} == {1}


def test_faults_break_the_connection_once(ready):
    dropped = ready("drop-mid-snapshot:after=4")
    answer = dropped.say(subscribe(DAYS))
    assert (len(candles(answer[:-1])), answer[-1]) == (4, Close(None))
    assert dropped.faults.active("drop-mid-snapshot") is None
    mute = ready("mute:after=1")
    assert len(mute.say(subscribe({"type": "Quote", "symbol": "SPY"}, DAYS))) == 2
    assert (mute.session.is_mute, mute.say({"type": "KEEPALIVE", "channel": 0})) == (True, [])
    assert kinds(ready("close-1009:bytes=300").say("x" * 300)) == ["INVALID_MESSAGE"]
    assert ready("close-1009:bytes=300").say("x" * 301) == [Close(1009, "Message too big")]
    assert kinds(ready("close-1009:bytes=300").say("é" * 150)) == ["INVALID_MESSAGE"]
    assert ready("close-1009:bytes=300").say("é" * 151) == [Close(1009, "Message too big")]


def test_a_candle_at_the_very_beginning_ends_the_history_itself(ready, market):
    monday = 1717372800000
    rows = candles(ready(contract="HISTORY").say(subscribe(DAYS | {"fromTime": monday})))
    assert (rows[-1]["time"], rows[-1]["eventFlags"]) == (monday, 8)
    assert rows[-1]["close"] == market.bars("SPY", datetime(2024, 6, 3).date())[0].close
