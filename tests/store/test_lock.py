# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from store_samples import in_child

from ttapi.errors import LockedError, UsageError
from ttapi.store.lock import acquire, current_owner


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self):
        return self.now


def test_a_second_owner_is_refused_at_once_and_told_who_holds_the_lock(home):
    with acquire(home, command="ttapi refresh") as held, pytest.raises(LockedError) as refusal:
        acquire(home, command="ttapi sql", wait_s=0)
    assert refusal.value.owner == held.owner
    assert (held.owner.pid, held.owner.command) == (os.getpid(), "ttapi refresh")
    assert refusal.value.exit_code == 5
    assert str(os.getpid()) in str(refusal.value)


def test_waiting_ends_at_the_deadline_and_names_the_owner_once(home):
    clock, told = Clock(), []
    with acquire(home, command="x"), pytest.raises(LockedError):
        acquire(home, command="y", wait_s=1, on_wait=told.append, sleep=clock.sleep, clock=clock)
    assert [owner.pid for owner in told] == [os.getpid()]
    assert clock.now == pytest.approx(1.0, abs=0.06)


def test_the_lock_is_got_as_soon_as_its_owner_lets_go(home):
    clock = Clock()
    held = acquire(home, command="x")

    def sleep(seconds):
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            held.release()

    with acquire(home, command="y", wait_s=60, sleep=sleep, clock=clock) as second:
        assert second.owner.command == "y"
    assert len(clock.slept) == 3


def test_released_twice_is_released_once_and_says_nobody(home):
    lock = acquire(home, command="x")
    assert current_owner(home) == lock.owner
    lock.release()
    lock.release()
    assert current_owner(home) is None
    assert home.lock_file.read_bytes() == b""


def test_what_a_killed_owner_wrote_is_harmless(home):
    def die_holding():
        acquire(home, command="killed")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die_holding) == ["died", ""]
    assert b"killed" in home.lock_file.read_bytes()
    assert current_owner(home) is None
    with acquire(home, command="next", wait_s=0) as lock:
        assert current_owner(home) == lock.owner


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"{}", b'{"pid": "x"}', b"\xff\xfe"])
def test_an_owner_text_that_makes_no_sense_is_no_owner(home, text):
    with acquire(home, command="x"):
        home.lock_file.write_bytes(text)
        with pytest.raises(LockedError) as refusal:
            acquire(home, command="y", wait_s=0)
    assert refusal.value.owner is None


def test_children_do_not_inherit_the_lock(home):
    with acquire(home, command="x"):
        # It answers once it runs: while a process starts, the kernel closes one descriptor after another.
        child = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        child.stdout.readline()
    try:
        acquire(home, command="y", wait_s=0).release()
    finally:
        child.communicate(b"\n")


def test_a_folder_that_is_no_home_is_named(bare_home):
    with pytest.raises(UsageError, match=r"live is missing \(run ttapi init\)"):
        acquire(bare_home, command="x")


def test_a_symbolic_link_for_a_lock_is_not_followed(home, tmp_path):
    home.lock_file.unlink()
    home.lock_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot be written"):
        acquire(home, command="x", wait_s=0)
    assert not (tmp_path / "elsewhere").exists()
