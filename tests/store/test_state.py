# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from ttapi.errors import StoreError
from ttapi.store import read_state, write_state


def test_what_was_written_is_read(home):
    write_state(home, {"generation": 3, "datasets": [{"dataset": "raw.bars", "verdict": "fresh"}]})
    assert read_state(home) == {
        "generation": 3,
        "datasets": [{"dataset": "raw.bars", "verdict": "fresh"}],
    }
    assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600
    assert [path.name for path in home.live.glob("*.tmp-*")] == []


def test_no_state_is_empty(home):
    assert read_state(home) == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_a_damaged_state_says_so(home, content):
    home.state_file.write_bytes(content)
    assert read_state(home) == {"is_damaged": True}


def test_a_state_that_cannot_be_written_leaves_the_last(home):
    write_state(home, {"a": 1})
    with pytest.raises(TypeError):
        write_state(home, {"a": object()})
    assert read_state(home) == {"a": 1}
    assert [path.name for path in home.live.glob("*.tmp-*")] == []


def test_a_missing_folder_is_named(bare_home):
    with pytest.raises(StoreError, match=r"state\.json cannot be written"):
        write_state(bare_home, {})


def test_reading_it_loads_nothing_heavy():
    code = (
        "import sys; from ttapi.store import read_state, current_owner;"
        "print([m for m in ('duckdb', 'pyarrow', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
