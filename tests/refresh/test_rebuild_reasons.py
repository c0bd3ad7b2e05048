# SPDX-License-Identifier: Apache-2.0
"""Why a stored table is built again, and which follow a raw dataset."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ttapi.market.calendar import sessions
from ttapi.refresh.datasets import Dataset, MarketClock
from ttapi.refresh.planner import plan_refresh, rebuild_reasons, short
from ttapi.store.catalog import DatasetState

NOW = datetime(2024, 6, 14, 22, tzinfo=UTC)
MOMENT = MarketClock(NOW, sessions("XNYS").next_close_after)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        ({"fingerprint": ""}, ("never built",)),
        ({"fingerprint": "old"}, ("code changed",)),
        ({"error": "boom"}, ("last attempt failed: boom",)),
        ({"asked_at": NOW - timedelta(hours=1)}, ("ttl 1h passed",)),
        ({"asked_at": NOW - timedelta(minutes=59)}, ()),
        ({"error": "boom", "asked_at": NOW - timedelta(hours=1)}, ("last attempt failed: boom",)),
        ({"upstream_versions": {"raw.bars": "12345678"}}, ("upstream changed: raw.bars 1234567 -> none",)),
        ({"upstream_versions": {}}, ()),
    ],
)  # fmt: skip
def test_a_stored_table_is_built_again_for_these_reasons(changes, reasons):
    table = Dataset("derived.t", "table", "sql-1", frozenset({"raw.bars"}), ttl="1h")
    state = DatasetState("v", "sql-1", asked_at=NOW)
    found = rebuild_reasons(table, replace(state, **changes), {}, MOMENT)
    assert found == reasons


def test_a_staged_table_follows_its_raw_input_and_no_other_does():
    datasets = {
        "raw.bars": Dataset("raw.bars", "raw", "code-1"),
        "staged.eod": Dataset("staged.eod", "view", "sql-1", frozenset({"raw.bars"})),
        "raw.rates": Dataset("raw.rates", "raw", "code-1"),
        "staged.filled": Dataset("staged.filled", "table", "sql-1", frozenset({"staged.eod"})),
        "staged.rated": Dataset("staged.rated", "table", "sql-1", frozenset({"raw.rates"})),
        "derived.told": Dataset("derived.told", "table", "sql-1", frozenset({"raw.bars"})),
    }
    steps = plan_refresh(datasets, {}, ["raw.bars"], clock=MOMENT)
    assert [step.dataset for step in steps] == ["raw.bars", "staged.eod", "staged.filled"]


def test_a_version_is_told_by_its_first_seven_characters():
    assert [short(version) for version in ("", "1234567", "12345678")] == ["none", "1234567", "1234567"]  # fmt: skip
