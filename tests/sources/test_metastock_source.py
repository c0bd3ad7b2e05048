# SPDX-License-Identifier: Apache-2.0
"""The source `metastock` as the runner sees it: settings, units, batches, real files."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import pytest

from ttapi.errors import UsageError
from ttapi.sources.contract import SourceContext, Unit, UnitRequest
from ttapi.sources.metastock import MetastockSource
from ttapi.sources.metastock.load import load_batches
from ttapi.sources.metastock.source import BARS, BASIS
from ttapi.sources.validation import check_declaration

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)
HEADER = "ticker,date,close\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "us").mkdir()
    (tmp_path / "us" / "A.csv").write_text(HEADER + "A,20240102,1\nA,20240103,2\n")
    (tmp_path / "us" / "B.txt").write_text(HEADER + "B,20240102,3\nB,0,4\n")
    (tmp_path / "C.ASC").write_text("C;20240102;1,5\n")
    (tmp_path / "D.csv").write_text("")
    (tmp_path / "E.csv").write_text("nothing here")
    return tmp_path


def test_declaration_is_sound():
    assert check_declaration(MetastockSource()) == []


def test_declared_columns_are_those_of_the_raw_tables():
    assert [column.name for column in BARS.columns] == [
        *("symbol", "date", "open", "high", "low", "close", "volume", "open_interest"),
        *("ticker", "per", "time", "source"),
    ]
    assert [column.name for column in BASIS.columns] == ["source", "price_basis"]


def test_good_files_of_a_mixed_folder_come_whole(fetched, folder):
    found = fetched(MetastockSource(), "bars", {"path": str(folder)})
    assert [(row["unit"], row["symbol"], row["close"], row["line"]) for row in found.rows] == [
        ("us/A.csv", "A", 1.0, 2),
        ("us/A.csv", "A", 2.0, 3),
        ("us/B.txt", "B", 3.0, 2),
        ("C.ASC", "C", 1.5, 1),
    ]
    assert found.rejects == [("us/B.txt", 3, "date is 0", "B,0,4")]
    assert {key: bool(report.error) for key, report in found.reports.items()} == {
        "C.ASC": False,
        "D.csv": False,
        "E.csv": True,
        "us/A.csv": False,
        "us/B.txt": False,
    }


def test_archive_reads_as_its_folder(fetched, folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("zip") / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, file.relative_to(folder))
    unpacked = fetched(MetastockSource(), "bars", {"path": str(folder)})
    packed = fetched(MetastockSource(), "bars", {"path": str(path)})
    assert packed.rows == unpacked.rows
    assert packed.rejects == unpacked.rejects


def test_pattern_chooses_files(fetched, folder):
    found = fetched(MetastockSource(), "bars", {"path": str(folder), "pattern": "us/*.csv"})
    assert list(found.reports) == ["us/A.csv"]


def test_known_content_is_unchanged(fetched, folder):
    first = fetched(MetastockSource(), "bars", {"path": str(folder)})
    known = {key: report.content_hash or "" for key, report in first.reports.items()}
    (folder / "us" / "A.csv").write_text(HEADER + "A,20240102,9\n")
    again = fetched(MetastockSource(), "bars", {"path": str(folder)}, known)
    assert [row["close"] for row in again.rows] == [9.0]
    assert {key for key, report in again.reports.items() if not report.is_unchanged} == {
        "us/A.csv",
        "E.csv",
    }


def test_other_suffix_setting_is_other_content(fetched, folder):
    first = fetched(MetastockSource(), "bars", {"path": str(folder)})
    known = {key: report.content_hash or "" for key, report in first.reports.items()}
    again = fetched(MetastockSource(), "bars", {"path": str(folder), "strip_suffix": ".UK"}, known)
    assert not any(report.is_unchanged for report in again.reports.values())


def test_vanished_file_fails_alone(folder):
    source = MetastockSource()
    context = SourceContext({"path": str(folder)}, NOW)
    requests = [UnitRequest(unit) for unit in source.survey(BARS, context)]
    (folder / "us" / "A.csv").unlink()
    reports = {
        r.unit.key: r for batch in source.fetch(BARS, requests, context) for r in batch.units
    }
    assert reports["us/A.csv"].error == "us/A.csv vanished while being read"
    assert reports["us/B.txt"].rows_accepted == 1


def test_file_that_shrinks_while_read_is_never_half_loaded(fetched, tmp_path):
    path = tmp_path / "A.csv"
    whole = HEADER + "".join(f"A,202401{day:02},1\n" for day in range(2, 30))

    def read_half_then_shrink(file):
        half = file.read(len(whole) // 2)
        path.write_text(whole[: len(half) - 20 - path.stat().st_size % 7])
        return half + file.read()

    path.write_text(whole)
    found = fetched(MetastockSource(read_half_then_shrink), "bars", {"path": str(tmp_path)})
    assert found.rows == []
    assert "changed while being read" in (found.report.error or "")


def test_batches_hold_whole_files_and_stay_small(folder):
    source = MetastockSource()
    context = SourceContext({"path": str(folder)}, NOW)
    requests = [UnitRequest(unit) for unit in source.survey(BARS, context)]
    tree = source._tree(context)
    many = list(load_batches(tree, requests, (".US",), NOW, batch_rows=2))
    assert [[report.unit.key for report in batch.units] for batch in many] == [
        ["C.ASC", "D.csv", "E.csv"],
        ["us/A.csv"],
        ["us/B.txt"],
    ]
    assert [batch.rows.num_rows for batch in many if batch.rows] == [1, 2, 1]


def test_nothing_asked_yields_nothing(folder):
    source = MetastockSource()
    assert list(source.fetch(BARS, [], SourceContext({"path": str(folder)}, NOW))) == []


@pytest.mark.parametrize("resource", [BARS, BASIS], ids=["bars", "basis"])
def test_path_is_the_missing_setting(resource):
    source = MetastockSource()
    assert source.missing_setting(resource, SourceContext({}, NOW)) == "path"
    assert source.missing_setting(resource, SourceContext({"path": " "}, NOW)) == "path"
    assert source.missing_setting(resource, SourceContext({"path": "x"}, NOW)) is None


@pytest.mark.parametrize(
    ("given", "basis"),
    [({}, "raw"), ({"price_basis": "Split"}, "split"), ({"price_basis": "total"}, "total")],
)
def test_basis_is_one_row(fetched, folder, given, basis):
    found = fetched(MetastockSource(), "basis", {"path": str(folder), **given})
    assert found.rows == [
        {
            "source": "metastock",
            "price_basis": basis,
            "unit": "metastock",
            "line": None,
            "known_at": None,
        }
    ]
    known = {"metastock": found.report.content_hash or ""}
    again = fetched(MetastockSource(), "basis", {"path": str(folder), **given}, known)
    assert again.report.is_unchanged


@pytest.mark.parametrize("resource", [BARS, BASIS], ids=["bars", "basis"])
def test_unknown_basis_is_a_usage_error(folder, resource):
    context = SourceContext({"path": str(folder), "price_basis": "adjusted"}, NOW)
    with pytest.raises(UsageError, match=r"'adjusted' is unknown.*raw, split, total"):
        MetastockSource().survey(resource, context)


def test_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        MetastockSource().survey(BARS, SourceContext({"path": str(tmp_path / "no")}, NOW))


def test_declarations_cost_no_heavy_import():
    code = "import sys, ttapi.sources.metastock, ttapi.sources.files; print([m for m in ('polars', 'pyarrow', 'duckdb') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_units_are_listed_with_size(folder):
    units = MetastockSource().survey(BARS, SourceContext({"path": str(folder)}, NOW))
    assert [(unit.key, unit.size) for unit in units] == [
        ("C.ASC", 15),
        ("D.csv", 0),
        ("E.csv", 12),
        ("us/A.csv", 44),
        ("us/B.txt", 37),
    ]
    assert all(isinstance(unit, Unit) and unit.mtime_ns for unit in units)


def test_every_real_file_is_read_whole(fetched, real_data):
    found = fetched(MetastockSource(), "bars", {"path": str(real_data / "metastock")})
    counted = {
        file.name: file.read_bytes().count(b"\n") - 1
        for file in (real_data / "metastock").glob("*.csv")
    }
    assert {key: report.rows_accepted for key, report in found.reports.items()} == counted
    assert found.rejects == []
    assert {report.notes for report in found.reports.values()} == {()}
    last = [row for row in found.rows if row["symbol"] == "AAPL"][-1]
    assert (str(last["date"]), last["close"], last["volume"]) == ("2021-03-31", 122.15, 109019052.0)
