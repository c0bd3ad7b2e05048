# SPDX-License-Identifier: Apache-2.0
"""Commands beside a daemon: found by its socket, carried out there, told as if it were one's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from ttapi import __version__
from ttapi.errors import LockedError, LockOwner, ModelError, SourceDownError, UsageError
from ttapi.home import Home
from ttapi.refresh import daemon_client
from ttapi.refresh.coverage import Demand
from ttapi.refresh.daemon_client import (
    Channel,
    DaemonGreeting,
    daemon_text,
    error_from_json,
    error_to_json,
    greeted,
    home_id,
    outcome_from_json,
    outcome_to_json,
    request_from_json,
    request_to_json,
    require_same_version,
    schema_version,
    socket_path,
)
from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import THIS_PROCESS, DaemonWriter, writer_for
from ttapi.server.commands import CommandSocket
from ttapi.store.lock import DaemonNote

BAR = [(datetime(2024, 6, 13), 1, 2, 1, 2)]
NOTE = DaemonNote(os.getpid(), "http://127.0.0.1:1", is_held=True)


@pytest.fixture
def own(make_bars_lab, run_daemon, tmp_path):
    """A daemon of the test's own, with a socket; commands of this process are to think it another's."""
    with run_daemon(make_bars_lab(tmp_path)) as found:
        commands = CommandSocket(found.served, found.base_url, lambda: {"text": "idle"})
        commands.start()
        with closing(commands):
            yield found


@contextmanager
def serving(lab, *arguments):
    """A daemon in a process of its own, once it says where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ttapi", "serve", "--port", "0", "--no-scheduler", *arguments],
        env=lab.variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = process.stderr.readline()
        assert said.startswith("ttapi: serving at "), said + process.stderr.read()
        yield process, said.split()[3].rstrip(";")
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def without_times(done):
    """What a command said, without the seconds it took."""
    texts = (
        re.sub(r"\d+(\.\d+)?( m?s\b|(?=, \"error))", "T", text)
        for text in (done.stdout, done.stderr)
    )
    return done.returncode, *texts


def test_a_refresh_is_carried_out_by_the_daemon_and_told_as_ones_own(
    own, make_bars_lab, tmp_path, make_watcher
):
    alone = make_bars_lab(tmp_path / "alone")
    for lab in (own.lab, alone):
        lab.write_bars("NEW.csv", BAR)
    theirs, ours = make_watcher(), make_watcher()
    environment = own.lab.environment(now=own.lab.now)
    request = RefreshRequest(("eod",))
    asked = DaemonWriter(NOTE).refresh(environment, request, progress=theirs)
    done = THIS_PROCESS.refresh(alone.environment(), request, progress=ours)
    assert [one for one in theirs.seen if one[0] != "advanced"] == [
        one for one in ours.seen if one[0] != "advanced"
    ]
    facts = [(d.dataset, d.verdict, d.reasons, d.rows_accepted, d.is_changed) for d in asked.datasets]  # fmt: skip
    assert facts == [(d.dataset, d.verdict, d.reasons, d.rows_accepted, d.is_changed) for d in done.datasets]  # fmt: skip
    assert (asked.load_id, asked.generation, asked.exit_code) == (done.load_id, done.generation, 0)
    assert asked.home_state.generation == done.home_state.generation
    (task,) = own.served.queue.tasks()
    assert task.asked_by == f"ttapi refresh (process {os.getpid()})"


def test_symbols_span_and_instant_travel_with_it(own):
    environment = own.lab.environment(symbols=frozenset({"AAA"}))
    request = RefreshRequest(("calendar",), force=True, wait_s=7.0, command="ttapi sql")
    document = json.loads(json.dumps(request_to_json(environment, request)))
    assert request_from_json(document) == request
    assert (document["symbols"], document["now"]) == (["AAA"], own.lab.now.isoformat())
    narrow = RefreshRequest(
        ("eod",), survey_local=False, is_named=False, refetch=frozenset({"raw.x"}),
        span=(datetime(2024, 1, 2).date(), None),
        demands={"raw.x": Demand(frozenset({"A"}), (None, datetime(2024, 1, 2).date())), "raw.y": Demand()},
    )  # fmt: skip
    document = json.loads(json.dumps(request_to_json(environment, narrow)))
    assert request_from_json(document) == narrow


@pytest.mark.parametrize(
    "error",
    [
        UsageError("a", hint="b"),
        LockedError("a", owner=LockOwner(1, "then", "here", "ttapi refresh"), hint="wait"),
        LockedError("a", owner=None),
        ModelError("a", file="f.sql", line=3),
        SourceDownError("a"),
    ],
)
def test_errors_come_out_as_they_went_in(error):
    found = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert (type(found), vars(found), str(found)) == (type(error), vars(error), str(error))
    assert found.exit_code == error.exit_code


