# SPDX-License-Identifier: Apache-2.0
"""What status says of datasets: the oldest input's age, the first to be due, what was slowed or absent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ttapi.errors import ModelError
from ttapi.market.calendar import sessions
from ttapi.refresh.datasets import Dataset, MarketClock
from ttapi.refresh.freshness import (
    InputAge,
    StatusRow,
    data_age_s,
    remarks_of,
    root_age_s,
    status_rows,
)
from ttapi.refresh.home_state import NOTHING
from ttapi.store.catalog import DatasetState

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)
MOMENT = MarketClock(NOW, sessions("XNYS").next_close_after)
DATASETS = {
    "raw.a": Dataset("raw.a", "raw", "c", ttl="1d", source="one"),
    "raw.b": Dataset("raw.b", "raw", "c", ttl="2h", source="two"),
    "raw.c": Dataset("raw.c", "raw", "c", ttl="1h", source="three", missing_setting="path"),
    "view": Dataset("view", "view", "s", frozenset({"raw.a", "raw.b", "raw.c"})),
    "formula": Dataset("formula", "macro", "s"),
    "lookup": Dataset("lookup", "macro", "s", frozenset({"raw.a", "formula"})),
}


def ago(**span):
    return NOW - timedelta(**span)


STATES = {
    "raw.a": DatasetState("v", "c", asked_at=ago(hours=5), changed_at=ago(days=3)),
    "raw.b": DatasetState("v", "c", asked_at=ago(hours=1), changed_at=ago(days=2)),
}


def test_a_view_is_as_old_as_its_oldest_input_and_due_with_the_first():
    rows = {row.dataset: row for row in status_rows(DATASETS, STATES, clock=MOMENT)}
    assert list(rows) == ["raw.a", "raw.b", "raw.c", "view", "lookup"]
    assert rows["raw.b"] == StatusRow("raw.b", "fresh", (), 3600.0, 7200.0, ago(days=2), NOW + timedelta(hours=1))  # fmt: skip
    assert rows["view"] == StatusRow("view", "fresh", (), 18000.0, None, ago(days=2), NOW + timedelta(hours=1))  # fmt: skip
    assert rows["raw.c"].verdict == "not configured"
    assert (rows["raw.c"].age_s, rows["raw.c"].due_at) == (None, None)


def test_some_names_are_shown_alone_and_a_model_left_out_is_told():
    error = ModelError("wrong", file="sql/views/bad.sql", line=3)
    (formula,) = status_rows(DATASETS, STATES, clock=MOMENT, only=["formula"])
    assert formula == StatusRow("formula", "fresh", (), None, None, None, None)
    (bad,) = status_rows(DATASETS, STATES, clock=MOMENT, only=["bad"], broken={"bad": error})
    assert (bad.dataset, bad.verdict, bad.reasons) == ("bad", "failed", (f"left out: {error.message}",))  # fmt: skip
    rows = status_rows(DATASETS, STATES, clock=MOMENT, broken={"bad": error}, remarks={"view": ["slow"]})  # fmt: skip
    assert [
        (row.dataset, row.reasons) for row in rows if row.reasons and row.dataset != "raw.c"
    ] == [
        ("view", ("slow",)),
        ("bad", (f"left out: {error.message}",)),
    ]


def test_the_age_of_what_was_never_asked_is_none():
    assert root_age_s("view", DATASETS, {}, MOMENT) is None
    assert root_age_s("raw.a", DATASETS, STATES, MOMENT) == 18000.0
    part = {**STATES, "raw.b": replace(STATES["raw.b"], asked_at=None)}
    assert root_age_s("view", DATASETS, part, MOMENT) == 18000.0


RULES = {
    "raw.rules": Dataset("raw.rules", "raw", "c", ttl="30d", is_timeless=True),
    "raw.ticks": Dataset("raw.ticks", "raw", "c", is_log=True),
    "ticks": Dataset("ticks", "view", "s", frozenset({"raw.rules", "raw.ticks"})),
    "holidays": Dataset("holidays", "view", "s", frozenset({"raw.rules"})),
}


def asked(**span):
    return DatasetState("v", "c", asked_at=ago(**span))


@pytest.mark.parametrize(
    ("states", "ages", "never"),
    [
        ({"raw.rules": asked(days=20), "raw.ticks": asked(seconds=3)}, (3.0, 20 * 86400.0), ()),
        ({"raw.rules": asked(days=31), "raw.ticks": asked(seconds=3)}, (31 * 86400.0, 31 * 86400.0), ()),
        ({"raw.rules": asked(days=20)}, (20 * 86400.0, 20 * 86400.0), ("raw.ticks",)),
        ({}, (None, None), ("raw.ticks",)),
    ],
)  # fmt: skip
def test_rules_inside_their_ttl_make_no_rows_old(states, ages, never):
    rows = {row.dataset: row for row in status_rows(RULES, states, clock=MOMENT)}
    assert (rows["ticks"].age_s, rows["holidays"].age_s) == ages
    assert (rows["ticks"].never_loaded, rows["holidays"].never_loaded) == (never, ())


def test_an_answer_is_as_old_as_its_oldest_input_that_is_no_rule():
    rule, quote = InputAge("r", 900.0, is_rule=True), InputAge("q", 3.0)
    assert data_age_s([rule, quote]) == 3.0
    assert data_age_s([rule]) == 900.0
    assert data_age_s([rule, replace(quote, age_s=None)]) is None
    assert data_age_s([]) is None


def left(**changes):
    return replace(NOTHING, **changes)


def test_remarks_tell_what_could_not_be_had():
    absent = {"raw.a": dict.fromkeys(("B", "A", "C"))}
    assert remarks_of(left(unavailable=absent), DATASETS) == {
        "raw.a": ["its source does not know A and 2 more"]
    }
    assert remarks_of(left(unavailable={"raw.a": {"A": None}}), DATASETS) == {
        "raw.a": ["its source does not know A"]
    }
    assert remarks_of(left(unavailable={"raw.gone": {"A": None}}), DATASETS) == {}
    assert remarks_of(left(unavailable=absent, partial_failures={"raw.a": "half"}), DATASETS) == {
        "raw.a": ["half"]
    }


def test_a_source_is_called_slowed_below_99_percent_of_its_pace():
    def remarks(pace, allowed=100.0):
        account = {"allowed_per_s": allowed, "pace_per_s": pace}
        return remarks_of(left(traffic={"one": account}), DATASETS)

    assert remarks(98.9) == {"raw.a": ["slowed to 98.9 of 100 requests/s by status 429"]}
    assert remarks(99.0) == {}
    assert remarks(None) == {}
    assert remarks(1.0, None) == {}
