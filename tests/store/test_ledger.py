# SPDX-License-Identifier: Apache-2.0
"""The ledger's record of a unit after a load: dates, doubles and versions by mode."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from ttapi.sources.contract import Unit, UnitReport
from ttapi.store.ledger import UnitChange, loaded, never_loaded

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)
NEW = never_loaded(1, "raw.x", "a.csv", NOW)
KNOWN = replace(
    NEW, version="v", content_hash="v", load_id=1, rows_accepted=2, rows_in=2, first_date=date(2024, 6, 3),
    last_date=date(2024, 6, 7), covered_from=date(2024, 6, 3), covered_to=date(2024, 6, 8),
)  # fmt: skip


def after(known, mode, *, is_changed=True, **report):
    said = {
        "content_hash": "w",
        "first_date": date(2024, 6, 4),
        "last_date": date(2024, 6, 6),
    } | report
    return loaded(
        known, UnitReport(Unit("a.csv"), **said), UnitChange(rows_added=1, is_changed=is_changed), mode=mode, coverage=None,
        load_id=2, now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "first", "last", "covered_to"), [("replace", 4, 6, 7), ("merge", 3, 7, 8), ("append", 3, 7, 8)]
)  # fmt: skip
def test_dates_are_those_of_the_file_or_grow_with_what_is_added(mode, first, last, covered_to):
    found = after(KNOWN, mode)
    assert (found.first_date.day, found.last_date.day, found.covered_to.day) == (
        first,
        last,
        covered_to,
    )


@pytest.mark.parametrize(
    ("mode", "known", "says", "expected"),
    [
        ("replace", KNOWN, False, False), ("replace", KNOWN, True, True), ("merge", KNOWN, True, False),
        ("append", NEW, False, False), ("append", NEW, True, True), ("append", KNOWN, False, True),
        ("append", replace(NEW, has_duplicates=True), False, True),
    ],
)  # fmt: skip
def test_doubles_are_possible_where_rows_were_added_to_rows(mode, known, says, expected):
    assert after(known, mode, has_duplicates=says).has_duplicates is expected


def test_a_version_is_the_content_s_unless_it_stood_before():
    assert after(KNOWN, "replace").version == "w"
    back = after(KNOWN, "replace", content_hash="v").version
    assert back not in {"v", "w"}
    assert after(KNOWN, "merge").version not in {"v", "w"}
    assert after(KNOWN, "replace", is_changed=False).version == "v"
    assert after(NEW, "replace", is_changed=False).version == "w"
    assert after(KNOWN, "replace", content_hash=None).version != after(replace(KNOWN, version="u"), "replace", content_hash=None).version  # fmt: skip


def test_an_answer_without_rows_takes_nothing_of_what_is_covered():
    nothing = {"first_date": None, "last_date": None}
    found = [after(known, "merge", **nothing) for known in (KNOWN, NEW)]
    assert [(one.covered_from, one.covered_to) for one in found] == [
        (date(2024, 6, 3), date(2024, 6, 8)),
        (None, None),
    ]