def test_an_error_of_a_kind_that_is_not_known_is_an_error_still():
    told = {"kind": "Mystery", "message": "m", "hint": None, "fields": {}}
    assert str(error_from_json(told)) == "m"


def test_what_is_wrong_is_told_with_its_exit_code(own):
    environment = own.lab.environment()
    with pytest.raises(UsageError, match="'nonsense' is no dataset"):
        DaemonWriter(NOTE).refresh(environment, RefreshRequest(("nonsense",)))


def test_outcomes_come_out_as_they_went_in(own):
    own.lab.write_bars("BAD.csv", ["nonsense"])
    outcome = own.lab.refresh("eod")
    assert any(one.failed_units for one in outcome.datasets)
    found = outcome_from_json(json.loads(json.dumps(outcome_to_json(outcome))))
    assert found.datasets == outcome.datasets
    assert (found.load_id, found.exit_code) == (outcome.load_id, outcome.exit_code)


def test_other_settings_are_worked_under_by_who_has_them(own, tmp_path):
    other = tmp_path / "others"
    other.mkdir()
    lab = own.lab
    lab.environ["TTAPI_METASTOCK_PATH"] = str(other)
    outcome = DaemonWriter(NOTE).refresh(lab.environment(), RefreshRequest(("calendar",)))
    assert outcome.exit_code == 0
    assert own.served.queue.tasks() == [], "the daemon did nothing"


