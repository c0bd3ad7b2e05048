# SPDX-License-Identifier: Apache-2.0
"""The example notebook runs from its first cell to its last on a home without bars."""

from __future__ import annotations

import os

import nbformat
import pytest
from outside import ROOT

NOTEBOOK = ROOT / "examples" / "ttapi.ipynb"


@pytest.fixture
def executed(lab, monkeypatch):
    from nbclient import NotebookClient

    # A kernel listens on a port of its own and starts as a process: the only outside there is.
    for name in [name for name in os.environ if name.startswith("TTAPI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TTAPI_HOME", str(lab.home.root))
    monkeypatch.setenv("TTAPI_NOW", lab.now.isoformat())
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(lab.data / name.lower()))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3").execute(cwd=str(lab.data))
    return notebook


def shown(cell, kind):
    return "".join(output.get("data", {}).get(kind, "") for output in cell.outputs)


@pytest.mark.compat
def test_every_cell_runs_and_shows_what_it_promises(executed):
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    tables = [shown(cell, "text/html") for cell in code]
    assert "Juneteenth" in tables[1]
    assert "month" in shown(code[4], "text/plain")
    assert "sessions by month" in shown(code[4], "text/plain")
    assert "2024-06-21" in tables[5]
    assert "raw.metastock_bars" in "".join(o.get("text", "") for o in code[6].outputs)
    assert "verdict" in tables[7]
    assert "accounts" in tables[7]


def test_the_notebook_is_stored_without_what_a_run_leaves():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
