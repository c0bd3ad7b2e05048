# SPDX-License-Identifier: Apache-2.0
"""Topics that are no live events: queries that are watched, the grid, health, refreshes, the daemon itself."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from stream_socket import heard, next_of, opened, say

from ttapi.server.topics import WATCHES, topic_of

SQL = "select symbol, max(high) as highest from eod group by symbol order by symbol"


@pytest.fixture
def changing(make_bars_lab, run_daemon, tmp_path):
    """A daemon whose bars the test changes."""
    with run_daemon(make_bars_lab(tmp_path)) as daemon:
        yield daemon


def client(daemon, role="viewer"):
    return opened(daemon, f"token-of-{role}")


def next_about(socket, topic):
    while (message := heard(socket)).get("topic") != topic:
        pass
    return message


def add_bar(daemon, high):
    daemon.lab.write_bars("NEW.csv", [(date(2024, 6, 13), 10, high, 9, 10)])
    daemon.lab.refresh()


def test_a_watched_query_tells_its_answer_and_then_what_differs(changing):
    topic = topic_of(SQL)
    with client(changing) as socket:
        say(socket, "subscribe", watch=SQL)
        assert next_of(socket, "status")["data"] == {"action": "subscribed", "watch": topic, "topics": [topic]}  # fmt: skip
        first = next_about(socket, topic)
        assert (first["type"], first["sequence"]) == ("snapshot", 1)
        assert [row["symbol"] for row in first["data"]["rows"]] == ["AAA", "BBB", "C.C"]
        assert [column["name"] for column in first["data"]["columns"]] == ["symbol", "highest"]
        add_bar(changing, 20)
        second = next_about(socket, topic)
        assert (second["type"], second["sequence"]) == ("change", 2)
        data = second["data"]
        assert (data["gone"], data["before"], data["after"]) == ([], [], [])
        assert data["added"] == [{"symbol": "NEW", "highest": 20.0}]
        add_bar(changing, 21)
        third = next_about(socket, topic)["data"]
        assert third["before"] == [{"symbol": "NEW", "highest": 20.0}]
        assert third["after"] == [{"symbol": "NEW", "highest": 21.0}]
        assert third["generation"] > data["generation"]
        say(socket, "unsubscribe", topics=[topic])
        assert next_of(socket, "status")["data"] == {"action": "unsubscribed", "topics": []}


def test_equal_texts_share_one_run_and_who_comes_later_gets_the_answer(changing):
    runs = []
    sandbox = changing.served.sandboxes.of(False)
    run = sandbox.sql

    def counted(sql, *rest, **facts):
        runs.append(sql)
        return run(sql, *rest, **facts)

    sandbox.sql = counted
    with client(changing) as first, client(changing) as second:
        for socket in (first, second):
            say(socket, "subscribe", watch=f"  {SQL}\n" if socket is second else SQL)
            snapshot = next_about(socket, topic_of(SQL))
            assert (snapshot["type"], len(snapshot["data"]["rows"])) == ("snapshot", 3)
        assert runs == [SQL]
        add_bar(changing, 20)
        changes = [next_about(socket, topic_of(SQL)) for socket in (first, second)]
        assert changes[0] == changes[1]
        assert runs == [SQL, SQL]


def test_who_may_see_private_data_shares_no_run_with_who_may_not(changing):
    sql = "select count(*) as n from accounts"
    with client(changing) as viewer, client(changing, "admin") as admin:
        for socket in (viewer, admin):
            say(socket, "subscribe", watch=sql)
        assert next_about(viewer, topic_of(sql))["type"] == "error"
        assert next_about(admin, topic_of(sql))["data"]["rows"] == [{"n": 0}]


def test_a_caller_has_a_few_queries_watched_over_all_sockets(daemon):
    with client(daemon) as first, client(daemon) as second:
        for n in range(WATCHES):
            say(first if n % 2 else second, "subscribe", watch=f"select {n} as n")
            assert next_of(first if n % 2 else second, "status")["data"]["action"] == "subscribed"
        say(second, "subscribe", watch="select 99")
        assert (
            next_of(second, "error")["data"]["detail"] == f"{WATCHES} queries are watched already"
        )
        say(second, "unsubscribe", topics=[topic_of("select 0 as n")])
        say(second, "subscribe", watch="select 99 as n")
        assert next_about(second, topic_of("select 99 as n"))["data"]["rows"] == [{"n": 99}]


@pytest.mark.parametrize(
    ("sql", "detail"),
    [
        ("select * frm eod", "syntax error"),
        ("select * from nobody", "nobody does not exist"),
        ("select * from read_csv('/etc/passwd')", "read_csv is not available here"),
        ("drop table eod", "eod cannot be written"),
    ],
)
def test_what_cannot_be_watched_is_told_on_its_topic(daemon, sql, detail):
    with client(daemon) as socket:
        say(socket, "subscribe", watch=sql)
        message = next_about(socket, topic_of(sql))
        assert message["type"] == "error"
        assert detail in message["data"]["detail"]


@pytest.mark.parametrize("sql", ["", " ", 7, None, ["select 1"]])
def test_a_watch_is_a_text(daemon, sql):
    with client(daemon) as socket:
        say(socket, "subscribe", watch=sql)
        assert next_of(socket, "error")["data"]["detail"] == "watch is the text of one SELECT"


def test_the_grid_and_health_are_told_when_what_they_show_has_changed(changing):
    with client(changing) as socket:
        say(socket, "subscribe", topics=["grid", "health"])
        found = {m["topic"]: m for m in (next_of(socket, "snapshot"), next_of(socket, "snapshot"))}
        assert [row["symbol"] for row in found["grid"]["data"]["rows"]] == ["AAA", "BBB", "C.C"]
        assert "rows" in found["health"]["data"]
        add_bar(changing, 20)
        assert [row["symbol"] for row in next_about(socket, "grid")["data"]["added"]] == ["NEW"]


def test_refreshes_are_told_as_they_move_on(changing):
    with client(changing, "analyst") as socket, changing.client("operator") as operator:
        say(socket, "subscribe", topics=["tasks"])
        assert next_about(socket, "tasks")["data"] == {"tasks": []}
        task = operator.post("/api/v1/refresh", json={"datasets": ["eod"]}).json()["id"]
        states = []
        while "done" not in states:
            message = next_about(socket, "tasks")
            assert message["type"] == "status"
            states += [one["state"] for one in message["data"]["tasks"] if one["id"] == task]
    with client(changing) as socket:
        say(socket, "subscribe", topics=["tasks"])
        assert next_of(socket, "error")["data"] == {"topic": "tasks", "detail": "this needs role analyst"}  # fmt: skip


def test_the_daemon_tells_its_generation_when_it_moves(changing):
    with client(changing) as socket:
        say(socket, "subscribe", topics=["system"])
        first = next_about(socket, "system")
        assert first["type"] == "snapshot"
        assert first["data"]["stream"] is None
        add_bar(changing, 20)
        then = next_about(socket, "system")
        assert then["type"] == "status"
        assert then["data"]["generation"] == first["data"]["generation"] + 1


def test_nothing_is_looked_at_while_nobody_watches(changing):
    with client(changing) as socket:
        say(socket, "subscribe", topics=["system"])
        next_about(socket, "system")
        (thread,) = [one for one in threading.enumerate() if one.name == "topics"]
    thread.join(60)
    assert not thread.is_alive()


def test_a_query_that_was_let_go_of_is_watched_by_its_text_again(daemon):
    with client(daemon) as socket:
        say(socket, "subscribe", topics=[topic_of("select 1")])
        assert next_of(socket, "error")["data"]["detail"] == "a query is watched by its text"
        say(socket, "resume", topic="system", sequence=0)
        assert next_about(socket, "system")["type"] == "snapshot"
