# SPDX-License-Identifier: Apache-2.0
"""What a refresh says it asked: calls, and slices, of a source that answers several keys a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from ttapi.refresh.plan import RefreshRequest
from ttapi.refresh.writer import run_refresh

PLUGIN = Path(__file__).resolve().parents[2] / "fixtures" / "plugins" / "keyed.py"


@pytest.fixture
def levels(lab):
    """A home whose source answers two symbols a call."""
    text = PLUGIN.read_text().replace('mode="merge",', 'mode="merge",\n            units_a_call=2,')
    (lab.home.sources / "keyed.py").write_text(text)
    (lab.data / "levels.csv").write_text("symbol,date,level\nAAA,2024-06-13,1\nBBB,2024-06-14,2\n")
    lab.environ["TTAPI_KEYED_FOLDER"] = str(lab.data)
    return lab


def asked(lab, symbols):
    """Slices and calls of one refresh."""
    environment = lab.environment(symbols=frozenset(symbols))
    outcome = run_refresh(environment, RefreshRequest(("raw.keyed_levels",), wait_s=0))
    (done,) = [one for one in outcome.datasets if one.dataset == "raw.keyed_levels"]
    return done.slices_asked, done.source_calls


def test_calls_are_as_many_as_it_takes_and_none_for_what_is_fresh(levels):
    assert asked(levels, ["AAA"]) == (1, 1)
    assert asked(levels, ["AAA"]) == (0, 0)
    assert asked(levels, ["AAA", "BBB", "CCC"]) == (2, 1)
    assert asked(levels, ["DDD", "EEE", "FFF"]) == (3, 2)
