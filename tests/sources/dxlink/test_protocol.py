# SPDX-License-Identifier: Apache-2.0
"""The client's side of dxLink: order of the handshake, replay after a drop, deadlines."""

from __future__ import annotations

import json

import pytest

from ttapi.sources.dxlink.protocol import (
    Authorized,
    AuthRefused,
    ChannelClosed,
    ChannelOpened,
    Deadline,
    DxLinkProtocol,
    FeedData,
    Phase,
    ServerError,
    Subscription,
    Unreadable,
)

FIELDS = {"Candle": ("eventSymbol", "time", "close")}
DAY = Subscription("Candle", "AAPL{=d}", 0)
SETUP = {"type": "SETUP", "channel": 0, "version": "1.0-2.0-sim", "keepaliveTimeout": 60}
UNAUTHORIZED = {"type": "AUTH_STATE", "channel": 0, "state": "UNAUTHORIZED"}
AUTHORIZED = {"type": "AUTH_STATE", "channel": 0, "state": "AUTHORIZED"}
OPENED = {"type": "CHANNEL_OPENED", "channel": 1, "service": "FEED", "parameters": {}}
CONFIG = {"type": "FEED_CONFIG", "channel": 1, "dataFormat": "COMPACT", "eventFields": {"Candle": ["close", "eventSymbol"]}}  # fmt: skip


@pytest.fixture
def protocol():
    protocol = DxLinkProtocol()
    protocol.open_channel("HISTORY", FIELDS)
    protocol.subscribe(1, [DAY])
    protocol.connect(0, "a-token")
    return protocol


def hear(protocol, *messages, now=0.0):
    return [
        happening
        for message in messages
        for happening in protocol.receive(json.dumps(message), now)
    ]


def sent(protocol, now=0.0):
    return [json.loads(text) for text in protocol.take_outgoing(now)]


def kinds(protocol, now=0.0):
    return [message["type"] for message in sent(protocol, now)]


def test_each_step_waits_for_the_answer_to_the_one_before(protocol):
    (setup,) = sent(protocol)
    assert setup == {
        "type": "SETUP",
        "channel": 0,
        "version": "0.1-ttapi/0.1",
        "keepaliveTimeout": 60,
        "acceptKeepaliveTimeout": 60,
    }
    assert (hear(protocol, SETUP), sent(protocol)) == ([], [])
    assert hear(protocol, UNAUTHORIZED) == []
    assert sent(protocol) == [{"type": "AUTH", "channel": 0, "token": "a-token"}]
    assert hear(protocol, AUTHORIZED) == [Authorized()]
    assert sent(protocol) == [
        {"type": "CHANNEL_REQUEST", "channel": 1, "service": "FEED", "parameters": {"contract": "HISTORY"}}
    ]  # fmt: skip
    assert hear(protocol, OPENED) == [ChannelOpened(1)]
    assert sent(protocol) == [
        {
            "type": "FEED_SETUP",
            "channel": 1,
            "acceptAggregationPeriod": 0.0,
            "acceptDataFormat": "COMPACT",
            "acceptEventFields": {"Candle": ["eventSymbol", "time", "close"]},
        },
        {"type": "FEED_SUBSCRIPTION", "channel": 1, "reset": True, "add": [{"type": "Candle", "symbol": "AAPL{=d}", "fromTime": 0}]},
    ]  # fmt: skip


def test_rows_are_read_by_the_granted_names_of_this_connection(protocol):
    hear(protocol, SETUP, UNAUTHORIZED, AUTHORIZED, OPENED, CONFIG)
    data = {"type": "FEED_DATA", "channel": 1, "data": ["Candle", [7.5, "AAPL{=d}"]]}
    row = {"eventType": "Candle", "close": 7.5, "eventSymbol": "AAPL{=d}"}
    assert hear(protocol, data) == [FeedData(1, [row], [])]
    protocol.connect(1, "a-token")
    (early,) = hear(protocol, SETUP, AUTHORIZED, OPENED, data)[-1:]
    assert (early.events, early.refused[0].reason) == ([], "no fields were granted for Candle")


