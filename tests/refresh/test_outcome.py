# SPDX-License-Identifier: Apache-2.0
"""What a refresh leaves with, what it says on the way, and what a query may cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from ttapi.cli.refresh import _show_plan, _span, _symbols
from ttapi.cli.report import _market_line, tell_outcome
from ttapi.clock import FixedClock
from ttapi.config import Settings
from ttapi.errors import BudgetError, UsageError
from ttapi.home import Home
from ttapi.models.rebuild import CheckOutcome
from ttapi.refresh.datasets import Step
from ttapi.refresh.environment import environment_of
from ttapi.refresh.freshness import Freshness
from ttapi.refresh.home_state import NOTHING, write_home_state
from ttapi.refresh.installation import Installation
from ttapi.refresh.plan import predicted_seconds
from ttapi.refresh.query import PreparedQuery, QueryRequest, _within_budget
from ttapi.refresh.runner import RefreshOutcome
from ttapi.store.catalog import DatasetOutcome


def did(dataset="raw.a", **changes):
    return DatasetOutcome(dataset, "stale", ("why",), **changes)


DOWN = {"error": "unreachable", "is_down": True}


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        ([did(source_calls=1)], 0),
        ([did(error="bad")], 1),
        ([did(failed_units=("a.csv: bad",))], 1),
        ([did(**DOWN)], 3),
        ([did(**DOWN), did("raw.b")], 3),
        ([did(**DOWN), did("raw.b", source_calls=1)], 1),
        ([did(**DOWN), did("raw.b", **DOWN)], 3),
        ([did(**DOWN), did("raw.b", error="bad", source_calls=1)], 1),
        ([did(error="bad"), did("raw.b", **DOWN)], 3),
    ],
)
def test_a_refresh_leaves_with_3_where_all_it_asked_was_out_of_reach(outcomes, code):
    assert RefreshOutcome(1, 1, tuple(outcomes)).exit_code == code


def test_what_happened_is_told_a_line_a_dataset(capsys):
    units = tuple(f"{name}.csv: torn" for name in "abcdef")
    tell_outcome(
        RefreshOutcome(
            7,
            3,
            (
                did(slices_asked=1, rows_in=3, rows_accepted=1, rows_refused=2, source_calls=1, is_changed=True),
                did("raw.b", error="bad", failed_units=units, seconds=2.0),
                did("raw.c", slices_held=2, unavailable=("X", "Y")),
                did("raw.d", slices_held=1),
                did("view"),
            ),
            (CheckOutcome("view", "unique(grain)", 1, "{}"),),
        )
    )  # fmt: skip
    assert capsys.readouterr().err.splitlines() == [
        "raw.a: changed, 1 slice, 1 row accepted, 2 refused, 0 ms",
        "raw.b: failed, 6 failed, 2.0 s",
        "  bad",
        *(f"  {unit}" for unit in units[:5]),
        "  and 1 more: select * from health",
        "raw.c: fresh, 2 slices held, 2 of them unknown: X",
        "raw.d: fresh, 1 slice held",
        "check unique(grain) of view: 1 bad row, such as {}",
        "refreshed: 1 dataset changed, 1 source call, 3 slices held, generation 3",
    ]


def test_five_units_that_failed_are_named_each_once(capsys):
    units = tuple(f"{name}.csv: torn" for name in "abcde")
    alone = did("raw.b", error="raw.b: x.csv: torn", failed_units=("x.csv: torn",))
    tell_outcome(RefreshOutcome(7, 3, (did(failed_units=units, slices_asked=5), alone)))
    assert capsys.readouterr().err.splitlines() == [
        "raw.a: unchanged, 5 slices, 5 failed, 0 ms",
        *(f"  {unit}" for unit in units),
        "raw.b: failed, 1 failed, 0 ms",
        "  raw.b: x.csv: torn",
        "refreshed: 0 datasets changed, 0 source calls, generation 3",
    ]


def test_a_plan_names_three_slices_and_counts_the_rest(capsys):
    steps = [
        Step("raw.a", "ask", "stale", ("due", "forced"), ("w", "x", "y", "z"), 4),
        Step("raw.b", "ask", "stale", ("due",), ("w", "x", "y"), 1),
        Step("view", "none", "stale", ("upstream stale",)),
        Step("table", "rebuild", "stale", ("code changed",)),
    ]
    _show_plan(steps, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "ask      raw.a, 4 calls: due; forced",
        "           w",
        "           x",
        "           y",
        "           and 1 more",
        "ask      raw.b, 1 call: due",
        "           w",
        "           x",
        "           y",
        "rebuild  table: code changed",
    ]
    _show_plan(steps[2:3], as_json=False)
    assert capsys.readouterr().out == "everything is fresh: nothing to do\n"
    _show_plan([steps[1], steps[3]], as_json=True)
    assert capsys.readouterr().out == (
        '[{"dataset": "raw.b", "slice": "w", "reasons": ["due"], "calls": 1},'
        ' {"dataset": "raw.b", "slice": "x", "reasons": ["due"], "calls": 1},'
        ' {"dataset": "raw.b", "slice": "y", "reasons": ["due"], "calls": 1},'
        ' {"dataset": "table", "slice": null, "reasons": ["code changed"], "calls": 0}]\n'
    )
    _show_plan([replace(steps[0], slices=("w",), calls=4)], as_json=True)
    assert capsys.readouterr().out == (
        '[{"dataset": "raw.a", "slice": "w", "reasons": ["due", "forced"], "calls": 1}]\n'
    )


def test_slices_that_were_fetched_are_those_of_which_something_came():
    done = (
        did(slices_asked=5, failed_units=("a", "b")),
        did("raw.b", slices_asked=2),
        did("raw.c", slices_asked=9, error="bad"),
    )
    assert PreparedQuery(RefreshOutcome(1, 1, done), (), (), 0.0).slices_fetched == 5
    assert PreparedQuery(None, (), (), 0.0).slices_fetched == 0


def test_symbols_and_dates_of_the_command_line_are_read():
    assert _symbols(None) is None
    assert _symbols(" spy, brk.b,, ") == {"SPY", "BRK.B"}
    assert _symbols("") == frozenset()
    assert _span(None, None) == (None, None)
    assert _span("2024-06-14", "2024-06-15") == (date(2024, 6, 14), date(2024, 6, 15))
    for first, last in (("2024-06-14", "2024-06-14"), ("2024-06-15", "2024-06-14")):
        with pytest.raises(UsageError, match="holds no date"):
            _span(first, last)
    with pytest.raises(UsageError, match="--to 'soon' is no date"):
        _span(None, "soon")


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ("2024-06-14T13:29:59", "closed until 2024-06-14 09:30"),
        ("2024-06-14T13:30:00", "open until 2024-06-14 16:00"),
        ("2024-06-14T19:59:59", "open until 2024-06-14 16:00"),
        ("2024-06-14T20:00:00", "closed until 2024-06-17 09:30"),
        ("2024-06-15T16:00:00", "closed until 2024-06-17 09:30"),
        ("2024-07-03T16:59:59", "open until 2024-07-03 13:00"),
    ],
)
def test_the_market_is_open_from_its_opening_until_before_its_close(now, line):
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert _market_line(instant) == f"XNYS is {line} New York"


@pytest.fixture
def environment(tmp_path):
    """One whose last refresh told how long things took."""
    home = Home(tmp_path)
    home.live.mkdir()
    left = replace(NOTHING, seconds={"raw.a": 6.0, "raw.b": 6.0}, calls={"raw.a": 3})
    write_home_state(home, left)
    settings = Settings(max_calls=5, max_seconds=10.0)
    return environment_of(
        Installation(home, settings), FixedClock(datetime(2024, 6, 14, tzinfo=UTC))
    )


def asks(dataset, calls):
    return Step(dataset, "ask", "stale", ("due",), calls=calls)


def test_the_time_of_a_step_is_that_of_its_calls(environment):
    assert predicted_seconds(environment, asks("raw.a", 5)) == 10.0
    assert predicted_seconds(environment, asks("raw.a", 0)) == 6.0
    assert predicted_seconds(environment, asks("raw.b", 5)) == 6.0
    assert predicted_seconds(environment, asks("raw.new", 5)) is None


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([asks("raw.new", 5)], None),
        ([asks("raw.new", 6)], "6 source calls and take about 0 s"),
        ([asks("raw.new", 3), asks("raw.new", 3)], "6 source calls"),
        ([asks("raw.a", 5)], None),
        ([asks("raw.a", 5), asks("raw.b", 0)], "5 source calls and take about 16 s"),
    ],
)
def test_a_query_within_its_budget_goes_on_and_another_asks(environment, steps, told):
    request = QueryRequest("select 1")
    if told is None:
        assert _within_budget(environment, steps, request, None) is None
        return
    with pytest.raises(BudgetError, match=told):
        _within_budget(environment, steps, request, None)
    with pytest.raises(BudgetError):
        _within_budget(environment, steps, request, lambda _: False)
    assert _within_budget(environment, steps, request, lambda _: True) is None
    waived = replace(request, freshness=Freshness(is_budget_waived=True))
    assert _within_budget(environment, steps, waived, None) is None
