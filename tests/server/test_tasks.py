# SPDX-License-Identifier: Apache-2.0
"""Refreshes over HTTP: a task each, one at a time, seen and cancelled; and what is due, by itself."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from ttapi.server.routes import API
from ttapi.server.tasks import RefreshQueue

TASKS = f"{API}/refresh/tasks"


@pytest.fixture
def own(make_bars_lab, run_daemon, tmp_path):
    """A daemon of the test's own."""
    with run_daemon(make_bars_lab(tmp_path)) as found:
        yield found


class Turnstile:
    """A database whose refreshes begin when the test says so."""

    def __init__(self):
        self.begun, self.may_go = threading.Semaphore(0), threading.Semaphore(0)
        self.refreshed = []

    def refresh(self, *datasets, force, command, watchers):
        self.refreshed.append((datasets, force, command))
        watchers.progress.started("units", 2)
        self.begun.release()
        assert self.may_go.acquire(timeout=60)
        watchers.progress.advanced("units", 1)
        watchers.progress.finished("units")
        raise RuntimeError("no outcome")


def over(served, task):
    assert served.queue.task(task["id"]).over.wait(60)


def test_a_refresh_is_a_task_that_ends_and_what_it_brought_is_read(own):
    own.lab.write_bars("NEW.csv", [(datetime(2024, 6, 13), 1, 2, 1, 2)])
    with own.client("operator") as client, own.client("viewer") as viewer:
        before = viewer.get(f"{API}/eod?symbol=NEW").json()
        assert before["total"] == 0, "a read refreshes nothing"
        answer = client.post(f"{API}/refresh", json={"datasets": ["eod"]})
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        task = answer.json()
        assert answer.headers["location"] == f"{TASKS}/{task['id']}"
        over(own.served, task)
        done = client.get(answer.headers["location"]).json()
        assert (done["state"], done["asked_by"], done["error"]) == ("done", "operator", None)
        assert done["progress"]["raw.metastock_bars"] == [1, 1]
        (bars,) = (d for d in done["outcome"]["datasets"] if d["dataset"] == "raw.metastock_bars")
        assert (bars["rows_in"], bars["rows_accepted"]) == (1, 1)
        after = viewer.get(f"{API}/eod?symbol=NEW").json()
        assert (after["total"], after["generation"]) == (1, before["generation"] + 1)
        # Whoever pages through the older generation goes on with it.
        held = viewer.get(f"{API}/eod?symbol=NEW&generation={before['generation']}").json()
        assert (held["total"], held["generation"]) == (0, before["generation"])
        assert [one["id"] for one in client.get(TASKS).json()["tasks"]] == [task["id"]]


def test_a_read_refreshes_what_it_reads_where_that_is_asked_and_allowed(own, is_problem):
    own.lab.now = None
    own.served.database._environ["TTAPI_NOW"] = "2024-06-18T22:00:00Z"
    own.lab.write_bars("NEW.csv", [(datetime(2024, 6, 13), 1, 2, 1, 2)])
    path = f"{API}/eod?symbol=NEW&refresh=true"
    with own.client("viewer") as viewer, own.client("analyst") as analyst:
        assert is_problem(viewer.get(path), 403) == "refresh=true needs role analyst"
        assert viewer.get(f"{API}/eod?symbol=NEW").json()["total"] == 0
        answer = analyst.get(path)
        assert (answer.status_code, answer.json()["total"]) == (200, 1)
        assert viewer.get(f"{API}/eod?symbol=NEW").json()["total"] == 1
        pinned = analyst.get(f"{path}&generation={answer.json()['generation']}")
        assert "is never refreshed" in is_problem(pinned, 422)


def test_a_generation_that_is_gone_is_told(own, is_problem):
    with own.client() as client:
        for path in own.lab.home.snapshots.iterdir():
            if path.resolve() != own.lab.home.public_file.resolve():
                path.unlink()
        newest = own.served.published.newest()
        gone = client.get(f"{API}/relations/eod/rows?generation={newest - 1}")
        assert is_problem(gone, 410) == (
            f"generation {newest - 1} is held no more"
            f" (the newest is {newest}: begin again without a generation)"
        )


def test_what_waits_is_cancelled_at_once_and_what_runs_between_two_batches(own, is_problem):
    turnstile = Turnstile()
    own.served.queue._database = turnstile
    with own.client("operator") as client:
        running = client.post(f"{API}/refresh", json={"datasets": ["eod"]}).json()
        assert turnstile.begun.acquire(timeout=60)
        waiting = client.post(
            f"{API}/refresh", json={"datasets": ["calendar"], "force": True}
        ).json()
        same = client.post(f"{API}/refresh", json={"datasets": ["calendar"], "force": True}).json()
        assert same["id"] == waiting["id"] != running["id"], "who asks for the same joins"
        assert client.get(f"{TASKS}/{running['id']}").json()["progress"] == {"units": [0, 2]}
        answer = client.delete(f"{TASKS}/{waiting['id']}")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        assert is_problem(client.delete(f"{TASKS}/{waiting['id']}"), 409) == (
            "the task is cancelled: there is nothing to cancel"
        )
        assert client.delete(f"{TASKS}/{running['id']}").json()["state"] == "running"
        turnstile.may_go.release()
        over(own.served, running)
        assert client.get(f"{TASKS}/{running['id']}").json()["state"] == "cancelled"
        assert turnstile.refreshed == [(("eod",), False, "ttapi serve")]
        broken = client.post(f"{API}/refresh", json={}).json()
        turnstile.may_go.release()
        over(own.served, broken)
        ended = client.get(f"{TASKS}/{broken['id']}").json()
        assert (ended["state"], ended["error"]) == (
            "failed", "the daemon's log tells why, under the task's id",
        )  # fmt: skip
        first = client.get(f"{TASKS}?limit=2").json()
        rest = client.get(f"{TASKS}?limit=2&cursor={first['next']}").json()
        ids = [one["id"] for one in (*first["tasks"], *rest["tasks"])]
        assert ids == [broken["id"], waiting["id"], running["id"]]
        assert rest["next"] is None


def test_a_queue_that_ends_cancels_all_and_takes_no_more(own):
    turnstile = Turnstile()
    queue = RefreshQueue(turnstile)
    running = queue.submit(["eod"], asked_by="a")
    assert turnstile.begun.acquire(timeout=60)
    waiting = queue.submit(["calendar"], asked_by="a")
    assert not queue.close(0.0), "what runs has not ended yet"
    turnstile.may_go.release()
    assert queue.close(60)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    with pytest.raises(Exception, match="about to end"):
        queue.submit(asked_by="a")
    with pytest.raises(Exception, match="about to end"):
        queue.run(lambda progress: None)
