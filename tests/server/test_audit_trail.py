# SPDX-License-Identifier: Apache-2.0
"""The audit log by itself: a chain that shows what was changed, through rotation, kills and many writers."""

from __future__ import annotations

import json
import threading

import pytest

from ttapi.audit.home_findings import broken_audit_log
from ttapi.errors import UsageError
from ttapi.server.audit_trail import AuditTrail


@pytest.fixture
def trail(tmp_path):
    return AuditTrail(tmp_path, lambda: 1_800_000_000.25, clock=lambda: 0.0)


def filled(trail, count=6):
    for number in range(count):
        trail.write("user added", "ok", who="local", about={"user": f"user{number}"})
    return trail._folder / "audit.jsonl"


def test_a_line_says_who_did_what_and_when(trail, tmp_path):
    trail.write("post_sql", "ok", who="ann", request_id="r1", about={"sql_sha256": "x" * 300})
    (line,) = (tmp_path / "audit.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found.pop("hash") and found == {
        "number": 1, "at": "2027-01-15T08:00:00.250Z", "who": "ann", "what": "post_sql", "result": "ok",
        "request_id": "r1", "about": {"sql_sha256": "x" * 200}, "before": "0" * 64,
    }  # fmt: skip
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda lines: [lines[0].replace("user0", "user9"), *lines[1:]], "line 1 was changed"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3 does not follow the one before it"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "line 3 does not follow"),
        (lambda lines: [*lines, lines[-1]], "line 7 does not follow"),
        (lambda lines: [*lines[:1], "{}", *lines[2:]], "line 3 does not follow"),
        (lambda lines: lines[:4], "ends at 4, and 6 were written"),
        (lambda lines: [], "ends at 0, and 6 were written"),
    ],
)
def test_what_was_changed_or_taken_away_shows(trail, tmp_path, harm, said):
    file = filled(trail)
    assert broken_audit_log(tmp_path) is None
    lines = file.read_text().splitlines()
    file.write_text("".join(f"{line}\n" for line in harm(lines)))
    assert said in broken_audit_log(tmp_path)


def test_full_files_end_and_the_chain_goes_on(tmp_path):
    trail = AuditTrail(tmp_path, file_bytes=1000)
    filled(trail, 10)
    ended = sorted(one.name for one in tmp_path.glob("audit.*.jsonl"))
    assert ended == ["audit.000000000004.jsonl", "audit.000000000008.jsonl"]
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 2
    assert broken_audit_log(tmp_path) is None
    (tmp_path / ended[1]).unlink()
    assert "line 1 does not follow" in broken_audit_log(tmp_path)


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_line_torn_by_a_kill_is_passed_over_and_the_next_follows(trail, tmp_path, is_noted):
    file = filled(trail, 3)
    before = (tmp_path / ".audit.lock").read_bytes()
    filled(trail, 1)
    if not is_noted:
        # Killed between the line and the note of it.
        (tmp_path / ".audit.lock").write_bytes(before)
    with file.open("a") as stream:
        stream.write('{"number": 5, "at"')
    filled(AuditTrail(tmp_path), 2)
    assert broken_audit_log(tmp_path) is None
    numbers = [json.loads(line)["number"] for line in file.read_text().splitlines() if line.endswith("}")]  # fmt: skip
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_lines_of_many_writers_are_one_chain(tmp_path):
    threads = [threading.Thread(target=filled, args=(AuditTrail(tmp_path, file_bytes=4000), 20)) for _ in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken_audit_log(tmp_path) is None
    lines = [line for one in tmp_path.glob("audit*.jsonl") for line in one.read_text().splitlines()]
    assert sorted(json.loads(line)["number"] for line in lines) == list(range(1, 81))


def test_a_flood_of_refusals_is_counted_and_not_written_out(trail, tmp_path):
    now = [0.0]
    flooded = AuditTrail(tmp_path, clock=lambda: now[0])
    for _ in range(500):
        flooded.note_refusal("/api/v1/sql", "refused: 401", "192.0.2.1")
    now[0] = 5.0
    flooded.note_refusal("/api/v1/sql", "refused: 401", "192.0.2.1")
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert len(lines) == 21
    assert json.loads(lines[-1])["about"] == {"address": "192.0.2.1", "more_refusals": 480}


def test_where_it_cannot_be_written_that_is_told(tmp_path):
    (tmp_path / "logs").write_text("")
    trail = AuditTrail(tmp_path / "logs")
    with pytest.raises(UsageError, match=r"audit\.jsonl cannot be written"):
        trail.write("x", "ok", who="local")
    trail.note("x", "ok", who="local")
