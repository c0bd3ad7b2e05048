# SPDX-License-Identifier: Apache-2.0
"""One recorder has the journal of a home, until it ends however that is; what it left undone is a gap."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ttapi.errors import LockedError, SourceDownError
from ttapi.live.journal_lock import own_journal
from ttapi.store.files import recorder_owner

PRINTS = ("time_and_sales",)
SINCE = datetime(2024, 6, 14, 14, 0, tzinfo=UTC)

HOLDING = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from ttapi.home import Home
from ttapi.live.journal_lock import own_journal

with own_journal(Home(Path(sys.argv[1])), command="ttapi stream SPY", wait_s=0) as owned:
    owned.begin(datetime(2024, 6, 14, 14, 0, tzinfo=UTC))
    child = os.fork() if sys.argv[2] == "fork" else 0
    os.write(1, b"%d%c" % (os.getpid(), 10))
    sys.stdin.read()
"""


def own(home, **facts):
    return own_journal(home, **({"command": "ttapi stream AAPL", "wait_s": 0} | facts))


def test_a_second_recorder_is_told_who_has_the_journal_and_what_works(lab):
    with own(lab.home, command="ttapi serve SPY") as _, pytest.raises(LockedError) as refusal:
        own(lab.home).__enter__()
    owner = refusal.value.owner
    assert str(refusal.value) == (
        f"streams of this home are recorded by process {owner.pid} (ttapi serve SPY) on {owner.host},"
        f" since {owner.started_at} (one command records all symbols: ttapi stream SPY AAPL,"
        " or ttapi serve --stream SPY,AAPL)"
    )
    with own(lab.home):
        assert recorder_owner(lab.home).command == "ttapi stream AAPL"
    assert recorder_owner(lab.home) is None


@pytest.mark.parametrize("kind", ["alone", "fork"])
def test_the_lock_of_a_killed_recorder_is_free_whatever_it_forked_and_its_beginning_is_known(lab, kind):  # fmt: skip
    """The fork lives on with a copy of every descriptor: it reads what nobody writes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, lab.home.root, kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    pids = {process.stdout.readline() for _ in range(1 + (kind == "fork"))}
    assert f"{process.pid}\n" in pids
    with pytest.raises(LockedError):
        own(lab.home).__enter__()
    process.send_signal(signal.SIGKILL)
    process.wait()
    with own(lab.home) as owned:
        assert owned.unfinished_since == SINCE
        owned.end_whole()
    with own(lab.home) as owned:
        assert owned.unfinished_since is None
    process.stdin.close()
    process.stdout.close()


def test_who_records_nothing_leaves_nothing_and_who_fails_is_remembered_until_one_ends_well(lab):
    for begun, known in ((False, None), (True, None), (False, SINCE), (True, SINCE)):
        with own(lab.home) as owned:
            assert owned.unfinished_since == known
            if begun:
                owned.begin(SINCE + timedelta(hours=1) if known else SINCE)
    with own(lab.home) as owned:
        assert owned.unfinished_since == SINCE
        owned.end_whole()
    assert lab.home.recorder_file.read_bytes() == b""


def test_two_recorders_on_one_home_lose_nothing_the_second_leaves(lab, pouring, recorded):
    done = []

    def ask():
        done.append(lab.process("stream", "AAPL", "--wait", "0"))

    with pouring(limit=4_000) as served:
        outcome = recorded(lab, served, limit=4_000, on_first=ask)
    assert (done[0].returncode, done[0].stdout) == (5, "")
    assert "streams of this home are recorded by process" in done[0].stderr
    assert "(ttapi stream SPY AAPL BRK.B)" in done[0].stderr
    ((stored,),) = lab.rows("select sum(n) from (select count(*) as n from tick_quotes union all select count(*) from ticks)")  # fmt: skip
    assert stored == outcome.counts["stored"] == outcome.counts["acknowledged"]
    assert lab.rows("select * from health where code = 'stream gap'") == []


def gaps(lab):
    return [d for (d,) in lab.rows("select distinct detail from health where code = 'stream gap' order by 1")]  # fmt: skip


def test_a_stream_that_ended_by_error_leaves_its_gap_to_the_next(lab, pouring, recorded):
    with pouring("drop-feed:after=8", limit=400, frame_events=10, channels=1) as served:
        good = served.credentials.quote_token
        hub = type("Hub", (), {"put": lambda _, batch: setattr(served.credentials, "quote_token", "gone")})()  # fmt: skip
        with pytest.raises(SourceDownError, match="refused the quote token"):
            recorded(lab, served, kinds=PRINTS, hub=hub)
        assert gaps(lab) == []
        served.credentials.quote_token = good
        lab.now += timedelta(hours=2)
        recorded(lab, served, kinds=PRINTS, limit=10)
    assert gaps(lab) == [
        "nothing arrived from 2024-06-14 22:00:00 to 2024-06-15 00:00:00 UTC: the recorder before did not end by itself"
    ]
