# SPDX-License-Identifier: Apache-2.0
"""The planner as a pure function: verdicts, reasons, order, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttapi.market.calendar import sessions
from ttapi.refresh.coverage import Demand
from ttapi.refresh.datasets import Dataset, ListingDiff, MarketClock, PlanInputs
from ttapi.refresh.planner import (
    StepInputs,
    closure,
    current_versions,
    plan_refresh,
    raw_step,
)
from ttapi.store.catalog import DatasetState, Slice

FRIDAY_EVENING = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
NEXT_CLOSE = sessions("XNYS").next_close_after

RAW = Dataset(
    "raw.bars", "raw", "code-1", ttl="next close + 45m", source="files", key="symbol", is_local=True
)
ACTIONS = Dataset(
    "raw.actions", "raw", "code-1", ttl="1d", source="files", key="symbol", is_local=True
)
EOD = Dataset("staged.eod", "view", "sql-1", frozenset({"raw.bars"}))
FACTORS = Dataset(
    "derived.factors", "table", "sql-1", frozenset({"staged.eod", "raw.actions"}), tracked="symbol"
)
SERIES = Dataset("series", "view", "sql-1", frozenset({"derived.factors", "staged.eod"}))
DATASETS = {d.name: d for d in (RAW, ACTIONS, EOD, FACTORS, SERIES)}


def moment(now=FRIDAY_EVENING):
    return MarketClock(now, NEXT_CLOSE)


def settled(datasets=DATASETS, asked_at=FRIDAY_EVENING):
    """States in which everything was just made."""
    states = {
        n: DatasetState(version=f"v-{n}", fingerprint=d.fingerprint, asked_at=asked_at, load_id=1)
        for n, d in datasets.items()
        if d.kind in {"raw", "table"}
    }
    versions = current_versions(datasets, states)
    for name, dataset in datasets.items():
        if dataset.kind == "table":
            seen = {u: versions[u] for u in dataset.upstreams}
            states[name] = replace(states[name], upstream_versions=seen)
    return states


def plan(states, now=FRIDAY_EVENING, targets=("series",), **changes):
    datasets = changes.pop("datasets", DATASETS)
    return {
        s.dataset: s for s in plan_refresh(datasets, states, targets, clock=moment(now), **changes)
    }


def test_a_new_home_asks_and_builds_everything_upstream_first():
    steps = plan_refresh(DATASETS, {}, ["series"], clock=moment())
    assert [(s.dataset, s.action, s.verdict) for s in steps] == [
        ("raw.bars", "ask", "missing"),
        ("raw.actions", "ask", "missing"),
        ("staged.eod", "none", "stale"),
        ("derived.factors", "rebuild", "missing"),
        ("series", "none", "stale"),
    ]


def test_what_was_just_made_needs_nothing():
    assert {s.verdict for s in plan(settled()).values()} == {"fresh"}
    assert {s.action for s in plan(settled()).values()} == {"none"}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2024-06-15T12:00:00Z", "fresh"),  # Saturday
        ("2024-06-17T12:00:00Z", "fresh"),  # Monday morning
        ("2024-06-17T20:44:59Z", "fresh"),  # 16:44:59 New York
        ("2024-06-17T20:45:00Z", "stale"),  # 45 minutes after the close
    ],
)
def test_market_time_lets_a_weekend_pass(now, expected):
    steps = plan(settled(), datetime.fromisoformat(now), targets=["staged.eod"])
    assert steps["raw.bars"].verdict == expected


def test_a_holiday_makes_nothing_stale():
    tuesday = datetime(2024, 6, 18, 22, 0, tzinfo=UTC)
    juneteenth = datetime(2024, 6, 19, 22, 0, tzinfo=UTC)
    assert (
        plan(settled(asked_at=tuesday), juneteenth, targets=["staged.eod"])["raw.bars"].verdict
        == "fresh"
    )


def test_a_plain_duration_counts_hours():
    assert plan(settled(), FRIDAY_EVENING + timedelta(hours=24))["raw.actions"].reasons == (
        "ttl 1d passed",
    )


def test_a_changed_folder_is_a_reason_and_its_units_are_the_slices():
    listings = {"raw.bars": ListingDiff(new=("A.csv",), changed=("B.csv",), vanished=("C.csv",))}
    steps = plan(settled(), listings=listings)
    assert steps["raw.bars"].reasons == ("1 file new", "1 file changed", "1 file vanished")
    assert (steps["raw.bars"].slices, steps["raw.bars"].calls) == (("A.csv", "B.csv"), 2)
    assert steps["raw.actions"].verdict == "fresh"
    assert steps["derived.factors"].reasons == ("upstream stale: staged.eod",)


def test_changed_code_of_a_model_rebuilds_it_and_what_reads_it():
    table = Dataset("derived.more", "table", "sql-1", frozenset({"derived.factors"}))
    datasets = {**DATASETS, "derived.more": table}
    states = settled(datasets)
    datasets["derived.factors"] = replace(FACTORS, fingerprint="sql-2")
    steps = plan(states, datasets=datasets, targets=["derived.more", "series"])
    assert steps["derived.factors"].reasons == ("code changed",)
    assert steps["derived.more"].reasons == ("upstream stale: derived.factors",)
    assert steps["raw.bars"].action == "none"


def test_a_changed_view_changes_the_version_its_tables_saw():
    datasets = {**DATASETS, "staged.eod": replace(EOD, fingerprint="sql-2")}
    steps = plan(settled(), datasets=datasets)
    assert steps["derived.factors"].reasons[0].startswith("upstream changed: staged.eod ")


def test_changed_ingestor_code_asks_again():
    datasets = {**DATASETS, "raw.bars": replace(RAW, fingerprint="code-2")}
    assert plan(settled(), datasets=datasets)["raw.bars"].reasons == ("code changed",)


def test_changed_settings_ask_again_and_are_told_from_code():
    states = settled({**DATASETS, "raw.bars": replace(RAW, fingerprint="code-1.raw")})
    datasets = {**DATASETS, "raw.bars": replace(RAW, fingerprint="code-1.split")}
    assert plan(states, datasets=datasets)["raw.bars"].reasons == ("settings changed",)


def test_a_failed_attempt_is_tried_again_and_says_why():
    states = settled()
    states["raw.bars"] = replace(states["raw.bars"], error="folder is gone")
    step = plan(states)["raw.bars"]
    assert (step.verdict, step.action, step.reasons) == (
        "failed",
        "ask",
        ("last attempt failed: folder is gone",),
    )


def test_an_unconfigured_source_is_skipped_and_blocks_nothing():
    datasets = {**DATASETS, "raw.actions": replace(ACTIONS, missing_setting="files.actions_path")}
    states = settled()
    del states["raw.actions"]
    versions = current_versions(datasets, states)
    seen = {u: versions[u] for u in FACTORS.upstreams}
    states["derived.factors"] = replace(states["derived.factors"], upstream_versions=seen)
    steps = plan(states, datasets=datasets)
    assert (steps["raw.actions"].verdict, steps["raw.actions"].action) == ("not configured", "none")
    assert steps["derived.factors"].verdict == "fresh"


def test_force_asks_the_roots_of_the_targets_only():
    steps = plan(settled(), targets=["staged.eod"], force=True)
    assert {n: s.action for n, s in steps.items()} == {"raw.bars": "ask", "staged.eod": "none"}


def test_force_spares_what_was_asked_a_moment_ago_and_asking_names_one():
    forced = plan(settled(), force=True, already_refreshed=["raw.bars"])
    assert (forced["raw.bars"].action, forced["raw.actions"].action) == ("none", "ask")
    named = plan(settled(), refetch=["raw.bars"])
    assert {n: s.reasons for n, s in named.items() if s.action == "ask"} == {
        "raw.bars": ("older than asked for",)
    }


def test_what_is_known_to_change_nothing_makes_nothing_stale():
    due = {"raw.bars": ListingDiff(every=("a.csv",)), "raw.actions": ListingDiff(every=("b.csv",))}
    steps = plan(settled(), FRIDAY_EVENING + timedelta(days=7), listings=due)
    assert {n: (s.verdict, s.action) for n, s in steps.items()} == {
        "raw.bars": ("stale", "ask"),
        "raw.actions": ("stale", "ask"),
        "staged.eod": ("fresh", "none"),
        "derived.factors": ("fresh", "none"),
        "series": ("fresh", "none"),
    }


def test_of_two_upstreams_one_that_changed_is_enough():
    states = settled()
    states["raw.actions"] = replace(states["raw.actions"], version="w")
    steps = plan(states)
    assert steps["derived.factors"].reasons == ("upstream changed: raw.actions v-raw.a -> w",)
    assert [n for n, s in steps.items() if s.verdict != "fresh"] == ["derived.factors", "series"]


states_strategy = st.fixed_dictionaries(
    {
        name: st.builds(
            DatasetState,
            version=st.sampled_from(["", "a", "b"]),
            fingerprint=st.sampled_from(["", "code-1", "sql-1", "old"]),
            asked_at=st.one_of(
                st.none(),
                st.datetimes(datetime(2024, 6, 1), datetime(2024, 6, 20), timezones=st.just(UTC)),
            ),
            upstream_versions=st.dictionaries(
                st.sampled_from(sorted(DATASETS)), st.sampled_from(["", "a", "b"])
            ),
            error=st.one_of(st.none(), st.just("boom")),
        )
        for name in ("raw.bars", "raw.actions", "derived.factors")
    }
)


@given(states_strategy, st.sets(st.sampled_from(sorted(DATASETS)), min_size=1), st.booleans())
def test_a_plan_is_ordered_complete_and_reasoned(states, targets, force):
    steps = plan_refresh(DATASETS, states, targets, clock=moment(), force=force)
    names = [s.dataset for s in steps]
    assert set(names) == closure(DATASETS, targets)
    for step in steps:
        upstreams = DATASETS[step.dataset].upstreams
        assert all(names.index(u) < names.index(step.dataset) for u in upstreams)
        assert (step.verdict == "fresh") == (not step.reasons)
        assert step.action == "none" or step.reasons
        if step.verdict == "fresh":
            by_name = {s.dataset: s for s in steps}
            assert all(by_name[u].verdict in {"fresh", "not configured"} for u in upstreams)
    assert steps == plan_refresh(DATASETS, states, targets, clock=moment(), force=force)


def test_a_key_its_source_has_not_is_asked_again_when_the_ttl_has_passed_and_by_nobody_else():
    metrics = Dataset(
        "raw.metrics", "raw", "code-1", ttl="1h", source="rest", key="symbol", requires=("symbol",)
    )
    asked_at = FRIDAY_EVENING
    slices = {"raw.metrics": (Slice("SPY", asked_at), Slice("NONE", asked_at, is_absent=True))}

    def step(keys, after, **changes):
        held = PlanInputs({"raw.metrics": Demand(keys)}, slices)
        states = {"raw.metrics": DatasetState(fingerprint="code-1")}
        (found,) = plan_refresh(
            {"raw.metrics": metrics}, states, ["raw.metrics"], clock=moment(asked_at + after), held=held, **changes
        )  # fmt: skip
        return [ask.key for ask in found.asks], found.unavailable, found.held

    both, soon, later = frozenset({"SPY", "NONE"}), timedelta(minutes=5), timedelta(hours=2)
    assert step(both, soon) == ([], ("NONE",), 2)
    assert step(frozenset({"NONE", "AAPL"}), soon) == (["AAPL"], ("NONE",), 1)
    assert step(both, later) == (["NONE", "SPY"], (), 0)
    assert step(None, later) == (["SPY"], (), 0)
    assert step(both, soon, force=True) == (["NONE", "SPY"], (), 0)


@pytest.mark.parametrize(
    ("units_a_call", "calls"), [(1, 3), (2, 2), (3, 1), (100, 1)], ids=lambda n: f"{n}"
)
def test_calls_are_counted_by_the_keys_that_one_call_answers(units_a_call, calls):
    metrics = Dataset(
        "raw.metrics", "raw", "code-1", ttl="1h", source="rest", key="symbol", requires=("symbol",), units_a_call=units_a_call
    )  # fmt: skip
    held = PlanInputs({"raw.metrics": Demand(frozenset({"A", "B", "C"}))}, {})
    (step,) = plan_refresh({"raw.metrics": metrics}, {}, ["raw.metrics"], clock=moment(), held=held)
    assert ([ask.key for ask in step.asks], step.calls) == (["A", "B", "C"], calls)


LOG = Dataset("raw.events", "raw", "code.settings", ttl="5m", source="s", is_log=True)


@pytest.mark.parametrize(
    ("state", "verdict", "reasons"),
    [
        (DatasetState(), "not configured", ("never recorded: ttapi stream records it",)),
        (DatasetState(asked_at=FRIDAY_EVENING), "fresh", ()),
        (DatasetState(asked_at=FRIDAY_EVENING - timedelta(minutes=5) + timedelta(seconds=1)), "fresh", ()),
        (DatasetState(asked_at=FRIDAY_EVENING - timedelta(minutes=5)), "stale", ("ttl 5m passed: ttapi stream records it",)),
        (DatasetState(asked_at=FRIDAY_EVENING + timedelta(minutes=2)), "fresh", ()),
        (DatasetState(asked_at=FRIDAY_EVENING + timedelta(minutes=3)), "stale", ("recorded in the future",)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("force", [None, "forced"])
def test_a_log_is_as_old_as_what_was_recorded_and_nothing_is_asked_for_it(state, verdict, reasons, force):  # fmt: skip
    step = raw_step(LOG, state, StepInputs(None, PlanInputs(), force), MarketClock(FRIDAY_EVENING, lambda at: at))  # fmt: skip
    assert (step.action, step.verdict, step.reasons, step.may_change) == ("none", verdict, reasons, False)  # fmt: skip


def test_a_log_that_holds_something_keeps_its_age_though_its_login_is_gone():
    gone = replace(LOG, missing_setting="token")
    held = DatasetState(asked_at=FRIDAY_EVENING - timedelta(hours=1))
    clock = MarketClock(FRIDAY_EVENING, lambda at: at)
    told = [raw_step(gone, one, StepInputs(None, PlanInputs(), None), clock) for one in (held, DatasetState())]  # fmt: skip
    assert [(one.verdict, one.reasons) for one in told] == [
        ("stale", ("ttl 5m passed: ttapi stream records it",)),
        ("not configured", ("[sources.s] token is not set",)),
    ]
