# SPDX-License-Identifier: Apache-2.0
"""`/api/v1/stream` with a real WebSocket client: who may, snapshot then changes, what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stream_socket import ended, heard, next_of, opened, say
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ttapi.api import Hub
from ttapi.server.stream import STUCK_S
from ttapi.sources.contract import StreamBatch
from ttapi.sources.dxlink.live import LiveColumns

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "websocket.md").read_text()
AT = datetime(2024, 6, 14, 20, 0, tzinfo=UTC)
FIELD = {"Quote": "bidPrice", "TimeAndSale": "price"}


def batch(event_type, *prices, symbol="SPY"):
    columns = LiveColumns({symbol: symbol})
    fields = ("eventSymbol", FIELD[event_type])
    columns.take([event_type, [v for price in prices for v in (symbol, price)]], {event_type: fields}, AT)  # fmt: skip
    ((resource, rows, _),) = columns.cut()
    return StreamBatch(resource, rows)


@pytest.fixture(scope="module")
def streaming(make_bars_lab, run_daemon, tmp_path_factory):
    """A daemon with a hub that the test feeds."""
    hub = Hub()
    with run_daemon(make_bars_lab(tmp_path_factory.mktemp("streamed")), hub=hub) as daemon:
        daemon.hub = hub
        yield daemon


def client(daemon, role="viewer", **changes):
    return opened(daemon, role and f"token-of-{role}", **changes)


def test_a_snapshot_then_what_changes(streaming):
    streaming.hub.put(batch("Quote", 1.0, 2.0, symbol="AAA"))
    with client(streaming) as socket:
        say(socket, "subscribe", topics=["quote:AAA"])
        snapshot, status = heard(socket), heard(socket)
        assert (snapshot["type"], snapshot["topic"], snapshot["sequence"], snapshot["data"]["bid"]) == ("snapshot", "quote:AAA", 1, 2.0)  # fmt: skip
        assert status["data"] == {"action": "subscribed", "topics": ["quote:AAA"]}
        streaming.hub.put(batch("Quote", 3.0, symbol="AAA"))
        changed = heard(socket)
        assert (changed["type"], changed["sequence"], changed["data"]["bid"]) == ("quote", 2, 3.0)
        assert changed["timestamp"] == "2024-06-14T20:00:00Z"


def test_symbols_are_written_in_capitals_and_what_is_not_streamed_is_told(
    make_bars_lab, run_daemon, tmp_path
):
    hub = Hub(["SPY"])
    with run_daemon(make_bars_lab(tmp_path), hub=hub) as daemon, client(daemon) as socket:
        say(socket, "subscribe", topics=["quote:spy", "quote:NOSUCH"])
        error = next_of(socket, "error")
        assert error["data"] == {"topic": "quote:NOSUCH", "detail": "NOSUCH is not streamed here: ttapi serve --stream NOSUCH"}  # fmt: skip
        assert heard(socket)["data"] == {"action": "subscribed", "topics": ["quote:SPY"]}
        hub.put(batch("Quote", 3.0))
        assert (heard(socket)["topic"]) == "quote:SPY"


def test_every_print_comes_in_order_and_a_resumed_topic_goes_on(streaming):
    with client(streaming) as first, client(streaming) as second:
        for socket in (first, second):
            say(socket, "subscribe", topics=["tick:BBB"])
            assert heard(socket)["data"]["action"] == "subscribed"
        streaming.hub.put(batch("TimeAndSale", 1.0, 2.0, 3.0, symbol="BBB"))
        assert [heard(first)["data"]["price"] for _ in range(3)] == [1.0, 2.0, 3.0]
        say(first, "unsubscribe", topics=["tick:BBB"])
        assert heard(first)["data"] == {"action": "unsubscribed", "topics": []}
        streaming.hub.put(batch("TimeAndSale", 4.0, symbol="BBB"))
        say(first, "resume", topic="tick:BBB", sequence=2)
        back = [heard(first) for _ in range(3)]
        prints = [one for one in back if one["type"] == "tick"]
        assert [(one["sequence"], one["data"]["price"]) for one in prints] == [(3, 3.0), (4, 4.0)]


def test_a_topic_that_cannot_be_resumed_begins_with_a_snapshot(streaming):
    streaming.hub.put(batch("TimeAndSale", 1.0, 2.0, symbol="CCC"))
    with client(streaming) as socket:
        say(socket, "resume", topic="tick:CCC", sequence=0)
        assert (heard(socket)["type"], heard(socket)["data"]["action"]) == ("snapshot", "resumed")


def test_who_takes_nothing_in_for_ten_seconds_is_let_go_of_and_told_why(
    make_bars_lab, run_daemon, tmp_path
):
    """A client that does not read while prints come, beside one that does."""
    hub, passed_s = Hub(), [0.0]
    prints = batch("TimeAndSale", *map(float, range(900)))

    def clock():
        return time.monotonic() + passed_s[0]

    lab = make_bars_lab(tmp_path)
    with run_daemon(lab, hub=hub, stream_clock=clock) as daemon, daemon.client() as other:
        with client(daemon) as slow:
            say(slow, "subscribe", topics=["tick:SPY"])
            assert heard(slow)["data"]["action"] == "subscribed"
            while "ttapi_open_sockets 1" in (metrics := other.get("/metrics").text):
                hub.put(prints)
                passed_s[0] += STUCK_S
            assert "ttapi_open_sockets 0" in metrics
            with pytest.raises(ConnectionClosed) as closed:
                while True:  # what had been sent before
                    assert heard(slow)["type"] == "tick"
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too slow")
        with client(daemon) as again:
            say(again, "subscribe", topics=["tick:SPY"])
            assert next_of(again, "status")["data"]["topics"] == ["tick:SPY"]


@pytest.mark.parametrize("token", ["wrong", "", 7, None])
def test_nobody_stays_without_a_token_that_is_good(streaming, token):
    with client(streaming, role=None) as socket:
        say(socket, "auth", token=token)
        assert ended(socket) == (1008, "a bearer token that is good is needed")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"type": "subscribe", "data": {"topics": ["quote:SPY"]}}', "[" * 5000]
)
def test_the_first_message_says_who_asks(streaming, text):
    with client(streaming, role=None) as socket:
        socket.send(text)
        assert ended(socket)[0] == 1008


def test_a_subprotocol_may_bear_the_token_and_a_wrong_renewal_ends_it(streaming):
    with client(streaming, role=None, subprotocols=["ttapi", "bearer.token-of-viewer"]) as socket:
        assert socket.subprotocol == "ttapi"
        assert heard(socket)["data"] == {"action": "authenticated"}
        say(socket, "auth", token="token-of-viewer")
        assert heard(socket)["data"] == {"action": "authenticated"}
        say(socket, "auth", token="token-of-nobody")
        assert ended(socket)[0] == 1008


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("7", "a JSON object"),
        ("nonsense", "a JSON object"),
        (b"\x00\x01", "a JSON object"),
        ('{"type": ["a"]}', "\"['a']\" is no type of message"),
        ('{"type": "dance"}', "'dance' is no type of message"),
        ('{"type": "subscribe"}', "data names topics"),
        ('{"type": "subscribe", "data": {"topics": []}}', "data names topics"),
        ('{"type": "subscribe", "data": {"topics": "quote:SPY"}}', "data names topics"),
        ('{"type": "subscribe", "data": {"topics": ["quote:"]}}', "no topic is called that"),
        ('{"type": "subscribe", "data": {"topics": ["positions:SPY"]}}', "no topic is called that"),
        ('{"type": "subscribe", "data": {"topics": [{"a": 1}]}}', "no topic is called that"),
    ],
)
def test_what_cannot_be_understood_is_told_and_the_socket_stays(streaming, message, told):
    with client(streaming) as socket:
        socket.send(message)
        answer = heard(socket)
        assert (answer["type"], told in answer["data"]["detail"]) == ("error", True)
        streaming.hub.put(batch("Quote", 1.0, symbol="DDD"))
        say(socket, "subscribe", topics=["quote:DDD"])
        kinds = [heard(socket)["type"] for _ in range(2)]
        while "snapshot" not in kinds:
            kinds.append(heard(socket)["type"])


def test_another_page_and_another_host_open_no_socket(streaming):
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        with pytest.raises(InvalidStatus):
            client(streaming, additional_headers=headers).__enter__()


def test_where_nothing_is_streamed_that_is_told(daemon):
    with client(daemon) as socket:
        say(socket, "subscribe", topics=["quote:SPY"])
        assert "ttapi serve --stream" in heard(socket)["data"]["detail"]


def test_a_message_that_is_too_long_ends_the_socket(streaming):
    with client(streaming) as socket:
        socket.send("x" * 70_000)
        assert ended(socket)[0] == 1009


def test_the_example_of_the_page_prints_what_comes(streaming, tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    place = {"base_url": streaming.base_url, "token": "token-of-viewer", "pid": 1}
    (tmp_path / "port.json").write_text(json.dumps(place))
    streaming.hub.put(batch("Quote", 7.0))
    streaming.hub.put(batch("TimeAndSale", 8.0))
    command = [sys.executable, "-u", "-c", example]
    environ = {**os.environ, "PORT_FILE": str(tmp_path / "port.json")}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as client:
        told = [client.stdout.readline().split(None, 3)[:2] for _ in range(4)]
        client.kill()
    assert told == [["status", "None"], ["snapshot", "quote:SPY"], ["snapshot", "tick:SPY"], ["status", "None"]]  # fmt: skip


def test_the_page_names_every_kind_of_topic(streaming):
    with client(streaming, role="analyst") as socket:
        for topic in re.findall(r"^\| `([^`]+)`", PAGE.partition("## Topics")[2].partition("##")[0], re.MULTILINE):  # fmt: skip
            if topic.startswith("watch:"):
                continue
            asked = topic.replace("SYMBOL", "ZZZ")
            say(socket, "subscribe", topics=[asked])
            assert asked in next_of(socket, "status")["data"]["topics"]
