# SPDX-License-Identifier: Apache-2.0
"""A file brought up to date model by model says what one made at once says, and touches nothing else."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from ttapi.home import Home
from ttapi.store.engine import connect_snapshot
from ttapi.store.store import open_store

STORED = (
    "select schema_name, view_name, sql, comment from duckdb_views() where not internal order by all",
    (
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
        " where not internal order by all"
    ),
    (
        "select schema_name, function_name, parameters, macro_definition, comment from duckdb_functions()"
        " where not internal order by all"
    ),
    "select * from catalog.lineage order by all",
    "select * from catalog.dependencies order by all",
    "select * from catalog.datasets order by all",
)
ROW = "AAA,D,20240612,000000,1,2,1,2,10,0"
PRICES = "-- about: prices\n-- grain: symbol, date\nselect e.symbol, e.date, e.close as price -- USD\nfrom eod as e"
TEXT = PRICES.replace("e.close as price", "e.close::varchar as price, 1 as one").replace(
    "-- USD", "-- one"
)
BUSY = "select p.symbol, p.price, twice(p.price::double) as x from prices as p"
TWICE = "create or replace macro twice(v) as v * 2"
THRICE = "create or replace macro twice(v) as v * 2 + v"
BOTH = "create or replace macro rows_of(s) as table select p.symbol, p.price from prices as p where p.symbol = s"
STEPS = {
    "a view that another reads": [{"views/prices.sql": TEXT}],
    "a macro that a view calls": [{"macros/twice.sql": THRICE}],
    "a model less": [{"views/busy.sql": None}],
    "a macro between": [{"macros/rows_of.sql": BOTH}, {"views/prices.sql": TEXT}],
    "broken, then mended": [{"views/prices.sql": "select"}, {"views/prices.sql": TEXT}],
    "a table that was a view": [
        {"derived/level.sql": "-- kind: view\nselect p.symbol, 1 as n from eod as p"},
        {"derived/level.sql": "-- kind: table\nselect p.symbol, 1 as n from staged.eod as p"},
    ],
}


@pytest.fixture(scope="module")
def once_made(make_lab, tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("made"))
    lab.write_bars("AAA.csv", [ROW])
    write(lab, {"views/prices.sql": PRICES, "views/busy.sql": BUSY, "macros/twice.sql": TWICE})
    lab.refresh()
    return lab


@pytest.fixture
def market(once_made, tmp_path):
    return once_made.copied(tmp_path)


def write(lab, files):
    for name, text in files.items():
        if text is None:
            (lab.home.sql / name).unlink()
        else:
            lab.write_model(name, text)


def stored(lab):
    with closing(connect_snapshot(lab.home.public_file)) as con:
        return [con.execute(query).fetchall() for query in STORED]


IN_COMPAT = ("a macro that a view calls", "a model less", "broken, then mended")
"""Steps that others hold too, and a second each: checked with the slow ones."""


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(steps, id=name, marks=[pytest.mark.compat] if name in IN_COMPAT else [])
        for name, steps in STEPS.items()
    ],
)
def test_what_changed_alone_is_made_again_and_the_whole_is_the_same(
    market, template_home, lab_type, steps
):
    for files in steps:
        write(market, files)
        market.refresh("eod")
    root = market.data / "again"
    shutil.copytree(template_home.root, root, symlinks=True)
    shutil.copytree(market.home.sql, root / "sql", dirs_exist_ok=True)
    at_once = lab_type(Home(root), market.data, market.environ, market.now)
    at_once.home.readings_file.unlink(missing_ok=True)
    at_once.refresh("eod")
    for one, other in zip(stored(market), stored(at_once), strict=True):
        assert one == other


def test_what_has_not_changed_is_left_alone(market):
    with (
        open_store(market.home, command="test", wait_s=0, now=market.now) as store,
        store.transaction() as cursor,
    ):
        for view in ("eod", "prices", "busy"):
            cursor.execute(f"comment on view {view} is 'left alone'")
    write(market, {"views/prices.sql": TEXT})
    market.refresh()
    kept = "select view_name from duckdb_views() where comment = 'left alone'"
    assert market.rows(kept) == [("eod",)]


@pytest.mark.parametrize("text", ["", "{", '{"models": 7}'])
def test_what_an_earlier_command_found_may_be_lost_or_damaged(market, text):
    market.home.readings_file.write_text(text)
    write(market, {"views/prices.sql": TEXT})
    market.refresh()
    assert market.rows("select price, one from prices") == [("2.0", 1)]
