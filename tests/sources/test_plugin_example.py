# SPDX-License-Identifier: Apache-2.0
"""The example plugin keeps the contract, as its author would test it, and works as one file too."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from ttapi.sources.testing import source_checks

MODULE = Path(__file__).parents[1] / "plugin_example" / "ttapi_short_interest" / "__init__.py"
HEADER = "symbol,settlement_date,shares_short\n"


@pytest.fixture
def example(monkeypatch):
    """The plugin's class, its package importable as if installed."""
    monkeypatch.syspath_prepend(str(MODULE.parents[1]))
    return importlib.import_module("ttapi_short_interest").ShortInterest


def folder(root, **files):
    """A folder of report files and the settings that name it."""
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.csv").write_text(text)
    return {"path": str(root)}


ONE = f"{HEADER}AAA,2024-05-31,100\nBBB,2024-05-31,5\nnonsense\n"
TWO = f"{HEADER}aaa,2024-06-14,120\n"


@pytest.mark.parametrize("number", range(16))
def test_the_example_keeps_every_rule(example, tmp_path, number):
    checks = source_checks(
        example,
        settings=lambda: folder(tmp_path / "healthy", one=ONE, two=TWO),
        empty=lambda: folder(tmp_path / "empty", one=HEADER),
        late=lambda: folder(tmp_path / "late", one=f"{ONE}AAA,2024-05-15,90\nAAA,2024-05-31,101\n"),
        drift=lambda: folder(tmp_path / "drift", one="date,ticker,short\n2024-05-31,AAA,1\n"),
    )
    assert len(checks) == 17
    checks[number]()


def test_one_file_in_the_home_is_the_same_source(lab):
    shutil.copy(MODULE, lab.home.sources / "short_interest.py")
    shutil.copytree(MODULE.with_name("sql"), lab.home.sources / "sql")
    lab.write_bars("AAA.csv", ["AAA,D,20240612,000000,10,11,9,10,50,0"])
    settings = folder(lab.data / "reports", one=ONE, two=TWO)
    lab.environ["TTAPI_SHORT_INTEREST_PATH"] = settings["path"]
    done = lab.ttapi(
        "sql", "--format", "csv", "-c",
        "select symbol, settlement_date, shares_short, change, volume, days_to_cover from short_interest"
        " order by symbol, settlement_date",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (
        0,
        (
            "symbol,settlement_date,shares_short,change,volume,days_to_cover\n"
            "AAA,2024-05-31,100,,,\n"
            "AAA,2024-06-14,120,20,50.0,2.4\n"
            "BBB,2024-05-31,5,,,\n"
        ),
    ), done.stderr
    assert lab.rows("select file, line, text from rejects") == [("one.csv", 4, "nonsense")]
    assert lab.rows("select count(*) from lineage where relation = 'short_interest'") == [(9,)]


def test_loading_twice_is_loading_once(lab):
    shutil.copy(MODULE, lab.home.sources / "short_interest.py")
    settings = folder(lab.data / "reports", one=ONE, two=TWO)
    lab.environ["TTAPI_SHORT_INTEREST_PATH"] = settings["path"]
    lab.refresh("short_interest")
    rows = lab.rows("select * from raw.short_interest order by all")
    outcome = lab.refresh("short_interest", force=True)
    assert [d.is_changed for d in outcome.datasets] == [False]
    assert lab.rows("select * from raw.short_interest order by all") == rows
