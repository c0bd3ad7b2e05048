# SPDX-License-Identifier: Apache-2.0
"""What is asked of one raw dataset: by its folder, as a whole, or key by key; at the instant it is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ttapi.market.calendar import sessions
from ttapi.refresh.coverage import Demand
from ttapi.refresh.datasets import Dataset, ListingDiff, MarketClock, PlanInputs, Step
from ttapi.refresh.planner import StepInputs, raw_step, rules_of
from ttapi.store.catalog import DatasetState, Slice

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)
MOMENT = MarketClock(NOW, sessions("XNYS").next_close_after)
FILES = Dataset(
    "raw.bars", "raw", "code.set", ttl="1d", source="files", key="symbol", is_local=True, is_narrowable=True
)  # fmt: skip
REST = Dataset(
    "raw.metrics", "raw", "code.set", ttl="1d", source="rest", key="symbol", requires=("symbol",)
)
SETTLED = DatasetState(version="v", fingerprint="code.set", asked_at=NOW - timedelta(hours=1))


def step(dataset, state=SETTLED, *, survey=None, wish=None, keys=None, slices=(), universe=None):
    held = PlanInputs(
        {dataset.name: Demand(keys if keys is None else frozenset(keys))},
        {dataset.name: tuple(slices)},
        universe if universe is None else frozenset(universe),
    )
    return raw_step(dataset, state, StepInputs(survey, held, wish), MOMENT)


def told(found):
    return found.verdict, found.action, found.reasons


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(timedelta(hours=23, minutes=59), "fresh"), (timedelta(days=1), "stale"), (timedelta(days=2), "stale")],
)  # fmt: skip
def test_a_ttl_has_passed_at_its_last_instant(age, verdict):
    found = step(FILES, replace(SETTLED, asked_at=NOW - age))
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("fresh", "none", ())),
        ({"fingerprint": "", "asked_at": None}, ("missing", "ask", ("never loaded",))),
        ({"asked_at": None}, ("stale", "ask", ("asked in part only",))),
        ({"fingerprint": "code.other"}, ("stale", "ask", ("settings changed",))),
        ({"fingerprint": "other.set"}, ("stale", "ask", ("code changed",))),
        ({"error": "gone"}, ("failed", "ask", ("last attempt failed: gone",))),
        (
            {"error": "gone", "fingerprint": "code.other"},
            ("failed", "ask", ("settings changed", "last attempt failed: gone")),
        ),
    ],
)
def test_a_dataset_as_a_whole_is_asked_for_these_reasons(changes, expected):
    assert told(step(FILES, replace(SETTLED, **changes))) == expected


SURVEY = ListingDiff(("b.csv",), ("a.csv",), ("c.csv", "d.csv"), ("a.csv", "b.csv", "e.csv"))


def test_a_folder_that_differs_is_read_where_it_differs():
    assert step(FILES, survey=SURVEY) == Step(
        "raw.bars", "ask", "stale", ("1 file new", "1 file changed", "2 files vanished"), ("b.csv", "a.csv"), 2
    )  # fmt: skip
    assert step(FILES, survey=ListingDiff(every=("a.csv",))) == Step(
        "raw.bars", "none", "fresh", ()
    )
    gone = step(FILES, survey=ListingDiff(vanished=("c.csv",)))
    assert (gone.slices, gone.calls, gone.may_change) == ((), 0, False)


@pytest.mark.parametrize(
    ("state", "wish"),
    [(SETTLED, "forced"), (replace(SETTLED, fingerprint="code.other"), None)],
    ids=["forced", "settings"],
)
def test_a_folder_is_read_whole_when_forced_and_when_its_settings_changed(state, wish):
    found = step(FILES, state, survey=SURVEY, wish=wish, keys={"A"})
    assert (found.slices, found.calls) == (SURVEY.every, 3)


def test_a_wish_is_a_reason_and_the_last_one():
    assert told(step(FILES, wish="asked for")) == ("stale", "ask", ("asked for",))
    assert told(step(FILES, wish="asked for", survey=ListingDiff(new=("a",))))[2] == (
        "1 file new",
        "asked for",
    )


def test_what_was_asked_by_key_within_its_ttl_is_not_asked_again():
    state = replace(SETTLED, asked_at=NOW - timedelta(days=2))
    fresh, due = Slice("A", NOW - timedelta(hours=1)), Slice("B", NOW - timedelta(days=1))
    found = step(FILES, state, keys={"A", "B"}, slices=[fresh, due])
    assert (found.keys, found.calls) == (frozenset("B"), 1)
    assert step(FILES, state, keys={"A"}, slices=[fresh, due]) == Step("raw.bars", "none", "fresh", ())  # fmt: skip
    assert step(FILES, state, keys={"A"}, slices=[fresh], wish="forced").keys == frozenset("A")
    assert step(FILES, state, slices=[fresh]).keys is None
    assert step(FILES, state, keys={"B", "C"}, slices=[fresh, due]).calls == 2
    other = replace(state, fingerprint="code.other")
    assert step(FILES, other, keys={"A"}, slices=[fresh]).keys is None
    wide = replace(FILES, is_narrowable=False)
    assert step(wide, state, keys={"A"}, slices=[fresh]).keys is None


def asked(found):
    return [ask.key for ask in found.asks], found.held, found.verdict


def test_keys_are_those_bound_else_the_universe_and_what_is_held():
    held = [Slice("H", NOW), Slice("X", NOW, is_absent=True)]
    assert asked(step(REST, keys={"A", "H"}, slices=held)) == (["A"], 1, "stale")
    assert asked(step(REST, universe={"U"}, slices=held)) == (["U"], 1, "stale")
    assert asked(step(REST, slices=held)) == ([], 1, "fresh")
    assert asked(step(REST, keys={"A"})) == (["A"], 0, "missing")
    accounts = replace(REST, requires=("account",))
    assert asked(step(accounts, universe={"U"}, slices=held)) == ([], 1, "fresh")


def test_without_any_key_nothing_is_asked_and_it_is_said_what_is_lacking():
    lacking = "needs symbol: bind it, name a list, or set [universe] default"
    assert told(step(REST)) == ("missing", "none", (lacking,))
    bound = replace(REST, requires=("account",))
    assert told(step(bound)) == ("missing", "none", ("needs account: bind it (where account = ...)",))  # fmt: skip
    filling = replace(REST, completes="raw.bars")
    assert step(filling) == Step("raw.metrics", "none", "fresh", (), may_change=False)
    failed = replace(SETTLED, error="gone")
    assert told(step(filling, failed)) == ("failed", "none", ("last attempt failed: gone",))


def test_what_only_a_bound_key_asks_for_is_asked_for_when_wished():
    chains = replace(REST, is_bound_only=True)
    held = [Slice("H", NOW - timedelta(days=3))]
    assert step(chains, slices=held).action == "none"
    assert step(chains, slices=held).verdict == "fresh"
    assert step(chains).verdict == "missing"
    assert asked(step(chains, slices=held, wish="asked for")) == (["H"], 0, "stale")
    assert asked(step(chains, slices=held, keys={"H"})) == (["H"], 0, "stale")


def test_changed_settings_and_force_void_what_is_held():
    held = [Slice("A", NOW)]
    assert asked(step(REST, keys={"A"}, slices=held)) == ([], 1, "fresh")
    other = replace(SETTLED, fingerprint="code.other")
    found = step(REST, other, keys={"A"}, slices=held)
    assert (asked(found), found.reasons) == (
        (["A"], 0, "stale"),
        ("code or settings changed",),
    )
    assert step(REST, keys={"A"}, slices=held, wish="forced").reasons == ("forced",)
    never = replace(SETTLED, fingerprint="")
    assert asked(step(REST, never, keys={"A"}, slices=held)) == ([], 1, "fresh")


def test_reasons_count_slices():
    held = [Slice("A", NOW - timedelta(days=1)), Slice("B", NOW - timedelta(days=1))]
    found = step(REST, keys={"A", "B", "C"}, slices=held)
    assert found.reasons == ("2 slices ttl passed", "1 slice never asked")
    assert (found.calls, found.slices) == (3, ("A", "B", "C"))


def test_today_is_the_session_date_of_new_york():
    dataset = replace(REST, time_column="date", sessions="XNYS", revise="5d")
    evening = MarketClock(datetime(2024, 6, 15, 2, tzinfo=UTC), MOMENT.next_close, lambda m, d: m == "XNYS")  # fmt: skip
    rules = rules_of(dataset, evening)
    assert (rules.today, rules.revise, rules.has_time) == (date(2024, 6, 14), timedelta(days=5), True)  # fmt: skip
    assert rules.is_session(date(2024, 6, 14)) is True
    plain = rules_of(REST, MOMENT)
    assert (plain.revise, plain.has_time, plain.is_session) == (timedelta(days=1), False, None)


def test_a_setting_that_lacks_comes_before_everything_else():
    lacking = replace(REST, missing_setting="token")
    assert step(lacking, wish="forced", keys={"A"}) == Step(
        "raw.metrics", "none", "not configured", ("[sources.rest] token is not set",)
    )
