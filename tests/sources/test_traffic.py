# SPDX-License-Identifier: Apache-2.0
"""Accounts of network calls, and answers kept aside: counted, told in a line, forgotten when old."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime

import pytest

from ttapi.sources.traffic import (
    _KEPT_BYTES,
    _KEPT_FILES,
    Quarantine,
    RefusedGrant,
    Traffic,
    refusal_of,
    traffic_text,
)


def account(*outcomes, **changes):
    traffic = Traffic(**changes)
    for outcome in outcomes:
        traffic.started()
        traffic.ended(outcome, 10)
    return traffic


def test_an_account_counts_how_requests_ended_and_how_many_ran_at_once():
    traffic = account("200", "429", "200")
    traffic.started()
    traffic.started()
    traffic.ended("timeout")
    assert (traffic.requests, traffic.in_flight, traffic.in_flight_most) == (4, 1, 2)
    assert traffic.as_document() == {
        "requests": 4, "outcomes": {"200": 2, "429": 1, "timeout": 1}, "received_bytes": 30, "in_flight_most": 2,
        "allowed_per_s": None, "pace_per_s": None, "refusal": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("traffic", "text"),
    [
        (account("200"), "1 request (1 x 200)"),
        (account("200", "429"), "2 requests (1 x 200, 1 x 429)"),
        (account("200", allowed_per_s=120.0, pace_per_s=60.0), "1 request (1 x 200), pace 60 of 120/s"),
        (account(*["200"] * 1200), "1,200 requests (1,200 x 200)"),
    ],
)  # fmt: skip
def test_an_account_is_a_line(traffic, text):
    assert traffic_text(traffic.as_document()) == text


@pytest.mark.parametrize(
    ("allowed", "pace", "is_slowed"),
    [(100.0, 98.9, True), (100.0, 99.0, False), (100.0, 100.0, False), (None, 1.0, False), (100.0, None, False)],
)  # fmt: skip
def test_a_pace_is_slowed_below_99_percent(allowed, pace, is_slowed):
    assert Traffic(allowed_per_s=allowed, pace_per_s=pace).is_slowed == is_slowed


def test_a_refusal_is_the_same_when_read_back():
    refusal = RefusedGrant("hash", "the grant is refused", datetime(2024, 6, 14, 22, tzinfo=UTC))
    assert refusal_of(Traffic(refusal=refusal).as_document()) == refusal
    assert refusal_of(Traffic().as_document()) is None
    assert refusal_of(None) is None


def test_an_answer_is_kept_for_its_owner_with_its_reason(tmp_path):
    quarantine = Quarantine(tmp_path)
    file = quarantine.keep("/things/{id}", 200, "no JSON", b"<html>\xff")
    assert file.parent == tmp_path / "journal" / "quarantine"
    assert file.name.startswith("things-id-")
    assert file.read_text() == "/things/{id}, status 200: no JSON\n<html>\ufffd"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert quarantine.keep("/things/{id}", 200, "again", b"<html>\xff") == file
    assert quarantine.keep("/things/{id}", 200, "no JSON", b"other") != file
    assert Quarantine(None).keep("/x", 200, "no JSON", b"") is None


def test_a_long_answer_is_cut_and_that_is_said(tmp_path):
    quarantine = Quarantine(tmp_path)
    whole = quarantine.keep("/x", 200, "why", b"a" * _KEPT_BYTES).read_text()
    assert whole == "/x, status 200: why\n" + "a" * _KEPT_BYTES
    cut = quarantine.keep("/x", 200, "why", b"a" * (_KEPT_BYTES + 1)).read_text()
    head = f"/x, status 200, first {_KEPT_BYTES:,} of {_KEPT_BYTES + 1:,} bytes: why\n"
    assert cut == head + "a" * _KEPT_BYTES


def test_the_newest_answers_are_kept(tmp_path):
    folder = tmp_path / "journal" / "quarantine"
    folder.mkdir(parents=True)
    for number in range(_KEPT_FILES):
        (folder / f"old-{number}.txt").write_text("")
        os.utime(folder / f"old-{number}.txt", ns=(number, number))
    newest = Quarantine(tmp_path).keep("/x", 200, "why", b"")
    left = {file.name for file in folder.iterdir()}
    assert left == {newest.name, *(f"old-{n}.txt" for n in range(1, _KEPT_FILES))}
