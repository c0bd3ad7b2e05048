# SPDX-License-Identifier: Apache-2.0
"""The journal: what was acknowledged is found again, whatever a crash or a bad disk left of the rest."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.live import journal as journal_module
from ttapi.live.journal import Damage, Journal, last_position, read_journal
from ttapi.store.log import LogRecord, LogRows

ARRIVED = datetime(2024, 6, 14, 20, 0)


def table(*prices):
    return pa.table(
        {
            "symbol": pa.array(["SPY"] * len(prices)),
            "received_at": pa.array([ARRIVED] * len(prices), pa.timestamp("us")),
            "price": pa.array(prices, pa.float64()),
        }
    )


def part(*prices, refused=0):
    return LogRows("raw.prints", table(*prices), refused)


def prices_of(records):
    """Prices by position, and what is said to be damaged."""
    return [
        (one.position, [p for each in one.events for p in each.rows["price"].to_pylist()])
        if isinstance(one, LogRecord)
        else ("lost behind", one.after)
        for one in records
    ]


def written(folder, *records, position=0):
    folder.mkdir(exist_ok=True)
    journal = Journal(folder, position)
    for prices in records:
        journal.append([part(*prices)])
    journal.close()
    return sorted(folder.iterdir())


def test_a_record_is_read_as_it_was_written(tmp_path):
    journal = Journal(tmp_path, 41)
    other = LogRows("raw.others", table(7.0), refused=3)
    assert journal.append([part(1.0, 2.0), other]) == 42
    journal.close()
    (record,) = read_journal(tmp_path, 41)
    assert record.position == 42
    assert [(one.dataset, one.refused) for one in record.events] == [("raw.prints", 0), ("raw.others", 3)]  # fmt: skip
    assert record.events[0].rows == table(1.0, 2.0)
    assert record.events[1].rows == table(7.0)


def test_what_the_file_has_is_not_read_again(tmp_path):
    written(tmp_path, [1.0], [2.0], [3.0])
    assert prices_of(read_journal(tmp_path, 2)) == [(3, [3.0])]
    assert prices_of(read_journal(tmp_path, 3)) == []
    assert last_position(tmp_path) == 3


def test_a_journal_of_nothing_holds_nothing(tmp_path):
    assert prices_of(read_journal(tmp_path, 0)) == []
    assert last_position(tmp_path) == 0


def test_segments_are_for_their_owner_alone(tmp_path):
    (file,) = written(tmp_path, [1.0])
    assert file.stat().st_mode & 0o777 == 0o600


@given(st.data())
def test_a_segment_cut_anywhere_holds_the_records_before_the_cut(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("journal")
    (file,) = written(folder, [1.0], [2.0, 2.5], [3.0])
    whole = file.read_bytes()
    ends = [whole.find(b"TTJ1", start) for start in (1, whole.find(b"TTJ1", 1) + 1)] + [len(whole)]
    cut = data.draw(st.integers(0, len(whole)))
    file.write_bytes(whole[:cut])
    complete = sum(end <= cut for end in ends)
    assert (
        prices_of(read_journal(folder, 0)) == [(1, [1.0]), (2, [2.0, 2.5]), (3, [3.0])][:complete]
    )


@given(st.data())
def test_no_flipped_bit_is_read_as_an_event(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("journal")
    (file,) = written(folder, [1.0], [2.0, 2.5], [3.0])
    whole = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(bytes(whole))
    known = {(1, (1.0,)), (2, (2.0, 2.5)), (3, (3.0,))}
    found = [
        (one.position, tuple(p for each in one.events for p in each.rows["price"].to_pylist()))
        for one in read_journal(folder, 0)
        if isinstance(one, LogRecord)
    ]
    assert set(found) <= known
    assert len(found) >= 2


def test_records_lost_between_others_are_told(tmp_path):
    (file,) = written(tmp_path, [1.0], [2.0], [3.0])
    whole = bytearray(file.read_bytes())
    whole[whole.find(b"TTJ1", 1) + 40] ^= 0xFF
    file.write_bytes(bytes(whole))
    assert prices_of(read_journal(tmp_path, 0)) == [(1, [1.0]), ("lost behind", 1), (3, [3.0])]


def test_a_segment_that_is_gone_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    files = written(tmp_path, [1.0], [2.0], [3.0])
    assert [file.stem for file in files] == [f"{n:016d}" for n in (1, 2, 3)]
    files[1].unlink()
    found = list(read_journal(tmp_path, 0))
    assert prices_of(found) == [(1, [1.0]), ("lost behind", 1), (3, [3.0])]
    assert isinstance(found[1], Damage)
    assert found[1].file == files[2]


def test_segments_that_the_file_has_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 1)
    journal = Journal(tmp_path, 0)
    for price in (1.0, 2.0, 3.0):
        journal.append([part(price)])
    journal.forget(2)
    assert prices_of(read_journal(tmp_path, 2)) == [(3, [3.0])]
    assert len(list(tmp_path.iterdir())) == 1
    journal.clear()
    assert list(tmp_path.iterdir()) == []
    assert journal.append([part(4.0)]) == 4
    journal.close()


def test_the_next_run_writes_behind_a_record_that_was_cut_short(tmp_path):
    (file,) = written(tmp_path, [1.0], [2.0])
    file.write_bytes(file.read_bytes()[:-3])
    assert last_position(tmp_path) == 1
    journal = Journal(tmp_path, last_position(tmp_path))
    assert journal.append([part(9.0)]) == 2
    journal.close()
    assert prices_of(read_journal(tmp_path, 0)) == [(1, [1.0]), (2, [9.0])]


ON_A_FULL_DISK = """
import resource, runpy, signal, sys
from pathlib import Path
part = runpy.run_path(sys.argv[1])["part"]
from ttapi.errors import DiskFullError
from ttapi.live.journal import Journal
folder = Path(sys.argv[2])
journal = Journal(folder, 0)
journal.append([part(1.0)])
size = next(folder.iterdir()).stat().st_size
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
said = "no error"
try:
    journal.append([part(2.0)])
except DiskFullError as exc:
    said = exc.hint
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(said, journal.append([part(3.0)]))
"""


def test_a_disk_that_refuses_a_record_leaves_those_before_and_takes_the_next(tmp_path):
    """The limit of file sizes refuses as a full disk does; in a process of its own, which it holds for."""
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, __file__, tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "free some space; what was acknowledged stands 2\n"
    assert prices_of(read_journal(tmp_path, 0)) == [(1, [1.0]), (2, [3.0])]


@pytest.mark.parametrize("junk", [b"", b"TTJ1", b"\0" * 4096, b"TTJ1" * 100])
def test_a_segment_of_anything_else_holds_nothing(tmp_path, junk):
    (tmp_path / f"{1:016d}.journal").write_bytes(junk)
    (tmp_path / "notes.journal").write_text("no segment")
    assert prices_of(read_journal(tmp_path, 0)) == []
