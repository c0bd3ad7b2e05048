# SPDX-License-Identifier: Apache-2.0
"""The pages under docs/: made from the code, and what they show runs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "clients.md").read_text(), re.DOTALL)


def load_script():
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "scripts" / "make_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says():
    made = load_script().pages()
    folder = ROOT / "docs" / "reference"
    assert {file.name: file.read_text() for file in folder.iterdir()} == made, (
        "run python scripts/make_docs.py"
    )


def test_every_page_is_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f"({page})" not in readme] == []


@pytest.mark.parametrize("block", BLOCKS)
def test_python_shown_to_users_runs(lab, block):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", block],
        env={"TTAPI_HOME": str(lab.home.root), "TTAPI_NOW": lab.now.isoformat(), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
