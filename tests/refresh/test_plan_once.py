# SPDX-License-Identifier: Apache-2.0
"""How often a query is planned: a plan that still holds under the lock is carried out as it is."""

from __future__ import annotations

import cProfile
import pstats
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from ttapi.api.database import Database, Freshness
from ttapi.refresh import planner
from ttapi.refresh.query import plan_query, refresh_request
from ttapi.refresh.writer import run_refresh

ROOT = Path(__file__).resolve().parents[2]


def planned(work):
    """How often the planner was called while `work` ran, and what came of it."""
    profile = cProfile.Profile()
    found = profile.runcall(work)
    code = planner.plan_refresh.__code__
    key = (code.co_filename, code.co_firstlineno, code.co_name)
    return pstats.Stats(profile).stats.get(key, (0,))[0], found


@pytest.fixture
def database(lab):
    with Database(lab.home, environ=lab.variables) as opened:
        yield opened


@pytest.fixture
def bars(lab):
    lab.write_bars("AAA.txt", [(date(2024, 6, 13), 1, 2, 1, 2), (date(2024, 6, 14), 2, 3, 2, 3)])
    lab.refresh()


def test_a_query_on_fresh_inputs_is_planned_once(bars, database):
    count, answer = planned(lambda: database.sql("select close from eod order by date"))
    assert (count, answer.arrow()["close"].to_pylist()) == (1, [2.0, 3.0])


def test_a_stale_query_of_keys_is_planned_twice(lab):
    shutil.copy(ROOT / "fixtures" / "plugins" / "keyed.py", lab.home.sources)
    (lab.data / "levels.csv").write_text("symbol,date,level\nAAA,2024-06-13,1\nBBB,2024-06-13,2\n")
    lab.environ["TTAPI_KEYED_FOLDER"] = str(lab.data)
    lab.refresh("calendar")  # installs the source: what is installed by the query is planned anew
    sql = "select symbol, level from raw.keyed_levels where is_current and symbol = '{}'"
    with Database(lab.home, environ=lab.variables) as opened:
        count, answer = planned(lambda: opened.sql(sql.format("AAA")))
        assert (count, answer.arrow().to_pylist()) == (2, [{"symbol": "AAA", "level": 1.0}])
        count, answer = planned(lambda: opened.sql(sql.format("AAA")))
        assert (count, answer.prepared.slices_fetched) == (1, 0)


def test_what_another_command_wrote_meanwhile_is_planned_for(lab, bars, database):
    """The plan of before is not carried out: BBB came in between, and is not read again."""
    lab.write_bars("BBB.txt", [(date(2024, 6, 14), 5, 6, 5, 6)])
    environment = database.load_environment()
    request = database.request("select close from eod where symbol = 'BBB'", Freshness())
    wanted = refresh_request(plan_query(environment, request), request)
    lab.refresh()
    outcome = run_refresh(environment, wanted)
    assert sum(done.source_calls for done in outcome.datasets) == 0


def test_a_stale_query_with_listings_is_planned_three_times(lab, bars, database):
    lab.write_bars("BBB.txt", [(date(2024, 6, 14), 5, 6, 5, 6)])
    later = {**lab.variables, "TTAPI_NOW": (lab.now + timedelta(days=4)).isoformat()}
    with Database(lab.home, environ=later) as stale:
        count, answer = planned(lambda: stale.sql("select close from eod where symbol = 'BBB'"))
    assert (count, answer.arrow()["close"].to_pylist()) == (3, [6.0])


def test_a_limit_of_age_costs_no_plan_more(lab, bars, database):
    later = {**lab.variables, "TTAPI_NOW": (lab.now + timedelta(hours=2)).isoformat()}
    with Database(lab.home, environ=later) as stale:
        count, _ = planned(
            lambda: stale.sql("select * from eod", freshness=Freshness(max_age="1h"))
        )
    assert count == 3
