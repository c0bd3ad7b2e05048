# SPDX-License-Identifier: Apache-2.0
"""`status` on a state file that tells nothing says so, and what mends it; it does."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("content", ["garbage", "[1]", "{}x", '{"format": 99}', '{"format": 3}'])
def test_a_damaged_state_file_is_told_and_mended_by_the_next_query(lab, content):
    lab.home.state_file.write_text(content)
    done = lab.ttapi("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{lab.home.state_file} is damaged or of another ttapi" in done.stderr
    assert "ttapi sql" in done.stderr
    assert lab.ttapi("sql", "select 1").returncode == 0
    assert "fresh" in lab.ttapi("status", "raw.calendar_days").stdout
