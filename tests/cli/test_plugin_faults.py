# SPDX-License-Identifier: Apache-2.0
"""A plugin that raises, gives nothing, leaves or prints costs its own dataset alone, and never the output."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
import asyncio, os, subprocess, sys
import polars
from ttapi.sources.contract import Batch, Column, Resource, Unit, UnitReport

class Mute(Exception):
    def __str__(self):
        raise ValueError

def ended():
    raise GeneratorExit
    yield

class Odd:
    name, about, version = "odd", "Nothing much, for the test.", "1"
    setting_names, sql_folder = (), None
    resources = (
        Resource("things", "odd_things", "Things.", (Column("symbol", "VARCHAR", "it"),), ("symbol",), is_local=True),
    )

    def missing_setting(self, resource, context):
        {missing}

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
    "survey is cancelled": ("raise asyncio.CancelledError", YIELD, "CancelledError"),
    "fetch is no Exception": (LIST, "raise BaseException('x')", "BaseException: x"),
    "fetch ends as a generator": (LIST, "yield sys.exit(0) if 0 else next(ended())", "GeneratorExit"),
    "fetch panics": (LIST, "raise polars.exceptions.PanicException('rust')", "PanicException: rust"),
    "fetch cannot say why": (LIST, "raise Mute", "failed with Mute"),
    "fetch yields a text": (LIST, "yield 'row'", "fetch yielded a str, not a Batch"),
}  # fmt: skip


def installed(lab, survey=LIST, fetch=YIELD, before="", missing="return None"):
    text = before + PLUGIN.format(survey=survey, fetch=fetch, missing=missing)
    (lab.home.sources / "odd.py").write_text(text)
    return lab


@pytest.fixture(scope="module")
def faulty(make_lab, tmp_path_factory):
    """A home with a plugin of each fault beside a folder of bars, and what a refresh says of each dataset."""
    lab = make_lab(tmp_path_factory.mktemp("faulty"))
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    names = [f"odd{n}" for n in range(len(FAULTS))]
    for name, (survey, fetch, _) in zip(names, FAULTS.values(), strict=True):
        text = PLUGIN.format(survey=survey, fetch=fetch, missing="return None")
        (lab.home.sources / f"{name}.py").write_text(text.replace("odd", name))
    done = lab.ttapi("refresh", "--force", "metastock", *names, "--json")
    assert done.returncode == 1
    return lab, {one["dataset"]: one for one in json.loads(done.stdout)["datasets"]}


@pytest.mark.parametrize("fault", FAULTS)
def test_its_dataset_fails_alone_and_says_why(faulty, fault):
    _, datasets = faulty
    failed = datasets[f"raw.odd{list(FAULTS).index(fault)}_things"]
    assert failed["verdict"] == "failed"
    assert FAULTS[fault][2] in failed["error"]


def test_what_stands_beside_them_is_loaded_and_answers(faulty):
    lab, datasets = faulty
    assert len(datasets) > len(FAULTS)
    assert datasets["raw.metastock_bars"]["rows_accepted"] == 1
    answer = lab.ttapi("sql", "select close from eod", "--csv")
    assert (answer.returncode, answer.stdout) == (0, "close\n10.0\n")


def test_a_query_of_what_never_came_fails_with_the_cause(lab):
    """Too old is another matter, and has another exit code."""
    installed(lab, fetch="raise RuntimeError('no rows today')")
    done = lab.ttapi("sql", "select symbol from raw.odd_things")
    assert (done.returncode, done.stdout) == (1, "")
    told = "raw.odd_things was never loaded: source 'odd' failed with RuntimeError: no rows today"
    assert told in done.stderr


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


@pytest.mark.parametrize(
    "missing", ["raise asyncio.CancelledError", "raise BaseException", "sys.exit(1)"]
)
def test_one_that_cannot_say_what_is_missing_fails_alone(lab, missing):
    lab.write_bars("AAA.csv", ["AAA,D,20240613,000000,10,11,9,10,1000,0"])
    installed(lab, missing=missing)
    answer = lab.ttapi("sql", "select close from eod", "--csv")
    assert (answer.returncode, answer.stdout) == (0, "close\n10.0\n")
    told = lab.ttapi("sources")
    assert told.returncode == 0
    assert ", source 'odd' failed with " in told.stdout
    assert "metastock: " in told.stdout
    assert lab.ttapi("sources", "--validate").returncode == 1


def test_one_that_does_not_load_for_what_is_no_exception_is_left_out(lab):
    installed(lab, before="raise BaseException('at once')\n")
    assert "odd.py does not load: BaseException: at once" in lab.ttapi("sources", "odd").stdout


def test_an_interrupt_while_it_works_stays_one(lab):
    installed(lab, fetch="import signal; os.kill(os.getpid(), signal.SIGINT); yield from ()")
    done = lab.process("refresh", "odd")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        130,
        "ttapi: interrupted; what was committed stands",
    )


SHOUT = "os.write(1, b'{0}\\n'); subprocess.run(['echo', '{0} child'])"


def test_what_it_and_its_children_write_below_python_is_talk(lab):
    installed(
        lab,
        f"{SHOUT.format('listing')}; {LIST}",
        f"{SHOUT.format('fetching')}; yield from ()",
        f"import os, subprocess\n{SHOUT.format('here')}\n",
        f"{SHOUT.format('asked')}; return None",
    )
    done = lab.process("refresh", "odd", "--json")
    assert json.loads(done.stdout)["datasets"]
    answer = lab.process(
        "sql", "--no-refresh", "--json", "select count(*) as n from raw.odd_things"
    )
    assert json.loads(answer.stdout) == [{"n": 0}]
    for said in ("here", "listing", "fetching", "asked"):
        assert f"{said}\n" in done.stderr
        assert f"{said} child\n" in done.stderr


CLOSING = {
    "both streams": "sys.stdout.close(); sys.stderr.close()",
    "those of the interpreter": "sys.__stdout__.close(); sys.__stderr__.close()",
    "what is below them": "sys.stdout.buffer.close(); sys.stderr.buffer.close()",
    "the numbers": "os.close(1); os.close(2)",
    "by putting others in place": "sys.stdout = sys.stderr = None",
}


@pytest.mark.parametrize("closing", CLOSING)
def test_one_that_closes_what_is_not_its_own_loses_no_answer(lab, closing):
    closes = CLOSING[closing]
    installed(lab, f"{closes}; {LIST}", f"{closes}; yield from ()", f"import os, sys\n{closes}\n")
    done = lab.process("refresh", "odd", "--json")
    (dataset,) = json.loads(done.stdout)["datasets"]
    assert dataset["error"].startswith("odd_things: nothing was reported of 1 of 1 units")
    assert done.stderr.splitlines()[-1].startswith("refreshed: ")
