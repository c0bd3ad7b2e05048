# SPDX-License-Identifier: Apache-2.0
"""A clock that was ahead: what was asked in the future is not fresh, and its age is not called nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ttapi.api import Database, Freshness
from ttapi.errors import StaleError
from ttapi.refresh.datasets import CLOCK_SLACK

BAR = "AAA,D,202406{:02},000000,10,11,9,10,1000,0"
LATEST = "select max(date)::varchar as latest from eod"


@pytest.fixture(scope="module")
def once_ahead(make_lab, tmp_path_factory):
    """Bars of one day, asked by a machine whose clock was three months ahead; another day came since."""
    lab = make_lab(tmp_path_factory.mktemp("ahead"))
    lab.write_bars("AAA.csv", [BAR.format(12)])
    lab.refresh(now=lab.now + timedelta(days=90))
    lab.write_bars("AAA.csv", [BAR.format(12), BAR.format(13)])
    return lab


@pytest.fixture
def ahead(once_ahead, tmp_path):
    return once_ahead.copied(tmp_path)


def database(lab, now):
    return Database(lab.home, environ={**lab.environ, "TTAPI_NOW": now.isoformat()})


@pytest.mark.parametrize("days", [0, 30, 89])
def test_it_is_asked_again_as_soon_as_it_is_read(ahead, days):
    with database(ahead, ahead.now + timedelta(days=days)) as db:
        answer = db.sql(LATEST)
        assert answer.arrow()["latest"].to_pylist() == ["2024-06-13"]
        assert [age.text for age in answer.prepared.ages] == ["0 ms old"]
    rows = {row.dataset: row for row in status(ahead, ahead.now + timedelta(days=days))}
    assert rows["raw.metastock_bars"].verdict == "fresh"


def status(lab, now):
    with database(lab, now) as db:
        return db.status().rows


def test_who_refreshes_nothing_is_told_so(ahead):
    with database(ahead, ahead.now) as db:
        answer = db.sql(LATEST, freshness=Freshness(refresh=False))
        assert answer.arrow()["latest"].to_pylist() == ["2024-06-12"]
        assert [age.text for age in answer.prepared.ages] == ["asked in the future"]
        with pytest.raises(StaleError, match="asked in the future, more than --max-age"):
            db.sql(LATEST, freshness=Freshness(refresh=False, max_age="1d"))
    row = {one.dataset: one for one in status(ahead, ahead.now)}["raw.metastock_bars"]
    assert (row.verdict, row.reasons) == ("stale", ("asked in the future",))


def test_clocks_a_little_apart_are_no_matter(lab):
    lab.write_bars("AAA.csv", [BAR.format(12)])
    lab.refresh(now=lab.now + CLOCK_SLACK)
    row = {one.dataset: one for one in status(lab, lab.now)}["raw.metastock_bars"]
    assert row.verdict == "fresh"


def test_as_of_an_earlier_instant_what_was_asked_since_is_fresh(lab):
    lab.write_bars("AAA.csv", [BAR.format(12)])
    lab.refresh()
    with database(lab, lab.now) as db:
        assert db.sql(LATEST, as_of="2024-06-13").prepared.outcome is None


def test_no_age_is_told_of_what_was_asked_in_the_future(ahead):
    row = {one.dataset: one for one in status(ahead, ahead.now)}["raw.metastock_bars"]
    assert row.age_s is None
    lines = ahead.ttapi("status", "raw.metastock_bars").stdout.splitlines()
    assert lines[1].split()[:3] == ["raw.metastock_bars", "stale", "-"]


def test_the_part_that_was_asked_since_is_as_old_as_that(ahead):
    one_symbol = f"{LATEST} where symbol = 'AAA'"
    with database(ahead, ahead.now) as db:
        assert db.sql(one_symbol).arrow()["latest"].to_pylist() == ["2024-06-13"]
        again = db.sql(one_symbol, freshness=Freshness(max_age="1d")).prepared
        assert (again.outcome, [age.text for age in again.ages]) == (None, ["0 ms old"])


def test_what_doctor_names_for_it_is_all_it_takes(ahead):
    ahead.refresh(now=ahead.now + timedelta(days=90))
    finding = "asked-in-future"
    told = ahead.ttapi("doctor").stdout
    after = told[told.index(finding) :].splitlines()
    assert after[2].strip() == "-> ttapi refresh"
    assert ahead.ttapi("refresh").returncode == 0
    assert finding not in ahead.ttapi("doctor").stdout
