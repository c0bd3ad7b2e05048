# SPDX-License-Identifier: Apache-2.0
"""A database that holds the calendar and its models alone, and a home filled from a simulated vendor."""

from __future__ import annotations

import json
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from built_once import built_once
from vendor_settings import settings_of

from ttapi.home import Home
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

ROOT = Path(__file__).resolve().parents[2]
# The helper modules beside these tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

from calendar_in_database import load_calendar  # noqa: E402 - it lies beside the tests
from option_market import rebuild, whole_database  # noqa: E402 - it lies beside the tests


def execute_model(con, path):
    """The relation of one model file, made as its folder says."""
    body, stem, folder = (ROOT / path).read_text(), Path(path).stem, Path(path).parent.name
    if folder == "macros":
        con.execute(body)
    elif folder == "views":
        con.execute(f"create or replace view main.{stem} as {body}")
    else:
        con.execute(f"create or replace table {folder}.{stem} as {body}")


@pytest.fixture(scope="session")
def calendar_database():
    con = duckdb.connect()
    for migration in sorted((ROOT / "migrations").glob("*.sql")):
        con.execute(migration.read_text())
    load_calendar(con)
    for model in (
        "sql/derived/calendar.sql",
        "sql/derived/expiration_series.sql",
        "sql/staged/chain_expirations.sql",
        "sql/views/calendar.sql",
        "sql/views/expiration_series.sql",
        "sql/macros/expirations.sql",
    ):
        execute_model(con, model)
    yield con
    con.close()


def create_macro(con, path):
    """The macro of one model file, in the schema of its folder."""
    schema = "derived" if path.parent.name == "derived" else "main"
    con.execute(re.sub(r"(create or replace macro )", rf"\1{schema}.", path.read_text(), count=1))


class BarMarket:
    """Every model over raw tables that a test fills; each test takes symbols of its own."""

    def __init__(self):
        self.con, self._graph = whole_database()

    def insert(self, table, **row):
        """One current row, known long ago unless it says otherwise."""
        known = datetime(2000, 1, 1)
        named = {"unit_id": 1, "known_at": known, "load_id": 1, "is_current": True} | row
        marks = ", ".join("?" for _ in named)
        self.con.execute(
            f"insert into raw.{table} ({', '.join(named)}) values ({marks})", list(named.values())
        )

    def bars(self, symbol, rows, **more):
        """Daily bars: of (date, close), or of (date, open, high, low, close)."""
        for day, *prices in rows:
            opened, high, low, close = prices if len(prices) == 4 else prices * 4
            self.insert(
                "metastock_bars", symbol=symbol, date=day, open=opened, high=high, low=low, close=close, per="D",
                volume=100.0, source="metastock", **more,
            )  # fmt: skip

    def action(self, symbol, ex_date, *, ratio=None, cash=None):
        """A split, or a dividend."""
        kind = "split" if ratio else "dividend"
        self.insert(
            "corporate_actions", symbol=symbol, ex_date=ex_date, kind=kind, ratio=ratio, cash=cash
        )

    def rebuild(self, *names):
        """These stored tables made anew."""
        rebuild(self.con, self._graph, *names)

    def rows(self, sql, *parameters):
        """Rows of a query."""
        return self.con.execute(sql, list(parameters)).fetchall()


@pytest.fixture(scope="session")
def bar_market():
    """The database of bars, actions and rates that tests fill in memory."""
    made = BarMarket()
    yield made
    made.con.close()


@pytest.fixture
def market(bar_market):
    """The bars' database, as it was when the test is over."""
    bar_market.con.execute("begin")
    yield bar_market
    bar_market.con.execute("rollback")


@pytest.fixture(scope="session")
def pricing_database():
    """The macros that price, and nothing else."""
    con = duckdb.connect(config={"threads": 2})
    con.execute("create schema derived")
    derived = ("normal_tail", "normal_tail_rough", "greeks_of", "newton_step", "halley_step")
    public = [f.stem for f in sorted((ROOT / "sql/macros").glob("b[ls]*.sql"))]
    for stem in (*derived, "implied_of"):
        create_macro(con, ROOT / f"sql/derived/{stem}.sql")
    for stem in ("norm_cdf", "norm_pdf", "bsm_greeks", "bsm_implied", *public):
        create_macro(con, ROOT / f"sql/macros/{stem}.sql")
    yield con
    con.close()


@pytest.fixture(scope="session")
def value(pricing_database):
    """What one expression gives; `?` stand for the parameters."""

    def ask(expression, *parameters):
        row = pricing_database.execute(f"select {expression}", list(parameters)).fetchall()[0]
        return row[0] if len(row) == 1 else row

    return ask


@pytest.fixture
def query(calendar_database):
    """Rows of a statement, as a list of tuples."""
    return lambda sql, *parameters: calendar_database.execute(sql, list(parameters)).fetchall()


@pytest.fixture(scope="session")
def vendor_home(template_home, lab_type, tmp_path_factory):
    """A home filled from a simulated vendor: accounts, lists, and four underlyings; the vendor is gone."""
    moment = datetime(2026, 11, 20, 22, tzinfo=UTC)

    def build(folder):
        shutil.copytree(template_home.root, folder / "home", symlinks=True)
        lab = lab_type(Home(folder / "home"), folder, now=moment)
        with VendorServer(VendorMarket(7, moment, symbols=60)) as server:
            lab.environ = settings_of(server, has_streams=True)
            done = lab.ttapi("refresh", "--symbols", "AAPL,SPX,SPY,VIX", "--from", "2025-01-01")
            found = lab.ttapi("sql", "from symbol_search where prefix = 'AA'")
        assert (done.returncode, found.returncode) == (0, 0), done.stderr + found.stderr
        (folder / "environ.json").write_text(json.dumps(lab.environ))

    made = built_once("vendor", build, __file__, ROOT / "tests" / "conftest.py")
    folder = tmp_path_factory.mktemp("vendor")
    shutil.copytree(made / "home", folder / "home", symlinks=True)
    environ = json.loads((made / "environ.json").read_text())
    return lab_type(Home(folder / "home"), folder, environ, moment)