def test_a_server_without_authorisation_is_not_sent_the_token(protocol):
    assert hear(protocol, SETUP, AUTHORIZED) == [Authorized()]
    assert kinds(protocol) == ["SETUP", "CHANNEL_REQUEST"]


def test_a_new_connection_asks_for_everything_wanted_again(protocol):
    hear(protocol, SETUP, UNAUTHORIZED, AUTHORIZED, OPENED, CONFIG)
    more = Subscription("Candle", "SPY{=d}", 5)
    protocol.subscribe(1, [more])
    protocol.unsubscribe(1, [DAY])
    sent(protocol)
    protocol.disconnect()
    assert (protocol.phase, protocol.deadlines()) == (Phase.CLOSED, ())
    protocol.connect(100, "another")
    hear(protocol, SETUP, UNAUTHORIZED, AUTHORIZED, OPENED)
    again = sent(protocol)
    assert [m["type"] for m in again] == ["SETUP", "AUTH", "CHANNEL_REQUEST", "FEED_SETUP", "FEED_SUBSCRIPTION"]  # fmt: skip
    assert (again[1]["token"], again[-1]["reset"], again[-1]["add"]) == ("another", True, [more.entry()])  # fmt: skip


def test_subscriptions_of_an_open_channel_go_out_at_once(protocol):
    hear(protocol, SETUP, AUTHORIZED, OPENED)
    sent(protocol)
    protocol.unsubscribe(1, [DAY, Subscription("Candle", "NONE{=d}")])
    assert sent(protocol) == [{"type": "FEED_SUBSCRIPTION", "channel": 1, "remove": [DAY.entry()]}]


def test_a_second_unauthorized_or_an_error_is_a_refused_token(protocol):
    assert hear(protocol, SETUP, UNAUTHORIZED, UNAUTHORIZED) == [AuthRefused("the token was not accepted")]  # fmt: skip
    protocol.connect(0, "other")
    error = {"type": "ERROR", "channel": 0, "error": "UNAUTHORIZED", "message": "token expired"}
    assert hear(protocol, SETUP, UNAUTHORIZED, error) == [AuthRefused("token expired")]


def test_errors_are_told_and_end_nothing(protocol):
    error = {"type": "ERROR", "channel": 1, "error": "BAD_ACTION", "message": "no such type"}
    assert hear(protocol, SETUP, AUTHORIZED, OPENED, error)[-1] == ServerError(1, "BAD_ACTION", "no such type")  # fmt: skip
    assert protocol.phase is Phase.READY


def test_a_channel_the_server_closes_is_told_and_takes_no_subscriptions(protocol):
    closed = {"type": "CHANNEL_CLOSED", "channel": 1}
    assert hear(protocol, SETUP, AUTHORIZED, OPENED, closed)[-1] == ChannelClosed(1)
    sent(protocol)
    protocol.subscribe(1, [Subscription("Candle", "SPY{=d}")])
    assert sent(protocol) == []


def test_the_columns_of_a_channel_that_was_closed_are_void(protocol):
    data = {"type": "FEED_DATA", "channel": 1, "data": ["Candle", [1.5, "AAPL{=d}"]]}
    closed = {"type": "CHANNEL_CLOSED", "channel": 1}
    *_, told = hear(protocol, SETUP, AUTHORIZED, OPENED, CONFIG, data)
    assert [event["close"] for event in told.events] == [1.5]
    *_, late = hear(protocol, closed, OPENED, data)
    assert [refusal.reason for refusal in late.refused] == ["no fields were granted for Candle"]


