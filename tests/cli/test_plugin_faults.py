# SPDX-License-Identifier: Apache-2.0
"""A plugin that raises, gives nothing, leaves or prints costs its own dataset alone, and never the output."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
import sys
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

class Odd:
    name, about, version = "odd", "Nothing much, for the test.", "1"
    setting_names, sql_folder = (), None
    resources = (
        Resource("things", "odd_things", "Things.", (Column("symbol", "VARCHAR", "it"),), ("symbol",), is_local=True),
    )

    def missing_setting(self, resource, context):
        return None

    def survey(self, resource, context):
        {survey}

    def fetch(self, resource, requests, context):
        {fetch}
"""
LIST, YIELD = "return [Unit('a', 1, 1)]", "yield from ()"
FAULTS = {
    "survey raises": ("raise RuntimeError('no list')", YIELD, "RuntimeError: no list"),
    "survey gives nothing": ("return None", YIELD, "survey() gave nothing, not a list of Unit"),
    "survey gives texts": ("return ['a']", YIELD, "survey() gave a list, not a list of Unit"),
    "survey leaves": ("sys.exit(7)", YIELD, "SystemExit: 7"),
    "fetch gives nothing": (LIST, "return None", "fetch() gave nothing"),
    "fetch gives a number": (LIST, "return 5", "fetch() gave a int"),
    "fetch leaves": (LIST, "sys.exit(7)", "SystemExit: 7"),
    "fetch leaves later": (LIST, "yield sys.exit(7)", "SystemExit: 7"),
    "fetch yields a text": (LIST, "yield 'row'", "fetch yielded a str, not a Batch"),
}  # fmt: skip


def installed(lab, survey=LIST, fetch=YIELD, before=""):
    (lab.home.sources / "odd.py").write_text(before + PLUGIN.format(survey=survey, fetch=fetch))
    return lab


@pytest.mark.parametrize("fault", FAULTS)
def test_its_dataset_fails_alone_and_says_why(lab, fault):
    survey, fetch, told = FAULTS[fault]
    installed(lab, survey, fetch)
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    done = lab.ttapi("refresh", "--force", "metastock", "odd", "--json")
    datasets = {one["dataset"]: one for one in json.loads(done.stdout)["datasets"]}
    assert (done.returncode, datasets["raw.odd_things"]["verdict"]) == (1, "failed")
    assert told in datasets["raw.odd_things"]["error"]
    assert datasets["raw.metastock_bars"]["rows_accepted"] == 1
    answer = lab.ttapi("sql", "select close from eod", "--csv")
    assert (answer.returncode, answer.stdout) == (0, "close\n10.0\n")


def test_what_it_prints_is_talk(lab):
    installed(
        lab, f"print('listing'); {LIST}", "print('fetching'); yield from ()", "print('here')\n"
    )
    done = lab.ttapi("refresh", "odd", "--json")
    assert json.loads(done.stdout)["datasets"]
    answer = lab.ttapi("sql", "--no-refresh", "--json", "select count(*) as n from raw.odd_things")
    assert json.loads(answer.stdout) == [{"n": 0}]
    for said in ("here", "listing", "fetching"):
        assert f"{said}\n" in done.stderr


def test_one_that_does_not_load_is_named_by_who_refreshes_everything(whole_lab):
    """Its section stays, whatever it would have been called."""
    (whole_lab.home.sources / "odd.py").write_text("import sys\nsys.exit(3)\n")
    whole_lab.home.settings_file.write_text("[sources.oddities]\npath = 'x'\n")
    done = whole_lab.ttapi("refresh")
    assert done.returncode == 2
    told = f"{whole_lab.home.sources / 'odd.py'} does not load: SystemExit: 3; mend or remove it\n"
    assert f"left out: {told}" in done.stderr
    assert f"ttapi: left out: {told}" in whole_lab.ttapi("status").stderr
    assert whole_lab.ttapi("refresh", "calendar").returncode == 0
    named = whole_lab.ttapi("refresh", "odd")
    assert (named.returncode, named.stderr.splitlines()[0]) == (2, f"ttapi: {told.rstrip()}")