def test_who_waits_longer_than_it_may_is_told_by_whom_it_is_locked(own, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()

    def hold(progress):
        begun.set()
        assert may_end.wait(60)

    holder = threading.Thread(target=own.served.queue.run, args=(hold,))
    holder.start()
    assert begun.wait(60)
    waited_for = []
    with pytest.raises(LockedError) as caught:
        DaemonWriter(NOTE).refresh(
            own.lab.environment(), RefreshRequest(("eod",), wait_s=0), on_wait=waited_for.append
        )
    may_end.set()
    holder.join(60)
    assert caught.value.exit_code == 5
    assert f"by process {os.getpid()} (ttapi serve)" in caught.value.message
    assert [owner.command for owner in waited_for] == ["ttapi serve"]


def test_who_leaves_ends_the_refresh(own):
    """A command that was killed, while its refresh runs."""
    begun, gone = threading.Event(), threading.Event()

    def slow(environment, request, *, progress, on_wait):
        progress.started("units", 2)
        begun.set()
        assert gone.wait(60)
        progress.advanced("units", 1)
        raise AssertionError("it was to end")

    environment = own.lab.environment()
    asked = request_to_json(environment, RefreshRequest(("eod",)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ttapi.server.commands.operations.refresh", slow)
        with greeted(own.lab.home) as (channel, _):
            channel.send({"refresh": asked})
            assert begun.wait(60)
            assert channel.receive(60) == {"started": ["units", 2]}
            (task,) = own.served.queue.tasks()
        while not task.is_cancelled:  # the daemon looks at once: its other end has closed
            task.over.wait(0.001)
        gone.set()
        assert task.over.wait(60)
    assert (task.state, task.progress) == ("cancelled", {"units": [1, 2]})


def test_nobody_answers_and_the_lock_decides(lab):
    """A socket that takes connections and says nothing, as a daemon that is stopped does."""
    with socket.socket(socket.AF_UNIX) as mute:
        with socket_path(lab.home) as path:
            mute.bind(path)
        mute.listen(8)
        daemon_client_times = (daemon_client.GREETING_S, daemon_client._STATUS_S)
        assert daemon_client_times == (2.0, 0.5)
        with pytest.raises(TimeoutError), greeted(lab.home, 0.01):
            pass


def test_a_socket_that_nobody_listens_to_is_no_daemon(lab):
    with socket.socket(socket.AF_UNIX) as dead, socket_path(lab.home) as path:
        dead.bind(path)
    outcome = DaemonWriter(NOTE).refresh(lab.environment(), RefreshRequest(("calendar",)))
    assert outcome.exit_code == 0


def test_a_home_however_deep_has_a_socket(lab, tmp_path):
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    shutil.move(lab.home.root, deep / "home")
    home = Home(deep / "home")
    assert len(str(home.command_socket)) > 180
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with socket_path(home) as path:
            assert len(path) <= 100
            folder = Path(path).parent.parent
            listener.bind(path)
            listener.listen()
            client.connect(path)
        assert home.command_socket.is_socket()
        assert not folder.exists()


def test_the_socket_is_the_users_alone_and_goes_with_the_daemon(own):
    file = own.lab.home.command_socket
    assert file.stat().st_mode & 0o777 == 0o600
    with greeted(own.lab.home) as (_, greeting):
        assert (greeting.pid, greeting.version) == (os.getpid(), __version__)
        assert greeting.schedule == {"text": "idle"}


def test_another_user_is_not_served(own, monkeypatch):
    monkeypatch.setattr("ttapi.server.commands.peer_uid", lambda _: os.geteuid() + 1)
    with pytest.raises(ConnectionError), greeted(own.lab.home):
        pass
    monkeypatch.setattr("ttapi.refresh.daemon_client.peer_uid", lambda _: os.geteuid() + 1)
    with pytest.raises(PermissionError, match="belongs to another user"), greeted(own.lab.home):
        pass


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"refresh": {}}\n', b'{"x": 1}\n'])
def test_what_cannot_be_read_is_left(own, line):
    with socket.socket(socket.AF_UNIX) as client:
        with socket_path(own.lab.home) as path:
            client.connect(path)
        client.sendall(line)
        client.settimeout(60)
        assert client.recv(100) == b""
    with greeted(own.lab.home):
        pass


def greeting_of(home, version, schema):
    return DaemonGreeting(7, "http://127.0.0.1:1", version, schema, home_id(home))


def test_a_daemon_of_another_version_is_named_with_what_to_do(lab):
    mine = schema_version()
    require_same_version(greeting_of(lab.home, __version__, mine), lab.home)
    head = f"process 7 at http://127.0.0.1:1 serves {lab.home.root} with ttapi "
    for version, schema, hint in (
        ("0.0.9", mine, "restart it: kill 7 ends it; ttapi serve starts the new one"),
        (__version__, mine - 1, "restart it: kill 7 ends it; ttapi serve starts the new one"),
        ("9.0.0", mine, "this one is the older: use the ttapi that serves"),
    ):
        with pytest.raises(UsageError) as caught:
            require_same_version(greeting_of(lab.home, version, schema), lab.home)
        assert caught.value.exit_code == 2
        assert caught.value.message == (
            f"{head}{version} (schema {schema}), and this is {__version__} ({mine})"
        )
        assert caught.value.hint == hint


def test_a_channel_says_lines_and_hears_them():
    one, other = socket.socketpair()
    with one, other:
        here, there = Channel(one), Channel(other)
        assert here.receive(0.0) is None
        there.send({"a": 1})
        there.send({"b": "é"})
        assert (here.receive(1.0), here.receive(1.0)) == ({"a": 1}, {"b": "é"})
        other.close()
        with pytest.raises(ConnectionError):
            here.receive(1.0)


def test_without_a_daemon_this_process_writes(lab):
    assert writer_for(lab.home) is THIS_PROCESS
    assert daemon_text(lab.home) is None


def test_beside_a_daemon_commands_say_and_leave_with_what_they_do_alone(
    make_lab, whole_home, tmp_path
):
    """The same commands in two copies of a home, one of them served."""
    alone, served = (make_lab(tmp_path / name, whole_home) for name in ("alone", "served"))
    for lab in (alone, served):
        lab.write_bars("NEW.csv", BAR)
    later = {"TTAPI_NOW": "2024-06-18T22:00:00Z"}
    count = ("sql", "select count(*) as n from raw.metastock_bars", "--format", "json")
    commands = (
        (("refresh", "metastock"), {}),
        (("refresh", "metastock", "--force", "--json"), {}),
        (count, later),
    )
    with serving(served):
        for words, environ in commands:
            first = without_times(alone.ttapi(*words, **environ))
            second = without_times(served.ttapi(*words, **environ))
            assert first == second, words
        log = (served.home.logs / "ttapi.log").read_text()
        assert [log.count(f'"asked_by": "ttapi {name} (') for name in ("refresh", "sql")] == [2, 1]


def test_status_says_whether_the_daemon_is_up_hangs_or_is_gone(whole_lab):
    """And a refresh beside one that hangs is carried out by its own command."""
    served = whole_lab
    with serving(served) as (process, base_url):
        up = served.ttapi("status").stdout
        assert f"ttapi serve (process {process.pid} at {base_url}) is up" in up
        process.send_signal(signal.SIGSTOP)
        hung = served.ttapi("status").stdout
        assert f"ttapi serve (process {process.pid} at {base_url}) does not answer: " in hung
        done = served.ttapi("refresh", "raw.shipped_universes")
        assert done.returncode == 0, done.stderr
        process.kill()
        process.wait()
        gone = served.ttapi("status").stdout
        assert f"the daemon is gone that was process {process.pid} at {base_url}" in gone