@pytest.mark.parametrize(
    "message",
    [
        "nonsense",
        '{"type": "FEED_CONFIG", "channel": 1, "eventFields": 3}',
        '{"type": "FEED_CONFIG", "channel": 1, "eventFields": {"Candle": [1]}}',
    ],
)
def test_a_frame_that_cannot_be_read_is_told(protocol, message):
    assert isinstance(protocol.receive(message, 0)[0], Unreadable)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "KEEPALIVE", "channel": 0},
        {"type": "DOM_SNAPSHOT", "channel": 1},
        {"type": "channel_opened", "channel": 1},
        {"type": "FEED_DATA", "channel": 9, "data": []},
        {"type": "CHANNEL_CLOSED", "channel": 9},
        {"type": "CHANNEL_OPENED", "channel": 9},
    ],
)
def test_what_concerns_nobody_changes_nothing(protocol, message):
    sent(protocol)
    assert (hear(protocol, message), sent(protocol)) == ([], [])


def test_deadlines_are_values(protocol):
    sent(protocol, 3.0)
    assert protocol.deadlines() == (Deadline("handshake", 10.0), Deadline("silence", 60.0))
    hear(protocol, SETUP, AUTHORIZED, now=4.0)
    sent(protocol, 5.0)
    assert protocol.deadlines() == (Deadline("ping", 35.0), Deadline("silence", 64.0))


def test_a_ping_goes_out_after_own_silence_and_only_then(protocol):
    hear(protocol, SETUP, AUTHORIZED)
    sent(protocol, 0.0)
    assert (protocol.pass_time(29.9), sent(protocol, 29.9)) == (None, [])
    assert (protocol.pass_time(30.0), kinds(protocol, 30.0)) == (None, ["KEEPALIVE"])
    assert (protocol.pass_time(31.0), sent(protocol, 31.0)) == (None, [])


@pytest.mark.parametrize(("steps", "now", "kind"), [([], 10.0, "handshake"), ([SETUP, AUTHORIZED], 60.0, "silence")])  # fmt: skip
def test_a_silent_server_ends_the_connection(protocol, steps, now, kind):
    hear(protocol, *steps)
    assert protocol.pass_time(now - 0.1) is None
    assert protocol.pass_time(now).kind == kind


def test_anything_heard_puts_the_silence_off(protocol):
    hear(protocol, SETUP, AUTHORIZED)
    hear(protocol, {"type": "KEEPALIVE", "channel": 0}, now=59.0)
    assert protocol.pass_time(100.0) is None


def test_channels_have_odd_numbers_and_open_once():
    protocol = DxLinkProtocol()
    assert [protocol.open_channel("HISTORY", FIELDS) for _ in range(3)] == [1, 3, 5]
    protocol.connect(0, "a-token")
    hear(protocol, SETUP, UNAUTHORIZED, AUTHORIZED)
    sent(protocol)
    assert hear(protocol, OPENED, OPENED) == [ChannelOpened(1)]
    assert kinds(protocol) == ["FEED_SETUP"]
    assert hear(protocol, OPENED | {"channel": 7}) == []


def test_an_error_called_unauthorized_refuses_the_token_until_it_was_accepted(protocol):
    error = {"type": "ERROR", "channel": 0, "error": "UNAUTHORIZED", "message": "no"}
    hear(protocol, SETUP)
    assert hear(protocol, error) == [AuthRefused("no")]
    assert hear(protocol, error | {"message": ""}) == [AuthRefused("the token was not accepted")]
    hear(protocol, UNAUTHORIZED, AUTHORIZED)
    assert hear(protocol, error) == [ServerError(0, "UNAUTHORIZED", "no")]


def test_a_deadline_has_passed_at_its_instant(protocol):
    hear(protocol, SETUP, UNAUTHORIZED, AUTHORIZED, now=10.0)
    sent(protocol, now=10.0)
    (first, second) = protocol.deadlines()
    assert (first.kind, second.kind) == ("ping", "silence")
    assert protocol.pass_time(first.at - 0.001) is None
    assert kinds(protocol, first.at) == []
    assert protocol.pass_time(first.at) is None
    assert kinds(protocol, first.at) == ["KEEPALIVE"]
    assert protocol.pass_time(second.at - 0.001) is None
    assert protocol.pass_time(second.at) == Deadline("silence", second.at)
