# SPDX-License-Identifier: Apache-2.0
"""What is said around an answer: within the line, the oldest first, the whole time taken."""

from __future__ import annotations

import pytest

from ttapi.cli.terminal import fitting_list, tell_inputs
from ttapi.refresh.freshness import InputAge
from ttapi.refresh.query import PreparedQuery
from ttapi.refresh.runner import RefreshOutcome
from ttapi.refresh.steps import DatasetOutcome

NAMES = [f"raw.dataset_number_{n}" for n in range(9)]


def outcome(dataset, **changes):
    return DatasetOutcome(dataset, "stale", (), **{"is_changed": True, **changes})


@pytest.mark.parametrize("count", range(1, 10))
def test_a_list_keeps_to_the_line_and_says_how_much_it_leaves_out(count):
    line = fitting_list("-- inputs: ", NAMES[:count], " (.age)")
    assert len(line) <= 80
    named = line.count("raw.")
    assert named >= min(count, 2)
    assert line.endswith(f", {count - named} more (.age)") is (named < count)


def test_one_long_name_is_told_whole():
    assert fitting_list("-- changed: ", ["x" * 90, "y"]) == f"-- changed: {'x' * 90}, 1 more"


def test_a_list_that_just_fits_is_told_whole():
    fitting = fitting_list("-- inputs: ", ["x" * 60, "y" * 7], " (.age)")
    assert (len(fitting), fitting) == (80, f"-- inputs: {'x' * 60}, {'y' * 7}")
    over = fitting_list("-- inputs: ", ["x" * 60, "y" * 8], " (.age)")
    assert over == f"-- inputs: {'x' * 60}, 1 more"


def test_inputs_are_told_the_oldest_first(capsys):
    ages = [InputAge("raw.a", 3.0), InputAge("raw.b", 7200.0), InputAge("raw.c", None)]
    tell_inputs(PreparedQuery(None, (), ages, 0.002))
    assert capsys.readouterr().err.splitlines() == [
        "-- 0 calls, 2 ms",
        "-- inputs: raw.c never loaded, raw.b 2 h old, raw.a 3.0 s old",
    ]


def test_a_refresh_is_told_with_all_the_time_it_took(capsys):
    done = RefreshOutcome(1, 2, (outcome("raw.a", source_calls=1, slices_asked=1, rows_refused=1),))
    tell_inputs(PreparedQuery(done, (), [], 0.002, refresh_s=1.5))
    assert capsys.readouterr().err.splitlines() == [
        "-- fetched 1 slice, 1.5 s",
        "-- changed: raw.a",
        "-- raw.a: 1 row refused; select * from rejects",
    ]
