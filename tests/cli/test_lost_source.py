# SPDX-License-Identifier: Apache-2.0
"""A plugin that no longer loads, or is gone, leaves its rows: they answer, with their age, and are listed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

PLUGIN = """
import pyarrow as pa
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

class Odd:
    name, about, version = "odd", "Nothing much, for the test.", "1"
    setting_names, sql_folder = ("path",), None
    resources = (
        Resource(
            "things", "odd_things", "Things.",
            (Column("symbol", "VARCHAR", "it"), Column("date", "DATE", "its day")),
            ("symbol",), ttl="1d", is_local=True,
        ),
    )

    def missing_setting(self, resource, context):
        return None

    def survey(self, resource, context):
        return [Unit("a", 1, 1)]

    def fetch(self, resource, requests, context):
        import datetime
        rows = pa.table({
            "unit": pa.array([0], pa.int32()), "line": pa.array([1], pa.int32()), "symbol": ["AAA"],
            "date": pa.array([datetime.date(2024, 6, 13)]), "known_at": pa.array([datetime.datetime(2024, 6, 13)], pa.timestamp("us")),
        })
        yield Batch(units=(UnitReport(requests[0].unit, content_hash="1", rows_in=1, rows_accepted=1),), rows=rows)
"""
MODEL = "-- about: things\nselect t.symbol as symbol -- it\nfrom raw.odd_things as t"
WAYS = {
    "it does not load": (
        "import not_installed_any_more",
        "odd.py does not load: ModuleNotFoundError: No module named 'not_installed_any_more'",
    ),
    "it is gone": (None, "not installed any more"),
}


@pytest.fixture(params=WAYS, scope="module")
def lost(request, make_lab, tmp_path_factory):
    """A home whose plugin is lost three weeks after it was last asked, its section still in the settings."""
    lab = make_lab(tmp_path_factory.mktemp("lost"))
    file = lab.home.sources / "odd.py"
    file.write_text(PLUGIN)
    lab.home.settings_file.write_text("[sources.odd]\npath = 'x'\n")
    lab.write_model("views/things.sql", MODEL)
    done = lab.ttapi("sql", "select symbol from things")
    assert (done.returncode, done.stdout) == (0, "symbol\nAAA\n"), done.stderr
    code, lab.told = WAYS[request.param]
    if code is None:
        file.unlink()
    else:
        file.write_text(code)
    lab.now += timedelta(days=21)
    return lab


@pytest.mark.parametrize("relation", ["raw.odd_things", "things"])
def test_its_rows_answer_with_their_age_and_the_reason(lost, relation):
    for _ in range(2):
        done = lost.ttapi("sql", f"select symbol from {relation}")
        assert (done.returncode, done.stdout) == (0, "symbol\nAAA\n"), done.stderr
        assert "raw.odd_things: source odd: " in done.stderr and lost.told in done.stderr
        assert "raw.odd_things 21 d old" in done.stderr


def test_an_age_that_is_asked_for_is_kept(lost):
    done = lost.ttapi("sql", "--max-age", "1d", "select count(*) from raw.odd_things")
    assert (done.returncode, done.stdout) == (4, "")
    assert "raw.odd_things is 21 d old, more than --max-age" in done.stderr


def test_status_lists_it_and_the_rest_goes_on(lost):
    rows = {row["dataset"]: row for row in json.loads(lost.ttapi("status", "--json").stdout)}
    assert rows["raw.odd_things"]["verdict"] == "failed"
    assert rows["raw.odd_things"]["age_s"] == 21 * 86400
    assert lost.told in rows["raw.odd_things"]["reasons"][0]
    assert "raw.odd_things  failed" in lost.ttapi("status").stdout
    assert lost.ttapi("sql", "select count(*) > 0 from calendar").returncode == 0
    assert lost.ttapi("refresh", "calendar").returncode == 0


def test_a_section_that_nothing_ever_knew_is_still_a_mistake(lab):
    lab.home.settings_file.write_text("[sources.metastok]\npath = 'x'\n")
    done = lab.ttapi("sql", "select 1")
    assert done.returncode == 2
    assert "no source is called 'metastok'" in done.stderr


def test_a_setting_that_cannot_be_asked_for_costs_its_dataset_alone(lab):
    broken = PLUGIN.replace("return None", "raise OSError('no such device')", 1)
    (lab.home.sources / "odd.py").write_text(broken)
    done = lab.ttapi("sql", "select count(*) > 0 as is_there from calendar")
    assert (done.returncode, done.stdout) == (0, "is_there\ntrue\n"), done.stderr
    shown = lab.ttapi("status", "raw.odd_things").stdout
    assert "failed" in shown and "OSError: no such device" in shown


CHANGES = {
    "a type": (
        'Column("date", "DATE"',
        'Column("date", "VARCHAR"',
        "[datetime.date(2024, 6, 13)]",
        '["13 June"]',
    ),
    "a column less": (
        'Column("date", "DATE", "its day")',
        "",
        '"date": pa.array([datetime.date(2024, 6, 13)]),',
        "",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_columns_begin_a_new_table_and_the_old_one_is_kept(lab, change):
    file = lab.home.sources / "odd.py"
    file.write_text(PLUGIN)
    lab.write_model("views/things.sql", MODEL)
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    assert lab.ttapi("sql", "select symbol from things").returncode == 0
    before, after, value, other = CHANGES[change]
    changed = PLUGIN.replace(before, after).replace(value, other).replace('"1"\n', '"2"\n')
    assert changed != PLUGIN
    file.write_text(changed)
    done = lab.ttapi(
        "sql", "select t.symbol, e.close from things as t join eod as e using (symbol)"
    )
    assert (done.returncode, done.stdout) == (0, "symbol,close\nAAA,10.0\n"), done.stderr
    assert (
        str(lab.rows("select symbol, date from raw.odd_things_v1"))
        == "[('AAA', datetime.date(2024, 6, 13))]"
    )
    new = lab.columns("from raw.odd_things")
    assert new[0] == "symbol" and ("date" in new) == (change == "a type")
    file.write_text(PLUGIN)
    assert lab.ttapi("refresh", "odd").returncode == 0
    if change == "a type":
        assert lab.rows("select count(*) from raw.odd_things_v2") == [(1,)]
    assert lab.rows("select symbol from raw.odd_things where is_current") == [("AAA",)]
