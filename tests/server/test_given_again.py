# SPDX-License-Identifier: Apache-2.0
"""The same question of the same generation gets the answer that was found, as it would be found again."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from moved_clock import MovedClock

from ttapi.server.routes import API
from ttapi.server.rows import Kept

ROWS = f"{API}/relations/eod/rows?where=symbol:eq:AAA"


@pytest.fixture
def clock():
    return MovedClock(1_000.0)


@pytest.fixture
def own(make_bars_lab, run_daemon, tmp_path, clock):
    with run_daemon(make_bars_lab(tmp_path), clock=clock) as found:
        yield found


def said(answer):
    """All of an answer but what differs each time."""
    own = ("x-request-id", "date", "x-ttapi-data-age-s")
    return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in own}  # fmt: skip


def reads(daemon):
    """How often a generation was read."""
    return daemon.served.published._generations._count


def test_what_is_given_again_is_what_was_found_and_no_generation_is_read(own):
    with own.client() as client:
        found = [client.get(ROWS) for _ in range(3)]
        before = reads(own)
        again = client.get(ROWS)
        assert reads(own) == before
        assert all(said(one) == said(again) for one in found)
        assert again.json()["total"] == 60
        assert float(again.headers["x-ttapi-data-age-s"]) >= 0


def test_other_formats_columns_and_what_is_known_already_have_answers_of_their_own(own):
    csv = {"accept": "text/csv"}
    with own.client() as client:
        for _ in range(3):
            as_json, as_csv = client.get(ROWS), client.get(ROWS, headers=csv)
            few = client.get(f"{ROWS}&columns=close")
        assert as_csv.headers["content-type"].startswith("text/csv")
        assert list(few.json()["rows"][0]) == ["close"] != list(as_json.json()["rows"][0])
        before = reads(own)
        known = client.get(ROWS, headers={"if-none-match": f"W/{as_json.headers['etag']}"})
        assert reads(own) == before
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == as_json.headers["etag"] != as_csv.headers["etag"]
    assert "x-ttapi-data-age-s" in known.headers


def test_what_is_published_meanwhile_is_answered_at_once(own):
    with own.client() as client:
        before = [client.get(f"{API}/eod?symbol=NEW") for _ in range(3)][-1]
        own.lab.write_bars("NEW.csv", [(date(2024, 6, 13), 1, 2, 1, 2)])
        own.lab.refresh()
        after = [client.get(f"{API}/eod?symbol=NEW") for _ in range(3)]
    assert (before.json()["total"], [one.json()["total"] for one in after]) == (0, [1, 1, 1])
    generation = int(before.headers["x-ttapi-generation"])
    assert {int(one.headers["x-ttapi-generation"]) for one in after} == {generation + 1}


def test_what_was_never_loaded_is_said_each_time(own):
    with own.client() as client:
        answers = [client.get(f"{API}/chain?symbol=AAA") for _ in range(4)]
    assert len({one.content for one in answers}) == 1
    assert all("raw.option_quotes" in one.headers["x-ttapi-never-loaded"] for one in answers)
    assert not any("x-ttapi-data-age-s" in one.headers for one in answers)


def test_who_sees_less_is_not_given_what_another_found(whole_lab, run_daemon, clock, is_problem):
    path = f"{API}/relations/accounts/rows"
    with run_daemon(whole_lab, clock=clock) as daemon, daemon.client() as admin, daemon.client("viewer") as viewer:  # fmt: skip
        for _ in range(3):
            assert admin.get(path).status_code == 200
            assert is_problem(viewer.get(path), 404) == "'accounts' is no relation"


def test_some_seconds_later_what_is_installed_is_looked_at_first(own, clock):
    with own.client() as client:
        for _ in range(3):
            client.get(ROWS)
        clock.now += 5.0
        before = reads(own)
        assert client.get(ROWS).status_code == 200
        assert reads(own) > before
        client.get(ROWS)
        before = reads(own)
        assert client.get(ROWS).json()["total"] == 60
        assert reads(own) == before


def test_a_second_later_it_is_looked_at_beside_the_answer(own, clock):
    with own.client() as client:
        for _ in range(3):
            client.get(ROWS)
        recent = own.served._recent
        clock.now += 1.0
        assert client.get(ROWS).json()["total"] == 60
        own.served.readiness.close()
        assert own.served._recent.at == recent.at + 1.0


def test_what_goes_by_the_clock_is_a_second_old_at_most(own, clock):
    """`market_grid.age_s` is counted when it is asked."""
    path = f"{API}/relations/market_grid/rows?where=symbol:eq:AAA&columns=age_s"

    def age():
        return client.get(path).json()["rows"][0]["age_s"]

    with own.client() as client:
        ages = [age() for _ in range(4)]
        assert ages[-1] == ages[-2]
        clock.now += 1.0
        assert age() > ages[-1]


def test_whether_the_daemon_lives_is_answered_whatever_is_wrong_with_its_users(own):
    own.lab.home.accounts.mkdir(exist_ok=True)
    (own.lab.home.accounts / "users.json").write_text("{")
    with own.client() as client:
        assert [client.get("/live").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("path", ["/eod?symbol=AAA", "/status", "/relations", "/relations/eod", "/datasets", "/openapi.json"])  # fmt: skip
def test_head_is_answered_as_get_is_without_a_body(daemon, admin, path):
    got, head = admin.get(f"{API}{path}"), admin.head(f"{API}{path}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))
    assert set(head.headers) == set(got.headers)


def test_head_of_what_takes_no_get_is_refused_and_counted_as_head(daemon, admin):
    refused = admin.head(f"{API}/sql")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    admin.head(f"{API}/status")
    metrics = admin.get("/metrics").text
    assert f'ttapi_http_requests_total{{route="{API}/status",method="HEAD",code="200"}}' in metrics


def test_what_many_ask_at_once_is_made_once():
    kept, may_go, begun, made = Kept(len), threading.Event(), threading.Event(), []

    def make():
        made.append(1)
        begun.set()
        assert may_go.wait(60)
        return b"rows"

    found = []
    first = threading.Thread(target=lambda: found.append(kept.made("q", make)))
    first.start()
    assert begun.wait(60)
    others = [threading.Thread(target=lambda: found.append(kept.made("q", make))) for _ in range(3)]
    for one in others:
        one.start()
    may_go.set()
    for one in (first, *others):
        one.join()
    assert (found, made) == ([b"rows"] * 4, [1])


def test_what_fails_fails_for_all_and_is_made_anew_for_the_next():
    kept = Kept(len)

    def fail():
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        kept.made("q", fail)
    assert kept.made("q", lambda: b"rows") == b"rows"


def test_the_least_asked_is_forgotten_and_what_is_large_is_not_kept():
    kept = Kept(len, most_bytes=16)
    for key in "abcdefgh":
        kept.keep(key, b"xx")
    assert kept.get("a") == b"xx"
    kept.keep("i", b"yy")
    assert (kept.get("b"), kept.get("a"), kept.get("i")) == (None, b"xx", b"yy")
    kept.keep("large", b"zzz")
    assert kept.get("large") is None
    kept.keep("i", b"other")
    assert kept.get("i") == b"yy"
