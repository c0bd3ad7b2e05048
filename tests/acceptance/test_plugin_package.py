# SPDX-License-Identifier: Apache-2.0
"""A stranger's plugin built as a wheel, installed by pip, found by its entry point, used through `ttapi sql`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from outside import ROOT, plain_environ, run

pytestmark = pytest.mark.compat

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
EXAMPLE = ROOT / "tests" / "plugin_example"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A new environment: everything installed here, this checkout as ttapi, and the plugin from pip."""
    folder = tmp_path_factory.mktemp("plugin")
    done = subprocess.run(
        [sys.executable, "-P", "-c", BUILD, str(folder)],
        cwd=EXAMPLE, env=plain_environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", made)
    python = made / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index",
        folder / done.stdout.split()[-1],
    )  # fmt: skip
    site = Path(
        run(python, "-P", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    )
    lent = folder / "lent"
    lent.mkdir()
    for kind in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in os.scandir(kind):
            if not entry.name.endswith(".pth"):
                (lent / entry.name).symlink_to(entry.path)
    (site / "lent.pth").write_text(f"{lent}\n{ROOT}\n")
    return python


@pytest.fixture
def ttapi(environment, tmp_path):
    """`ttapi` as that environment has it, its home and the plugin's files below a folder of the test's own."""
    reports = tmp_path / "reports"
    reports.mkdir()

    def call(*arguments, **environ):
        return subprocess.run(
            [environment, "-P", "-m", "ttapi", *arguments],
            cwd=tmp_path,
            env=plain_environ(
                **{
                    "TTAPI_HOME": tmp_path / "home",
                    "TTAPI_SHORT_INTEREST_PATH": reports,
                    "TTAPI_NOW": "2024-06-14T22:00:00Z",
                    **environ,
                }
            ),
            capture_output=True,
            text=True,
            check=False,
        )

    call.reports = reports
    return call


def test_an_installed_plugin_brings_its_table_its_models_and_its_lineage(ttapi):
    (ttapi.reports / "june.csv").write_text(
        "symbol,settlement_date,shares_short\nAAA,2024-05-31,100\nAAA,2024-06-14,130\n?\n"
    )
    assert ttapi("init").returncode == 0
    done = ttapi(
        "sql",
        "--format",
        "json",
        "-c",
        "select symbol, shares_short, change from short_interest order by 2",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {"symbol": "AAA", "shares_short": 100, "change": None},
        {"symbol": "AAA", "shares_short": 130, "change": 30},
    ]
    lineage = ttapi("lineage", "short_interest.shares_short")
    assert lineage.stdout.splitlines()[-1].strip() == (
        "└─ raw.short_interest.shares_short <- source short_interest, [sources.short_interest] path"
    )
    why = ttapi("why", "short_interest", "AAA", "2024-06-14")
    assert "raw.short_interest <- june.csv lines 2, 3 (short_interest)" in why.stdout, why.stderr
    validated = ttapi("sources", "--validate", "short_interest")
    assert (validated.returncode, validated.stdout) == (0, "short_interest: keeps the contract\n")


def test_a_plugin_without_its_setting_is_skipped_and_named(ttapi):
    assert ttapi("init").returncode == 0
    done = ttapi("refresh", "short_interest", TTAPI_SHORT_INTEREST_PATH="")
    assert done.returncode == 2
    assert "[sources.short_interest] path" in done.stderr
