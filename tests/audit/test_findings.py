# SPDX-License-Identifier: Apache-2.0
"""What a finding names: the datasets that are due, and the line to look at."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ttapi.audit.data_findings import _verdicts
from ttapi.audit.findings import edit
from ttapi.refresh.freshness import StatusRow


@pytest.mark.parametrize(
    ("names", "told"), [("", []), ("abc", ["a, b, c"]), ("abcde", ["a, b, c and 2 more"])]
)
def test_three_of_the_datasets_that_are_due_are_named(names, told):
    rows = [StatusRow(name, "stale", (), None, None, None, None) for name in names]
    patient = SimpleNamespace(ttapi=lambda words: f"ttapi {words}")
    assert [one.evidence for one in _verdicts(patient, rows)] == told


@pytest.mark.parametrize(
    ("message", "line"),
    [("no value (at line 2, column 3)", "+2 "), ("no end (at end of document)", "+3 "), ("no idea", "")],
)  # fmt: skip
def test_the_editor_opens_where_the_message_says(tmp_path, message, line):
    file = tmp_path / "ttapi.toml"
    file.write_text("[a]\nb = 1\nc = [\n")
    assert edit(file, message) == f"${{EDITOR:-vi}} {line}{file}"
